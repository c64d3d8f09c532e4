package grants_test

import (
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/scrimhq/scrim/agent"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/grants"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/capability"
)

// Who acts by a token that is exchanged gets its own grant; the token of one who acts for an agent is not that agent's, and a
// transaction token is worth something here alone.
func TestWhatIsExchangedIsForWhoActs(t *testing.T) {
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: pub, KeyID: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, set, 0o600); err != nil {
		t.Fatal(err)
	}
	desk := identity.Grant{Party: flow.Party{Agent: "desk", Domain: gatewaytest.Own}, Purposes: []flow.Purpose{"treatment"}, Criticality: flow.Routine}
	intake := identity.Grant{Party: flow.Party{Agent: "intake", Domain: gatewaytest.Own}}
	const login = "https://login.example"
	auth, err := identity.New(identity.Options{Issuers: []identity.Issuer{{
		Issuer: login, Audience: "scrim", File: file, AgentClaim: "act.sub", Transaction: true, Subjects: map[string]identity.Grant{"desk": desk, "intake": intake},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	rig := gatewaytest.New(t, gatewaytest.Setup{
		Agents: []*gateway.Agent{{Party: desk.Party}, {Party: intake.Party}},
		Change: func(s *gateway.Snapshot) {
			s.Identity = auth
			s.Grants = gateway.Grants{{Name: "referral", Agents: []flow.AgentID{"desk"}, Lifetime: 10 * time.Minute}}
		},
	})
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(&grants.Endpoint{Gateway: rig.Gateway, Signer: func() (crypto.Signer, string) { return key, "k1" }})
	t.Cleanup(srv.Close)
	verifier := capability.NewVerifier(anchor{key.Public().(ed25519.PublicKey)}, capability.Options{})
	holder := agent.NewKey()
	token := func(typ, sub string, act any) string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: priv, KeyID: "k"}}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		claims := map[string]any{"iss": login, "aud": "scrim", "sub": sub, "txn": "1", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
		if act != nil {
			claims["act"] = act
		}
		text, err := jwt.Signed(s).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	acts := func(who string) any { return map[string]any{"sub": who} }
	for _, tt := range []struct{ name, token, want string }{
		{"an agent for a person", token("at+jwt", "carol", acts("desk")), ""},
		{"an agent for a person, in a transaction", token("txntoken+jwt", "carol", acts("desk")), ""},
		{"another agent for this one", token("at+jwt", "desk", acts("intake")), "invalid_scope"},
		{"somebody unknown for this one", token("at+jwt", "desk", acts("mallory")), "invalid_client"},
		{"nobody acts", token("at+jwt", "desk", nil), "invalid_client"},
		{"an actor within another", token("at+jwt", "carol", map[string]any{"sub": "mallory", "act": acts("desk")}), "invalid_client"},
		{"a key in place of a token", deskKey, "invalid_client"},
		{"an actor that took over from a text", token("at+jwt", "carol", map[string]any{"sub": "desk", "act": "x"}), "invalid_client"},
	} {
		form := url.Values{
			"grant_type": {grants.GrantExchange}, "subject_token_type": {grants.TypeJWT}, "subject_token": {tt.token},
			"req_cnf": {`{"jwk":` + string(capability.HolderJWK(holder.Public())) + `}`}, "key_proof": {keyProof(t, srv.URL, holder)},
		}
		res, err := http.PostForm(srv.URL+grants.Path, form)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		var got struct {
			Error string `json:"error"`
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal(b, &got); err != nil || got.Error != tt.want {
			t.Errorf("%s: %d %s, want error %q", tt.name, res.StatusCode, b, tt.want)
			continue
		}
		if tt.want != "" {
			continue
		}
		chain, err := capability.ParseChain(got.Token)
		if err != nil {
			t.Fatal(err)
		}
		if vd, err := verifier.Verify(chain); err != nil || vd.Root().Grant.Agent != "desk" {
			t.Errorf("%s: a root for %v, %v, want desk", tt.name, vd, err)
		}
		if strings.Contains(string(b), "carol") {
			t.Errorf("%s: the root tells for whom it acts: %s", tt.name, b)
		}
	}
}
