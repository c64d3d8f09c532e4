package deidentify

import (
	"math/big"
	"regexp"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// maxDigits bounds the arithmetic on one number, before and after the point.
const maxDigits = 400

// ageCap is where ages end: with more years too few people share one (45 CFR 164.514(b)(2)(i)(C) groups 90 and over).
var ageCap = big.NewInt(90)

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

// bucket returns the largest multiple of n that is not above d.
func (d decimal) bucket(n int64) *big.Int {
	width := new(big.Int).Mul(big.NewInt(n), pow10(d.scale))
	q := new(big.Int).Div(d.units, width) // Euclidean, which is floor for a positive divisor
	return q.Mul(q, big.NewInt(n))
}

// round returns the multiple of n nearest to d, a half away from zero.
func (d decimal) round(n int64) *big.Int {
	width := new(big.Int).Mul(big.NewInt(n), pow10(d.scale))
	twice := new(big.Int).Lsh(new(big.Int).Abs(d.units), 1)
	q := twice.Add(twice, width)
	q.Quo(q, width.Lsh(width, 1)) // (2|d| + w) / 2w, rounded down
	q.Mul(q, big.NewInt(n))
	if d.units.Sign() < 0 {
		q.Neg(q)
	}
	return q
}

// capped returns the smaller of d and the limit.
func (d decimal) capped(limit *big.Int) decimal {
	at := new(big.Int).Mul(limit, pow10(d.scale))
	if d.units.Cmp(at) > 0 {
		return decimal{units: limit}
	}
	return d
}

func coarsenNumber(c flow.Class, s Scalar, kind string, n int64) (string, bool) {
	before, literal, after := "", s.Text, ""
	switch s.Kind {
	case String:
		var ok bool
		if before, literal, after, ok = splitMeasure(s.Text); !ok {
			return "", false
		}
	case Number:
	default:
		return "", false
	}
	d, ok := parseDecimal(literal)
	if !ok {
		return "", false
	}
	if c.Label.Within("person/age") {
		d = d.capped(ageCap)
	}
	coarse := d.bucket(n)
	if kind == "round" {
		coarse = d.round(n)
	}
	return before + coarse.String() + after, true
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
