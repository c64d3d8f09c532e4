package handles_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/capability"
)

func rightRig(t *testing.T) *rig {
	return newRig(t, func(s *gatewaytest.Setup) {
		s.Domains = gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other)
		s.Clock = time.Now // proofs are of this moment
	})
}

// by sends a request by a capability, beside the insurer's credential or in place of it.
func (r *rig) by(h *gatewaytest.Holder, key, method, path, body string, header map[string]string) (int, string, http.Header) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer scrim_"+key)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	if h != nil {
		h.Show(r.t, req, []byte(body))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	w := httptest.NewRecorder()
	_, _ = w.Body.ReadFrom(res.Body)
	return res.StatusCode, w.Body.String(), res.Header
}

func (r *rig) askBy(h *gatewaytest.Holder, purpose string) flow.Handle {
	r.t.Helper()
	r.answer = `{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"` + secret + `"` + mark + `}]}}`
	r.sent++
	_, out, _ := r.by(h, "insurer", http.MethodPost, "/a2a/records", fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-%d","role":"ROLE_USER","parts":[{"text":"hello"}]}}}`, r.sent), map[string]string{
		"Content-Type": "application/json", "A2A-Version": "1.0", identity.HeaderPurpose: purpose, identity.HeaderCriticality: "critical",
	})
	return r.reference(out)
}

// A reference that was got by a capability is redeemed by it or by what was derived from it, and shows no more than it.
func TestACapabilityBoundsRedemption(t *testing.T) {
	r := rightRig(t)
	uses := int64(9)
	levels := map[flow.Label]flow.Level{"person": flow.Masked, "text": flow.Raw, "technical": flow.Raw}
	root := r.setup.Domains.Root(t, gatewaytest.Other, capability.Grant{
		Agent: "insurer", Audience: []flow.DomainID{gatewaytest.Own}, Purposes: []flow.Purpose{"care", "billing"}, Uses: &uses, Counted: gatewaytest.Own,
	})
	child := root.Child(t, capability.Grant{Agent: "insurer/summary", Levels: levels})
	grandchild := child.Child(t, capability.Grant{Agent: "insurer/summary/draft", Purposes: []flow.Purpose{"care"}})
	sibling := root.Child(t, capability.Grant{Agent: "insurer/other"})
	elsewhere := child.Child(t, capability.Grant{Tools: map[string]capability.Arguments{"records/lookup": nil}})
	messages := child.Child(t, capability.Grant{Tools: map[string]capability.Arguments{"records/:message": nil}})
	billing := child.Child(t, capability.Grant{Purposes: []flow.Purpose{"billing"}})
	h := r.askBy(child, "care")
	path := gateway.HandlePath + gateway.HandleID(h.Ref)
	_, want, _ := r.by(child, "insurer", http.MethodGet, gateway.HandlePath+strings.Repeat("0a", 16), "", nil)
	for name, holder := range map[string]*gatewaytest.Holder{"no capability": nil, "a broader one": root, "another one": sibling, "one for another purpose": billing, "one for another skill": elsewhere} {
		if status, got, _ := r.by(holder, "insurer", http.MethodGet, path, "", nil); status != http.StatusNotFound || got != want {
			t.Errorf("by %s: %d %q", name, status, got)
		}
	}
	for name, holder := range map[string]*gatewaytest.Holder{"the same": child, "a derived one": grandchild, "one for the skill": messages} {
		if status, got, _ := r.by(holder, "insurer", http.MethodGet, path, "", nil); status != http.StatusOK || got != "Write to [email] today." {
			t.Errorf("by %s: %d %q", name, status, got)
		}
	}
	if status, got, _ := r.by(child, "", http.MethodGet, path, "", nil); status != http.StatusOK {
		t.Errorf("in place of a credential: %d %q", status, got)
	}
	r.Revoke(t, r.Snapshot(), child.Chain, 1)
	if status, _, _ := r.by(grandchild, "insurer", http.MethodGet, path, "", nil); status == http.StatusOK {
		t.Errorf("after its capability was revoked: %d", status)
	}
	if status, got, _ := r.by(root, "insurer", http.MethodGet, path, "", nil); status != http.StatusNotFound || got != want {
		t.Errorf("after its capability was revoked, by the root: %d %q", status, got)
	}
}

// Each redemption is a use of the capability, and a retry is none.
func TestRedeemingUsesACapability(t *testing.T) {
	r := rightRig(t)
	uses := int64(3)
	root := r.setup.Domains.Root(t, gatewaytest.Other, capability.Grant{Agent: "insurer", Audience: []flow.DomainID{gatewaytest.Own}, Uses: &uses, Counted: gatewaytest.Own})
	h := r.askBy(root, "care") // the first
	path := gateway.HandlePath + gateway.HandleID(h.Ref)
	get := func(id string) int {
		t.Helper()
		status, _, _ := r.by(root, "insurer", http.MethodGet, path, "", map[string]string{"Scrim-Flow-Id": id})
		return status
	}
	for _, step := range []struct {
		id   string
		want int
	}{{"a", 200}, {"a", 200}, {"a", 200}, {"b", 200}, {"b", 200}, {"c", 404}, {"b", 200}} {
		if got := get(step.id); got != step.want {
			t.Errorf("redeemed as %q: %d, want %d", step.id, got, step.want)
		}
	}
}

// What was sent by a capability dies with it, too.
func TestWhatWasSentByACapabilityDiesWithIt(t *testing.T) {
	r := rightRig(t)
	root := r.setup.Domains.Root(t, gatewaytest.Other, capability.Grant{Agent: "insurer", Audience: []flow.DomainID{gatewaytest.Own}})
	r.answer = `{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"ok"}]}}`
	r.by(root, "insurer", http.MethodPost, "/a2a/records", `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"`+secret+`"`+mark+`}]}}}`, map[string]string{
		"Content-Type": "application/json", "A2A-Version": "1.0", identity.HeaderPurpose: "care", identity.HeaderCriticality: "critical",
	})
	h := r.reference(r.got[0])
	if res, got := r.redeem(h, "records", nil); res.StatusCode != http.StatusOK || got != secret {
		t.Fatalf("%s %q", res.Status, got)
	}
	r.Revoke(t, r.Snapshot(), root.Chain, 0)
	if res, _ := r.redeem(h, "records", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("after its sender's capability was revoked: %s", res.Status)
	}
}
