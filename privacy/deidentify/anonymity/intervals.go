package anonymity

import (
	"fmt"
	"strconv"
	"strings"
)

// Numbers says how numbers are put into intervals.
type Numbers struct {
	Widths   []string // of the intervals, level by level, decimal; each a multiple of the one before
	Origin   string   // where an interval begins; "": 0
	Bottom   string   // values below are one interval, at every level but the values' own; "": none
	Top      string   // values from here on are one interval, likewise; "": none
	Integers bool     // only integers are covered, and intervals are written [20-29]; otherwise [20,30)
}

// NumberCoding learns numbers. Its levels are the value, the intervals of each width, and "*". Numbers are decimal, without
// exponent, and smaller than 10¹⁷ in units of the last place of any width or bound; others are not covered.
func NumberCoding(n Numbers) (*Coding, error) {
	f := &intervals{integers: n.Integers}
	named := append([]string{n.Origin, n.Bottom, n.Top}, n.Widths...)
	for i, text := range named {
		if text == "" && i < 3 {
			continue
		}
		if !decimal(text) {
			return nil, fmt.Errorf("%w: a width or bound of a number's intervals is not a decimal number", ErrHierarchy)
		}
		if _, fraction, ok := strings.Cut(text, "."); ok {
			f.scale = max(f.scale, len(fraction))
		}
	}
	if f.integers && f.scale > 0 || f.scale > 15 || len(n.Widths) > maxLevels-2 {
		return nil, fmt.Errorf("%w: intervals of integers have integer bounds, others at most 15 places, and there are at most %d widths", ErrHierarchy, maxLevels-2)
	}
	at := make([]int64, len(named))
	for i, text := range named {
		if text == "" {
			continue
		}
		v, ok := f.floor(text)
		if !ok {
			return nil, fmt.Errorf("%w: a width or bound of a number's intervals is too large", ErrHierarchy)
		}
		at[i] = v
	}
	f.origin, f.bottom, f.top, f.widths = at[0], at[1], at[2], at[3:]
	f.hasBottom, f.hasTop = n.Bottom != "", n.Top != ""
	before := int64(1)
	for i, w := range f.widths {
		if w < 1 || w%before != 0 || i > 0 && w == before {
			return nil, fmt.Errorf("%w: width %d of a number's intervals is not a multiple of the one before", ErrHierarchy, i+1)
		}
		before = w
	}
	if f.hasBottom && f.hasTop && f.bottom >= f.top {
		return nil, fmt.Errorf("%w: the bottom of a number's intervals is not below the top", ErrHierarchy)
	}
	if len(f.widths) == 0 && (f.hasBottom || f.hasTop) {
		return nil, fmt.Errorf("%w: a bottom or top without any width does nothing", ErrHierarchy)
	}
	return newCoding(f), nil
}

type intervals struct {
	widths              []int64 // in units of the last of scale places, like everything below
	scale               int
	origin, bottom, top int64
	hasBottom, hasTop   bool
	integers            bool
}

// unit is the bound of numbers: sums and differences of two and a width stay within int64.
const unit = 100_000_000_000_000_000

func (f *intervals) levels() int   { return len(f.widths) + 2 }
func (f *intervals) ordered() bool { return true }

func (f *intervals) covers(text []byte) bool {
	s := string(text)
	if !decimal(s) || f.integers && strings.Contains(s, ".") {
		return false
	}
	_, ok := f.floor(s)
	return ok
}

// decimal reports whether the text is -?digits(.digits)?
func decimal(s string) bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return len(s) <= 64 && digits(whole) && (!point || digits(fraction))
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// floor returns the largest multiple of the unit that is not above a decimal number.
func (f *intervals) floor(s string) (int64, bool) {
	rest, negative := strings.CutPrefix(s, "-")
	whole, fraction, _ := strings.Cut(rest, ".")
	more := len(fraction) > f.scale && strings.Trim(fraction[f.scale:], "0") != ""
	if len(fraction) > f.scale {
		fraction = fraction[:f.scale]
	}
	fraction += strings.Repeat("0", f.scale-len(fraction))
	v, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil || v >= unit {
		return 0, false
	}
	if negative {
		v = -v
		if more {
			v--
		}
	}
	return v, true
}

func (f *intervals) compare(a, b string) int { return compareDecimal(a, b) }

// compareDecimal compares decimal numbers exactly, whatever their size.
func compareDecimal(a, b string) int {
	a, less := strings.CutPrefix(a, "-")
	b, more := strings.CutPrefix(b, "-")
	switch {
	case less && more:
		return compareMagnitude(b, a)
	case less:
		return -compareMagnitude(a, "") - compareMagnitude(b, "")
	case more:
		return compareMagnitude(a, "") + compareMagnitude(b, "")
	}
	return compareMagnitude(a, b)
}

func compareMagnitude(a, b string) int {
	wholeA, fractionA, _ := strings.Cut(a, ".")
	wholeB, fractionB, _ := strings.Cut(b, ".")
	wholeA, wholeB = strings.TrimLeft(wholeA, "0"), strings.TrimLeft(wholeB, "0")
	if len(wholeA) != len(wholeB) {
		if len(wholeA) < len(wholeB) {
			return -1
		}
		return 1
	}
	if order := strings.Compare(wholeA, wholeB); order != 0 {
		return order
	}
	return strings.Compare(strings.TrimRight(fractionA, "0"), strings.TrimRight(fractionB, "0"))
}

func (f *intervals) label(level int, text string) string {
	if level > len(f.widths) {
		return everything
	}
	v, _ := f.floor(text) // covers has looked
	switch {
	case f.hasBottom && v < f.bottom:
		return "<" + f.text(f.bottom)
	case f.hasTop && v >= f.top:
		return ">=" + f.text(f.top)
	}
	width := f.widths[level-1]
	low := v - f.origin
	low = low - ((low%width)+width)%width + f.origin
	high := low + width
	if f.hasBottom {
		low = max(low, f.bottom)
	}
	if f.hasTop {
		high = min(high, f.top)
	}
	if !f.integers {
		return "[" + f.text(low) + "," + f.text(high) + ")"
	}
	if high == low+1 {
		return f.text(low)
	}
	return "[" + f.text(low) + "-" + f.text(high-1) + "]"
}

// text writes a number of units.
func (f *intervals) text(v int64) string {
	s := strconv.FormatInt(v, 10)
	if f.scale == 0 {
		return s
	}
	s, negative := strings.CutPrefix(s, "-")
	s = strings.Repeat("0", max(0, f.scale+1-len(s))) + s
	s = strings.TrimRight(strings.TrimRight(s[:len(s)-f.scale]+"."+s[len(s)-f.scale:], "0"), ".")
	if negative {
		return "-" + s
	}
	return s
}

func (f *intervals) span(dst []byte, first, last string) []byte {
	if !f.integers {
		return spanDots(dst, first, last)
	}
	dst = append(append(dst, '['), first...)
	return append(append(append(dst, '-'), last...), ']')
}
