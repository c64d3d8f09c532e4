package account

import (
	"errors"
	"math"
	"math/big"
	"testing"
)

// TestFiltersCountWhatTheFieldTableSays: how many adaptively chosen queries fit (ε, 10⁻⁶), of Laplace noise ε₀ and of Gaussian noise 1/ε₀.
func TestFiltersCountWhatTheFieldTableSays(t *testing.T) {
	for _, c := range []struct {
		e0, target                      float64
		basic, advanced, zcdp, rdp, gdp int64
	}{
		{0.1, 1, 10, 3, 4, 9, 5},
		{0.1, 3, 30, 28, 37, 42, 41},
		{0.05, 1, 20, 13, 19, 23, 22},
		{0.05, 3, 60, 112, 148, 151, 167},
		{0.02, 1, 50, 83, 121, 125, 140},
		{0.01, 1, 100, 333, 487, 489, 560},
		{0.01, 3, 300, 2817, 3701, 3657, 4195},
	} {
		laplace := []Mechanism{{Kind: Laplace, Scale: 1 / c.e0}}
		gaussian := []Mechanism{{Kind: Gaussian, Sigma: 1 / c.e0}}
		for _, x := range []struct {
			f    Filter
			spec []Mechanism
			want int64
		}{
			{FilterPure, laplace, c.basic}, {FilterBasic, laplace, c.basic}, {FilterAdvanced, laplace, c.advanced}, {FilterZCDP, laplace, c.zcdp},
			{FilterZCDP, gaussian, c.zcdp}, {FilterGDP, gaussian, c.gdp}, {FilterRDP, laplace, c.rdp},
		} {
			if got, _, err := maxCount(x.spec, x.f, limit{epsilon: c.target, delta: 1e-6}); got != x.want || err != nil {
				t.Errorf("%s of ε₀ = %v within %v: %d, %v, want %d", x.f, c.e0, c.target, got, err, x.want)
			}
		}
	}
}

func TestBasicCountsAreExact(t *testing.T) {
	for _, c := range []struct {
		name  string
		spec  []Mechanism
		f     Filter
		e, d  float64
		prime float64
		want  int64
	}{
		{"ten tenths", []Mechanism{{Kind: Laplace, Scale: 10}}, FilterPure, 1, 0, 0, 10},
		{"a hundred hundredths", []Mechanism{{Kind: Pure, Epsilon: 0.01}}, FilterPure, 1, 0, 0, 100},
		{"three thirds, rounded up, do not fit", []Mechanism{{Kind: Pure, Epsilon: 0.3333333333333334}}, FilterPure, 1, 0, 0, 2},
		{"δ counts too", []Mechanism{{Kind: EpsilonDelta, Epsilon: 0.01, Delta: 1e-7}}, FilterBasic, 1, 1e-6, 0, 10},
		{"not once", []Mechanism{{Kind: Laplace, Scale: 1}}, FilterPure, 0.5, 0, 0, 0},
		{"a list counts as one", []Mechanism{{Kind: Laplace, Scale: 10, Count: 2}, {Kind: Pure, Epsilon: 0.3}}, FilterPure, 1, 0, 0, 2},
		{"all of δ for the deviation", []Mechanism{{Kind: Pure, Epsilon: 0.05}}, FilterAdvanced, 3, 1e-6, 1e-6, 117},
		{"half of δ for the slack", []Mechanism{{Kind: EpsilonDelta, Epsilon: 0.01, Delta: 1e-8}}, FilterZCDP, 3, 1e-6, 0, 50},
		{"half of δ for the conversion", []Mechanism{{Kind: EpsilonDelta, Epsilon: 0.01, Delta: 1e-14}}, FilterZCDP, 3, 2e-6, 0, 3701},
		{"a batch of boxes", []Mechanism{{Kind: EpsilonDelta, Epsilon: 0.01, Delta: 1e-9}}, FilterBatch, 1, 1e-6, 0, 525},
		{"δ of the mechanisms bounds them", []Mechanism{{Kind: EpsilonDelta, Epsilon: 0.05, Delta: 1e-7}}, FilterAdvanced, 3, 1e-6, 0, 5},
	} {
		if got, _, err := maxCount(c.spec, c.f, limit{epsilon: c.e, delta: c.d, prime: c.prime}); got != c.want || err != nil {
			t.Errorf("%s: maxCount() = %d, %v, want %d", c.name, got, err, c.want)
		}
	}
	for _, c := range []struct {
		name string
		spec []Mechanism
		f    Filter
	}{
		{"Gaussian noise has no ε of its own", []Mechanism{{Kind: Gaussian, Sigma: 1}}, FilterBasic},
		{"Laplace noise is not Gaussian", []Mechanism{{Kind: Laplace, Scale: 1}}, FilterGDP},
		{"discrete Gaussian noise is not Gaussian", []Mechanism{{Kind: DiscreteGaussian, Sigma: 1}}, FilterGDP},
		{"a δ is not pure", []Mechanism{{Kind: EpsilonDelta, Epsilon: 1, Delta: 1e-9}}, FilterPure},
	} {
		if _, _, err := maxCount(c.spec, c.f, limit{epsilon: 1, delta: 1e-6}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: maxCount() error = %v, want ErrUnsupported", c.name, err)
		}
	}
}

// TestAdvancedFilterIsTightAtItsCount: one more would break the rule, in exact arithmetic but for the logarithm.
func TestAdvancedFilterIsTightAtItsCount(t *testing.T) {
	for _, e0 := range []float64{0.3, 0.1, 0.07, 0.01, 0.003} {
		for _, target := range []float64{0.5, 1, 3, 10} {
			n, _, err := maxCount([]Mechanism{{Kind: Pure, Epsilon: e0}}, FilterAdvanced, limit{epsilon: target, delta: 1e-6})
			if err != nil {
				t.Fatal(err)
			}
			rule := func(n int64) float64 {
				v := float64(n) * e0 * e0
				return math.Sqrt(2*math.Log(2e6)*v) + v/2
			}
			if rule(n) > target || rule(n+1) <= target {
				t.Errorf("ε₀ = %v within %v: %d, whose bound is %v and the next %v", e0, target, n, rule(n), rule(n+1))
			}
		}
	}
}

// TestCapsAreThoseOfTheFilters: the integer caps admit exactly what maxCount does.
func TestCapsAreThoseOfTheFilters(t *testing.T) {
	rho, err := RhoCap(3_000_000_000, 1_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	v, err := VectorOf(Mechanism{Kind: Gaussian, Sigma: 100})
	if err != nil {
		t.Fatal(err)
	}
	if n := rho / v.Rho; n != 3701 {
		t.Errorf("a cap of %d nano-ρ admits %d of %d, want 3701", rho, n, v.Rho)
	}
}

// TestGaussianCapsAgainstTheOracle: no cap is beyond what the profile proves in 3000 bits, and none is short by more than two units or a
// relative 1e-9.
func TestGaussianCapsAgainstTheOracle(t *testing.T) {
	for _, epsilon := range []int64{1, 10_000_000, 1_000_000_000, 30_000_000_000} {
		for _, delta := range []int64{1, 1_000_000, 1_000_000_000, 500_000_000_000_000} {
			cap, err := Mu2Cap(epsilon, delta)
			if err != nil {
				t.Fatal(err)
			}
			e, d := float64(epsilon)/1e9, new(big.Float).SetPrec(bits).SetRat(big.NewRat(delta, 1e15))
			if cap > 0 && bdelta(e, math.Sqrt(float64(cap)/1e9)*(1-1e-15)).Cmp(d) > 0 {
				t.Errorf("Mu2Cap(%d, %d) = %d, where δ is above", epsilon, delta, cap)
			}
			more := (float64(cap) + 2) * (1 + 1e-9)
			if bdelta(e, math.Sqrt(more/1e9)).Cmp(d) <= 0 {
				t.Errorf("Mu2Cap(%d, %d) = %d, and %v would do", epsilon, delta, cap, more)
			}
		}
	}
}
