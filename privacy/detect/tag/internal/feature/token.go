// Package feature turns text into tokens and tokens into the features that a tagger weighs. The tagger and the program that
// trains it share it, so that both see the same.
package feature

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Shape is what a token looks like, whatever it says.
type Shape uint8

const (
	None     Shape = iota // beyond the text
	Lower                 // "word"
	Title                 // "Word"
	Upper                 // "WORD"
	Initial               // "W"
	Mixed                 // "McWord", "iWord"
	Digit1                // one digit
	Digit2                // two
	Digit3                // three
	Digit4                // four
	Digits                // more
	Alnum                 // letters and digits
	Caseless              // letters of a script without capitals
	Newline               // an end of line
	Blank                 // an empty line
	Mark                  // one character that is neither letter nor digit; the token's hash says which
)

// Capital reports whether the token begins with a capital letter.
func (s Shape) Capital() bool { return s >= Title && s <= Initial }

// MaxToken is how many bytes of a token are looked at as one. What is longer is cut, so that a stream need not hold it.
const MaxToken = 32

// gap is how much white space stands between columns rather than words. It is a token, as a tab and an empty line are.
const gap = 8

// Token is a maximal run of letters and digits, an end of line, or one other character that is no space.
type Token struct {
	Start, End int    // bytes
	Hash       uint32 // of the letters, small and without accents
	Prefix     uint32 // the first three of them, packed
	Suffix     uint32 // the last three
	Suffix2    uint32 // the last two
	Shape      Shape
	Spaced     bool // white space comes before it
	Accents    bool // some letter had one, or is beyond ASCII
	Gaz        Gaz  // what lists say of it
	Unlisted   bool // no list is asked about it: while learning, a word now and then
}

type kind uint8

const (
	kSpace kind = iota
	kLine
	kMark
	kLower
	kUpper
	kDigit
	kHigh
)

var kinds = func() (t [256]kind) {
	for b := range t {
		switch {
		case b == '\n':
			t[b] = kLine
		case b <= ' ' || b == 0x7F:
			t[b] = kSpace
		case 'a' <= b && b <= 'z':
			t[b] = kLower
		case 'A' <= b && b <= 'Z':
			t[b] = kUpper
		case '0' <= b && b <= '9':
			t[b] = kDigit
		case b >= utf8.RuneSelf:
			t[b] = kHigh
		default:
			t[b] = kMark
		}
	}
	return t
}()

// folded has the letters of Latin in small and without their accents: U+00C0 to U+024F, then U+1E00 to U+1EFF.
var folded = func() (t [0x190 + 0x100]byte) {
	for i := range t {
		r := unfolded(i)
		if parts := norm.NFD.PropertiesString(string(r)).Decomposition(); len(parts) > 0 && parts[0] < utf8.RuneSelf && unicode.IsLetter(r) {
			t[i] = parts[0] | 0x20
		}
	}
	const others = "ÆaŒoØoĐdÐdÞtŁlĦhŊnıiſsƏeß" // with no accent to take away
	letters := []rune(others + "s")
	for i := 0; i < len(letters); i += 2 {
		for _, r := range []rune{letters[i], unicode.ToLower(letters[i])} {
			if at, ok := foldable(r); ok {
				t[at] = byte(letters[i+1])
			}
		}
	}
	return t
}()

func unfolded(i int) rune {
	if i < 0x190 {
		return rune(i) + 0xC0
	}
	return rune(i-0x190) + 0x1E00
}

// foldable returns the place of a letter in folded.
func foldable(r rune) (int, bool) {
	switch {
	case r >= 0xC0 && r < 0x250:
		return int(r) - 0xC0, true
	case r >= 0x1E00 && r < 0x1F00:
		return int(r) - 0x1E00 + 0x190, true
	}
	return 0, false
}

// fold returns a letter in small and without its accent, and whether it is a letter or mark at all.
func fold(r rune) (rune, bool) {
	if at, ok := foldable(r); ok && folded[at] != 0 {
		return rune(folded[at]), true
	}
	if unicode.IsLetter(r) {
		return unicode.ToLower(r), true
	}
	return 0, unicode.IsMark(r)
}

const (
	hashBasis = 2166136261
	hashPrime = 16777619
)

func markHash(r rune) uint32 { return (hashBasis ^ uint32(r)) * hashPrime }

// Next reads the token at or after p. It returns false where the text ends before one begins, or within one and more is to
// come: then nothing is said of the text from t.Start on.
func Next(s string, p int, final bool, t *Token) bool {
	*t = Token{}
	first := p
	for p < len(s) {
		switch kinds[s[p]] {
		case kSpace:
			p++
			t.Spaced = true
			if p-first == gap || s[p-1] == '\t' {
				t.Start, t.End, t.Shape, t.Hash = first, p, Blank, uint32(Blank)
				return true
			}
			continue
		case kLine:
			ok := line(s, p, final, t)
			if !ok {
				t.Start = first
			}
			return ok
		case kMark:
			t.Start, t.End, t.Shape = p, p+1, Mark
			t.Hash = markHash(rune(s[p]))
			t.Prefix, t.Suffix, t.Suffix2 = uint32(s[p]), uint32(s[p]), uint32(s[p])
			return true
		}
		t.Start = p
		ok := word(s, p, final, t)
		if !ok {
			t.Start = first
		}
		return ok
	}
	t.Start = first
	return false
}

// line takes ends of lines with what white space is between them.
func line(s string, p int, final bool, t *Token) bool {
	t.Start, t.End, t.Shape = p, p+1, Newline
	i := p + 1
	for i < len(s) && kinds[s[i]] <= kLine && i-p < gap {
		if s[i] == '\n' {
			t.End, t.Shape = i+1, Blank
		}
		i++
	}
	t.Hash = uint32(t.Shape)
	return i < len(s) || final || i-p >= gap
}

func word(s string, p int, final bool, t *Token) bool {
	h := uint32(hashBasis)
	var first, last uint32
	n, small, big, nums, plain := 0, 0, 0, 0, 0
	leads := false // with a capital
	i := p
	for i < len(s) && i-p < MaxToken {
		b := s[i]
		k := kinds[b]
		var c uint32
		switch k {
		case kLower:
			small++
			c = uint32(b)
			i++
		case kUpper:
			big++
			leads = leads || n == 0
			c = uint32(b | 0x20)
			i++
		case kDigit:
			nums++
			c = uint32(b)
			i++
		case kHigh:
			if !utf8.FullRuneInString(s[i:]) && !final {
				return false
			}
			r, size := utf8.DecodeRuneInString(s[i:])
			base, ok := fold(r)
			if !ok {
				if i > p {
					return finish(t, i, h, first, last, n, small, big, nums, plain, leads)
				}
				t.End, t.Shape = i+size, Mark
				t.Hash = markHash(r)
				if unicode.IsSpace(r) {
					t.Hash = markHash(' ')
				}
				t.Accents = true
				return true
			}
			t.Accents = true
			switch {
			case base == 0:
			case unicode.IsUpper(r) || unicode.IsTitle(r):
				big++
				leads = leads || n == 0
			case unicode.IsLower(r):
				small++
			default:
				plain++
			}
			i += size
			if base == 0 {
				continue
			}
			c = uint32(base)
		default:
			return finish(t, i, h, first, last, n, small, big, nums, plain, leads)
		}
		h = (h ^ c) * hashPrime
		if n < 3 {
			first = first<<8 | c&0xFF
		}
		last = last<<8 | c&0xFF
		n++
	}
	if i == len(s) && !final && i-p < MaxToken {
		return false
	}
	return finish(t, i, h, first, last, n, small, big, nums, plain, leads)
}

func finish(t *Token, end int, h, first, last uint32, n, small, big, nums, plain int, leads bool) bool {
	t.End, t.Hash, t.Prefix, t.Suffix, t.Suffix2 = end, h, first, last&0xFFFFFF, last&0xFFFF
	switch {
	case nums > 0 && small+big+plain > 0:
		t.Shape = Alnum
	case nums > 0:
		t.Shape = Digit1 + Shape(min(nums, 5)-1)
	case plain > 0 && small+big == 0:
		t.Shape = Caseless
	case big == 0:
		t.Shape = Lower
	case small == 0 && n == 1:
		t.Shape = Initial
	case small == 0:
		t.Shape = Upper
	case big == 1 && leads:
		t.Shape = Title
	default:
		t.Shape = Mixed
	}
	if t.Shape == Mixed && !leads {
		t.Shape = Alnum
	}
	return true
}
