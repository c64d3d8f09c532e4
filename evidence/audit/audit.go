// Package audit keeps the journal: one row per decision, and a transparency log over all rows.
//
// A row is written in the transaction of whatever it accounts for, so that neither exists without the other. From
// there one goroutine takes the rows, in order, to a Merkle tree in files ([github.com/scrimhq/scrim/evidence/tile]), whose checkpoints are
// signed. With the log's public key anybody can tell whether rows were changed, removed, added in between or put in another
// order, and with a checkpoint kept elsewhere also whether everything was set back.
//
// The tree gets what was appended, not what a database says later: leaves wait in memory, and after a crash a row is taken
// from the database only if it has the proof that we wrote it, which takes the log's key. A row that does not reach the tree in time stops
// every release ([Log.Healthy]).
//
// The format is docs/spec/log.md.
package audit

import (
	"context"
	"crypto/ed25519"
	"embed"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the journal's tables.
func Schema() store.Schema { return store.Schema{Name: "evidence/audit", FS: migrations} }

// Options may be left zero, but for Dir where the store has no directory of its own.
type Options struct {
	Clock  func() time.Time // nil: time.Now
	Dir    string           // of the trees, a folder each; "": the folder log in the store's directory
	Period Period           // how long rows go into the same tree; "": always
	Chain  string           // origin of the journal of version 1 that the database may have; "": the present one

	MergeDelay time.Duration // how long a row may take to reach the tree; 0: 10 s
	Publish    time.Duration // between published checkpoints when there are new rows; 0: one second
	Cosign     tile.Cosign   // asks witnesses; nil: there are none

	Archive  string        // directory that keeps checkpoints by date; "": none. Best on other media
	Every    int           // rows between archived checkpoints, about; 0: 1024
	Interval time.Duration // between archived checkpoints when there are new rows; 0: one minute; negative: only Every

	Retention time.Duration // how long rows keep their event and what is sealed with it in the database; 0: for ever

	Earlier  []ed25519.PublicKey // keys that signed before the present one
	OnError  func(error)         // told when something in the background failed; nil: only Healthy tells
	OnHealth func(error)         // told why nothing may be released, and nil when it may again

	Hold func() error // another reason why nothing may be released; nil: there is none. Called by many goroutines at once

	// Anew has the next row begin a tree of its own, once: others may have seen rows after the newest one that is here, which were lost by that time, and no other
	// history may be signed in their place. Zero: the newest tree goes on.
	Anew time.Time

	fault func(op, path string) error // of the trees; for tests
}

// Errors a caller may act on.
var (
	ErrTampered = errors.New("journal is not as it was written")
	ErrOrigin   = errors.New("origin is empty or has spaces or a plus sign")
	ErrSigner   = errors.New("signer is not an Ed25519 key")
	ErrEvent    = errors.New("event cannot be kept")
	ErrClosed   = errors.New("journal is closed")
	ErrBehind   = errors.New("rows of the journal do not reach the log, so nothing is released")
	ErrDir      = errors.New("journal has no directory for its log")
	ErrPruned   = errors.New("row was pruned, and the log's files do not have it either")
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
	Sealed []byte // nil if there is none, or if the row was pruned
	Pruned bool   // the event is from the log's files
	Hash   [32]byte

	Payload, Subjects []byte // commitments; nil: none
}

// Tree is where rows of one period are.
type Tree struct {
	Name   string // of the period, and of its folder
	Origin string
	First  int64 // row that leaf 1 is
}

// Index is the leaf of a row of the tree.
func (t Tree) Index(seq int64) int64 { return seq - t.First + 1 }

// Report is how far a verification got.
type Report struct {
	Entries  int64     // rows up to here fit
	Covered  int64     // rows that are in the tree; those after it are on their way
	Pruned   int64     // rows whose event is in the tree alone
	Trees    int       // that have a checkpoint with a good signature
	Archived int       // of checkpoints kept elsewhere, how many fit
	Origin   string    // of the newest tree
	Size     int64     // its leaves
	Head     tlog.Hash // its root
}

// Against is what else to verify a journal against.
type Against struct {
	Checkpoints [][]byte            // signed notes kept elsewhere; each must fit one of the trees
	Earlier     []ed25519.PublicKey // keys that signed before the present one
}

// directory is what a store may have, too.
type directory interface{ Dir() string }

// canceled reports whether an error only says that the work was ended.
func canceled(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}
