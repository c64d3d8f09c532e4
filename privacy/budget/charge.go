package budget

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// ID names a charge.
type ID [16]byte

// String returns the id in hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Charge is what a question is going to cost, and who asks.
type Charge struct {
	Scope   Scope
	Blocks  Range
	Cost    account.Vector
	Free    bool          // a cost of nothing is meant: without it one is refused, and with it any other
	Key     string        // the caller's idempotency key, its own within dataset, domain and agent; empty: none, and no answer is kept
	Request [32]byte      // digest of what is asked; the same key with another one is a conflict
	Lease   time.Duration // how long this process may hold a slice for charges like this one; 0: each is made in the shared rows
	Label   string        // what for, in the owner's words, at most 128 bytes; it is stored as it is
}

// Reserve charges the cost to every scope of c, durably, and returns the right to compute one answer for it; or the stored answer,
// when the key was committed before.
//
// Errors to act on: [ErrExhausted], whose [*Error] names the scope; [ErrConflict]; [ErrPending], while another request with the
// key is under way; [ErrLost], when one never came to an end, and never will: ask again by another key. The rest are mistakes of
// the caller.
func (l *Ledger) Reserve(ctx context.Context, c Charge) (*Reservation, error) {
	return nil, errUnbuilt
}

// Reservation is a charge whose answer is not yet committed, or was before. It is safe for concurrent use.
type Reservation struct {
	id ID
}

// ID names the charge.
func (r *Reservation) ID() ID { return r.id }

// Answer returns the answer that was committed for the key before. There is nothing more to do then, and nothing was charged.
func (r *Reservation) Answer() ([]byte, bool) { return nil, false }

// Begin says that data is about to be read: from here on the cost stays charged. It returns [ErrState] if the reservation was
// released, and then nothing may be read.
func (r *Reservation) Begin() error { return errUnbuilt }

// Commit keeps the answer, sealed. Only when it returned nil may the answer leave. It may be tried again with the same answer if
// it failed; another answer is refused with [ErrConflict].
func (r *Reservation) Commit(ctx context.Context, answer []byte) error { return errUnbuilt }

// Release takes the charge back. It returns [ErrBegun] after [Reservation.Begin].
func (r *Reservation) Release(ctx context.Context) error { return errUnbuilt }
