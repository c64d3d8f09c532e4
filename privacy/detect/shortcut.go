package detect

import (
	"math/bits"
	"unicode/utf8"
)

// eight returns eight bytes as one number, the first lowest.
func eight(x string) uint64 {
	_ = x[7]
	return uint64(x[0]) | uint64(x[1])<<8 | uint64(x[2])<<16 | uint64(x[3])<<24 | uint64(x[4])<<32 | uint64(x[5])<<40 | uint64(x[6])<<48 | uint64(x[7])<<56
}

const lows = 0x0101010101010101

// letterBits returns a bit for each of the eight bytes of x, the first lowest, that is set if it is a letter.
func letterBits(x uint64) uint64 {
	const highs = 0x80 * lows
	y := (x | 0x20*lows) &^ highs
	letters := (y + (0x80-'a')*lows) &^ (y + (0x80-'z'-1)*lows) &^ x & highs
	return letters >> 7 * 0x0102040810204080 >> 56
}

// letterMap returns which bytes of s are letters, from a place at or before p on, for 64 bytes or to the end of s, which has
// eight bytes or more.
func letterMap(s string, p int) (base int, m uint64) {
	if p+64 <= len(s) {
		x := s[p : p+64]
		return p, letterBits(eight(x[0:8])) | letterBits(eight(x[8:16]))<<8 | letterBits(eight(x[16:24]))<<16 | letterBits(eight(x[24:32]))<<24 |
			letterBits(eight(x[32:40]))<<32 | letterBits(eight(x[40:48]))<<40 | letterBits(eight(x[48:56]))<<48 | letterBits(eight(x[56:64]))<<56
	}
	base = max(0, len(s)-64)
	for i := base; i+8 <= len(s); i += 8 {
		m |= letterBits(eight(s[i:i+8])) << (uint(i-base) & 63)
	}
	last := len(s) - 8
	return base, m | letterBits(eight(s[last:last+8]))<<(uint(last-base)&63)
}

// plainWords skips words of letters that a space or another mark outside runs follows and that cannot begin anything. It is a
// short cut through next, never a different answer: known values and forms of words can begin at such a word, and the filter has
// both, or beforeName sees it.
func (c *scanner) plainWords(p int) int {
	s, known := c.s, c.known
	base, m := p-64, uint64(0)
	for p+9 <= len(s) {
		if p-base > 64-minEncoded && base+64 < len(s) || p < base {
			base, m = letterMap(s, p)
		}
		n := bits.TrailingZeros64(^(m >> (uint(p-base) & 63)))
		q := p + n
		if n >= minEncoded || q >= len(s) {
			return p
		}
		if n > 0 {
			w := eight(s[p:p+8]) | 0x20*lows
			var h uint64
			if n < 8 {
				h = mix(w & (1<<(uint(8*n)&63) - 1))
			} else if h = mix(w); n > 8 {
				h = mix(h ^ (eight(s[q-8:q])|0x20*lows)>>(uint(128-8*n)&63))
			}
			if known.filter.mayWeakly(h) && (known.filter.surely(h) || q+2 >= len(s) || weakly(s, p, q)) {
				return p
			}
		}
		switch b := s[q]; {
		case b == ' ' && !isUpper(s[p]):
			p = q + 1
		case isUpper(s[p]) && (b == ' ' || b == '.') && (q+2 >= len(s) || beforeName(b, s[q+1], s[q+2])):
			return p
		case known.skip[b]:
			p = q + 1
		case (b == '.' || b == ':') && q+1 < len(s) && (s[q+1] == ' ' || s[q+1] == '\n') && !known.marks[b]:
			p = q + 2
		default:
			return p
		}
	}
	return p
}

// beforeName reports whether a word with a capital may begin an address or an amount, by the three bytes after it: another such
// word or a number follows.
func beforeName(a, b, c byte) bool {
	if a == ' ' {
		return isUpper(b) || isDigit(b) || b >= utf8.RuneSelf
	}
	return a == '-' && isUpper(b) || a == '.' && b == ' ' && isDigit(c)
}

// weakly reports whether the word [p, q), which begins a form only now and then, may do so here. Two more bytes follow it.
func weakly(s string, p, q int) bool {
	return isUpper(s[p]) || afterAged(s[:p]) || beforeUnit(s[q], s[q+1], s[q+2])
}

// afterAged reports whether "aged " ends left: "aged twelve".
func afterAged(left string) bool {
	n := len(left)
	return n >= 4 && left[n-1] == ' ' && left[n-2] == 'd' && left[n-3] == 'e' && left[n-4] == 'g'
}

// beforeUnit reports whether a number or a unit of time may follow a word, by the three bytes after it.
func beforeUnit(mark, a, b byte) bool {
	switch mark {
	case ' ':
	case '.', '/', '#', '-':
		return true
	default:
		return false
	}
	switch a | 0x20 {
	case 'd':
		return b == 'a' || b == 'e' || b == 'i'
	case 'w':
		return b == 'e'
	case 'm':
		return b == 'o'
	case 'y':
		return b == 'e' || b == 'r'
	case 'h':
		return b == 'u'
	case 'o': // "summer of 2003"
		return b == 'f'
	}
	return isDigit(a)
}
