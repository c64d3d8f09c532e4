package deidentify

import (
	"math"
	"math/bits"
	"strconv"
)

// small is an exact number of at most 18 digits: units × 10^-scale. It is the fast road; what does not fit goes by way of [decimal].
type small struct {
	units int64
	scale int
}

// parseSmall reads -?digits[.digits] with at most 18 digits in all.
func parseSmall(text []byte) (small, bool) {
	i, neg := 0, false
	if len(text) > 0 && text[0] == '-' {
		i, neg = 1, true
	}
	var s small
	point, digits := -1, 0
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case '0' <= c && c <= '9':
			digits++
			s.units = s.units*10 + int64(c-'0')
		case c == '.' && point < 0 && digits > 0:
			point = i
		default:
			return small{}, false
		}
		if digits > 18 {
			return small{}, false
		}
	}
	if digits == 0 || point == len(text)-1 {
		return small{}, false
	}
	if point >= 0 {
		s.scale = len(text) - 1 - point
	}
	if neg {
		s.units = -s.units
	}
	return s, true
}

var tens = [...]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// aligned brings two numbers to one scale; false if that overflows.
func aligned(a, b small) (x, y int64, scale int, ok bool) {
	scale = max(a.scale, b.scale)
	x, okX := times(a.units, tens[scale-a.scale])
	y, okY := times(b.units, tens[scale-b.scale])
	return x, y, scale, okX && okY
}

// times returns the product if it has room to be doubled.
func times(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(max(a, -a)), uint64(b))
	if hi != 0 || lo > math.MaxInt64/4 {
		return 0, false
	}
	if a < 0 {
		return -int64(lo), true
	}
	return int64(lo), true
}

// floorDiv returns the largest whole number that is not above a/b, for b above 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// appendUnits writes units × 10^-scale, with all digits of the scale.
func appendUnits(dst []byte, units int64, scale int) []byte {
	if scale == 0 {
		return strconv.AppendInt(dst, units, 10)
	}
	if units < 0 {
		dst = append(dst, '-')
		units = -units
	}
	dst = strconv.AppendInt(dst, units/tens[scale], 10)
	dst = append(dst, '.')
	rest := units % tens[scale]
	for s := scale - 1; s > 0 && rest < tens[s]; s-- {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, rest, 10)
}
