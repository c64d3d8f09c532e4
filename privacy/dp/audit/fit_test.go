package audit_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/audit"
)

// drawn answers from a law by inversion, with a stream of randomness that is the same in every run.
func drawn(l audit.Law, seed uint64, n int) []int64 {
	const half = 2000
	var cumulative []float64
	sum := 0.0
	for x := int64(-half); x <= half; x++ {
		sum += l.Probability(x)
		cumulative = append(cumulative, sum)
	}
	r := rand.New(rand.NewPCG(seed, 7))
	values := make([]int64, n)
	for i := range values {
		values[i] = int64(sort.SearchFloat64s(cumulative, r.Float64())) - half
	}
	return values
}

func law(t *testing.T) func(audit.Law, error) audit.Law {
	return func(l audit.Law, err error) audit.Law {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
}

func TestLawsSumToOneAndHaveTheirVariance(t *testing.T) {
	must := law(t)
	for name, c := range map[string]struct {
		law      audit.Law
		variance float64
	}{
		"discrete Laplace 1":     {must(audit.DiscreteLaplaceLaw(1)), 2 * math.Exp(-1) / math.Pow(1-math.Exp(-1), 2)},
		"discrete Laplace 40.5":  {must(audit.DiscreteLaplaceLaw(40.5)), 2 * math.Exp(-1/40.5) / math.Pow(1-math.Exp(-1/40.5), 2)},
		"discrete Gaussian 4":    {must(audit.DiscreteGaussianLaw(4)), 4}, // to 1e-30 of it, by Poisson summation
		"discrete Gaussian 2000": {must(audit.DiscreteGaussianLaw(2000)), 2000},
		"rounded Gaussian 3":     {must(audit.RoundedGaussianLaw(3)), 9 + 1.0/12}, // Sheppard
		"geometric 0.5":          {must(audit.GeometricLaw(0.5)), math.Exp(-0.5) / math.Pow(1-math.Exp(-0.5), 2)},
	} {
		sum, mean, square := 0.0, 0.0, 0.0
		for i := int64(-4000); i <= 4000; i++ {
			x, p := float64(i), c.law.Probability(i)
			sum, mean, square = sum+p, mean+p*x, square+p*x*x
		}
		if math.Abs(sum-1) > 1e-12 || math.Abs(square-mean*mean-c.variance) > 1e-9*c.variance {
			t.Errorf("%s sums to %.15g with variance %.12g, want 1 and %.12g", name, sum, square-mean*mean, c.variance)
		}
	}
}

// Three hundred right samplers at a rate of one in a hundred: were the p-values not valid, far more than nine would fail. (More
// than nine do once in 1,000 for another seed if the rate were reached; it is a bound, and this seed is fixed.)
func TestAFitCallsNoRightSamplerWrong(t *testing.T) {
	must := law(t)
	laws := []audit.Law{must(audit.DiscreteLaplaceLaw(1)), must(audit.DiscreteGaussianLaw(30)), must(audit.TableLaw(-1, []float64{5, 1, 0, 3}))}
	failed := 0
	for seed := range uint64(100) {
		for _, l := range laws {
			f, err := audit.FitSamples(l, drawn(l, seed, 2000), audit.FitOptions{Alarm: 0.01})
			if err != nil {
				t.Fatal(err)
			}
			if !f.Pass {
				failed++
			}
		}
	}
	if failed > 9 {
		t.Errorf("%d of 300 right samplers fail a test of rate 0.01", failed)
	}
}

func TestAFitFindsWhatIsWrong(t *testing.T) {
	must := law(t)
	const n = 200_000
	right := must(audit.DiscreteLaplaceLaw(10))
	clean := drawn(right, 1, n)
	repeated := append(append([]int64{}, clean[:n/2]...), clean[:n/2]...)
	paired := drawn(right, 2, n)
	for i := 1; i < n; i += 2 {
		paired[i] = -paired[i-1] // each alone has the right law
	}
	shy := drawn(right, 3, n)
	for i, v := range shy {
		shy[i] = max(-60, min(60, v)) // tails of e⁻⁶ are cut
	}
	outside := append([]int64{}, clean...)
	outside[5] = 1 << 40 // one answer that cannot be
	for _, c := range []struct {
		name   string
		values []int64
		by     string // the test that must find it; empty: any
		pass   bool
	}{
		{"right", clean, "", true},
		{"narrower by 3 %", drawn(must(audit.DiscreteLaplaceLaw(9.7)), 4, n), "", false},
		{"wider by 3 %", drawn(must(audit.DiscreteLaplaceLaw(10.3)), 5, n), "", false},
		{"moved by one", drawn(right.Moved(1), 6, n), "", false},
		{"tails cut", shy, "", false},
		{"an answer that cannot be", outside, "end", false},
		{"a second half that repeats the first", repeated, "repeats", false},
		{"pairs that cancel", paired, "pairs", false},
		{"another law of the same variance", drawn(must(audit.DiscreteGaussianLaw(200)), 8, n), "", false},
	} {
		f, err := audit.FitSamples(right, c.values, audit.FitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if f.Pass != c.pass || c.by != "" && f.By != c.by {
			t.Errorf("%s: pass %v by %s at %s, p = %.3g, G = %.1f of %d cells; want pass %v by %q",
				c.name, f.Pass, f.By, f.At, f.PValue, f.G, f.Cells, c.pass, c.by)
		}
	}
}

func TestFitRefuses(t *testing.T) {
	must := law(t)
	good := must(audit.DiscreteLaplaceLaw(1))
	values := drawn(good, 1, 1000)
	for name, call := range map[string]func() error{
		"scale":   func() error { _, err := audit.DiscreteLaplaceLaw(math.NaN()); return err },
		"sigma2":  func() error { _, err := audit.DiscreteGaussianLaw(-1); return err },
		"sigma":   func() error { _, err := audit.RoundedGaussianLaw(math.Inf(1)); return err },
		"rate":    func() error { _, err := audit.GeometricLaw(0); return err },
		"weights": func() error { _, err := audit.TableLaw(0, []float64{1, -1}); return err },
		"samples": func() error { _, err := audit.FitSamples(good, values[:10], audit.FitOptions{}); return err },
		"alarm":   func() error { _, err := audit.FitSamples(good, values, audit.FitOptions{Alarm: 2}); return err },
		"workers": func() error { _, err := audit.FitSamples(good, values, audit.FitOptions{Workers: -1}); return err },
	} {
		var bad *audit.Error
		if err := call(); !errors.As(err, &bad) || bad.Member != name {
			t.Errorf("%s: %v, want an error that names it", name, err)
		}
	}
	fails := errors.New("no entropy")
	_, err := audit.Fit(context.Background(), good, func() audit.Draw { return func(context.Context, []int64) error { return fails } }, audit.FitOptions{})
	if !errors.Is(err, fails) {
		t.Errorf("Fit with a sampler that fails: %v, want its error", err)
	}
}

// Wide discrete Gaussians are computed by Euler and Maclaurin's formula; here against the sum itself.
func TestWideGaussianIsItsSum(t *testing.T) {
	const sigma2 = 1_002_001 // σ = 1001
	l := law(t)(audit.DiscreteGaussianLaw(sigma2))
	total := 0.0
	for x := 40_000.0; x > 0; x-- {
		total += math.Exp(-x * x / (2 * sigma2))
	}
	total = 2*total + 1
	for _, x := range []int64{0, 1, -500, 3000, -9000} {
		want := math.Exp(-float64(x*x)/(2*sigma2)) / total
		if got := l.Probability(x); math.Abs(got-want) > 1e-9*want {
			t.Errorf("P[X = %d] = %.15g, want %.15g", x, got, want)
		}
	}
}
