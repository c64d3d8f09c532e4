package ledger_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
)

func TestAProofIsTakenOnce(t *testing.T) {
	h := open(t, hospital, newClock())
	p := h.proof("p")
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			switch _, err := h.Claim(p); {
			case err == nil:
				taken.Add(1)
			case !errors.Is(err, ledger.ErrReplayed):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if taken.Load() != 1 {
		t.Fatalf("it was taken %d times, want once", taken.Load())
	}
	other := p
	other.Holder = sha256.Sum256([]byte("somebody else"))
	_, err := h.Claim(other)
	want(t, "the same id of another holder", err, nil)
	_, err = h.Claim(capability.Proof{IssuedAt: p.IssuedAt, Until: p.Until})
	want(t, "a proof without an id", err, ledger.ErrUnclaimed)
}

// What was recorded is refused after a restart too; what was claimed and never recorded did not happen.
func TestATakenProofIsTakenAfterARestart(t *testing.T) {
	h := open(t, hospital, newClock())
	recorded, lost := h.proof("recorded"), h.proof("lost")
	for _, p := range []capability.Proof{recorded, lost} {
		_, err := h.Claim(p)
		must(t, err)
	}
	must(t, h.charge(nil, recorded, 0, flow.Cost{}))
	again := h.again(t)
	_, err := again.Claim(recorded)
	want(t, "a recorded proof", err, ledger.ErrReplayed)
	_, err = again.Claim(lost)
	want(t, "a proof of a flow that never was", err, nil)
	h.clock.move(50 * time.Second)
	must(t, again.Sweep(t.Context()))
	_, err = again.again(t).Claim(recorded)
	want(t, "a recorded proof after a sweep", err, ledger.ErrReplayed)
}

// Two processes on one database: whoever records first has it.
func TestTheStoreTakesAProofOnce(t *testing.T) {
	h := open(t, hospital, newClock())
	twin := h.again(t)
	p := h.proof("p")
	for _, l := range []*house{h, twin} {
		_, err := l.Claim(p)
		must(t, err)
	}
	must(t, h.charge(nil, p, 0, flow.Cost{}))
	want(t, "the twin's", twin.charge(nil, p, 0, flow.Cost{}), ledger.ErrReplayed)
	want(t, "a proof that nobody claimed", h.charge(nil, h.proof("other"), 0, flow.Cost{}), ledger.ErrUnclaimed)
}

func TestAProofIsGivenBackUnlessItWasRecorded(t *testing.T) {
	h := open(t, hospital, newClock())
	p := h.proof("p")
	release, err := h.Claim(p)
	must(t, err)
	release()
	second, err := h.Claim(p)
	want(t, "a proof that was given back", err, nil)
	release() // once more, by mistake: it is not his any longer
	_, err = h.Claim(p)
	want(t, "a proof given back twice", err, ledger.ErrReplayed)
	must(t, h.charge(nil, p, 0, flow.Cost{}))
	second()
	_, err = h.Claim(p)
	want(t, "a proof that is recorded", err, ledger.ErrReplayed)
}

// A flood of fresh proofs is refused when there is no more room. It pushes nothing out, and ends by itself.
func TestAFloodPushesNothingOut(t *testing.T) {
	h := open(t, hospital, newClock(), func(o *ledger.Options) { o.Taken = 100 })
	victim := h.proof("victim")
	_, err := h.Claim(victim)
	must(t, err)
	var releases []func()
	full := 0
	for i := range 300 {
		release, err := h.Claim(h.proof(fmt.Sprint("flood ", i)))
		switch {
		case err == nil:
			releases = append(releases, release)
		case errors.Is(err, ledger.ErrFull):
			full++
		default:
			t.Fatal(err)
		}
	}
	if full != 201 {
		t.Errorf("%d of 300 were refused, want 201", full)
	}
	_, err = h.Claim(victim)
	want(t, "the victim's proof", err, ledger.ErrReplayed)
	for _, f := range releases[:10] {
		f()
	}
	_, err = h.Claim(h.proof("after some were given back"))
	want(t, "room again", err, nil)
	h.clock.move(63 * time.Second)
	for i := range 100 {
		_, err = h.Claim(h.proof(fmt.Sprint("later ", i)))
		want(t, "when they are too old", err, nil)
	}
	_, err = h.Claim(victim)
	want(t, "the victim's proof, now too old", err, ledger.ErrReplayed)
}

// Nothing that was forgotten is taken again: not when the clock goes back, not when proofs are in force for longer than they were.
func TestWhatIsForgottenIsNotTakenAgain(t *testing.T) {
	h := open(t, hospital, newClock())
	p := h.proof("p")
	_, err := h.Claim(p)
	must(t, err)
	must(t, h.charge(nil, p, 0, flow.Cost{}))
	h.clock.move(2 * time.Minute)
	must(t, h.Sweep(t.Context()))
	var rows int
	must(t, h.db.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow("SELECT count(*) FROM ledger_taken").Scan(&rows) }))
	if rows != 0 {
		t.Fatalf("%d rows are left, want none", rows)
	}
	longer := p
	longer.Until = p.IssuedAt.Add(5 * time.Minute)
	_, err = h.Claim(longer)
	want(t, "in force for longer than it was", err, ledger.ErrReplayed)
	h.clock.move(-110 * time.Second)
	_, err = h.Claim(p)
	want(t, "when the clock is set back", err, ledger.ErrReplayed)
	_, err = h.again(t).Claim(p)
	want(t, "when the clock is set back, after a restart", err, ledger.ErrReplayed)
	_, err = h.Claim(h.proof("fresh"))
	want(t, "a fresh one", err, nil)
}

// A clock that was a day ahead for a moment locks nobody out afterwards.
func TestAClockThatLeapsAndComesBack(t *testing.T) {
	h := open(t, hospital, newClock(), func(o *ledger.Options) { o.Taken = 3 })
	_, err := h.Claim(h.proof("before"))
	must(t, err)
	h.clock.move(24 * time.Hour)
	must(t, h.Sweep(t.Context()))
	h.clock.move(-24*time.Hour + time.Second)
	_, err = h.Claim(h.proof("after"))
	want(t, "after the leap", err, nil)
	for i := range 10 { // room is found again, too
		h.clock.move(time.Minute)
		_, err = h.Claim(h.proof(fmt.Sprint("later ", i)))
		want(t, "later", err, nil)
	}
}

func TestProofsOfNoUse(t *testing.T) {
	h := open(t, hospital, newClock())
	now := h.clock.now()
	for name, p := range map[string]capability.Proof{
		"ended":            {ID: "p", IssuedAt: now.Add(-2 * time.Minute), Until: now.Add(-time.Second)},
		"for a day":        {ID: "p", IssuedAt: now, Until: now.Add(24 * time.Hour)},
		"of no time":       {ID: "p"},
		"ends before":      {ID: "p", IssuedAt: now.Add(time.Minute), Until: now},
		"of the beginning": {ID: "p", IssuedAt: time.Unix(0, 0), Until: now},
	} {
		_, err := h.Claim(p)
		want(t, name, err, ledger.ErrReplayed)
	}
}

func BenchmarkClaim(b *testing.B) {
	h := open(b, hospital, newClock())
	p := h.proof("")
	var n int
	for b.Loop() {
		n++
		p.ID = fmt.Sprint(n)
		release, err := h.Claim(p)
		if err != nil {
			b.Fatal(err)
		}
		release()
	}
}
