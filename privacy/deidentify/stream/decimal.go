package stream

import (
	"strconv"
	"strings"
)

const (
	mostDigits   = 18 // that surely fit an int64
	mostDecimals = 9
	longest      = 64 // bytes of a number that is read at all
)

// decimal reads a number as JSON writes it and returns it in units of 10^-decimals, rounded down, and whether that is all of it.
func decimal(text string, decimals int) (units int64, exact, ok bool) {
	if len(text) > longest {
		return 0, false, false
	}
	rest, negative := strings.CutPrefix(text, "-")
	var buf [longest]byte
	digits, point, rest, ok := mantissa(buf[:0], rest)
	if !ok {
		return 0, false, false
	}
	if rest != "" {
		exponent, ok := exponent(rest)
		if !ok {
			return 0, false, false
		}
		point += exponent
	}
	keep := point + decimals
	if len(digits) == 0 {
		return 0, true, true
	}
	if keep > mostDigits {
		return 0, false, false
	}
	exact = true
	for i, d := range digits {
		if i >= keep {
			exact = false // no zeros stand at the end
			break
		}
		units = units*10 + int64(d-'0')
	}
	for i := len(digits); i < keep; i++ {
		units *= 10
	}
	if negative {
		units = -units
		if !exact {
			units--
		}
	}
	return units, exact, true
}

// mantissa appends the digits of a number without zeros at either end, and returns how many of them, or of zeros more, stand before
// the point. There is a digit on each side of a point.
func mantissa(digits []byte, text string) (d []byte, point int, rest string, ok bool) {
	whole, i := 0, 0
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	whole = i
	digits = append(digits, text[:whole]...)
	if i < len(text) && text[i] == '.' {
		first := i + 1
		for i++; i < len(text) && '0' <= text[i] && text[i] <= '9'; i++ {
		}
		if i == first {
			return nil, 0, "", false
		}
		digits = append(digits, text[first:i]...)
	}
	if whole == 0 {
		return nil, 0, "", false
	}
	point = whole
	for len(digits) > 0 && digits[0] == '0' {
		digits, point = digits[1:], point-1
	}
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return digits, point, text[i:], true
}

func exponent(text string) (int, bool) {
	if text[0] != 'e' && text[0] != 'E' || len(text) > 5 {
		return 0, false
	}
	n, err := strconv.Atoi(text[1:]) // with a sign or without
	return n, err == nil
}

// decimalsOf returns how many digits stand behind the point.
func decimalsOf(text string) int {
	if _, behind, ok := strings.Cut(text, "."); ok {
		return len(behind)
	}
	return 0
}

// appendDecimal appends units of 10^-decimals.
func appendDecimal(dst []byte, units int64, decimals int) []byte {
	if units < 0 {
		dst, units = append(dst, '-'), -units
	}
	text := strconv.FormatInt(units, 10)
	if decimals == 0 {
		return append(dst, text...)
	}
	for len(text) <= decimals {
		text = "0" + text
	}
	dst = append(dst, text[:len(text)-decimals]...)
	dst = append(dst, '.')
	return append(dst, text[len(text)-decimals:]...)
}
