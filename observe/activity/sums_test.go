package activity_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/activity"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

func schemas() []store.Schema { return []store.Schema{audit.Schema(), activity.Schema()} }

// write puts events at the end of the journal, as it stores them.
func write(t testing.TB, db store.DB, all ...flow.Event) {
	t.Helper()
	err := db.Update(t.Context(), func(tx store.Tx) error {
		var last int64
		if err := tx.QueryRow("SELECT COALESCE(MAX(seq), 0) FROM audit_entries").Scan(&last); err != nil {
			return err
		}
		for i := range all {
			raw, err := json.Marshal(all[i])
			if err != nil {
				return err
			}
			last++
			if _, err := tx.Exec("INSERT INTO audit_entries (seq, flow, parent, event, proof) VALUES (?, ?, '', ?, ?)", last, string(all[i].Flow.ID), raw, []byte{1}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func options(db store.DB, now time.Time) activity.Options {
	return activity.Options{
		DB: db, Clock: func() time.Time { return now },
		Entries: func(ctx context.Context, q audit.Query) iter.Seq2[audit.Entry, error] {
			return audit.Entries(ctx, db, q)
		},
		Settled: func() (n int64) {
			_ = db.View(context.Background(), func(tx store.Tx) error {
				return tx.QueryRow("SELECT COALESCE(MAX(seq), 0) FROM audit_entries").Scan(&n)
			})
			return n
		},
	}
}

func over(t testing.TB, db store.DB, d time.Duration, now time.Time) activity.Overview {
	t.Helper()
	o, err := activity.Over(t.Context(), db, activity.Last(d, now))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestSumsAreThoseOfTheJournal: by minute, hour and day the same is added up, and it is what the events say.
func TestSumsAreThoseOfTheJournal(t *testing.T) {
	db := storetest.Open(t, schemas()...)
	now := began.Add(2 * time.Hour)
	var all []flow.Event
	for n := range 3000 {
		all = append(all, event(n))
	}
	own := flow.Party{Domain: "hospital"}
	all = append(all,
		flow.Event{Time: began, Outcome: flow.Changed, Flow: flow.Flow{ID: "c", From: own, To: own}},
		flow.Event{Time: began, Outcome: flow.Opened, Flow: flow.Flow{ID: "s", From: own, To: flow.Party{Domain: "lab"}}},
		flow.Event{Time: began, Outcome: flow.Segment, Flow: flow.Flow{ID: "s", From: own, To: flow.Party{Domain: "lab"}}, Bytes: 7, Levels: []flow.LevelCount{{Label: "person/name", Level: flow.Raw, Count: 4}}},
		flow.Event{Time: began, Outcome: flow.Closed, Flow: flow.Flow{ID: "s", From: own, To: flow.Party{Domain: "lab"}}},
		flow.Event{Time: began, Outcome: flow.Refused, Reason: "\x00<b>", Flow: flow.Flow{ID: "h", From: flow.Party{Domain: "a\x00b\xff"}, Purpose: flow.Purpose(strings.Repeat("é", 500))}},
	)
	write(t, db, all...)
	s := activity.New(options(db, now))
	if err := s.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	var last activity.Overview
	for i, d := range []time.Duration{3 * time.Hour, 24 * time.Hour, 30 * 24 * time.Hour} {
		o := over(t, db, d, now)
		if o.Flows != 3002 || o.Refused != 430 || o.Bytes != 2571*100+7 || o.Seq != int64(len(all)) {
			t.Errorf("over %v: %d flows, %d refused, %d bytes up to %d", d, o.Flows, o.Refused, o.Bytes, o.Seq)
		}
		sum := int64(0)
		for _, p := range o.Points {
			sum += p.Flows
		}
		if sum != o.Flows {
			t.Errorf("over %v: the points are of %d flows, want %d", d, sum, o.Flows)
		}
		o.Points, o.Span = nil, activity.Span{}
		if i > 0 && !reflect.DeepEqual(o, last) {
			t.Errorf("over %v: %+v\nis not\n%+v", d, o, last)
		}
		last = o
	}
	lab := activity.Way{From: "hospital", To: "lab", Flows: 1, Bytes: 7, Highest: int(flow.Raw)}
	found := false
	for _, w := range last.Ways {
		found = found || w == lab
	}
	if !found {
		t.Errorf("ways %+v do not have %+v", last.Ways, lab)
	}
	if len(last.Refusals) != 2 || last.Refusals[0] != (activity.Refusals{Rule: "policy", Count: 429}) || last.Refusals[1].Rule != "other" {
		t.Errorf("refusals = %+v", last.Refusals)
	}
	raw := activity.Shown{Label: "person/name", To: "lab", Level: flow.Raw, Count: 4}
	if got := last.Shown[len(last.Shown)-1]; got != raw {
		t.Errorf("shown = %+v, want %+v last", last.Shown, raw)
	}
}

// TestNamesThatAreMadeUpFillNothing: whoever makes up names gets a bounded number of rows for them, and every flow is counted nevertheless.
func TestNamesThatAreMadeUpFillNothing(t *testing.T) {
	db := storetest.Open(t, schemas()...)
	now := began.Add(time.Hour)
	opt := options(db, now)
	opt.Names = 20
	s := activity.New(opt)
	for round := range 3 {
		var all []flow.Event
		for n := range 400 {
			ev := event(1)
			ev.Flow.To.Domain = flow.DomainID(fmt.Sprintf("made-up-%d-%d", round, n))
			all = append(all, ev)
		}
		write(t, db, all...)
		if err := s.Catch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	o := over(t, db, time.Hour, now)
	if o.Flows != 1200 || len(o.Ways) != 21 || len(o.Shown) > 22 {
		t.Errorf("%d flows in %d ways and %d sums of levels, want 1200 in 21 and at most 22", o.Flows, len(o.Ways), len(o.Shown))
	}
	if o.Ways[0].To != activity.Others || o.Ways[0].Flows != 1180 {
		t.Errorf("the first way is %+v, want that of the others", o.Ways[0])
	}
}

// TestOldSumsGo: what is older than it is kept is neither kept nor added.
func TestOldSumsGo(t *testing.T) {
	db := storetest.Open(t, schemas()...)
	write(t, db, event(1))
	now := began.Add(time.Hour)
	opt := options(db, now)
	opt.Clock = func() time.Time { return now }
	s := activity.New(opt)
	if err := s.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	count := func() (n [3]int) {
		err := db.View(t.Context(), func(tx store.Tx) error {
			for u := range n {
				if err := tx.QueryRow("SELECT COUNT(*) FROM activity_flows WHERE unit = ?", u).Scan(&n[u]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := count(); got != [3]int{1, 1, 1} {
		t.Fatalf("rows = %v, want one of each unit", got)
	}
	for _, c := range []struct {
		after time.Duration
		want  [3]int
	}{{72 * time.Hour, [3]int{0, 1, 1}}, {60 * 24 * time.Hour, [3]int{0, 0, 1}}, {5 * 365 * 24 * time.Hour, [3]int{}}} {
		now = began.Add(c.after)
		write(t, db, event(1)) // as old
		if err := s.Catch(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := count(); got != c.want {
			t.Errorf("after %v rows = %v, want %v", c.after, got, c.want)
		}
	}
}

const killDir = "SCRIM_TEST_ACTIVITY_DIR"

// TestSumsThatAreKilled is the child process: it writes rows and adds them up, until it is killed.
func TestSumsThatAreKilled(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("this is the process that TestEachRowCountsOnce kills")
	}
	db := storetest.OpenDir(t, dir, schemas()...)
	s := activity.New(options(db, began.Add(time.Hour)))
	from, _ := strconv.Atoi(os.Getenv(killDir + "_FROM"))
	for n := from; ; n += 5 {
		write(t, db, event(n), event(n+1), event(n+2), event(n+3), event(n+4))
		if _, err := s.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("\nstep %d\n", n)
	}
}

// TestEachRowCountsOnce: a process that adds up is killed at any instant, again and again; each row is in the sums once.
func TestEachRowCountsOnce(t *testing.T) {
	storetest.Prepare(t)
	dir := t.TempDir()
	for round := range 4 {
		cmd := osexec.Command(os.Args[0], "-test.run=^TestSumsThatAreKilled$", "-test.v")
		cmd.Env = append(os.Environ(), killDir+"="+dir, fmt.Sprintf("%s_FROM=%d", killDir, round*1000))
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		steps := 0
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if strings.HasPrefix(sc.Text(), "step ") {
				if steps++; steps == 1 {
					time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { _ = cmd.Process.Kill() })
				}
			}
		}
		_ = cmd.Wait() // it was killed
		if steps == 0 {
			t.Fatalf("round %d added up nothing", round)
		}
	}
	db := storetest.OpenDir(t, dir, schemas()...)
	now := began.Add(time.Hour)
	if err := activity.New(options(db, now)).Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	var want, refused int64
	for e, err := range audit.Entries(t.Context(), db, audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		want++
		if e.Event.Outcome == flow.Refused {
			refused++
		}
	}
	if o := over(t, db, 30*24*time.Hour, now); o.Flows != want || o.Refused != refused || want == 0 {
		t.Errorf("the sums are of %d flows and %d refused, the journal has %d and %d", o.Flows, o.Refused, want, refused)
	}
}

// TestAStepThatFailsCountsNothing: sums and cursor are one transaction, and a second one that adds up is noticed.
func TestAStepThatFailsCountsNothing(t *testing.T) {
	db := storetest.Open(t, schemas()...)
	now := began.Add(time.Hour)
	write(t, db, event(1), event(2), event(3))
	broken := &failing{DB: db, fail: true}
	opt := options(db, now)
	opt.DB = broken
	s := activity.New(opt)
	if _, err := s.Step(t.Context()); err == nil {
		t.Fatal("a step whose transaction fails says nothing")
	}
	if o := over(t, db, time.Hour, now); o.Flows != 0 {
		t.Errorf("a step that failed counted %d flows", o.Flows)
	}
	broken.fail = false
	if err := s.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := activity.New(options(db, now))
	if err := other.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, db, event(4))
	if err := other.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, db, event(5))
	if _, err := s.Step(t.Context()); err == nil {
		t.Error("that somebody else adds up was not noticed")
	}
	if err := s.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o := over(t, db, time.Hour, now); o.Flows != 5 {
		t.Errorf("%d flows are counted, want 5", o.Flows)
	}
}

type failing struct {
	store.DB
	fail bool
}

func (f *failing) Update(ctx context.Context, fn func(store.Tx) error) error {
	return f.DB.Update(ctx, func(tx store.Tx) error {
		if err := fn(tx); err != nil || !f.fail {
			return err
		}
		return errors.New("the disk is full")
	})
}

// BenchmarkOver is what the first page asks of the sums, where SCRIM_FLOWS flows of the last day were recorded; the goal is a few milliseconds with a million.
// They go between 12 domains for 8 purposes.
func BenchmarkOver(b *testing.B) {
	n := 20_000
	if s := os.Getenv("SCRIM_FLOWS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	db, err := store.Open(b.Context(), b.TempDir(), schemas(), store.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	rng := rand.New(rand.NewPCG(1, 2))
	all := make([]flow.Event, 0, 5000)
	for i := range n {
		ev := event(1 + i%7*6)
		ev.Time = began.Add(time.Duration(i) * 24 * time.Hour / time.Duration(n))
		ev.Flow.From.Domain, ev.Flow.To.Domain = flow.DomainID(fmt.Sprintf("d%d", rng.IntN(12))), flow.DomainID(fmt.Sprintf("d%d", rng.IntN(12)))
		ev.Flow.Purpose = flow.Purpose(fmt.Sprintf("p%d", rng.IntN(8)))
		if all = append(all, ev); len(all) == cap(all) || i == n-1 {
			write(b, db, all...)
			all = all[:0]
		}
	}
	now := began.Add(24 * time.Hour)
	start := time.Now()
	if err := activity.New(options(db, now)).Catch(b.Context()); err != nil {
		b.Fatal(err)
	}
	caught := time.Since(start)
	for _, d := range []time.Duration{time.Hour, 24 * time.Hour, 30 * 24 * time.Hour} {
		b.Run(d.String(), func(b *testing.B) {
			for b.Loop() {
				if o := over(b, db, d, now); o.Flows == 0 {
					b.Fatal("there is nothing")
				}
			}
			b.ReportMetric(float64(caught.Microseconds())/float64(n), "µs/row-added-up")
		})
	}
}
