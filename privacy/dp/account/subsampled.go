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
	if alpha < 1.01 {
		alpha = 1.01 // the divergence grows with its order
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

// subsampledSeries is ln E[f^α] by the series of Mironov, Talwar and Zhang 2019, section 3.3, for an order that is no integer, with every term
// taken as positive. The terms beyond α alternate, so that this is an upper bound, some per cent above the exact value for orders
// below 2. It is what the most used implementation computes, and serves to be compared with it where orders are named. It returns false where
// a thousand terms do not suffice, as for q = 1/2 with much noise.
func subsampledSeries(alpha, q, sigma float64) (float64, bool) {
	z := sigma*sigma*math.Log(1/q-1) + 0.5
	lq, lr := math.Log(q), math.Log1p(-q)
	s0, s1 := math.Inf(-1), math.Inf(-1)
	last0, last1 := math.Inf(-1), math.Inf(-1)
	for i := range 1000 {
		f := float64(i)
		j := alpha - f
		choose := logGamma(alpha+1) - logGamma(f+1) - logGamma(j+1)
		t0 := choose + f*lq + j*lr + (f*f-f)/(2*sigma*sigma) + logPhi((z-f)/sigma)
		t1 := choose + j*lq + f*lr + (j*j-j)/(2*sigma*sigma) + logPhi((j-z)/sigma)
		s0, s1 = logAdd(s0, t0), logAdd(s1, t1)
		total := logAdd(s0, s1)
		if t0 < last0 && t1 < last1 && math.Max(t0, t1) < total-30 {
			return total, true
		}
		last0, last1 = t0, t1
	}
	return 0, false
}

func logGamma(x float64) float64 {
	l, _ := math.Lgamma(x)
	return l
}

// rdpNamed is rdp for an order that the asker named.
func (m *Mechanism) rdpNamed(alpha float64) float64 {
	r := m.rdp(alpha)
	if m.Kind == PoissonSubsampledGaussian && m.Q < 1 && alpha != math.Trunc(alpha) {
		if log, ok := subsampledSeries(alpha, m.Q, m.Sigma/m.sensitivity()); ok {
			r = math.Max(r, log/(alpha-1))
		}
	}
	return r
}
