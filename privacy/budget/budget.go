// Package budget is the ledger of privacy loss: what each dataset may still give away, and a record of what it gave.
//
// The owner of a dataset declares (ε, δ) for its privacy unit with [Ledger.Declare]. Before a mechanism reads the data its cost
// is reserved ([Ledger.Reserve]), and before an answer leaves it is committed ([Reservation.Commit]); a process that dies in
// between leaves the cost charged. A charge is admitted if at least one filter of a fixed menu still fits; the claim and its proof
// are in docs/spec/budget-admission.md, tables and formats in docs/spec/budget-ledger.md.
//
// Scopes form a tree: dataset → domain → workflow → agent, with contracts as further quotas of a domain. A charge must pass
// every ancestor, but only the dataset's own budget carries the claim. Everything else is a quota, which keeps one party from
// using up what is there for all; recipients talk to each other, so accounting for each alone would be worth nothing.
//
// Whether a charge is refused depends on declared costs alone, never on data. Everything is counted in integers: ε, ρ, Rényi ε
// and μ² in 10⁻⁹ (nano), δ in 10⁻¹⁵ (femto).
package budget

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"embed"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the ledger's tables.
func Schema() store.Schema { return store.Schema{Name: "privacy/budget", FS: migrations} }

// Sealer keeps what is stored from who reads the database. An AEAD of privacy/vault is one.
type Sealer interface {
	// Seal encrypts and authenticates plain, bound to associated data.
	Seal(plain, associated []byte) ([]byte, error)
	// Open returns what was sealed with the same associated data.
	Open(sealed, associated []byte) ([]byte, error)
}

// Options of a ledger. Signer is needed, and Seal wherever charges have keys; all else may be left zero.
type Options struct {
	Writer    string                        // names this process in the chain it writes; "gateway"
	Signer    crypto.Signer                 // Ed25519: signs the heads of chains
	Witnessed []Head                        // ends of chains that somebody else saw: a ledger that never came by them is refused
	Trusted   []ed25519.PublicKey           // earlier keys, and those of other processes on a shared database
	Seal      Sealer                        // keeps stored answers; the charge's id is associated data
	Clock     func() time.Time              // nil: time.Now
	Shared    bool                          // several processes use the database at once, as store's option of that name says
	Journal   func(store.Tx, []Entry) error // runs in the transaction of the entries, which fails with it; nil: none
	Skew      time.Duration                 // how far the clock may go back before charges by time are refused; 2 s, at most a minute
	Slice     int64                         // how many charges a lease takes at most; 64
	MaxAnswer int                           // bytes of an answer that is kept; 1 MiB
	MaxBlocks int64                         // blocks of one charge; 64, at most 4096
	MaxBatch  int                           // requests in one transaction; 256
}

func (o Options) withDefaults() Options {
	if o.Writer == "" {
		o.Writer = "gateway"
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Skew <= 0 {
		o.Skew = 2 * time.Second
	}
	o.Skew = min(o.Skew, time.Minute)
	if o.Slice <= 0 {
		o.Slice = 64
	}
	o.Slice = min(o.Slice, 1<<16)
	if o.MaxAnswer <= 0 {
		o.MaxAnswer = 1 << 20
	}
	if o.MaxBlocks <= 0 {
		o.MaxBlocks = 64
	}
	o.MaxBlocks = min(o.MaxBlocks, 4096)
	if o.MaxBatch <= 0 {
		o.MaxBatch = 256
	}
	return o
}

// Ledger is open state. It is safe for concurrent use.
type Ledger struct {
	db     store.DB // these are fixed by Open
	opt    Options
	public ed25519.PublicKey
	id     int64 // of this process's chain

	queue  chan *request
	ended  chan struct{} // closed when the goroutine has ended
	failed error         // what went wrong in the end; read after ended

	closing sync.RWMutex // read-held while sending to queue
	closed  bool

	open sync.Map             // ids of reservations of this process that are not over
	tip  atomic.Pointer[Head] // of this process's chain, as far as it is durable

	// What follows is the goroutine's own.
	seq    int64 // of the last entry of the chain, and its hash
	hash   [32]byte
	doubt  *batch // whose end was not confirmed
	known  map[string]*Budget
	plans  map[scopeKey]parsed
	seen   map[scopeKey]time.Time
	slices map[sliceKey]*slice
	ending []*slice
}

// Open opens the ledger in db, which must have been opened with [Schema], and replays it: one whose chains, sums, caps or signatures
// do not hold is refused, with an [*Error] that says which ([ErrChain], [ErrSums], [ErrCaps], [ErrSignature], [ErrNewer]).
//
// On a database that a process has for itself there is one chain for ever. On a shared one every process begins a chain of its own.
func Open(ctx context.Context, db store.DB, opt Options) (*Ledger, error) {
	opt = opt.withDefaults()
	if opt.Signer == nil {
		return nil, &Error{Rule: ErrOptions, What: "there is no signer"}
	}
	public, ok := opt.Signer.Public().(ed25519.PublicKey)
	if !ok {
		return nil, &Error{Rule: ErrOptions, What: "the signer's key is not Ed25519"}
	}
	l := &Ledger{
		db: db, opt: opt, public: public, queue: make(chan *request, queueLength), ended: make(chan struct{}),
		known: map[string]*Budget{}, plans: map[scopeKey]parsed{}, seen: map[scopeKey]time.Time{}, slices: map[sliceKey]*slice{},
	}
	report, err := l.replay(ctx, false)
	if err == nil {
		err = report.Err()
	}
	if err == nil {
		err = l.begin(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the ledger of budgets: %w", err)
	}
	l.tip.Store(&Head{l.id, l.seq, l.hash})
	go l.run()
	return l, nil
}

// begin finds or makes the chain that this process writes to.
func (l *Ledger) begin(ctx context.Context) error {
	for try := 0; ; try++ {
		err := l.db.Update(ctx, l.beginChain)
		if try == tries || !inTheWay(err) {
			return err
		}
	}
}

func (l *Ledger) beginChain(tx store.Tx) error {
	l.id = 1
	if l.opt.Shared {
		if err := tx.QueryRow("SELECT coalesce(max(id), 0) + 1 FROM budget_writers").Scan(&l.id); err != nil {
			return fmt.Errorf("beginning a chain: %w", err)
		}
	}
	start := genesis(l.id, l.opt.Writer)
	sig, err := l.opt.Signer.Sign(nil, headText(l.id, 0, start), crypto.Hash(0))
	if err != nil {
		return fmt.Errorf("signing the head: %w", err)
	}
	n, err := tx.Exec("INSERT INTO budget_writers (id, name, seq, hash, signer, signature) VALUES (?, ?, 0, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
		l.id, l.opt.Writer, start[:], []byte(l.public), sig)
	if err != nil {
		return fmt.Errorf("beginning a chain: %w", err)
	}
	if n == 0 && l.opt.Shared {
		return errRace
	}
	var hash []byte
	if err := tx.QueryRow("SELECT seq, hash FROM budget_writers WHERE id = ?", l.id).Scan(&l.seq, &hash); err != nil {
		return fmt.Errorf("beginning a chain: %w", err)
	}
	if len(hash) != len(l.hash) {
		return &Error{Rule: ErrChain, What: "a head is not readable"}
	}
	l.hash = [32]byte(hash)
	return nil
}

// Close refuses new work, completes what was queued, gives back what leases did not use, and returns, or when ctx ends: the rest
// then goes on without it. Reservations that are open stay charged. The database stays open.
func (l *Ledger) Close(ctx context.Context) error {
	l.closing.Lock()
	already := l.closed
	l.closed = true
	if !already {
		close(l.queue)
	}
	l.closing.Unlock()
	select {
	case <-l.ended:
		return l.failed
	case <-ctx.Done():
		return fmt.Errorf("closing the ledger of budgets: %w", ctx.Err())
	}
}
