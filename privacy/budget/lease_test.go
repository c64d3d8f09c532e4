package budget_test

import (
	"errors"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
)

func leasedCharge(each int64) budget.Charge {
	return budget.Charge{Scope: agent1, Cost: pure(each), Lease: time.Minute}
}

// A slice is charged at once and spent without touching the sums; what is left goes back when its time is over, or at the end.
func TestSlicesAreChargedAtOnceAndGivenBack(t *testing.T) {
	const each = nano / 1000
	h := open(t, func(o *budget.Options) { o.Slice = 10 })
	h.declare(t, patients(nano, 0))
	for i := range 3 {
		must(t, h.spend(leasedCharge(each), ""))
		if got := h.spent(t, claims, 0).Epsilon; got != 10*each {
			t.Fatalf("after %d charges the sums hold %d nano-ε, want those of the slice: %d", i+1, got, 10*each)
		}
	}
	r, err := h.reserve(leasedCharge(each))
	must(t, err)
	must(t, r.Release(t.Context())) // back into the slice
	if got := h.spent(t, claims, 0).Epsilon; got != 10*each {
		t.Errorf("a release changed the sums to %d, want %d: another charge may have it", got, 10*each)
	}
	kept, err := h.reserve(leasedCharge(each))
	must(t, err)
	h.clock.move(2 * time.Minute)
	for end := time.Now().Add(time.Minute); h.spent(t, claims, 0).Epsilon != 4*each; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the sums hold %d nano-ε, want the four that were charged: the lease is over", h.spent(t, claims, 0).Epsilon)
		}
	}
	must(t, kept.Release(t.Context())) // its slice is gone
	if got := h.spent(t, claims, 0).Epsilon; got != 3*each {
		t.Errorf("the sums hold %d nano-ε, want three charges", got)
	}
	h.sound(t)
	must(t, h.spend(leasedCharge(each), ""))
	h = h.again(t)
	if got := h.spent(t, claims, 0).Epsilon; got != 4*each {
		t.Errorf("after the end the sums hold %d nano-ε, want four charges", got)
	}
	if rep := h.sound(t); rep.Leased != 0 {
		t.Errorf("%d charges are in slices, want none", rep.Leased)
	}
}

// Near the end nobody takes a slice, so that the last charges are there for whoever asks; and none passes a quota.
func TestTheLastChargesAreNotLeased(t *testing.T) {
	const each = nano / 100
	h := open(t, func(o *budget.Options) { o.Slice = 64 })
	h.declare(t, patients(nano, 0))
	must(t, h.SetQuota(t.Context(), insurer, &budget.Plan{Epsilon: nano / 2}))
	n := 0
	for h.spend(leasedCharge(each), "") == nil {
		n++
	}
	if n != 50 {
		t.Errorf("%d charges passed a quota of 50", n)
	}
	lab := budget.Scope{Dataset: "claims", Domain: "lab.example"}
	for h.spend(budget.Charge{Scope: lab, Cost: pure(each)}, "") == nil {
		n++
	}
	if n != 100 {
		t.Errorf("%d charges passed a budget of 100", n)
	}
	h.sound(t)
}

// A plan or quota that is set meanwhile counts at once in the process that set it, whatever its slices were leased under.
func TestAPlanEndsTheSlicesOfTheOneBefore(t *testing.T) {
	const each = nano / 1000
	h := open(t)
	h.declare(t, patients(nano, 0))
	must(t, h.spend(leasedCharge(each), ""))
	must(t, h.SetQuota(t.Context(), agent1, &budget.Plan{Epsilon: 2 * each}))
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		err := h.spend(leasedCharge(each), "")
		if err == nil {
			break
		}
		if !errors.Is(err, budget.ErrExhausted) || time.Now().After(end) {
			t.Fatalf("a charge while the slice is on its way back: error %v", err)
		}
	}
	want(t, "a charge beyond the quota", h.spend(leasedCharge(each), ""), budget.ErrExhausted)
	if got := h.spent(t, claims, 0).Epsilon; got != 2*each {
		t.Errorf("the sums hold %d nano-ε, want the two charges alone", got)
	}
	h.sound(t)
}
