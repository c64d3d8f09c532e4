package account

import (
	"math"
	"math/big"
)

// VectorOf returns the cost of the mechanisms one after the other, each entry an upper bound rounded up.
//
// Epsilon is that of basic composition and Infinite for what has no (ε, δ) of its own, such as Gaussian noise: [Batch] gives one.
// Subsampled Gaussians are amplified in RDP alone; their Rho and Mu2 are those of the Gaussian, of which they are post-processing.
// It returns an [*Error] for parameters out of range.
func VectorOf(spec ...Mechanism) (Vector, error) {
	if err := checkAll(spec); err != nil {
		return Vector{}, err
	}
	var sum Vector
	for i := range spec {
		sum = sum.Add(spec[i].vector())
	}
	return sum, nil
}

func (m *Mechanism) vector() Vector {
	n := ratInt(m.count())
	if m.Kind == GaussianThreshold && m.Sigma == 0 {
		filled := m.withSigma()
		v := filled.vector()
		v.Epsilon = ceil(mul(ratOf(m.Epsilon), n), nano)
		v.Delta = ceil(mul(n, new(big.Rat).Add(ratOf(m.NoiseDelta), ratOf(m.ThresholdDelta))), femto)
		return v
	}
	v := Vector{Epsilon: Infinite, Mu2: Infinite}
	if e := m.pureExact(); e != nil {
		v.Epsilon = ceil(mul(e, n), nano)
	}
	v.Slack = ceil(mul(m.slackExact(), n), femto)
	v.Delta = v.Slack
	v.Rho = ceil(mul(m.rhoExact(), n), nano)
	if m.gaussian() {
		v.Mu2 = ceil(mul(m.rhoExact(), n, ratInt(2)), nano)
	}
	for i, order := range Orders {
		v.RDP[i] = min(ceilNano(m.rdp(float64(order))*float64(m.count())), ceil(mul(m.rhoExact(), n, ratInt(int64(order))), nano))
	}
	return v
}

// gaussian says whether μ-GDP with μ² = 2ρ holds.
func (m *Mechanism) gaussian() bool {
	switch m.Kind {
	case Gaussian, RoundedGaussian, GDP, PoissonSubsampledGaussian, GaussianThreshold:
		return true
	}
	return false
}

// pureExact is the ε of one mechanism that is ε-differentially private but for its slack, nil if there is none. That of randomised
// response is no rational and rounded up.
func (m *Mechanism) pureExact() *big.Rat {
	switch m.Kind {
	case Laplace:
		return quo(ratOf(m.sensitivity()), ratOf(m.Scale))
	case DiscreteLaplace:
		return mul(ratOf(m.A), ratOf(m.sensitivity()))
	case EpsilonDelta, Pure, Exponential, LaplaceThreshold, PartitionSelection:
		return ratOf(m.Epsilon)
	case RandomizedResponse:
		return ratOf(m.response())
	}
	return nil
}

// slackExact is the δ of an event outside which the other measures hold.
func (m *Mechanism) slackExact() *big.Rat {
	switch m.Kind {
	case EpsilonDelta, LaplaceThreshold, PartitionSelection:
		return ratOf(m.Delta)
	case GaussianThreshold:
		return ratOf(m.ThresholdDelta)
	}
	return new(big.Rat)
}

// response is the c of randomised response, (1 − p + p/K)/(p/K) = e^c, rounded up.
func (m *Mechanism) response() float64 {
	c, _, _, _ := responseLaw(m.NoiseParameter, float64(m.NumBuckets))
	return up(c)
}

// rhoExact is the ρ of one mechanism: Δ²/2σ² for Gaussian noise (Bun and Steinke 2016, proposition 1.6; Canonne, Kamath and Steinke
// 2020, theorem 4, for the discrete one), ε²/8 for a bounded range (Cesar and Rogers 2021, lemma 3.2), ε²/2 for anything else that is
// pure (Bun and Steinke 2016, proposition 1.4).
func (m *Mechanism) rhoExact() *big.Rat {
	square := func(x *big.Rat) *big.Rat { return mul(x, x, half) }
	switch m.Kind {
	case Gaussian, RoundedGaussian, DiscreteGaussian, PoissonSubsampledGaussian:
		return square(quo(ratOf(m.sensitivity()), ratOf(m.Sigma)))
	case GaussianThreshold:
		s := ratOf(m.linf())
		return mul(square(quo(s, ratOf(m.Sigma))), ratInt(m.l0()))
	case GDP:
		return square(ratOf(m.Mu))
	case ZCDP:
		return ratOf(m.Rho)
	case Exponential:
		return mul(square(ratOf(m.Epsilon)), big.NewRat(1, 4))
	}
	return square(m.pureExact())
}

// withSigma gives a Gaussian threshold whose noise is described by (ε, δ) the least σ for it.
func (m Mechanism) withSigma() Mechanism {
	if m.Kind == GaussianThreshold && m.Sigma == 0 {
		m.Sigma = up(m.linf() * math.Sqrt(float64(m.l0())) / muGaussian(m.Epsilon, m.NoiseDelta))
		m.Epsilon, m.NoiseDelta = 0, 0
	}
	return m
}

// prepared checks mechanisms and returns them with every σ known, those that are alike as one.
func prepared(spec []Mechanism) ([]Mechanism, error) {
	if err := checkAll(spec); err != nil {
		return nil, err
	}
	var all []Mechanism
	place := map[Mechanism]int{}
	for _, m := range spec {
		m = m.withSigma()
		n := m.count()
		if m.Count = 0; m.Sensitivity == 1 { // which is what is left out
			m.Sensitivity = 0
		}
		i, known := place[m]
		if !known {
			i = len(all)
			place[m] = i
			all = append(all, m)
		}
		if all[i].Count > maxN-n {
			return nil, refuse("spec", "must not run absurdly many mechanisms")
		}
		all[i].Count += n
	}
	return all, nil
}
