package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/store"
)

// TestSiblingsSpendTogether lets forty children of one parent spend at one time: they spend what the parent has, no more.
func TestSiblingsSpendTogether(t *testing.T) {
	d := gatewaytest.NewDomains(t, gatewaytest.Own)
	party, partner := flow.Party{Agent: "caller", Domain: gatewaytest.Own}, flow.Party{Agent: "partner", Domain: gatewaytest.Own}
	rig := gatewaytest.New(t, gatewaytest.Setup{
		Domains: d, NoSync: true, Agents: []*gateway.Agent{{Party: party}, {Party: partner}},
		Policy:  `@id("all") permit (principal, action in Action::"upto_raw", resource); @id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");`,
		Callers: map[string]identity.Grant{"scrim_key": {Party: party, Criticality: flow.Critical}},
	})
	snap := rig.Snapshot()
	root := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "caller", Cost: &flow.Cost{EpsilonNano: 1_000_000_000}, Counted: gatewaytest.Own})
	table, ok := wire.For("a2a", wire.A2A10, "SendMessage", flow.Request, false)
	if !ok {
		t.Fatal("no table")
	}
	var mu sync.Mutex
	var passed, spent, other int
	var wg sync.WaitGroup
	for n := range 40 {
		h := root.Child(t, capability.Grant{Cost: &flow.Cost{EpsilonNano: 400_000_000}})
		wg.Go(func() {
			body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-%d","role":"ROLE_USER","parts":[{"text":"hi"}]}}}`, n)
			req, err := http.NewRequest(http.MethodPost, "http://gateway/a2a/partner", nil)
			if err != nil {
				t.Error(err)
				return
			}
			h.Show(t, req, []byte(body))
			_, a, err := rig.Identify(t.Context(), snap, req)
			if err != nil {
				t.Error(err)
				return
			}
			f := flow.Flow{ID: gateway.NewFlowID(), From: party, To: partner, Protocol: "a2a/1.0", Method: "SendMessage", Task: flow.Task{Criticality: flow.Critical}}
			if err := rig.Prove(t.Context(), snap, a, gateway.Invocation{Body: []byte(body), Flow: f}); err != nil {
				t.Error(err)
				return
			}
			_, err = rig.Pass(t.Context(), &gateway.Message{
				Snapshot: snap, Query: policy.Query{Flow: f}, Table: table, Body: []byte(body), Owner: "partner", Authority: a, Use: true, Cost: flow.Cost{EpsilonNano: 100_000_000},
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				passed++
			case strings.Contains(err.Error(), "link 0: capability is used up"):
				spent++
			default:
				other++
				t.Errorf("flow %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	if passed != 10 || spent != 30 || other != 0 {
		t.Errorf("%d passed and %d found the parent used up, want 10 and 30", passed, spent)
	}
	vd, err := snap.Capability.Verifier.Verify(root.Chain)
	if err != nil {
		t.Fatal(err)
	}
	if _, cost, err := rig.Ledger.Spent(t.Context(), vd.Root().Hash); err != nil || cost.EpsilonNano != 1_000_000_000 {
		t.Errorf("the parent's account = %+v, %v, want all of it", cost, err)
	}
	var onRecord int64
	for _, ev := range rig.Events() {
		if ev.Outcome == flow.Released {
			onRecord += ev.Cost.EpsilonNano
		}
	}
	if onRecord != 1_000_000_000 {
		t.Errorf("the record sums up to %d, want what was spent", onRecord)
	}
}

// A message that came by a right which nobody proved does not pass, whichever door forgot to ask.
func TestWhatWasNotProvenDoesNotPass(t *testing.T) {
	d := gatewaytest.NewDomains(t, gatewaytest.Own)
	party := flow.Party{Agent: "caller", Domain: gatewaytest.Own}
	rig := gatewaytest.New(t, gatewaytest.Setup{
		Domains: d, NoSync: true, Agents: []*gateway.Agent{{Party: party}}, Policy: `@id("all") permit (principal, action in Action::"upto_raw", resource);`,
		Callers: map[string]identity.Grant{"scrim_key": {Party: party}},
	})
	req, err := http.NewRequest(http.MethodPost, "http://gateway/a2a/partner", nil)
	if err != nil {
		t.Fatal(err)
	}
	d.Root(t, gatewaytest.Own, capability.Grant{Agent: "caller"}).Show(t, req, nil)
	_, a, err := rig.Identify(t.Context(), rig.Snapshot(), req)
	if err != nil {
		t.Fatal(err)
	}
	table, _ := wire.For("a2a", wire.A2A10, "GetTask", flow.Request, false)
	_, err = rig.Pass(t.Context(), &gateway.Message{
		Snapshot: rig.Snapshot(), Query: policy.Query{Flow: flow.Flow{ID: gateway.NewFlowID(), From: party, To: party}}, Table: table, Authority: a, Owner: "caller",
		Body: []byte(`{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"t"}}`),
	})
	if err == nil || !strings.Contains(err.Error(), "proved nothing") {
		t.Errorf("Pass() error = %v, want a refusal of what was not proven", err)
	}
}

// TestPartsOfOneRequestShareItsProof lets what one request brought about be recorded at one time, as the parts of a joint one are.
func TestPartsOfOneRequestShareItsProof(t *testing.T) {
	d := gatewaytest.NewDomains(t, gatewaytest.Own)
	party, partner := flow.Party{Agent: "caller", Domain: gatewaytest.Own}, flow.Party{Agent: "partner", Domain: gatewaytest.Own}
	rig := gatewaytest.New(t, gatewaytest.Setup{
		Domains: d, Agents: []*gateway.Agent{{Party: party}, {Party: partner}},
		Policy:  `@id("all") permit (principal, action in Action::"upto_raw", resource); @id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");`,
		Callers: map[string]identity.Grant{"scrim_key": {Party: party, Criticality: flow.Critical}},
	})
	uses := int64(100)
	h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "caller", Uses: &uses, Counted: gatewaytest.Own})
	table, _ := wire.For("a2a", wire.A2A10, "SendMessage", flow.Request, false)
	body := []byte(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}]}}}`)
	f := flow.Flow{From: party, To: partner, Protocol: "a2a/1.0", Method: "SendMessage", Task: flow.Task{Criticality: flow.Critical}}
	for range 5 {
		req, err := http.NewRequest(http.MethodPost, "http://gateway/a2a/partner", nil)
		if err != nil {
			t.Fatal(err)
		}
		h.Show(t, req, body)
		_, a, err := rig.Identify(t.Context(), rig.Snapshot(), req)
		if err == nil {
			err = rig.Prove(t.Context(), rig.Snapshot(), a, gateway.Invocation{Body: body, Flow: f})
		}
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { // while this goes on the others wait, and are then one transaction
			if err := rig.DB.Update(t.Context(), func(store.Tx) error { time.Sleep(50 * time.Millisecond); return nil }); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(5 * time.Millisecond)
		for range 8 {
			wg.Go(func() {
				f := f
				f.ID = gateway.NewFlowID()
				_, err := rig.Pass(t.Context(), &gateway.Message{Snapshot: rig.Snapshot(), Query: policy.Query{Flow: f}, Table: table, Body: body, Owner: "partner", Authority: a, Use: true})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	vd, err := rig.Snapshot().Capability.Verifier.Verify(h.Chain)
	if err != nil {
		t.Fatal(err)
	}
	if spent, _, err := rig.Ledger.Spent(t.Context(), vd.Root().Hash); err != nil || spent != 40 {
		t.Errorf("spent = %d, %v, want one use for each part", spent, err)
	}
}

// TestUsesAndProofsSurviveARestart shows a proof again to the gateway that comes up on the same data, and counts on.
func TestUsesAndProofsSurviveARestart(t *testing.T) {
	d := gatewaytest.NewDomains(t, gatewaytest.Own)
	party, partner := flow.Party{Agent: "caller", Domain: gatewaytest.Own}, flow.Party{Agent: "partner", Domain: gatewaytest.Own}
	setup := gatewaytest.Setup{
		Domains: d, Dir: t.TempDir(), Agents: []*gateway.Agent{{Party: party}, {Party: partner}},
		Policy:  `@id("all") permit (principal, action in Action::"upto_raw", resource); @id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");`,
		Callers: map[string]identity.Grant{"scrim_key": {Party: party, Criticality: flow.Critical}},
	}
	two := int64(2)
	h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "caller", Uses: &two, Counted: gatewaytest.Own})
	table, _ := wire.For("a2a", wire.A2A10, "SendMessage", flow.Request, false)
	body := []byte(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}]}}}`)
	call := func(rig *gatewaytest.Rig, req *http.Request) error {
		f := flow.Flow{ID: gateway.NewFlowID(), From: party, To: partner, Protocol: "a2a/1.0", Method: "SendMessage", Task: flow.Task{Criticality: flow.Critical}}
		_, a, err := rig.Identify(t.Context(), rig.Snapshot(), req)
		if err == nil {
			err = rig.Prove(t.Context(), rig.Snapshot(), a, gateway.Invocation{Body: body, Flow: f})
		}
		if err == nil {
			_, err = rig.Pass(t.Context(), &gateway.Message{Snapshot: rig.Snapshot(), Query: policy.Query{Flow: f}, Table: table, Body: body, Owner: "partner", Authority: a, Use: true})
		}
		return err
	}
	shown := func() *http.Request {
		req, err := http.NewRequest(http.MethodPost, "http://gateway/a2a/partner", nil)
		if err != nil {
			t.Fatal(err)
		}
		h.Show(t, req, body)
		return req
	}
	rig, once := gatewaytest.New(t, setup), shown()
	if err := call(rig, once); err != nil {
		t.Fatal(err)
	}
	rig.Close(t)
	rig = gatewaytest.New(t, setup)
	if err := call(rig, once); err == nil || !strings.Contains(err.Error(), "taken before") {
		t.Errorf("the same proof after a restart = %v, want a refusal", err)
	}
	if err := call(rig, shown()); err != nil {
		t.Errorf("the second use = %v", err)
	}
	if err := call(rig, shown()); err == nil || !strings.Contains(err.Error(), "used up") {
		t.Errorf("a third use = %v, want the capability used up", err)
	}
}
