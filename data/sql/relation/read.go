package relation

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Read is what a cell of the source becomes: nil, bool, int64, float64, string, []byte or time.Time; of anything else, NULL. It never fails. A
// binary fraction is the shortest decimal that stands for it.
func (f Field) Read(cell any) Value {
	null := Value{Kind: f.Type.Kind, Null: true}
	if b, ok := cell.([]byte); ok {
		cell = string(b)
	}
	if s, ok := cell.(string); ok && !utf8.ValidString(s) {
		return null
	}
	v := Value{Kind: f.Type.Kind}
	ok := false
	switch f.Type.Kind {
	case Number:
		return f.number(cell)
	case Text:
		v.Text, ok = readText(cell)
		if !ok {
			return null
		}
		return v
	case Truth:
		v.Int, ok = readTruth(cell)
		if !ok {
			return null
		}
		return v
	case Date, Time:
		v.Int, ok = readMoment(cell, f.Type.Kind)
	}
	if !ok || f.Exact && f.Type.clamp(v.Int) != v.Int {
		return null
	}
	v.Int = f.Type.clamp(v.Int)
	return v
}

func (f Field) number(cell any) Value {
	null := Value{Kind: Number, Null: true}
	var text string
	switch c := cell.(type) {
	case int64:
		text = strconv.FormatInt(c, 10)
	case float64:
		switch {
		case math.IsNaN(c):
			return null
		case math.IsInf(c, 0) && f.Exact:
			return null
		case math.IsInf(c, 1):
			return Value{Kind: Number, Int: f.Type.Max}
		case math.IsInf(c, -1):
			return Value{Kind: Number, Int: f.Type.Min}
		}
		text = strconv.FormatFloat(c, 'g', -1, 64)
	case string:
		text = c
	default:
		return null
	}
	v, exact, ok := ParseNumber(text, f.Type.Places)
	if !ok || f.Exact && (!exact || f.Type.clamp(v) != v) {
		return null
	}
	return Value{Kind: Number, Int: f.Type.clamp(v)}
}

// ParseNumber reads a decimal with or without sign, fraction and exponent, and spaces around it, in units of 10^−places, rounded down;
// what lies beyond ±(2^63−1) is that. Exact says that nothing was cut off.
func ParseNumber(s string, places int) (v int64, exact, ok bool) {
	s = strings.Trim(s, " \t\r\n")
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa = s[:i]
		exponent, ok = parseExponent(s[i+1:])
		if !ok {
			return 0, false, false
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false, false
	}
	// The number is digits · 10^(exponent − len(fraction)).
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return 0, true, true
	}
	shift := exponent - len(fraction) + places
	if len(digits)+shift > 20 { // at least 10^20
		if negative {
			return MinNumber, false, true
		}
		return MaxNumber, false, true
	}
	rest := ""
	if shift < 0 {
		cut := max(len(digits)+shift, 0)
		digits, rest = digits[:cut], digits[cut:]
		shift = 0
	}
	n, _ := new(big.Int).SetString("0"+digits+strings.Repeat("0", shift), 10)
	exact = strings.Trim(rest, "0") == ""
	if negative {
		n.Neg(n)
		if !exact {
			n.Sub(n, big.NewInt(1))
		}
	}
	if !n.IsInt64() || n.Int64() == math.MinInt64 {
		exact = false
	}
	return Narrow(n, MinNumber, MaxNumber), exact, true
}

// parseExponent reads a whole number; far from zero it does not matter how far.
func parseExponent(s string) (int, bool) {
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n := 1 << 40 // further than a text is long
	if s = strings.TrimLeft(s, "0"); len(s) <= 12 {
		n, _ = strconv.Atoi("0" + s)
	}
	if negative {
		n = -n
	}
	return n, true
}

// Narrow clamps a number of any size.
func Narrow(n *big.Int, low, high int64) int64 {
	switch {
	case n.Cmp(big.NewInt(low)) < 0:
		return low
	case n.Cmp(big.NewInt(high)) > 0:
		return high
	}
	return n.Int64()
}

func readText(cell any) (string, bool) {
	switch c := cell.(type) {
	case string:
		return c, true
	case bool:
		return strconv.FormatBool(c), true
	case int64:
		return strconv.FormatInt(c, 10), true
	case float64:
		return strconv.FormatFloat(c, 'g', -1, 64), true
	case time.Time:
		return c.UTC().Format(time.RFC3339Nano), true
	}
	return "", false
}

func readTruth(cell any) (int64, bool) {
	switch c := cell.(type) {
	case bool:
		if c {
			return 1, true
		}
		return 0, true
	case int64:
		return c, c == 0 || c == 1
	case float64:
		return int64(c), c == 0 || c == 1
	case string:
		switch strings.ToLower(strings.Trim(c, " \t\r\n")) {
		case "true", "t", "1":
			return 1, true
		case "false", "f", "0":
			return 0, true
		}
	}
	return 0, false
}

// readMoment is days or microseconds.
func readMoment(cell any, k Kind) (int64, bool) {
	var micros int64
	ok := false
	switch c := cell.(type) {
	case time.Time:
		// The seconds decide what the calendar holds before they are multiplied.
		if s := c.Unix(); s >= MinTime/1_000_000 && s <= MaxTime/1_000_000 {
			micros, ok = s*1_000_000+int64(c.Nanosecond()/1000), true
		}
	case string:
		micros, ok = ParseTime(c)
	}
	if !ok {
		return 0, false
	}
	if k == Date {
		return floorDiv(micros, dayMicros), true
	}
	return micros, true
}

// ParseTime reads a date (YYYY-MM-DD) or a date and time as ISO 8601 and SQL write them: hours and minutes after a T or a space, seconds with a
// fraction if there are any, and a zone (Z, ±HH, ±HHMM, ±HH:MM), which is UTC if there is none. It is in microseconds since 1970; what is more
// exact is cut off.
func ParseTime(s string) (int64, bool) {
	p := timeParser{s: strings.Trim(s, " \t\r\n")}
	y := p.digits(4)
	p.one("-")
	m := p.digits(2)
	p.one("-")
	d := p.digits(2)
	if p.bad || y < 1 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return 0, false
	}
	t := days(y, m, d) * dayMicros
	if p.s == "" {
		return t, true
	}
	p.one("Tt ")
	h := p.digits(2)
	p.one(":")
	min, sec, micros := p.digits(2), int64(0), int64(0)
	if p.take(':') {
		sec = p.digits(2)
		if p.take('.') {
			micros = p.fraction()
		}
	}
	zone := p.zone()
	if p.bad || p.s != "" || h > 23 || min > 59 || sec > 59 {
		return 0, false
	}
	t += ((h*60+min)*60+sec)*1_000_000 + micros - zone*60_000_000
	return t, t >= MinTime && t <= MaxTime
}

// daysIn is how many days a month has.
func daysIn(y, m int64) int64 {
	if m == 12 {
		return 31
	}
	return days(y, m+1, 1) - days(y, m, 1)
}

// timeParser takes a text apart from its front; once something is missing it is bad.
type timeParser struct {
	s   string
	bad bool
}

func (p *timeParser) digits(n int) int64 {
	if len(p.s) < n || strings.Trim(p.s[:n], "0123456789") != "" {
		p.bad = true
		return 0
	}
	v, _ := strconv.Atoi(p.s[:n])
	p.s = p.s[n:]
	return int64(v)
}

func (p *timeParser) one(of string) {
	if p.s == "" || !strings.Contains(of, p.s[:1]) {
		p.bad = true
		return
	}
	p.s = p.s[1:]
}

func (p *timeParser) take(b byte) bool {
	if p.s == "" || p.s[0] != b {
		return false
	}
	p.s = p.s[1:]
	return true
}

func (p *timeParser) fraction() int64 {
	n := len(p.s) - len(strings.TrimLeft(p.s, "0123456789"))
	if n == 0 {
		p.bad = true
		return 0
	}
	v, _ := strconv.Atoi((p.s[:n] + "000000")[:6])
	p.s = p.s[n:]
	return int64(v)
}

// zone is how many minutes east.
func (p *timeParser) zone() int64 {
	p.s = strings.TrimLeft(p.s, " ")
	if p.s == "" || p.take('Z') || p.take('z') {
		return 0
	}
	sign := int64(1)
	if p.take('-') {
		sign = -1
	} else {
		p.one("+")
	}
	h, m := p.digits(2), int64(0)
	if p.take(':') || p.s != "" {
		m = p.digits(2)
	}
	if h > 23 || m > 59 {
		p.bad = true
	}
	return sign * (h*60 + m)
}
