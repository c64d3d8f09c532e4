// Package budget is the ledger of privacy loss: what each dataset may still give away, and a record of what it gave.
//
// The owner of a dataset declares (ε, δ) for its privacy unit with [Ledger.Declare]. Before a mechanism reads the data its cost
// is reserved ([Ledger.Reserve]), and before an answer leaves it is committed ([Reservation.Commit]); a process that dies in
// between leaves the cost charged. A charge is admitted if at least one filter of a fixed menu still fits; the claim and its proof
// are in docs/spec/budget-admission.md, tables and file formats in docs/spec/budget-ledger.md.
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
	"crypto/cipher"
	"crypto/ed25519"
	"embed"
	"io/fs"
	"time"

	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the ledger's tables.
func Schema() store.Schema {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the embedded folder is named wrongly
	}
	return store.Schema{Name: "privacy/budget", FS: sub}
}

// Options of a ledger. Signer is needed, and Seal wherever charges have keys; all else may be left zero.
type Options struct {
	Writer    string                        // names this process in the entries it writes; "gateway"
	Signer    crypto.Signer                 // Ed25519: signs the heads of chains
	Trusted   []ed25519.PublicKey           // earlier keys, and those of other processes on a shared database
	Seal      cipher.AEAD                   // keeps stored answers; the id of the charge is its associated data
	Clock     func() time.Time              // nil: time.Now
	Shared    bool                          // the database is used by several processes at once, as store's own option says
	Journal   func(store.Tx, []Entry) error // runs in the transaction of the entries, whose failure it can be; nil: none
	Skew      time.Duration                 // how far the clock may go back before charges by time are refused; 2 s, at most a minute
	Slice     int64                         // how many charges a lease takes at once; 64
	MaxAnswer int                           // bytes of an answer that is kept; 1 MiB
	MaxBlocks int64                         // blocks of one charge; 64, at most 4096
	MaxBatch  int                           // requests in one transaction; 256
}

// Ledger is open state. It is safe for concurrent use.
type Ledger struct {
	db  store.DB
	opt Options
}

// Open reads the ledger in db, which must have been opened with [Schema], and replays it: one whose chains, sums or signatures
// do not hold is refused with an [*Error] that says which.
func Open(ctx context.Context, db store.DB, opt Options) (*Ledger, error) {
	return nil, errUnbuilt
}

// Close gives back what leased slices did not use and signs the last head. Reservations that are open stay charged.
func (l *Ledger) Close(ctx context.Context) error { return errUnbuilt }
