package agent_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/agent"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
)

// issuer is a domain that gives out roots and checks what comes back, as a gateway does.
type issuer struct {
	domain   flow.DomainID
	key      ed25519.PrivateKey
	verifier *capability.Verifier
}

func newIssuer(t *testing.T, domain flow.DomainID) *issuer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{domain: domain, key: key}
	i.verifier = capability.NewVerifier(i, capability.Options{})
	return i
}

// Key implements [capability.Anchors].
func (i *issuer) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	return i.key.Public().(ed25519.PublicKey), d == i.domain && kid == "k1"
}

func (i *issuer) mint(t *testing.T, holder ed25519.PublicKey, g capability.Grant) capability.Chain {
	t.Helper()
	root, err := capability.Mint(i.key, "k1", i.domain, holder, g, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return capability.Chain{root}
}

// check verifies a request as a gateway of the issuer's domain does.
func (i *issuer) check(r *http.Request, nonce string) (*capability.Verified, error) {
	chain, err := capability.ParseChain(r.Header.Get(agent.HeaderCapability))
	if err != nil {
		return nil, err
	}
	vd, err := i.verifier.Verify(chain)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_, err = i.verifier.Proof(vd, r.Header.Get(agent.HeaderProof), capability.Bound{
		Audience: i.domain, Method: r.Method, Target: r.URL.RequestURI(), Body: sha256.Sum256(body), Nonce: nonce,
	})
	return vd, err
}

func root() capability.Grant {
	return capability.Grant{
		Agent: "intake", Recipients: []string{"insurer/*"}, Purposes: []flow.Purpose{"treatment", "billing"},
		Levels: map[flow.Label]flow.Level{"person": flow.Tokenized}, Expires: time.Now().Add(10 * time.Minute), MaxDepth: 3,
	}
}

func client(t *testing.T, key *agent.Key, url string, domain flow.DomainID) *agent.Client {
	t.Helper()
	c, err := agent.NewClient(agent.Options{Key: key, Gateways: []agent.Gateway{{URL: url, Domain: domain}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Each call has a proof of its own over exactly what is sent, whatever the method and however often.
func TestEveryCallIsProvedAnew(t *testing.T) {
	iss := newIssuer(t, "hospital")
	var mu sync.Mutex
	proofs := map[string]bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := iss.check(r, ""); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if p := r.Header.Get(agent.HeaderProof); proofs[p] {
			http.Error(w, "seen", http.StatusConflict)
		} else {
			proofs[p] = true
		}
	}))
	defer srv.Close()
	key := agent.NewKey()
	c := client(t, key, srv.URL, "hospital")
	if err := c.Hold(iss.mint(t, key.Public(), root())); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			method, body := http.MethodPost, []byte(fmt.Sprintf(`{"n":%d}`, i%3))
			if i%4 == 0 {
				method, body = http.MethodGet, nil
			}
			req, _ := http.NewRequest(method, srv.URL+"/a2a/prior-auth?x=1", bytes.NewReader(body))
			res, err := c.HTTP().Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				b, _ := io.ReadAll(res.Body)
				t.Errorf("%s: status %d (%s), want 200", method, res.StatusCode, b)
			}
		})
	}
	wg.Wait()
	if len(proofs) != 20 {
		t.Errorf("%d different proofs, want 20", len(proofs))
	}
}

// A sub-agent gets less, offline, under a key of its own, and what it was not given it cannot take.
func TestASubAgentHoldsLess(t *testing.T) {
	iss := newIssuer(t, "hospital")
	boss, sub := agent.NewKey(), agent.NewKey()
	c := client(t, boss, "http://127.0.0.1:1", "hospital")
	chain := iss.mint(t, boss.Public(), root())
	child, err := c.Hand(chain, agent.Recipient{Key: sub.Public(), Word: "summariser"}, capability.Grant{Purposes: []flow.Purpose{"billing"}})
	if err != nil {
		t.Fatal(err)
	}
	vd, err := iss.verifier.Verify(child)
	if err != nil {
		t.Fatal(err)
	}
	leaf := vd.Links[1].Grant
	if leaf.Agent != "intake/summariser" || len(leaf.Purposes) != 1 || leaf.Purposes[0] != "billing" || vd.Level("person/name") != flow.Tokenized {
		t.Errorf("the sub-agent holds %+v, want billing alone, as intake/summariser", leaf)
	}
	if err := c.Hold(child); !errors.Is(err, agent.ErrNoKey) {
		t.Errorf("Hold of another's capability = %v, want ErrNoKey", err)
	}
	if _, err := c.Hand(child, agent.Recipient{Key: boss.Public()}, capability.Grant{}); !errors.Is(err, agent.ErrNoKey) {
		t.Errorf("Hand of another's capability = %v, want ErrNoKey", err)
	}
	if _, err := c.Hand(chain, agent.Recipient{Key: sub.Public(), Word: "x"}, capability.Grant{Purposes: []flow.Purpose{"marketing"}}); err == nil {
		t.Error("Hand of a wider capability succeeded, want an error")
	}
}

// Neither capability nor credential is shown to an address that is no gateway of the agent's.
func TestNothingIsShownElsewhere(t *testing.T) {
	iss := newIssuer(t, "hospital")
	var got http.Header
	var elsewhere string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		if r.URL.Path == "/gw/away" {
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		}
	}))
	defer srv.Close()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() }))
	defer other.Close()
	elsewhere = other.URL
	key := agent.NewKey()
	c, err := agent.NewClient(agent.Options{Key: key, Gateways: []agent.Gateway{{URL: srv.URL + "/gw", Domain: "hospital"}}, Bearer: flow.NewSecret("scrim_s3cret")})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Hold(iss.mint(t, key.Public(), root())); err != nil {
		t.Fatal(err)
	}
	for path, shown := range map[string]bool{"/gw/a2a/x": true, "/gw": true, "/gwx": false, "/": false, "/gw/away": false} {
		got = nil
		res, err := c.HTTP().Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		for _, h := range []string{agent.HeaderCapability, agent.HeaderProof, "Authorization"} {
			if (got.Get(h) != "") != shown {
				t.Errorf("%s: %s is there: %v, want %v", path, h, !shown, shown)
			}
		}
	}
}

// A gateway that wants its nonce in the proof gets it at the second try, and from then on at the first.
func TestNonceIsTakenUp(t *testing.T) {
	iss := newIssuer(t, "hospital")
	calls := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		if _, err := iss.check(r, "n-1"); err != nil {
			w.Header().Set(agent.HeaderNonce, "n-1")
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer srv.Close()
	key := agent.NewKey()
	c := client(t, key, srv.URL, "hospital")
	if err := c.Hold(iss.mint(t, key.Public(), root())); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{2, 3} {
		res, err := c.HTTP().Post(srv.URL+"/mcp/x", "application/json", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK || calls != want {
			t.Errorf("status %d after %d calls, want 200 after %d", res.StatusCode, calls, want)
		}
	}
}

// What can be sent again is; what cannot is not, since it may have been done.
func TestOnlyNamedCallsAreSentAgain(t *testing.T) {
	iss := newIssuer(t, "hospital")
	calls, proofs := 0, map[string]bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proofs[r.Header.Get(agent.HeaderProof)] = true
		if calls++; calls%2 == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	key := agent.NewKey()
	c := client(t, key, srv.URL, "hospital")
	if err := c.Hold(iss.mint(t, key.Public(), root())); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		ctx    context.Context
		status int
		calls  int
	}{
		{"no name", t.Context(), http.StatusServiceUnavailable, 1},
		{"named", agent.Repeatable(t.Context()), http.StatusOK, 2},
	} {
		calls = 0
		clear(proofs)
		req, _ := http.NewRequestWithContext(tt.ctx, http.MethodPost, srv.URL+"/a2a/x", strings.NewReader(`{"id":1}`))
		res, err := c.HTTP().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != tt.status || calls != tt.calls || len(proofs) != tt.calls {
			t.Errorf("%s: status %d after %d calls with %d proofs, want %d after %d, each with its own", tt.name, res.StatusCode, calls, len(proofs), tt.status, tt.calls)
		}
	}
}

// A key prints nowhere, is its owner's alone on disk, and comes back as it was.
func TestKeysStaySecret(t *testing.T) {
	k := agent.NewKey()
	name := filepath.Join(t.TempDir(), "agent.key")
	if err := k.Save(name); err != nil {
		t.Fatal(err)
	}
	if err := k.Save(name); !errors.Is(err, os.ErrExist) {
		t.Errorf("Save over a key = %v, want ErrExist", err)
	}
	back, err := agent.LoadKey(name)
	if err != nil || back.Thumbprint() != k.Thumbprint() {
		t.Fatalf("LoadKey = %v, want the key that was saved", err)
	}
	raw, _ := os.ReadFile(name)
	body := strings.Split(string(raw), "\n")[1]
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("key", "key", k, "struct", struct{ K *agent.Key }{k})
	fmt.Fprintf(&out, "%v %+v %#v %s %x %q %v", k, k, k, k, k, k, *k)
	if strings.Contains(out.String(), body) || !strings.Contains(out.String(), "[secret]") {
		t.Errorf("a key printed itself: %s", out.String())
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := agent.LoadKey(name); !errors.Is(err, agent.ErrKey) {
		t.Errorf("LoadKey of a key that others may read = %v, want ErrKey", err)
	}
	if _, err := agent.ParseKey([]byte("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")); !errors.Is(err, agent.ErrKey) || strings.Contains(err.Error(), "c2VjcmV0") {
		t.Errorf("ParseKey of no key = %v, want ErrKey without what was there", err)
	}
}
