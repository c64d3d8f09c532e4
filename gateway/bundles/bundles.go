package bundles

import (
	"context"
	"crypto"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/bundle"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the tables of bundles.
func Schema() store.Schema { return store.Schema{Name: "gateway/bundles", FS: migrations} }

// Journal is the part of the evidence that is written here. An entry is durable when the transaction is.
type Journal interface {
	Append(tx store.Tx, ev flow.Event, p audit.Private) (flow.Receipt, error)
}

// Peers are the pinned domains. It must be safe for concurrent use.
type Peers interface {
	bundle.Keys
	// Own returns the key that signs for this domain and its id; nil where there is none.
	Own() (crypto.Signer, string)
	// Gateways returns the base URLs of a peer's gateways, without a slash at the end, and the client that reaches them and nobody else; nil
	// for a domain that is no peer now.
	Gateways(d flow.DomainID) ([]string, *http.Client)
}

// Published is a bundle as configuration has it.
type Published struct {
	Name    string
	Content bundle.Content
	Life    time.Duration
	To      []flow.DomainID // who may read it; none: every peer
}

// Subscription is a bundle of a peer that this domain is held to.
type Subscription struct {
	Domain flow.DomainID
	Name   string
	Every  time.Duration // between two looks; 0: 5 min
	MaxAge time.Duration // how long it counts after the peer was last heard of it; 0: until its end
	Late   bundle.Strictness
	Refuse bool // a version that names what is not known here
}

// ID is how the bundle is called here.
func (s *Subscription) ID() string { return string(s.Domain) + "/" + s.Name }

// Settings are what a reload can change.
type Settings struct {
	Publish   []Published
	Subscribe []Subscription
}

// Options of an exchange. All fields without a default named are needed.
type Options struct {
	Domain  flow.DomainID
	DB      store.DB
	Journal Journal
	Peers   Peers
	FlowID  func() flow.ID
	Clock   func() time.Time // nil: time.Now
}

// Exchange publishes and keeps to bundles. It is safe for concurrent use.
type Exchange struct {
	opt Options

	locks    sync.Map   // id → *sync.Mutex, held while a bundle is looked for or forgotten
	changing sync.Mutex // held while something is published
	mu       sync.Mutex // guards the fields below
	set      Settings
	taken    map[string]*taken  // by id; it is replaced, never changed in place
	looks    map[string]look    // by id
	newest   map[string]*signed // own, by name
	runs     []Held             // what is in force in the gateway that runs
	check    Check
	changed  func(context.Context) error
}

// taken is a version that holds. One that was forgotten does, too, until another takes its place; that need not follow it.
type taken struct {
	b    *bundle.Bundle
	seen time.Time // the beginning of 1970: it was forgotten
}

func (t *taken) forgotten() bool { return t.seen.Unix() == 0 }

// before reports whether another state of the same bundle, as it is kept, takes the place of this one.
func (t *taken) before(next *taken) bool {
	switch {
	case t == nil || t.forgotten() || next.forgotten():
		return true
	case t.b.Version != next.b.Version:
		return t.b.Version < next.b.Version
	}
	return t.b.Issued.Before(next.b.Issued) || t.seen.Unix() < next.seen.Unix()
}

// look is how the last look for a bundle ended.
type look struct {
	tried   time.Time
	running bool
	problem error
	walked  *bundle.Bundle // the last version that was looked at on the way to a newer one
}

// signed is an own version as it is served.
type signed struct {
	b    *bundle.Bundle
	text []byte // nil: to be signed
	kid  string
}

// Check says whether a version can be kept to here, and what it names that is not known.
type Check func(*bundle.Bundle) (unknown []string, err error)

// Open reads what was published and taken.
func Open(ctx context.Context, opt Options, set Settings) (*Exchange, error) {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	x := &Exchange{opt: opt, set: set, taken: map[string]*taken{}, looks: map[string]look{}, newest: map[string]*signed{}}
	if err := x.load(ctx); err != nil {
		return nil, err
	}
	return x, nil
}

// Attach gives the exchange a running gateway: what versions are checked by, and what puts what is held in force.
func (x *Exchange) Attach(check Check, changed func(context.Context) error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.check, x.changed = check, changed
}

// Configure puts other settings in force. Whoever calls it puts what is held in force, too.
func (x *Exchange) Configure(set Settings) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.newest {
		s.text = nil // another life, perhaps
	}
	x.set = set
}

func (x *Exchange) settings() Settings {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.set
}

// Held is a bundle that the domain is held to, as it stands.
type Held struct {
	ID     string
	Bundle *bundle.Bundle     // the last version that was taken; nil: none was
	Late   *bundle.Strictness // what holds beside it while it does not count; nil: it counts
	Why    string             // it does not count
}

// Held returns what the domain is held to now, in the order of its settings.
func (x *Exchange) Held() []Held {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.held(x.set)
}

// HeldBy is Held by settings that are not in force yet.
func (x *Exchange) HeldBy(set Settings) []Held {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.held(set)
}

func (x *Exchange) held(set Settings) (all []Held) {
	now := x.opt.Clock()
	for _, s := range set.Subscribe {
		h, t := Held{ID: s.ID()}, x.taken[s.ID()]
		if t != nil {
			h.Bundle = t.b
		}
		if h.Why = late(t, s.MaxAge, now); h.Why != "" {
			strict := s.Late
			h.Late = &strict
		}
		all = append(all, h)
	}
	return all
}

// late says why a version does not count; "" if it does. A clock that was set back makes one late that was heard of later than now.
func late(t *taken, maxAge time.Duration, now time.Time) string {
	switch {
	case t == nil:
		return "no version came yet"
	case t.forgotten():
		return "it was forgotten, and no version came since"
	case t.b.InForce(now) != nil:
		return t.b.InForce(now).Error()
	case maxAge > 0 && now.Sub(t.seen) > maxAge:
		return "its domain was not heard of for too long"
	case t.seen.Sub(now) > bundle.Skew:
		return "its domain was heard of later than now; compare the clocks"
	}
	return ""
}

// Words describe what is held, so that two states can be compared.
func Words(all []Held) string {
	text := ""
	for _, h := range all {
		text += h.ID
		if h.Bundle != nil {
			text += fmt.Sprintf(" version %d %s", h.Bundle.Version, h.Bundle.Digest())
		}
		if h.Late != nil {
			text += " late: " + h.Late.String()
		}
		text += "\n"
	}
	return text
}

// Errors that callers may act on.
var (
	ErrUnknown   = errors.New("there is no such bundle")
	ErrUnchanged = errors.New("the bundle is published as it is")
	ErrNoKey     = errors.New("this domain has no key to sign bundles with")
	ErrRaced     = errors.New("another gateway published a version meanwhile; try again")
)

// load reads the store.
func (x *Exchange) load(ctx context.Context) error {
	if err := x.loadTaken(ctx, nil); err != nil {
		return err
	}
	return x.loadOwn(ctx)
}

// loadTaken reads what was taken, by another gateway perhaps: all of it, or what one subscription is about.
func (x *Exchange) loadTaken(ctx context.Context, of *Subscription) error {
	query, args := "SELECT domain, name, bundle, seen FROM bundles_taken", []any(nil)
	if of != nil {
		query, args = query+" WHERE domain = ? AND name = ?", []any{string(of.Domain), of.Name}
	}
	err := x.opt.DB.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query(query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var domain, name, text string
			var seen int64
			if err := rows.Scan(&domain, &name, &text, &seen); err != nil {
				return err
			}
			b, err := bundle.Stored([]byte(text))
			if err != nil || string(b.Issuer) != domain || b.Name != name {
				continue // of another program: it is late until it was fetched again
			}
			x.mu.Lock()
			if next := (&taken{b, time.Unix(seen, 0).UTC()}); x.taken[b.ID()].before(next) {
				x.taken[b.ID()] = next
			}
			x.mu.Unlock()
		}
		return rows.Err()
	})
	if err != nil {
		return fmt.Errorf("reading bundles that were taken: %w", err)
	}
	return nil
}

// lock keeps a bundle from being looked for or forgotten at the same time.
func (x *Exchange) lock(id string) (unlock func()) {
	one, _ := x.locks.LoadOrStore(id, &sync.Mutex{})
	m := one.(*sync.Mutex)
	m.Lock()
	return m.Unlock
}

func (x *Exchange) loadOwn(ctx context.Context) error {
	newest := map[string]*signed{}
	err := x.opt.DB.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT p.bundle FROM bundles_published p WHERE p.version = (SELECT max(q.version) FROM bundles_published q WHERE q.name = p.name)")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				return err
			}
			b, err := bundle.Stored([]byte(text))
			if err != nil {
				return err
			}
			newest[b.Name] = &signed{b: b}
		}
		return rows.Err()
	})
	if err != nil {
		return fmt.Errorf("reading the bundles that were published: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.newest = newest
	return nil
}

// event is what the journal says of a bundle.
func (x *Exchange) event(of flow.DomainID, outcome flow.Outcome, reason string) flow.Event {
	return flow.Event{
		Time: x.opt.Clock(), Outcome: outcome, Reason: reason,
		Flow: flow.Flow{ID: x.opt.FlowID(), From: flow.Party{Domain: of}, To: flow.Party{Domain: x.opt.Domain}, Method: "bundles"},
	}
}

// record puts something on record, together with fn's writes.
func (x *Exchange) record(ctx context.Context, of flow.DomainID, outcome flow.Outcome, reason string, fn func(store.Tx) error) error {
	ev := x.event(of, outcome, reason)
	err := x.opt.DB.Update(ctx, func(tx store.Tx) error {
		if fn != nil {
			if err := fn(tx); err != nil {
				return err
			}
		}
		_, err := x.opt.Journal.Append(tx, ev, audit.Private{})
		return err
	})
	if err != nil {
		return fmt.Errorf("putting on record: %s: %w", reason, err)
	}
	return nil
}
