package noise

import (
	"math"
	"math/big"
	"math/bits"
)

// Staircase is the noise of least expected magnitude for one integer of sensitivity Δ under pure ε: flat steps of Δ integers that fall by exp(−ε), each in
// two halves of r and Δ−r (Geng, Viswanath 2016, the discrete setting). With Δ = 1 it is the discrete Laplace law. For small ε the two
// hardly differ; at ε ≥ 3 and Δ > 1 the staircase is several times narrower.
//
// P(x) = a for 0 ≤ x < r, a·exp(−ε) for r ≤ x < Δ, exp(−kε)·P(x−kΔ) for kΔ ≤ x < (k+1)Δ, and P(−x) = P(x).
// It is ε-differentially private for every r: P falls with |x|, and P(|x|+Δ) = exp(−ε)·P(|x|), so a shift by at most Δ changes it by a
// factor of at most exp(ε).
type Staircase struct {
	epsilon Ratio
	width   uint64 // Δ
	flat    uint64 // r
}

// NewStaircase returns the law, with the r nearest to Δ/(1+exp(ε/2)), the best for the expected magnitude (the same paper), but at least 1. It returns
// [ErrParams] unless 2^−52 ≤ ε ≤ 64 and 1 ≤ Δ ≤ 2^40.
func NewStaircase(epsilon Ratio, sensitivity int64) (Staircase, error) {
	r, err := checkScale("epsilon", Ratio{epsilon.Den, epsilon.Num})
	if err != nil {
		return Staircase{}, refuse("epsilon", "must be a ratio of positive integers between 2^-52 and 64")
	}
	if sensitivity < 1 || sensitivity > 1<<40 {
		return Staircase{}, refuse("sensitivity", "must be between 1 and 2^40")
	}
	half := expRat(new(big.Int).SetUint64(r.Den), new(big.Int).Lsh(new(big.Int).SetUint64(r.Num), 1))
	best := quo(mul(new(big.Float).SetInt64(sensitivity), half), add(unity(), half))
	flat, _ := best.Add(best, big.NewFloat(0.5)).Uint64()
	return Staircase{Ratio{r.Den, r.Num}, uint64(sensitivity), max(flat, 1)}, nil
}

// Epsilon is exactly what is sampled, in lowest terms.
func (d Staircase) Epsilon() Ratio { return d.epsilon }

// Sensitivity is Δ, the width of a step.
func (d Staircase) Sensitivity() int64 { return int64(d.width) }

// Flat is r, the part of a step that is as likely as its beginning.
func (d Staircase) Flat() int64 { return int64(d.flat) }

// Sample draws X: the step k by a geometric law, the place j in it uniformly, kept with probability exp(−ε) if j ≥ r, and a sign, −0 rejected.
//
// Overflow: k·Δ + j < 2^64·2^40 + 2^40 in 128 bits; beyond 64 it is saturated.
func (d Staircase) Sample(s *Source) int64 {
	if d.width == 0 {
		panic(noLaw)
	}
	scale := Ratio{d.epsilon.Den, d.epsilon.Num}
	for {
		j := s.Below(d.width)
		if keep := bernoulliGap(s, 1, scale); j >= d.flat && !keep {
			continue
		}
		hi, lo := bits.Mul64(geometric(s, scale), d.width)
		lo, carry := bits.Add64(lo, j, 0)
		negative := s.Coin() == 1
		if hi+carry != 0 {
			lo = math.MaxUint64
		}
		if lo != 0 || !negative {
			return signed(lo, negative)
		}
	}
}

// Mass is P(X = x).
func (d Staircase) Mass(x int64) *big.Float {
	m := magnitude(x)
	k, j := m/d.width, m%d.width
	if j >= d.flat {
		k++
	}
	return mul(d.height(), d.fall(k))
}

// fall is exp(−kε).
func (d Staircase) fall(k uint64) *big.Float {
	return expOver(k, Ratio{d.epsilon.Den, d.epsilon.Num})
}

// height is a = (1−b)/(2(r + b(Δ−r)) − (1−b)) with b = exp(−ε).
func (d Staircase) height() *big.Float {
	top := sub(unity(), d.fall(1))
	step := d.step()
	return quo(top, sub(add(step, step), top))
}

// step is the weight of a whole step, r + b(Δ−r).
func (d Staircase) step() *big.Float {
	return add(new(big.Float).SetUint64(d.flat), mul(d.fall(1), new(big.Float).SetUint64(d.width-d.flat)))
}

// Tail is P(X ≥ x): the rest of x's step and all later ones.
func (d Staircase) Tail(x int64) *big.Float {
	if x <= 0 {
		return sub(unity(), d.Tail(mirror(x)))
	}
	k, j := uint64(x)/d.width, uint64(x)%d.width
	high, low := uint64(0), d.width-max(j, d.flat)
	if j < d.flat {
		high = d.flat - j
	}
	rest := add(new(big.Float).SetUint64(high), mul(d.fall(1), new(big.Float).SetUint64(low)))
	later := quo(mul(d.fall(1), d.step()), sub(unity(), d.fall(1)))
	return mul(mul(d.height(), d.fall(k)), add(rest, later))
}
