package account

import (
	"errors"
	"math"
	"slices"
	"testing"
)

// TestCalibrationIsPrivateAndTight: what is found gives (ε, δ), and a ten-thousandth less noise does not.
func TestCalibrationIsPrivateAndTight(t *testing.T) {
	for _, c := range []struct {
		name, find string
		e, d       float64
		spec       []Mechanism
	}{
		{"Gaussian", "sigma", 1, 1e-6, []Mechanism{{Kind: Gaussian, Sensitivity: 3, Count: 7}}},
		{"two Gaussians", "sigma", 0.3, 1e-9, []Mechanism{{Kind: Gaussian, Sensitivity: 2}, {Kind: RoundedGaussian, Count: 4}}},
		{"Gaussian beside another", "sigma", 2, 1e-6, []Mechanism{{Kind: Gaussian}, {Kind: Gaussian, Sigma: 4}}},
		{"Gaussian beside a box", "sigma", 1, 1e-6, []Mechanism{{Kind: Gaussian}, {Kind: EpsilonDelta, Epsilon: 0.2, Delta: 1e-7, Count: 2}}},
		{"discrete Gaussian", "sigma", 1, 1e-6, []Mechanism{{Kind: DiscreteGaussian, Count: 2}}},
		{"Laplace, pure", "scale", 1, 0, []Mechanism{{Kind: Laplace, Count: 10, Sensitivity: 2}}},
		{"Laplace", "scale", 1, 1e-3, []Mechanism{{Kind: Laplace}}},
		{"discrete Laplace", "a", 1, 1e-6, []Mechanism{{Kind: DiscreteLaplace, Count: 20}}},
		{"discrete Laplace, pure", "a", 1, 0, []Mechanism{{Kind: DiscreteLaplace, Count: 3, Sensitivity: 2}}},
		{"ε of each of many", "epsilon", 1, 1e-6, []Mechanism{{Kind: EpsilonDelta, Count: 100}}},
		{"ε of each with a δ", "epsilon", 1, 1e-5, []Mechanism{{Kind: EpsilonDelta, Count: 20, Delta: 1e-7}}},
		{"pure ε of each", "epsilon", 1, 0, []Mechanism{{Kind: Pure, Count: 8}}},
		{"bounded range", "epsilon", 1, 1e-6, []Mechanism{{Kind: Exponential, Count: 50}}},
		{"randomised response", "noise_parameter", 1, 1e-6, []Mechanism{{Kind: RandomizedResponse, NumBuckets: 5, Count: 3}}},
		{"randomised response, pure", "noise_parameter", 2, 0, []Mechanism{{Kind: RandomizedResponse, NumBuckets: 3}}},
		{"ρ", "rho", 1, 1e-6, []Mechanism{{Kind: ZCDP, Count: 3}}},
		{"ρ beside a ρ", "rho", 1, 1e-6, []Mechanism{{Kind: ZCDP}, {Kind: ZCDP, Rho: 0.01}}},
		{"μ", "mu", 1, 1e-6, []Mechanism{{Kind: GDP, Count: 3}}},
		{"Gaussian threshold", "mu", 1, 1e-6, []Mechanism{{Kind: GDP}, {Kind: GaussianThreshold, Sigma: 10, L0: 2, ThresholdDelta: 5e-7}}},
	} {
		x, by, err := Calibrate(c.spec, c.find, c.e, c.d)
		if err != nil {
			t.Errorf("%s: Calibrate() error = %v", c.name, err)
			continue
		}
		s := search{spec: c.spec, name: c.find, epsilon: c.e, delta: c.d * (1 + 1e-9)} // two searches for the best order differ by less
		for i := range c.spec {
			if c.spec[i].lacks(c.find) {
				s.missing = append(s.missing, i)
			}
		}
		sign := -1.0
		if slices.Contains(noisy, c.find) {
			sign = 1
		}
		if ok, err := s.private(x, false); !ok || err != nil {
			t.Errorf("%s: %s = %v by %q is not private: %v", c.name, c.find, x, by, err)
		}
		if ok, err := s.private(x*math.Exp(-1e-4*sign), false); ok || err != nil {
			t.Errorf("%s: %s = %v by %q is not the best: %v", c.name, c.find, x, by, err)
		}
	}
}

func TestWhatCannotBeCalibrated(t *testing.T) {
	for _, c := range []struct {
		name, find string
		e, d       float64
		spec       []Mechanism
		member     string
	}{
		{"nothing lacks it", "sigma", 1, 1e-6, []Mechanism{{Kind: Gaussian, Sigma: 1}}, "spec"},
		{"it is not taken", "scale", 1, 1e-6, []Mechanism{{Kind: Gaussian, Sigma: 1}}, "spec"},
		{"something else is lacking", "sigma", 1, 1e-6, []Mechanism{{Kind: Gaussian}, {Kind: Laplace}}, "spec[1].scale"},
		{"the rest alone is too much", "sigma", 1, 1e-6, []Mechanism{{Kind: Gaussian}, {Kind: Pure, Epsilon: 1.5}}, "delta"},
		{"slack alone is too much", "sigma", 1, 1e-6, []Mechanism{{Kind: Gaussian}, {Kind: EpsilonDelta, Epsilon: 0.1, Delta: 1e-5}}, "delta"},
		{"no ε", "sigma", 0, 1e-6, []Mechanism{{Kind: Gaussian}}, "epsilon"},
		{"δ of one", "sigma", 1, 1, []Mechanism{{Kind: Gaussian}}, "delta"},
		{"NaN", "sigma", math.NaN(), 1e-6, []Mechanism{{Kind: Gaussian}}, "epsilon"},
		{"no mechanism", "sigma", 1, 1e-6, nil, "spec"},
	} {
		_, _, err := Calibrate(c.spec, c.find, c.e, c.d)
		if e, ok := errors.AsType[*Error](err); !ok || e.Member != c.member {
			t.Errorf("%s: Calibrate() error = %v, want one about %s", c.name, err, c.member)
		}
	}
}
