package mcp_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	stdjson "encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/gateway/wire"
)

// bank is a gateway whose issuer binds its tokens and gives scopes.
type bank struct {
	t      *testing.T
	url    string
	signer jose.Signer
	key    *ecdsa.PrivateKey // the client's
}

func newBank(t *testing.T, change func(*identity.Issuer, *gateway.Resource)) *bank {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &bank{t: t}
	if b.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if b.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: priv, KeyID: "k"}}, nil); err != nil {
		t.Fatal(err)
	}
	set, err := stdjson.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: pub, KeyID: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, set, 0o600); err != nil {
		t.Fatal(err)
	}
	r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": newUpstream(t, options(wire.MCP20260728)), "lab": newUpstream(t, options(wire.MCP20260728))}, nil)
	issuer := identity.Issuer{
		Issuer: loginURL, Audience: "scrim", File: file,
		Subjects: map[string]identity.Grant{"caller": {Party: ownCaller, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical}},
	}
	snap := *r.Snapshot()
	change(&issuer, &snap.Resource)
	if snap.Identity, err = identity.New(identity.Options{Issuers: []identity.Issuer{issuer}}); err != nil {
		t.Fatal(err)
	}
	if err := r.Swap(t.Context(), &snap, "test"); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp/", &mcp.Handler{Gateway: r.Gateway, Face: gateway.Inbound, Prefix: "/mcp/", Tools: &mcp.Tools{}})
	mux.Handle(gateway.MetadataPath+"/", &gateway.Metadata{Gateway: r.Gateway})
	srv := httptest.NewServer(gateway.Resources(r.Gateway, mux))
	t.Cleanup(srv.Close)
	b.url = srv.URL
	return b
}

func (b *bank) token(more map[string]any) string {
	b.t.Helper()
	now := time.Now()
	claims := map[string]any{"iss": loginURL, "sub": "caller", "aud": "scrim", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	for k, v := range more {
		claims[k] = v
	}
	text, err := jwt.Signed(b.signer).Claims(claims).Serialize()
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func (b *bank) bound() string {
	b.t.Helper()
	jkt, err := identity.KeyThumbprint(b.key.Public())
	if err != nil {
		b.t.Fatal(err)
	}
	return b.token(map[string]any{"cnf": map[string]any{"jkt": jkt}})
}

func (b *bank) proof(token, method, address string) string {
	b.t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: b.key}, (&jose.SignerOptions{}).WithType("dpop+jwt").WithHeader("jwk", jose.JSONWebKey{Key: b.key.Public()}))
	if err != nil {
		b.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(token))
	text, err := jwt.Signed(s).Claims(map[string]any{
		"jti": rand.Text(), "htm": method, "htu": address, "iat": time.Now().Unix(), "ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	}).Serialize()
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func (b *bank) call(path string, headers map[string]string) *http.Response {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+path, strings.NewReader(listTools))
	if err != nil {
		b.t.Fatal(err)
	}
	for name, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": wire.MCP20260728, "Mcp-Method": "tools/list"} {
		req.Header.Set(name, v)
	}
	for name, v := range headers {
		req.Header.Set(name, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// A group's call becomes calls to each of its servers: the one proof is enough for them, and for nothing else.
func TestBoundTokensAtTheGateway(t *testing.T) {
	b := newBank(t, func(is *identity.Issuer, _ *gateway.Resource) { is.Bound = true })
	token := b.bound()
	for _, path := range []string{"/mcp/records", "/mcp/clinic"} {
		proof := b.proof(token, http.MethodPost, b.url+path)
		if res := b.call(path, map[string]string{"Authorization": "DPoP " + token, "DPoP": proof}); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.Header.Get("WWW-Authenticate"))
		}
		for name, c := range map[string]struct {
			headers map[string]string
			want    string
		}{
			"nothing":             {nil, `DPoP realm="scrim", algs="EdDSA ES256 RS256 PS256", resource_metadata="`},
			"the proof again":     {map[string]string{"Authorization": "DPoP " + token, "DPoP": proof}, `error="invalid_dpop_proof"`},
			"for another address": {map[string]string{"Authorization": "DPoP " + token, "DPoP": b.proof(token, http.MethodPost, b.url+path+"x")}, `error="invalid_dpop_proof"`},
			"as a bearer":         {map[string]string{"Authorization": "Bearer " + token}, `DPoP realm="scrim", algs="EdDSA ES256 RS256 PS256", error="invalid_token"`},
			"that is not bound":   {map[string]string{"Authorization": "Bearer " + b.token(nil)}, `error="invalid_token"`},
		} {
			res := b.call(path, c.headers)
			if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != http.StatusUnauthorized || !strings.Contains(got, c.want) {
				t.Errorf("%s: a token %s: %d %s, want %s", path, name, res.StatusCode, got, c.want)
			}
		}
	}
}

func TestATokenWithoutItsScopeIsToldWhichOne(t *testing.T) {
	b := newBank(t, func(is *identity.Issuer, _ *gateway.Resource) { is.Scopes = []string{"records:read", "mcp"} })
	if res := b.call("/mcp/records", map[string]string{"Authorization": "Bearer " + b.token(map[string]any{"scope": "mcp records:read"})}); res.StatusCode != http.StatusOK {
		t.Errorf("with its scopes: %d", res.StatusCode)
	}
	res := b.call("/mcp/records", map[string]string{"Authorization": "Bearer " + b.token(map[string]any{"scope": "mcp"})})
	if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != http.StatusForbidden || !strings.HasPrefix(got, `Bearer realm="scrim", error="insufficient_scope", scope="mcp records:read", resource_metadata="`) {
		t.Errorf("without one: %d %s, want insufficient_scope", res.StatusCode, got)
	}
	res = b.call("/mcp/records", nil)
	if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(got, `Bearer realm="scrim", scope="mcp records:read", resource_metadata="`) {
		t.Errorf("without a token: %d %s, want the scopes", res.StatusCode, got)
	}
}

func TestMetadataOfAProtectedResource(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*identity.Issuer, *gateway.Resource)
		want   string
	}{
		"the least": {func(*identity.Issuer, *gateway.Resource) {}, `{"resource":"URL/mcp/records","authorization_servers":["https://login.example"],"bearer_methods_supported":["header"],"dpop_signing_alg_values_supported":["EdDSA","ES256","RS256","PS256"]}`},
		"all that there is": {func(is *identity.Issuer, r *gateway.Resource) {
			is.Scopes, is.Bound = []string{"mcp"}, true
			*r = gateway.Resource{Name: "Clinic", Documentation: "https://clinic.example/agents", Certificates: true} // no TLS ends here, so no certificate can be shown
		}, `{"resource":"URL/mcp/records","authorization_servers":["https://login.example"],"bearer_methods_supported":["header"],"scopes_supported":["mcp"],"resource_name":"Clinic","resource_documentation":"https://clinic.example/agents","dpop_signing_alg_values_supported":["EdDSA","ES256","RS256","PS256"],"dpop_bound_access_tokens_required":true}`},
	} {
		b := newBank(t, c.change)
		res, err := http.Get(b.url + gateway.MetadataPath + "/mcp/records")
		if err != nil {
			t.Fatal(err)
		}
		var got stdjson.RawMessage
		err = stdjson.NewDecoder(res.Body).Decode(&got)
		res.Body.Close()
		if want := strings.ReplaceAll(c.want, "URL", b.url); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s, want\n%s", name, err, got, want)
		}
	}
}
