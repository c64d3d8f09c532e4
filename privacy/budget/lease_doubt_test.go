package budget_test

import (
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store/storetest"
)

// A slice that was given back in a transaction whose end was not confirmed is not given back a second time once it is.
func TestASliceIsGivenBackOnce(t *testing.T) {
	const each = nano / 1000
	db := &flaky{DB: storetest.Open(t, budget.Schema())}
	h := openDB(t, db, newClock(), func(o *budget.Options) { o.Slice = 10 })
	h.declare(t, patients(nano, 0))
	must(t, h.spend(leasedCharge(each), ""))
	db.set(1, 0, true)
	h.clock.move(2 * time.Minute)
	want(t, "a charge while nobody can tell", h.spend(budget.Charge{Scope: agent1, Cost: pure(each)}, ""), errLine)
	db.set(0, 0, false)
	must(t, h.spend(budget.Charge{Scope: agent1, Cost: pure(each)}, ""))
	if got := h.spent(t, claims, 0).Epsilon; got > 3*each || got < 2*each {
		t.Errorf("the sums hold %d nano-ε, want those of two or three charges", got)
	}
	h.sound(t)
	h = h.again(t)
	h.sound(t)
}
