package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
)

// A ledger that was set back has forgotten a use, a proof and a revocation. None of them is had again, whoever granted the token; new ones are taken.
func TestWhatASetBackLedgerForgotIsNotTaken(t *testing.T) {
	c := newClock()
	h := open(t, hospital, c)
	used := link(c, "used", uses(1))
	used.IssuedAt = c.now()
	old, shown := chain(hospital, used), h.proof("shown")
	c.move(5 * time.Second)
	if err := h.db.Update(context.Background(), func(tx store.Tx) error { return ledger.SetBack(tx, c.now(), time.Minute) }); err != nil {
		t.Fatal(err)
	}
	h = h.again(t)
	if err := h.Revoked(old, ""); !errors.Is(err, ledger.ErrRevoked) {
		t.Errorf("a used-up capability: Revoked() error = %v, want ErrRevoked", err)
	}
	child := link(c, "child", uses(1))
	child.IssuedAt = c.now().Add(time.Hour)
	if err := h.Revoked(chain(hospital, used, child), ""); !errors.Is(err, ledger.ErrRevoked) {
		t.Errorf("a later child of it: Revoked() error = %v, want ErrRevoked", err)
	}
	if _, err := h.Claim(shown); !errors.Is(err, ledger.ErrReplayed) {
		t.Errorf("a proof that was shown: Claim() error = %v, want ErrReplayed", err)
	}
	if h.Version() < c.now().Unix() {
		t.Errorf("the own list is version %d, which peers may have seen", h.Version())
	}
	c.move(2 * time.Minute)
	fresh := link(c, "fresh", uses(1))
	fresh.IssuedAt = c.now()
	if err := h.Revoked(chain(hospital, fresh), ""); err != nil {
		t.Errorf("a new capability: Revoked() error = %v", err)
	}
	p := h.proof("new")
	if _, err := h.Claim(p); err != nil {
		t.Fatal(err)
	}
	if err := h.charge(chain(hospital, fresh), p, 1, flow.Cost{}); err != nil {
		t.Error(err)
	}
}
