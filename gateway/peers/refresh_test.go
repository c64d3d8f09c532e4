package peers_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/egress"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/gateway/peers/peerstest"
	"github.com/scrimhq/scrim/policy/domain"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) forward(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

// site serves a document that a test changes.
type site struct {
	*httptest.Server
	mu   sync.Mutex
	body []byte
}

func newSite(t *testing.T) *site {
	s := &site{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.URL.Path != domain.Path || s.body == nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(s.body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) show(b []byte) { s.mu.Lock(); defer s.mu.Unlock(); s.body = b }

func withClock(c *clock) peerstest.Options {
	opt := withEgress()
	opt.Clock = c.Now
	opt.Settings.Refresh = 10 * time.Minute
	return opt
}

func wantRule(t *testing.T, what string, err error, rule domain.Rule) {
	t.Helper()
	if e, ok := errors.AsType[*domain.Error](err); !ok || e.Rule != rule {
		t.Errorf("%s: error = %v, want rule %s", what, err, rule)
	}
}

// reasons are those of the journal's rows, newest last.
func reasons(t *testing.T, d *peerstest.Domain) (all []string) {
	t.Helper()
	err := d.DB.View(t.Context(), func(tx store.Tx) error {
		rows, err := tx.Query("SELECT event FROM audit_entries ORDER BY seq")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var raw []byte
			if err := rows.Scan(&raw); err != nil {
				return err
			}
			all = append(all, string(raw))
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func recorded(t *testing.T, d *peerstest.Domain, text string) (n int) {
	t.Helper()
	for _, r := range reasons(t, d) {
		if strings.Contains(r, text) {
			n++
		}
	}
	return n
}

func TestRotatedKeysCountDuringTheOverlapAndNotAfter(t *testing.T) {
	c := newClock()
	hospital, insurer := peerstest.New(t, "hospital", withClock(c)), peerstest.New(t, "insurer", withClock(c))
	s := newSite(t)
	s.show(insurer.Published())
	if _, err := hospital.Add(t.Context(), s.URL, insurer.Print()); err != nil {
		t.Fatal(err)
	}
	message := []byte("a capability")
	sign := func() (kid string, sig []byte) {
		signer, kid := insurer.Own()
		sig, err := signer.Sign(nil, message, crypto.Hash(0))
		if err != nil {
			t.Fatal(err)
		}
		return kid, sig
	}
	verifies := func(kid string, sig []byte) bool {
		key, ok := hospital.Key("insurer", kid)
		return ok && ed25519.Verify(key, message, sig)
	}
	kid, sig := sign()
	if !verifies(kid, sig) {
		t.Fatal("the peer's signature does not verify")
	}
	if _, ok := hospital.Key("hospital", kid); ok {
		t.Error("the peer's key counts for the own domain")
	}
	before := insurer.Print()
	if _, err := insurer.Rotate(t.Context(), &vault.Rotation{Lead: time.Hour, Overlap: 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	if insurer.Print() != before {
		t.Error("the fingerprint changed with the keys")
	}
	s.show(insurer.Published())
	c.forward(15 * time.Minute)
	hospital.Tick(t.Context())
	c.forward(time.Hour)
	newKid, newSig := sign()
	if newKid == kid {
		t.Fatal("the old key signs after the lead")
	}
	if !verifies(newKid, newSig) || !verifies(kid, sig) {
		t.Error("during the overlap one of the two keys does not count")
	}
	if _, ok := insurer.Key("insurer", kid); !ok {
		t.Error("the own old key does not count during the overlap")
	}
	c.forward(24 * time.Hour)
	if verifies(kid, sig) { // the document is the one fetched before
		t.Error("after the overlap the old key still counts")
	}
	if _, ok := insurer.Key("insurer", kid); ok {
		t.Error("the own old key counts after the overlap")
	}
	if !verifies(newKid, newSig) {
		t.Error("the new key ended with the old one")
	}
}

func TestDocumentsThatDoNotFollowAreRefused(t *testing.T) {
	c := newClock()
	hospital := peerstest.New(t, "hospital", withClock(c))
	insurer, lab, impostor := peerstest.New(t, "insurer", withClock(c)), peerstest.New(t, "lab", withClock(c)), peerstest.New(t, "insurer", withClock(c))
	s := newSite(t)
	first := insurer.Published()
	if _, err := insurer.Rotate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	second := insurer.Published()
	s.show(second)
	if _, err := hospital.Add(t.Context(), s.URL, insurer.Print()); err != nil {
		t.Fatal(err)
	}
	kids := func() int { p, _ := hospital.Peer("insurer"); return len(p.Document.Keys) }
	for _, try := range []struct {
		name string
		body []byte
		rule domain.Rule
	}{
		{"rolled back", first, domain.RuleRollback},
		{"of an impostor", impostor.Published(), domain.RuleFingerprint},
		{"of another domain", lab.Published(), domain.RuleDomain},
		{"altered", []byte(strings.Replace(string(second), `"payload":"eyJ`, `"payload":"eyK`, 1)), domain.RuleSignature},
		{"no document", []byte("<html>"), domain.RuleForm},
	} {
		s.show(try.body)
		wantRule(t, try.name, hospital.Refresh(t.Context(), "insurer"), try.rule)
		if recorded(t, hospital, `"peer: `+string(try.rule)+`"`) != 1 {
			t.Errorf("%s: not once on record", try.name)
		}
		if kids() != 2 {
			t.Errorf("%s: the document in force changed", try.name)
		}
	}
	wantRule(t, "again", hospital.Refresh(t.Context(), "insurer"), domain.RuleForm)
	if n := recorded(t, hospital, `"peer: form"`); n != 1 {
		t.Errorf("the same failure is %d times on record, want once", n)
	}
	if all := hospital.All(); len(all) != 1 || all[0].Problem == nil || !all[0].InForce {
		t.Errorf("the peer's status is %+v", all)
	}
	s.show(second)
	if err := hospital.Refresh(t.Context(), "insurer"); err != nil || hospital.All()[0].Problem != nil {
		t.Errorf("the right one again: %v", err)
	}

	t.Run("two of one version", func(t *testing.T) { // an operator who says one thing to one and another to another
		fork, _, _ := insurer.Identity()
		_, doc, _ := insurer.Identity()
		other := *doc
		other.Gateways = []string{"https://elsewhere.example"}
		text, err := other.Sign(insurer.Keys.Signer(peers.IdentityKey))
		if err != nil || fork != other.Fingerprint() {
			t.Fatal(err)
		}
		s.show(domain.JSON(text))
		wantRule(t, "a fork", hospital.Refresh(t.Context(), "insurer"), domain.RuleFork)
	})
	t.Run("removed and added again", func(t *testing.T) {
		if err := hospital.Remove(t.Context(), "insurer"); err != nil {
			t.Fatal(err)
		}
		s.show(first)
		_, err := hospital.Add(t.Context(), s.URL, insurer.Print())
		wantRule(t, "an earlier one", err, domain.RuleRollback)
		if hospital.Pinned("insurer") {
			t.Error("it is pinned")
		}
	})
}

func TestAPeerThatIsAwayEndsWithItsDocument(t *testing.T) {
	c := newClock()
	hospital, insurer := peerstest.New(t, "hospital", withClock(c)), peerstest.New(t, "insurer", withClock(c))
	s := newSite(t)
	s.show(insurer.Published())
	if _, err := hospital.Add(t.Context(), s.URL, insurer.Print()); err != nil {
		t.Fatal(err)
	}
	_, kid := insurer.Own()
	s.show(nil)
	c.forward(6 * 24 * time.Hour)
	hospital.Tick(t.Context())
	if _, ok := hospital.Key("insurer", kid); !ok {
		t.Error("before its document's end a peer that is away counts no more")
	}
	c.forward(25 * time.Hour)
	hospital.Tick(t.Context())
	if _, ok := hospital.Key("insurer", kid); ok {
		t.Error("after its document's end the peer's key counts")
	}
	if _, ok := hospital.ClientCA("insurer"); ok {
		t.Error("after its document's end the peer's authority counts")
	}
	if _, ok := hospital.TLS("insurer"); ok {
		t.Error("after its document's end connections are made")
	}
	if _, err := hospital.Client("insurer").Get(s.URL); !errors.Is(err, peers.ErrNotInForce) {
		t.Errorf("a call: error = %v, want ErrNotInForce", err)
	}
	s.show(insurer.Published()) // it, too, has expired
	wantRule(t, "an expired one", hospital.Refresh(t.Context(), "insurer"), domain.RuleExpired)
	insurer.Tick(t.Context())
	s.show(insurer.Published())
	if err := hospital.Refresh(t.Context(), "insurer"); err != nil {
		t.Fatal(err)
	}
	if _, ok := hospital.Key("insurer", kid); !ok {
		t.Error("the peer does not come back")
	}
}

func TestPinsOfTheConfiguration(t *testing.T) {
	c := newClock()
	opt := withClock(c)
	insurer, impostor := peerstest.New(t, "insurer", withClock(c)), peerstest.New(t, "insurer", withClock(c))
	s := newSite(t)
	s.show(insurer.Published())
	opt.Settings.Pins = []peers.Pin{{Domain: "insurer", URL: s.URL, Fingerprint: insurer.Print()}}
	hospital := peerstest.New(t, "hospital", opt)
	if _, ok := hospital.Peer("insurer"); ok || !hospital.Pinned("insurer") {
		t.Fatal("a peer without a document counts, or is not pinned")
	}
	s.show(impostor.Published())
	wantRule(t, "an impostor at first contact", hospital.Refresh(t.Context(), "insurer"), domain.RuleFingerprint)
	if _, err := hospital.Via("insurer", mustURL(t, "https://gateway.insurer.example/a2a/x")); !errors.Is(err, peers.ErrNotInForce) {
		t.Errorf("a call to a peer that nothing is known of: error = %v, want ErrNotInForce", err)
	}
	s.show(insurer.Published())
	c.forward(2 * time.Minute)
	hospital.Tick(t.Context())
	if _, ok := hospital.Peer("insurer"); !ok {
		t.Fatal("its document was not fetched")
	}
	if err := hospital.Remove(t.Context(), "insurer"); !errors.Is(err, peers.ErrConfigured) {
		t.Errorf("Remove() error = %v, want ErrConfigured", err)
	}
	if _, err := hospital.Add(t.Context(), s.URL, insurer.Print()); !errors.Is(err, peers.ErrConfigured) {
		t.Errorf("Add() error = %v, want ErrConfigured", err)
	}

	// It is there after a restart, before anything is fetched; not without its line, and not by another fingerprint.
	hospital.Close(t)
	s.show(nil)
	opt.Dir = hospital.Dir
	hospital = peerstest.New(t, "hospital", opt)
	if _, ok := hospital.Peer("insurer"); !ok {
		t.Error("after a restart the document is gone")
	}
	other := opt.Settings
	other.Pins = []peers.Pin{{Domain: "insurer", URL: s.URL, Fingerprint: impostor.Print()}}
	if err := hospital.Configure(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, ok := hospital.Peer("insurer"); ok {
		t.Error("a document counts by another fingerprint than its own")
	}
	other.Pins = nil
	if err := hospital.Configure(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if hospital.Pinned("insurer") {
		t.Error("a peer outlives its line")
	}
	other.Pins = []peers.Pin{{Domain: "hospital", URL: s.URL, Fingerprint: insurer.Print()}}
	if err := hospital.Configure(t.Context(), other); err == nil {
		t.Error("a domain is its own peer")
	}
}

func TestPeersSurviveARestart(t *testing.T) {
	hospital, insurer := peerstest.New(t, "hospital", withEgress()), peerstest.New(t, "insurer", withEgress())
	peerstest.Pin(t, hospital, insurer)
	_, kid := hospital.Own()
	version := func(d *peerstest.Domain) int64 { _, doc, _ := d.Identity(); return doc.Version }
	was, print := version(hospital), hospital.Print()
	hospital.Close(t)
	opt := withEgress()
	opt.Dir = hospital.Dir
	again := peerstest.New(t, "hospital", opt)
	if _, ok := again.Peer("insurer"); !ok {
		t.Error("the peer is gone")
	}
	if _, got := again.Own(); got != kid || again.Print() != print || version(again) != was {
		t.Error("key, fingerprint or version changed")
	}
	if err := again.Remove(t.Context(), "insurer"); err != nil {
		t.Fatal(err)
	}
	again.Close(t)
	if third := peerstest.New(t, "hospital", opt); third.Pinned("insurer") {
		t.Error("a peer that was removed is back")
	}
}

// TestACrashBetweenKeyAndDocument stops where the new key is in the file and the document does not have it.
func TestACrashBetweenKeyAndDocument(t *testing.T) {
	d := peerstest.New(t, "hospital", withEgress())
	if _, err := d.Keys.Pairs(peers.SigningKeys, vault.Ed25519).Rotate(context.Background(), time.Now(), vault.Rotation{Lead: time.Hour, Overlap: time.Hour}, nil); err != nil {
		t.Fatal(err)
	}
	_, before, _ := d.Identity()
	if len(before.Keys) != 1 {
		t.Fatal("the document has the key already")
	}
	d.Close(t)
	opt := withEgress()
	opt.Dir = d.Dir
	again := peerstest.New(t, "hospital", opt)
	_, after, _ := again.Identity()
	all, signs := again.Signing()
	if len(after.Keys) != 2 || after.Version <= before.Version || len(all) != 2 || signs != before.Keys[0].ID {
		t.Errorf("after the crash the document has %d keys and version %d, want both keys, a later version, and the old key to sign", len(after.Keys), after.Version)
	}
}

// TestARestoredStoreDoesNotLockTheDomainOut loses the store and keeps the keyring, as whoever restores an old backup does: peers,
// who saw later documents than the store knows of, take those that come after that.
func TestARestoredStoreDoesNotLockTheDomainOut(t *testing.T) {
	now := time.Now()
	opt := withEgress()
	opt.Clock = func() time.Time { return now }
	hospital, insurer := peerstest.New(t, "hospital", opt), peerstest.New(t, "insurer", opt)
	for range 3 {
		if _, err := hospital.Rotate(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	peerstest.Pin(t, insurer, hospital)
	hospital.Close(t)
	now = now.Add(time.Hour)
	again := opt
	again.Dir = t.TempDir()
	keys, err := os.ReadFile(filepath.Join(hospital.Dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(again.Dir, "keyring"), keys, 0o600); err != nil {
		t.Fatal(err)
	}
	restored := peerstest.New(t, "hospital", again)
	if restored.Print() != hospital.Print() {
		t.Fatal("the identity is another one")
	}
	if _, err := insurer.Pin(t.Context(), "https://hospital.test", restored.Print(), restored.Published()); err != nil {
		t.Errorf("the document after the backup was restored: %v", err)
	}
}

func TestAddRefuses(t *testing.T) {
	hospital, insurer, impostor := peerstest.New(t, "hospital", withEgress()), peerstest.New(t, "insurer", withEgress()), peerstest.New(t, "insurer", withEgress())
	s := newSite(t)
	s.show(insurer.Published())
	_, err := hospital.Add(t.Context(), s.URL, impostor.Print())
	wantRule(t, "another fingerprint", err, domain.RuleFingerprint)
	if recorded(t, hospital, `"peer: fingerprint"`) != 1 || hospital.Pinned("insurer") {
		t.Error("the refusal is not on record, or it is pinned")
	}
	if _, err := hospital.Add(t.Context(), s.URL+domain.Path, insurer.Print()); err != nil {
		t.Errorf("by the document's own address: %v", err)
	}
	s.show(impostor.Published())
	if _, err := hospital.Add(t.Context(), s.URL, impostor.Print()); !errors.Is(err, peers.ErrPinned) {
		t.Errorf("another identity of a pinned domain: error = %v, want ErrPinned", err)
	}
	s.show(hospital.Published())
	if _, err := hospital.Add(t.Context(), s.URL, hospital.Print()); !errors.Is(err, peers.ErrOwn) {
		t.Errorf("itself: error = %v, want ErrOwn", err)
	}
	for _, text := range []string{"", "ftp://a.example", "https://u:p@a.example", "https://a.example/?x", "https://", "a.example", "https://a.example/#x"} {
		if _, err := hospital.Look(t.Context(), text); !errors.Is(err, peers.ErrURL) {
			t.Errorf("Look(%q) error = %v, want ErrURL", text, err)
		}
	}
	s.show([]byte(strings.Repeat("x", 1<<20)))
	if _, err := hospital.Look(t.Context(), s.URL); !errors.Is(err, egress.ErrTooBig) {
		t.Errorf("a long answer: error = %v, want ErrTooBig", err)
	}
	strict := peerstest.New(t, "lab", peerstest.Options{})
	if _, err := strict.Look(t.Context(), s.URL); !errors.Is(err, egress.ErrAddress) {
		t.Errorf("an address within: error = %v, want ErrAddress", err)
	}
}

func TestThePublishedDocumentIsTheSameForEverybody(t *testing.T) {
	d := peerstest.New(t, "hospital", withEgress())
	ask := func(method, path, etag string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, nil)
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		d.ServeHTTP(w, r)
		return w
	}
	got := ask(http.MethodGet, domain.Path, "")
	if got.Code != 200 || got.Body.String() != string(d.Published()) || got.Header().Get("Content-Type") != "application/jose+json" || !strings.Contains(got.Header().Get("Cache-Control"), "public") {
		t.Errorf("GET: %d %v", got.Code, got.Header())
	}
	if again := ask(http.MethodGet, domain.Path, got.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("with its tag: %d, want 304", again.Code)
	}
	if got := ask(http.MethodPost, domain.Path, ""); got.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d, want 405", got.Code)
	}
	if got := ask(http.MethodGet, domain.Path+"/x", ""); got.Code != http.StatusNotFound {
		t.Errorf("another path: %d, want 404", got.Code)
	}
}

func TestKeysRotateByThemselves(t *testing.T) {
	c := newClock()
	opt := withClock(c)
	opt.Settings.Every, opt.Settings.Lead, opt.Settings.Overlap = 30*24*time.Hour, time.Hour, 48*time.Hour
	d := peerstest.New(t, "hospital", opt)
	_, first := d.Own()
	c.forward(29 * 24 * time.Hour)
	d.Tick(t.Context())
	if all, _ := d.Signing(); len(all) != 1 {
		t.Fatal("a key was made too early")
	}
	c.forward(24 * time.Hour)
	d.Tick(t.Context())
	d.Tick(t.Context())
	if all, _ := d.Signing(); len(all) != 2 {
		t.Fatalf("there are %d keys, want two", len(all))
	}
	c.forward(50 * time.Hour)
	d.Tick(t.Context())
	if all, signs := d.Signing(); len(all) != 1 || signs == first {
		t.Errorf("after the overlap there are %d keys, and the old one signs: %v", len(all), signs == first)
	}
}

func TestWithoutAnIdentityNothingIsBelieved(t *testing.T) {
	var none *peers.Peers
	for name, p := range map[string]*peers.Peers{"nil": none, "not open": peers.New("hospital")} {
		if _, ok := p.Key("hospital", ""); ok {
			t.Errorf("%s: there is a key", name)
		}
		if _, ok := p.Peer("insurer"); ok || p.Pinned("insurer") || p.Client("insurer") != nil || p.Document() != "" || p.Any() {
			t.Errorf("%s: there is something", name)
		}
		if signer, kid := p.Own(); signer != nil || kid != "" {
			t.Errorf("%s: something signs", name)
		}
		if _, err := p.Certificate(); !errors.Is(err, peers.ErrNoAuthority) {
			t.Errorf("%s: Certificate() error = %v, want ErrNoAuthority", name, err)
		}
	}
	capitals := peerstest.New(t, "Hospital", peerstest.Options{NoCA: true})
	if signer, _ := capitals.Own(); signer != nil || capitals.Document() != "" {
		t.Error("a domain that can have no peers publishes itself")
	}
	if _, err := capitals.InitAuthority(t.Context(), 0, false, vault.Rotation{}); !errors.Is(err, peers.ErrName) {
		t.Errorf("InitAuthority() error = %v, want ErrName", err)
	}
}

func TestAnotherAuthorityFollowsWithAnOverlap(t *testing.T) {
	c := newClock()
	hospital, insurer := peerstest.New(t, "hospital", withClock(c)), peerstest.New(t, "insurer", withClock(c))
	peerstest.Pin(t, hospital, insurer)
	old, err := insurer.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := insurer.InitAuthority(t.Context(), 0, false, vault.Rotation{}); !errors.Is(err, peers.ErrAuthority) {
		t.Errorf("InitAuthority() again: error = %v, want ErrAuthority", err)
	}
	if _, err := insurer.InitAuthority(t.Context(), 0, true, vault.Rotation{Lead: time.Hour, Overlap: 48 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	if same, err := insurer.Certificate(); err != nil || !same.Leaf.NotAfter.Equal(old.Leaf.NotAfter) || same.Leaf.CheckSignatureFrom(insurer.Authorities()[0]) != nil {
		t.Errorf("the new authority makes certificates before the lead is over: %v", err)
	}
	if _, err := hospital.Pin(t.Context(), "https://i.test", insurer.Print(), insurer.Published()); err != nil {
		t.Fatal(err)
	}
	c.forward(2 * time.Hour)
	fresh, err := insurer.Certificate()
	if err != nil || fresh.Leaf.CheckSignatureFrom(insurer.Authorities()[1]) != nil {
		t.Fatalf("after the lead the old authority makes certificates: %v", err)
	}
	s := serve(t, insurer.ServerTLS)
	if _, err := get(hospital.Client("insurer"), s.URL); err != nil {
		t.Errorf("a certificate of the new authority: %v", err)
	}
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCallsGoByWhatThePeersDocumentSays(t *testing.T) {
	c := newClock()
	opt := withClock(c)
	opt.Settings.Gateways = []string{"https://gateway.insurer.example:7072"}
	hospital, insurer := peerstest.New(t, "hospital", withClock(c)), peerstest.New(t, "insurer", opt)
	peerstest.Pin(t, hospital, insurer)
	via := func(d flow.DomainID, text string) (bool, error) {
		conf, err := hospital.Via(d, mustURL(t, text))
		return conf != nil, err
	}
	for text, want := range map[string]bool{
		"https://gateway.insurer.example:7072/a2a/prior-auth": true, "https://GATEWAY.insurer.example:7072/%2e%2e/x": true,
		"https://gateway.insurer.example/a2a/prior-auth": false, "http://gateway.insurer.example:7072/a2a/prior-auth": false, "https://elsewhere.example:7072/": false,
	} {
		if got, err := via("insurer", text); got != want || err != nil {
			t.Errorf("Via(%s) = %v, %v, want %v", text, got, err, want)
		}
	}
	if got, err := via("lab", "https://gateway.insurer.example:7072/"); got || err != nil {
		t.Errorf("another domain's agent at the gateway: %v, %v, want no peer", got, err)
	}
	first, _ := hospital.TLS("insurer")
	if again, _ := hospital.TLS("insurer"); again != first {
		t.Error("each call has options of its own, and so a connection")
	}
	c.forward(13 * time.Hour)
	if later, _ := hospital.TLS("insurer"); later == first {
		t.Error("connections are used for longer than half a day")
	}
	c.forward(8 * 24 * time.Hour)
	if _, err := via("insurer", "https://gateway.insurer.example:7072/a2a/prior-auth"); !errors.Is(err, peers.ErrNotInForce) {
		t.Errorf("after the document's end: error = %v, want ErrNotInForce", err)
	}
}
