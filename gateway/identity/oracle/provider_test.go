package oracle

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/oauth2"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
)

// store is the provider's own example of a store, whose access tokens are JWTs, by keys that a test rotates.
type store struct {
	*storage.Storage
	mu   sync.Mutex
	keys []*key // the last one signs
}

type key struct {
	id     string
	signer *ecdsa.PrivateKey
}

// ID implements the provider's keys.
func (k *key) ID() string                                  { return k.id }
func (k *key) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k *key) Key() any                                    { return k.signer }

type publicKey struct{ *key }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.signer.PublicKey }

func (s *store) rotate(t *testing.T, keep int) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys[max(0, len(s.keys)-keep):], &key{rand.Text(), k})
}

// SigningKey implements the provider's storage.
func (s *store) SigningKey(context.Context) (op.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[len(s.keys)-1], nil
}

// KeySet implements the provider's storage.
func (s *store) KeySet(context.Context) ([]op.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []op.Key
	for _, k := range s.keys {
		all = append(all, publicKey{k})
	}
	return all, nil
}

// SignatureAlgorithms implements the provider's storage.
func (s *store) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

// jwtClient gets JWTs, not references.
type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// GetClientByClientID implements the provider's storage.
func (s *store) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	return jwtClient{c}, err
}

// ClientCredentials implements the provider's storage.
func (s *store) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	c, err := s.Storage.ClientCredentials(ctx, id, secret)
	return jwtClient{c}, err
}

type provider struct {
	t       *testing.T
	url     string
	store   *store
	fetched atomic.Int64 // discovery documents and key sets
}

const callback = "http://127.0.0.1:1/callback" // nobody is there; the test stops before

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{t: t}
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" || strings.HasPrefix(r.URL.Path, "/.well-known/") {
			p.fetched.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	p.url = srv.URL
	clients := map[string]*storage.Client{"web": storage.WebClient("web", "secret", callback)}
	p.store = &store{Storage: storage.NewStorageWithClients(storage.NewUserStore(srv.URL), clients)}
	p.store.rotate(t, 0)
	handler = exampleop.SetupServer(srv.URL, p.store, nil, false, op.WithAllowInsecure())
	return p
}

func (p *provider) oauth(scopes ...string) *oauth2.Config {
	p.t.Helper()
	found, err := gooidc.NewProvider(p.t.Context(), p.url)
	if err != nil {
		p.t.Fatal(err)
	}
	at := found.Endpoint()
	at.AuthStyle = oauth2.AuthStyleInHeader
	return &oauth2.Config{ClientID: "web", ClientSecret: "secret", RedirectURL: callback, Scopes: scopes, Endpoint: at}
}

// byCode logs a person in as a browser does, and returns the access token (RFC 6749, section 4.1, with PKCE).
func (p *provider) byCode() string {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callback) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	conf, verifier := p.oauth("openid"), oauth2.GenerateVerifier()
	res, err := browser.Get(conf.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)))
	if err != nil {
		p.t.Fatal(err)
	}
	res.Body.Close()
	id := res.Request.URL.Query().Get("authRequestID")
	res, err = browser.PostForm(p.url+"/login/username", url.Values{"username": {"test-user@127.0.0.1"}, "password": {"verysecure"}, "id": {id}})
	if err != nil {
		p.t.Fatal(err)
	}
	res.Body.Close()
	back, err := res.Location()
	if err != nil || back.Query().Get("code") == "" || back.Query().Get("state") != "state" {
		p.t.Fatalf("logging in: %d, %v, %v", res.StatusCode, back, err)
	}
	token, err := conf.Exchange(p.t.Context(), back.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		p.t.Fatal(err)
	}
	return token.AccessToken
}

func (p *provider) post(client, secret string, form url.Values) string {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(client, secret)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Token == "" {
		p.t.Fatalf("%s: %d %s", form.Get("grant_type"), res.StatusCode, body)
	}
	return answer.Token
}

// byCredentials is a machine's token (RFC 6749, section 4.4).
func (p *provider) byCredentials() string {
	p.t.Helper()
	return p.post("sid1", "verysecret", url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}})
}

// byExchange lets who has a token act for somebody else (RFC 8693).
func (p *provider) byExchange(token, forWhom string) string {
	p.t.Helper()
	const kind = "urn:ietf:params:oauth:token-type:access_token"
	return p.post("web", "secret", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {token}, "subject_token_type": {kind}, "requested_token_type": {kind},
		"scope": {"openid " + storage.CustomScopeImpersonatePrefix + forWhom}, "audience": {"web"},
	})
}

func grant(agent flow.AgentID) identity.Grant {
	return identity.Grant{Party: flow.Party{Agent: agent, Domain: "clinic"}, Purposes: []flow.Purpose{"care"}}
}

func (p *provider) gateway(audience, claim string, clock func() time.Time) *identity.Authenticator {
	p.t.Helper()
	a, err := identity.New(identity.Options{Clock: clock, Issuers: []identity.Issuer{{
		Issuer: p.url, Audience: audience, Discover: true, AgentClaim: claim, Subjects: map[string]identity.Grant{"id1": grant("person"), "sid1": grant("machine"), "id2": grant("other")},
	}}})
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

func ask(a *identity.Authenticator, token string) (flow.AgentID, identity.Caller, error) {
	r := httptest.NewRequest(http.MethodPost, "/mcp/records", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	c, err := a.Authenticate(r.Context(), r)
	return c.Party.Agent, c, err
}

func TestTokensOfAnOpenIDProvider(t *testing.T) {
	p := newProvider(t)
	if got, _, err := ask(p.gateway("web", "", nil), p.byCode()); err != nil || got != "person" {
		t.Errorf("a person who logged in: %q, %v, want person", got, err)
	}
	if got, _, err := ask(p.gateway("sid1", "", nil), p.byCredentials()); err != nil || got != "machine" {
		t.Errorf("a machine: %q, %v, want machine", got, err)
	}
	if got, _, err := ask(p.gateway("scrim", "", nil), p.byCode()); !errors.Is(err, identity.ErrBadCredential) {
		t.Errorf("a token for somebody else: %q, %v, want ErrBadCredential", got, err)
	}
	if got, _, err := ask(p.gateway("web", "", func() time.Time { return time.Now().Add(time.Hour) }), p.byCode()); !errors.Is(err, identity.ErrExpired) {
		t.Errorf("an hour later: %q, %v, want ErrExpired", got, err)
	}
	other := newProvider(t)
	token := other.byCode()
	if got, _, err := ask(p.gateway("web", "", nil), token); !errors.Is(err, identity.ErrBadCredential) {
		t.Errorf("a token of another provider: %q, %v, want ErrBadCredential", got, err)
	}
}

// Who exchanged a token and acts for somebody is not that somebody.
func TestTokensOfAnOpenIDProviderThatWereExchanged(t *testing.T) {
	p := newProvider(t)
	token := p.byExchange(p.byCode(), "id2")
	got, c, err := ask(p.gateway("web", "act.sub", nil), token)
	if err != nil || got != "person" || (c.Principal != identity.Principal{Issuer: p.url, Subject: "id2"}) || len(c.Actors) != 1 || c.Actors[0].Subject != "id1" {
		t.Errorf("who acts: %q for %+v by %+v, %v, want person for id2", got, c.Principal, c.Actors, err)
	}
	if got, _, err := ask(p.gateway("web", "", nil), token); !errors.Is(err, identity.ErrBadCredential) {
		t.Errorf("where the subject names the agent: %q, %v, want ErrBadCredential", got, err)
	}
}

func TestAnOpenIDProviderRotatesItsKeys(t *testing.T) {
	p := newProvider(t)
	ahead := time.Duration(0) // of the provider's clock, which goes on meanwhile
	a := p.gateway("web", "", func() time.Time { return time.Now().Add(ahead) })
	old := p.byCode()
	if _, _, err := ask(a, old); err != nil {
		t.Fatal(err)
	}
	p.store.rotate(t, 1)
	next := p.byCode()
	ahead += 30 * time.Second // the least time between two fetches
	for name, token := range map[string]string{"the new key": next, "the old key": old} {
		if _, _, err := ask(a, token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.store.rotate(t, 0)
	ahead += 30 * time.Second
	if _, _, err := ask(a, p.byCode()); err != nil {
		t.Errorf("the third key: %v", err)
	}
	if _, _, err := ask(a, next); !errors.Is(err, identity.ErrBadCredential) {
		t.Errorf("a key that was withdrawn: %v, want ErrBadCredential", err)
	}
}

// TestGoOIDCAgrees: what go-oidc takes of the provider's tokens, we take, and the other way round.
func TestGoOIDCAgrees(t *testing.T) {
	p := newProvider(t)
	theirs, err := gooidc.NewProvider(t.Context(), p.url)
	if err != nil {
		t.Fatal(err)
	}
	verifier := theirs.Verifier(&gooidc.Config{ClientID: "web", SupportedSigningAlgs: []string{"ES256"}})
	ours := p.gateway("web", "", nil)
	good := p.byCode()
	head, rest, _ := strings.Cut(good, ".")
	body, sig, _ := strings.Cut(rest, ".")
	for name, token := range map[string]string{
		"as issued": good, "a machine's, for another audience": p.byCredentials(), "another's signature": head + "." + body + "." + sig[:len(sig)-8] + "AAAAAAAA",
		"no signature": head + "." + body + ".", "no algorithm": "eyJhbGciOiJub25lIn0." + body + ".", "another provider's": newProvider(t).byCode(),
	} {
		_, theirErr := verifier.Verify(t.Context(), token)
		_, _, ourErr := ask(ours, token)
		if (theirErr == nil) != (ourErr == nil) {
			t.Errorf("%s: go-oidc says %v, we say %v", name, theirErr, ourErr)
		}
	}
}

// TestStrangersTokensMakeNoFetches is why the keys are kept by code of our own: go-oidc fetches for every token whose key
// it does not know, whoever made the token.
func TestStrangersTokensMakeNoFetches(t *testing.T) {
	p, stranger := newProvider(t), newProvider(t)
	theirs, err := gooidc.NewProvider(t.Context(), p.url)
	if err != nil {
		t.Fatal(err)
	}
	verifier := theirs.Verifier(&gooidc.Config{ClientID: "web", SupportedSigningAlgs: []string{"ES256"}})
	ours := p.gateway("web", "", nil)
	if _, _, err := ask(ours, p.byCode()); err != nil {
		t.Fatal(err)
	}
	var forged []string
	for range 20 {
		stranger.store.rotate(t, 0)
		forged = append(forged, forge(t, stranger.store.keys[0], p.url))
	}
	before := p.fetched.Load()
	for _, token := range forged {
		if _, _, err := ask(ours, token); err == nil {
			t.Fatal("a stranger's token was believed")
		}
	}
	byUs := p.fetched.Load() - before
	before = p.fetched.Load()
	for _, token := range forged {
		if _, err := verifier.Verify(t.Context(), token); err == nil {
			t.Fatal("go-oidc believed a stranger's token")
		}
	}
	byThem := p.fetched.Load() - before
	t.Logf("20 forged tokens: %d fetches by us, %d by go-oidc", byUs, byThem)
	if byUs != 0 {
		t.Errorf("20 forged tokens made us fetch %d times, want never", byUs)
	}
	if byThem == 0 {
		t.Error("go-oidc fetches no oftener than we do: look at the decision again")
	}
}

func forge(t *testing.T, k *key, issuer string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: k.signer, KeyID: k.id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{"iss": issuer, "sub": "id1", "aud": "web", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
