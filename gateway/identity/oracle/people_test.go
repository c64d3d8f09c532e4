package oracle

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
)

// TestPeopleLogInAtTheProvider: a person logs in for the console, by code, PKCE and nonce; a code counts for the login that it was made for, and once.
func TestPeopleLogInAtTheProvider(t *testing.T) {
	p := newProvider(t)
	idp, err := identity.NewProvider(identity.ProviderOptions{Issuer: p.url, ClientID: "web", Secret: func() (flow.Secret, error) { return flow.NewSecret("secret"), nil }, Scopes: []string{"profile"}})
	if err != nil {
		t.Fatal(err)
	}
	// come logs somebody in, and returns the way back and the verifier.
	come := func(nonce string) (url.Values, string) {
		verifier := oauth2.GenerateVerifier()
		sum := sha256.Sum256([]byte(verifier))
		to, err := idp.Begin(t.Context(), callback, "state", nonce, base64.RawURLEncoding.EncodeToString(sum[:]))
		if err != nil {
			t.Fatal(err)
		}
		jar, _ := cookiejar.New(nil)
		browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), callback) {
				return http.ErrUseLastResponse
			}
			return nil
		}}
		res, err := browser.Get(to)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		res, err = browser.PostForm(p.url+"/login/username", url.Values{"username": {"test-user@127.0.0.1"}, "password": {"verysecure"}, "id": {res.Request.URL.Query().Get("authRequestID")}})
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		back, err := res.Location()
		if err != nil || back.Query().Get("code") == "" || back.Query().Get("state") != "state" {
			t.Fatalf("logging in: %d, %v", res.StatusCode, err)
		}
		return back.Query(), verifier
	}
	finish := func(q url.Values, verifier, nonce string) (identity.Person, error) {
		return idp.Finish(t.Context(), callback, q.Get("code"), verifier, nonce, q.Get("iss"))
	}
	q, verifier := come("one nonce")
	who, err := finish(q, verifier, "one nonce")
	if err != nil || who.Subject != "id1" || who.Issuer != p.url {
		t.Fatalf("%+v, %v", who, err)
	}
	if _, err := finish(q, verifier, "one nonce"); !errors.Is(err, identity.ErrLogin) {
		t.Errorf("again: %v, want ErrLogin", err)
	}
	q, verifier = come("one nonce")
	if _, err := finish(q, verifier, "another nonce"); !errors.Is(err, identity.ErrLogin) {
		t.Errorf("for another login: %v, want ErrLogin", err)
	}
	q, _ = come("one nonce")
	if _, err := finish(q, oauth2.GenerateVerifier(), "one nonce"); !errors.Is(err, identity.ErrLogin) {
		t.Errorf("a stolen code: %v, want ErrLogin", err)
	}
	if end := idp.End(t.Context(), "http://127.0.0.1:7071/login"); !strings.HasPrefix(end, p.url) {
		t.Errorf("logging out is at %q", end)
	}
}
