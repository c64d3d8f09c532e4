package noise

import (
	"math"
	"math/big"
	"math/bits"
)

// geometric draws X ≥ 0 with P(X = x) ∝ exp(−x/scale) exactly, saturated at 2^64−1.
//
// Canonne, Kamath, Steinke 2020, algorithm 2, lines 3–11, with scale = t/s in their letters: U uniform in [0, t) kept with probability
// exp(−U/t), V with P(V ≥ v) = exp(−v), X = ⌊(U + t·V)/s⌋. Only the way the two decisions are made differs (see expNeg).
//
// Overflow: t < 2^62 and V < 2^64, so t·V + U ≤ (2^62−1)·(2^64−1) + 2^62 < 2^128: the 128 bits of the product never carry out.
// The quotient is 2^64 or more if and only if the high half is at least s; then it is saturated.
func geometric(s *Source, scale Ratio) uint64 {
	var u uint64
	for {
		u = s.Below(scale.Num)
		if bernoulliExp(s, u, scale.Num) {
			break
		}
	}
	hi, lo := bits.Mul64(scale.Num, expRank(s))
	lo, carry := bits.Add64(lo, u, 0)
	return quotient(hi+carry, lo, scale.Den)
}

// signed gives a magnitude its sign, saturated at ±(2^63−1).
func signed(magnitude uint64, negative bool) int64 {
	v := int64(min(magnitude, math.MaxInt64))
	if negative {
		return -v
	}
	return v
}

// DiscreteLaplace is the law P(X = x) ∝ exp(−|x|/scale) over the integers, also called the two-sided geometric law.
//
// An integer of sensitivity Δ (an integer) plus one sample is (Δ/scale)-differentially private: the mass changes by a factor of
// at most exp(Δ/scale) under a shift by Δ, by the triangle inequality (Ghosh, Roughgarden, Sundararajan 2009). Over a vector, Δ is the L1 sensitivity.
type DiscreteLaplace struct{ scale Ratio }

// NewDiscreteLaplace returns the law of that scale, or [ErrParams]: 1/64 ≤ scale ≤ 2^52.
func NewDiscreteLaplace(scale Ratio) (DiscreteLaplace, error) {
	r, err := checkScale("scale", scale)
	return DiscreteLaplace{r}, err
}

// Scale is exactly what is sampled, in lowest terms.
func (d DiscreteLaplace) Scale() Ratio { return d.scale }

// Sample draws X. Algorithm: Canonne, Kamath, Steinke 2020, algorithm 2: the sign is drawn by itself, and −0 is
// rejected so that 0 is not counted twice.
func (d DiscreteLaplace) Sample(s *Source) int64 {
	if d.scale.Num == 0 {
		panic(noLaw)
	}
	for {
		x := geometric(s, d.scale)
		negative := s.Coin() == 1
		if x != 0 || !negative {
			return signed(x, negative)
		}
	}
}

// Mass is P(X = x) = (1−b)/(1+b)·b^|x| with b = exp(−1/scale).
func (d DiscreteLaplace) Mass(x int64) *big.Float {
	b := expOver(1, d.scale)
	m := quo(sub(unity(), b), add(unity(), b))
	return m.Mul(m, expOver(magnitude(x), d.scale))
}

// Tail is P(X ≥ x): b^x/(1+b) for x > 0.
func (d DiscreteLaplace) Tail(x int64) *big.Float {
	if x <= 0 {
		return sub(unity(), d.Tail(mirror(x)))
	}
	return quo(expOver(uint64(x), d.scale), add(unity(), expOver(1, d.scale)))
}

// Geometric is the law P(X = x) = (1−b)·b^x for x ≥ 0, b = exp(−1/scale): one-sided noise, as selection uses it. A number released with it
// is not ε-differentially private for any ε: what lies below the number never comes.
type Geometric struct{ scale Ratio }

// NewGeometric returns the law of that scale, or [ErrParams]: 1/64 ≤ scale ≤ 2^52.
func NewGeometric(scale Ratio) (Geometric, error) {
	r, err := checkScale("scale", scale)
	return Geometric{r}, err
}

// Scale is exactly what is sampled, in lowest terms.
func (g Geometric) Scale() Ratio { return g.scale }

// Sample draws X ≥ 0.
func (g Geometric) Sample(s *Source) int64 {
	if g.scale.Num == 0 {
		panic(noLaw)
	}
	return signed(geometric(s, g.scale), false)
}

// Mass is P(X = x).
func (g Geometric) Mass(x int64) *big.Float {
	if x < 0 {
		return new(big.Float).SetPrec(massBits)
	}
	m := sub(unity(), expOver(1, g.scale))
	return m.Mul(m, expOver(uint64(x), g.scale))
}

// Tail is P(X ≥ x) = b^x for x ≥ 0.
func (g Geometric) Tail(x int64) *big.Float {
	return expOver(uint64(max(x, 0)), g.scale)
}

// magnitude is |x|, which needs the 64th bit for the least int64.
func magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

// mirror is 1−x for x ≤ 0, saturated: P(X ≥ x) = 1 − P(X ≥ 1−x) for a symmetric law.
func mirror(x int64) int64 {
	if x <= -math.MaxInt64 {
		return math.MaxInt64
	}
	return 1 - x
}
