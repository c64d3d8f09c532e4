package identity

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// provider is an issuer with a discovery document that a test can change.
type provider struct {
	*httptest.Server
	keys     *issuerServer
	document atomic.Pointer[string]
	asked    atomic.Int64
}

func newProvider(t *testing.T, keys ...jose.JSONWebKey) *provider {
	t.Helper()
	p := &provider{keys: newIssuerServer(t, keys...)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/realm" + discoveryPath:
			p.asked.Add(1)
			_, _ = w.Write([]byte(*p.document.Load()))
		case "/realm/jwks":
			p.keys.Config.Handler.ServeHTTP(w, r)
		case "/realm/moved":
			http.Redirect(w, r, "/realm/jwks", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(p.Close)
	p.say(map[string]any{"issuer": p.issuer(), "jwks_uri": p.issuer() + "/jwks"})
	return p
}

func (p *provider) issuer() string { return p.URL + "/realm" }

func (p *provider) say(document map[string]any) {
	b, _ := json.Marshal(document)
	text := string(b)
	p.document.Store(&text)
}

func TestDiscovery(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := newProvider(t, public("k", pub))
	elsewhere := newIssuerServer(t, public("k", pub))
	host := strings.TrimPrefix(elsewhere.URL, "http://")
	token := sign(t, jose.EdDSA, key, "k", good().with("iss", p.issuer()))
	ask := func(hosts ...string) error {
		a := must(New(Options{Issuers: []Issuer{{Issuer: p.issuer(), Audience: aud, Discover: true, KeyHosts: hosts, Default: &desk}}, Clock: func() time.Time { return start }}))(t)
		_, err := a.Authenticate(context.Background(), request("Authorization", "Bearer "+token))
		return err
	}
	if err := ask(); err != nil {
		t.Errorf("a document as it should be: %v", err)
	}
	for name, document := range map[string]map[string]any{
		"another issuer":                      {"issuer": "https://evil.example", "jwks_uri": p.issuer() + "/jwks"},
		"an issuer with a slash":              {"issuer": p.issuer() + "/", "jwks_uri": p.issuer() + "/jwks"},
		"no issuer":                           {"jwks_uri": p.issuer() + "/jwks"},
		"no keys":                             {"issuer": p.issuer()},
		"keys at another host":                {"issuer": p.issuer(), "jwks_uri": elsewhere.URL},
		"keys at the host's name with a user": {"issuer": p.issuer(), "jwks_uri": strings.Replace(p.issuer(), "http://", "http://x@", 1) + "/jwks"},
		"keys over plain http from elsewhere": {"issuer": p.issuer(), "jwks_uri": "http://login.example/jwks"},
		"keys in a file":                      {"issuer": p.issuer(), "jwks_uri": "file:///etc/passwd"},
		"keys that have moved":                {"issuer": p.issuer(), "jwks_uri": p.issuer() + "/moved"},
		"keys that are a number":              {"issuer": p.issuer(), "jwks_uri": 7},
		"keys that are the document":          {"issuer": p.issuer(), "jwks_uri": p.issuer() + discoveryPath},
	} {
		p.say(document)
		if err := ask(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
	if n := elsewhere.asked.Load(); n != 0 {
		t.Errorf("a host that nobody named was asked %d times", n)
	}
	p.say(map[string]any{"issuer": p.issuer(), "jwks_uri": elsewhere.URL})
	if err := ask(host); err != nil {
		t.Errorf("keys at a host that configuration names: %v", err)
	}
	text := "rubbish"
	p.document.Store(&text)
	if err := ask(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("rubbish: %v, want ErrUnavailable", err)
	}
	for _, bad := range []string{"http://login.example", "login.example", "https://a@login.example", "https://login.example/#x"} {
		if _, err := New(Options{Issuers: []Issuer{{Issuer: bad, Audience: aud, Discover: true, Default: &desk}}}); !errors.Is(err, ErrConfig) {
			t.Errorf("discovery at %s: %v, want ErrConfig", bad, err)
		}
	}
}

// Tokens with keys that nobody knows make the gateway ask no oftener than it would anyhow.
func TestDiscoveryIsAskedNoOftenerThanItMayBe(t *testing.T) {
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	next, nextKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := newProvider(t, public("old", pub))
	now := start
	a := must(New(Options{Issuers: []Issuer{{Issuer: p.issuer(), Audience: aud, Discover: true, Default: &desk}}, Clock: func() time.Time { return now }}))(t)
	ask := func(kid string) error {
		_, err := a.Authenticate(context.Background(), request("Authorization", "Bearer "+sign(t, jose.EdDSA, nextKey, kid, good().with("iss", p.issuer()))))
		return err
	}
	for i := range 20 {
		if err := ask(strings.Repeat("x", i+1)); err == nil {
			t.Fatal("a token by no key was believed")
		}
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	p.keys.publish(t, public("old", pub), public("next", next))
	if err := ask("next"); !errors.Is(err, ErrBadCredential) {
		t.Errorf("before it may ask again: %v, want ErrBadCredential", err)
	}
	now = now.Add(retryTime)
	if err := ask("next"); err != nil {
		t.Errorf("after the keys were rotated: %v", err)
	}
	if n := p.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want twice", n)
	}
}

// Two issuers give a key the same id, and one signs in the other's name.
func TestIssuersAreNotMixedUp(t *testing.T) {
	pubA, keyA, _ := ed25519.GenerateKey(rand.Reader)
	pubB, keyB, _ := ed25519.GenerateKey(rand.Reader)
	a, b := newProvider(t, public("k", pubA)), newProvider(t, public("k", pubB))
	auth := must(New(Options{Issuers: []Issuer{
		{Issuer: a.issuer(), Audience: aud, Discover: true, Subjects: map[string]Grant{"alice-agent": desk}},
		{Issuer: b.issuer(), Audience: aud, Discover: true, Subjects: map[string]Grant{"alice-agent": guest}},
	}, Clock: func() time.Time { return start }}))(t)
	for _, c := range []struct {
		name string
		key  ed25519.PrivateKey
		iss  string
		want string
	}{
		{"a's own", keyA, a.issuer(), "desk"},
		{"b's own", keyB, b.issuer(), "guest"},
		{"b signs in a's name", keyB, a.issuer(), ""},
		{"a signs in b's name", keyA, b.issuer(), ""},
		{"a's name with a slash", keyA, a.issuer() + "/", ""},
	} {
		got, err := auth.Authenticate(context.Background(), request("Authorization", "Bearer "+sign(t, jose.EdDSA, c.key, "k", good().with("iss", c.iss))))
		if string(got.Party.Agent) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %+v, %v, want %q", c.name, got, err, c.want)
		}
	}
}
