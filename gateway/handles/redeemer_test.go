package handles_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
)

// A redeemer that names a higher criticality than the message had is shown no more.
func TestARedeemerNamesNoMore(t *testing.T) {
	r := newRig(t, nil)
	r.answer = `{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"` + secret + `"` + mark + `}]}}`
	_, out := r.do(http.MethodPost, "/a2a/records", "insurer", map[string]string{
		"Content-Type": "application/json", "A2A-Version": "1.0", identity.HeaderPurpose: "care", identity.HeaderCriticality: "low",
	}, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hello"}]}}}`)
	h := r.reference(out)
	for _, named := range []string{"", "low", "routine", "critical", "no such"} {
		if res, got := r.redeem(h, "insurer", map[string]string{identity.HeaderCriticality: named}); res.StatusCode != http.StatusOK || strings.Contains(gatewaytest.Said(got), "jane") {
			t.Errorf("named %q: %s %q", named, res.Status, got)
		}
	}
}

// An agent of the same name in another domain is another agent.
func TestANamesakeRedeemsNothing(t *testing.T) {
	r := newRig(t, nil)
	h := r.reference(r.ask("billing", `{"text":"`+secret+`"`+mark+`}`))
	caller := identity.Caller{Party: flow.Party{Agent: "insurer", Domain: third}, Purposes: []flow.Purpose{"billing"}, Criticality: flow.Critical}
	_, err := r.Redeem(context.Background(), &gateway.Redemption{Snapshot: r.Snapshot(), Flow: flow.Flow{ID: gateway.NewFlowID(), From: caller.Party}, Caller: caller, ID: gateway.HandleID(h.Ref)})
	if err == nil {
		t.Error("a namesake redeemed it")
	}
}

// However many ask at the same moment, a handle for one use is used once.
func TestOneUseIsOneUse(t *testing.T) {
	r := newRig(t, nil)
	s := r.Snapshot()
	who, _ := s.Identity.Known(r.setup.Agents[1].Party)
	for range 10 {
		h := r.reference(r.ask("billing", `{"text":"`+secret+`","metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":{"uses":1}}}}`))
		var got atomic.Int64
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 8 {
			wg.Go(func() {
				<-start
				_, err := r.Redeem(context.Background(), &gateway.Redemption{Snapshot: s, Flow: flow.Flow{ID: gateway.NewFlowID(), From: who.Party}, Caller: who, ID: gateway.HandleID(h.Ref), Quantum: 1})
				if err == nil {
					got.Add(1)
				}
			})
		}
		close(start)
		wg.Wait()
		if n := got.Load(); n != 1 {
			t.Fatalf("redeemed %d times, want once", n)
		}
	}
}
