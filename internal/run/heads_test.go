//go:build unix

package run_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/pgtest"
)

var ledgerTables = []string{"budget_writers", "budget_entries", "budget_scopes", "budget_sums", "budget_keys", "budget_answers", "budget_clocks"}

// A shared ledger that was set back while no gateway ran is refused by a gateway that saw more of it, until configuration accepts it;
// one that has no heads takes it as it is.
func TestASetBackSharedLedgerIsRefused(t *testing.T) {
	pg := pgtest.Common(t)
	database := pg.Database(t)
	_, digest := identity.NewKey()
	secret := filepath.Join(t.TempDir(), "budgets.url")
	if err := os.WriteFile(secret, []byte(database), 0o600); err != nil {
		t.Fatal(err)
	}
	yaml := fmt.Sprintf(budgetsYAML, digest, "http://127.0.0.1:9", "3") + fmt.Sprintf("budgets: {shared: {file: %q}}\n", secret)
	c := load(t, lay(t, yaml, budgetsFiles))
	unsynced := store.Options{NoSync: true}
	open := func() *run.State {
		t.Helper()
		st, err := run.OpenState(t.Context(), c, unsynced)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	end := func(st *run.State) {
		t.Helper()
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	st := open()
	if err := st.Budgets.Ledger.Declare(t.Context(), run.Declaration("stays", c.Datasets["stays"])); err != nil {
		t.Fatal(err)
	}
	spend(t, st)
	end(st)
	pgtest.Exec(t, database, "CREATE SCHEMA copy")
	for _, name := range ledgerTables {
		pgtest.Exec(t, database, "CREATE TABLE copy."+name+" AS TABLE scrim_budgets."+name)
	}
	end(open()) // what goes on is not refused

	st = open()
	spend(t, st)
	before := st.Budgets.Ledger.Head()
	spend(t, st)
	if n := keptHead(t, st, before.Writer); n < before.Seq {
		t.Errorf("while it runs entry %d is known to be durable, and %d is kept", before.Seq, n)
	}
	if n := headEvents(t, st); n != 3 { // one of each end before, that of the second start aside, which wrote nothing, and one of a charge
		t.Errorf("%d heads on record", n)
	}
	end(st)
	for _, name := range ledgerTables {
		pgtest.Exec(t, database, "TRUNCATE scrim_budgets."+name, "INSERT INTO scrim_budgets."+name+" SELECT * FROM copy."+name)
	}
	st, err := run.OpenState(t.Context(), c, unsynced)
	if err == nil {
		end(st)
		t.Fatal("a ledger that was set back is taken")
	}
	said := regexp.MustCompile(`name ([0-9a-f]{64}) under budgets\.accept`).FindStringSubmatch(err.Error())
	if !errors.Is(err, budget.ErrRollback) || said == nil {
		t.Fatalf("a ledger that was set back: %v", err)
	}
	t.Run("control", func(t *testing.T) { withoutHeads(t, c, unsynced) })
	c.Budgets.Accept = []string{said[1][:63] + "x"}
	if st, err = run.OpenState(t.Context(), c, unsynced); err == nil {
		end(st)
		t.Fatal("another digest is accepted")
	}
	c.Budgets.Accept = []string{said[1]}
	st = open()
	spend(t, st)
	end(st)
	for _, name := range ledgerTables {
		pgtest.Exec(t, database, "TRUNCATE scrim_budgets."+name)
	}
	if st, err = run.OpenState(t.Context(), c, unsynced); !errors.Is(err, budget.ErrRollback) {
		if err == nil {
			end(st)
		}
		t.Errorf("an empty ledger after one that was accepted: %v", err)
	}
}

// withoutHeads opens the ledger with the heads taken away, and puts them back.
func withoutHeads(t *testing.T, c *config.Config, opt store.Options) {
	change := func(statement string) {
		t.Helper()
		st, err := run.OpenStore(t.Context(), c, opt)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = st.DB.Close() }()
		err = st.DB.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Exec(statement); return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	const hide = 1 << 20
	change(fmt.Sprintf("UPDATE run_budget_heads SET seq = -seq, chain = chain + %d", hide)) // a head before any entry says nothing
	st, err := run.OpenState(t.Context(), c, opt)
	if err != nil {
		t.Errorf("without heads: %v", err)
	} else if err := st.Close(); err != nil {
		t.Error(err)
	}
	change(fmt.Sprintf("DELETE FROM run_budget_heads WHERE chain < %d", hide))
	change(fmt.Sprintf("UPDATE run_budget_heads SET seq = -seq, chain = chain - %d", hide))
}

func spend(t *testing.T, st *run.State) {
	t.Helper()
	cost, err := account.VectorOf(account.Mechanism{Kind: account.Laplace, Scale: 100, Sensitivity: 1, Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	r, err := st.Budgets.Ledger.Reserve(t.Context(), budget.Charge{Scope: budget.Scope{Dataset: "stays", Domain: "clinic"}, Cost: cost})
	if err == nil {
		err = r.Commit(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func keptHead(t *testing.T, st *run.State, chain int64) (seq int64) {
	t.Helper()
	err := st.DB.View(context.Background(), func(tx store.Tx) error {
		return tx.QueryRow("SELECT coalesce(max(seq), 0) FROM run_budget_heads WHERE chain = ?", chain).Scan(&seq)
	})
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func headEvents(t *testing.T, st *run.State) (n int) {
	t.Helper()
	for e, err := range st.Log.Entries(t.Context(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Event.Flow.Protocol == "budget" && e.Event.Flow.Method == "head" {
			n++
		}
	}
	return n
}
