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
	"context"
	"crypto"
	"crypto/ed25519"
	"embed"
	"errors"
	"fmt"
	"iter"
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
	OnError func(error)         // told when a checkpoint in the background failed; nil: Close tells
}

// Errors a caller may act on.
var (
	ErrTampered   = errors.New("journal is not as it was written")
	ErrOrigin     = errors.New("origin is empty or has spaces or a plus sign")
	ErrSigner     = errors.New("signer is not an Ed25519 key")
	ErrCheckpoint = errors.New("checkpoint is not valid")
	ErrTooBig     = errors.New("event is larger than 64 KiB")
	ErrClosed     = errors.New("journal is closed")
)

// Tampered says where a journal stops being what was written. It is an [ErrTampered].
type Tampered struct {
	Seq  int64  // first row that does not fit
	What string // what does not fit
}

// Error implements error.
func (t *Tampered) Error() string { return fmt.Sprintf("%v: at entry %d %s", ErrTampered, t.Seq, t.What) }

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
	Entries     int64    // rows whose hash follows from the one before
	Head        [32]byte // hash of the last of them
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

// Entry is one row.
type Entry struct {
	Seq    int64
	Event  flow.Event
	Raw    []byte // the event as stored and hashed
	Sealed []byte // nil if there is none
	Hash   [32]byte
}

// Log is a journal open for writing. It is safe for concurrent use.
type Log struct{ origin string }

// Open opens the journal in db, which must have been opened with [Schema].
//
// Origin names the journal for ever: it is hashed into the first row and heads every checkpoint. The signer must be an Ed25519
// key, else [ErrSigner]. Open checks the newest checkpoint and everything after it, and the archive if there is one,
// and returns [ErrTampered] if they do not fit; it does not walk older rows, [Log.Verify] does.
// The log takes checkpoints in the background until [Log.Close].
func Open(ctx context.Context, db store.DB, origin string, signer crypto.Signer, opt Options) (*Log, error) {
	return nil, ErrSigner
}

// Append writes one row in the caller's transaction. It is durable when that is, and gone when that is rolled back.
//
// A zero Event.Time becomes now; all times are kept in UTC. Sealed is stored beside the event and covered by the row's hash;
// nil and empty are the same. The event must hold no value from any message. It returns [ErrTooBig] if the event
// takes more than 64 KiB.
func (l *Log) Append(tx store.Tx, ev flow.Event, sealed []byte) (flow.Receipt, error) {
	return flow.Receipt{}, ErrClosed
}

// Checkpoint signs the journal as it is now and keeps the note. If nothing was written since the last one it returns that.
func (l *Log) Checkpoint(ctx context.Context) (Checkpoint, error) { return Checkpoint{}, ErrClosed }

// Verify walks the whole journal as the function [Verify] does, with the log's own key and archive.
func (l *Log) Verify(ctx context.Context) (Report, error) { return Report{}, ErrClosed }

// Entries yields rows in order. It reads in pages, so that a slow reader holds up nobody. After an error it ends.
func (l *Log) Entries(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) { yield(Entry{}, ErrClosed) }
}

// Close takes a last checkpoint and ends the background work. The store stays open.
func (l *Log) Close(ctx context.Context) error { return nil }

// Verify walks the journal in db: chain, head, checkpoints and signatures.
//
// It returns a [*Tampered] naming the first row that does not fit; the report then says how far everything did fit. It
// needs nothing but the public key, and for a setback of the whole database checkpoints kept elsewhere.
func Verify(ctx context.Context, db store.DB, origin string, key ed25519.PublicKey, against ...Against) (Report, error) {
	return Report{}, ErrClosed
}
