//go:build unix

package budget_test

import (
	"context"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
)

// undoing is a database that holds an update until it is told to go on, and undoes it then.
type undoing struct {
	store.DB
	began, on chan struct{}
	undo      bool
}

func (u *undoing) Update(ctx context.Context, fn func(store.Tx) error) error {
	if u.began == nil {
		return u.DB.Update(ctx, fn)
	}
	u.began <- struct{}{}
	<-u.on
	return u.DB.Update(ctx, func(tx store.Tx) error {
		if err := fn(tx); err != nil || !u.undo {
			return err
		}
		return errLine
	})
}

// What a transaction read of a declaration of its own is not remembered if it was undone: another process may declare the dataset
// otherwise.
func TestAnUndoneDeclarationIsNotRemembered(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a database server")
	}
	dir := t.TempDir()
	other, _ := openShared(t, dir)
	line := &undoing{DB: other.db}
	h := openDB(t, line, newClock(), func(o *budget.Options) { o.Shared = true })
	line.began, line.on = make(chan struct{}), make(chan struct{})
	go func() { _, _ = h.reserve(budget.Charge{Scope: claims, Cost: pure(1)}) }()
	<-line.began // so that what comes now is put into one transaction
	errs := make(chan error, 2)
	waiting := func(n int) {
		for h.Waiting() < n {
			time.Sleep(time.Millisecond)
		}
	}
	go func() { errs <- h.Declare(context.Background(), patients(nano, 0)) }()
	waiting(1)
	go func() { errs <- h.SetQuota(context.Background(), insurer, &budget.Plan{Epsilon: nano}) }()
	waiting(2)
	line.on <- struct{}{}
	<-line.began
	line.undo = true
	line.on <- struct{}{}
	for range 2 {
		want(t, "what was undone", <-errs, errLine)
	}
	line.undo = false
	go func() { // from here on nothing is held
		for range line.began {
			line.on <- struct{}{}
		}
	}()
	t.Cleanup(func() { close(line.began) })

	b := patients(nano, 0)
	b.Blocks = budget.Blocks{Kind: budget.BlocksHash, Count: 3}
	other.declare(t, b)
	_, err := h.reserve(budget.Charge{Scope: insurer, Cost: pure(1000)})
	must(t, err)
	for block := range int64(3) {
		if got := other.spent(t, claims, block).Epsilon; got != 1000 {
			t.Errorf("block %d: %d nano-ε, want the charge, which is about all blocks", block, got)
		}
	}
	must(t, h.Close(t.Context()))
}
