//go:build unix

package run_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/pgtest"
)

// A gateway that is told to stop ends with its shared ledger in order: what was asked is committed, and what was set aside for
// questions that nobody asked is given back.
func TestAnOrderlyEndGivesSlicesBack(t *testing.T) {
	pg := pgtest.Common(t)
	_, digest := identity.NewKey()
	secret := filepath.Join(t.TempDir(), "budgets.url")
	if err := os.WriteFile(secret, []byte(pg.Database(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	yaml := fmt.Sprintf(budgetsYAML, digest, "http://127.0.0.1:9", "3") + fmt.Sprintf("budgets: {shared: {file: %q}, slice: 8}\n", secret)
	c := load(t, lay(t, yaml, budgetsFiles))
	ctx, stop := context.WithCancel(t.Context())
	st, err := run.OpenState(ctx, c, store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	l := st.Budgets.Ledger
	if err := l.Declare(ctx, run.Declaration("stays", c.Datasets["stays"])); err != nil {
		t.Fatal(err)
	}
	cost, err := account.VectorOf(account.Mechanism{Kind: account.Laplace, Scale: 100, Sensitivity: 1, Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	of := budget.Scope{Dataset: "stays", Domain: "clinic"}
	r, err := l.Reserve(ctx, budget.Charge{Scope: of, Cost: cost, Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	stop() // as a signal does
	if err := r.Commit(t.Context(), nil); err != nil {
		t.Errorf("a question that was under way cannot be committed: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Errorf("the end: %v", err)
	}
	if st, err = run.OpenState(t.Context(), c, store.Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	all, err := st.Budgets.Ledger.Remaining(t.Context(), budget.Scope{Dataset: "stays"}, budget.Range{})
	if err != nil || len(all) != 1 || all[0].Spent != cost {
		t.Errorf("%+v, %v, want the cost of one question", all, err)
	}
}
