package account

import (
	"math"
	"math/big"
)

// rdp is the Rényi divergence of order α ≥ 1 of one such mechanism, an upper bound within a relative 1e-12 of the exact value where
// the comment of the case says so. It is +Inf where the kind has none. A δ of the mechanism stands beside it as slack.
func (m *Mechanism) rdp(alpha float64) float64 {
	switch m.Kind {
	case Gaussian, RoundedGaussian, DiscreteGaussian, GDP, ZCDP, GaussianThreshold:
		// Exact for the Gaussian (Mironov 2017, proposition 7); a bound for the discrete one (Canonne, Kamath and Steinke 2020, theorem 4).
		return up(alpha * m.rho())
	case Laplace:
		return rdpLaplace(alpha, m.sensitivity()/m.Scale)
	case DiscreteLaplace:
		return rdpDiscreteLaplace(alpha, m.A, m.sensitivity())
	case PoissonSubsampledGaussian:
		return rdpSubsampled(alpha, m.Q, m.Sigma/m.sensitivity())
	case RandomizedResponse:
		return rdpResponse(alpha, m.NoiseParameter, float64(m.NumBuckets))
	case Exponential:
		return math.Min(up(alpha*m.rho()), rdpPure(alpha, m.Epsilon))
	case EpsilonDelta, Pure, LaplaceThreshold, PartitionSelection:
		return rdpPure(alpha, m.Epsilon)
	}
	return math.Inf(1)
}

// rho is the ρ of zero-concentrated differential privacy, within a relative 1e-15; slack stands beside it.
func (m *Mechanism) rho() float64 {
	f, _ := m.rhoExact().Float64()
	return f
}

// rdpLaplace is exact (Mironov 2017, proposition 6) with r = Δ/b:
//
//	1/(α−1) · ln( α/(2α−1)·e^{(α−1)r} + (α−1)/(2α−1)·e^{−αr} )
//
// For a small r it is the logarithm of 1 + s with s = α/(2α−1)·(e^{(α−1)r} − 1) + (α−1)/(2α−1)·(e^{−αr} − 1), and the linear terms of the two
// cancel: they are taken out by expm1x.
func rdpLaplace(alpha, r float64) float64 {
	if alpha == 1 {
		return up(expm1x(-r)) // r + e^{−r} − 1, the Kullback-Leibler divergence
	}
	x, y := (alpha-1)*r, alpha*r
	if x > 30 {
		return up((x + math.Log(alpha/(2*alpha-1)) + math.Log1p((alpha-1)/alpha*math.Exp(-x-y))) / (alpha - 1))
	}
	s := (alpha*expm1x(x) + (alpha-1)*expm1x(-y)) / (2*alpha - 1)
	return up(math.Log1p(s) / (alpha - 1))
}

// expm1x is e^x − 1 − x, without cancellation.
func expm1x(x float64) float64 {
	if math.Abs(x) > 0.5 {
		return math.Expm1(x) - x
	}
	sum, term := 0.0, x
	for k := 2.0; k < 25; k++ {
		term *= x / k
		sum += term
	}
	return sum
}

// rdpPure bounds every ε-differentially private mechanism: it is post-processing of binary randomised response (Kairouz, Oh and
// Viswanath 2015, theorem 3.1 with lemma 2), whose divergence this is.
func rdpPure(alpha, epsilon float64) float64 {
	return rdpAtoms(alpha, []float64{epsilon, -epsilon}, []float64{-math.Log1p(math.Exp(-epsilon)), -epsilon - math.Log1p(math.Exp(-epsilon))})
}

// rdpAtoms is the divergence of a mechanism with finitely many privacy losses: losses and the logarithms of their probabilities under the
// first of the pair. E[e^{(α−1)L}] − 1 is summed as Σ p·(e^{(α−1)l} − 1 + (e^{−l} − 1)(α−1)), every term of which is at least 0 by convexity:
// E[e^{−L} − 1] = 0.
func rdpAtoms(alpha float64, loss, logp []float64) float64 {
	if alpha == 1 {
		// E[L] = E[L + e^{−L} − 1], whose terms are at least 0.
		sum := 0.0
		for i, l := range loss {
			if l > -30 {
				sum += math.Exp(logp[i]) * expm1x(-l)
			} else {
				sum += math.Exp(logp[i]-l) + (l-1)*math.Exp(logp[i])
			}
		}
		return up(sum)
	}
	top := 0.0
	for i, l := range loss {
		top = math.Max(top, (alpha-1)*l+logp[i])
	}
	if top > 300 {
		sum := 0.0
		for i, l := range loss {
			sum += math.Exp((alpha-1)*l + logp[i] - top)
		}
		return up((top + math.Log(sum)) / (alpha - 1))
	}
	s := 0.0
	for i, l := range loss {
		x := (alpha - 1) * l
		switch {
		case math.Abs(x) < 1 && math.Abs(l) < 1:
			s += math.Exp(logp[i]) * (expm1x(x) + (alpha-1)*expm1x(-l))
		case x > 30:
			s += -math.Exp(logp[i]+x)*math.Expm1(-x) + (alpha-1)*math.Exp(logp[i])*math.Expm1(-l)
		default:
			s += math.Exp(logp[i])*math.Expm1(x) - (alpha-1)*math.Exp(logp[i]-l)*math.Expm1(l)
		}
	}
	return up(math.Log1p(s) / (alpha - 1))
}

// responseLaw is K-ary randomised response: the loss c of the value that was kept, and the logarithms of the probabilities of that value, of the one
// value that tells of the neighbour, and of all others together. 1 − p is that of the decimal that p stands for, so that nothing cancels near p = 1.
func responseLaw(p, k float64) (c, keep, flip, other float64) {
	rest, _ := new(big.Rat).Sub(ratInt(1), ratOf(p)).Float64()
	keep = math.Log(rest + p/k)
	if p < 0.5 {
		keep = math.Log1p(-p + p/k)
	}
	return math.Log1p(k * rest / p), keep, math.Log(p / k), math.Log(p * (k - 2) / k)
}

// rdpResponse is exact for K-ary randomised response under replacement: the losses are ±c and 0.
func rdpResponse(alpha, p, k float64) float64 {
	c, keep, flip, other := responseLaw(p, k)
	loss, logp := []float64{c, -c}, []float64{keep, flip}
	if k > 2 {
		loss, logp = append(loss, 0), append(logp, other)
	}
	return rdpAtoms(alpha, loss, logp)
}

// rdpDiscreteLaplace is exact for sensitivities up to a million and otherwise bounded by that of any (aΔ)-differentially private mechanism.
func rdpDiscreteLaplace(alpha, a, s float64) float64 {
	if s > 1e6 {
		return rdpPure(alpha, a*s)
	}
	loss, logp := discreteLaplaceLosses(a, int(s))
	return rdpAtoms(alpha, loss, logp)
}

// discreteLaplaceLosses lists the losses a(|x−s| − |x|) of the noise x: ±as on the tails, and as − 2aj for 0 < j < s between them.
func discreteLaplaceLosses(a float64, s int) (loss, logp []float64) {
	// P(x) = t·e^{−a|x|} with t = tanh(a/2); the tail P(x ≤ 0) is t/(1 − e^{−a}) = 1/(1 + e^{−a}).
	tail := -math.Log1p(math.Exp(-a))
	logT := math.Log(math.Tanh(a / 2))
	sa := float64(s) * a
	loss, logp = []float64{sa}, []float64{tail}
	for j := 1; j < s; j++ {
		loss = append(loss, sa-2*a*float64(j))
		logp = append(logp, logT-a*float64(j))
	}
	return append(loss, -sa), append(logp, tail-sa)
}
