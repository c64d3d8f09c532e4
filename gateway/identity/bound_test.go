package identity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// login is an issuer whose keys are in a file, and a gateway that believes it.
type login struct {
	t    *testing.T
	key  ed25519.PrivateKey
	auth *Authenticator
	now  time.Time
}

func newLogin(t *testing.T, change func(*Options)) *login {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l := &login{t: t, key: key, now: start}
	file := filepath.Join(t.TempDir(), "jwks.json")
	set := must(jose.JSONWebKey{Key: pub, KeyID: "k"}.MarshalJSON())(t)
	if err := os.WriteFile(file, []byte(`{"keys":[`+string(set)+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	opt := Options{Issuers: []Issuer{{Issuer: iss, Audience: aud, File: file, Subjects: map[string]Grant{"alice-agent": desk, "bob-agent": intake}}}, Clock: func() time.Time { return l.now }}
	if change != nil {
		change(&opt)
	}
	l.auth = must(New(opt))(t)
	return l
}

func (l *login) token(c claims) string { return sign(l.t, jose.EdDSA, l.key, "k", c) }

func (l *login) typed(typ string, c claims) string {
	l.t.Helper()
	opt := &jose.SignerOptions{}
	if typ != "" {
		opt = opt.WithType(jose.ContentType(typ))
	}
	s := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: l.key, KeyID: "k"}}, opt))(l.t)
	return must(jwt.Signed(s).Claims(map[string]any(c)).Serialize())(l.t)
}

const at = "https://gw.example/mcp/records"

// ask authenticates a request to the address at, over a connection that shows a certificate; nil: none.
func (l *login) ask(leaf *x509.Certificate, headers ...string) (Caller, error) {
	r := request(headers...)
	if leaf != nil {
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: chain(leaf)}
	}
	return l.auth.Authenticate(WithTarget(context.Background(), at), r)
}

func TestTokensBoundToACertificate(t *testing.T) {
	l := newLogin(t, nil)
	own := newAuthority(t, "own")
	mine, other := own.leaf("spiffe://hospital/agent/desk"), own.leaf("spiffe://hospital/agent/desk")
	sum := sha256.Sum256(mine.Raw)
	x5t := base64.RawURLEncoding.EncodeToString(sum[:])
	bound := "Bearer " + l.token(good().with("cnf", map[string]any{"x5t#S256": x5t}))
	if got, err := l.ask(mine, "Authorization", bound); err != nil || got.Party.Agent != "desk" || got.Thumbprint != sum {
		t.Errorf("by its holder: %+v, %v, want desk", got, err)
	}
	for name, c := range map[string]struct {
		leaf *x509.Certificate
		cnf  any
		want error
	}{
		"without a certificate":         {nil, map[string]any{"x5t#S256": x5t}, ErrProof},
		"with another certificate":      {other, map[string]any{"x5t#S256": x5t}, ErrProof},
		"with one that is not believed": {mine, nil, ErrBadCredential}, // the token is not bound, so the certificate is a credential of its own
		"by another digest":             {mine, map[string]any{"x5t": x5t}, ErrBadCredential},
		"by a key in the token":         {mine, map[string]any{"jwk": map[string]any{"kty": "OKP"}}, ErrBadCredential},
		"by a key id":                   {mine, map[string]any{"kid": x5t}, ErrBadCredential},
		"by another digest, bare":       {nil, map[string]any{"x5t": x5t}, ErrBadCredential},
		"by a key id, bare":             {nil, map[string]any{"kid": x5t}, ErrBadCredential},
		"by that and a key id":          {mine, map[string]any{"x5t#S256": x5t, "kid": x5t}, ErrBadCredential},
		"by that and something else":    {mine, map[string]any{"x5t#S256": x5t, "kid": "x"}, ErrBadCredential},
		"by nothing":                    {mine, map[string]any{}, ErrBadCredential},
		"by a text":                     {mine, x5t, ErrBadCredential},
		"by half a digest":              {mine, map[string]any{"x5t#S256": x5t[:22]}, ErrBadCredential},
		"by a digest with padding":      {mine, map[string]any{"x5t#S256": x5t + "="}, ErrBadCredential},
		"by null":                       {mine, map[string]any{"x5t#S256": nil}, ErrBadCredential},
	} {
		if got, err := l.ask(c.leaf, "Authorization", "Bearer "+l.token(good().with("cnf", c.cnf))); !errors.Is(err, c.want) || got.TokenRoot != "" {
			t.Errorf("bound %s: %+v, %v, want %v", name, got, err, c.want)
		}
	}
	raw := strings.Replace(bound, "Bearer ", "DPoP ", 1)
	if got, err := l.ask(mine, "Authorization", raw); !errors.Is(err, ErrProof) {
		t.Errorf("by the scheme DPoP: %+v, %v, want ErrProof", got, err)
	}
}

// holder proves that it has a key.
type holder struct {
	l   *login
	key *ecdsa.PrivateKey
	jkt string
}

func newHolder(l *login) *holder {
	l.t.Helper()
	h := &holder{l: l, key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(l.t)}
	h.jkt = must(KeyThumbprint(h.key.Public()))(l.t)
	return h
}

func (h *holder) token() string { return h.l.token(good().with("cnf", map[string]any{"jkt": h.jkt})) }

func (h *holder) claims(token string) claims {
	return claims{"jti": rand.Text(), "htm": http.MethodPost, "htu": at, "iat": h.l.now.Unix(), "ath": tokenHash(token)}
}

func (h *holder) proof(c claims) string {
	return proofOf(h.l.t, "dpop+jwt", jose.ES256, h.key, h.key.Public(), c)
}

// proofOf signs a proof with one key and shows another.
func proofOf(t testing.TB, typ string, alg jose.SignatureAlgorithm, key crypto.PrivateKey, shows any, c claims) string {
	t.Helper()
	opt := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	if shows != nil {
		opt = opt.WithHeader("jwk", jose.JSONWebKey{Key: shows})
	}
	s := must(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opt))(t)
	return must(jwt.Signed(s).Claims(map[string]any(c)).Serialize())(t)
}

func TestTokensBoundToAProof(t *testing.T) {
	l := newLogin(t, nil)
	h, thief := newHolder(l), newHolder(l)
	token := h.token()
	scheme := "DPoP " + token
	good := func() string { return h.proof(h.claims(token)) }
	got, err := l.ask(nil, "Authorization", scheme, "DPoP", good())
	if err != nil || got.Party.Agent != "desk" || base64.RawURLEncoding.EncodeToString(got.Proof[:]) != h.jkt {
		t.Fatalf("by its holder: %+v, %v, want desk", got, err)
	}
	for name, headers := range map[string][]string{
		"as a bearer":                      {"Authorization", "Bearer " + token, "DPoP", good()},
		"as a bearer without a proof":      {"Authorization", "Bearer " + token},
		"without a proof":                  {"Authorization", scheme},
		"with two proofs":                  {"Authorization", scheme, "DPoP", good(), "DPoP", good()},
		"with an empty proof":              {"Authorization", scheme, "DPoP", ""},
		"by another key":                   {"Authorization", scheme, "DPoP", thief.proof(h.claims(token))},
		"signed by another key":            {"Authorization", scheme, "DPoP", proofOf(t, "dpop+jwt", jose.ES256, thief.key, h.key.Public(), h.claims(token))},
		"with a private key in it":         {"Authorization", scheme, "DPoP", proofOf(t, "dpop+jwt", jose.ES256, h.key, h.key, h.claims(token))},
		"with no key in it":                {"Authorization", scheme, "DPoP", proofOf(t, "dpop+jwt", jose.ES256, h.key, nil, h.claims(token))},
		"of another type":                  {"Authorization", scheme, "DPoP", proofOf(t, "JWT", jose.ES256, h.key, h.key.Public(), h.claims(token))},
		"for another method":               {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("htm", "GET"))},
		"for another server":               {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("htu", "https://gw.example/mcp/other"))},
		"for another host":                 {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("htu", "https://evil.example/mcp/records"))},
		"for another scheme":               {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("htu", "http://gw.example/mcp/records"))},
		"for an address with a query":      {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("htu", at+"?x=1"))},
		"for another token":                {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("ath", tokenHash(token+"x")))},
		"for no token":                     {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("ath", nil))},
		"without an id":                    {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("jti", nil))},
		"with a long id":                   {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("jti", strings.Repeat("x", maxProofID+1)))},
		"without a time":                   {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("iat", nil))},
		"of before":                        {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("iat", start.Add(-proofAge-defaultSkew-time.Second).Unix()))},
		"of the time before it was there":  {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("iat", start.Add(-time.Second).Unix()))},
		"of later":                         {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("iat", start.Add(defaultSkew+time.Second).Unix()))},
		"that is the token itself":         {"Authorization", scheme, "DPoP", token},
		"with no bond in the token":        {"Authorization", "DPoP " + l.token(claims(map[string]any{"iss": iss, "aud": aud, "sub": "alice-agent", "exp": start.Add(time.Hour).Unix(), "nbf": start.Unix()})), "DPoP", good()},
		"for a key as if it were a token":  {"Authorization", "DPoP scrim_x", "DPoP", good()},
		"too big":                          {"Authorization", scheme, "DPoP", good() + strings.Repeat("A", maxProof)},
		"by a symmetric key":               {"Authorization", scheme, "DPoP", proofOf(t, "dpop+jwt", jose.HS256, make([]byte, 32), nil, h.claims(token))},
		"by an algorithm not for the key":  {"Authorization", scheme, "DPoP", strings.Replace(good(), ".", "x.", 1)},
		"with a claim that is not a claim": {"Authorization", scheme, "DPoP", h.proof(h.claims(token).with("htm", 7))},
	} {
		if got, err := l.ask(nil, headers...); !errors.Is(err, ErrBadCredential) || got.TokenRoot != "" {
			t.Errorf("%s: %+v, %v, want ErrBadCredential", name, got, err)
		} else if strings.Contains(err.Error(), token[10:40]) {
			t.Errorf("%s: the error holds the token", name)
		}
	}
	for _, same := range []string{"https://GW.example:443/mcp/records", "HTTPS://gw.example/mcp/records"} {
		if got, err := l.ask(nil, "Authorization", scheme, "DPoP", h.proof(h.claims(token).with("htu", same))); err != nil {
			t.Errorf("%s: %+v, %v, want the same address", same, got, err)
		}
	}
	if _, err := l.auth.Authenticate(context.Background(), request("Authorization", scheme, "DPoP", good())); !errors.Is(err, ErrProof) {
		t.Errorf("where the address is not known: %v, want ErrProof", err)
	}
}

func TestAProofIsTakenOnce(t *testing.T) {
	l := newLogin(t, nil)
	h := newHolder(l)
	token := h.token()
	proof := h.proof(h.claims(token))
	r := request("Authorization", "DPoP "+token, "DPoP", proof)
	ctx := WithTarget(context.Background(), at)
	for range 2 { // the same request may be looked at again
		if _, err := l.auth.Authenticate(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := Failure(ctx); err != nil {
		t.Errorf("Failure() = %v, want nil", err)
	}
	again := WithTarget(context.Background(), at)
	if _, err := l.auth.Authenticate(again, r); !errors.Is(err, ErrProof) || !errors.Is(Failure(again), ErrProof) {
		t.Errorf("another request with the same proof: %v, want ErrProof", err)
	}
	// Just as long as it is fresh, it is remembered.
	l.now = start.Add(proofAge + defaultSkew)
	if _, err := l.auth.Authenticate(WithTarget(context.Background(), at), r); !errors.Is(err, ErrProof) {
		t.Errorf("at the end of its time: %v, want ErrProof", err)
	}
	l.now = l.now.Add(time.Second)
	if _, err := l.auth.Authenticate(WithTarget(context.Background(), at), r); !errors.Is(err, ErrProof) {
		t.Errorf("after its time: %v, want ErrProof", err)
	}
	if _, err := l.auth.Authenticate(ctx, r); err != nil {
		t.Errorf("a stream of before that is looked at again: %v, want no error", err)
	}
}

func TestAFullMemoryOfProofsTakesNoMore(t *testing.T) {
	now := start
	r := NewReplay(func() time.Time { return now })
	for i := range maxReplayed {
		r.seen[[32]byte{byte(i), byte(i >> 8), byte(i >> 16), 1}] = start.Add(time.Minute)
	}
	if r.take([32]byte{9}, start.Add(time.Minute)) {
		t.Error("a full memory took one more")
	}
	if now = start.Add(time.Minute); !r.take([32]byte{9}, now.Add(time.Minute)) || len(r.seen) != 1 {
		t.Errorf("when all have ended there are %d, want 1", len(r.seen))
	}
}

func TestIssuersWhoseTokensMustBeBound(t *testing.T) {
	l := newLogin(t, func(o *Options) { o.Issuers[0].Bound = true })
	h := newHolder(l)
	token := h.token()
	if _, err := l.ask(nil, "Authorization", "DPoP "+token, "DPoP", h.proof(h.claims(token))); err != nil {
		t.Errorf("a bound token: %v", err)
	}
	if _, err := l.ask(nil, "Authorization", "Bearer "+l.token(good())); !errors.Is(err, ErrProof) {
		t.Errorf("a token that is not bound: %v, want ErrProof", err)
	}
}

func TestTypesOfTokens(t *testing.T) {
	l := newLogin(t, func(o *Options) { o.Issuers[0].Transaction = true })
	for typ, want := range map[string]error{
		"": nil, "JWT": nil, "jwt": nil, "at+jwt": nil, "application/at+jwt": nil,
		"dpop+jwt": ErrBadCredential, "logout+jwt": ErrBadCredential, "secevent+jwt": ErrBadCredential, "txntoken+jwt": ErrBadCredential,
		"scrim-cap+jwt": ErrBadCredential, "scrim-hop+jwt": ErrBadCredential, "JOSE": ErrBadCredential,
	} {
		if _, err := l.ask(nil, "Authorization", "Bearer "+l.typed(typ, good())); !errors.Is(err, want) {
			t.Errorf("type %q: %v, want %v", typ, err, want)
		}
	}
	ctx := WithTarget(context.Background(), at)
	txn := l.typed("txntoken+jwt", good().with("act", map[string]any{"sub": "alice-agent"}).with("txn", "1"))
	if c, err := l.auth.Token(ctx, request(), txn); err != nil || c.Party.Agent != "desk" || c.Principal.Subject != "alice-agent" {
		t.Errorf("a transaction token in a body: %+v, %v, want desk", c, err)
	}
	plain := newLogin(t, nil)
	if c, err := plain.auth.Token(ctx, request(), plain.typed("txntoken+jwt", good())); !errors.Is(err, ErrBadCredential) {
		t.Errorf("a transaction token of an issuer that issues none: %+v, %v", c, err)
	}
}

func TestScopesThatATokenNeeds(t *testing.T) {
	l := newLogin(t, func(o *Options) { o.Issuers[0].Scopes = []string{"gateway", "records:read"} })
	for scope, want := range map[any]error{
		"records:read gateway": nil, "gateway records:read more": nil,
		"gateway": ErrScope, "": ErrScope, "gateway records:read2": ErrScope, "gatewayrecords:read": ErrScope, nil: ErrScope, 7: ErrScope,
	} {
		if _, err := l.ask(nil, "Authorization", "Bearer "+l.token(good().with("scope", scope))); !errors.Is(err, want) {
			t.Errorf("scope %v: %v, want %v", scope, err, want)
		}
	}
}

// FuzzProof feeds headers of proofs that strangers can write.
func FuzzProof(f *testing.F) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(f)
	c := claims{"jti": "1", "htm": "POST", "htu": at, "iat": start.Unix(), "ath": tokenHash("x")}
	f.Add(proofOf(f, "dpop+jwt", jose.ES256, key, key.Public(), c))
	f.Add("eyJhbGciOiJub25lIn0..")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, proof string) {
		c, k, err := readProof(proof)
		if err != nil {
			return
		}
		if !k.IsPublic() || c.ID == "" || c.IssuedAt == nil {
			t.Fatal("a proof without what it must have was read")
		}
		_, _ = normal(c.URL)
	})
}
