package trust_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/trust"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/peers"
)

// TestDomainsHaveAgents shows two domains, one of which chose its names to do harm.
func TestDomainsHaveAgents(t *testing.T) {
	h := open(t, func(o *api.Options) {
		o.Peers = peers.New(own)
		s := &gateway.Snapshot{Domain: own, Agents: map[flow.AgentID]*gateway.Agent{
			"intake": {Party: flow.Party{Agent: "intake", Domain: own}},
			"evil":   {Party: flow.Party{Agent: hostile, Domain: "insurer.example", Roles: []flow.Role{"payer"}}},
		}}
		o.Snapshot = func() *gateway.Snapshot { return s }
	})
	if body := h.get(t, "/domains"); !strings.Contains(body, "insurer.example") || !strings.Contains(body, "No domain is pinned") {
		t.Errorf("domains: %s", body)
	}
	harmless(t, "domain", h.get(t, "/domains/insurer.example"))
	var m trust.Domain
	if h.into(t, "/domains/"+string(own), &m); !m.Own || len(m.Agents) != 1 {
		t.Errorf("%+v", m)
	}
	for _, at := range []string{"/domains/nobody.example", "/domains/insurer.example?agent=intake"} {
		if status, _, _ := h.do(t, "GET", at, "viewer", nil); status != 404 {
			t.Errorf("%s: %d", at, status)
		}
	}
	for at, want := range map[string]string{"/contracts": "add a peer", "/freezes": "Nothing is frozen"} {
		if body := h.get(t, at); !strings.Contains(body, want) {
			t.Errorf("%s does not say %q", at, want)
		}
	}
}

// A peer is pinned by an admin who says that the fingerprint was compared, and by nobody else.
func TestAPeerIsPinnedAfterComparison(t *testing.T) {
	h := open(t, func(o *api.Options) { o.Peers = peers.New(own) })
	if status, _ := h.post(t, "/domains/pin", "approver", "url", "https://gateway.example", "compared", "true"); status != 403 {
		t.Errorf("an approver: %d", status)
	}
	if status, body := h.post(t, "/domains/pin", "admin", "url", "https://gateway.example", "fingerprint", "abc"); status != 422 || !strings.Contains(body, "compare the fingerprint") {
		t.Errorf("not compared: %d %s", status, body)
	}
	if status, body := h.post(t, "/domains/pin", "admin", "url", "https://gateway.example", "fingerprint", "zebrafinch", "compared", "true"); status != 422 || strings.Contains(body, "zebrafinch") {
		t.Errorf("no fingerprint: %d %s", status, body)
	}
	for at, role := range map[string]string{"/domains/look": "approver", "/domains/end": "approver", "/domains/rotate": "approver", "/domains/fetch": "viewer"} {
		if status, _ := h.post(t, at, role); status != 403 {
			t.Errorf("%s by a %s: %d", at, role, status)
		}
	}
}

func TestFreezingAndThawing(t *testing.T) {
	h := open(t)
	if status, _ := h.post(t, "/freezes", "steward", "target", "agent:claims@insurer.example", "reason", "x"); status != 403 {
		t.Errorf("a steward: %d", status)
	}
	h.lost = errors.New("the disk is full")
	if status, _ := h.post(t, "/freezes", "approver", "target", "domain:insurer.example"); status != 500 || h.api.Ledger.Freezes.Count() != 0 {
		t.Errorf("without a record: %d", status)
	}
	h.lost = nil
	for _, bad := range []string{"zebrafinch-40414", "domain:" + string(own)} {
		if status, body := h.post(t, "/freezes", "approver", "target", bad, "reason", "x"); status != 422 || strings.Contains(body, "zebrafinch") {
			t.Errorf("%s: %d", bad, status)
		}
	}
	h.acts = nil
	if status, body := h.post(t, "/freezes", "approver", "target", "agent:claims@insurer.example", "reason", "cl<script>alert(1)</script>aims"); status != 303 {
		t.Fatalf("%d %s", status, body)
	}
	if len(h.acts) != 1 || h.acts[0].Name != "console/freeze" || h.acts[0].About != "agent:claims@insurer.example" {
		t.Errorf("on record: %+v", h.acts)
	}
	if !h.api.Ledger.Freezes.Party(flow.Party{Agent: "claims", Domain: "insurer.example"}) {
		t.Error("it is not frozen")
	}
	harmless(t, "freezes", h.get(t, "/freezes"))
	if status, _ := h.post(t, "/freezes/thaw", "approver", "target", "agent:claims@insurer.example", "reason", "it was mended"); status != 303 || h.api.Ledger.Freezes.Count() != 0 {
		t.Errorf("thawed: %d", status)
	}
	if status, _ := h.post(t, "/freezes/thaw", "approver", "target", "agent:claims@insurer.example", "reason", "again"); status != 422 {
		t.Errorf("thawed twice: %d", status)
	}
}
