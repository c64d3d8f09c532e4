package account

import "math"

// subsampledMoment is ln(E[f^α] − 1) for f = (1−q) + q·e^l with l = x/σ − 1/2σ² and x standard normal, at any order α ≥ 1.01.
//
// Because E[f] = 1 it is the expectation of g = f^α − 1 − α(f−1), which is at least 0, so that nothing cancels in the sum. The integral is
// taken by the trapezoidal rule on the whole line, whose error for an integrand that is analytic in a strip |Im x| < d is below
// 2M/(e^{2πd/h} − 1), with M the integral of its absolute value along the edges (Trefethen and Weideman 2014, theorem 5.1).
//
// Take d = min(πσ/2, 3). In that strip |Im l| ≤ π/2, so that Re(1 + st) ≥ 1 − q for t = f − 1 and 0 ≤ s ≤ 1: f^α is analytic. By Taylor's
// formula g = α(α−1)t²∫(1−s)(1+st)^{α−2}ds, and |t| ≤ q(|e^l| + 1), so that |g| is at most that at the real part times
// (|e^l| + 1)²/(|e^l| − 1)², up to a factor (1−q)^{α−2} below order 2, and the density grows by e^{d²/2} ≤ 91. Integrated, M is below
// 91·(e^{1/σ²} + 3)/(e^{1/σ²} − 1) ≤ 91·(1 + 4σ²) times the result: with h = d/12 the relative error is below e^{−75}·10⁴σ²/(1−q),
// under 1e-12 for every σ below 1e8 and q below 1 − 1e-6. The range holds every point where g·φ is above e^{−60} of the greatest.
func subsampledMoment(alpha, q, sigma float64) float64 {
	d := math.Min(math.Pi*sigma/2, 3)
	h := d / 12
	// The greatest term lies between 0 and α/σ: the mass moves there as f^α grows.
	lo, hi := -40.0, alpha/sigma+40
	if (hi-lo)/h > 2e5 || sigma > 1e8 || q > 1-1e-6 {
		return subsampledBinomial(int(math.Ceil(alpha)), q, sigma) // E[f^α] grows with α ≥ 1: it is log-convex, and 1 at 0 and 1
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
