package noise

import (
	"math"
	"math/big"
	"math/bits"
)

// RoundedGaussian is the law of round(N), N normal with mean 0 and standard deviation σ.
//
// For an integer q, q + round(N) = round(q + N): the release is a function of a continuous Gaussian's, so an integer vector of L2 sensitivity Δ plus one sample for
// each entry is μ-GDP with μ = Δ/σ (Dong, Roth, Su 2022, theorem 1 and proposition 1) and Δ²/(2σ²)-zCDP (Bun, Steinke 2016, proposition 1.6).
type RoundedGaussian struct{ sigma Ratio }

// NewRoundedGaussian returns the law of that σ, or [ErrParams]: 1/64 ≤ σ ≤ 2^52.
func NewRoundedGaussian(sigma Ratio) (RoundedGaussian, error) {
	r, err := checkScale("sigma", sigma)
	return RoundedGaussian{r}, err
}

// Sigma is exactly the standard deviation before rounding, in lowest terms.
func (d RoundedGaussian) Sigma() Ratio { return d.sigma }

// Sample draws X.
//
// Algorithm: Karney 2016, algorithm N. Draw k ≥ 0 with P(k) ∝ exp(−k²/2) and x uniform in [0, 1), of which only 64 bits are drawn at first; accept with probability
// exp(−x(2k+x)/2); then k + x is half-normal, and σ(k+x) with a random sign is rounded. Steps N1 and N2 are one draw of k here, and step N4
// one comparison in which bits of x are added when they matter; so are they in rounding.
func (d RoundedGaussian) Sample(s *Source) int64 {
	if d.sigma.Num == 0 {
		panic(noLaw)
	}
	for {
		k := normalRank(s)
		x, u := s.Uint64(), s.Uint64()
		var more *fraction
		yes, open := decide(u, expHalfSquare(k, x))
		if open || k >= uint64(len(halfNormalTail)-1) {
			more = fractionFrom(x)
			yes = slowAccept(s, k, more, u)
		}
		if !yes {
			continue
		}
		negative := s.Coin() == 1
		if more == nil {
			if r, ok := d.round(k, x); ok {
				return signed(r, negative)
			}
			more = fractionFrom(x)
		}
		return signed(d.slowRound(s, k, more), negative)
	}
}

// round returns ⌊σ(k+x) + ½⌋ = ⌊(2pk + q + 2px)/(2q)⌋, saturated at 2^64−1, if the first 64 bits of x decide it: with x in [f, f+1)/2^64, 2px
// lies in [2pf, 2pf + 2p)/2^64, and everything else is an integer, so only ⌊2px⌋ counts; it is the high word of 2pf, or one more if
// the low word plus 2p−1 carries.
//
// Overflow: p, q < 2^62, so 2p < 2^63, 2pk + q + ⌊2px⌋ + 1 < 2^63·2^64 + 2^62 + 2^63 < 2^128.
func (d RoundedGaussian) round(k, f uint64) (r uint64, ok bool) {
	p2, q := 2*d.sigma.Num, d.sigma.Den
	hi, lo := bits.Mul64(p2, k)
	whole, rest := bits.Mul64(p2, f)
	_, unsure := bits.Add64(rest, p2-1, 0)
	var c uint64
	lo, c = bits.Add64(lo, q, 0)
	hi += c
	lo, c = bits.Add64(lo, whole, 0)
	hi += c
	r = quotient(hi, lo, 2*q)
	lo, c = bits.Add64(lo, unsure, 0)
	return r, r == quotient(hi+c, lo, 2*q)
}

// quotient is ⌊(hi·2^64+lo)/d⌋, saturated at 2^64−1.
func quotient(hi, lo, d uint64) uint64 {
	if hi >= d {
		return math.MaxUint64
	}
	r, _ := bits.Div64(hi, lo, d)
	return r
}

// slowRound rounds in arbitrary precision and adds bits to x until both ends of its interval round alike.
func (d RoundedGaussian) slowRound(s *Source, k uint64, x *fraction) uint64 {
	p2 := new(big.Int).SetUint64(2 * d.sigma.Num)
	q := new(big.Int).SetUint64(d.sigma.Den)
	for {
		w := 64 * x.words
		least := new(big.Int).Lsh(new(big.Int).SetUint64(k), w)
		least.Add(least, x.bits).Mul(least, p2).Add(least, new(big.Int).Lsh(q, w))
		most := new(big.Int).Add(least, p2) // not reached
		most.Sub(most, one)
		div := new(big.Int).Lsh(q, w+1)
		least.Quo(least, div)
		if least.Cmp(most.Quo(most, div)) == 0 {
			if !least.IsUint64() {
				return math.MaxUint64
			}
			return least.Uint64()
		}
		x.extend(s)
	}
}

// slowAccept is true with probability exp(−x(2k+x)/2) in arbitrary precision. It adds bits to x and to the uniform number that starts with u together.
func slowAccept(s *Source, k uint64, x *fraction, u uint64) bool {
	uniform := fractionFrom(u)
	for {
		w := 64 * x.words
		div := new(big.Int).Lsh(one, 2*w+1)
		_, hi := expNegBounds(halfSquare(k, x.bits, w), div, w)
		lo, _ := expNegBounds(halfSquare(k, new(big.Int).Add(x.bits, one), w), div, w)
		if uniform.bits.Cmp(lo) < 0 {
			return true
		}
		if uniform.bits.Cmp(hi) >= 0 {
			return false
		}
		x.extend(s)
		uniform.extend(s)
	}
}

// halfSquare is 2^(2w+1)·x(2k+x)/2 for x = n/2^w.
func halfSquare(k uint64, n *big.Int, w uint) *big.Int {
	e := new(big.Int).Lsh(new(big.Int).SetUint64(k), w+1)
	return e.Add(e, n).Mul(e, n)
}

// Mass is P(X = x) = Φ((x+½)/σ) − Φ((x−½)/σ).
func (d RoundedGaussian) Mass(x int64) *big.Float {
	m := new(big.Int).SetUint64(magnitude(x))
	if m.Sign() == 0 {
		t := d.upper(big.NewInt(1))
		return sub(unity(), t.Add(t, t))
	}
	m.Lsh(m, 1)
	return sub(d.upper(new(big.Int).Sub(m, one)), d.upper(new(big.Int).Add(m, one)))
}

// Tail is P(X ≥ x) = 1 − Φ((x−½)/σ), with a relative error below 2^−190.
func (d RoundedGaussian) Tail(x int64) *big.Float {
	if x <= 0 {
		return sub(unity(), d.Tail(mirror(x)))
	}
	twice := new(big.Int).Lsh(big.NewInt(x), 1)
	return d.upper(twice.Sub(twice, one))
}

// upper is P(N > h/2) for h ≥ 1: ½ − φ(a)·Σ a^(2n+1)/(1·3·…·(2n+1)) with a = h/(2σ) (Marsaglia 2004), all terms positive, with as many more bits as the
// difference cancels. What lies below exp(−2^9) is given as 0.
func (d RoundedGaussian) upper(h *big.Int) *big.Float {
	n := new(big.Int).Mul(h, new(big.Int).SetUint64(d.sigma.Den))
	m := new(big.Int).Lsh(new(big.Int).SetUint64(d.sigma.Num), 1)
	n2, m2 := new(big.Int).Mul(n, n), new(big.Int).Mul(m, m)
	square := new(big.Int).Quo(n2, m2) // ⌊a²⌋
	if square.BitLen() > 10 {
		return new(big.Float).SetPrec(massBits)
	}
	prec := 3*massBits + 2*uint(square.Uint64()) // cancels 0.73·a² bits
	term := new(big.Float).SetPrec(prec).SetRat(new(big.Rat).SetFrac(n, m))
	ratio := new(big.Float).SetPrec(prec).SetRat(new(big.Rat).SetFrac(n2, m2))
	sum := new(big.Float).SetPrec(prec)
	for i := int64(3); term.MantExp(nil) > sum.MantExp(nil)-int(prec) || sum.Sign() == 0; i += 2 {
		sum.Add(sum, term)
		term.Mul(term, ratio).Quo(term, new(big.Float).SetInt64(i))
	}
	lo, _ := expNegBounds(n2, m2.Lsh(m2, 1), prec)
	density := new(big.Float).SetPrec(prec).SetInt(lo)
	density.SetMantExp(density, -int(prec)).Quo(density, rootTwoPi(prec))
	half := new(big.Float).SetPrec(prec).SetFloat64(0.5)
	return new(big.Float).SetPrec(massBits).Set(half.Sub(half, sum.Mul(sum, density)))
}
