package a2a_test

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/policy/capability"
)

// The hospital's agent shows a capability to its own gateway. What of it the next domain sees is for the tokens to say: they
// let the hospital's gateway vouch or they do not, and what is counted at home stays there.
func TestACapabilityGoesAlongWithTheStatement(t *testing.T) {
	uses := int64(1)
	for _, tc := range []struct {
		name     string
		grant    *capability.Grant // nil: none is shown
		requires bool              // the insurer wants one of callers of other domains
		refused  string            // at the insurer; "": it lets the call through
		along    bool              // the insurer has the tokens on record
		at       flow.DomainID     // who refuses; "": the insurer
	}{
		{"its tokens let the gateway vouch", &capability.Grant{Agent: "intake", Via: []flow.DomainID{hospital}}, true, "", true, ""},
		{"they let another's vouch", &capability.Grant{Agent: "intake", Via: []flow.DomainID{reinsurer}}, false, "hop Scrim-Hop", false, ""},
		{"they let none vouch", &capability.Grant{Agent: "intake"}, false, "hop Scrim-Hop", false, ""},
		{"they are not for the next domain", &capability.Grant{Agent: "intake", Via: []flow.DomainID{hospital}, Audience: []flow.DomainID{hospital}}, false, "capability ", false, ""},
		{"they are counted at home", &capability.Grant{Agent: "intake", Via: []flow.DomainID{hospital}, Uses: &uses, Counted: hospital}, false, "", false, ""},
		{"they are counted at the next domain", &capability.Grant{Agent: "intake", Via: []flow.DomainID{hospital}, Uses: &uses, Counted: insurer}, false, "", true, ""},
		{"there is none", nil, false, "", false, ""},
		{"there is none, and one is required", nil, true, "capability ", false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			domains := gatewaytest.NewDomains(t, hospital, insurer, reinsurer)
			w := newRow(t, func(d flow.DomainID, s *gatewaytest.Setup) {
				s.Domains = domains
				s.Change = func(snap *gateway.Snapshot) {
					if d == insurer && tc.requires {
						snap.Capability.Required = gateway.RequireForeign
					}
				}
			})
			req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.base[hospital]+"/out/a2a/prior-auth", strings.NewReader(fullMessage))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range map[string]string{"Content-Type": "application/json", "A2A-Version": "1.0", "Authorization": "Bearer scrim_intake", "Scrim-Purpose": "care", "Scrim-Criticality": "critical"} {
				req.Header.Set(k, v)
			}
			if tc.grant != nil {
				h := domains.Root(t, hospital, *tc.grant)
				h.Audience = hospital
				h.Show(t, req, []byte(fullMessage))
			}
			status, body := do(t, http.DefaultClient, req)
			if at := cmp.Or(tc.at, insurer); tc.refused != "" {
				ev := w.last(t, at, func(flow.Event) bool { return true })
				if len(w.priorAuth.received()) != 0 || ev.Outcome != flow.Refused || !strings.HasPrefix(ev.Reason, tc.refused) {
					t.Fatalf("the %s has %s %q on record, want refused by %q (%d %s)", at, ev.Outcome, ev.Reason, tc.refused, status, body)
				}
				return
			}
			ev := w.last(t, insurer, asked("prior-auth"))
			if got := ev.Flow.Capability != nil; got != tc.along {
				t.Errorf("the insurer has tokens on record: %v, want %v", got, tc.along)
			}
			for _, h := range w.priorAuth.header {
				if h.Get(gateway.HeaderCapability)+h.Get(gateway.HeaderProof)+h.Get("Authorization") != "" {
					t.Error("the insurer's agent was given what the caller showed")
				}
			}
		})
	}
}
