package vault

import "strings"

// Span is a stand-in found in text: bytes Start to End.
type Span struct {
	Start, End int
	Token      bool   // a token for [Vault.Resolve]; else a surrogate for [Task.Original]
	Text       string // in canonical form: surrogates in lower case
}

// FindTokens returns what has the form of a token or a surrogate, in order, in linear time. Whether it is one only the vault knows.
//
// A token is the prefix and all base64url characters after it, in one of the lengths that tokens have, not preceded by such a character.
// A surrogate is "[", a word, a space, a number from 1 to 999999 or two to six pairs of letter and digit, "]", without regard to ASCII case.
func FindTokens(text string) []Span {
	var found []Span
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '[':
			end, ok := surrogateEnd(text, i)
			if ok {
				found = append(found, Span{Start: i, End: end, Text: strings.ToLower(text[i:end])})
			}
			i = end
		case urlChar(c):
			end := i + 1
			for end < len(text) && urlChar(text[end]) {
				end++
			}
			if _, ok := parseToken(text[i:end]); ok {
				found = append(found, Span{Start: i, End: end, Token: true, Text: text[i:end]})
			}
			i = end
		default:
			i++
		}
	}
	return found
}

// Whole returns the stand-in that a text is, if it is nothing else. It says what [FindTokens] does and costs next to nothing
// for any other text.
func Whole(text string) (Span, bool) {
	if !strings.HasPrefix(text, "[") && !strings.HasPrefix(text, tokenPrefix) {
		return Span{}, false
	}
	spans := FindTokens(text)
	if len(spans) != 1 || spans[0].Start != 0 || spans[0].End != len(text) {
		return Span{}, false
	}
	return spans[0], true
}

func urlChar(c byte) bool { return letter(c) || digitChar(c) || c == '-' || c == '_' }

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func digitChar(c byte) bool { return '0' <= c && c <= '9' }

// maxSurrogate is the longest: bracket, word of 30, space, six pairs, bracket.
const maxSurrogate = 1 + 30 + 1 + 12 + 1

// surrogateEnd returns where the surrogate at i ends, or, without one, where to look on: no byte is looked at more than twice.
func surrogateEnd(text string, i int) (end int, ok bool) {
	j := i + 1
	for j < len(text) && j-i < maxSurrogate && (letter(text[j]) || digitChar(text[j]) || text[j] == ' ' || text[j] == '-') {
		j++
	}
	if j == len(text) || text[j] != ']' {
		return i + 1, false
	}
	space := strings.LastIndexByte(text[i:j], ' ')
	if space < 2 || !surrogateWord(text[i+1:i+space]) || !suffix(text[i+space+1:j]) {
		return i + 1, false
	}
	return j + 1, true
}

func surrogateWord(w string) bool {
	if len(w) > 30 || !letter(w[0]) || !letter(w[len(w)-1]) || strings.Contains(w, "  ") {
		return false
	}
	return !strings.ContainsAny(w, "0123456789")
}

func suffix(s string) bool {
	if s == "" {
		return false
	}
	if digitChar(s[0]) {
		return s[0] != '0' && len(s) <= 6 && strings.Trim(s, "0123456789") == ""
	}
	if len(s)%2 != 0 || len(s) < 4 || len(s) > 12 {
		return false
	}
	for i := 0; i < len(s); i += 2 {
		if !letter(s[i]) || !strings.Contains(pairLetters, string(s[i]|0x20)) || !strings.Contains(pairDigits, s[i+1:i+2]) {
			return false
		}
	}
	return true
}
