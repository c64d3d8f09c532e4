package offer_test

import (
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/offer"
)

// BenchmarkAsk is one question about eight labels with its variants, on record, without HTTP.
func BenchmarkAsk(b *testing.B) {
	r := newRig(b, plain, nil)
	caller, _ := r.Snapshot().Identity.Known(intake)
	caller.Party = intake
	body := []byte(`{"purpose":"care","labels":[` + labels() + `]}`)
	for b.Loop() {
		c := &offer.Call{Snapshot: r.Snapshot(), Face: gateway.Outbound, Agent: "partner", Caller: caller, Flow: flow.Flow{ID: gateway.NewFlowID(), Protocol: "a2a/1.0"}, Arguments: body}
		if _, err := r.terms.Tool().Call(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInForce is what each message between two domains asks of a book.
func BenchmarkInForce(b *testing.B) {
	w := newWorld(b, "hospital", "insurer")
	agreement(b, w)
	f := bill("hospital", "insurer")
	for b.Loop() {
		if len(w.side["hospital"].InForce(f, w.now)) != 1 {
			b.Fatal("not in force")
		}
	}
}
