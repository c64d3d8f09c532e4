package noise

import (
	"math/big"
	"math/bits"
	"strings"
)

// Fixed says how many fraction bits an int64 holds: v stands for v/2^bits. It turns decimal text into such numbers and back
// without a floating-point step, so that a value means one integer wherever it is read.
type Fixed struct{ bits uint }

// MaxFraction is the largest number of fraction bits.
const MaxFraction = 40

// NewFixed returns the format, or [ErrParams] for more than [MaxFraction] bits.
func NewFixed(fractionBits uint) (Fixed, error) {
	if fractionBits > MaxFraction {
		return Fixed{}, refuse("fraction bits", "must not exceed 40")
	}
	return Fixed{fractionBits}, nil
}

// FractionBits is the declared number of fraction bits.
func (f Fixed) FractionBits() uint { return f.bits }

// FromInt is v as a fixed-point number, saturated at ±[Limit].
func (f Fixed) FromInt(v int64) int64 {
	if most := int64(Limit >> f.bits); v > most {
		return Limit
	} else if v < -most {
		return -Limit
	}
	return v << f.bits
}

// Parse reads decimal text such as -12.34 and rounds it down to the format, saturated at ±[Limit]. It accepts an optional sign, digits and one point, at
// most 64 characters; anything else, an exponent too, is [ErrParams], which does not repeat the text.
func (f Fixed) Parse(text string) (int64, error) {
	digits, negative := strings.CutPrefix(text, "-")
	if !negative {
		digits = strings.TrimPrefix(digits, "+")
	}
	whole, part, _ := strings.Cut(digits, ".")
	if len(text) > 64 || whole+part == "" || strings.Trim(whole+part, "0123456789") != "" {
		return 0, refuse("number", "must be plain decimal digits with at most one point")
	}
	v, _ := new(big.Int).SetString(whole+part, 10)
	v.Lsh(v, f.bits)
	if negative {
		v.Neg(v)
	}
	// Euclidean division by a positive number rounds down.
	v.Div(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(part))), nil))
	if !v.IsInt64() {
		return Limit * int64(v.Sign()), nil
	}
	return Clamp(v.Int64()), nil
}

// Format writes v exactly: n fraction bits make at most n decimals.
func (f Fixed) Format(v int64) string {
	r := new(big.Rat).SetFrac(big.NewInt(v), new(big.Int).Lsh(one, f.bits))
	text := r.FloatString(int(f.bits))
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// Sum adds bounded numbers exactly. Its sum does not depend on their order, never wraps, and is saturated only at the end.
//
// Each number is clamped to [lower, upper] and added in 128 bits. Overflow: a number is below 2^62 in magnitude and at most
// 2^64 of them are added, so the sum is below 2^126 < 2^127.
//
// Adding or removing one number moves the exact sum by at most max(|lower|, |upper|), replacing one by at most upper−lower; the
// saturation to ±[Limit] at the end is 1-Lipschitz, so these are the sensitivities of the result too. A sum in
// floating point, or one that wraps or saturates on the way, has a larger one (Casacuberta, Shoemate, Vadhan, Wagaman 2022).
type Sum struct {
	lower, upper int64
	hi           int64
	lo           uint64
}

// NewSum returns an empty sum of numbers between lower and upper, or [ErrParams] unless −Limit ≤ lower ≤ upper ≤ Limit and not both are 0.
func NewSum(lower, upper int64) (Sum, error) {
	if lower < -Limit || upper > Limit || lower > upper {
		return Sum{}, refuse("bounds", "must be in order and within ±(2^62-1)")
	}
	if lower == 0 && upper == 0 {
		return Sum{}, refuse("bounds", "must leave room for a number other than 0")
	}
	return Sum{lower: lower, upper: upper}, nil
}

// Add adds v, clamped to the bounds.
func (s *Sum) Add(v int64) {
	v = min(max(v, s.lower), s.upper)
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, uint64(v), 0)
	s.hi += v>>63 + int64(carry)
}

// Merge adds another sum of the same bounds, such as that of another part of the data.
func (s *Sum) Merge(other Sum) error {
	if s.lower != other.lower || s.upper != other.upper {
		return refuse("bounds", "of merged sums must be the same")
	}
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, other.lo, 0)
	s.hi += other.hi + int64(carry)
	return nil
}

// Value is the sum, saturated at ±[Limit]. It is not private.
func (s *Sum) Value() int64 {
	if s.hi != int64(s.lo)>>63 { // not the sign extension of the low word: outside int64
		if s.hi < 0 {
			return -Limit
		}
		return Limit
	}
	return Clamp(int64(s.lo))
}

// Sensitivity is by how much one more or one less number moves [Sum.Value] at most.
func (s *Sum) Sensitivity() int64 { return max(s.upper, -s.lower) }

// ReplaceSensitivity is by how much another number in place of one moves it at most; it fits, because bounds are below 2^62.
func (s *Sum) ReplaceSensitivity() int64 { return s.upper - s.lower }

// Release is the sum plus noise, by [Release].
func (s *Sum) Release(src *Source, law Law) int64 { return Release(src, s.Value(), law) }
