package idnumber

import "bytes"

// sum is the weighted sum of digits.
func sum(b []byte, weights ...int) (s int) {
	for i, w := range weights {
		s += int(b[i]-'0') * w
	}
	return s
}

// num reads digits as a number.
func num(b []byte) (n int) {
	for _, c := range b {
		n = n*10 + int(c-'0')
	}
	return n
}

// luhn is the check of ISO/IEC 7812-1 annex B.
func luhn(b []byte) bool {
	s := 0
	for i, c := range b {
		v := int(c - '0')
		if (len(b)-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		s += v
	}
	return s%10 == 0
}

// mod1110 is the check of ISO/IEC 7064, MOD 11,10.
func mod1110(b []byte) bool {
	p := 10
	for _, c := range b[:len(b)-1] {
		p += int(c - '0')
		if p %= 10; p == 0 {
			p = 10
		}
		p = p * 2 % 11
	}
	return (11-p)%10 == int(b[len(b)-1]-'0')
}

var (
	verhoeffD = [10][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
		{4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1}, {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
		{8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
	}
	verhoeffP = [8][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
		{9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1}, {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
	}
)

// verhoeff is the check of Verhoeff 1969, in the dihedral group of order ten.
func verhoeff(b []byte) bool {
	c := byte(0)
	for i := range b {
		c = verhoeffD[c][verhoeffP[i%8][b[len(b)-1-i]-'0']]
	}
	return c == 0
}

// monthDay reports whether month and day can be, whatever the year.
func monthDay(m, d int) bool {
	days := [13]int{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	return 1 <= m && m <= 12 && 1 <= d && d <= days[m]
}

func yymmdd(b []byte) bool { return monthDay(num(b[2:4]), num(b[4:6])) }

func ddmmyy(b []byte) bool { return monthDay(num(b[2:4]), num(b[:2])) }

// yyyymmdd is a date of the last 130 years or so.
func yyyymmdd(b []byte) bool {
	y := num(b[:4])
	return 1890 <= y && y <= 2050 && monthDay(num(b[4:6]), num(b[6:8]))
}

// same reports whether all characters are one: such numbers pass many checks and are nobody's.
func same(b []byte) bool { return bytes.Count(b, b[:1]) == len(b) }

func digit(b byte) int { return int(b - '0') }

func isDigit(b byte) bool { return b-'0' < 10 }

// pick returns the check letter of a remainder.
func pick(letters string, n int) byte { return letters[n%len(letters)] }
