package deidentify

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// maxDigits bounds the arithmetic on one number, before and after the point.
const maxDigits = 400

// ageCap is where ages end: with more years too few people share one (45 CFR 164.514(b)(2)(i)(C) groups 90 and over).
const ageCap = 90

// decimal is an exact number: units × 10^-scale.
type decimal struct {
	units *big.Int
	scale int
}

var (
	jsonNumber  = regexp.MustCompile(`^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,6}))?$`)
	jsonLiteral = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$`)
)

// parseDecimal reads a literal of JSON, leading zeros allowed, if it has at most maxDigits on either side of the point.
func parseDecimal(literal string) (decimal, bool) {
	if len(literal) > 2*maxDigits {
		return decimal{}, false
	}
	m := jsonNumber.FindStringSubmatch(literal)
	if m == nil {
		return decimal{}, false
	}
	exp := 0
	if m[4] != "" {
		exp = atoi(strings.TrimPrefix(m[4], "+"))
	}
	scale := len(m[3]) - exp
	digits := strings.TrimLeft(m[2]+m[3], "0")
	if digits == "" {
		return decimal{units: new(big.Int)}, true
	}
	if scale > maxDigits || len(digits)-scale > maxDigits {
		return decimal{}, false
	}
	units, ok := new(big.Int).SetString(m[1]+digits, 10)
	if !ok {
		return decimal{}, false
	}
	if scale < 0 {
		units.Mul(units, pow10(-scale))
		scale = 0
	}
	return decimal{units: units, scale: scale}, true
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// cmp compares two numbers.
func (d decimal) cmp(e decimal) int {
	a, b := d.units, e.units
	if d.scale != e.scale {
		a = new(big.Int).Mul(a, pow10(max(e.scale-d.scale, 0)))
		b = new(big.Int).Mul(b, pow10(max(d.scale-e.scale, 0)))
	}
	return a.Cmp(b)
}

// measured is a number with what stands around it.
type measured struct {
	before, after []byte // currency, unit
	small         small  // the number, if fits
	fits          bool
	number        decimal // the number, if it does not fit
}

// readMeasure reads a number, or a string that is one with or without a unit.
func readMeasure(v Value) (m measured, ok bool) {
	if v.Kind != Number && v.Kind != String {
		return m, false
	}
	if m.small, m.fits = parseSmall(v.Text); m.fits {
		return m, true
	}
	literal := string(v.Text)
	if v.Kind == String {
		var before, after string
		if before, literal, after, ok = splitMeasure(literal); !ok {
			return m, false
		}
		m.before, m.after = []byte(before), []byte(after)
	}
	m.number, ok = parseDecimal(literal)
	return m, ok
}

func (m *measured) decimal() decimal {
	if m.fits {
		return decimal{units: big.NewInt(m.small.units), scale: m.small.scale}
	}
	return m.number
}

// coarse appends the multiple of the width that the number belongs to: the largest not above it, or the nearest. With
// upper it appends a comma and the next one, too.
func (m *measured) coarse(dst []byte, width small, nearest, age, upper bool) []byte {
	if m.fits && age && m.small.scale <= 16 && m.small.units > ageCap*tens[m.small.scale] {
		m.small = small{units: ageCap}
	}
	if x, w, _, ok := aligned(m.small, width); ok && m.fits {
		q := floorDiv(x, w)
		if nearest {
			if q = (2*max(x, -x) + w) / (2 * w); x < 0 {
				q = -q
			}
		}
		if at, ok := times(q, width.units); ok {
			if dst = appendUnits(dst, at, width.scale); upper {
				dst = appendUnits(append(dst, ','), at+width.units, width.scale)
			}
			return dst
		}
	}
	d := m.decimal()
	if age && d.cmp(decimal{units: big.NewInt(ageCap)}) > 0 {
		d = decimal{units: big.NewInt(ageCap)}
	}
	q := d.widths(width, nearest)
	at := q.Mul(q, big.NewInt(width.units))
	dst = appendDecimal(dst, at, width.scale)
	if upper {
		dst = appendDecimal(append(dst, ','), at.Add(at, big.NewInt(width.units)), width.scale)
	}
	return dst
}

// widths returns how many widths the number is: rounded down, or to the nearest with a half away from zero.
func (d decimal) widths(width small, nearest bool) *big.Int {
	x := new(big.Int).Mul(d.units, pow10(width.scale))
	w := new(big.Int).Mul(big.NewInt(width.units), pow10(d.scale))
	if !nearest {
		return x.Div(x, w) // Euclidean, which is floor for a positive divisor
	}
	twice := new(big.Int).Lsh(new(big.Int).Abs(x), 1)
	q := twice.Add(twice, w)
	q.Quo(q, w.Lsh(w, 1)) // (2|x| + w) / 2w, rounded down
	if d.units.Sign() < 0 {
		q.Neg(q)
	}
	return q
}

// appendDecimal writes units × 10^-scale, with all digits of the scale.
func appendDecimal(dst []byte, units *big.Int, scale int) []byte {
	text := new(big.Int).Abs(units).String()
	if n := scale + 1 - len(text); n > 0 {
		text = strings.Repeat("0", n) + text
	}
	if units.Sign() < 0 {
		dst = append(dst, '-')
	}
	dst = append(dst, text[:len(text)-scale]...)
	if scale > 0 {
		dst = append(append(dst, '.'), text[len(text)-scale:]...)
	}
	return dst
}

// coarsenTo appends the number's bucket, by its lower edge, or the number rounded; what stands around it stays.
func coarsenTo(dst []byte, v Value, width small, nearest, age bool) ([]byte, Kind, error) {
	m, ok := readMeasure(v)
	if !ok {
		return nil, Null, ErrForm
	}
	dst = append(dst, m.before...)
	dst = m.coarse(dst, width, nearest, age, false)
	return append(dst, m.after...), v.Kind, nil
}

// rangeOf appends the number's bucket as "[30,40)". A unit would be part of the number's form, and is not read.
func rangeOf(dst []byte, v Value, width small, age bool) ([]byte, Kind, error) {
	m, ok := readMeasure(v)
	if !ok || len(m.before)+len(m.after) > 0 {
		return nil, Null, ErrForm
	}
	dst = m.coarse(append(dst, '['), width, false, age, true)
	return append(dst, ')'), String, nil
}

// limited appends the number, or the end that it is beyond; what stands around it stays.
func limited(dst []byte, v Value, bottom, top *limit) ([]byte, Kind, error) {
	m, ok := readMeasure(v)
	if !ok {
		return nil, Null, ErrForm
	}
	for _, l := range []*limit{bottom, top} {
		switch {
		case l == nil || !l.beyond(&m):
		case l.name != "":
			return append(dst, l.name...), String, nil
		default:
			return append(append(append(dst, m.before...), l.text...), m.after...), v.Kind, nil
		}
	}
	return append(dst, v.Text...), v.Kind, nil
}

// limit is an end of numbers.
type limit struct {
	text, name string
	at         decimal
	small      small
	fits       bool
	sign       int // 1: the top; -1: the bottom
}

func newLimit(text, name string, sign int) (*limit, bool) {
	l := &limit{text: text, name: name, sign: sign}
	l.small, l.fits = parseSmall([]byte(text))
	var ok bool
	l.at, ok = parseDecimal(text)
	return l, ok && jsonLiteral.MatchString(text)
}

func (l *limit) beyond(m *measured) bool {
	if l.fits && m.fits {
		if x, y, _, ok := aligned(m.small, l.small); ok {
			return l.sign > 0 && x > y || l.sign < 0 && x < y
		}
	}
	return m.decimal().cmp(l.at) == l.sign
}

// coarsenNumber does what a level's parameter says to a number.
func coarsenNumber(c flow.Class, s Scalar, kind string, n int64) (string, bool) {
	v := Value{s.Kind, []byte(s.Text)}
	age := c.Label.Within("person/age")
	var out []byte
	var err error
	switch kind {
	case "bucket", "round":
		out, _, err = coarsenTo(nil, v, small{units: n}, kind == "round", age)
	default:
		if age {
			n = min(n, ageCap)
		}
		l, ok := newLimit(strconv.FormatInt(n, 10), "", 1)
		if !ok {
			return "", false
		}
		if kind == "bottom" {
			l.sign = -1
		}
		var top *limit
		if age {
			top = &limit{text: strconv.Itoa(ageCap), at: decimal{units: big.NewInt(ageCap)}, small: small{units: ageCap}, fits: true, sign: 1}
		}
		out, _, err = limited(nil, v, l, top)
	}
	return string(out), err == nil
}

var (
	measure  = regexp.MustCompile(`^([$€£¥]|[A-Z]{3} )?([+-]?[0-9][0-9.,]*(?:[eE][+-]?[0-9]{1,6})?)( ?[^0-9 ].{0,15})?$`)
	american = regexp.MustCompile(`^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$`)
	european = regexp.MustCompile(`^[+-]?[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?$`)
)

// splitMeasure takes a number apart from its currency or unit, which must be a known one, since an unknown
// word might be the value of somebody. "1,250" and "1.250" are a thousand to one and one to another, and refused
// unless more of the number tells.
func splitMeasure(text string) (before, literal, after string, ok bool) {
	if len(text) > 2*maxDigits {
		return "", "", "", false
	}
	m := measure.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return "", "", "", false
	}
	before, literal, after = m[1], m[2], m[3]
	if len(before) == 4 && !units[strings.TrimSpace(before)] || after != "" && !units[strings.TrimSpace(after)] {
		return "", "", "", false
	}
	commas, dots := strings.Count(literal, ","), strings.Count(literal, ".")
	switch {
	case american.MatchString(literal) && (commas > 1 || dots == 1):
		literal = strings.ReplaceAll(literal, ",", "")
	case european.MatchString(literal) && (dots > 1 || commas == 1):
		literal = strings.ReplaceAll(strings.ReplaceAll(literal, ".", ""), ",", ".")
	case commas > 0:
		return "", "", "", false
	}
	return before, strings.TrimPrefix(literal, "+"), after, true
}

// units that may stand beside a number: none of them is a person's.
var units = wordSet("% ‰ $ € £ ¥ USD EUR GBP JPY CHF CAD AUD SEK NOK DKK PLN CZK INR CNY BRL MXN " +
	"years year yrs yr y yo months month weeks week days day hours hour h min minutes seconds s ms " +
	"kg g mg µg mcg ng lb lbs oz st km m cm mm in ft mi L l dL mL ml IU U mmol mol " +
	"mg/dL mmol/L µmol/L umol/L g/dL g/L ng/mL pg/mL mEq/L U/L IU/L mIU/L mL/min bpm mmHg kPa °C °F C F kcal kJ kW kWh")
