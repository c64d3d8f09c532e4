package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Exact is a number above or equal to 0 as it is written, with digits and a power of ten: 0.5, 3, 1e-6. It never becomes a
// floating-point number.
type Exact struct {
	digits string // without leading zeros; "" is zero
	power  int    // of ten, that the digits are multiplied with
	text   string // as it was written
}

var errExact = errors.New("a number such as 3, 0.5 or 1e-6 is expected, not negative and of at most 40 digits")

const (
	maxDigits = 40
	maxPower  = 400
)

// UnmarshalText implements [encoding.TextUnmarshaler].
func (x *Exact) UnmarshalText(b []byte) error {
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(string(b)), "e")
	whole, part, _ := strings.Cut(mantissa, ".")
	digits := whole + part
	if whole == "" || len(digits) > maxDigits || strings.Trim(digits, "0123456789") != "" {
		return errExact
	}
	power := 0
	if scientific {
		var err error
		if power, err = strconv.Atoi(exponent); err != nil || power > maxPower || power < -maxPower {
			return errExact
		}
	}
	*x = Exact{digits: strings.TrimLeft(digits, "0"), power: power - len(part), text: string(b)}
	return nil
}

// IsZero reports whether the number is 0 or absent.
func (x Exact) IsZero() bool { return x.digits == "" }

// Given reports whether the number was written at all.
func (x Exact) Given() bool { return x.text != "" }

// String returns the number as it was written.
func (x Exact) String() string { return x.text }

// In returns the number in units of 10 to the power of -places: exactly, or false if it has more places or is too large.
func (x Exact) In(places int) (int64, bool) {
	if x.digits == "" {
		return 0, true
	}
	digits, power := x.digits, x.power+places
	for power < 0 && digits != "" && digits[len(digits)-1] == '0' {
		digits, power = digits[:len(digits)-1], power+1
	}
	if power < 0 || len(digits)+power > 19 {
		return 0, false
	}
	n, err := strconv.ParseInt(digits+strings.Repeat("0", power), 10, 64)
	return n, err == nil && n < math.MaxInt64
}

// Places of the units in which costs are counted.
const (
	NanoPlaces  = 9  // of ε
	FemtoPlaces = 15 // of δ
)
