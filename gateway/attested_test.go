package gateway_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/capability"
)

type attestor func(identity.Evidence) (identity.Attestation, error)

func (f attestor) Attest(_ context.Context, e identity.Evidence) (identity.Attestation, error) {
	return f(e)
}

// The holder of a capability in place of a credential is attested by evidence for the key that it proves to have, and a capability that
// says attested says nothing.
func TestTheHolderOfACapabilityIsAttestedByItsKey(t *testing.T) {
	desk := identity.Grant{Party: flow.Party{Agent: "desk", Domain: gatewaytest.Own, Attested: true}, Purposes: []flow.Purpose{"treatment"}}
	domains := gatewaytest.NewDomains(t, gatewaytest.Own)
	nonces := identity.NewNonces(0, nil)
	auth, err := identity.New(identity.Options{Nonces: nonces, Attestor: attestor(func(e identity.Evidence) (identity.Attestation, error) {
		if len(e.Data) != 32 {
			return identity.Attestation{}, errors.New("no evidence")
		}
		return identity.Attestation{Challenge: [32]byte(e.Data)}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	rig := gatewaytest.New(t, gatewaytest.Setup{
		Agents: []*gateway.Agent{{Party: desk.Party}}, Callers: map[string]identity.Grant{"key": desk}, Domains: domains,
		Change: func(s *gateway.Snapshot) { s.Identity = auth },
	})
	root := domains.Root(t, gatewaytest.Own, capability.Grant{Agent: "desk", Names: []string{"attested"}})
	holder, other := root.Child(t, capability.Grant{}), root.Child(t, capability.Grant{})
	nonce := nonces.New()
	evidence := func(h *gatewaytest.Holder) string {
		c := identity.Challenge(identity.Binding{Kind: identity.ByProof, Value: leafOf(t, domains, h)}, nonce)
		return "application/test " + nonce + " " + base64.RawURLEncoding.EncodeToString(c[:])
	}
	body := []byte("{}")
	for _, tt := range []struct {
		name, evidence string
		attested, ok   bool
	}{
		{"for its own key", evidence(holder), true, true},
		{"none", "", false, true},
		{"for the key of a sibling", evidence(other), false, false},
		{"for the key of the root", evidence(root), false, false},
		{"rubbish", "true", false, false},
	} {
		r := httptest.NewRequest(http.MethodPost, "/mcp/records", nil)
		holder.Show(t, r, body)
		if tt.evidence != "" {
			r.Header.Set(identity.HeaderAttestation, tt.evidence)
		}
		caller, authority, err := rig.Identify(t.Context(), rig.Snapshot(), r)
		if (err == nil) != tt.ok || caller.Party.Attested != tt.attested || tt.ok && (caller.Party.Agent != "desk" || authority == nil) {
			t.Errorf("evidence %s: %+v, %v, want attested %t", tt.name, caller.Party, err, tt.attested)
		}
	}
}

func leafOf(t *testing.T, d *gatewaytest.Domains, h *gatewaytest.Holder) [32]byte {
	t.Helper()
	vd, err := capability.NewVerifier(d, capability.Options{}).Verify(h.Chain)
	if err != nil {
		t.Fatal(err)
	}
	return vd.Leaf().Holder
}
