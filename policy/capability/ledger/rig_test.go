package ledger_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		os.Exit(chargeUntilKilled(dir))
	}
	os.Exit(m.Run())
}

const (
	hospital flow.DomainID = "hospital.example"
	insurer  flow.DomainID = "insurer.example"
	lab      flow.DomainID = "lab.example"
)

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// house is a domain with its ledger.
type house struct {
	*ledger.Ledger
	name  flow.DomainID
	db    store.DB
	key   ed25519.PrivateKey
	clock *clock
}

func open(t testing.TB, name flow.DomainID, c *clock, change ...func(*ledger.Options)) *house {
	t.Helper()
	return openDB(t, storetest.Open(t, ledger.Schema()), name, c, change...)
}

func openDB(t testing.TB, db store.DB, name flow.DomainID, c *clock, change ...func(*ledger.Options)) *house {
	t.Helper()
	h := &house{name: name, db: db, clock: c, key: keyOf(string(name))}
	opt := ledger.Options{Domain: name, Clock: c.now, Signer: func() (string, crypto.Signer) { return "k1", h.key }}
	for _, f := range change {
		f(&opt)
	}
	var err error
	if h.Ledger, err = ledger.Open(context.Background(), db, opt); err != nil {
		t.Fatal(err)
	}
	return h
}

// again opens the same state as another process would after this one ended.
func (h *house) again(t testing.TB, change ...func(*ledger.Options)) *house {
	t.Helper()
	return openDB(t, h.db, h.name, h.clock, change...)
}

func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("test key of " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// anchors know the key k1 of each domain.
type anchors struct{}

func (anchors) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	if kid != "k1" || d == "unknown.example" {
		return nil, false
	}
	return keyOf(string(d)).Public().(ed25519.PublicKey), true
}

// link makes a token whose name stands for its signing input.
func link(c *clock, name string, g capability.Grant) capability.Link {
	if g.Expires.IsZero() {
		g.Expires = c.now().Add(time.Hour)
	}
	return capability.Link{
		ID: "id of " + name, Hash: sha256.Sum256([]byte(name)), Holder: sha256.Sum256([]byte("holder of " + name)), Grant: g,
	}
}

func chain(issuer flow.DomainID, links ...capability.Link) *capability.Verified {
	for i := range links {
		links[i].Depth = i
	}
	return &capability.Verified{Issuer: issuer, Links: links}
}

func cost(epsilonNano, deltaPico int64) capability.Grant {
	return capability.Grant{Cost: &flow.Cost{EpsilonNano: epsilonNano, DeltaPico: deltaPico}, Counted: hospital}
}

func uses(n int64) capability.Grant { return capability.Grant{Uses: &n, Counted: hospital} }

// charge records a flow in a transaction of its own.
func (h *house) charge(vd *capability.Verified, p capability.Proof, n int64, c flow.Cost) error {
	return h.db.Update(context.Background(), func(tx store.Tx) error { return h.Charge(tx, vd, p, n, c) })
}

func (h *house) proof(id string) capability.Proof {
	return capability.Proof{ID: id, Holder: sha256.Sum256([]byte("holder")), IssuedAt: h.clock.now(), Until: h.clock.now().Add(61 * time.Second)}
}

func (h *house) spent(t testing.TB, l capability.Link) (int64, flow.Cost) {
	t.Helper()
	n, c, err := h.Spent(context.Background(), l.Hash)
	if err != nil {
		t.Fatal(err)
	}
	return n, c
}

func want(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || (got == nil) != (want == nil) {
		t.Errorf("%s: error = %v, want %v", what, got, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func thumb(l capability.Link) string { return base64.RawURLEncoding.EncodeToString(l.Holder[:]) }

func child(i int) string { return fmt.Sprint("child ", i) }
