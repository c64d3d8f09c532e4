package stream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/privacy/dp/stream"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// The record of a released stream is what its epochs paid for: every window is a difference of releases, and nothing is charged for it.
func TestWindowsAreDifferencesAndCostNothing(t *testing.T) {
	r := openRig(t, patientDays())
	r.restart(plan(t, patientDays(), stays(), asked(t, stays(), true, true, 1, 1), hourly()))
	r.at(began.Add(20 * time.Hour))
	r.catchUp()
	spent := r.spent(budget.Range{})
	all := r.read(stream.Ask{Points: 20}).Points
	for _, width := range []int{1, 3, 19, 40} {
		for i, pt := range r.read(stream.Ask{Over: time.Duration(width) * time.Hour, Points: 20}).Points {
			for c, cell := range pt.Cells {
				want := all[i].Cells[c].Sum
				if i >= width {
					want -= all[i-width].Cells[c].Sum
				}
				if cell.Sum != want {
					t.Fatalf("width %d, step %d: %d, want %d", width, pt.Step, cell.Sum, want)
				}
			}
			if d, err := deviation(r, int64(max(0, i+1-width)), pt.Step); err != nil || math.Abs(d-pt.Deviation) > 1e-9 {
				t.Fatalf("width %d, step %d: deviation %v, want %v, %v", width, pt.Step, pt.Deviation, d, err)
			}
		}
	}
	if got := r.read(stream.Ask{Until: began.Add(4*time.Hour + 30*time.Minute)}).Points; len(got) != 1 || got[0].Step != 4 || !got[0].Until.Equal(began.Add(4*time.Hour)) {
		t.Errorf("until half past four it is %+v, want step 4", got)
	}
	if r.spent(budget.Range{}) != spent || r.source.asked != 20 {
		t.Error("reading was charged or read data")
	}
	for name, ask := range map[string]stream.Ask{
		"half a step": {Over: 90 * time.Minute}, "negative": {Over: -time.Hour}, "too many": {Points: 1001}, "none": {Points: -1},
	} {
		ask.Dataset, ask.Stream = "stays", "admissions"
		if _, err := r.Read(t.Context(), ask); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
	_, err := r.Read(t.Context(), stream.Ask{Dataset: "stays", Stream: "other"})
	wantErr(t, err, stream.ErrNoStream)
}

func deviation(r *rig, from, step int64) (float64, error) {
	p := plan(r.t, patientDays(), stays(), asked(r.t, stays(), true, true, 1, 1), hourly())
	m, err := p.Params().Meter()
	if err != nil {
		return 0, err
	}
	return m.Deviation(from, step)
}

func TestOldStepsAreGone(t *testing.T) {
	r := openRig(t, patientDays())
	def := hourly()
	def.Keep = 4
	r.restart(plan(t, patientDays(), stays(), asked(t, stays(), false, false, 1, 0), def))
	r.at(began.Add(10 * time.Hour))
	r.catchUp()
	if got := r.read(stream.Ask{Points: 4, Over: 0}); len(got.Points) != 4 {
		t.Errorf("%d points, want 4", len(got.Points))
	}
	_, err := r.Read(t.Context(), stream.Ask{Dataset: "stays", Stream: "admissions", Points: 5})
	wantErr(t, err, stream.ErrNotKept)
}

// When a step can be read does not tell how long its source took.
func TestWhenAStepIsToldDoesNotTellHowLongItTook(t *testing.T) {
	var told []time.Duration
	for _, took := range []time.Duration{0, 100 * time.Millisecond, 700 * time.Millisecond} {
		r := openRig(t, patientDays())
		def := hourly()
		def.Pad = time.Second
		r.restart(plan(t, patientDays(), stays(), asked(t, stays(), false, false, 1, 0), def))
		due := began.Add(time.Hour)
		r.at(due)
		r.source.slow = func() { r.at(due.Add(took)) }
		r.catchUp()
		for wait := time.Duration(0); wait < 5*time.Second; wait += 10 * time.Millisecond {
			r.at(due.Add(wait))
			if r.sums(0) != "none" {
				told = append(told, wait)
				break
			}
		}
	}
	if len(told) != 3 || told[0] != told[1] || told[1] != told[2] || told[0] != time.Second {
		t.Errorf("steps are told after %v, want after one second each", told)
	}
}

// Each block of time is a run of its own, paid for from the block's budget when it begins; sums go on across them.
func TestBlocksOfTimePayForThemselves(t *testing.T) {
	def := hourly()
	b := precise(patientDays(), &def)
	b.Blocks = budget.Blocks{Kind: budget.BlocksTime, Width: 4 * time.Hour, From: began.Add(-8 * time.Hour)}
	b.Refresh = true
	def.Horizon, def.Epochs = 0, 0
	r := openRig(t, b)
	p := plan(t, b, stays(), asked(t, stays(), false, false, 1, 0), def)
	for hour := range 10 {
		r.source.admit(stay{"a", "icu", began.Add(time.Duration(hour) * time.Hour), 1}, stay{"b", "icu", began.Add(time.Duration(hour) * time.Hour), 1})
	}
	for _, hours := range []int{3, 9, 10} { // a restart in the middle of a block, and over the end of one
		r.restart(p)
		r.at(began.Add(time.Duration(hours) * time.Hour))
		r.catchUp()
		if got, want := r.sums(0), fmt.Sprint(hours, " ", 2*hours); got != want {
			t.Errorf("after %d hours it is %q, want %q", hours, got, want)
		}
	}
	if got, want := r.sums(6*time.Hour), "10 12"; got != want {
		t.Errorf("over six hours in three blocks it is %q, want %q", got, want)
	}
	cost, err := p.Params().Cost(0)
	if err != nil {
		t.Fatal(err)
	}
	for block := int64(0); block < 5; block++ {
		want := cost.Rho
		if block < 2 {
			want = 0
		}
		if got := r.spent(budget.Range{From: block, To: block + 1}); got != want {
			t.Errorf("block %d was charged %d, want %d", block, got, want)
		}
	}
}

// Two gateways that keep streams with one ledger publish each step once, with one draw of noise, and pay once; two that share a ledger alone
// draw apart, and both pay.
func TestTwoGatewaysOnOneLedger(t *testing.T) {
	dir := t.TempDir()
	shared, err := storetest.Try(t, dir, store.Options{NoSync: true, Shared: storetest.OnPostgres()}, budget.Schema(), continual.Schema(), stream.Schema())
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close()
	clock := func() time.Time { return began.Add(12 * time.Hour) }
	ledger := openLedger(t, shared, false, clock)
	if err := ledger.Declare(t.Context(), patientDays()); err != nil {
		t.Fatal(err)
	}
	p := plan(t, patientDays(), stays(), asked(t, stays(), false, false, 1, 0), hourly())
	open := func(db store.DB, n int) *stream.Publisher {
		h := &hospital{}
		for hour := range 12 * n { // they do not even see the same rows
			h.admit(stay{fmt.Sprint(n, hour), "icu", began.Add(time.Duration(hour) * time.Hour), 1})
		}
		pub, err := stream.NewPublisher(stream.Options{
			DB: db, Seal: aead(1), Ledger: ledger, Clock: clock,
			Source: func(context.Context, string) (stream.Source, error) { return stream.Source{Engine: h}, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		pub.Set([]*stream.Plan{p})
		return pub
	}
	all := []*stream.Publisher{open(shared, 1), open(shared, 2), open(shared, 3)}
	var wg sync.WaitGroup
	for _, pub := range all {
		wg.Go(func() {
			for range 2 {
				if err := pub.CatchUp(t.Context()); err == nil {
					return
				}
			}
			t.Error("a gateway did not catch up")
		})
	}
	wg.Wait()
	var first string
	for i, pub := range all {
		got, err := pub.Read(t.Context(), stream.Ask{Dataset: "stays", Stream: "admissions", Points: 12})
		if err != nil || len(got.Points) != 12 {
			t.Fatalf("gateway %d reads %v, %v", i, got, err)
		}
		if now := fmt.Sprint(got.Points); first == "" {
			first = now
		} else if now != first {
			t.Errorf("gateways read %s and %s", first, now)
		}
	}
	spent := func() int64 {
		st, err := ledger.Remaining(t.Context(), budget.Scope{Dataset: "stays"}, budget.Range{})
		if err != nil {
			t.Fatal(err)
		}
		return st[0].Spent.Rho
	}
	once := spent()
	if once > 2*20_000_000 {
		t.Errorf("two epochs cost %d nano-ρ, which is more than two", once)
	}
	own := storetest.Open(t, continual.Schema(), stream.Schema())
	if err := open(own, 1).CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := spent(); got != 2*once {
		t.Errorf("with a stream of its own for a second gateway %d is spent, want %d", got, 2*once)
	}
}

// A publisher that runs takes steps by itself, stops what is taken out, and ends with its context.
func TestAPublisherRuns(t *testing.T) {
	r := openRig(t, patientDays())
	p := plan(t, patientDays(), stays(), asked(t, stays(), false, false, 1, 0), hourly())
	r.at(began.Add(3 * time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	time.Sleep(10 * time.Millisecond)
	r.Set([]*stream.Plan{p})
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if in, err := r.Stream(t.Context(), "stays", "admissions"); err == nil && in.Step == 3 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no step was taken")
		}
	}
	r.Set(nil)
	cancel()
	<-done
}

// What is released is as far off as the table for streams says, about the true sums, and intervals hold the true sum as often as they say.
func TestReleasesAreAsFarOffAsTheTableSays(t *testing.T) {
	path := filepath.Join(os.Getenv("SCRIM_DATA"), "accounting", "streaming_golden.json")
	text, err := os.ReadFile(path)
	if err != nil {
		const why = "the table is not there: set SCRIM_DATA to the folder that holds accounting"
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	var golden struct {
		Values []struct {
			T        int
			RootMax  float64 `json:"sqrt_fact_rmse_max"`
			RootMean float64 `json:"sqrt_fact_rmse_mean"`
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(golden.Values, func(v struct {
		T        int
		RootMax  float64 `json:"sqrt_fact_rmse_max"`
		RootMean float64 `json:"sqrt_fact_rmse_mean"`
	}) bool {
		return v.T == 128
	})
	if i < 0 {
		t.Fatal("the table has no row of 128 steps")
	}
	want := golden.Values[i]
	const multiplier, runs, groups = 100, 14, 3 // σ is a hundred times one unit's part, so that rounding does not count
	b := patientDays()
	b.Unit = budget.Unit{Name: "event", Window: time.Hour}
	def := hourly()
	def.Method, def.Horizon, def.Epochs, def.Band, def.Delta = continual.SquareRoot, 128, 1, 128, 0
	def.Rho = 500_000_000 / (multiplier * multiplier)
	b.Plan.Epsilon = 100_000_000_000
	q := asked(t, stays(), false, true, 1, 1) // the noise of groups is drawn apart
	r := openRig(t, b)
	r.source.admit(stay{"a", "icu", began.Add(40*time.Hour + 1), 1})
	var plans []*stream.Plan
	for n := range runs {
		d := def
		d.Name = fmt.Sprint("run-", n)
		plans = append(plans, plan(t, b, stays(), q, d))
	}
	r.restart(plans...)
	r.at(began.Add(128 * time.Hour))
	r.catchUp()
	squares, last, in, all := 0.0, 0.0, 0, 0
	for n := range runs {
		got, err := r.Read(t.Context(), stream.Ask{Dataset: "stays", Stream: fmt.Sprint("run-", n), Points: 128})
		if err != nil {
			t.Fatal(err)
		}
		for _, pt := range got.Points {
			for g, c := range pt.Cells {
				truth := int64(0)
				if pt.Step > 40 && g == 0 {
					truth = 1
				}
				x := float64(c.Sum-truth) / multiplier
				squares += x * x
				if pt.Step == 128 {
					last += x * x
				}
				all++
				if c.Low <= truth && truth <= c.High {
					in++
				}
			}
		}
	}
	mean, end := math.Sqrt(squares/float64(all)), math.Sqrt(last/runs/groups)
	t.Logf("128 steps, %d runs: root mean square %.3f, table %.3f; of the last step %.3f, table %.3f; %.1f%% of intervals hold the truth", runs, mean, want.RootMean, end, want.RootMax, 100*float64(in)/float64(all))
	// Steps of one run are correlated: as good as about 5 draws each, so the mean has a relative error of about 5 %. Three tenths off is
	// less than once in a million.
	if math.Abs(mean/want.RootMean-1) > 0.3 {
		t.Errorf("the root mean square error is %.3f, want %.3f", mean, want.RootMean)
	}
	if math.Abs(end/want.RootMax-1) > 0.7 { // 42 draws: a relative error of 11 %, and chi-square is skewed
		t.Errorf("that of the last step is %.3f, want %.3f", end, want.RootMax)
	}
	if share := float64(in) / float64(all); share < 0.88 {
		t.Errorf("%.1f%% of intervals hold the truth, want 95%%", 100*share)
	}
}
