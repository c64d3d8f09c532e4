package card

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2aclient/agentcard"

	"github.com/scrimhq/scrim/data/json"
)

const upstream = `{
  "name": "Hospital agent", "description": "Answers \u0022coverage\u0022 questions", "version": "1.2.0", "x-vendor": {"tier": "gold", "n": 9007199254740993, "empty": ""},
  "supportedInterfaces": [
    {"url": "grpc://internal:9000", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
    {"url": "https://internal.example/old", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
    {"url": "https://internal.example/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": "north", "x-i": 1},
    {"url": "https://internal.example/rest", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"}
  ],
  "url": "https://internal.example/v03", "preferredTransport": "JSONRPC", "additionalInterfaces": [{"url": "https://internal.example/more"}],
  "capabilities": {"streaming": true, "pushNotifications": true, "extensions": [
    {"uri": "https://scrim.dev/ext/privacy/v1", "params": {"stale": true}}, {"uri": "https://example.com/ext", "required": false}]},
  "securitySchemes": {"oidc": {"openIdConnectSecurityScheme": {"openIdConnectUrl": "https://internal.example/oidc"}}},
  "securityRequirements": [{"schemes": {"oidc": []}}],
  "defaultInputModes": ["text/plain"], "defaultOutputModes": [],
  "skills": [{"id": "cover", "name": "Coverage", "description": "Says what is covered", "tags": ["insurance"], "examples": ["Is Ann covered?"],
    "securityRequirements": [{"schemes": {"oidc": []}}]}],
  "signatures": [{"protected": "e30", "signature": "AA"}]
}`

func newKey(t testing.TB) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pub, priv
}

func at(url string) []Interface { return []Interface{{URL: url, Binding: JSONRPC, Version: "1.0"}} }

func rewritten(t testing.TB, opt Options) []byte {
	t.Helper()
	c, err := Parse([]byte(upstream), json.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Rewrite(opt)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRewrittenCardAsTheSDKSeesIt(t *testing.T) {
	pub, priv := newKey(t)
	out := rewritten(t, Options{Interfaces: at("https://gw.example/a2a/hospital"), Signer: priv, KeyID: "k1", Params: []byte(`{"v":1}`),
		SecuritySchemes: []byte(`{"key":{"apiKeySecurityScheme":{"location":"header","name":"X-API-Key"}}}`)})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(out) }))
	defer srv.Close()
	got, err := agentcard.DefaultResolver.Resolve(context.Background(), srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.SupportedInterfaces) != 1 || got.SupportedInterfaces[0].URL != "https://gw.example/a2a/hospital" || got.SupportedInterfaces[0].ProtocolBinding != a2a.TransportProtocolJSONRPC {
		t.Errorf("interfaces: %+v", got.SupportedInterfaces)
	}
	if c := got.Capabilities; c.PushNotifications || !c.Streaming || len(c.Extensions) != 2 || c.Extensions[1].URI != PrivacyExtension || c.Extensions[1].Params["v"] == nil {
		t.Errorf("capabilities: %+v", c)
	}
	if len(got.SecuritySchemes) != 1 || got.SecuritySchemes["key"] == nil || len(got.SecurityRequirements) != 0 || len(got.Skills[0].SecurityRequirements) != 0 {
		t.Errorf("security: %+v %+v", got.SecuritySchemes, got.SecurityRequirements)
	}
	if len(got.Signatures) != 1 || Verify(out, "k1", pub) != nil {
		t.Errorf("signatures: %+v", got.Signatures)
	}
	if bytes.Contains(out, []byte("internal")) {
		t.Error("the agent's own address is still in the card")
	}
	for _, kept := range []string{`"x-vendor": {"tier": "gold", "n": 9007199254740993, "empty": ""}`, `"Answers \u0022coverage\u0022 questions"`} {
		if !bytes.Contains(out, []byte(kept)) {
			t.Errorf("lost or changed: %s", kept)
		}
	}
}

func TestCardWithoutInterfaceOrForm(t *testing.T) {
	for name, c := range map[string]struct {
		src  string
		want error
	}{
		"not JSON":            {`{`, json.ErrSyntax},
		"a name given twice":  {`{"name":"a","name":"b"}`, json.ErrDuplicate},
		"an array":            {`[]`, ErrNotCard},
		"no capabilities":     {`{"name":"a","supportedInterfaces":[]}`, ErrNotCard},
		"interfaces a string": {`{"name":"a","capabilities":{},"supportedInterfaces":"x"}`, ErrNotCard},
		"extensions a string": {`{"name":"a","capabilities":{"extensions":"x"},"supportedInterfaces":[]}`, ErrNotCard},
		"no address at all":   {`{"name":"a","capabilities":{},"protocolVersion":"0.3.0"}`, ErrNotCard},
		"interfaces null":     {`{"name":"a","capabilities":{},"supportedInterfaces":null,"url":"https://x"}`, ErrNotCard},
	} {
		if _, err := Parse([]byte(c.src), json.Limits{}); !errors.Is(err, c.want) {
			t.Errorf("%s: Parse() error = %v, want %v", name, err, c.want)
		}
	}
	c, err := Parse([]byte(`{"name":"a","capabilities":{},"supportedInterfaces":[{"url":"u","protocolBinding":"GRPC","protocolVersion":"1.0"},"x"]}`), json.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Rewrite(Options{}); !errors.Is(err, ErrNoInterface) {
		t.Errorf("Rewrite() error = %v, want ErrNoInterface", err)
	}
	full, err := Parse([]byte(upstream), json.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !full.Signed() {
		t.Error("Signed() = false, want true")
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := full.Rewrite(Options{Interfaces: at("u"), Signer: other}); !errors.Is(err, ErrSigner) {
		t.Errorf("Rewrite() error = %v, want ErrSigner", err)
	}
	if _, err := full.Rewrite(Options{Interfaces: at("u"), Params: []byte("{")}); !errors.Is(err, ErrNotCard) {
		t.Errorf("Rewrite() error = %v, want ErrNotCard", err)
	}
}

func TestVerify(t *testing.T) {
	pub, priv := newKey(t)
	other, _ := newKey(t)
	out := rewritten(t, Options{Interfaces: at("https://gw.example/a"), Signer: priv, KeyID: "k1"})
	swap := func(old, new string) []byte {
		t.Helper()
		changed := bytes.Replace(out, []byte(old), []byte(new), 1)
		if bytes.Equal(changed, out) {
			t.Fatalf("%s is not in the card", old)
		}
		return changed
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		card []byte
		kid  string
		key  any
		want error
	}{
		{"as it was signed", out, "k1", pub, nil},
		{"any key id", out, "", pub, nil},
		{"another key", out, "k1", other, ErrSignature},
		{"a key of another type", out, "k1", &ec.PublicKey, ErrSignature},
		{"another key id", out, "k2", pub, ErrUnsigned},
		{"another address", swap("gw.example", "evil.example"), "k1", pub, ErrSignature},
		{"an undeclared member changed", swap("gold", "lead"), "k1", pub, ErrSignature},
		{"other white space", swap(`"version": "1.2.0"`, `"version" :  "1.2.0"`), "k1", pub, nil},
		{"a default spelled out", swap(`"version": "1.2.0"`, `"version": "1.2.0", "securityRequirements": []`), "k1", pub, nil},
		{"a required member's default taken out", swap(`"defaultOutputModes": [],`, ``), "k1", pub, ErrSignature},
		{"a member given twice", swap(`"version": "1.2.0"`, `"version": "1.2.0", "name": "x"`), "k1", pub, ErrNotCard},
		{"no signature", []byte(`{"name":"a"}`), "k1", pub, ErrUnsigned},
		{"an array", []byte(`[]`), "k1", pub, ErrNotCard},
	} {
		if err := Verify(c.card, c.kid, c.key); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: Verify() = %v, want %v", c.name, err, c.want)
		}
	}
}

// The signed bytes are written out here, so that nobody needs our code to know what they are.
func TestCanonicalForm(t *testing.T) {
	src := `{"version":"1","name":"\u00e9","capabilities":{"streaming":false,"extensions":[]},"supportedInterfaces":[{"url":"u","tenant":"","protocolBinding":"JSONRPC","protocolVersion":"1.0"}],
		"skills":[{"id":"a","examples":[],"tags":[]}],"securitySchemes":{},"x":{"b":0.50,"a":""},"signatures":[{"protected":"p"}]}`
	want := `{"capabilities":{"streaming":false},"name":"é","skills":[{"id":"a","tags":[]}],"supportedInterfaces":[{"protocolBinding":"JSONRPC","protocolVersion":"1.0","url":"u"}],"version":"1","x":{"a":"","b":0.5}}`
	got, err := canonical([]byte(src))
	if err != nil || string(got) != want {
		t.Errorf("canonical() = %s, %v\nwant %s", got, err, want)
	}
	pub, priv := newKey(t)
	out := rewritten(t, Options{Interfaces: at("u"), Signer: priv, KeyID: "k"})
	var card struct {
		Signatures []struct{ Protected, Signature string }
	}
	if err := stdjson.Unmarshal(out, &card); err != nil {
		t.Fatal(err)
	}
	payload, err := canonical(out)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := base64.RawURLEncoding.DecodeString(card.Signatures[0].Signature)
	if err != nil || !ed25519.Verify(pub, []byte(card.Signatures[0].Protected+"."+base64.RawURLEncoding.EncodeToString(payload)), sig) {
		t.Error("the signature is not Ed25519 over protected.payload")
	}
}

func TestETag(t *testing.T) {
	if a, b := ETag([]byte("a")), ETag([]byte("b")); a == b || a != ETag([]byte("a")) || a[0] != '"' || a[len(a)-1] != '"' {
		t.Errorf("ETag = %s, %s", a, b)
	}
}

// Whatever a stranger shows as a card, what comes out is a card at the gateway's address that verifies, or nothing.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte(upstream))
	f.Add([]byte(`{"name":"a","capabilities":{},"supportedInterfaces":[{"url":"u","protocolBinding":"JSONRPC","protocolVersion":"1.0"}]}`))
	pub, priv := newKey(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := Parse(src, json.Limits{})
		if err != nil {
			return
		}
		out, err := c.Rewrite(Options{Interfaces: at("https://gw.example/a"), Signer: priv, KeyID: "k"})
		if err != nil {
			return
		}
		again, err := Parse(out, json.Limits{})
		if err != nil {
			t.Fatalf("the new card: %v", err)
		}
		if all := again.Interfaces(); len(all) != 1 || all[0].URL != "https://gw.example/a" {
			t.Fatalf("the new card leads to %v", all)
		}
		if err := Verify(out, "k", pub); err != nil {
			t.Fatalf("the new card: %v", err)
		}
	})
}
