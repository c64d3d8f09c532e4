package gatewaytest

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// Domains are domains whose roots a gateway believes, by their signing keys. It is a [capability.Anchors].
type Domains struct {
	keys map[flow.DomainID]ed25519.PrivateKey
	kid  string
}

// NewDomains makes a key for each domain.
func NewDomains(t testing.TB, names ...flow.DomainID) *Domains {
	t.Helper()
	d := &Domains{keys: map[flow.DomainID]ed25519.PrivateKey{}, kid: "k1"}
	for _, n := range names {
		d.keys[n] = newKey(t)
	}
	return d
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return key
}

// Key implements [capability.Anchors].
func (d *Domains) Key(domain flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	key, ok := d.keys[domain]
	if !ok || kid != d.kid {
		return nil, false
	}
	return key.Public().(ed25519.PublicKey), true
}

// Signer returns a domain's key with its id.
func (d *Domains) Signer(domain flow.DomainID) (string, crypto.Signer) { return d.kid, d.keys[domain] }

// Holder is a capability with the key that its leaf confirms.
type Holder struct {
	Chain    capability.Chain
	Key      ed25519.PrivateKey
	Audience flow.DomainID // "": [Own]
	Now      time.Time     // zero: the clock's
}

// Root issues a capability of a domain. Where the grant has no end, it is an hour away, and one without a depth may be
// handed on three times.
func (d *Domains) Root(t testing.TB, domain flow.DomainID, grant capability.Grant) *Holder {
	t.Helper()
	h := &Holder{Key: newKey(t)}
	if grant.Expires.IsZero() {
		grant.Expires = time.Now().Add(time.Hour).Truncate(time.Second)
	}
	if grant.MaxDepth == 0 {
		grant.MaxDepth = 3
	}
	token, err := capability.Mint(d.keys[domain], d.kid, domain, h.Key.Public().(ed25519.PublicKey), grant, time.Now())
	must(t, err)
	h.Chain = capability.Chain{token}
	return h
}

// Child hands a narrower capability on.
func (h *Holder) Child(t testing.TB, narrower capability.Grant) *Holder {
	t.Helper()
	c := &Holder{Key: newKey(t), Audience: h.Audience}
	var err error
	c.Chain, err = capability.Derive(h.Chain, h.Key, c.Key.Public().(ed25519.PublicKey), narrower, time.Now())
	must(t, err)
	return c
}

// Show puts the capability and a proof for the body on a request.
func (h *Holder) Show(t testing.TB, r *http.Request, body []byte) {
	t.Helper()
	h.ShowFor(t, r, body, "")
}

// ShowFor is Show with a nonce that the gateway gave.
func (h *Holder) ShowFor(t testing.TB, r *http.Request, body []byte, nonce string) {
	t.Helper()
	r.Header.Set(gateway.HeaderCapability, h.Chain.String())
	bound := capability.Bound{Audience: h.Audience, Method: r.Method, Target: r.URL.RequestURI(), Body: capability.BodyHash(body), Nonce: nonce}
	if bound.Audience == "" {
		bound.Audience = Own
	}
	now := h.Now
	if now.IsZero() {
		now = time.Now()
	}
	proof, err := capability.Prove(h.Chain[len(h.Chain)-1], h.Key, bound, now)
	must(t, err)
	r.Header.Set(gateway.HeaderProof, proof)
}

// capabilities makes a snapshot take the capabilities of the setup's domains.
func (setup *Setup) capabilities(s *gateway.Snapshot) {
	if setup.Domains == nil {
		return
	}
	s.Capability = gateway.CapabilityRules{
		Verifier: capability.NewVerifier(setup.Domains, capability.Options{Clock: setup.Clock}), Callers: map[flow.AgentID]identity.Grant{},
	}
	for _, g := range setup.Callers {
		s.Capability.Callers[g.Party.Agent] = g
	}
}

// openLedger opens the rig's own ledger, with an empty list of each other domain.
func (r *Rig) openLedger(t testing.TB, setup Setup) *ledger.Ledger {
	t.Helper()
	if setup.Domains == nil {
		return nil
	}
	ctx, own := context.Background(), cmp.Or(setup.Domain, Own)
	sign := func(domain flow.DomainID) func() (string, crypto.Signer) {
		return func() (string, crypto.Signer) { return setup.Domains.Signer(domain) }
	}
	l, err := ledger.Open(ctx, r.DB, ledger.Options{Domain: own, Signer: sign(own), Clock: setup.Clock})
	must(t, err)
	for domain := range setup.Domains.keys {
		if domain == own {
			continue
		}
		db, err := storetest.Try(t, filepath.Join(t.TempDir(), string(domain)), store.Options{NoSync: true}, ledger.Schema())
		must(t, err)
		theirs, err := ledger.Open(ctx, db, ledger.Options{Domain: domain, Signer: sign(domain), Clock: setup.Clock})
		must(t, err)
		list, err := theirs.List()
		must(t, err)
		must(t, db.Close())
		_, err = l.Merge(ctx, setup.Domains, list, nil)
		must(t, err)
	}
	return l
}

// Revoke puts a token of a chain on the rig's own list.
func (r *Rig) Revoke(t testing.TB, s *gateway.Snapshot, chain capability.Chain, link int) {
	t.Helper()
	vd, err := s.Capability.Verifier.Verify(chain)
	must(t, err)
	_, err = r.Ledger.Revoke(context.Background(), []ledger.Denial{{Kind: ledger.OfToken, Name: vd.Links[link].ID, Until: vd.Links[0].Grant.Expires}}, nil)
	must(t, err)
}
