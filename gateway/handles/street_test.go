package handles_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/handles"
	"github.com/scrimhq/scrim/gateway/identity"
)

// Two domains that have no credential of each other's: a reference is redeemed through both gateways, and the far one believes the near
// one's word on who asks.
func TestAReferenceIsRedeemedFromAPeer(t *testing.T) {
	const clinic, payer flow.DomainID = "clinic", "payer"
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		_, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"`+secret+`"`+mark+`}]}}}`)
	}))
	defer agent.Close()
	up, err := gateway.NewUpstream(agent.URL, "", flow.Secret{}, gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	street := gatewaytest.NewStreet(t, nil, clinic, payer)
	party := func(a flow.AgentID, d flow.DomainID) flow.Party { return flow.Party{Agent: a, Domain: d} }
	grant := func(p flow.Party) identity.Grant {
		return identity.Grant{Party: p, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical}
	}
	const everything = `permit (principal, action in Action::"upto_raw", resource);
@exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");`
	mux := func(r *gatewaytest.Rig) http.Handler {
		cards := &a2a.Cards{Signer: r.Keys.Signer("card"), KeyID: r.Keys.ID()}
		m := http.NewServeMux()
		m.Handle("/a2a/", &a2a.Handler{Gateway: r.Gateway, Face: gateway.Inbound, Prefix: "/a2a/", Cards: cards})
		m.Handle("/out/a2a/", &a2a.Handler{Gateway: r.Gateway, Face: gateway.Outbound, Prefix: "/out/a2a/", Cards: cards})
		m.Handle(gateway.HandlePath, &handles.Handler{Gateway: r.Gateway, Quantum: time.Millisecond})
		return gateway.Resources(r.Gateway, m)
	}
	far, _ := street.Open(t, clinic, gatewaytest.Setup{
		Policy: everything, NoSync: true, Agents: []*gateway.Agent{{Party: party("records", clinic), A2A: up}, {Party: party("claims", payer)}, {Party: party("desk", payer)}},
	}, []identity.Grant{grant(party("claims", payer)), grant(party("desk", payer))}, mux)
	near := &rig{t: t}
	near.setup = gatewaytest.Setup{
		Policy: everything, NoSync: true,
		Agents:  []*gateway.Agent{{Party: party("records", clinic), A2A: street.Upstream(t, payer, clinic, "/a2a/records")}, {Party: party("claims", payer)}},
		Callers: map[string]identity.Grant{"scrim_claims": grant(party("claims", payer))},
	}
	near.Rig, near.url = street.Open(t, payer, near.setup, nil, mux)
	out := near.through(t, "claims", "care")
	h := near.reference(out)
	if !strings.HasPrefix(h.URL, near.url) || strings.Contains(gatewaytest.Said(out), "jane") {
		t.Fatal(out)
	}
	id := map[string]string{handles.HeaderFlow: "one"}
	for range 2 {
		if res, got := near.redeem(h, "claims", id); res.StatusCode != http.StatusOK || got != secret {
			t.Fatalf("%s %q", res.Status, got)
		}
	}
	var at flow.Event
	for _, ev := range far.Events() {
		if ev.Flow.Method == "RedeemHandle" && ev.Outcome == flow.Released {
			at = ev
		}
	}
	if at.Flow.To.Agent != "claims" || at.Flow.To.Domain != payer || at.Flow.Purpose != "care" {
		t.Errorf("on record at the far gateway: %+v", at.Flow)
	}
}
