package account

import "math"

// subsampledMoment is ln(E[f^α] − 1) for f = (1−q) + q·e^{x/σ − 1/2σ²} and x standard normal, at any order α > 1.
//
// Because E[f] = 1 it is the expectation of f^α − 1 − α(f−1), which is at least 0, so that nothing cancels in the sum. The integral is
// taken by the trapezoidal rule on the whole line, whose error for an integrand that is analytic in a strip |Im x| < d is below
// 2M·e^{−2πd/h} with M the size of the integrand on its edge (Trefethen and Weideman 2014, theorem 5.1). Here f has no zero for
// |Im x| < πσ; with d = min(πσ/2, 3), where |f| is at most f at the real part and the density grows by e^{d²/2} ≤ 91, and
// h = d/6, the error is below 200·e^{−37}, a relative 1e-14. The range holds every point where the terms are above e^{−60} of the greatest.
func subsampledMoment(alpha, q, sigma float64) float64 {
	d := math.Min(math.Pi*sigma/2, 3)
	h := d / 6
	// The greatest term lies between 0 and α/σ: the mass moves there as f^α grows.
	lo, hi := -40.0, alpha/sigma+40
	if n := (hi - lo) / h; n > 4e6 {
		return subsampledBinomial(int(math.Ceil(alpha)), q, sigma) // the next integer order bounds it: E[f^α] − 1 grows with α
	}
	sum, top := 0.0, math.Inf(-1) // sum of terms as multiples of e^top
	for x := lo; x <= hi; x += h {
		t := logConvexPart(alpha, q, x/sigma-1/(2*sigma*sigma)) - x*x/2
		switch {
		case math.IsInf(t, -1) || t < top-60:
		case t > top:
			sum = sum*math.Exp(top-t) + 1
			top = t
		default:
			sum += math.Exp(t - top)
		}
	}
	return top + math.Log(sum*h) - math.Log(2*math.Pi)/2
}

// logConvexPart is ln(f^α − 1 − α(f−1)) for f = 1 + q(e^l − 1).
func logConvexPart(alpha, q, l float64) float64 {
	t := q * math.Expm1(l)
	if math.IsInf(t, 1) || t > 1e100 {
		return alpha * (math.Log(q) + l) // f^α stands alone: the rest is below 1e-100 of it for α > 2, and f^α bounds it anyway
	}
	if math.Abs(alpha*t) < 0.02 && math.Abs(t) < 0.02 {
		// Σ_{j≥2} C(α,j)·t^j
		term, sum := alpha*t, 0.0
		for j := 2.0; j < 14; j++ {
			term *= (alpha - j + 1) / j * t
			sum += term
		}
		return math.Log(math.Max(sum, 0))
	}
	lf := math.Log1p(t)
	if alpha*lf > 600 {
		return alpha * lf
	}
	return math.Log(math.Max(math.Expm1(alpha*lf)-alpha*t, 0))
}
