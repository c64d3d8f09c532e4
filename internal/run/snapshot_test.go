package run_test

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/run"
)

// TestCallersAreAsConfigured: keys beside the configuration file, claims of the issuer's own, and a default among several purposes.
func TestCallersAreAsConfigured(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: pub, KeyID: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, lay(t, `version: 1
domain: clinic
purposes: {care: {}, billing: {}, audit: {}}
identity:
  jwt: [{issuer: "https://login.example", audience: scrim, jwks_file: keys/login.json, agent_claim: azp, purpose_claim: purpose}]
agents:
  - {id: desk, jwt: {issuer: "https://login.example", subject: client-7}, purposes: [care, billing, audit], default_purpose: billing}
`, map[string]string{"keys/login.json": string(set)}))
	s, err := run.Snapshot(c, run.Models{})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": "https://login.example", "aud": "scrim", "sub": "alice", "azp": "client-7", "purpose": []string{"billing", "care", "ads"},
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	who, err := s.Identity.Authenticate(t.Context(), r)
	if err != nil {
		t.Fatalf("Authenticate() error = %v, want the agent of the token", err)
	}
	if who.Party.Agent != "desk" || !slices.Equal(who.Purposes, []flow.Purpose{"care", "billing"}) {
		t.Errorf("the caller is %s with %q, want desk with care and billing", who.Party.Agent, who.Purposes)
	}
	if p, _ := who.Choose("", ""); p != "billing" {
		t.Errorf("a call that names no purpose is for %q, want the default, billing", p)
	}
}
