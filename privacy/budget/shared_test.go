//go:build unix

package budget_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// openShared returns a ledger on a PostgreSQL schema that others may have open too, and where it is.
func openShared(t testing.TB, dir string, change ...func(*budget.Options)) (*house, order) {
	t.Helper()
	url, schema := storetest.Postgres(t, dir)
	db, err := store.OpenPostgres(t.Context(), url, []store.Schema{budget.Schema()}, store.Options{Schema: schema, Shared: true, NoSync: true})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	h := openDB(t, db, newClock(), append(change, func(o *budget.Options) { o.Shared = true })...)
	return h, order{URL: url.Expose(), Schema: schema}
}

// Four processes on one database spend exactly what there is, each charge in the shared rows.
func TestFourProcessesSpendExactlyWhatThereIs(t *testing.T) {
	if testing.Short() {
		t.Skip("runs processes and a database server")
	}
	h, o := openShared(t, t.TempDir())
	h.declare(t, patients(nano, 0))
	o.Each, o.Spenders = 1_234_567, 8 // 810 of them fit
	n := int64(0)
	for _, each := range together(t, o, 4, nil) {
		n += each
	}
	if late := together(t, o, 1, nil)[0]; n != 810 || late != 0 {
		t.Errorf("four processes spent %d times and one after them %d times, want 810 and none", n, late)
	}
	if got := h.spent(t, claims, 0).Epsilon; got != 810*o.Each {
		t.Errorf("spent %d nano-ε, want %d", got, 810*o.Each)
	}
	if r := h.sound(t); len(r.Heads) != 6 || r.Open != 0 { // each process begins a chain, also one that comes when nothing is left
		t.Errorf("%d chains, %d charges open, want 6 and 0", len(r.Heads), r.Open)
	}
}

// With leased slices they spend no more than there is, nothing is left over when all have ended in order, and what a killed process
// held stays charged.
func TestFourProcessesWithSlices(t *testing.T) {
	if testing.Short() {
		t.Skip("runs processes and a database server")
	}
	const each = 500_000 // 2000 fit
	for name, c := range map[string]struct {
		holds, killed bool // one process holds the rest of a slice for ever; one is killed when it has spent, wherever it is
	}{
		"all end in order":          {},
		"one is killed":             {killed: true},
		"one is killed with a rest": {holds: true},
	} {
		t.Run(name, func(t *testing.T) {
			h, o := openShared(t, t.TempDir())
			h.declare(t, patients(nano, 0))
			o.Each, o.Spenders, o.Lease = each, 8, time.Minute
			spent := func() int64 { return h.spent(t, claims, 0).Epsilon / each }
			n, children := int64(0), 4
			var kill func(n int, p *process)
			switch {
			case c.killed:
				kill = func(n int, p *process) {
					if n == 20 {
						_ = p.Process.Kill()
					}
				}
			case c.holds:
				holder := o
				holder.Hold, holder.Lease = 20, time.Hour
				first := start(t, holder)
				for n < 20 && first.out.Scan() {
					if first.out.Text() == "spent" {
						n++
					}
				}
				kill = func(n int, _ *process) {
					if n == 1 {
						_ = first.Process.Kill()
					}
				}
				children = 3
				defer func() { _ = first.Wait() }()
			}
			for _, each := range together(t, o, children, kill) {
				n += each
			}
			if c.holds {
				kill(1, nil) // if that one spent nothing
			}
			alone(t, h)
			r, took := h.sound(t), spent()
			if took > 2000 || n > took || n+r.Leased+8 < took { // each of its spenders may have had one that it could not tell of
				t.Errorf("%d charges were acknowledged, the sums hold %d of 2000, %d are in slices that nobody holds", n, took, r.Leased)
			}
			if left := map[bool]int64{true: 64 - 20}[c.holds]; !c.killed && (r.Leased != left || n+left != took) {
				t.Errorf("%d charges were acknowledged, the sums hold %d, %d are in slices that nobody holds; want %d there, and no others lost", n, took, r.Leased, left)
			}
			// Slices may have kept the others from the last few while they were out; now nobody holds any.
			rest := int64(0)
			for h.spend(budget.Charge{Scope: agent1, Cost: pure(each)}, "") == nil {
				rest++
			}
			if took+rest != 2000 {
				t.Errorf("%d were spent and %d more were there, want 2000 together", took, rest)
			}
			t.Logf("%d acknowledged, %d lost with slices, %d left", n, r.Leased, rest)
		})
	}
}

// together runs children at once and counts what each spent. kill is told of each charge of the first one.
func together(t *testing.T, o order, children int, kill func(int, *process)) []int64 {
	t.Helper()
	counts := make([]int64, children)
	var all sync.WaitGroup
	for i := range children {
		p := start(t, o)
		all.Go(func() {
			for p.out.Scan() {
				if p.out.Text() == "spent" {
					counts[i]++
					if i == 0 && kill != nil {
						kill(int(counts[i]), p)
					}
				}
			}
			if err := p.Wait(); err != nil && (i > 0 || kill == nil) {
				t.Errorf("a child: %v: %s", err, p.stderr.String())
			}
		})
	}
	all.Wait()
	return counts
}

// alone returns when no other process has a session on the database: of one that was killed, the server may still do what it had received.
func alone(t *testing.T, h *house) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		others := 0
		must(t, h.db.View(t.Context(), func(tx store.Tx) error {
			return tx.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'scrim %' AND application_name <> current_setting('application_name')").Scan(&others)
		}))
		if others == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d sessions of processes that have ended are still there", others)
		}
	}
}

// Two processes that meet at one key make one charge of it, and each gets the one answer.
func TestOneKeyInTwoProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a database server")
	}
	dir := t.TempDir()
	one, _ := openShared(t, dir)
	two, _ := openShared(t, dir)
	one.declare(t, patients(nano, 0))
	for i := range 20 {
		c := keyed(i, 1_000_000, 0)
		type result struct {
			r   *budget.Reservation
			err error
		}
		results := make(chan result, 2)
		for _, h := range []*house{one, two} {
			go func() {
				r, err := h.reserve(c)
				results <- result{r, err}
			}()
		}
		var winner *budget.Reservation
		for range 2 {
			got := <-results
			if got.err != nil {
				want(t, "the second", got.err, budget.ErrPending)
			} else if winner != nil {
				t.Fatal("both processes may draw for one key")
			} else {
				winner = got.r
			}
		}
		must(t, winner.Commit(t.Context(), []byte("the answer")))
		for _, h := range []*house{one, two} {
			r, err := h.reserve(c)
			must(t, err)
			if a, ok := r.Answer(); !ok || string(a) != "the answer" {
				t.Errorf("answer = %q, %t, want the one answer", a, ok)
			}
		}
	}
	if got := one.spent(t, claims, 0).Epsilon; got != 20*1_000_000 {
		t.Errorf("spent %d nano-ε, want 20 charges", got)
	}
	one.sound(t)
}

// What a killed process had reserved is nobody else's to draw for, and what it had answered is everybody's who has the key.
func TestKilledOnASharedDatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("runs processes and a database server")
	}
	h, o := openShared(t, t.TempDir())
	h.declare(t, patients(nano, 0))
	o.First, o.Each = 1, 10_000
	answers := map[int]string{}
	open := 0
	for range times(2) {
		last := killWithin(t, o, answers)
		alone(t, h)
		for i := o.First; i <= last; i++ {
			got, stored, err := ask(h, i, o.Each)
			switch known, ok := answers[i]; {
			case ok && got != known:
				t.Fatalf("key %d gives %q, %v; it gave %q before", i, got, err, known)
			case !ok && stored:
				answers[i] = got
			case !ok && errors.Is(err, budget.ErrPending):
				open++
			case !ok:
				t.Fatalf("key %d: %v, want ErrPending: who reserved it may still be there", i, err)
			}
		}
		_, stored, err := ask(h, last+1, o.Each) // new, unless it was reserved just before the end
		if err == nil && !stored || errors.Is(err, budget.ErrPending) {
			open++
		}
		if keys := h.spent(t, claims, 0).Epsilon / o.Each; keys != int64(last+1) {
			t.Fatalf("%d charges are in the sums, want one for each of %d keys", keys, last+1)
		}
		if r := h.sound(t); r.Open != int64(open) {
			t.Errorf("%d charges are open, want %d", r.Open, open)
		}
		o.First = last + 2
	}
}
