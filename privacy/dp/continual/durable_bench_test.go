package continual_test

import (
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/store"
)

// BenchmarkAdd is one durable step of 100 values: sealed, and in a transaction of its own with an fsync; publish the machine's own fsync beside it.
func BenchmarkAdd(b *testing.B) {
	for _, method := range []continual.Method{continual.Tree, continual.SquareRoot} {
		for name, opt := range map[string]store.Options{"": {}, "/nosync": {NoSync: true}} {
			b.Run(string(method)+name, func(b *testing.B) {
				db, err := store.Open(b.Context(), b.TempDir(), []store.Schema{continual.Schema()}, opt)
				if err != nil {
					b.Fatal(err)
				}
				defer db.Close()
				streams, err := continual.Open(db, continual.Options{Seal: aead(1), Charge: (&till{}).Charge})
				if err != nil {
					b.Fatal(err)
				}
				s, err := streams.Create(b.Context(), "bench", continual.Params{
					Method: method, Keys: 100, Horizon: 1 << 20, Rho: 1000, Contribution: continual.Contribution{Steps: 1, Apart: 1, Keys: 1, Most: 1},
				})
				if err != nil {
					b.Fatal(err)
				}
				values, step := make([]int64, 100), int64(0)
				for b.Loop() {
					step++
					if _, err := s.Add(b.Context(), step, values); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
