package audit_test

import (
	"context"
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/dp/audit"
	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// Planted bugs. Each control runs the right mechanism and the wrong one under the same audit, and the wrong one must be caught:
// an audit that catches nothing is one that nobody should rely on.

// answers is a mechanism of one number, with the noise of package noise.
func answers(one func(s *noise.Source) int64) func() audit.Draw {
	return func() audit.Draw {
		s := noise.NewSource()
		return func(_ context.Context, dst []int64) error {
			for i := range dst {
				dst[i] = one(s)
			}
			return nil
		}
	}
}

func discreteLaplace(t *testing.T, num, den uint64) noise.DiscreteLaplace {
	t.Helper()
	law, err := noise.NewDiscreteLaplace(noise.Ratio{Num: num, Den: den})
	if err != nil {
		t.Fatal(err)
	}
	return law
}

// rate is how often an audit of a claim may be wrong here. There are some fifty audits of right mechanisms in a run. Those that claim no δ reach their ε
// exactly, and are called wrong as often as may be; what δ is allowed for makes it far rarer than that.
func rate(c audit.Claim) float64 {
	if c.Delta > 0 {
		return 1e-6
	}
	return 1e-9
}

type control struct {
	right, wrong audit.Pair
	claim        audit.Claim
	reaches      float64 // the right one's bound comes at least so near its ε
}

func (c control) run(t *testing.T) {
	t.Helper()
	ctx, began := context.Background(), time.Now()
	right, err := audit.Threshold(ctx, c.right, c.claim, audit.ThresholdOptions{Samples: 100_000, Alpha: rate(c.claim)})
	if err != nil {
		t.Fatal(err)
	}
	between := time.Now()
	wrong, err := audit.Threshold(ctx, c.wrong, c.claim, audit.ThresholdOptions{Samples: 100_000, Alpha: rate(c.claim)})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("claimed ε = %g, δ = %g: right gives %.3f by %s (%s), wrong gives %.3f by %s (%s); %d answers a side in %v and %v",
		c.claim.Epsilon, c.claim.Delta, right.Lower, right.Event, right.Method, wrong.Lower, wrong.Event, wrong.Method, right.Samples,
		between.Sub(began).Round(time.Millisecond), time.Since(between).Round(time.Millisecond))
	if right.Refuted || right.Lower < c.reaches*c.claim.Epsilon {
		t.Errorf("the right mechanism: bound %.3f, refuted %v; want one between %.3f and %g", right.Lower, right.Refuted, c.reaches*c.claim.Epsilon, c.claim.Epsilon)
	}
	if !wrong.Refuted {
		t.Errorf("the planted bug is not caught: bound %.3f at claimed %g", wrong.Lower, c.claim.Epsilon)
	}
}

func between(one func(s *noise.Source, q int64) int64, a, b int64) audit.Pair {
	return audit.Pair{
		A: answers(func(s *noise.Source) int64 { return one(s, a) }),
		B: answers(func(s *noise.Source) int64 { return one(s, b) }),
	}
}

func TestControlNoiseThreeQuartersTooSmall(t *testing.T) {
	right, wrong := discreteLaplace(t, 10, 1), discreteLaplace(t, 30, 4)
	control{
		right: between(func(s *noise.Source, q int64) int64 { return noise.Release(s, q, right) }, 0, 10),
		wrong: between(func(s *noise.Source, q int64) int64 { return noise.Release(s, q, wrong) }, 0, 10),
		claim: audit.Claim{Epsilon: 1}, reaches: 0.85,
	}.run(t)
	law, err := audit.DiscreteLaplaceLaw(10)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		noise noise.Law
		pass  bool
	}{{right, true}, {wrong, false}} {
		f, err := audit.Fit(context.Background(), law, answers(c.noise.Sample), audit.FitOptions{Samples: 20_000})
		if err != nil || f.Pass != c.pass {
			t.Errorf("against its law: pass %v with p = %.3g by %s, %v; want %v", f.Pass, f.PValue, f.By, err, c.pass)
		}
	}
}

func TestControlGaussianThreeQuartersTooSmall(t *testing.T) {
	claim := audit.Claim{Epsilon: 1, Delta: 1e-2}
	right, _, err := audit.BuiltIn("discrete-gaussian", audit.Setting{Claim: claim, Sensitivity: 30})
	if err != nil {
		t.Fatal(err)
	}
	wrong, _, err := audit.BuiltIn("discrete-gaussian", audit.Setting{Claim: claim, Sensitivity: 30, Moves: 40}) // σ/Δ × 0.75
	if err != nil {
		t.Fatal(err)
	}
	control{right: right, wrong: wrong, claim: claim, reaches: 0.5}.run(t)
}

// A sum of values clamped to 0 … 3, declared as one of 0 … 2.
func TestControlSensitivityOffByOne(t *testing.T) {
	law := discreteLaplace(t, 2, 2)
	answer := func(top int64) func(s *noise.Source, q int64) int64 {
		return func(s *noise.Source, q int64) int64 { return noise.Release(s, min(q, top), law) }
	}
	control{right: between(answer(1), 0, 100), wrong: between(answer(2), 0, 100), claim: audit.Claim{Epsilon: 1}, reaches: 0.85}.run(t)
}

// A caller asks again after a lost answer. The right one gives the stored answer; the wrong one draws anew, and the caller
// averages.
func TestControlRetryThatDrawsAgain(t *testing.T) {
	law := discreteLaplace(t, 10, 1)
	stored := func(s *noise.Source, q int64) int64 {
		first := noise.Release(s, q, law)
		second := first
		return first + second
	}
	again := func(s *noise.Source, q int64) int64 {
		return noise.Release(s, q, law) + noise.Release(s, q, law)
	}
	control{right: between(stored, 0, 10), wrong: between(again, 0, 10), claim: audit.Claim{Epsilon: 1}, reaches: 0.85}.run(t)
}

// A sum at the end of int64. The wrong one wraps round and is released from the other end; the right one stops there.
func TestControlOverflowThatWraps(t *testing.T) {
	law := discreteLaplace(t, 1, 1)
	wrapping := func(rows ...int64) (sum int64) {
		for _, r := range rows {
			sum += r
		}
		return sum
	}
	stopping := func(rows ...int64) (sum int64) {
		for _, r := range rows {
			sum = noise.Clamp(sum + noise.Clamp(r)) // two clamped numbers do not overflow
		}
		return sum
	}
	answer := func(s *noise.Source, q int64) int64 { return noise.Release(s, q, law) }
	full := []int64{math.MaxInt64 - 1, 1}
	control{
		right: between(answer, stopping(full...), stopping(append(full, 1)...)),
		wrong: between(answer, wrapping(full...), wrapping(append(full, 1)...)),
		claim: audit.Claim{Epsilon: 1}, // both sides of the right one are at the bound, and alike
	}.run(t)
}

// Noise that wraps round leaks nothing by itself: it is the same noise on a ring, and whatever is done to it afterwards is
// post-processing. The audit does not cry wolf.
func TestNoiseOnARingIsNoBug(t *testing.T) {
	law := discreteLaplace(t, 1, 1)
	end := int64(math.MaxInt64)
	ring := func(s *noise.Source, q int64) int64 { return q + law.Sample(s) }
	for name, pair := range map[string]audit.Pair{
		"raw":     between(ring, end, end+1),
		"clamped": between(func(s *noise.Source, q int64) int64 { return max(ring(s, q), 0) }, end-1, end),
	} {
		f, err := audit.Threshold(context.Background(), pair, audit.Claim{Epsilon: 1}, audit.ThresholdOptions{Alpha: 1e-9})
		if err != nil || f.Refuted {
			t.Errorf("%s: bound %.3f by %s, refuted %v, %v", name, f.Lower, f.Event, f.Refuted, err)
		}
	}
}

// A count per unit whose rows nobody bounds: three rows of one unit.
func TestControlForgottenContributionBound(t *testing.T) {
	law := discreteLaplace(t, 1, 1)
	type row struct{ unit int }
	base := []row{{1}, {2}, {3}}
	with := append(append([]row{}, base...), row{9}, row{9}, row{9})
	count := func(rows []row, bound int) int64 {
		of := map[int]int{}
		var n int64
		for _, r := range rows {
			if of[r.unit]++; of[r.unit] <= bound {
				n++
			}
		}
		return n
	}
	answer := func(s *noise.Source, q int64) int64 { return noise.Release(s, q, law) }
	control{
		right: between(answer, count(base, 1), count(with, 1)),
		wrong: between(answer, count(base, math.MaxInt), count(with, math.MaxInt)),
		claim: audit.Claim{Epsilon: 1}, reaches: 0.85,
	}.run(t)
}

// What our own mechanisms reach, at the size of this machine's patience; the figures are those of docs/benchmarks.md.
func TestBoundsThatAreReached(t *testing.T) {
	sizes := []int{20_000, 200_000}
	if os.Getenv("SCRIM_LONG") != "" {
		sizes = append(sizes, 1_000_000, 10_000_000)
	}
	for _, c := range []struct {
		name    string
		setting audit.Setting
		least   []float64 // of ε, at each size
	}{
		{"discrete-laplace", audit.Setting{Claim: audit.Claim{Epsilon: 1}}, []float64{0.7, 0.9, 0.95, 0.97}},
		{"discrete-laplace", audit.Setting{Claim: audit.Claim{Epsilon: 3}}, []float64{0.7, 0.9, 0.95, 0.97}},
		{"discrete-gaussian", audit.Setting{Claim: audit.Claim{Epsilon: 1, Delta: 1e-2}, Sensitivity: 10}, []float64{0.2, 0.65, 0.8, 0.9}},
		{"rounded-gaussian", audit.Setting{Claim: audit.Claim{Epsilon: 2, Delta: 1e-3}, Sensitivity: 10}, []float64{0.1, 0.5, 0.7, 0.8}},
	} {
		pair, parameters, err := audit.BuiltIn(c.name, c.setting)
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range sizes {
			began := time.Now()
			f, err := audit.Threshold(context.Background(), pair, c.setting.Claim, audit.ThresholdOptions{Samples: n, Alpha: rate(c.setting.Claim)})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s, %s, claims ε = %g, δ = %g: n = %d gives %.3f by %s (%s) in %v",
				c.name, parameters, c.setting.Claim.Epsilon, c.setting.Claim.Delta, n, f.Lower, f.Event, f.Method, time.Since(began).Round(time.Millisecond))
			if f.Refuted || f.Lower < c.least[i]*c.setting.Claim.Epsilon {
				t.Errorf("%s with %d answers: bound %.3f, refuted %v; want at least %.3f and at most the claim",
					c.name, n, f.Lower, f.Refuted, c.least[i]*c.setting.Claim.Epsilon)
			}
		}
	}
}

// Each of scrim's mechanisms keeps what it claims, and is caught when one unit moves what it answers about thrice as far as is declared.
func TestBuiltInsKeepTheirClaims(t *testing.T) {
	ctx := context.Background()
	for _, name := range audit.BuiltIns() {
		setting := audit.Setting{Claim: audit.Claim{Epsilon: 2}, Sensitivity: 4, Moves: 12}
		switch name {
		case "discrete-gaussian", "rounded-gaussian", "threshold":
			setting.Claim.Delta = 0.01
		case "partition-selection":
			setting = audit.Setting{Claim: audit.Claim{Epsilon: 2, Delta: 0.01}, Sensitivity: 1, Moves: 3}
		case "sparse-vector": // whose worst stream is not known
			setting.Moves = 24
		}
		wrong, parameters, err := audit.BuiltIn(name, setting)
		if err != nil {
			t.Fatal(err)
		}
		f, err := audit.Threshold(ctx, wrong, setting.Claim, audit.ThresholdOptions{Samples: 30_000, Alpha: rate(setting.Claim)})
		if err != nil || !f.Refuted {
			t.Errorf("%s, %s: moved further, bound %.3f by %s, refuted %v, %v; want it caught", name, parameters, f.Lower, f.Event, f.Refuted, err)
		}
		setting.Moves = 0
		right, _, err := audit.BuiltIn(name, setting)
		if err != nil {
			t.Fatal(err)
		}
		g, err := audit.Threshold(ctx, right, setting.Claim, audit.ThresholdOptions{Samples: 30_000, Alpha: rate(setting.Claim)})
		if err != nil || g.Refuted {
			t.Errorf("%s, %s: bound %.3f by %s, refuted %v, %v; want it to pass", name, parameters, g.Lower, g.Event, g.Refuted, err)
		}
		t.Logf("%s, %s: claims 2, bound %.3f by %s; moved further %.3f by %s", name, parameters, g.Lower, g.Event, f.Lower, f.Event)
	}
}

// A unit is in several partitions, one more in each; it is not several more in one, which decisions for (ε, δ) do not have to hide.
func TestPartitionsOfOneUnitAreAuditedTogether(t *testing.T) {
	for _, setting := range []audit.Setting{
		{Claim: audit.Claim{Epsilon: 3, Delta: 0.2}, Sensitivity: 3}, {Claim: audit.Claim{Epsilon: 2, Delta: 0.4}, Sensitivity: 6},
	} {
		right, parameters, err := audit.BuiltIn("partition-selection", setting)
		if err != nil {
			t.Fatal(err)
		}
		f, err := audit.Threshold(context.Background(), right, setting.Claim, audit.ThresholdOptions{Samples: 30_000})
		if err != nil || f.Refuted {
			t.Errorf("%s: bound %.3f by %s, refuted %v, %v; want it to pass", parameters, f.Lower, f.Event, f.Refuted, err)
		}
	}
}

func TestBuiltInsRefuse(t *testing.T) {
	for member, call := range map[string]struct {
		name    string
		setting audit.Setting
	}{
		"mechanism":   {"none", audit.Setting{}},
		"sensitivity": {"discrete-laplace", audit.Setting{Claim: audit.Claim{Epsilon: 1}, Sensitivity: -1}},
		"moves":       {"discrete-laplace", audit.Setting{Claim: audit.Claim{Epsilon: 1}, Moves: math.MinInt64}},
		"epsilon":     {"staircase", audit.Setting{Claim: audit.Claim{Epsilon: 0}}},
		"delta":       {"discrete-gaussian", audit.Setting{Claim: audit.Claim{Epsilon: 1}}},
	} {
		_, _, err := audit.BuiltIn(call.name, call.setting)
		if bad, ok := errors.AsType[*audit.Error](err); !ok || bad.Member != member {
			t.Errorf("%s of %s: %v, want an error that names it", member, call.name, err)
		}
	}
	for _, name := range audit.BuiltIns() {
		for _, epsilon := range []float64{0, 1e-300, 1e-9, 1e9, math.MaxFloat64} {
			for _, delta := range []float64{0, 1e-300, 0.999999} {
				_, _, _ = audit.BuiltIn(name, audit.Setting{Claim: audit.Claim{Epsilon: epsilon, Delta: delta}, Sensitivity: 1 << 52}) // does not panic
			}
		}
	}
}
