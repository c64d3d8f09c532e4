package ledger_test

import (
	"fmt"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
)

// BenchmarkCharge is what a recording transaction takes longer for a capability, without the fsync that it shares: an empty transaction, one that
// makes a proof durable, and one that charges a chain of four beside that.
func BenchmarkCharge(b *testing.B) {
	for _, name := range []string{"nothing", "proof", "proof and four accounts"} {
		b.Run(name, func(b *testing.B) {
			db, err := store.Open(b.Context(), b.TempDir(), []store.Schema{ledger.Schema()}, store.Options{NoSync: true})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			h := openDB(b, db, hospital, newClock())
			var vd *capability.Verified
			if name == "proof and four accounts" {
				vd = chain(hospital, link(h.clock, "a", uses(1<<40)), link(h.clock, "b", uses(1<<40)), link(h.clock, "c", uses(1<<40)), link(h.clock, "d", uses(1<<40)))
			}
			n := 0
			for b.Loop() {
				n++
				var p capability.Proof
				if name != "nothing" {
					p = h.proof(fmt.Sprint(n))
					if _, err := h.Claim(p); err != nil {
						b.Fatal(err)
					}
					if n%1000 == 0 {
						h.clock.move(1e9)
					}
				}
				if err := h.charge(vd, p, 1, flow.Cost{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
