package audit_test

import (
	"testing"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// BenchmarkAppend is one row of about 600 bytes with 1 KiB sealed, many in one transaction: no fsync is in it.
func BenchmarkAppend(b *testing.B) {
	db := storetest.Open(b, audit.Schema())
	l := openLog(b, db, audit.Options{})
	sealed := make([]byte, 1024)
	ev := event(1)
	for done := false; !done; {
		err := db.Update(b.Context(), func(tx store.Tx) error {
			for range 1000 {
				if done = !b.Loop(); done {
					return nil
				}
				if _, err := l.Append(tx, ev, audit.Private{Sealed: sealed}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// nowhere is a transaction that keeps nothing, so that what remains is the journal's own work.
type nowhere struct{ store.Tx }

func (nowhere) Exec(string, ...any) (int64, error) { return 1, nil }

func BenchmarkAppendWithoutStore(b *testing.B) {
	l := openLog(b, storetest.Open(b, audit.Schema()), audit.Options{})
	sealed := make([]byte, 1024)
	ev := event(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Append(nowhere{}, ev, audit.Private{Sealed: sealed}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	const rows = 5000
	db := storetest.Open(b, audit.Schema())
	l := openLog(b, db, audit.Options{})
	err := db.Update(b.Context(), func(tx store.Tx) error {
		for i := range rows {
			if _, err := l.Append(tx, event(i), audit.Private{Sealed: make([]byte, 1024)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := l.Verify(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}
