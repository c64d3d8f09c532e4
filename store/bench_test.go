package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const addRow = "INSERT INTO things (id, name) VALUES (?, ?)"

func benchStore(b *testing.B, opt store.Options) *store.SQLite {
	b.Helper()
	db, err := store.Open(b.Context(), b.TempDir(), []store.Schema{storetest.Things()}, opt)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

var row = string(bytes.Repeat([]byte("x"), 500))

// report gives the percentiles of the durations, which it sorts.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkFsync is the machine's own figure, to be published beside every durable one: append 4 KiB and sync.
func BenchmarkFsync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	report(b, took)
}

func BenchmarkUpdateAlone(b *testing.B) {
	for _, noSync := range []bool{false, true} {
		b.Run(fmt.Sprintf("NoSync=%v", noSync), func(b *testing.B) {
			db := benchStore(b, store.Options{NoSync: noSync})
			var took []time.Duration
			id := 0
			for b.Loop() {
				start := time.Now()
				id++
				err := db.Update(b.Context(), func(tx store.Tx) error { _, err := tx.Exec(addRow, id, row); return err })
				if err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			report(b, took)
		})
	}
}

func BenchmarkUpdate64(b *testing.B) {
	for _, window := range []time.Duration{0, time.Millisecond} {
		b.Run(fmt.Sprintf("window=%s", window), func(b *testing.B) {
			db := benchStore(b, store.Options{Window: window})
			const callers = 64
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

func BenchmarkView(b *testing.B) {
	db := benchStore(b, store.Options{})
	if err := db.Update(b.Context(), addThing(1)); err != nil {
		b.Fatal(err)
	}
	var name string
	for b.Loop() {
		err := db.View(b.Context(), func(tx store.Tx) error {
			return tx.QueryRow("SELECT name FROM things WHERE id = ?", 1).Scan(&name)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
