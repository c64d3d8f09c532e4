package budget_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// flaky is a database whose answers can be lost.
type flaky struct {
	store.DB
	mu    sync.Mutex
	lose  int  // so many updates are made, and their answers lost
	fail  int  // so many updates are not made
	blind bool // nothing can be read
}

var errLine = errors.New("the line is dead")

func (f *flaky) set(lose, fail int, blind bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lose, f.fail, f.blind = lose, fail, blind
}

func (f *flaky) Update(ctx context.Context, fn func(store.Tx) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail > 0 {
		f.fail--
		return errLine
	}
	err := f.DB.Update(ctx, fn)
	if err == nil && f.lose > 0 {
		f.lose--
		return errLine
	}
	return err
}

func (f *flaky) View(ctx context.Context, fn func(store.Tx) error) error {
	f.mu.Lock()
	blind := f.blind
	f.mu.Unlock()
	if blind {
		return errLine
	}
	return f.DB.View(ctx, fn)
}

// A transaction whose answer was lost is looked for. What was made counts as made, and what was not is charged to nobody.
func TestALostAnswerIsLookedFor(t *testing.T) {
	const each = nano / 100
	db := &flaky{DB: storetest.Open(t, budget.Schema())}
	h := openDB(t, db, newClock(), func(o *budget.Options) { o.Slice = 4 })
	h.declare(t, patients(nano, 0))
	c := budget.Charge{Scope: agent1, Cost: pure(each), Key: "k1", Request: digest("q")}
	db.set(1, 0, false)
	r, err := h.reserve(c)
	must(t, err) // made, although the database said no
	db.set(0, 1, false)
	want(t, "a commit that was not made", r.Commit(t.Context(), []byte("a")), errLine)
	want(t, "another answer than the one that may be out", r.Commit(t.Context(), []byte("b")), budget.ErrConflict)
	db.set(1, 0, false)
	must(t, r.Commit(t.Context(), []byte("a")))

	db.set(0, 1, false)
	_, err = h.reserve(budget.Charge{Scope: agent1, Cost: pure(each)})
	want(t, "a charge that was not made", err, errLine)
	if got := h.spent(t, claims, 0).Epsilon; got != each {
		t.Errorf("spent %d nano-ε, want one charge", got)
	}

	// As long as nobody can say, nothing is charged; then all of it is as it was made.
	r, err = h.reserve(budget.Charge{Scope: agent1, Cost: pure(each), Key: "k2", Request: digest("q")})
	must(t, err)
	db.set(1, 0, true)
	want(t, "a commit that nobody can tell of", r.Commit(t.Context(), []byte("z")), errLine)
	_, err = h.reserve(budget.Charge{Scope: agent1, Cost: pure(each)})
	want(t, "a charge meanwhile", err, errLine)
	db.set(0, 0, false)
	must(t, r.Commit(t.Context(), []byte("z"))) // it had been
	again, err := h.reserve(budget.Charge{Scope: agent1, Cost: pure(each), Key: "k2", Request: digest("q")})
	must(t, err)
	if a, ok := again.Answer(); !ok || string(a) != "z" {
		t.Errorf("answer = %q, %t, want the one that was committed", a, ok)
	}

	// A release that nobody can tell of may have been made: whoever begins all the same keeps his answer to himself.
	r, err = h.reserve(budget.Charge{Scope: agent1, Cost: pure(each)})
	must(t, err)
	db.set(1, 0, true)
	want(t, "a release that nobody can tell of", r.Release(t.Context()), errLine)
	must(t, r.Begin())
	db.set(0, 0, false)
	want(t, "a commit of what was released", r.Commit(t.Context(), nil), budget.ErrState)

	// A slice that was leased in such a transaction is neither lost nor spent twice.
	db.set(1, 0, true)
	_, err = h.reserve(budget.Charge{Scope: agent1, Cost: pure(each), Lease: time.Minute})
	want(t, "a lease that nobody can tell of", err, errLine)
	db.set(0, 0, false)
	for range 3 {
		must(t, h.spend(budget.Charge{Scope: agent1, Cost: pure(each), Lease: time.Minute}, ""))
	}
	if got := h.spent(t, claims, 0).Epsilon; got != 6*each {
		t.Errorf("spent %d nano-ε, want two charges and a slice of four", got)
	}
	h.sound(t)
	h = h.again(t)
	h.sound(t)
}

// Two ledgers that write by one name on a database that each has for itself do not both go on.
func TestTwoThatWriteByOneName(t *testing.T) {
	db := storetest.Open(t, budget.Schema())
	one, two := openDB(t, db, newClock()), openDB(t, db, newClock())
	one.declare(t, patients(nano, 0))
	want(t, "the other", two.SetQuota(t.Context(), insurer, &budget.Plan{Epsilon: 1}), budget.ErrChain)
	must(t, one.spend(budget.Charge{Scope: agent1, Cost: pure(1)}, ""))
	one.sound(t)
}
