package audit_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/store/storetest"
)

// moving is a clock that a test sets.
type moving struct{ at atomic.Pointer[time.Time] }

func (m *moving) set(year, month, day int) {
	t := time.Date(year, time.Month(month), day, 12, 0, 0, 0, time.UTC)
	m.at.Store(&t)
}

func (m *moving) now() time.Time { return *m.at.Load() }

// Each month has a tree of its own, which names the end of the one before. A clock that goes back begins none, and a change of the
// period in the configuration holds for what comes.
func TestPeriodsFollowOneAnother(t *testing.T) {
	db, dir, kept := storetest.Open(t, audit.Schema()), t.TempDir(), t.TempDir()
	var clock moving
	clock.set(2026, 11, 30)
	opt := audit.Options{Dir: dir, Archive: kept, Period: audit.Month, Clock: clock.now}
	l := openLog(t, db, opt)
	write(t, db, l, 1, 3)
	clock.set(2026, 12, 1)
	if r := write(t, db, l, 4, 5)[0]; r.Seq != 4 || r.Index != 1 || r.Log != origin+"/2026-12" {
		t.Errorf("the first row of December has receipt %+v", r)
	}
	clock.set(2026, 11, 30)
	if r := write(t, db, l, 6, 6)[0]; r.Index != 3 || r.Log != origin+"/2026-12" {
		t.Errorf("a row when the clock went back has receipt %+v", r)
	}
	clock.set(2027, 2, 1)
	write(t, db, l, 7, 7)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	opt.Period = audit.Year
	l = openLog(t, db, opt)
	write(t, db, l, 8, 9)
	opt.Period = audit.Month
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, db, opt)
	write(t, db, l, 10, 10) // February has had its tree
	report, err := l.Verify(t.Context())
	if err != nil || report.Entries != 10 || report.Covered != 10 || report.Trees != 4 || report.Archived < 4 {
		t.Errorf("Verify() = %+v, %v, want 10 rows in 4 trees", report, err)
	}
	want := []audit.Tree{{"2026-11", origin + "/2026-11", 1}, {"2026-12", origin + "/2026-12", 4}, {"2027-02", origin + "/2027-02", 7}, {"2027", origin + "/2027", 8}}
	got := l.Trees()
	if len(got) != len(want) {
		t.Fatalf("Trees() = %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("tree %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	if tree, ok := l.TreeOf(6); !ok || tree != want[1] {
		t.Errorf("TreeOf(6) = %+v, %v", tree, ok)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "2026-12")); err != nil {
		t.Fatal(err)
	}
	_, err = audit.Verify(t.Context(), db, dir, origin, public(key(1)))
	wantTampered(t, err, 4, "2026-12 is not there")
}

// Rows past their retention keep what finds them, and their event is read from the log.
func TestPrunedRowsAreReadFromTheLog(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	var clock moving
	clock.set(2026, 11, 25)
	l := openLog(t, db, audit.Options{Dir: t.TempDir(), Retention: 48 * time.Hour, Clock: clock.now})
	var needed atomic.Int64
	needed.Store(301)
	l.Needs("a follower", needed.Load)
	write(t, db, l, 1, 400) // of November 22
	early, err := l.Prune(t.Context())
	if _, none := l.Tree("").Checkpoint(t.Context()); err != nil || none != nil && early != 0 {
		t.Errorf("Prune() of rows that no checkpoint covers = %d, %v, want none", early, err)
	}
	checkpoint(t, l)
	if n, err := l.Prune(t.Context()); err != nil || n != 300-early { // early is 0 unless so many rows took the machine longer than until a checkpoint
		t.Errorf("Prune() = %d after %d, %v, want the 300 rows that nobody needs", n, early, err)
	}
	needed.Store(0)
	if n, err := l.Prune(t.Context()); err != nil || n != 100 {
		t.Errorf("Prune() = %d, %v, want the other 100 rows", n, err)
	}
	clock.set(2026, 11, 23)
	write(t, db, l, 401, 402)
	i := 0
	for e, err := range l.Entries(t.Context(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		i++
		want := event(i)
		want.Time = want.Time.UTC()
		if e.Seq != int64(i) || mustJSON(t, e.Event) != mustJSON(t, want) || e.Pruned != (i <= 400) || e.Pruned && e.Sealed != nil {
			t.Fatalf("entry %d is %+v", i, e)
		}
	}
	if i != 402 {
		t.Errorf("Entries() gave %d, want 402", i)
	}
	for e, err := range l.Entries(t.Context(), audit.Query{Flow: "f7"}) {
		if err != nil || e.Seq != 7 || !e.Pruned {
			t.Errorf("the pruned row of a flow is %+v, %v", e, err)
		}
	}
	for _, err := range audit.Entries(t.Context(), db, audit.Query{Flow: "f7"}) {
		if !errors.Is(err, audit.ErrPruned) {
			t.Errorf("Entries() without the log's files: error = %v, want ErrPruned", err)
		}
	}
	if report, err := l.Verify(t.Context()); err != nil || report.Pruned != 400 || report.Covered != 402 {
		t.Errorf("Verify() = %+v, %v, want 402 rows of which 400 are pruned", report, err)
	}
	exec(t, db, "UPDATE audit_entries SET flow = 'f9' WHERE seq = 8")
	_, err = l.Verify(t.Context())
	wantTampered(t, err, 8, "index")
	_ = l.Close(context.Background())
}
