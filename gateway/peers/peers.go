package peers

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/egress"
	"github.com/scrimhq/scrim/policy/domain"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the tables of pinned domains.
func Schema() store.Schema { return store.Schema{Name: "gateway/peers", FS: migrations} }

// Journal is the part of the evidence that is written here.
type Journal interface {
	Append(tx store.Tx, ev flow.Event, p audit.Private) (flow.Receipt, error)
}

// Names of a domain's keys in its keyring.
const (
	IdentityKey = "domain"    // [vault.Keyring.Signer]: signs the document
	SigningKeys = "domain"    // [vault.Keyring.Pairs], Ed25519: sign everything else
	AuthorityCA = "domain ca" // [vault.Keyring.Pairs], P-256: sign certificates
	LogKey      = "log"       // [vault.Keyring.Signer]: signs the journal's checkpoints
)

// Options of a set of peers. All fields without a default named are needed.
type Options struct {
	DB      store.DB
	Journal Journal
	Keys    *vault.Keyring
	Origin  string           // of the journal, in its checkpoints
	FlowID  func() flow.ID   // of journal rows
	Clock   func() time.Time // nil: time.Now
	Fault   func(error)      // for the operator's log; nil: none
}

// Settings are what a reload can change. Zero fields have the defaults named.
type Settings struct {
	Pins        []Pin    // by configuration; they go before those by command
	Gateways    []string // base URLs under which peers' gateways reach this one
	Name        string   // of this gateway in its certificate; "gateway"
	Techniques  []string // that are supported
	Revocations string   // URL of the deny-list; "": none is told
	Egress      egress.Options
	Refresh     time.Duration // between two looks at a peer's document; 15 min
	Life        time.Duration // of the own document; 7 days
	CertLife    time.Duration // of certificates of gateways; 24 h
	Lead        time.Duration // see [vault.Rotation]; 1 h
	Overlap     time.Duration // 48 h
	Every       time.Duration // between two rotations of the signing key; 0: only by command
}

// Pin says which domain is a peer.
type Pin struct {
	Domain      flow.DomainID
	URL         string // where its document is found: the URL itself, or that of a gateway
	Fingerprint domain.Fingerprint
}

// Peer is a pinned domain with a document that counts. It is immutable.
type Peer struct {
	Pin
	Document *domain.Document
	Fetched  time.Time
}

// Peers is a domain's own identity and its peers. All methods may be called on a nil one: it has no key and no peer. It
// is safe for concurrent use.
type Peers struct {
	own    flow.DomainID
	opt    Options
	opened atomic.Bool
	state  atomic.Pointer[state]
	conf   atomic.Pointer[Settings]
	links  sync.Map // flow.DomainID → *link

	mu   sync.Mutex // held while the state or the keyring changes
	cert atomic.Pointer[certificate]
}

// state is what is in force. It is replaced, never changed in place.
type state struct {
	entries  map[flow.DomainID]*entry
	document *domain.Document // the own one; nil until there is one
	text     string           // the document as it is published
	pool     *x509.CertPool   // of the own authorities; nil: none
}

// entry is a pin with what is known of it.
type entry struct {
	Peer       // Document nil: none was believed yet
	configured bool
	pool       *x509.CertPool // of the document's authorities; nil: none
	tried      time.Time
	problem    error // of the last look; nil: none
}

// New returns a domain without keys or peers. [Peers.Open] gives it those.
func New(own flow.DomainID) *Peers {
	p := &Peers{own: own}
	p.state.Store(&state{entries: map[flow.DomainID]*entry{}})
	p.conf.Store((&Settings{}).withDefaults())
	return p
}

func (s *Settings) withDefaults() *Settings {
	out := *s
	for d, def := range map[*time.Duration]time.Duration{
		&out.Refresh: 15 * time.Minute, &out.Life: 7 * 24 * time.Hour, &out.CertLife: 24 * time.Hour, &out.Lead: time.Hour, &out.Overlap: 48 * time.Hour,
	} {
		if *d <= 0 {
			*d = def
		}
	}
	if out.Name == "" {
		out.Name = "gateway"
	}
	return &out
}

// Domain is the own domain.
func (p *Peers) Domain() flow.DomainID {
	if p == nil {
		return ""
	}
	return p.own
}

func (p *Peers) now() time.Time {
	if p.opt.Clock != nil {
		return p.opt.Clock()
	}
	return time.Now()
}

// ready reports whether keys and peers were opened.
func (p *Peers) ready() bool { return p != nil && p.opened.Load() }

// Open reads what was pinned and believed, makes the domain's first signing key where there is none, and publishes the
// domain's document. It is called once, before any use.
func (p *Peers) Open(ctx context.Context, opt Options, set Settings) error {
	if opt.DB == nil || opt.Journal == nil || opt.Keys == nil || opt.FlowID == nil {
		return errors.New("peers need a store, a journal, keys and ids of flows")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opt = opt
	if err := p.load(ctx); err != nil {
		return err
	}
	if signing := p.signing(); domain.ValidName(p.own) && len(signing.At(p.now())) == 0 {
		if _, err := signing.Rotate(ctx, p.now(), vault.Rotation{}, nil); err != nil {
			return err
		}
	}
	if err := p.configure(ctx, set); err != nil {
		return err
	}
	p.opened.Store(true)
	return nil
}

// Configure puts other settings in force.
func (p *Peers) Configure(ctx context.Context, set Settings) error {
	if !p.ready() {
		return errors.New("the domain's keys are not open")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.configure(ctx, set)
}

func (p *Peers) signing() *vault.Pairs   { return p.opt.Keys.Pairs(SigningKeys, vault.Ed25519) }
func (p *Peers) authority() *vault.Pairs { return p.opt.Keys.Pairs(AuthorityCA, vault.P256) }

// Peer returns a pinned domain whose document counts at this time.
func (p *Peers) Peer(d flow.DomainID) (*Peer, bool) {
	if !p.ready() {
		return nil, false
	}
	e := p.state.Load().entries[d]
	if e == nil || e.Document == nil || e.Document.InForce(p.now()) != nil {
		return nil, false
	}
	return &e.Peer, true
}

// Pinned reports whether the domain is a peer, whether or not its document counts at this time.
func (p *Peers) Pinned(d flow.DomainID) bool {
	return p.ready() && p.state.Load().entries[d] != nil
}

// Key returns the public key by which something of that domain is verified: of the own domain or of a peer, one that
// counts at this time. A peer's key is to be believed of that peer's own agents and gateways alone.
func (p *Peers) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	if !p.ready() {
		return nil, false
	}
	if d == p.own {
		return p.ownKey(kid)
	}
	peer, ok := p.Peer(d)
	if !ok {
		return nil, false
	}
	key, ok := peer.Document.Key(kid, p.now())
	if !ok {
		return nil, false
	}
	return key, true
}

func (p *Peers) ownKey(kid string) (ed25519.PublicKey, bool) {
	for _, pair := range p.signing().At(p.now()) {
		if key, ok := pair.Public.(ed25519.PublicKey); ok && pair.ID == kid {
			return key, true
		}
	}
	return nil, false
}

// Own returns the key that signs for this domain at this time, and its id; nil where there is none.
func (p *Peers) Own() (signer crypto.Signer, kid string) {
	if !p.ready() || !domain.ValidName(p.own) {
		return nil, ""
	}
	signer, pair, err := p.signing().Signer(p.now())
	if err != nil {
		return nil, ""
	}
	return signer, pair.ID
}

// Document returns the own document as it is published; "" where there is none.
func (p *Peers) Document() string {
	if !p.ready() {
		return ""
	}
	return p.state.Load().text
}

// Client returns a client for the addresses in a peer's document. It shows this gateway's certificate, speaks TLS 1.3
// only with a gateway of that peer, and goes where the rules for addresses that strangers name let it. It is nil for a
// domain that is not pinned, and its calls fail while the peer's document does not count.
func (p *Peers) Client(d flow.DomainID) *http.Client {
	if !p.Pinned(d) {
		return nil
	}
	return p.link(d).client()
}

func (p *Peers) fault(err error) {
	if p.opt.Fault != nil && err != nil {
		p.opt.Fault(err)
	}
}

// record puts a change, or something that was refused, on record in a transaction of its own, together with fn's writes.
func (p *Peers) record(ctx context.Context, of flow.DomainID, outcome flow.Outcome, reason string, fn func(store.Tx) error) error {
	ev := flow.Event{
		Time: p.now(), Outcome: outcome, Reason: reason,
		Flow: flow.Flow{ID: p.opt.FlowID(), From: flow.Party{Domain: of}, To: flow.Party{Domain: p.own}},
	}
	err := p.opt.DB.Update(ctx, func(tx store.Tx) error {
		if fn != nil {
			if err := fn(tx); err != nil {
				return err
			}
		}
		_, err := p.opt.Journal.Append(tx, ev, audit.Private{})
		return err
	})
	if err != nil {
		return fmt.Errorf("putting on record: %s: %w", reason, err)
	}
	return nil
}
