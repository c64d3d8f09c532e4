package account

import (
	"math"

	"github.com/scrimhq/scrim/privacy/dp/pld"
)

// distribution composes the privacy loss distributions of mechanisms that [pld] knows.
func distribution(spec []Mechanism) (*pld.Composed, error) {
	var terms []pld.Term
	var mu2 float64
	for i := range spec {
		m := &spec[i]
		var law pld.PLD
		var err error
		switch m.Kind {
		case Gaussian, RoundedGaussian, GDP, GaussianThreshold:
			mu2 += 2 * m.rho() * float64(m.count())
			if m.Kind != GaussianThreshold {
				continue
			}
			law, err = pld.EpsilonDelta(0, m.ThresholdDelta)
		case DiscreteGaussian:
			law, err = pld.DiscreteGaussian(m.Sigma, int64(m.sensitivity()))
		case Laplace:
			law, err = pld.Laplace(m.Scale, m.sensitivity())
		case DiscreteLaplace:
			law, err = pld.DiscreteLaplace(m.A, int64(m.sensitivity()))
		case PoissonSubsampledGaussian:
			law, err = pld.SubsampledGaussian(m.Sigma, m.Q, m.sensitivity())
		case RandomizedResponse:
			// p is a decimal, and near 1 its float64 may say less of 1 − p: the next one below is surely no less revealing.
			law, err = pld.RandomizedResponse(math.Nextafter(m.NoiseParameter, 0), m.NumBuckets)
		case EpsilonDelta, Pure, Exponential, LaplaceThreshold, PartitionSelection:
			law, err = pld.EpsilonDelta(m.Epsilon, m.Delta)
		default:
			err = unsupported("mech", "has no pair of distributions")
		}
		if err != nil {
			return nil, at(i, err)
		}
		terms = append(terms, pld.Term{PLD: law, Count: m.count()})
	}
	if mu2 > 0 {
		// All Gaussian noise together is one mechanism with the sum of μ².
		law, err := pld.Gaussian(1, up(math.Sqrt(mu2)))
		if err != nil {
			return nil, err
		}
		terms = append(terms, pld.Term{PLD: law, Count: 1})
	}
	return pld.Compose(terms, pld.Options{})
}

func epsilonPLD(spec []Mechanism, delta float64) (pld.Bound, error) {
	c, err := distribution(spec)
	if err != nil {
		return pld.Bound{}, err
	}
	return c.Epsilon(delta)
}

func deltaPLD(spec []Mechanism, epsilon float64) (pld.Bound, error) {
	c, err := distribution(spec)
	if err != nil {
		return pld.Bound{}, err
	}
	return c.Delta(epsilon)
}
