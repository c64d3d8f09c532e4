package identity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/scrimhq/scrim/flow"
)

var (
	start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	desk  = Grant{Party: flow.Party{Agent: "desk", Domain: "hospital", Roles: []flow.Role{"clinical"}}, Purposes: []flow.Purpose{"care", "billing"}, Criticality: flow.Routine}
	guest = Grant{Party: flow.Party{Agent: "guest", Domain: "outside"}}
)

const (
	iss = "https://login.example"
	aud = "scrim"
)

func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/a2a/x", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestAPIKeys(t *testing.T) {
	key, digest := NewKey()
	old, oldDigest := NewKey()
	opt := Options{
		Keys:  []Key{{ID: "old", SHA256: oldDigest, Grant: desk, Until: start}, {ID: "desk-1", SHA256: strings.ToUpper(digest), Grant: desk}},
		Clock: func() time.Time { return start },
	}
	a := must(New(opt))(t)
	withGuest := opt
	withGuest.Anonymous = &guest
	b := must(New(withGuest))(t)
	good := key.Expose()
	for _, c := range []struct {
		name string
		r    *http.Request
		want error
	}{
		{"a bearer", request("Authorization", "Bearer "+good), nil},
		{"a bearer in lower case", request("Authorization", "bearer  "+good), nil},
		{"a header of its own", request("X-API-Key", good), nil},
		{"nothing", request(), ErrNoCredential},
		{"another key", request("Authorization", "Bearer "+KeyPrefix+"AAAA"), ErrBadCredential},
		{"a key with more", request("X-API-Key", good+"A"), ErrBadCredential},
		{"the digest", request("X-API-Key", digest), ErrBadCredential},
		{"an empty bearer", request("Authorization", "Bearer "), ErrBadCredential},
		{"an empty header", request("X-API-Key", ""), ErrBadCredential},
		{"another scheme", request("Authorization", "Basic "+good), ErrBadCredential},
		{"two headers", request("Authorization", "Bearer "+good, "X-API-Key", good), ErrBadCredential},
		{"a header twice", request("X-API-Key", good, "X-API-Key", good), ErrBadCredential},
		{"a key that has ended", request("X-API-Key", old.Expose()), ErrExpired},
		{"a long one", request("X-API-Key", strings.Repeat("A", maxToken+1)), ErrBadCredential},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, auth := range []*Authenticator{a, b} {
				want := c.want
				if auth == b && errors.Is(want, ErrNoCredential) {
					want = nil
				}
				got, err := auth.Authenticate(context.Background(), c.r)
				if !errors.Is(err, want) || (want == nil) != (err == nil) {
					t.Fatalf("Authenticate() error = %v, want %v", err, want)
				}
				if err != nil && (got.TokenRoot != "" || got.Party.Agent != "" || strings.Contains(err.Error(), good)) {
					t.Errorf("with an error come %+v, %v", got, err)
				}
				switch {
				case err != nil:
				case c.want == nil && (got.Party.Agent != "desk" || got.TokenRoot != "key:desk-1" || got.Anonymous):
					t.Errorf("caller = %+v", got)
				case c.want != nil && (got.Party.Agent != "guest" || !got.Anonymous):
					t.Errorf("caller = %+v, want the guest", got)
				}
			}
		})
	}
	if !strings.HasPrefix(good, KeyPrefix) || len(good) != len(KeyPrefix)+43 || strings.Contains(fmt.Sprint(key), good) {
		t.Error("a new key has not its form, or prints")
	}
}

func TestChoose(t *testing.T) {
	c := desk.caller("key:1", time.Time{})
	one := Caller{Purposes: []flow.Purpose{"care"}}
	for _, tt := range []struct {
		c                    Caller
		purpose, criticality string
		wantP                flow.Purpose
		wantC                flow.Criticality
	}{
		{c, "care", "routine", "care", flow.Routine}, {c, "care", "", "care", flow.Low}, {c, "", "low", "", flow.Low},
		{c, "research", "critical", "", flow.Low}, {c, "billing", "CRITICAL", "billing", flow.Low}, {one, "", "", "care", flow.Low},
		{one, "billing", "", "", flow.Low}, {Caller{}, "care", "routine", "", flow.Low}, {Caller{}, "", "", "", flow.Low},
	} {
		if p, crit := tt.c.Choose(tt.purpose, tt.criticality); p != tt.wantP || crit != tt.wantC {
			t.Errorf("Choose(%q, %q) = %q, %s, want %q, %s", tt.purpose, tt.criticality, p, crit, tt.wantP, tt.wantC)
		}
	}
	if p, crit := c.ChooseFrom(request(HeaderPurpose, "care", HeaderCriticality, "routine").Header); p != "care" || crit != flow.Routine {
		t.Errorf("ChooseFrom = %q, %s", p, crit)
	}
	if p, _ := c.ChooseFrom(request(HeaderPurpose, "care", HeaderPurpose, "billing").Header); p != "" {
		t.Errorf("ChooseFrom with two purposes = %q", p)
	}
}

func TestNewTellsEveryMistake(t *testing.T) {
	_, err := New(Options{
		Skew:      time.Hour,
		Keys:      []Key{{ID: "a", SHA256: "zz", Grant: desk}, {ID: "a", SHA256: Digest("x"), Grant: Grant{}}, {ID: "b", SHA256: Digest("x"), Grant: desk}},
		Anonymous: &Grant{},
		Issuers: []Issuer{
			{Issuer: iss}, {Issuer: iss, Audience: aud, URL: "http://login.example/jwks"}, {Issuer: iss, Audience: aud, File: "a", URL: "https://x/"},
			{Issuer: iss, Audience: aud, File: "a", Algorithms: []string{"HS256"}}, {Issuer: iss, Audience: aud, File: "a", Algorithms: []string{"none"}},
			{Issuer: iss, Audience: aud, File: "a", Subjects: map[string]Grant{"": desk}}, {Issuer: iss, Audience: aud, File: "a"}, {Issuer: iss, Audience: aud, File: "a"},
		},
	})
	if !errors.Is(err, ErrConfig) {
		t.Fatalf("New() error = %v, want ErrConfig", err)
	}
	if n := len(strings.Split(err.Error(), "\n")); n != 13 {
		t.Errorf("%d mistakes told, want 13:\n%v", n, err)
	}
}

// issuerServer is an issuer with a JWKS that a test can change.
type issuerServer struct {
	*httptest.Server
	set   atomic.Pointer[[]byte]
	asked atomic.Int64
}

func newIssuerServer(t *testing.T, keys ...jose.JSONWebKey) *issuerServer {
	s := &issuerServer{}
	s.publish(t, keys...)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.asked.Add(1)
		if b := s.set.Load(); b != nil {
			_, _ = w.Write(*b)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *issuerServer) publish(t *testing.T, keys ...jose.JSONWebKey) {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	s.set.Store(&b)
}

func public(id string, key crypto.PublicKey) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key, KeyID: id}
}

type claims map[string]any

func good() claims {
	return claims{"iss": iss, "aud": []string{"x", aud}, "sub": "alice-agent", "exp": start.Add(time.Hour).Unix(), "nbf": start.Unix()}
}

func (c claims) with(name string, v any) claims {
	if v == nil {
		delete(c, name)
	} else {
		c[name] = v
	}
	return c
}

func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, kid string, c claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any(c)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokens(t *testing.T) {
	edPub, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, strangerKey, _ := ed25519.GenerateKey(rand.Reader)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	encKey := public("enc", &rsaKey.PublicKey)
	encKey.Use = "enc"
	srv := newIssuerServer(t, public("ed", edPub), public("ec", &ecKey.PublicKey), public("rsa", &rsaKey.PublicKey), encKey)
	opt := Options{
		Issuers: []Issuer{{Issuer: iss, Audience: aud, URL: srv.URL, Subjects: map[string]Grant{"alice-agent": desk}, Algorithms: []string{"EdDSA", "ES256", "RS256", "PS256"}}},
		Clock:   func() time.Time { return start },
	}
	a := must(New(opt))(t)
	opt.Issuers = []Issuer{{Issuer: iss, Audience: aud, URL: srv.URL, Default: &desk}} // EdDSA and ES256
	narrow := must(New(opt))(t)
	der := must(x509.MarshalPKIXPublicKey(&rsaKey.PublicKey))(t)
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	ok := sign(t, jose.EdDSA, edKey, "ed", good())
	parts := strings.Split(ok, ".")
	unsigned := "eyJhbGciOiJub25lIn0." + parts[1] + "."
	for _, c := range []struct {
		name, token string
		auth        *Authenticator
		want        error
	}{
		{"EdDSA", ok, a, nil},
		{"ES256", sign(t, jose.ES256, ecKey, "ec", good()), a, nil},
		{"RS256", sign(t, jose.RS256, rsaKey, "rsa", good()), a, nil},
		{"PS256", sign(t, jose.PS256, rsaKey, "rsa", good()), a, nil},
		{"no key id", sign(t, jose.EdDSA, edKey, "", good()), a, nil},
		{"iat in place of nbf", sign(t, jose.EdDSA, edKey, "ed", good().with("nbf", nil).with("iat", start.Unix())), a, nil},
		{"clocks a little apart", sign(t, jose.EdDSA, edKey, "ed", good().with("nbf", start.Add(20*time.Second).Unix())), a, nil},
		{"just ended, within the skew", sign(t, jose.EdDSA, edKey, "ed", good().with("exp", start.Add(-20*time.Second).Unix())), a, nil},
		{"a subject by default", ok, narrow, nil},
		{"RS256 where it is not allowed", sign(t, jose.RS256, rsaKey, "rsa", good()), narrow, ErrBadCredential},
		{"none", unsigned, a, ErrBadCredential},
		{"the public key as a shared secret", sign(t, jose.HS256, pemKey, "rsa", good()), a, ErrBadCredential},
		{"a key for another algorithm", sign(t, jose.EdDSA, edKey, "ec", good()), a, ErrBadCredential},
		{"a key for encryption", sign(t, jose.RS256, rsaKey, "enc", good()), a, ErrBadCredential},
		{"RS384", sign(t, jose.RS384, rsaKey, "rsa", good()), a, ErrBadCredential},
		{"a stranger's key", sign(t, jose.EdDSA, strangerKey, "ed", good()), a, ErrBadCredential},
		{"a stranger's key with its own id", sign(t, jose.EdDSA, strangerKey, "me", good()), a, ErrBadCredential},
		{"other claims under the signature", parts[0] + "." + strings.Split(sign(t, jose.EdDSA, edKey, "ed", good().with("sub", "root")), ".")[1] + "." + parts[2], a, ErrBadCredential},
		{"another audience", sign(t, jose.EdDSA, edKey, "ed", good().with("aud", "other")), a, ErrBadCredential},
		{"no audience", sign(t, jose.EdDSA, edKey, "ed", good().with("aud", nil)), a, ErrBadCredential},
		{"another issuer", sign(t, jose.EdDSA, edKey, "ed", good().with("iss", "https://evil.example")), a, ErrBadCredential},
		{"no end", sign(t, jose.EdDSA, edKey, "ed", good().with("exp", nil)), a, ErrBadCredential},
		{"no beginning", sign(t, jose.EdDSA, edKey, "ed", good().with("nbf", nil)), a, ErrBadCredential},
		{"no subject", sign(t, jose.EdDSA, edKey, "ed", good().with("sub", nil)), a, ErrBadCredential},
		{"ended", sign(t, jose.EdDSA, edKey, "ed", good().with("exp", start.Add(-time.Minute).Unix())), a, ErrExpired},
		{"not begun", sign(t, jose.EdDSA, edKey, "ed", good().with("nbf", start.Add(time.Minute).Unix())), a, ErrExpired},
		{"a subject nobody lists", sign(t, jose.EdDSA, edKey, "ed", good().with("sub", "bob")), a, ErrUnknownCaller},
		{"a word with two dots", "a.b.c", a, ErrBadCredential},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.auth.Authenticate(context.Background(), request("Authorization", "Bearer "+c.token))
			if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Fatalf("Authenticate() error = %v, want %v", err, c.want)
			}
			if err == nil && (got.Party.Agent != "desk" || got.Expires.IsZero() || got.TokenRoot != tokenRoot(iss, "alice-agent")) {
				t.Errorf("caller = %+v", got)
			}
			for part := range strings.SplitSeq(c.token, ".") {
				if err != nil && len(part) > 3 && strings.Contains(err.Error(), part) {
					t.Errorf("the error holds a part of the token: %v", err)
				}
			}
		})
	}
	if tokenRoot("a", "bc") == tokenRoot("ab", "c") || slices.Contains([]string{"", "jwt:"}, tokenRoot("a", "b")) {
		t.Error("two subjects have one token root")
	}
}

// Which agent and which purposes a token stands for, where the issuer has claims of its own for them.
func TestClaimsOfTheIssuer(t *testing.T) {
	pub, key, _ := ed25519.GenerateKey(rand.Reader)
	srv := newIssuerServer(t, public("k", pub))
	grant := desk
	grant.Purposes, grant.Default = []flow.Purpose{"care", "billing", "audit"}, "billing"
	a := must(New(Options{
		Issuers: []Issuer{{Issuer: iss, Audience: aud, URL: srv.URL, AgentClaim: "azp", PurposeClaim: "purpose", Subjects: map[string]Grant{"client-7": grant}}},
		Clock:   func() time.Time { return start },
	}))(t)
	mine := func() claims { return good().with("azp", "client-7") }
	for name, c := range map[string]struct {
		claims claims
		want   []flow.Purpose
		first  flow.Purpose // of a request that names none
		err    error
	}{
		"one purpose":                    {mine().with("purpose", "care"), []flow.Purpose{"care"}, "care", nil},
		"several":                        {mine().with("purpose", []string{"audit", "billing"}), []flow.Purpose{"billing", "audit"}, "billing", nil},
		"the default is not among them":  {mine().with("purpose", []string{"audit", "care"}), []flow.Purpose{"care", "audit"}, "", nil},
		"more than is granted":           {mine().with("purpose", []string{"care", "ads"}), []flow.Purpose{"care"}, "care", nil},
		"none that is granted":           {mine().with("purpose", "ads"), nil, "", nil},
		"none named":                     {mine(), nil, "", nil},
		"purposes that are no strings":   {mine().with("purpose", []any{"care", 5}), nil, "", ErrBadCredential},
		"a purpose that is a number":     {mine().with("purpose", 5), nil, "", ErrBadCredential},
		"the agent's claim is missing":   {good().with("purpose", "care"), nil, "", ErrBadCredential},
		"the agent's claim is no string": {good().with("azp", []string{"client-7"}), nil, "", ErrBadCredential},
		"the agent is in sub":            {good().with("azp", "other").with("sub", "client-7"), nil, "", ErrUnknownCaller},
	} {
		got, err := a.Authenticate(context.Background(), request("Authorization", "Bearer "+sign(t, jose.EdDSA, key, "k", c.claims)))
		if !errors.Is(err, c.err) || (c.err == nil) != (err == nil) {
			t.Errorf("%s: error = %v, want %v", name, err, c.err)
		}
		if !slices.Equal(got.Purposes, c.want) {
			t.Errorf("%s: purposes = %q, want %q", name, got.Purposes, c.want)
		}
		if p, _ := got.Choose("", ""); p != c.first {
			t.Errorf("%s: a request that names no purpose is for %q, want %q", name, p, c.first)
		}
	}
	again, err := a.Authenticate(context.Background(), request("Authorization", "Bearer "+sign(t, jose.EdDSA, key, "k", mine().with("purpose", []string{"care", "billing", "audit"}))))
	if err != nil || len(again.Purposes) != 3 {
		t.Errorf("after the others the agent has %q, %v; one token took from the next", again.Purposes, err)
	}
}

func TestDefaultPurpose(t *testing.T) {
	both := []flow.Purpose{"care", "billing"}
	for name, c := range map[string]struct {
		caller Caller
		named  string
		want   flow.Purpose
	}{
		"named":                      {Caller{Purposes: both, Default: "billing"}, "care", "care"},
		"none named":                 {Caller{Purposes: both, Default: "billing"}, "", "billing"},
		"one that is not granted":    {Caller{Purposes: both, Default: "billing"}, "ads", ""},
		"no default among several":   {Caller{Purposes: both}, "", ""},
		"no default, only one":       {Caller{Purposes: both[:1]}, "", "care"},
		"a default not granted":      {Caller{Purposes: both, Default: "ads"}, "", ""},
		"a default not granted, one": {Caller{Purposes: both[:1], Default: "ads"}, "", "care"},
	} {
		if p, _ := c.caller.Choose(c.named, ""); p != c.want {
			t.Errorf("%s: purpose = %q, want %q", name, p, c.want)
		}
	}
}

func TestKeyRotationAndCaching(t *testing.T) {
	pub1, key1, _ := ed25519.GenerateKey(rand.Reader)
	pub2, key2, _ := ed25519.GenerateKey(rand.Reader)
	srv := newIssuerServer(t, public("k1", pub1))
	now := start
	a := must(New(Options{Issuers: []Issuer{{Issuer: iss, Audience: aud, URL: srv.URL, Default: &desk}}, Clock: func() time.Time { return now }}))(t)
	long := good().with("exp", start.Add(100*time.Hour).Unix())
	try := func(step, token string, want error, asked int64) {
		t.Helper()
		_, err := a.Authenticate(context.Background(), request("Authorization", "Bearer "+token))
		if !errors.Is(err, want) || (want == nil) != (err == nil) {
			t.Errorf("%s: error = %v, want %v", step, err, want)
		}
		if got := srv.asked.Load(); got != asked {
			t.Errorf("%s: the issuer was asked %d times, want %d", step, got, asked)
		}
	}
	token1, token2 := sign(t, jose.EdDSA, key1, "k1", long), sign(t, jose.EdDSA, key2, "k2", long)
	try("first", token1, nil, 1)
	try("cached", token1, nil, 1)
	for range 20 {
		try("an unknown key soon after", token2, ErrBadCredential, 1)
	}
	srv.publish(t, public("k2", pub2))
	now = now.Add(retryTime)
	try("a new key", token2, nil, 2)
	try("the old key is gone", token1, ErrBadCredential, 2)
	srv.set.Store(nil)
	now = now.Add(refreshTime)
	try("the issuer is away", token2, nil, 3)
	try("and is not asked all the time", token2, nil, 3)
	now = now.Add(staleTime)
	try("the issuer is away for long", token2, ErrUnavailable, 4)
	srv.publish(t, public("k2", pub2))
	now = now.Add(retryTime)
	try("the issuer is back", token2, nil, 5)
}

func TestKeySetsThatAreNot(t *testing.T) {
	pub, key, _ := ed25519.GenerateKey(rand.Reader)
	token := sign(t, jose.EdDSA, key, "k", good())
	for name, c := range map[string]struct {
		set  string
		want error
	}{
		"not JSON":        {"<html>", ErrUnavailable},
		"empty":           {`{"keys":[]}`, ErrUnavailable},
		"a shared secret": {`{"keys":[{"kty":"oct","k":"AAAA","kid":"k"}]}`, ErrUnavailable},
		"too big":         {`{"keys":[` + string(must(public("k", pub).MarshalJSON())(t)) + `]}` + strings.Repeat(" ", maxKeySet), ErrUnavailable},
		"beside odd ones": {`{"keys":[{"kty":"new"},5,` + string(must(public("k", pub).MarshalJSON())(t)) + `]}`, nil},
	} {
		path := filepath.Join(t.TempDir(), "jwks.json")
		if err := os.WriteFile(path, []byte(c.set), 0o600); err != nil {
			t.Fatal(err)
		}
		a := must(New(Options{Issuers: []Issuer{{Issuer: iss, Audience: aud, File: path, Default: &desk}}, Clock: func() time.Time { return start }}))(t)
		if _, err := a.Authenticate(context.Background(), request("Authorization", "Bearer "+token)); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: error = %v, want %v", name, err, c.want)
		}
	}
	elsewhere := newIssuerServer(t, public("k", pub))
	redirect := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer redirect.Close()
	a := must(New(Options{Issuers: []Issuer{{Issuer: iss, Audience: aud, URL: redirect.URL, Default: &desk}}, Clock: func() time.Time { return start }}))(t)
	if _, err := a.Authenticate(context.Background(), request("Authorization", "Bearer "+token)); !errors.Is(err, ErrUnavailable) || elsewhere.asked.Load() != 0 {
		t.Errorf("a redirect was followed: %v", err)
	}
}

// Many callers at once cause one fetch, and all get its keys.
func TestOneFetchServesAll(t *testing.T) {
	pub, key, _ := ed25519.GenerateKey(rand.Reader)
	srv := newIssuerServer(t, public("k", pub))
	a := must(New(Options{Issuers: []Issuer{{Issuer: iss, Audience: aud, URL: srv.URL, Default: &desk}}, Clock: func() time.Time { return start }}))(t)
	token := sign(t, jose.EdDSA, key, "k", good())
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			if _, err := a.Authenticate(context.Background(), request("Authorization", "Bearer "+token)); err != nil {
				t.Errorf("Authenticate() error = %v", err)
			}
		})
	}
	callers.Wait()
	if n := srv.asked.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times, want once", n)
	}
}
