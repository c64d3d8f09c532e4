// Package audit keeps the journal: one row per decision, chained by hashes and sealed by signed checkpoints.
//
// A row is written in the transaction of whatever it accounts for, so that neither exists without the other.
// Each row's hash covers the row before it; a checkpoint is a signed note over the number of rows and the last
// hash. With the log's public key anybody can tell whether rows were changed, removed, added in between or put in another
// order, and with a checkpoint kept elsewhere also whether the whole database was set back.
// What is not yet under a checkpoint is only chained: who can write the database can replace those rows.
//
// The format is docs/spec/journal.md.
package audit

import (
	"crypto/ed25519"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the journal's tables.
func Schema() store.Schema { return store.Schema{Name: "evidence/audit", FS: migrations} }

// Options may be left zero.
type Options struct {
	Clock    func() time.Time // nil: time.Now
	Every    int              // rows between checkpoints, about; 0: 1024
	Interval time.Duration    // between checkpoints when there are new rows; 0: one minute; negative: only Every

	Archive string              // directory that gets a copy of each checkpoint; "": none. Best on other media
	Earlier []ed25519.PublicKey // keys that signed before the present one
	OnError func(error)         // told when a checkpoint in the background failed; nil: Close tells if it still fails
}

// Errors a caller may act on.
var (
	ErrTampered   = errors.New("journal is not as it was written")
	ErrOrigin     = errors.New("origin is empty or has spaces or a plus sign")
	ErrSigner     = errors.New("signer is not an Ed25519 key")
	ErrCheckpoint = errors.New("checkpoint is not valid")
	ErrEvent      = errors.New("event cannot be kept")
	ErrClosed     = errors.New("journal is closed")
)

// Tampered says where a journal stops being what was written. It is an [ErrTampered].
type Tampered struct {
	Seq  int64  // first row that does not fit
	What string // what does not fit
}

// Error implements error.
func (t *Tampered) Error() string {
	return fmt.Sprintf("%v: at entry %d %s", ErrTampered, t.Seq, t.What)
}

// Is makes it an [ErrTampered].
func (t *Tampered) Is(target error) bool { return target == ErrTampered }

// Checkpoint is a signed statement of how many rows the journal has and how its chain ends there.
type Checkpoint struct {
	Origin string
	Size   int64    // rows covered: 1 to Size
	Hash   [32]byte // of row Size
	Time   time.Time
	Note   []byte // the signed note itself
}

// Report is how far a verification got.
type Report struct {
	Entries     int64    // rows up to here fit
	Head        [32]byte // hash of the last row, if all fit
	Checkpoints int      // whose signature and hash fit
	Archived    int      // of checkpoints kept elsewhere, how many fit
	Covered     int64    // rows under the newest checkpoint that fits; the rest is chained only
}

// Against is what else to verify a journal against.
type Against struct {
	Checkpoints [][]byte            // signed notes kept elsewhere; each must fit the journal
	Earlier     []ed25519.PublicKey // keys that signed before the present one
}

// Query chooses entries. The zero Query is all of them.
type Query struct {
	From, To int64   // first and last sequence number; 0: from the first, to the last
	Limit    int     // 0: no limit
	Flow     flow.ID // of this flow only
	Parent   flow.ID // of flows that answer or continue this one
}

// Private is what belongs to an event and stays out of what is logged: of Sealed only a hash, of the rest only the commitments.
type Private struct {
	Sealed   []byte  // ciphertext; nil and empty are the same
	Payload  []byte  // commitment to what was released, 32 bytes; nil: none
	Subjects []byte  // commitment to whom it is about, 32 bytes; nil: none
	About    []About // each of them
}

// About leads from a subject to the event. Nothing of it is logged; it goes when the subject is erased.
type About struct {
	Subject flow.SubjectRef
	Sealed  []byte // under the subject's own key: its part of the salts
}

// Entry is one row.
type Entry struct {
	Seq    int64
	Event  flow.Event
	Raw    []byte // the event as stored and hashed
	Sealed []byte // nil if there is none
	Hash   [32]byte

	Payload, Subjects []byte // commitments; nil: none
}
