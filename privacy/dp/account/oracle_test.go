package account

import (
	"math"
	"math/big"
	"testing"
)

// The oracle: the textbook formulas in 3000 bits, where cancellation does no harm.

const bits = 3000

func bigf(x float64) *big.Float { return new(big.Float).SetPrec(bits).SetFloat64(x) }

func badd(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(bits).Add(x, y) }
func bsub(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(bits).Sub(x, y) }
func bmul(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(bits).Mul(x, y) }
func bquo(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(bits).Quo(x, y) }

// bexp is e^x by its series after halving the argument 40 times more than it has bits.
func bexp(x *big.Float) *big.Float {
	halvings := max(x.MantExp(nil), 0) + 40
	y := new(big.Float).SetPrec(bits).SetMantExp(x, -halvings)
	sum, term := bigf(1), bigf(1)
	for k := 1; k < 120; k++ {
		term = bquo(bmul(term, y), bigf(float64(k)))
		sum = badd(sum, term)
	}
	for range halvings {
		sum = bmul(sum, sum)
	}
	return sum
}

// bpi is π by Machin's formula.
func bpi() *big.Float {
	atan := func(n float64) *big.Float {
		sum, power := bigf(0), bquo(bigf(1), bigf(n))
		for k := 0; k < 2300; k++ {
			t := bquo(power, bigf(float64(2*k+1)))
			if k%2 == 1 {
				t.Neg(t)
			}
			sum = badd(sum, t)
			power = bquo(power, bigf(n*n))
		}
		return sum
	}
	return bsub(bmul(bigf(16), atan(5)), bmul(bigf(4), atan(239)))
}

var rootTwoPi = new(big.Float).SetPrec(bits).Sqrt(bmul(bigf(2), bpi()))

// bphi is Φ(x) = ½ + φ(x)·Σ x^{2n+1}/(2n+1)!!, whose terms have one sign.
func bphi(x *big.Float) *big.Float {
	sum, term, square := bigf(0), new(big.Float).Copy(x), bmul(x, x)
	for n := 1; n < 6000; n++ {
		sum = badd(sum, term)
		term = bquo(bmul(term, square), bigf(float64(2*n+1)))
		if term.Sign() == 0 || sum.Sign() != 0 && term.MantExp(nil) < sum.MantExp(nil)-bits {
			break
		}
	}
	density := bquo(bexp(bmul(square, bigf(-0.5))), rootTwoPi)
	return badd(bigf(0.5), bmul(density, sum))
}

// bdelta is Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ).
func bdelta(epsilon, mu float64) *big.Float {
	e, m := bigf(epsilon), bigf(mu)
	h, q := bmul(m, bigf(0.5)), bquo(e, m)
	a := bphi(bsub(h, q))
	b := bphi(bsub(new(big.Float).Neg(h), q))
	return bsub(a, bmul(bexp(e), b))
}

func TestGaussianProfileAgainstTheOracle(t *testing.T) {
	worst := 0.0
	for _, mu := range []float64{1e-10, 1e-6, 1e-4, 0.01, 0.1, 0.3, 0.5, 0.501, 1, 2, 5, 20} {
		for _, a := range []float64{-30, -6, -5.001, -4.999, -2, -0.5, 0, 0.5, 2, 4.9, 5.1, 8, 20, 30} { // in deviations
			e := mu * (a + mu/2)
			exact := bdelta(e, mu)
			got := deltaGaussian(e, mu)
			if bigf(got).Cmp(exact) < 0 {
				t.Errorf("deltaGaussian(%v, %v) = %v, below the exact value", e, mu, got)
			}
			f, _ := exact.Float64()
			rel := got/f - 1
			room := 1 + math.Max(a, 0)*math.Max(a, 0)/10
			worst = math.Max(worst, rel/room)
			if f < 1e-300 {
				continue
			}
			if rel > 5e-12*room {
				t.Errorf("deltaGaussian(%v, %v) = %v, want %v: too high by %.2g", e, mu, got, f, rel)
			}
		}
	}
	t.Logf("worst excess: %.2g of the margin's unit", worst)
}

// TestResponseThatHardlyTells holds randomised response with p near 1 against what is a closed form of few terms: δ(0) = 1 − p, and at order 2
// ln(1 + (1−p)²(1/f + 1/t)) with the probabilities t of the true value and f of another.
func TestResponseThatHardlyTells(t *testing.T) {
	for _, p := range []float64{1e-6, 0.3, 0.5, 0.99, 0.999916, 0.9999999, 0.9999999989} {
		for _, k := range []int64{2, 4, 1000, 1e12} {
			q := new(big.Float).SetPrec(bits).SetRat(ratOf(p))
			m := Mechanism{Kind: RandomizedResponse, NoiseParameter: p, NumBuckets: k}
			d := bsub(bigf(1), q)
			got, _, err := Delta([]Mechanism{m}, 0)
			if err != nil {
				t.Fatal(err)
			}
			if want, _ := d.Float64(); bigf(got).Cmp(d) < 0 || got > want*(1+1e-11) {
				t.Errorf("p = %v, K = %d: δ(0) = %v, want %v", p, k, got, want)
			}
			f := bquo(q, bigf(float64(k)))
			chi := bmul(bmul(d, d), badd(bquo(bigf(1), f), bquo(bigf(1), badd(d, f))))
			x, _ := chi.Float64()
			want := math.Log1p(x)
			if r := m.rdp(2); r < want*(1-1e-15) || r > want*(1+1e-11) {
				t.Errorf("p = %v, K = %d: D₂ = %v, want %v, off by %.2g", p, k, r, want, r/want-1)
			}
		}
	}
}

// TestAnUnsoundFormulaIsSeen is the positive control of the comparison: a profile that is low by a relative 1e-11 does not pass it.
func TestAnUnsoundFormulaIsSeen(t *testing.T) {
	exact := bdelta(1, 1)
	if low := deltaGaussian(1, 1) * (1 - 1e-11); bigf(low).Cmp(exact) >= 0 {
		t.Errorf("a δ that is low by 1e-11 passes for sound")
	}
}

func TestGaussianInverses(t *testing.T) {
	for _, mu := range []float64{0.001, 0.05, 0.5, 1, 3, 10} {
		for _, delta := range []float64{1e-200, 1e-15, 1e-6, 1e-2, 0.3} {
			e := epsilonGaussian(mu, delta)
			if d := bdelta(e, mu); d.Cmp(bigf(delta)) > 0 {
				t.Errorf("epsilonGaussian(%v, %v) = %v, where δ is above", mu, delta, e)
			}
			if d, _ := bdelta(e*(1-1e-10)-1e-12, mu).Float64(); e > 0 && d <= delta {
				t.Errorf("epsilonGaussian(%v, %v) = %v is not the least", mu, delta, e)
			}
			if e == 0 {
				continue
			}
			m := muGaussian(e, delta)
			if d := bdelta(e, m); d.Cmp(bigf(delta)) > 0 || m < mu*(1-1e-9) {
				t.Errorf("muGaussian(%v, %v) = %v, want just below %v", e, delta, m, mu)
			}
		}
	}
}

// TestBoxesAgainstTheOracle composes (ε, δ) boxes by the formula of Kairouz, Oh and Viswanath, theorem 3.3, in 3000 bits.
func TestBoxesAgainstTheOracle(t *testing.T) {
	for _, c := range []struct {
		e, d float64
		k    int
	}{{0.1, 0, 10}, {1, 1e-6, 7}, {0.01, 1e-9, 300}, {3, 0, 25}} {
		for i := range 4 {
			e := c.e * float64(c.k-2*(i*c.k/8))
			exact := bigBox(c.e, c.d, c.k, i*c.k/8)
			got, by, err := Delta([]Mechanism{{Kind: EpsilonDelta, Epsilon: c.e, Delta: c.d, Count: int64(c.k)}}, e)
			if err != nil || by != "exact: kairouz-oh-viswanath" {
				t.Fatalf("Delta() = %v by %q, %v", got, by, err)
			}
			f, _ := exact.Float64()
			if f == 0 && got == 0 {
				continue
			}
			if got < f || got > f*(1+1e-10) {
				t.Errorf("δ of %d boxes (%v, %v) at %v = %v, want %v and not below", c.k, c.e, c.d, e, got, f)
			}
		}
	}
}

// bigBox is δ at ε = (k − 2i)ε₀: 1 − (1−δ₀)^k(1 − Σ_{l<i} C(k,l)(e^{(k−l)ε₀} − e^{(k−2i+l)ε₀})/(1+e^{ε₀})^k).
func bigBox(e0, d0 float64, k, i int) *big.Float {
	x := bexp(bigf(e0))
	pow := func(b *big.Float, n int) *big.Float {
		r := bigf(1)
		for range n {
			r = bmul(r, b)
		}
		return r
	}
	sum := bigf(0)
	for l := range i {
		c := new(big.Float).SetPrec(bits).SetInt(new(big.Int).Binomial(int64(k), int64(l)))
		sum = badd(sum, bmul(c, bsub(pow(x, k-l), pow(x, k-2*i+l))))
	}
	sum = bquo(sum, pow(badd(bigf(1), x), k))
	return bsub(bigf(1), bmul(pow(bsub(bigf(1), bigf(d0)), k), bsub(bigf(1), sum)))
}

// TestSubsampledMomentMeetsTheBinomial compares the integral with the finite sum at integer orders, where both exist.
func TestSubsampledMomentMeetsTheBinomial(t *testing.T) {
	for _, sigma := range []float64{0.3, 0.8, 1, 2.5, 8, 100, 1e5} {
		for _, q := range []float64{1e-9, 1e-4, 0.01, 0.5, 0.99} {
			for _, alpha := range []int{2, 3, 5, 10, 64, 300} {
				want := subsampledBinomial(alpha, q, sigma)
				got := subsampledMoment(float64(alpha), q, sigma)
				if math.Abs(got-want) > 3e-11*math.Max(1, math.Abs(want)) {
					t.Errorf("α = %d, q = %v, σ = %v: integral %v, sum %v, apart by %.2g", alpha, q, sigma, got, want, got-want)
				}
			}
		}
	}
}

// TestRenyiCurvesAgainstDirectSums compares closed forms with their defining integrals and sums.
func TestRenyiCurvesAgainstDirectSums(t *testing.T) {
	for _, alpha := range []float64{1.02, 1.5, 2, 7.5, 32} {
		for _, r := range []float64{1e-5, 0.1, 1, 4} {
			// Laplace: ½e^{(α−1)r} + ½e^{−αr} on the tails and ∫ between them, by 3000 bits.
			a := bigf(alpha)
			tails := badd(bmul(a, bexp(bmul(bsub(a, bigf(1)), bigf(r)))), bmul(bsub(a, bigf(1)), bexp(new(big.Float).Neg(bmul(a, bigf(r))))))
			moment := bquo(tails, bsub(bmul(bigf(2), a), bigf(1)))
			checkMoment(t, "laplace", alpha, r, rdpLaplace(alpha, r), moment)
			// Randomised response of ε = r.
			x := bexp(bigf(r))
			p := bquo(x, badd(bigf(1), x))
			q := bquo(bigf(1), badd(bigf(1), x))
			l := bsub(a, bigf(1))
			moment = badd(bmul(p, bexp(bmul(l, bigf(r)))), bmul(q, bexp(new(big.Float).Neg(bmul(l, bigf(r))))))
			checkMoment(t, "response", alpha, r, rdpPure(alpha, r), moment)
		}
	}
}

func checkMoment(t *testing.T, name string, alpha, r, got float64, moment *big.Float) {
	t.Helper()
	least := bexp(bmul(bigf(got*(alpha-1)), bigf(1)))
	if least.Cmp(moment) < 0 {
		t.Errorf("%s: D_%v at %v = %v, below the exact value", name, alpha, r, got)
	}
	most := bexp(bigf(got * (1 - 1e-11) * (alpha - 1)))
	if most.Cmp(moment) > 0 {
		t.Errorf("%s: D_%v at %v = %v, above the exact value by more than 1e-11", name, alpha, r, got)
	}
}
