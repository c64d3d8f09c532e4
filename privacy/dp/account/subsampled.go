package account

import "math"

// rdpSubsampled is the Rényi divergence of order α of the Poisson-subsampled Gaussian with noise multiplier σ, the larger of both
// directions (Mironov, Talwar and Zhang 2019, theorem 4 and corollary 7):
//
//	1/(α−1) · ln E_{z∼N(0,σ²)} [ ((1−q) + q·e^{(2z−1)/2σ²})^α ]
//
// At an integer α the power is expanded by the binomial theorem: 1 + Σ_{k≥2} C(α,k)(1−q)^{α−k}q^k(e^{(k²−k)/2σ²} − 1), where every term is
// positive. At other orders the expectation is integrated (see subsampledMoment). Relative error below 1e-10, which is added.
func rdpSubsampled(alpha, q, sigma float64) float64 {
	if q == 1 {
		return up(alpha / (2 * sigma * sigma))
	}
	var log float64 // of E − 1
	if alpha == math.Trunc(alpha) && alpha <= 1<<14 {
		log = subsampledBinomial(int(alpha), q, sigma)
	} else {
		log = subsampledMoment(alpha, q, sigma)
	}
	return log1pExp(log) / (alpha - 1) * (1 + 1e-10)
}

// log1pExp is ln(1 + e^x).
func log1pExp(x float64) float64 {
	if x > 0 {
		return x + math.Log1p(math.Exp(-x))
	}
	return math.Log1p(math.Exp(x))
}

// logExpm1 is ln(e^x − 1) for x > 0.
func logExpm1(x float64) float64 {
	if x > 1 {
		return x + math.Log1p(-math.Exp(-x))
	}
	return math.Log(math.Expm1(x))
}

func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(b, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

func subsampledBinomial(alpha int, q, sigma float64) float64 {
	n := float64(alpha)
	lq, lr := math.Log(q), math.Log1p(-q)
	choose := math.Log(n) // ln C(α, 1)
	sum := math.Inf(-1)
	for k := 2; k <= alpha; k++ {
		f := float64(k)
		choose += math.Log((n - f + 1) / f)
		sum = logAdd(sum, choose+(n-f)*lr+f*lq+logExpm1((f*f-f)/(2*sigma*sigma)))
	}
	return sum
}
