package detect

import (
	"unicode"
	"unicode/utf8"
)

// class says what a byte can be part of.
type class uint16

const (
	cRun   class = 1 << iota // continues a run of text without a cut
	cWord                    // a letter or digit
	cDigit                   // an ASCII digit
	cHex                     // a hexadecimal digit
	cLocal                   // may stand before the @ of an e-mail address
	cURL                     // may stand in a web address
	cToken                   // may stand in an access token
	cColon
	cAt
	cHigh // part of a rune beyond ASCII, or invalid
	cSpace
	cPercent // begins a percent-encoded byte
	cAmp     // begins an entity
)

const (
	runMarks   = "_.-+@:/=%&#?~$!*'"
	localMarks = "._%+-'"
	urlMarks   = "-._~:/?#@!$&'()*+,;=%"
	spaces     = " \t\n\v\f\r"
)

var classes = func() (t [256]class) {
	for b := range t {
		switch {
		case b >= utf8.RuneSelf:
			t[b] = cRun | cHigh | cLocal | cWord
		case '0' <= b && b <= '9':
			t[b] = cRun | cWord | cDigit | cHex | cLocal | cURL | cToken
		case 'a' <= b|0x20 && b|0x20 <= 'z':
			t[b] = cRun | cWord | cLocal | cURL | cToken
		}
	}
	add := func(set string, c class) {
		for i := range len(set) {
			t[set[i]] |= c
		}
	}
	add("abcdefABCDEF", cHex)
	add(runMarks, cRun)
	add(localMarks, cLocal)
	add(urlMarks, cURL)
	add("_-", cToken)
	add(spaces, cSpace)
	add(":", cColon)
	add("@", cAt)
	add("%", cPercent)
	add("&", cAmp)
	return t
}()

func isDigit(b byte) bool { return b-'0' < 10 }

func isLetter(b byte) bool { return b|0x20-'a' < 26 }

func isUpper(b byte) bool { return b-'A' < 26 }

// isAlnum holds for ASCII letters and digits only.
func isAlnum(b byte) bool { return classes[b]&(cWord|cHigh) == cWord }

func isHex(b byte) bool { return classes[b]&cHex != 0 }

func isSpace(b byte) bool { return classes[b]&cSpace != 0 }

// letterRune reports whether r is part of a word in a script that puts spaces between words. All other runes beyond ASCII
// (ideographs, kana, hangul, Thai, punctuation, symbols, invalid bytes) stand alone and cut a run.
func letterRune(r rune) bool {
	switch {
	case r < utf8.RuneSelf, r == utf8.RuneError:
		return false
	case 0x0E00 <= r && r <= 0x11FF && !(0x10A0 <= r && r <= 0x10FF), // Thai, Lao, Tibetan, Myanmar, hangul jamo; not Georgian
		0x1780 <= r && r <= 0x17FF: // Khmer
		return false
	case r < 0x2000, 0x2C00 <= r && r < 0x2E00, 0xA640 <= r && r < 0xA800, 0xAB30 <= r && r < 0xABC0, 0xFB00 <= r && r < 0xFF00:
		return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)
	}
	return false
}
