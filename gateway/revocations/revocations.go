// Package revocations takes the list of what a domain revokes to the domains that must know.
//
// Each domain serves its signed list to whoever asks. A change is on record, in force here, and on its way to the gateways of every peer at
// once; beside that each peer's list is asked for at intervals, so that a push that was lost is made good, and a list
// never comes to be too old while its domain can be reached. What a list means, and what is refused, is for
// [github.com/scrimhq/scrim/policy/capability/ledger]. The road is described in docs/spec/revocation.md.
package revocations

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
)

// Paths at a gateway.
const (
	ListPath = "/.well-known/scrim/revocations" // where the domain's list is
	PushPath = "/scrim/revocations"             // where peers put theirs
)

// Peer is another domain, as far as lists go.
type Peer struct {
	Domain flow.DomainID
	List   string       // URL of its list; "": it tells none
	Push   []string     // URLs at which its gateways take ours
	Client *http.Client // for all of them
}

// Peers are the domains whose lists count here and who are told of ours. It must be safe for concurrent use.
type Peers interface {
	All() []Peer
	// Key returns the key of a peer by which its list is verified.
	Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool)
}

// Journal is the part of the evidence that is written here. An entry is durable when the transaction is.
type Journal interface {
	Append(tx store.Tx, ev flow.Event, p audit.Private) (flow.Receipt, error)
}

// Options of an exchange. All fields without a default named are needed.
type Options struct {
	Domain  flow.DomainID
	Ledger  *ledger.Ledger
	DB      store.DB
	Journal Journal
	Peers   Peers
	FlowID  func() flow.ID
	Every   func() time.Duration // how often each peer's list is asked for; nil or 0: five times while one is believed
	Clock   func() time.Time     // nil: time.Now
	Fault   func(error)          // for the operator's log; nil: none
	Event   func(flow.Event)     // what was recorded, for metrics; nil: none
}

const (
	leastEvery   = time.Second
	exchangeTime = 10 * time.Second // the most for one request
	atOnce       = 16               // requests, and lists that are read
)

// Exchange serves the own list, takes those of peers, and keeps both sides up to date. It is safe for concurrent use.
type Exchange struct {
	opt     Options
	refused refusals
	slots   chan struct{} // one for each list that is read

	mu      sync.Mutex // guards the fields below
	pushing map[string]bool
	pulls   map[flow.DomainID]*pull
	wake    chan struct{} // has room for one: a list is to be asked for sooner
}

// New returns an exchange. Nothing is sent before [Exchange.Run].
func New(opt Options) *Exchange {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	return &Exchange{
		opt: opt, slots: make(chan struct{}, atOnce), wake: make(chan struct{}, 1),
		pushing: make(map[string]bool), pulls: make(map[flow.DomainID]*pull),
	}
}

func (x *Exchange) every() time.Duration {
	d := time.Duration(0)
	if x.opt.Every != nil {
		d = x.opt.Every()
	}
	if d <= 0 {
		d = x.opt.Ledger.StaleAfter() / 5
	}
	return max(d, leastEvery)
}

func (x *Exchange) fault(err error) {
	if x.opt.Fault != nil {
		x.opt.Fault(err)
	}
}

// Run keeps lists up to date until ctx is done, and returns when nothing of it runs any more.
func (x *Exchange) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { x.pushes(ctx) })
	wg.Go(func() { x.pulling(ctx) })
	wg.Wait()
}

// event is what the journal says of a list.
func (x *Exchange) event(of flow.DomainID, outcome flow.Outcome, reason string) flow.Event {
	return flow.Event{
		Time: x.opt.Clock(), Outcome: outcome, Reason: reason,
		Flow: flow.Flow{ID: x.opt.FlowID(), From: flow.Party{Domain: of}, To: flow.Party{Domain: x.opt.Domain}, Method: "revocations"},
	}
}

func (x *Exchange) told(ev flow.Event) {
	if x.opt.Event != nil {
		x.opt.Event(ev)
	}
}

// take merges a peer's list. A change is on record before it counts; a list that is refused is on record too, though
// not more than once a minute for each peer and reason.
func (x *Exchange) take(ctx context.Context, from flow.DomainID, signed []byte) error {
	d, err := ledger.IssuerOf(signed)
	switch {
	case len(signed) > ledger.MaxList:
		err = ledger.ErrTooBig
	case err == nil && d != from:
		err = ErrOther
	}
	var ev flow.Event
	var change ledger.Change
	if err == nil {
		change, err = x.opt.Ledger.Merge(ctx, x.opt.Peers, signed, func(tx store.Tx, c ledger.Change) error {
			ev = x.event(from, flow.Changed, fmt.Sprintf("list of revocations of %s: version %d, %d entries, %d of them new", c.Domain, c.Version, c.Entries, c.Added))
			_, err := x.opt.Journal.Append(tx, ev, audit.Private{})
			return err
		})
	}
	if err != nil {
		x.refuse(ctx, from, err)
		return err
	}
	if change != (ledger.Change{}) {
		x.told(ev)
	}
	x.came(from)
	return nil
}

// ErrOther is the error of a list that another domain issued than the one that was asked for it.
var ErrOther = errors.New("list of revocations is another domain's")

// reasons are the refusals that are told apart.
var reasons = []error{
	ledger.ErrForm, ledger.ErrTooBig, ledger.ErrKey, ledger.ErrSignature, ledger.ErrOwn, ledger.ErrFuture, ledger.ErrStale,
	ledger.ErrRolledBack, ledger.ErrForked, ledger.ErrDropped, ErrOther, errStranger,
}

var errStranger = errors.New("list of revocations is of a domain that is no peer")

// refuse puts a refusal on record. Faults of our own go to the operator's log alone.
func (x *Exchange) refuse(ctx context.Context, from flow.DomainID, err error) {
	var why error
	for _, r := range reasons {
		if errors.Is(err, r) {
			why = r
		}
	}
	if why == nil {
		x.fault(fmt.Errorf("list of revocations of %s: %w", from, err))
		return
	}
	more, say := x.refused.admit(from, why, x.opt.Clock())
	if !say {
		return
	}
	ev := x.event(from, flow.Refused, "capability: "+why.Error())
	if more > 0 {
		ev.Reason += fmt.Sprintf("; and %d more before it", more)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeTime)
	defer cancel()
	if err := x.opt.DB.Update(ctx, func(tx store.Tx) error { _, err := x.opt.Journal.Append(tx, ev, audit.Private{}); return err }); err != nil {
		x.fault(fmt.Errorf("putting on record that a list of revocations was refused: %w", err))
	}
	x.told(ev)
	x.fault(fmt.Errorf("list of revocations of %s is refused: %w", from, why))
}

// refusals counts what is refused, so that nobody fills the journal by it.
type refusals struct {
	mu   sync.Mutex // guards the field below
	last map[refusal]*tally
}

type refusal struct {
	from flow.DomainID
	why  error
}

type tally struct {
	said  time.Time
	since int // refused and not said
}

// quiet is how long the same refusal is only counted.
const quiet = time.Minute

// admit reports whether a refusal is to be put on record, and how many before it were not.
func (r *refusals) admit(from flow.DomainID, why error, now time.Time) (more int, say bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = make(map[refusal]*tally)
	}
	t := r.last[refusal{from, why}] // of peers and of one nobody: as many as there are peers
	if t == nil {
		t = &tally{}
		r.last[refusal{from, why}] = t
	} else if now.Sub(t.said) < quiet && !now.Before(t.said) {
		t.since++
		return 0, false
	}
	more, t.since, t.said = t.since, 0, now
	return more, true
}
