package account

import "math"

// mills is the Mills ratio (1 − Φ(x))/φ(x), within a relative 1e-14.
func mills(x float64) float64 {
	if x < 5 {
		// erfc is within 1e-15 of itself and exp(x²/2) adds x²·1e-16.
		return math.Sqrt(math.Pi/2) * math.Erfc(x/math.Sqrt2) * math.Exp(x*x/2)
	}
	// Continued fraction 1/(x + 1/(x + 2/(x + 3/…))) from its end: at x ≥ 5 a depth of 60 leaves less than 1e-16.
	f := x
	for k := 60.0; k >= 1; k-- {
		f = x + k/f
	}
	return 1 / f
}

// logDeltaGaussian is ln δ(ε) of μ-Gaussian differential privacy, for any real ε and μ > 0:
//
//	δ(ε) = Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ)    (Balle and Wang 2018, theorem 8; Dong, Roth and Su 2022, corollary 2.13)
//
// With a = ε/μ − μ/2 and b = a + μ the densities satisfy e^ε φ(b) = φ(a), so that δ = φ(a)·(M(a) − M(b)) with the Mills ratio M, and
// nothing cancels that does not also cancel in M. The relative error of δ is below 1e-13·(1 + 1/μ + a²/100); callers add it by logMargin.
func logDeltaGaussian(epsilon, mu float64) float64 {
	a := epsilon/mu - mu/2
	if a < -5 {
		b := a + mu
		bell := math.Exp(-a*a/2) / math.Sqrt(2*math.Pi)
		if b < 0 {
			// ε is below 0, and δ = 1 − e^ε + e^ε Φ(b) − Φ(a), which is positive in both of its parts.
			return math.Log(math.Min(1, -math.Expm1(epsilon)+bell*millsDrop(-b, mu)))
		}
		return math.Log1p(-math.Min(1, bell*(mills(-a)+mills(b)))) // Φ(a) + e^ε Φ̄(b) is tiny
	}
	d := millsDrop(a, mu)
	if !(d > 0) {
		return math.Inf(-1)
	}
	return -a*a/2 - 0.5*math.Log(2*math.Pi) + math.Log(d)
}

// millsDrop is M(a) − M(a+h). For a small h it is ∫ −M' = ∫ (1 − tM(t)) dt by Gauss-Legendre, which does not cancel at moderate a.
func millsDrop(a, h float64) float64 {
	if h > 0.5 {
		return mills(a) - mills(a+h)
	}
	sum := 0.0
	for i, x := range legendreX {
		sum += legendreW[i] * (fall(a+h*(1+x)/2) + fall(a+h*(1-x)/2))
	}
	return sum * h / 2
}

// fall is 1 − tM(t), the negative derivative of the Mills ratio; it is positive everywhere.
func fall(t float64) float64 {
	if t < 5 {
		return 1 - t*mills(t)
	}
	// 1 − t/(t + g) = g/(t + g) with g = 1/(t + 2/(t + …)).
	g := 0.0
	for k := 60.0; k >= 1; k-- {
		g = k / (t + g)
	}
	return g / (t + g)
}

// Nodes and weights of the 10-point Gauss-Legendre rule, half of them.
var (
	legendreX = [5]float64{0.1488743389816312, 0.4333953941292472, 0.6794095682990244, 0.8650633666889845, 0.9739065285171717}
	legendreW = [5]float64{0.2955242247147529, 0.2692667193099963, 0.2190863625159820, 0.1494513491505806, 0.0666713443086881}
)

// logMargin is added to ln δ so that it is an upper bound: a hundred times the error that the comparison with 300 bits finds. Where a is
// below 0, δ is no tail and nothing of it grows with a.
func logMargin(epsilon, mu float64) float64 {
	a := math.Max(0, epsilon/mu-mu/2)
	return 1e-12 * (1 + a*a/10)
}

// deltaGaussian is δ(ε) rounded up.
func deltaGaussian(epsilon, mu float64) float64 {
	return math.Min(1, math.Exp(logDeltaGaussian(epsilon, mu)+logMargin(epsilon, mu)))
}

// epsilonGaussian is the least ε ≥ 0 with δ(ε) ≤ δ, rounded up. δ is above 0.
func epsilonGaussian(mu, delta float64) float64 {
	want := math.Log(delta) - 1e-15*math.Abs(math.Log(delta))
	fits := func(e float64) bool { return logDeltaGaussian(e, mu)+logMargin(e, mu) <= want }
	if fits(0) {
		return 0
	}
	return leastTrue(fits, 0, mu*mu/2+mu)
}

// muGaussian is the greatest μ with δ(ε; μ) ≤ δ, rounded down. ε ≥ 0 and δ in (0, 1).
func muGaussian(epsilon, delta float64) float64 {
	want := math.Log(delta) - 1e-15*math.Abs(math.Log(delta))
	fits := func(mu float64) bool { return logDeltaGaussian(epsilon, mu)+logMargin(epsilon, mu) <= want }
	hi := 1.0
	for fits(hi) && hi < 1e9 {
		hi *= 2
	}
	lo := hi / 2
	for !fits(lo) {
		if lo < 1e-15 {
			return 0
		}
		hi, lo = lo, lo/2
	}
	for range 200 {
		mid := lo + (hi-lo)/2
		if mid <= lo || mid >= hi {
			break
		}
		if fits(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// leastTrue is the least x above lo with ok(x), from above: ok is monotone and false at lo. Doubling steps begin at first. +Inf if there is none.
func leastTrue(ok func(float64) bool, lo, first float64) float64 {
	hi := lo + math.Max(first, 1e-9)
	for step := hi - lo; !ok(hi); hi += step {
		lo = hi
		if step *= 2; step > 1e18 {
			return math.Inf(1)
		}
	}
	for range 200 {
		mid := lo + (hi-lo)/2
		if mid <= lo || mid >= hi || hi-lo < 1e-15*hi {
			break
		}
		if ok(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}
