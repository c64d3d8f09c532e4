package offer

import (
	"context"
	"crypto"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/policy/contract"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the tables of negotiations and contracts.
func Schema() store.Schema { return store.Schema{Name: "gateway/offer", FS: migrations} }

// State is how far a negotiation is.
type State string

// The states. Ended is for good.
const (
	Offered   State = "offered"   // this domain offered last; the other one answers
	Waiting   State = "waiting"   // the other domain offered last; this one answers
	Accepting State = "accepting" // this domain signed what the other offered, and the other does not know yet
	Agreed    State = "agreed"    // both signed, and both know
	Ended     State = "ended"     // one of the two ended it
)

// What is to be sent to the peer yet.
const (
	sendNothing = ""
	sendSigned  = "signed" // the last offer, or the contract that this domain signed second
	sendEnd     = "end"
)

// Entry is one negotiation. It is immutable.
type Entry struct {
	Peer    flow.DomainID
	State   State
	Signed  *contract.Signed // what was offered last, or agreed
	Changed time.Time

	unsent string
}

// Domains are this domain's own key and those of its peers. It must be safe for concurrent use.
type Domains interface {
	contract.Keys
	Own() (crypto.Signer, string) // nil: this domain has no key, and can agree on nothing
	Pinned(flow.DomainID) bool
}

// BookOptions are what a book needs; fields without a default named are needed.
type BookOptions struct {
	Domain  flow.DomainID
	DB      store.DB
	Journal gateway.Journal
	Domains Domains
	// Send posts a message to a peer's gateway and returns how it answered; nil: nothing is sent until somebody else does.
	Send   func(ctx context.Context, peer flow.DomainID, body []byte) (status int, answer []byte, err error)
	Bounds func() []Bound   // what may be agreed on without a person; nil: nothing
	Clock  func() time.Time // nil: time.Now
	Fault  func(error)      // for the operator's log; nil: none
	Hashes func() (policy, config string)
}

// Book keeps what domains offered each other and agreed on. It implements [gateway.Contracts]. It is safe for concurrent use.
type Book struct {
	opt   BookOptions
	force atomic.Pointer[map[flow.DomainID][]*contract.Contract] // agreed, by peer; replaced, never changed
	wake  chan struct{}

	mu       sync.Mutex // one change at a time; held while it is written
	entries  map[string]*Entry
	refusals map[flow.DomainID]*few
}

// The bounds of a book.
const (
	maxOpen     = 32  // negotiations of one peer that wait for an answer
	maxOfPeer   = 512 // of one peer, until they expire
	maxByItself = 16  // contracts with one peer, from which on a person signs the next: every flow is met with all
)

// Errors that callers may act on.
var (
	ErrNoNegotiation = errors.New("there is no such negotiation")
	ErrTurn          = errors.New("it is not this domain's turn")
	ErrOther         = errors.New("what is to be accepted is not what was offered last")
	ErrNoPeer        = errors.New("the other side is no pinned peer")
	ErrNoKey         = errors.New("this domain has no signing key")
)

// OpenBook reads what was agreed on so far.
func OpenBook(ctx context.Context, opt BookOptions) (*Book, error) {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Fault == nil {
		opt.Fault = func(error) {}
	}
	if opt.Hashes == nil {
		opt.Hashes = func() (string, string) { return "", "" }
	}
	b := &Book{opt: opt, wake: make(chan struct{}, 1), entries: map[string]*Entry{}, refusals: map[flow.DomainID]*few{}}
	err := opt.DB.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT peer, state, signed, note, changed FROM offer_contracts")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var peer, state, note string
			var raw []byte
			var changed int64
			if err := rows.Scan(&peer, &state, &raw, &note, &changed); err != nil {
				return err
			}
			s, err := contract.Reread(raw) // its signatures were verified when it came; the keys may be gone by now
			if err != nil {
				return err
			}
			b.entries[s.Contract.Negotiation] = &Entry{flow.DomainID(peer), State(state), s, time.Unix(changed, 0).UTC(), note}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("reading the contracts: %w", err)
	}
	b.publish()
	return b, nil
}

// publish puts what is agreed in force.
func (b *Book) publish() {
	all := map[flow.DomainID][]*contract.Contract{}
	for _, e := range b.entries {
		if e.State == Agreed {
			all[e.Peer] = append(all[e.Peer], e.Signed.Contract)
		}
	}
	for _, list := range all {
		slices.SortFunc(list, func(x, y *contract.Contract) int { return strings.Compare(x.Negotiation, y.Negotiation) })
	}
	b.force.Store(&all)
}

// InForce implements [gateway.Contracts]. A contract with a domain that is no peer any more goes on to bound flows, and policies do
// not see it.
func (b *Book) InForce(f *flow.Flow, at time.Time) (out []*contract.Contract) {
	peer := f.To.Domain
	if peer == b.opt.Domain {
		peer = f.From.Domain
	}
	for _, c := range (*b.force.Load())[peer] {
		if !c.InForce(at) || !c.Binds(f) {
			continue
		}
		if !b.opt.Domains.Pinned(peer) {
			c = c.Unnamed()
		}
		out = append(out, c)
	}
	return out
}

// All returns every negotiation that has not expired, the newest change first.
func (b *Book) All() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Entry
	for _, e := range b.entries {
		all = append(all, *e)
	}
	slices.SortFunc(all, func(x, y Entry) int {
		if c := y.Changed.Compare(x.Changed); c != 0 {
			return c
		}
		return strings.Compare(x.Signed.Contract.Negotiation, y.Signed.Contract.Negotiation)
	})
	return all
}

// Entry returns one negotiation.
func (b *Book) Entry(negotiation string) (Entry, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[negotiation]; e != nil {
		return *e, true
	}
	return Entry{}, false
}

// put writes an entry and its row in the journal in one transaction, and puts it in force within it: a message that is recorded
// after it is decided by it. The lock is held.
func (b *Book) put(ctx context.Context, e *Entry, from flow.DomainID, reason string) error {
	c := e.Signed.Contract
	before := b.entries[c.Negotiation]
	err := b.opt.DB.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec(`INSERT INTO offer_contracts (negotiation, peer, state, signed, note, expires, changed) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (negotiation) DO UPDATE SET state = excluded.state, signed = excluded.signed, note = excluded.note, expires = excluded.expires, changed = excluded.changed`,
			c.Negotiation, string(e.Peer), string(e.State), e.Signed.Bytes(), e.unsent, c.Expires.Unix(), e.Changed.Unix())
		if err != nil {
			return err
		}
		if reason != "" {
			if _, err := b.opt.Journal.Append(tx, b.event(e.Peer, from, flow.Changed, reason, c.ID()), audit.Private{}); err != nil {
				return err
			}
		}
		b.entries[c.Negotiation] = e
		b.publish()
		return nil
	})
	if err != nil {
		if b.entries[c.Negotiation] = before; before == nil {
			delete(b.entries, c.Negotiation)
		}
		b.publish()
		return fmt.Errorf("putting a contract on record: %w", err)
	}
	return nil
}

// event is what the journal says of a negotiation.
func (b *Book) event(peer, from flow.DomainID, outcome flow.Outcome, reason, id string) flow.Event {
	to := peer
	if from == peer {
		to = b.opt.Domain
	}
	ev := flow.Event{
		Time: b.opt.Clock(), Outcome: outcome, Reason: reason,
		Flow: flow.Flow{ID: gateway.NewFlowID(), From: flow.Party{Domain: from}, To: flow.Party{Domain: to}, Method: "contract"},
	}
	ev.PolicyHash, ev.ConfigHash = b.opt.Hashes()
	if id != "" {
		ev.Contracts = []string{id}
	}
	return ev
}

// Sweep forgets what has expired: nothing of it could be played again.
func (b *Book) Sweep(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.opt.Clock().Add(-24 * time.Hour)
	err := b.opt.DB.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec("DELETE FROM offer_contracts WHERE expires < ?", before.Unix())
		return err
	})
	if err != nil {
		return err
	}
	for n, e := range b.entries {
		if e.Signed.Contract.Expires.Before(before) {
			delete(b.entries, n)
		}
	}
	b.publish()
	return nil
}
