//go:build unix

package budget_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/pgtest"
)

// Two processes spend, lease, release, commit, replan and change quotas, while connections are cut at any moment and a process is
// forgotten now and then with all it held. Nothing that was told to be committed is missing from the sums, and no budget holds more
// than it may.
func TestNoInterleavingOverspends(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a database server")
	}
	url := pgtest.Common(t).Database(t)
	var committed atomic.Int64 // nano-ε whose commit came back
	var done atomic.Bool
	var spared atomic.Int64 // those who found no way in for long: nothing is cut until they have
	var join func(try int) *house
	join = func(try int) *house { // connections are cut while it opens, too
		again := func(err error) *house {
			for _, rule := range []error{budget.ErrChain, budget.ErrSums, budget.ErrCaps, budget.ErrExhausted, budget.ErrRefill} {
				if errors.Is(err, rule) || try > 100 {
					panic(err)
				}
			}
			if try == 20 {
				spared.Add(1)
				defer spared.Add(-1)
			}
			return join(try + 1)
		}
		db, err := store.OpenPostgres(t.Context(), flow.NewSecret(url), []store.Schema{budget.Schema()}, store.Options{Shared: true, NoSync: true})
		if err != nil {
			return again(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		h, err := tryOpen(t, db, newClock(), func(o *budget.Options) { o.Shared, o.Slice = true, 8 })
		if err != nil {
			return again(err)
		}
		return h
	}
	first := join(0)
	first.declare(t, patients(nano, 1_000_000))
	spend := func(r *rand.Rand, h *house) {
		s := []budget.Scope{insurer, review, agent1, agent2}[r.IntN(4)]
		c := budget.Charge{Scope: s, Cost: pure(1 + r.Int64N(2)*2_500_000)}
		if r.IntN(2) == 0 {
			c.Lease = time.Minute
		}
		if r.IntN(4) == 0 {
			c.Key, c.Request = fmt.Sprint(r.IntN(20)), digest("q")
		}
		res, err := h.reserve(c)
		if err != nil {
			return
		}
		if _, stored := res.Answer(); stored {
			return
		}
		switch r.IntN(4) {
		case 0:
			_ = res.Release(context.Background())
		case 1: // forgotten
		default:
			if res.Begin() == nil && res.Commit(context.Background(), []byte("a")) == nil {
				committed.Add(c.Cost.Epsilon)
			}
		}
	}
	plan := func(r *rand.Rand, h *house, i int) {
		switch r.IntN(3) {
		case 0:
			_ = h.Replan(context.Background(), "claims", budget.Plan{Epsilon: nano - int64(i), Delta: 1_000_000})
		case 1:
			_ = h.SetQuota(context.Background(), agent1, &budget.Plan{Epsilon: 1 + r.Int64N(nano)})
		default:
			_ = h.SetQuota(context.Background(), agent1, nil)
		}
	}
	var wg sync.WaitGroup
	for p := range 2 {
		wg.Go(func() {
			h := first
			for life := range 1 + times(1) {
				if p > 0 || life > 0 {
					h = join(0)
				}
				var threads sync.WaitGroup
				for i := range 6 {
					threads.Go(func() {
						r := rand.New(rand.NewPCG(uint64(p*100+life), uint64(i)))
						for n := range 40 {
							if i == 5 && n%8 == 0 {
								plan(r, h, 100*life+n)
							}
							if i == 0 && n%20 == 19 {
								h.clock.move(2 * time.Minute)
							}
							spend(r, h)
						}
					})
				}
				threads.Wait()
				if life == 0 {
					_ = h.Close(context.Background())
				}
			}
		})
	}
	go func() {
		wg.Wait()
		done.Store(true)
	}()
	cut := 0
	for ; !done.Load(); cut++ {
		if spared.Load() > 0 {
			time.Sleep(25 * time.Millisecond)
			continue
		}
		pgtest.Exec(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.2")
		time.Sleep(25 * time.Millisecond)
	}
	h := join(0)
	h.sound(t)
	got := h.spent(t, claims, 0).Epsilon
	if got < committed.Load() || committed.Load() == 0 {
		t.Errorf("the sums hold %d nano-ε, and %d were committed", got, committed.Load())
	}
	t.Logf("%d cuts, %d nano-ε committed, %d charged", cut, committed.Load(), got)
}
