package budget_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/store"
)

// A hospital lets an insurer's agent ask noisy questions about its claims until ε = 1 is spent.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(ctx, dir, []store.Schema{budget.Schema()}, store.Options{})
	if err != nil {
		panic(err)
	}
	defer db.Close()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	ledger, err := budget.Open(ctx, db, budget.Options{Signer: key})
	if err != nil {
		panic(err)
	}
	defer ledger.Close(ctx)

	err = ledger.Declare(ctx, budget.Budget{
		Dataset: "claims",
		Unit:    budget.Unit{Name: "patient"},
		Plan:    budget.Plan{Epsilon: 1_000_000_000, Delta: 1_000_000_000}, // ε = 1, δ = 10⁻⁶
	})
	if err != nil {
		panic(err)
	}
	cost, err := account.VectorOf(account.Mechanism{Kind: "laplace", Scale: 5}) // ε = 0.2 each
	if err != nil {
		panic(err)
	}
	asks := budget.Scope{Dataset: "claims", Domain: "insurer.example", Workflow: "review", Agent: "prior-auth"}
	for n := 1; ; n++ {
		r, err := ledger.Reserve(ctx, budget.Charge{Scope: asks, Cost: cost, Label: "claims a month"})
		if errors.Is(err, budget.ErrExhausted) {
			fmt.Println("question", n, "is refused:", err)
			return
		}
		if err != nil {
			panic(err)
		}
		if err := r.Begin(); err != nil { // from here on it stays charged
			panic(err)
		}
		// The mechanism runs here.
		if err := r.Commit(ctx, nil); err != nil { // and only now may its answer leave
			panic(err)
		}
	}
	// Output: question 6 is refused: privacy budget is exhausted: claims: global
}
