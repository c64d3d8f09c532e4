//go:build unix

package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/pgtest"
	"github.com/scrimhq/scrim/store/storetest"
)

// BenchmarkDatabases compares durable updates of a row of 500 bytes: on SQLite, and on a PostgreSQL server on the same disk, by an owner and shared.
func BenchmarkDatabases(b *testing.B) {
	server := pgtest.Start(b, "fsync=on")
	opened := 0
	for name, opt := range map[string]*store.Options{"SQLite": nil, "PostgreSQL": {}, "PostgreSQL, shared": {Shared: true, Writers: 32}} {
		for _, callers := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) {
				var db store.DB = benchOn(b, server, opt, &opened)
				took := make([][]time.Duration, callers)
				var next atomic.Int64
				var wg sync.WaitGroup
				b.ResetTimer()
				for c := range callers {
					wg.Go(func() {
						for id := next.Add(1); id <= int64(b.N); id = next.Add(1) {
							start := time.Now()
							if err := db.Update(b.Context(), func(tx store.Tx) error { _, err := tx.Exec(addRow, id, row); return err }); err != nil {
								b.Error(err)
								return
							}
							took[c] = append(took[c], time.Since(start))
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
				report(b, slices.Concat(took...))
			})
		}
	}
}

func benchOn(b *testing.B, server *pgtest.Server, opt *store.Options, opened *int) store.DB {
	b.Helper()
	if opt == nil {
		return benchStore(b, store.Options{})
	}
	*opened++
	o := *opt
	o.Schema = fmt.Sprintf("bench%d", *opened)
	db, err := store.OpenPostgres(b.Context(), flow.NewSecret(server.URL("postgres")), []store.Schema{storetest.Things()}, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}
