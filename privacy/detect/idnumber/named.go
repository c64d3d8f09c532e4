package idnumber

import (
	"maps"
	"slices"
)

// checks are the check digits that a rule of one's own can ask for, by name. Each takes letters in capitals and digits.
var checks = map[string]func(b []byte) bool{
	"luhn":          allDigits(luhn),
	"verhoeff":      allDigits(verhoeff),
	"mod97":         mod9710,
	"iso7064-97-10": mod9710,
	"iso7064-11-10": allDigits(mod1110),
	"iso7064-11-2":  mod112,
	"isbn":          isbn,
}

// CheckNames returns the names of the general checks, sorted. The name of any kind is one, too.
func CheckNames() []string { return slices.Sorted(maps.Keys(checks)) }

// Check returns the check of a name: a general one ([CheckNames]), or that of a kind ("pl-pesel"), which looks at the form
// as well. It takes letters in capitals and digits, and never keeps or changes them.
func Check(name string) (func(b []byte) bool, bool) {
	if c, ok := checks[name]; ok {
		return func(b []byte) bool { return len(b) > 1 && c(b) }, true
	}
	if !slices.ContainsFunc(Kinds(), func(k *Kind) bool { return k.Name == name }) {
		return nil, false
	}
	return func(b []byte) (is bool) {
		Match(b, func(k *Kind) bool {
			is = k.Name == name
			return !is
		})
		return is
	}, true
}

// Weighted returns a check by weights: the sum of each digit times its weight leaves the remainder when divided by the
// modulus. X counts ten, other letters fail, and so does every length but that of the weights.
func Weighted(weights []int, modulus, remainder int) func(b []byte) bool {
	weights = slices.Clone(weights)
	return func(b []byte) bool {
		if len(b) != len(weights) {
			return false
		}
		s := 0
		for i, c := range b {
			switch {
			case isDigit(c):
				s += int(c-'0') * weights[i]
			case c == 'X':
				s += 10 * weights[i]
			default:
				return false
			}
		}
		return s%modulus == remainder
	}
}

func allDigits(check func([]byte) bool) func([]byte) bool {
	return func(b []byte) bool {
		return !slices.ContainsFunc(b, func(c byte) bool { return !isDigit(c) }) && check(b)
	}
}

// mod9710 is the check of ISO/IEC 7064, MOD 97-10, letters being 10 to 35.
func mod9710(b []byte) bool {
	r := 0
	for _, c := range b {
		switch {
		case isDigit(c):
			r = (r*10 + int(c-'0')) % 97
		case 'A' <= c && c <= 'Z':
			r = (r*100 + int(c-'A') + 10) % 97
		default:
			return false
		}
	}
	return r == 1
}

// mod112 is the check of ISO/IEC 7064, MOD 11-2, whose last character may be X.
func mod112(b []byte) bool {
	r := 0
	for i, c := range b {
		v := int(c - '0')
		if c == 'X' && i == len(b)-1 {
			v = 10
		} else if !isDigit(c) {
			return false
		}
		r = (r*2 + v) % 11
	}
	return r == 1
}

// isbn is the check of ISO 2108, in its old form of ten characters and its new one of thirteen.
func isbn(b []byte) bool {
	switch len(b) {
	case 10:
		return b[0] != 'X' && Weighted([]int{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 11, 0)(b)
	case 13:
		return (string(b[:3]) == "978" || string(b[:3]) == "979") && allDigits(Weighted([]int{1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1}, 10, 0))(b)
	}
	return false
}

// Form returns the spelling without marks: 9 a digit, A a letter, X either, other characters themselves.
func (k *Kind) Form() string { return string(k.form) }
