package noise

import (
	"math"
	"math/big"
	"math/bits"
	"sync"
)

// DiscreteGaussian is the law P(X = x) ∝ exp(−x²/(2σ²)) over the integers.
//
// An integer vector of L2 sensitivity Δ plus one sample for each entry is Δ²/(2σ²)-zCDP (Canonne, Kamath, Steinke 2020, on concentrated
// differential privacy; the proof is on the page docs/spec/dp-noise.md). It is not μ-GDP for any stated μ; [RoundedGaussian] is.
type DiscreteGaussian struct {
	sigma Ratio
	norm  *norm
}

// norm is Σ exp(−x²/(2σ²)), computed when first asked for.
type norm struct {
	once sync.Once
	sum  *big.Float
}

// NewDiscreteGaussian returns the law of that σ, or [ErrParams]: 1/64 ≤ σ ≤ 2^52. Its variance is at most σ² and, from σ = 1 on,
// within a millionth of it.
func NewDiscreteGaussian(sigma Ratio) (DiscreteGaussian, error) {
	r, err := checkScale("sigma", sigma)
	return DiscreteGaussian{r, new(norm)}, err
}

// Sigma is exactly what is sampled, in lowest terms.
func (d DiscreteGaussian) Sigma() Ratio { return d.sigma }

// Sample draws X.
//
// Algorithm: Karney 2016, algorithm D with μ = 0 and σ = p/q. Draw k ≥ 0 with P(k) ∝ exp(−k²/2), a sign, and j uniform in [0, ⌈σ⌉). With i = ⌈kσ⌉ + j, write
// i/σ = k + x, so x = (iq−kp)/p ≥ 0. Start again unless x < 1; start again if i is −0; accept with
// probability exp(−x(2k+x)/2). The product of the weights is exp(−(k+x)²/2) = exp(−i²/(2σ²)), and
// each i with kσ ≤ i < (k+1)σ is one j of one k, so the law is right.
//
// Overflow: p, q < 2^62. i₀ = ⌈kp/q⌉ comes from a product in 128 bits and is saturated if it leaves 64. i₀q − kp < q and j ≤ ⌈p/q⌉−1 < p/q, so
// iq − kp < q + p < 2^63.
func (d DiscreteGaussian) Sample(s *Source) int64 {
	p, q := d.sigma.Num, d.sigma.Den
	if p == 0 {
		panic(noLaw)
	}
	span := (p + q - 1) / q // ⌈σ⌉ < 2^62
	for {
		k := normalRank(s)
		negative := s.Coin() == 1
		j := s.Below(span)
		start, over := ceilProduct(k, p, q)
		x := start.rest + j*q
		if x >= p || k == 0 && x == 0 && negative {
			continue
		}
		if !acceptRational(s, k, x, p) {
			continue
		}
		if over || start.whole > math.MaxInt64-j {
			return signed(math.MaxInt64, negative)
		}
		return signed(start.whole+j, negative)
	}
}

// ceiling is ⌈kp/q⌉ and what it exceeds kp/q by, times q: 0 ≤ rest < q.
type ceiling struct{ whole, rest uint64 }

// ceilProduct returns ⌈kp/q⌉; over says that it is 2^63−1 or more, and that only rest counts.
func ceilProduct(k, p, q uint64) (c ceiling, over bool) {
	hi, lo := bits.Mul64(k, p)
	if rest := bits.Rem64(hi, lo, q); rest != 0 {
		c.rest = q - rest
	}
	if hi >= q {
		return c, true
	}
	c.whole, _ = bits.Div64(hi, lo, q)
	if c.whole >= math.MaxInt64 {
		return c, true
	}
	if c.rest != 0 {
		c.whole++
	}
	return c, false
}

// acceptRational is true with probability exp(−x(2k+x)/2) for x = n/p < 1.
//
// In fixed point: f = ⌊2^64·x⌋ is below 2^64·x by less than one unit; k·f by less than k, f²/2 by less than 2, so the exponent by less than k+2 ≤ 11 and the
// probability by as much; with expNeg's 26 this is below slack. For k > 9, which happens less than once in 2^64, it is decided exactly at once.
func acceptRational(s *Source, k, n, p uint64) bool {
	u := s.Uint64()
	if k < uint64(len(halfNormalTail)-1) {
		f, _ := bits.Div64(n, 0, p)
		yes, open := decide(u, expHalfSquare(k, f))
		if !open {
			return yes
		}
	}
	// x(2k+x)/2 = n(2kp+n)/(2p²)
	bigN, bigP := new(big.Int).SetUint64(n), new(big.Int).SetUint64(p)
	e := new(big.Int).Mul(new(big.Int).SetUint64(k), bigP)
	e.Lsh(e, 1).Add(e, bigN).Mul(e, bigN)
	d := new(big.Int).Mul(bigP, bigP)
	return slowExp(s, u, e, d.Lsh(d, 1))
}

// expHalfSquare is 2^64·exp(−x(2k+x)/2) for x = f/2^64, within 2 units of the exponent and expNeg's error.
func expHalfSquare(k, f uint64) uint64 {
	whole, frac := bits.Mul64(k, f)
	half, _ := bits.Mul64(f, f)
	frac, carry := bits.Add64(frac, half/2, 0)
	return expNeg(whole+carry, frac)
}

// Mass is P(X = x).
func (d DiscreteGaussian) Mass(x int64) *big.Float {
	return quo(d.weight(magnitude(x)), d.total())
}

// weight is exp(−x²/(2σ²)).
func (d DiscreteGaussian) weight(x uint64) *big.Float {
	n := new(big.Int).Mul(new(big.Int).SetUint64(x), new(big.Int).SetUint64(d.sigma.Den))
	n.Mul(n, n)
	v := new(big.Int).SetUint64(d.sigma.Num)
	v.Mul(v, v)
	return expRat(n, v.Lsh(v, 1))
}

// total is Σ exp(−x²/(2σ²)): summed for σ < 8; otherwise σ√(2π), which Poisson's formula says is below
// it by a factor of 1 + 2·exp(−2π²σ²) + … < 1 + 2^−1800.
func (d DiscreteGaussian) total() *big.Float {
	d.norm.once.Do(func() {
		if d.sigma.Num >= 8*d.sigma.Den {
			d.norm.sum = mul(floatOf(d.sigma.Rat()), rootTwoPi(massBits))
		} else {
			d.norm.sum = add(mul(new(big.Float).SetInt64(2), d.above(1)), unity())
		}
	})
	return d.norm.sum
}

// above is Σ_{i≥x} exp(−i²/(2σ²)) for x ≥ 1, term by term until they no longer count.
func (d DiscreteGaussian) above(x int64) *big.Float {
	sum := new(big.Float).SetPrec(massBits)
	for i := x; ; i++ {
		w := d.weight(uint64(i))
		if w.Sign() == 0 || sum.Sign() > 0 && w.MantExp(nil) < sum.MantExp(nil)-200 {
			return sum
		}
		sum.Add(sum, w)
	}
}

// directSigma is where Tail changes from summing to the normal integral.
const directSigma = 64

// Tail is P(X ≥ x): summed for σ ≤ 64, otherwise the normal integral from x−½ on with two corrections, good to 10^−9 of it for |x| ≤ 11σ.
func (d DiscreteGaussian) Tail(x int64) *big.Float {
	if x <= 0 {
		return sub(unity(), d.Tail(mirror(x)))
	}
	if d.sigma.Num <= directSigma*d.sigma.Den {
		return quo(d.above(x), d.total())
	}
	// Euler–Maclaurin at midpoints: Σ_{i≥x} g(i) = ∫_c^∞ g + g′(c)/24 − 7g‴(c)/5760 + …, c = x−½, for the normal density g.
	sigma, _ := floatOf(d.sigma.Rat()).Float64()
	a := (float64(x) - 0.5) / sigma
	v := sigma * sigma
	density := math.Exp(-a*a/2) / math.Sqrt(2*math.Pi)
	tail := math.Erfc(a/math.Sqrt2)/2 - density*(a/(24*v)+7*(3*a-a*a*a)/(5760*v*v))
	return new(big.Float).SetPrec(massBits).SetFloat64(max(tail, 0))
}
