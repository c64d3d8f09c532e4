package session_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/console/session"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
)

const client, clientSecret = "scrim-console", "secret-of-the-client-which-is-long"

// provider is an OpenID provider that a test can spoil. It checks what a provider has to: client, redirect, code, verifier.
type provider struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex // guards the fields below
	keys   map[string]*ecdsa.PrivateKey
	kid    string // signs
	codes  map[string]url.Values
	claims func(map[string]any)               // spoils the claims
	forge  func(claims map[string]any) string // makes another token of them

}

func newProvider(t *testing.T) *provider {
	p := &provider{t: t, keys: map[string]*ecdsa.PrivateKey{}, codes: map[string]url.Values{}}
	p.rotate("one")
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"end_session_endpoint": p.URL + "/end", "authorization_response_iss_parameter_supported": true,
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		var set jose.JSONWebKeySet
		for id, k := range p.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: &k.PublicKey, KeyID: id, Algorithm: "ES256", Use: "sig"})
		}
		_ = json.NewEncoder(w).Encode(set)
	})
	mux.HandleFunc("/token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) rotate(kid string) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys, p.kid = map[string]*ecdsa.PrivateKey{kid: k}, kid
}

// login is what happens at the provider: somebody logs in and is sent back with a code.
func (p *provider) login(to, subject string, groups any) string {
	p.t.Helper()
	u, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, p.URL+"/authorize?") {
		p.t.Fatalf("sent to %q", to)
	}
	q := u.Query()
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("client_id") != client || q.Get("nonce") == "" || !strings.HasPrefix(q.Get("scope"), "openid") {
		p.t.Fatalf("asked with %v", q)
	}
	g, _ := json.Marshal(groups)
	code := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes[code] = url.Values{"challenge": {q.Get("code_challenge")}, "redirect": {q.Get("redirect_uri")}, "nonce": {q.Get("nonce")}, "sub": {subject}, "groups": {string(g)}}
	return q.Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}.Encode()
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	c, ok := p.codes[r.FormValue("code")]
	delete(p.codes, r.FormValue("code"))
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if id != client || secret != clientSecret || !ok || r.FormValue("redirect_uri") != c.Get("redirect") || base64.RawURLEncoding.EncodeToString(challenge[:]) != c.Get("challenge") {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	claims := map[string]any{
		"iss": p.URL, "aud": client, "sub": c.Get("sub"), "nonce": c.Get("nonce"), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"email": "planted.person@hospital.example", "name": "Planted Person", "groups": json.RawMessage(c.Get("groups")),
	}
	if p.claims != nil {
		p.claims(claims)
	}
	token := ""
	if p.forge != nil {
		token = p.forge(claims)
	} else {
		token = p.sign(p.keys[p.kid], p.kid, "JWT", claims)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"id_token": token, "access_token": "x", "token_type": "Bearer"})
}

func (p *provider) sign(k any, kid, typ string, claims map[string]any) string {
	alg := jose.ES256
	if _, ok := k.([]byte); ok {
		alg = jose.HS256
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: k}, (&jose.SignerOptions{}).WithHeader("kid", kid).WithType(jose.ContentType(typ)))
	if err != nil {
		p.t.Fatal(err)
	}
	token, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

// at has a house whose people log in at a provider.
func at(t *testing.T) (*house, *provider) {
	h, p := open(t), newProvider(t)
	idp, err := identity.NewProvider(identity.ProviderOptions{Issuer: p.URL, ClientID: client, Secret: func() (flow.Secret, error) { return flow.NewSecret(clientSecret), nil }})
	if err != nil {
		t.Fatal(err)
	}
	h.login.Store(&session.Login{
		Provider: idp, Issuer: p.URL, Shown: "the hospital's login", Groups: "groups", Salt: []byte("salt"),
		Roles:  []session.Grant{{Role: page.Viewer, Groups: []string{"staff"}}, {Role: page.Approver, Groups: []string{"privacy"}}, {Role: page.Admin, Groups: []string{"ops"}}},
		People: []session.Known{{Subject: "u-ann", Name: "ann", Approver: "dpo"}, {Subject: "u-bob", Name: "bob", Approver: "security"}},
	})
	return h, p
}

// come logs in at the provider as somebody, and returns what the way back answers.
func (b *browser) come(p *provider, subject string, groups any) int {
	b.h.t.Helper()
	_, _, head := b.do("GET", "/login/oidc", nil)
	return b.back(p.login(head.Get("Location"), subject, groups))
}

func (b *browser) back(to string) int {
	status, _, _ := b.do("GET", to, nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	return status
}

func TestLoginAtAProvider(t *testing.T) {
	h, p := at(t)
	for _, c := range []struct {
		subject string
		groups  any
		want    string
	}{
		{"u-ann", []string{"staff", "privacy"}, "ann is approver approver dpo "},
		{"u-ann", []string{"staff"}, "ann is viewer approver  "}, // who may not approve is no approver
		{"u-bob", "ops", "bob is admin approver security "},
		{"u-else", []string{"ops", "other"}, "is admin approver  "},
	} {
		b := h.browser()
		if status := b.come(p, c.subject, c.groups); status != http.StatusOK {
			t.Fatalf("%s: status %d", c.subject, status)
		}
		if got := b.who(); !strings.Contains(got, c.want) {
			t.Errorf("%s in %v: the page says %q, want %q", c.subject, c.groups, got, c.want)
		}
	}
	for _, a := range h.acts {
		for _, told := range []string{"planted", "Planted", "u-else", "hospital.example", "privacy"} {
			if strings.Contains(a.Reason, told) || strings.Contains(a.Who, told) {
				t.Errorf("on record is %q", a.Reason)
			}
		}
	}
	b := h.browser()
	b.come(p, "u-ann", "staff")
	if _, text, _ := b.do("POST", "/logout", url.Values{}); !strings.Contains(text, p.URL+"/end?client_id="+client) {
		t.Errorf("after the logout the provider's own is not offered: %s", text)
	}
	if !strings.HasPrefix(b.who(), " is none") {
		t.Error("the session goes on")
	}
}

func TestWhoeverIsInNoGroupGetsNothing(t *testing.T) {
	h, p := at(t)
	for _, groups := range []any{nil, []string{}, []string{"others"}, []string{"OPS"}, "op", 7, []any{"ops", 7}, map[string]any{"ops": true}, true} {
		b := h.browser()
		if status := b.come(p, "u-else", groups); status != http.StatusForbidden {
			t.Errorf("in %v: status %d, want 403", groups, status)
		}
		if !strings.HasPrefix(b.who(), " is none") {
			t.Errorf("in %v: the page says %q", groups, b.who())
		}
	}
	// A claim of another name gives nothing, whatever it says.
	p.claims = func(c map[string]any) { c["roles"], c["role"], c["admin"] = []string{"admin", "ops"}, "admin", true }
	if status := h.browser().come(p, "u-else", nil); status != http.StatusForbidden {
		t.Errorf("who claims a role: status %d, want 403", status)
	}
}

func TestTokensThatAreNotToThisLogin(t *testing.T) {
	for name, spoil := range map[string]func(*provider){
		"another nonce":    func(p *provider) { p.claims = func(c map[string]any) { c["nonce"] = rand.Text() } },
		"no nonce":         func(p *provider) { p.claims = func(c map[string]any) { delete(c, "nonce") } },
		"another audience": func(p *provider) { p.claims = func(c map[string]any) { c["aud"] = "wiki" } },
		"no audience":      func(p *provider) { p.claims = func(c map[string]any) { delete(c, "aud") } },
		"two audiences":    func(p *provider) { p.claims = func(c map[string]any) { c["aud"] = []string{client, "wiki"} } },
		"another party":    func(p *provider) { p.claims = func(c map[string]any) { c["azp"] = "wiki" } },
		"another issuer":   func(p *provider) { p.claims = func(c map[string]any) { c["iss"] = "https://evil.example" } },
		"too old": func(p *provider) {
			p.claims = func(c map[string]any) {
				c["exp"], c["iat"] = time.Now().Add(-2*time.Minute).Unix(), time.Now().Add(-time.Hour).Unix()
			}
		},
		"of tomorrow": func(p *provider) {
			p.claims = func(c map[string]any) {
				c["iat"], c["exp"] = time.Now().Add(time.Hour).Unix(), time.Now().Add(2*time.Hour).Unix()
			}
		},
		"without an end": func(p *provider) { p.claims = func(c map[string]any) { delete(c, "exp") } },
		"of nobody":      func(p *provider) { p.claims = func(c map[string]any) { delete(c, "sub") } },
		"alg none": func(p *provider) {
			p.forge = func(c map[string]any) string {
				b, _ := json.Marshal(c)
				enc := base64.RawURLEncoding.EncodeToString
				return enc([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + enc(b) + "."
			}
		},
		"signed with the client's secret": func(p *provider) {
			p.forge = func(c map[string]any) string { return p.sign([]byte(clientSecret+clientSecret), p.kid, "JWT", c) }
		},
		"signed by somebody else": func(p *provider) {
			other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			p.forge = func(c map[string]any) string { return p.sign(other, p.kid, "JWT", c) }
		},
		"an access token": func(p *provider) {
			p.forge = func(c map[string]any) string { return p.sign(p.keys[p.kid], p.kid, "at+jwt", c) }
		},
		"rubbish": func(p *provider) { p.forge = func(map[string]any) string { return "rubbish" } },
	} {
		h, p := at(t)
		spoil(p)
		b := h.browser()
		if status := b.come(p, "u-ann", "ops"); status != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", name, status)
		}
		if !strings.HasPrefix(b.who(), " is none") || len(h.door.Sessions()) != 0 || len(h.acts) != 0 {
			t.Errorf("%s: somebody is logged in", name)
		}
	}
}

func TestClocksMayDiffer(t *testing.T) {
	h, p := at(t)
	p.claims = func(c map[string]any) {
		c["iat"], c["exp"] = time.Now().Add(20*time.Second).Unix(), time.Now().Add(time.Minute).Unix()
	}
	if status := h.browser().come(p, "u-ann", "ops"); status != http.StatusOK {
		t.Errorf("a clock that is fast: status %d", status)
	}
	p.claims = func(c map[string]any) {
		c["iat"], c["exp"] = time.Now().Add(-2*time.Minute).Unix(), time.Now().Add(-20*time.Second).Unix()
	}
	if status := h.browser().come(p, "u-ann", "ops"); status != http.StatusOK {
		t.Errorf("a clock that is slow: status %d", status)
	}
}

func TestAnAnswerToAnotherBrowsersLogin(t *testing.T) {
	h, p := at(t)
	victim, thief := h.browser(), h.browser()
	// The thief begins a login and has the victim finish it: the victim would work in the thief's name.
	_, _, head := thief.do("GET", "/login/oidc", nil)
	own := p.login(head.Get("Location"), "u-bob", "ops")
	if status := victim.back(own); status != http.StatusForbidden {
		t.Errorf("who began no login: status %d, want 403", status)
	}
	_, _, head = victim.do("GET", "/login/oidc", nil)
	theirs := p.login(head.Get("Location"), "u-ann", "ops")
	if status := victim.back(own); status != http.StatusForbidden {
		t.Errorf("who began another: status %d, want 403", status)
	}
	// The thief saw state and code of the victim's answer.
	if status := thief.back(theirs); status != http.StatusForbidden {
		t.Errorf("a stolen answer: status %d, want 403", status)
	}
	u, _ := url.Parse(theirs)
	q := u.Query()
	fresh := h.browser()
	_, _, head = fresh.do("GET", "/login/oidc", nil)
	began, _ := url.Parse(head.Get("Location"))
	q.Set("state", began.Query().Get("state")) // a stolen code under an own state: it is held to the verifier
	if status := fresh.back(h.URL + "/login/back?" + q.Encode()); status != http.StatusForbidden {
		t.Errorf("a stolen code: status %d, want 403", status)
	}
	if n := len(h.door.Sessions()); n != 0 {
		t.Errorf("%d are logged in", n)
	}
}

func TestAnAnswerComesBackOnce(t *testing.T) {
	h, p := at(t)
	b := h.browser()
	_, _, head := b.do("GET", "/login/oidc", nil)
	u, _ := url.Parse(h.URL)
	kept := b.Jar.Cookies(u)
	answer := p.login(head.Get("Location"), "u-ann", "ops")
	q, _ := url.Parse(answer)
	code := p.codes[q.Query().Get("code")]
	if status := b.back(answer); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	again := h.browser()
	again.Jar.SetCookies(u, kept) // the browser's cookie was kept, too
	p.mu.Lock()
	p.codes[q.Query().Get("code")] = code // and the provider takes codes twice
	p.mu.Unlock()
	if status := again.back(answer); status != http.StatusForbidden {
		t.Errorf("replayed: status %d, want 403", status)
	}
	for name, change := range map[string]func(url.Values){
		"another issuer answers": func(v url.Values) { v.Set("iss", "https://evil.example") },
		"nobody says who":        func(v url.Values) { v.Del("iss") },
		"an error":               func(v url.Values) { v.Set("error", "access_denied") },
		"two states":             func(v url.Values) { v.Add("state", v.Get("state")) },
		"no code":                func(v url.Values) { v.Del("code") },
		"another state":          func(v url.Values) { v.Set("state", rand.Text()) },
		"no state":               func(v url.Values) { v.Del("state") },
	} {
		b := h.browser()
		_, _, head := b.do("GET", "/login/oidc", nil)
		u, _ := url.Parse(p.login(head.Get("Location"), "u-ann", "ops"))
		q := u.Query()
		change(q)
		u.RawQuery = q.Encode()
		if status := b.back(u.String()); status != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", name, status)
		}
	}
	slow := h.browser()
	_, _, head = slow.do("GET", "/login/oidc", nil)
	late := p.login(head.Get("Location"), "u-ann", "ops")
	h.later(11 * time.Minute)
	if status := slow.back(late); status != http.StatusForbidden {
		t.Errorf("after eleven minutes: status %d, want 403", status)
	}
}

// Keys that the provider does not show any more count no more, and new ones do.
func TestProvidersKeysRotate(t *testing.T) {
	p := newProvider(t)
	now := time.Now()
	idp, err := identity.NewProvider(identity.ProviderOptions{Issuer: p.URL, ClientID: client, Clock: func() time.Time { return now }, Secret: func() (flow.Secret, error) { return flow.NewSecret(clientSecret), nil }})
	if err != nil {
		t.Fatal(err)
	}
	finish := func() error {
		verifier := rand.Text() + rand.Text()
		sum := sha256.Sum256([]byte(verifier))
		to, err := idp.Begin(context.Background(), "http://127.0.0.1/login/back", "s", "n", base64.RawURLEncoding.EncodeToString(sum[:]))
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(p.login(to, "u-ann", "ops"))
		_, err = idp.Finish(context.Background(), "http://127.0.0.1/login/back", u.Query().Get("code"), verifier, "n", p.URL)
		return err
	}
	if err := finish(); err != nil {
		t.Fatal(err)
	}
	old := p.keys["one"]
	p.rotate("two")
	now = now.Add(time.Minute)
	if err := finish(); err != nil {
		t.Errorf("by a new key: %v", err)
	}
	p.forge = func(c map[string]any) string { return p.sign(old, "one", "JWT", c) }
	if err := finish(); err == nil {
		t.Error("a key that was withdrawn counts")
	}
}

func TestARoleIsTakenAwayFromSomebodyWhoIsLoggedIn(t *testing.T) {
	h, p := at(t)
	b := h.browser()
	b.come(p, "u-ann", []string{"staff", "privacy"})
	res, err := b.Get(h.URL + "/stay")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	less := *h.login.Load()
	less.Roles = less.Roles[:1]
	h.login.Store(&less)
	if got := b.who(); !strings.HasPrefix(got, "ann is viewer approver  ") {
		t.Errorf("with less, the page says %q", got)
	}
	h.door.Recheck()
	select {
	case <-h.kept:
	case <-time.After(time.Minute):
		t.Error("what was open by the higher role goes on")
	}
	none := less
	none.Roles = nil
	h.login.Store(&none)
	if got := b.who(); !strings.HasPrefix(got, " is none") {
		t.Errorf("with nothing, the page says %q", got)
	}
	// Another provider has other people, whatever their subjects are called.
	other := *h.login.Load()
	other.Issuer, other.Roles = "https://other.example", []session.Grant{{Role: page.Admin, Groups: []string{"staff"}}}
	h.login.Store(&other)
	if got := b.who(); !strings.HasPrefix(got, " is none") {
		t.Errorf("of another provider the page says %q", got)
	}
	h.login.Store(nil)
	if got := b.who(); !strings.HasPrefix(got, " is none") {
		t.Errorf("without a provider the page says %q", got)
	}
}

func TestAProviderThatIsAwayLetsNobodyIn(t *testing.T) {
	h, p := at(t)
	b := h.browser()
	p.Close()
	status, text, _ := b.do("GET", "/login/oidc", nil)
	if status != http.StatusBadGateway || !strings.Contains(text, "cannot be reached") || strings.Contains(text, p.URL) {
		t.Errorf("status %d: %s", status, text)
	}
	if b.enter(h.code(page.Admin)) != http.StatusSeeOther { // a link still does
		t.Error("nobody comes in by a link")
	}
}
