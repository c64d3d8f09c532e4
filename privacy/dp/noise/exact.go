package noise

import "math/big"

// This file computes probabilities in arbitrary precision, always as two integers around the truth: the extension of decisions that
// 64 bits leave open, and the laws' masses.

var one = big.NewInt(1)

// expNegBounds returns integers with lo ≤ 2^prec·exp(−num/den) ≤ hi and hi−lo ≤ 3, for num ≥ 0 and den > 0.
//
// Let y = num/den. If y > prec, the value is below 2^prec·2^(−1.44·prec) < 1 and (0, 1) is right. Otherwise y is halved k times until
// y′ = y/2^k < ½, exp(−y′) is summed in fixed point with w fraction bits, and the result is squared k times with outward rounding.
//
// Error of the sum, in units of 2^−w: a term is made from the one before by a product cut by less than 1, then divided by n and cut again, so
// eₙ < eₙ₋₁/(2n) + 1/n + 1, which stays at or below 2; y′ itself is cut by less than 1, which moves exp(−y′) by less than 1; the series alternates and ends at
// a term that is computed as 0, so what is left out is at most 2. Together less than 2·terms + 4, and terms ≤ w because
// terms halve. A squaring of a number in [0, 1] at most doubles the error and adds 1 (and its square, which is smaller still), so k of them leave less
// than 2^k·(2w+6) units; with w = prec + k + 32 + bits(prec) this is far below 2^−prec.
func expNegBounds(num, den *big.Int, prec uint) (lo, hi *big.Int) {
	y, r := new(big.Int).QuoRem(num, den, new(big.Int))
	if r.Sign() != 0 {
		y.Add(y, one) // ⌈y⌉
	}
	if y.BitLen() > 40 || y.Uint64() > uint64(prec) {
		return new(big.Int), new(big.Int).Set(one)
	}
	k := uint(y.BitLen()) + 1
	w := prec + k + 32 + uint(big.NewInt(int64(prec)).BitLen())
	part := new(big.Int).Lsh(num, w)
	part.Quo(part, new(big.Int).Lsh(den, k))
	sum := new(big.Int).Lsh(one, w)
	term := new(big.Int).Set(sum)
	terms := int64(0)
	for n := int64(1); term.Sign() != 0; n++ {
		term.Mul(term, part).Rsh(term, w).Quo(term, big.NewInt(n))
		if n%2 == 1 {
			sum.Sub(sum, term)
		} else {
			sum.Add(sum, term)
		}
		terms = n
	}
	err := big.NewInt(2*terms + 4) // two roundings a term
	lo = new(big.Int).Sub(sum, err)
	hi = new(big.Int).Add(sum, err)
	for range k {
		lo.Mul(lo, lo).Rsh(lo, w)
		hi.Mul(hi, hi)
		ceilShift(hi, w)
	}
	lo.Rsh(lo, w-prec)
	ceilShift(hi, w-prec)
	return lo, hi
}

// ceilShift sets v to ⌈v/2^n⌉.
func ceilShift(v *big.Int, n uint) {
	v.Neg(v).Rsh(v, n).Neg(v) // Rsh rounds towards −∞
}

// fraction is a uniform number in [0, 1) of which the first words are known: it lies in [bits, bits+1)/2^(64·words).
type fraction struct {
	bits  *big.Int
	words uint
}

func fractionFrom(first uint64) *fraction {
	return &fraction{new(big.Int).SetUint64(first), 1}
}

func (f *fraction) extend(s *Source) {
	f.bits.Lsh(f.bits, 64).Or(f.bits, new(big.Int).SetUint64(s.Uint64()))
	f.words++
}

// below decides whether the uniform number that starts with first is less than p, where bounds(prec) gives lo ≤ 2^prec·p ≤ hi.
// It ends with probability 1 because each round leaves it open with probability at most (hi−lo+1)/2^(64·words).
func below(s *Source, first uint64, bounds func(prec uint) (lo, hi *big.Int)) bool {
	u := fractionFrom(first)
	for {
		lo, hi := bounds(64 * u.words)
		if u.bits.Cmp(lo) < 0 { // all of [bits, bits+1) is at or below lo
			return true
		}
		if u.bits.Cmp(hi) >= 0 {
			return false
		}
		u.extend(s)
	}
}

// ratioBounds returns ⌊2^prec·a/b⌋ and ⌈2^prec·c/d⌉.
func ratioBounds(a, b, c, d *big.Int, prec uint) (lo, hi *big.Int) {
	lo = new(big.Int).Lsh(a, prec)
	lo.Quo(lo, b)
	hi = new(big.Int).Lsh(c, prec)
	hi.Add(hi, d).Sub(hi, one).Quo(hi, d)
	return lo, hi
}
