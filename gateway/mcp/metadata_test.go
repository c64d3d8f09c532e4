package mcp_test

import (
	"crypto/ed25519"
	"crypto/rand"
	stdjson "encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/gateway/wire"
)

const loginURL = "https://login.example"

// protected is a gateway that believes the tokens of one issuer, and what makes tokens for an audience.
func protected(t *testing.T, perResource bool) (url string, token func(audience string) string) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := stdjson.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: pub, KeyID: "k", Algorithm: "EdDSA", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, set, 0o600); err != nil {
		t.Fatal(err)
	}
	r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": newUpstream(t, options(wire.MCP20260728)), "lab": serveLab(t, options(wire.MCP20260728))}, nil)
	issuer := identity.Issuer{
		Issuer: loginURL, Audience: "scrim", Resource: perResource, File: file,
		Subjects: map[string]identity.Grant{"caller": {Party: ownCaller, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical}},
	}
	snap := *r.Snapshot()
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
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: priv, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return srv.URL, func(audience string) string {
		now := time.Now()
		text, err := jwt.Signed(signer).Claims(jwt.Claims{
			Issuer: loginURL, Subject: "caller", Audience: jwt.Audience{audience}, IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Hour)),
		}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

func callAt(t *testing.T, url, token string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(listTools))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": wire.MCP20260728, "Mcp-Method": "tools/list"} {
		req.Header.Set(name, v)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// TestClientFindsOutWhoGivesTokens follows the challenge with the official SDK, which checks what RFC 9728 wants of the
// document, and gets in with a token for the resource that it names.
func TestClientFindsOutWhoGivesTokens(t *testing.T) {
	url, token := protected(t, true)
	for _, path := range []string{"/mcp/records", "/mcp/clinic"} {
		res := callAt(t, url+path, "")
		challenge := res.Header.Get("WWW-Authenticate")
		want := `resource_metadata="` + url + "/.well-known/oauth-protected-resource" + path + `"`
		if res.StatusCode != http.StatusUnauthorized || !strings.Contains(challenge, want) {
			t.Fatalf("%s: %d, challenge %s, want %s", path, res.StatusCode, challenge, want)
		}
		meta, err := oauthex.GetProtectedResourceMetadata(t.Context(), url+"/.well-known/oauth-protected-resource"+path, url+path, http.DefaultClient)
		if err != nil || meta.Resource != url+path || len(meta.AuthorizationServers) != 1 || meta.AuthorizationServers[0] != loginURL {
			t.Fatalf("%s: %+v, %v", path, meta, err)
		}
		if res := callAt(t, url+path, token(meta.Resource)); res.StatusCode != http.StatusOK {
			t.Errorf("%s: a token for it: %d", path, res.StatusCode)
		}
	}
}

func TestTokenForOneServerIsNotTakenAtAnother(t *testing.T) {
	url, token := protected(t, true)
	for name, audience := range map[string]string{
		"another server's": url + "/mcp/lab", "the group's": url + "/mcp/clinic", "the gateway's": url, "another face's": url + "/out/mcp/records",
		"another host's": "https://attacker.example/mcp/records", "the issuer's common one": "scrim", "with a slash": url + "/mcp/records/",
	} {
		res := callAt(t, url+"/mcp/records", token(audience))
		if res.StatusCode != http.StatusUnauthorized || !strings.Contains(res.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
			t.Errorf("%s token: %d %s", name, res.StatusCode, res.Header.Get("WWW-Authenticate"))
		}
	}
	url, token = protected(t, false)
	if res := callAt(t, url+"/mcp/records", token("scrim")); res.StatusCode != http.StatusOK {
		t.Errorf("the common audience, where it is configured: %d", res.StatusCode)
	}
}

func TestMetadataSayTheSameOfEveryName(t *testing.T) {
	url, _ := protected(t, true)
	get := func(path string) (int, string) {
		res, err := http.Get(url + gateway.MetadataPath + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	status, known := get("/mcp/records")
	_, unknown := get("/mcp/nothing")
	if status != http.StatusOK || strings.ReplaceAll(unknown, "nothing", "records") != known {
		t.Errorf("known %d %s, unknown %s", status, known, unknown)
	}
	for _, path := range []string{"", "/", "/mcp/", "/mcp", "/mcp/records/more", "/else/records", "/mcp/a%22b", "/mcp/" + strings.Repeat("a", 64)} {
		if status, body := get(path); status != http.StatusNotFound {
			t.Errorf("%q: %d %s", path, status, body)
		}
	}
}
