// Package ledger keeps what capabilities need remembered: what each token has used up, which proofs were taken, and what
// is revoked; and, for people to look at, which tokens were issued here or came here.
//
// A token that limits uses, ε or δ has an account under the hash of its signing input, so that two tokens that bear one
// id have two accounts. [Ledger.Charge] charges every token of a chain that has a limit, or none, in the transaction that
// records the flow: a hundred children of a parent with ε = 1 spend 1 together.
//
// A proof is taken once. [Ledger.Claim] decides it in memory, Charge makes it durable. Nothing that is in force is ever
// forgotten for want of room: who comes when the memory is full is refused.
//
// Each domain signs one list of what it revokes: token ids, holders' keys and tasks. [Ledger.Revoked] asks the own list
// about everything, and a peer's list about chains that begin with that peer's root alone. It answers from memory. A
// peer whose list is older than allowed, or missing, has none of its roots accepted. The format is in
// docs/spec/revocation.md.
package ledger

import (
	"context"
	"crypto"
	"embed"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the ledger's tables.
func Schema() store.Schema { return store.Schema{Name: "policy/capability/ledger", FS: migrations} }

// Errors a caller may act on. Those about a chain come as [*Error], which names the link.
var (
	ErrRevoked   = errors.New("capability is revoked")
	ErrStale     = errors.New("list of revocations is missing or too old")
	ErrSpent     = errors.New("capability is used up")
	ErrUncounted = errors.New("capability has a limit that no domain counts")
	ErrAmount    = errors.New("what is to be charged is negative")
	ErrReplayed  = errors.New("proof was taken before, or may have been")
	ErrUnclaimed = errors.New("proof was not claimed")
	ErrFull      = errors.New("there is no room to remember another one")
)

// Whole is the link of an [Error] that is about no single link.
const Whole = -1

// Error says what a chain is refused for, and at which link. It holds nothing that was read from a token.
type Error struct {
	Rule   error         // one of the errors of this package
	Link   int           // 0 is the root; or Whole
	What   string        // in this package's own words: "epsilon", "holder"
	Domain flow.DomainID // whose list it is, where one is the reason
}

// Error implements error.
func (e *Error) Error() string {
	text := e.Rule.Error()
	if e.Link != Whole {
		text = fmt.Sprintf("link %d: %s", e.Link, text)
	}
	if e.What != "" {
		text += ": " + e.What
	}
	if e.Domain != "" {
		text += ", by " + string(e.Domain)
	}
	return text
}

// Unwrap returns the rule.
func (e *Error) Unwrap() error { return e.Rule }

// Options of a ledger. Domain is needed, and Signer where the own list is to be signed; all else has the default named.
type Options struct {
	Domain     flow.DomainID
	Signer     func() (kid string, key crypto.Signer) // the domain's own Ed25519 key at this time; no key: nil
	StaleAfter time.Duration                          // a peer's list is believed so long; 10 min
	Skew       time.Duration                          // how much a peer's clock may be ahead; 1 min, at most 5 min
	Taken      int                                    // proofs that are remembered at one time; 2^20
	Clock      func() time.Time                       // nil: time.Now
}

const (
	defaultStale = 10 * time.Minute
	defaultSkew  = time.Minute
	mostSkew     = 5 * time.Minute
	defaultTaken = 1 << 20
)

func (o Options) withDefaults() Options {
	if o.StaleAfter <= 0 {
		o.StaleAfter = defaultStale
	}
	if o.Skew <= 0 {
		o.Skew = defaultSkew
	}
	o.Skew = min(o.Skew, mostSkew)
	if o.Taken <= 0 {
		o.Taken = defaultTaken
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

// Ledger is open state. It is safe for concurrent use.
type Ledger struct {
	db  store.DB // both fixed by Open
	opt Options

	stale  atomic.Int64 // Options.StaleAfter and Skew, which may change
	skew   atomic.Int64
	swept  atomic.Int64 // see ledger_state
	lost   atomic.Int64 // ledger_state.horizon
	proofs *taken

	changing sync.Mutex            // held while a list changes
	lists    atomic.Pointer[lists] // replaced as a whole
	signed   signedList

	seen sightings

	telling    sync.Mutex // guards the fields below
	generation uint64
	changed    chan struct{}
}

// Open reads the ledger in db, which must have been opened with [Schema]. A peer's list that was kept counts as what it
// is: one that is too old by now closes the door to that peer until another one comes.
func Open(ctx context.Context, db store.DB, opt Options) (*Ledger, error) {
	opt = opt.withDefaults()
	if !domainName(opt.Domain) {
		return nil, fmt.Errorf("opening the ledger of capabilities: %w", errDomain)
	}
	l := &Ledger{
		db: db, opt: opt, changed: make(chan struct{}),
		proofs: newTaken(opt.Taken), seen: sightings{waiting: map[[32]byte]*sighting{}},
	}
	l.Believe(opt.StaleAfter, opt.Skew)
	var state [4]int64
	err := db.Update(ctx, func(tx store.Tx) error {
		const first = "INSERT INTO ledger_state (id, version, swept, forgotten) VALUES (1, 1, 0, 0) ON CONFLICT (id) DO NOTHING"
		if _, err := tx.Exec(first); err != nil {
			return err
		}
		return tx.QueryRow("SELECT version, swept, forgotten, horizon FROM ledger_state WHERE id = 1").Scan(&state[0], &state[1], &state[2], &state[3])
	})
	if err == nil {
		l.swept.Store(state[1])
		l.proofs.floor = state[2]
		l.lost.Store(state[3])
		err = db.View(ctx, func(tx store.Tx) error { return l.load(tx, state[0]) })
	}
	if err != nil {
		return nil, fmt.Errorf("opening the ledger of capabilities: %w", err)
	}
	return l, nil
}

// load reads what is kept in memory.
func (l *Ledger) load(tx store.Tx, version int64) error {
	if err := l.proofs.load(tx); err != nil {
		return err
	}
	return l.loadLists(tx, version)
}

// Believe changes how long a peer's list is believed, where 0 stands for the default, and how much a peer's clock may be ahead.
func (l *Ledger) Believe(stale, skew time.Duration) {
	if stale <= 0 {
		stale = defaultStale
	}
	l.stale.Store(int64(stale))
	l.skew.Store(int64(min(max(skew, 0), mostSkew)))
}

// StaleAfter is how long a peer's list is believed.
func (l *Ledger) StaleAfter() time.Duration { return time.Duration(l.stale.Load()) }

// Generation counts the changes of what is revoked, here and by peers. What was decided under an earlier one is to be
// decided again. That a list becomes too old is no change: only [Ledger.Revoked] tells.
func (l *Ledger) Generation() uint64 {
	l.telling.Lock()
	defer l.telling.Unlock()
	return l.generation
}

// Changes returns a channel that is closed when the generation moves on. Get it before asking what it is to tell changes of.
func (l *Ledger) Changes() <-chan struct{} {
	l.telling.Lock()
	defer l.telling.Unlock()
	return l.changed
}

func (l *Ledger) tell() {
	l.telling.Lock()
	defer l.telling.Unlock()
	l.generation++
	close(l.changed)
	l.changed = make(chan struct{})
}

// sweepStep bounds the rows that one transaction deletes, so that it holds up nobody for long.
const sweepStep = 2000

// Sweep stores which tokens came, and deletes what can be of no more use: accounts of tokens that expired and what is known of them, proofs
// that are too old to be shown, own revocations whose time is over. It is to be called now and then, say once a minute.
func (l *Ledger) Sweep(ctx context.Context) error {
	now := l.opt.Clock()
	err := errors.Join(
		l.sweepAccounts(ctx, now),
		l.proofs.sweep(ctx, l.db, now),
		l.sweepDenied(ctx, now),
		l.Flush(ctx),
		l.sweepSeen(ctx, now),
	)
	if err != nil {
		return fmt.Errorf("sweeping the ledger of capabilities: %w", err)
	}
	return nil
}
