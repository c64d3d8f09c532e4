//go:build unix

package run_test

import (
	"context"
	"errors"
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

// A shared ledger is the one that counts as soon as it is configured, also before there is a dataset, which a reload may bring. And
// what was spent in the gateway's own ledger is not forgotten for a shared one that is configured later.
func TestTheSharedLedgerIsTheOnlyOne(t *testing.T) {
	pg := pgtest.Common(t)
	_, digest := identity.NewKey()
	kept := func() string {
		t.Helper()
		secret := filepath.Join(t.TempDir(), "budgets.url")
		if err := os.WriteFile(secret, []byte(pg.Database(t)), 0o600); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("budgets: {shared: {file: %q}}\n", secret)
	}
	with := fmt.Sprintf(budgetsYAML, digest, "http://127.0.0.1:9", "3")
	shared := kept()
	file := lay(t, "version: 1\ndomain: clinic\n"+shared, budgetsFiles)
	declare := func(yaml string) error {
		t.Helper()
		if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		st, err := run.OpenState(t.Context(), load(t, file), store.Options{NoSync: true})
		if err != nil {
			return err
		}
		b := budget.Budget{Dataset: "stays", Unit: budget.Unit{Name: "patient"}, Plan: budget.Plan{Epsilon: 1_000_000_000}}
		return errors.Join(st.Budgets.Ledger.Declare(t.Context(), b), st.Close())
	}
	if err := declare("version: 1\ndomain: clinic\n" + shared); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(with+shared), 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := run.OpenState(t.Context(), load(t, file), store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := st.Budgets.Ledger.Budgets(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("the shared ledger has %d budgets, %v, want the one that was declared", len(all), err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}

	file = lay(t, with, budgetsFiles)
	if err := declare(with); err != nil {
		t.Fatal(err)
	}
	if err := declare(with + kept()); !errors.Is(err, store.ErrElsewhere) {
		t.Errorf("a shared ledger after one of its own: error = %v, want ErrElsewhere", err)
	}
}
