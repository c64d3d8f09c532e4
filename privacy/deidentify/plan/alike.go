package plan

import (
	"bytes"
	"strconv"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
)

// appendAlike appends the form in which values are compared that the models count by: what a reader takes for one value is one. Case, the
// way letters are composed, space, and how a number is spelled make no difference. Where values fall together that are none, a class looks
// less diverse, or to be of fewer persons, than it is.
func appendAlike(dst, text []byte) []byte {
	from := len(dst)
	dst = deidentify.AppendNormal(dst, flow.Class{Kind: flow.Text}, text)
	if n := len(dst) - from; n == 0 || n > longestNumber {
		return dst
	}
	var room [longestNumber]byte
	if number, ok := plainNumber(room[:0], dst[from:]); ok {
		dst = append(dst[:from], number...)
	}
	return dst
}

// longestNumber is the length up to which spellings of a number are looked at.
const longestNumber = 60

// plainNumber appends a number without sign +, exponent and zeros that say nothing: 7 for 07.0, 300 for 3e2.
func plainNumber(dst, text []byte) ([]byte, bool) {
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	text, exponent, scientific := bytes.Cut(text, []byte{'e'})
	shift := 0
	if scientific {
		var err error
		if shift, err = strconv.Atoi(string(exponent)); err != nil || shift > longestNumber || shift < -longestNumber {
			return dst, false
		}
	}
	whole, fraction, _ := bytes.Cut(text, []byte{'.'})
	var room [longestNumber]byte
	digits := append(append(room[:0], whole...), fraction...)
	for _, b := range digits {
		if b < '0' || b > '9' {
			return dst, false
		}
	}
	if len(digits) == 0 {
		return dst, false
	}
	point := len(whole) + shift // so many digits stand before it
	significant := bytes.TrimLeft(digits, "0")
	point -= len(digits) - len(significant)
	significant = bytes.TrimRight(significant, "0")
	if len(significant) == 0 {
		return append(dst, '0'), true
	}
	if max(point, len(significant), len(significant)-point)+3 > longestNumber {
		return dst, false
	}
	if negative {
		dst = append(dst, '-')
	}
	before, behind := significant, []byte(nil)
	if point < len(significant) {
		before, behind = significant[:max(point, 0)], significant[max(point, 0):]
	}
	dst = append(dst, before...)
	for range point - len(before) {
		dst = append(dst, '0')
	}
	if len(before) == 0 {
		dst = append(dst, '0')
	}
	if len(behind) > 0 {
		dst = append(dst, '.')
		for range -point {
			dst = append(dst, '0')
		}
		dst = append(dst, behind...)
	}
	return dst, true
}
