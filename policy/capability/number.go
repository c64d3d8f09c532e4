package capability

import (
	"math"
	"strconv"
	"strings"
)

// canonicalNumber returns a JSON number in the canonical form of RFC 8785 section 3.2.2.3, and false where the number is
// not exactly the shortest spelling of a double: a tool that reads it with more precision would act on another value than
// the one that was checked.
func canonicalNumber(text string) (f float64, canonical string, ok bool) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, "", false
	}
	canonical = formatNumber(f)
	if digits, exp, ok := decimal(text); ok {
		d, e, _ := decimal(canonical)
		return f, canonical, digits == d && (exp == e || digits == "")
	}
	return 0, "", false
}

// formatNumber writes a double as ECMAScript does; "" for one that JSON cannot write.
func formatNumber(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ""
	}
	if f == 0 {
		return "0"
	}
	if a := math.Abs(f); a >= 1e-6 && a < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exp, _ := strings.Cut(s, "e")
	return mantissa + "e" + exp[:1] + strings.TrimLeft(exp[1:], "0")
}

// decimal takes a number apart: its value is 0.digits · 10^exp, digits without zeros at either end.
func decimal(text string) (digits string, exp int, ok bool) {
	text = strings.TrimPrefix(text, "-")
	mantissa, power := text, ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, power = text[:i], text[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "", 0, true
	}
	exp = len(digits) - len(fraction)
	digits = strings.TrimRight(digits, "0")
	if power != "" {
		n, err := strconv.ParseInt(power, 10, 32)
		if err != nil {
			return "", 0, false
		}
		exp += int(n)
	}
	return digits, exp, true
}
