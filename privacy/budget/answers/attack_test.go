package answers_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/budget/answers"
	"github.com/scrimhq/scrim/store"
)

// faulty is a database that takes no more writes while it is told so.
type faulty struct {
	store.DB
	down atomic.Bool
}

var errDown = errors.New("the disk is full")

func (f *faulty) Update(ctx context.Context, fn func(store.Tx) error) error {
	if f.down.Load() {
		return errDown
	}
	return f.DB.Update(ctx, fn)
}

// An answer whose commit could not be put on record is given to nobody, neither to its asker nor to who asks the same later.
func TestWhatWasNotCommittedIsGivenToNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5)
	if err := r.ledger.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	line := &faulty{DB: r.db}
	var err error
	if r.ledger, err = budget.Open(t.Context(), line, budget.Options{Signer: r.signer, Seal: r.seal, Clock: r.clock}); err != nil {
		t.Fatal(err)
	}
	r.book = r.bookOf(r.db)
	a := r.ask("count")
	draw := a.Compute
	a.Compute = func(ctx context.Context) ([]byte, error) { line.down.Store(true); return draw(ctx) }
	if got, err := r.book.Ask(t.Context(), a); err == nil || got.Body != nil {
		t.Fatalf("an answer without a commit left: %s", got.Body)
	}
	line.down.Store(false)
	if got := r.must(r.ask("count")); !got.Fresh || string(got.Body) == "draw 1" {
		t.Errorf("%s was given, which was never committed", got.Body)
	}
	if r.spent() != 2 {
		t.Errorf("charged %d, want both draws", r.spent())
	}
}

// Whoever waits for the answer to another one's question, which is then refused to that one, asks for himself. His key is not
// burnt by it.
func TestAnothersRefusalIsNotMine(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	waits := make(chan struct{})
	poor := r.ask("count")
	poor.Scope.Agent = "poor"
	poor.Before = func(context.Context) error {
		close(waits)
		time.Sleep(pad / 2)
		return errors.New("denied")
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := r.book.Ask(t.Context(), poor); err == nil {
			t.Error("a question that was denied is answered")
		}
	})
	<-waits
	rich := r.ask("count")
	rich.Key = "k"
	if got, err := r.book.Ask(t.Context(), rich); err != nil || !got.Fresh {
		t.Errorf("%+v, %v, want an answer of its own", got, err)
	}
	wg.Wait()
	if r.spent() != 1 {
		t.Errorf("charged %d times, want once", r.spent())
	}
	if again := r.must(rich); again.Fresh {
		t.Error("a retry drew again")
	}
}

// What is asked for by ever new keys, or belongs to nobody's schedule, does not stay for ever: neither while only stored answers
// are given, nor if nothing but unscheduled questions come.
func TestTheBookDoesNotGrowForEver(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1000)
	rows := func(table string) (n int64) {
		err := r.db.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow("SELECT count(*) FROM " + table).Scan(&n) })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	ask := func(n int, unscheduled bool) {
		var wg sync.WaitGroup
		for i := range n {
			a := r.ask("count")
			a.Question.Schedule = answers.Schedule{From: epoch} // never changes
			if unscheduled {
				a.Question.Schedule = answers.Schedule{}
			}
			a.Key = fmt.Sprint(unscheduled, r.now.Load(), i)
			wg.Go(func() {
				if _, err := r.book.Ask(t.Context(), a); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	ask(30, false)
	r.now.Store(int64(40 * 24 * time.Hour))
	ask(30, false)
	if n := rows("answers_asked"); n > 35 {
		t.Errorf("%d keys are remembered, and 30 of them are too old", n)
	}
	ask(30, true)
	r.now.Store(int64(80 * 24 * time.Hour))
	ask(10, true)
	if n := rows("answers_given"); n > 15 {
		t.Errorf("%d answers are kept, and 30 of them can never be asked for again", n)
	}
}

// An owner may declare another schedule, also one whose present version began before that of the old one: it is no clock that went back.
func TestAnotherScheduleIsNoClockThatWentBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5)
	r.now.Store(int64(50 * time.Hour))
	a := r.ask("count")
	r.must(a)
	a.Question.Schedule.Every = 7 * 24 * time.Hour
	if got, err := r.book.Ask(t.Context(), a); err != nil || !got.Fresh {
		t.Errorf("by weekly versions: %+v, %v", got, err)
	}
	a.Question.Schedule.Every = 0
	if got, err := r.book.Ask(t.Context(), a); err != nil || !got.Fresh {
		t.Errorf("when the data no longer changes: %+v, %v", got, err)
	}
	r.now.Store(int64(20 * time.Hour))
	if _, err := r.book.Ask(t.Context(), r.ask("sum")); !errors.Is(err, answers.ErrClock) {
		t.Errorf("a clock that went back: %v", err)
	}
}
