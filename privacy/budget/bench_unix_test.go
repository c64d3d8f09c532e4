//go:build unix

package budget_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/pgtest"
)

// BenchmarkReserveCommitPostgres is on a server with fsync and synchronous_commit on, shared by two ledgers.
func BenchmarkReserveCommitPostgres(b *testing.B) {
	for name, chargeOf := range map[string]func(s, i int) budget.Charge{
		"one hot budget": hot,
		"one hot budget, slices": func(s, i int) budget.Charge {
			c := hot(s, i)
			c.Lease = time.Minute
			return c
		},
		"64 budgets": func(s, i int) budget.Charge {
			c := hot(s, i)
			c.Scope = budget.Scope{Dataset: fmt.Sprint("d", s)}
			return c
		},
		"64 agents, blocks by hash": func(s, i int) budget.Charge {
			at := int64(s*31+i) % 1000
			return budget.Charge{Scope: budget.Scope{Dataset: "wide"}, Blocks: budget.Range{From: at, To: at + 1}, Cost: pure(10), Key: fmt.Sprint(s, "/", i)}
		},
	} {
		b.Run(name, func(b *testing.B) {
			server := pgtest.Start(b, "fsync=on")
			url := flow.NewSecret(server.Database(b))
			var hs []*house
			for range 2 {
				db, err := store.OpenPostgres(b.Context(), url, []store.Schema{budget.Schema()}, store.Options{Shared: true})
				must(b, err)
				b.Cleanup(func() { _ = db.Close() })
				hs = append(hs, openDB(b, db, newClock(), func(o *budget.Options) { o.Shared = true }))
			}
			hs[0].declare(b, patients(1000*nano, 0))
			wide := patients(1000*nano, 0)
			wide.Dataset, wide.Blocks = "wide", budget.Blocks{Kind: budget.BlocksHash, Count: 1000}
			hs[0].declare(b, wide)
			for i := range 64 {
				d := patients(1000*nano, 0)
				d.Dataset = fmt.Sprint("d", i)
				hs[0].declare(b, d)
			}
			pairs(b, hs, 64, chargeOf)
		})
	}
}
