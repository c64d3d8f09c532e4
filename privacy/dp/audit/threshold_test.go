package audit_test

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/audit"
)

var seeds atomic.Uint64

// again begins the randomness of [floats] anew, so that with one worker an audit sees the same answers in each run: all that is left to chance is how many of
// the second half come from which side.
func again() { seeds.Store(0) }

// floats makes mechanisms for tests of the audit itself: q + noise of a given scale, from floating point. What scrim answers with
// is tested in controls_test.go.
func floats(q int64, noise func(r *rand.Rand) int64) func() audit.Draw {
	return func() audit.Draw {
		r := rand.New(rand.NewPCG(seeds.Add(1), 11))
		return func(_ context.Context, dst []int64) error {
			for i := range dst {
				dst[i] = q + noise(r)
			}
			return nil
		}
	}
}

func laplace(scale float64) func(r *rand.Rand) int64 {
	return func(r *rand.Rand) int64 {
		up, down := r.ExpFloat64()*scale, r.ExpFloat64()*scale
		return int64(math.Floor(up)) - int64(math.Floor(down))
	}
}

func audited(t *testing.T, a, b func() audit.Draw, claim audit.Claim, n int) audit.Finding {
	t.Helper()
	again()
	f, err := audit.Threshold(context.Background(), audit.Pair{A: a, B: b}, claim, audit.ThresholdOptions{Samples: n, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A right mechanism is called wrong once in a million runs; its bound comes near what it claims.
func TestTheBoundIsBelowTheTruthAndNearIt(t *testing.T) {
	for _, epsilon := range []float64{0.5, 1, 2, 3} {
		f := audited(t, floats(0, laplace(1/epsilon)), floats(1, laplace(1/epsilon)), audit.Claim{Epsilon: epsilon}, 200_000)
		if f.Refuted || f.Lower > epsilon || f.Lower < 0.85*epsilon {
			t.Errorf("ε = %g: bound %.3f, refuted %v by %q; want a bound between %.3f and ε", epsilon, f.Lower, f.Refuted, f.Event, 0.85*epsilon)
		}
	}
}

func TestTheAuditSeesEveryFamilyOfEvents(t *testing.T) {
	wide := laplace(50)
	hides := func(q int64) func() audit.Draw { // answers only above a threshold: fine noise, but no noise on who is shown
		return floats(q, func(r *rand.Rand) int64 {
			if v := wide(r); q == 0 || v < -100 {
				return audit.Absent - q
			} else {
				return v
			}
		})
	}
	for name, c := range map[string]struct {
		a, b  func() audit.Draw
		event string
	}{
		"noise on a grid of 16, answers beside it": {
			floats(0, func(r *rand.Rand) int64 { return 16 * wide(r) }), floats(1, func(r *rand.Rand) int64 { return 16 * wide(r) }), "mod"},
		"one value that only one side has": {
			floats(0, wide), floats(0, func(r *rand.Rand) int64 {
				if v := wide(r); v != 7 {
					return v
				}
				return 8
			}), "7"},
		"no answer where there is nobody": {hides(0), hides(1), "answer"},
	} {
		f := audited(t, c.a, c.b, audit.Claim{Epsilon: 1}, 100_000)
		if !f.Refuted || !strings.Contains(f.Event, c.event) {
			t.Errorf("%s: bound %.3f by %q, refuted %v; want it refuted by an event with %q", name, f.Lower, f.Event, f.Refuted, c.event)
		}
	}
}

// With δ the hits that δ explains do not count. A mechanism that shows everything once in a hundred times is (0, 0.01)-DP
// and not (1, 0.001)-DP.
func TestDeltaIsAllowedFor(t *testing.T) {
	shows := func(q int64) func() audit.Draw {
		return floats(0, func(r *rand.Rand) int64 {
			if r.IntN(100) == 0 {
				return 1000 + q
			}
			return 0
		})
	}
	if f := audited(t, shows(0), shows(1), audit.Claim{Delta: 0.01}, 200_000); f.Refuted {
		t.Errorf("δ = 0.01: refuted with bound %.3f by %q, %v of %v", f.Lower, f.Event, f.Hits, f.Trials)
	}
	if f := audited(t, shows(0), shows(1), audit.Claim{Epsilon: 1, Delta: 0.001}, 200_000); !f.Refuted {
		t.Errorf("δ = 0.001: not refuted, bound %.3f by %q, %v of %v", f.Lower, f.Event, f.Hits, f.Trials)
	}
}

func TestTheWorstPairIsFound(t *testing.T) {
	pairs := []audit.Pair{
		{Name: "near", A: floats(0, laplace(1)), B: floats(0, laplace(1))},
		{Name: "far", A: floats(0, laplace(1)), B: floats(3, laplace(1))},
		{Name: "next", A: floats(0, laplace(1)), B: floats(1, laplace(1))},
	}
	again() // of other answers, one in three hundred makes the near pair look as if ε were above 0.5: looks are lenient
	f, looks, err := audit.Worst(context.Background(), pairs, audit.Claim{Epsilon: 1}, audit.ThresholdOptions{Samples: 50_000, Workers: 1})
	if err != nil || f.Pair != "far" || !f.Refuted || f.Lower < 2 || len(looks) != 3 || looks[0] > 0.5 {
		t.Errorf("Worst = pair %q with bound %.3f, refuted %v, looks %.2f, %v; want far with a bound above 2", f.Pair, f.Lower, f.Refuted, looks, err)
	}
}

// An attack on the audit: a bound at a rate of a tenth must be wrong in at most a tenth of the audits of a mechanism that
// reaches its ε exactly, on the very event that tells it.
func TestTheBoundKeepsItsRate(t *testing.T) {
	wrong, audits := 0, 300
	answers := func(likely float64) func() audit.Draw { // randomised response
		return floats(0, func(r *rand.Rand) int64 {
			if r.Float64() < likely {
				return 1
			}
			return 0
		})
	}
	epsilon := 1.0
	p := 1 / (1 + math.Exp(-epsilon))
	for range audits {
		f, err := audit.Threshold(context.Background(), audit.Pair{A: answers(p), B: answers(1 - p)}, audit.Claim{Epsilon: epsilon},
			audit.ThresholdOptions{Samples: 1000, Alpha: 0.1, Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		if f.Refuted {
			wrong++
		}
	}
	if wrong > 60 { // Binomial(300, 0.1) is above 60 once in ten million
		t.Errorf("%d of %d bounds at rate 0.1 are above the truth", wrong, audits)
	}
	t.Logf("%d of %d bounds at rate 0.1 are above the truth", wrong, audits)
}

// Two sides that are the same, with so many values that some set of them tells any two samples apart: what chose the event must
// not bound it.
func TestChanceIsNoEvent(t *testing.T) {
	uniform := floats(0, func(r *rand.Rand) int64 { return r.Int64N(200) })
	wrong, audits := 0, 100
	for range audits {
		f, err := audit.Threshold(context.Background(), audit.Pair{A: uniform, B: uniform}, audit.Claim{}, audit.ThresholdOptions{Samples: 1000, Alpha: 0.1, Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		if f.Refuted {
			wrong++
		}
	}
	if wrong > 30 { // Binomial(100, 0.1) is above 30 once in a hundred million
		t.Errorf("%d of %d audits at rate 0.1 tell the same from the same", wrong, audits)
	}
}

func TestOrderedKeepsTheOrder(t *testing.T) {
	numbers := []float64{math.Inf(-1), -1e300, -2, -1.5, -math.SmallestNonzeroFloat64, 0, math.SmallestNonzeroFloat64, 1, 1e300, math.Inf(1)}
	for i := 1; i < len(numbers); i++ {
		if audit.Ordered(numbers[i-1]) >= audit.Ordered(numbers[i]) {
			t.Errorf("Ordered(%g) is not less than Ordered(%g)", numbers[i-1], numbers[i])
		}
	}
	if audit.Ordered(math.NaN()) != audit.Absent || audit.Ordered(math.Copysign(0, -1)) != 0 || audit.Ordered(math.Inf(-1)) == audit.Absent {
		t.Error("NaN is not absent, or negative zero is not zero, or −∞ is absent")
	}
}

func TestSensitivityFindsTheForgottenBound(t *testing.T) {
	type row struct {
		unit, group string
		value       int64
	}
	base := []row{{"ada", "x", 1}, {"bob", "y", 1}}
	with := func(rows ...row) []row { return append(append([]row{}, base...), rows...) }
	pairs := []audit.Neighbours[[]row]{
		{Name: "one row", A: base, B: with(row{"eve", "x", 1})},
		{Name: "three rows", A: base, B: with(row{"eve", "x", 1}, row{"eve", "x", 1}, row{"eve", "y", 1})},
		{Name: "at the end of int64", A: base, B: with(row{"eve", "z", math.MaxInt64})},
	}
	clamp := func(v int64) int64 { return max(0, min(v, 1)) }
	right := func(rows []row) (map[string]int64, error) { // one row for each unit, clamped
		sums, seen := map[string]int64{}, map[string]bool{}
		for _, r := range rows {
			if !seen[r.unit] {
				seen[r.unit] = true
				sums[r.group] += clamp(r.value)
			}
		}
		return sums, nil
	}
	forgotten := func(rows []row) (map[string]int64, error) {
		sums := map[string]int64{}
		for _, r := range rows {
			sums[r.group] += clamp(r.value)
		}
		return sums, nil
	}
	declared := audit.Reach{Cells: 1, Largest: 1, Sum: 1, Squared: 1}
	if got, over, err := audit.Sensitivity(right, declared, pairs); err != nil || len(over) != 0 || got != declared {
		t.Errorf("the right one: %+v, %v, %v; want %+v and nothing over it", got, over, err, declared)
	}
	got, over, err := audit.Sensitivity(forgotten, declared, pairs)
	if want := (audit.Reach{Cells: 2, Largest: 2, Sum: 3, Squared: 5}); err != nil || got != want || len(over) != 1 || over[0].Pair != "three rows" || len(over[0].Norms) != 4 {
		t.Errorf("the one that forgets: %+v, %v, %v; want %+v by three rows", got, over, err, want)
	}
	unclamped := func(rows []row) (map[string]int64, error) {
		return map[string]int64{"z": rows[len(rows)-1].value - 2}, nil
	}
	if got, _, err := audit.Sensitivity(unclamped, declared, pairs); err != nil || got.Largest != math.MaxInt64-1 || got.Squared != math.MaxUint64 {
		t.Errorf("the one that does not clamp: %+v, %v", got, err)
	}
	named := func(rows []row) (map[string]int64, error) { // a group of which nothing is shown but its name
		return map[string]int64{rows[len(rows)-1].unit: 0}, nil
	}
	if got, over, err := audit.Sensitivity(named, declared, pairs[:1]); err != nil || got != (audit.Reach{Cells: 2}) || len(over) != 1 {
		t.Errorf("one whose cells are named by the data: %+v, %v, %v; want two cells that differ", got, over, err)
	}
	asks := int64(0)
	if _, _, err := audit.Sensitivity(func([]row) (map[string]int64, error) { asks++; return map[string]int64{"z": asks}, nil }, declared, pairs); err == nil {
		t.Error("a question that answers otherwise each time is taken")
	}
}
