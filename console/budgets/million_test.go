package budgets_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
)

// TestAMillionEntries prints how long pages take over a long ledger. It runs where SCRIM_MILLION says how many charges; each is two entries.
func TestAMillionEntries(t *testing.T) {
	n := 0
	if _, err := fmt.Sscan(os.Getenv("SCRIM_MILLION"), &n); err != nil {
		t.Skip("SCRIM_MILLION is not set")
	}
	h := open(t)
	err := h.ledger.Declare(t.Context(), budget.Budget{Dataset: "claims", Unit: budget.Unit{Name: "patient"}, Plan: budget.Plan{Epsilon: 1e12, Delta: 1_000_000_000}})
	if err != nil {
		t.Fatal(err)
	}
	cost, err := account.VectorOf(account.Mechanism{Kind: "laplace", Scale: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var wg sync.WaitGroup
	for w := range 128 {
		wg.Go(func() {
			for i := w; i < n; i += 128 {
				s := budget.Scope{Dataset: "claims", Domain: flow.DomainID(fmt.Sprintf("d%d", i%20)), Workflow: "w", Agent: fmt.Sprintf("a%d", i%300)}
				r, err := h.ledger.Reserve(context.Background(), budget.Charge{Scope: s, Cost: cost})
				if err == nil {
					err = r.Begin()
				}
				if err == nil {
					err = r.Commit(context.Background(), nil)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d charges written in %v", n, time.Since(began))
	began = time.Now()
	h.ask(t, "GET", "/budgets", "viewer", nil)
	t.Logf("the first look, which reads all entries: %v", time.Since(began))
	for _, path := range []string{"/budgets", "/budgets/claims", "/budgets/claims?domain=d3&workflow=w&agent=a3", "/budgets/claims/entries", fmt.Sprintf("/budgets/claims/entries?before=%d", n)} {
		best := time.Hour
		for range 5 {
			began := time.Now()
			h.ask(t, "GET", path, "viewer", nil)
			best = min(best, time.Since(began))
		}
		t.Logf("%s: %v", path, best)
	}
}
