package account_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// TestAccountedLawsAreThoseOfTheSamplers takes the exact masses of the laws that are drawn from, and sums (P(x) − e^ε·P(x − s))₊ over all
// integers: what is accounted for is what is drawn.
func TestAccountedLawsAreThoseOfTheSamplers(t *testing.T) {
	laplace, err := noise.NewDiscreteLaplace(noise.Ratio{Num: 4, Den: 1})
	if err != nil {
		t.Fatal(err)
	}
	gaussian, err := noise.NewDiscreteGaussian(noise.Ratio{Num: 5, Den: 2})
	if err != nil {
		t.Fatal(err)
	}
	rounded, err := noise.NewRoundedGaussian(noise.Ratio{Num: 5, Den: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		law   noise.Law
		m     account.Mechanism
		above float64 // by which part the cost may be above what this one query leaks
	}{
		{"discrete Laplace", laplace, account.Mechanism{Kind: account.DiscreteLaplace, A: 0.25, Sensitivity: 3}, 1e-9},
		{"discrete Gaussian", gaussian, account.Mechanism{Kind: account.DiscreteGaussian, Sigma: 2.5, Sensitivity: 3}, 1e-9},
		{"rounded Gaussian, below the continuous one", rounded, account.Mechanism{Kind: account.RoundedGaussian, Sigma: 2.5, Sensitivity: 3}, 0.2},
	} {
		var p [401]float64
		for x := range p {
			p[x], _ = c.law.Mass(int64(x - 200)).Float64()
		}
		for _, e := range []float64{0.1, 0.5, 0.7, 1.5} {
			want := 0.0
			for x := 3; x < len(p); x++ {
				want += math.Max(0, p[x-3]-math.Exp(e)*p[x]) // the mirror of a shift the other way
			}
			got, _, err := account.Delta([]account.Mechanism{c.m}, e)
			if err != nil || got < want*(1-1e-12) || got > want*(1+c.above)+1e-15 {
				t.Errorf("%s: δ(%v) = %v, %v, and the sampler's law has %v", c.name, e, got, err, want)
			}
		}
	}
}

func TestKeepProbabilityIsThatOfTheDecision(t *testing.T) {
	p, err := noise.NewPartitions(noise.PartitionOptions{EpsilonNano: 1_000_000_000, DeltaFemto: 10_000_000_000, PerUnit: 2})
	if err != nil {
		t.Fatal(err)
	}
	for n := int64(0); n < p.Certain()+3; n++ {
		var row account.Row
		text := fmt.Sprintf(`{"spec":[{"mech":"truncated_geometric_partition_selection","l0":2,"epsilon":1,"delta":1e-5}],"input":{"n_privacy_units":%d},"quantity":"keep_probability"}`, n)
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			t.Fatal(err)
		}
		got, err := row.Answer()
		want, _ := p.Probability(n).Float64()
		if err != nil || math.Abs(got.Values[0]-want) > 1e-10*want {
			t.Errorf("π(%d) = %v, %v, and is decided by %v", n, got.Values, err, want)
		}
	}
}

// A vector of discrete Gaussians leaks more than one number that moves by the vector's L2 norm: it is one mechanism for each entry.
// This is why the page does not let the norm stand for the sensitivity, as it may for continuous noise.
func TestAVectorOfDiscreteGaussiansIsOneForEachEntry(t *testing.T) {
	for _, kind := range []account.Kind{account.DiscreteGaussian, account.RoundedGaussian} {
		norm, _, err := account.Delta([]account.Mechanism{{Kind: kind, Sigma: 1, Sensitivity: 2}}, 8)
		if err != nil {
			t.Fatal(err)
		}
		entries, _, err := account.Delta([]account.Mechanism{{Kind: kind, Sigma: 1, Count: 4}}, 8)
		if err != nil {
			t.Fatal(err)
		}
		if more := entries > 2*norm; more != (kind == account.DiscreteGaussian) {
			t.Errorf("%s: δ of four entries is %v, that of their norm %v", kind, entries, norm)
		}
	}
}
