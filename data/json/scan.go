package json

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special has the high bit set of the lowest byte in x that a string cannot hold as it is (quote, backslash, below
// 0x20). Bits above the lowest one set may be wrong. Flipping bit 1 brings the quote right above the control
// characters, so that one comparison finds both.
func special(x uint64) uint64 {
	q := x ^ 0x02*ones
	b := x ^ '\\'*ones
	return ((q-0x21*ones)&^q | (b-ones)&^b) & highs
}

// plain says which bytes may stand in a string as they are; those above 0x7f are for the UTF-8 check.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return t
}()

// scanString finds the end of the string whose opening quote is src[i] and checks all in between. With an error, end
// is where the fault is.
func scanString(src []byte, i int) (end int, escaped bool, err error) {
	start := i + 1
	j := start
	var high uint64
	for {
		for ; j <= len(src)-8; j += 8 {
			x := binary.LittleEndian.Uint64(src[j:])
			if m := special(x); m != 0 {
				k := bits.TrailingZeros64(m) &^ 7
				high |= x & (1<<k - 1)
				j += k >> 3
				goto stop
			}
			high |= x
		}
		for j < len(src) && plain[src[j]] {
			high |= uint64(src[j])
			j++
		}
		if j == len(src) {
			return j, escaped, ErrSyntax
		}
	stop:
		switch src[j] {
		case '"':
			if high&highs != 0 && !utf8.Valid(src[start:j]) {
				return invalidAt(src, start), escaped, ErrUTF8
			}
			return j + 1, escaped, nil
		case '\\':
			escaped = true
			size, _, err := escape(src[j:])
			if err != nil {
				return j, true, err
			}
			j += size
		default:
			return j, escaped, ErrSyntax
		}
	}
}

// invalidAt returns where from i on src ceases to be UTF-8.
func invalidAt(src []byte, i int) int {
	for i < len(src) {
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		i += size
	}
	return i
}

// escape decodes the escape sequence at the start of b, which is a backslash; a surrogate pair is one sequence.
func escape(b []byte) (size int, r rune, err error) {
	if len(b) < 2 {
		return 0, 0, ErrSyntax
	}
	if b[1] != 'u' {
		if r = short[b[1]]; r == 0 {
			return 0, 0, ErrSyntax
		}
		return 2, r, nil
	}
	r, ok := hex4(b)
	if !ok {
		return 0, 0, ErrSyntax
	}
	switch {
	case r < 0xd800 || r > 0xdfff:
		return 6, r, nil
	case r < 0xdc00 && len(b) > 7 && b[6] == '\\' && b[7] == 'u':
		low, ok := hex4(b[6:])
		if !ok {
			return 0, 0, ErrSyntax
		}
		if low >= 0xdc00 && low <= 0xdfff {
			return 12, 0x10000 + (r-0xd800)<<10 + (low - 0xdc00), nil
		}
	}
	return 0, 0, ErrUTF8
}

var short = [256]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// hex4 reads the four hexadecimal digits after "\u" at the start of b.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 6 {
		return 0, false
	}
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// scanNumber finds the end of the number at src[i]; where the fault is, if not ok.
func scanNumber(src []byte, i int) (end int, ok bool) {
	if src[i] == '-' {
		i++
	}
	if i < len(src) && src[i] == '0' {
		i++
	} else if i, ok = digits(src, i); !ok {
		return i, false
	}
	if i < len(src) && src[i] == '.' {
		if i, ok = digits(src, i+1); !ok {
			return i, false
		}
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		if i, ok = digits(src, i); !ok {
			return i, false
		}
	}
	return i, true
}

// digits skips one digit or more.
func digits(src []byte, i int) (end int, ok bool) {
	start := i
	for i < len(src) && src[i]-'0' <= 9 {
		i++
	}
	return i, i > start
}

// load8 returns the 8 bytes from src[i] on, the first lowest, zeros where src ends.
func load8(src []byte, i int) uint64 {
	if i <= len(src)-8 {
		return binary.LittleEndian.Uint64(src[i:])
	}
	var x uint64
	for k, c := range src[i:] {
		x |= uint64(c) << (8 * k)
	}
	return x
}
