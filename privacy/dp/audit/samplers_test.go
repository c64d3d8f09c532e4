package audit_test

import (
	"context"
	"math"
	"os"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/dp/audit"
	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// Every sampler against its law. A right one fails once in a thousand million runs.
func TestSamplersFollowTheirLaws(t *testing.T) {
	n := 40_000
	if os.Getenv("SCRIM_LONG") != "" {
		n = 5_000_000
	}
	all, err := audit.Samplers()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		began := time.Now()
		f, err := audit.Fit(context.Background(), s.Law, s.Draw, audit.FitOptions{Samples: n})
		if err != nil || !f.Pass {
			t.Errorf("%s, %s: %+v, %v", s.Mechanism, s.Parameters, f, err)
		}
		t.Logf("%s, %s: p = %.3g by %s, G = %.1f of %d cells, chi-square tail %.3f, %v", s.Mechanism, s.Parameters, f.PValue, f.By, f.G, f.Cells, f.ChiTail,
			time.Since(began).Round(time.Millisecond))
	}
}

// The laws here against those of package noise, which were written by other means: what one has wrong the other need not have.
func TestLawsAgreeWithThoseOfTheSamplers(t *testing.T) {
	for _, r := range []noise.Ratio{{Num: 1, Den: 3}, {Num: 17, Den: 5}, {Num: 200, Den: 3}, {Num: 5000, Den: 1}} {
		x := float64(r.Num) / float64(r.Den)
		for name, c := range map[string]struct {
			ours   func() (audit.Law, error)
			theirs func() (noise.Law, error)
		}{
			"discrete Laplace":  {func() (audit.Law, error) { return audit.DiscreteLaplaceLaw(x) }, func() (noise.Law, error) { return noise.NewDiscreteLaplace(r) }},
			"geometric":         {func() (audit.Law, error) { return audit.GeometricLaw(1 / x) }, func() (noise.Law, error) { return noise.NewGeometric(r) }},
			"discrete Gaussian": {func() (audit.Law, error) { return audit.DiscreteGaussianLaw(x * x) }, func() (noise.Law, error) { return noise.NewDiscreteGaussian(r) }},
			"staircase": {func() (audit.Law, error) {
				n, err := noise.NewStaircase(noise.Ratio{Num: r.Den, Den: r.Num}, 5)
				if err != nil {
					return audit.Law{}, err
				}
				return audit.StaircaseLaw(1/x, 5, n.Flat())
			}, func() (noise.Law, error) { return noise.NewStaircase(noise.Ratio{Num: r.Den, Den: r.Num}, 5) }},
			"rounded Gaussian": {func() (audit.Law, error) { return audit.RoundedGaussianLaw(x) }, func() (noise.Law, error) { return noise.NewRoundedGaussian(r) }},
		} {
			ours, err := c.ours()
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := c.theirs()
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range []float64{0, 0.5, 1, 2, 4} {
				for _, v := range []int64{int64(k * x), -int64(k * x)} {
					want, _ := theirs.Mass(v).Float64()
					if got := ours.Probability(v); math.Abs(got-want) > 1e-9*want {
						t.Errorf("%s of %g: P[X = %d] = %.15g here and %.15g there", name, x, v, got, want)
					}
				}
			}
		}
	}
}
