package noise

import "math/big"

// massBits is the precision of masses. They serve auditors and tests: no mass reaches an answer.
const massBits = 256

func unity() *big.Float              { return new(big.Float).SetPrec(massBits).SetInt64(1) }
func add(a, b *big.Float) *big.Float { return new(big.Float).SetPrec(massBits).Add(a, b) }
func sub(a, b *big.Float) *big.Float { return new(big.Float).SetPrec(massBits).Sub(a, b) }
func mul(a, b *big.Float) *big.Float { return new(big.Float).SetPrec(massBits).Mul(a, b) }
func quo(a, b *big.Float) *big.Float { return new(big.Float).SetPrec(massBits).Quo(a, b) }

// expOver is exp(−x/scale).
func expOver(x uint64, scale Ratio) *big.Float {
	n := new(big.Int).Mul(new(big.Int).SetUint64(x), new(big.Int).SetUint64(scale.Den))
	return expRat(n, new(big.Int).SetUint64(scale.Num))
}

// expRat is exp(−n/d) with a relative error below 2^−190. What lies below exp(−2^13) is given as 0.
func expRat(n, d *big.Int) *big.Float {
	y := new(big.Int).Quo(n, d)
	if y.BitLen() > 13 {
		return new(big.Float).SetPrec(massBits)
	}
	prec := uint(y.Uint64())*3/2 + massBits // exp(−y) ≥ 2^(−1.45·(y+1)), so 250 bits of it are kept
	lo, _ := expNegBounds(n, d, prec)
	f := new(big.Float).SetPrec(massBits).SetInt(lo)
	return f.SetMantExp(f, -int(prec))
}

// floatOf is r with 256 bits.
func floatOf(r *big.Rat) *big.Float { return new(big.Float).SetPrec(massBits).SetRat(r) }

// rootTwoPi is √(2π) with prec bits; π comes from Machin's formula 16·arctan(1/5) − 4·arctan(1/239) in fixed point.
func rootTwoPi(prec uint) *big.Float {
	w := prec + 32
	sum := new(big.Int).Mul(arctanInverse(5, w), big.NewInt(16))
	sum.Sub(sum, new(big.Int).Mul(arctanInverse(239, w), big.NewInt(4)))
	f := new(big.Float).SetPrec(prec).SetInt(sum)
	f.SetMantExp(f, 1-int(w))
	return f.Sqrt(f)
}

// arctanInverse is 2^w·arctan(1/x), off by at most one unit a term.
func arctanInverse(x int64, w uint) *big.Int {
	sum := new(big.Int)
	term := new(big.Int).Quo(new(big.Int).Lsh(one, w), big.NewInt(x))
	for n := int64(1); term.Sign() != 0; n += 2 {
		part := new(big.Int).Quo(term, big.NewInt(n))
		if n%4 == 3 {
			sum.Sub(sum, part)
		} else {
			sum.Add(sum, part)
		}
		term.Quo(term, big.NewInt(x*x))
	}
	return sum
}
