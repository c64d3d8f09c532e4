package continual_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// A crash after the ledger took a charge and before the stream knows it charges nothing twice, and loses nothing that was charged.
func TestAChargeThatWasCutOffIsNotPaidTwice(t *testing.T) {
	db := storetest.Open(t, budget.Schema(), continual.Schema())
	scope := budget.Scope{Dataset: "clinic"}
	openLedger := func() *budget.Ledger {
		l, err := budget.Open(t.Context(), db, budget.Options{Signer: ed25519.NewKeyFromSeed(make([]byte, 32)), Seal: aead(1)})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	ledger := openLedger()
	err := ledger.Declare(t.Context(), budget.Budget{
		Dataset: "clinic", Unit: budget.Unit{Name: "user"}, Plan: budget.Plan{Epsilon: 1_000_000_000, Delta: 1_000_000_000},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := kinds()["tree"]
	crash := errors.New("power cut")
	cut := func(ctx context.Context, c continual.Charge) error {
		return errors.Join(chargeTo(ledger, scope)(ctx, c), crash)
	}
	create := func(db store.DB, charge func(context.Context, continual.Charge) error) error {
		s, err := continual.Open(db, continual.Options{Seal: aead(1), Charge: charge})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Create(t.Context(), "visits", p)
		return err
	}
	lost := func(ctx context.Context, c continual.Charge) error { // reserved, and no more
		_, err := ledger.Reserve(ctx, budget.Charge{Scope: scope, Cost: c.Cost, Key: c.Key, Request: request(c)})
		return errors.Join(err, crash)
	}
	for _, charge := range []func(context.Context, continual.Charge) error{lost, cut, cut} {
		wantErr(t, create(db, charge), crash)
		if err := ledger.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		ledger = openLedger()
	}
	defer ledger.Close(t.Context())
	if err := create(db, chargeTo(ledger, scope)); err != nil {
		t.Fatal(err)
	}
	cost, err := p.Cost(0)
	if err != nil {
		t.Fatal(err)
	}
	standings, err := ledger.Remaining(t.Context(), scope, budget.Range{})
	if err != nil {
		t.Fatal(err)
	}
	if spent := standings[0].Spent; spent != cost {
		t.Errorf("spent is %+v, want one time %+v", spent, cost)
	}
}
