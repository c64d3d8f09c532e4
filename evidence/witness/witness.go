// Package witness cosigns checkpoints of transparency logs, and has a log's own checkpoints cosigned.
//
// A [Witness] remembers the latest checkpoint that it cosigned of each log, and signs the next one only if it was proven to
// continue that. What it signed is durable before the signature leaves. So a log that has its checkpoints cosigned cannot
// show two histories without a witness noticing. A [Cosigner] is the other side: it takes a log's checkpoints to witnesses.
//
// The protocol is https://c2sp.org/tlog-witness, the signatures are https://c2sp.org/tlog-cosignature of type Ed25519. The
// page is docs/spec/witness.md.
package witness

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"embed"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the witness's tables.
func Schema() store.Schema { return store.Schema{Name: "evidence/witness", FS: migrations} }

// Errors a caller may act on. In HTTP they are the status that their comment gives.
var (
	ErrRequest   = errors.New("request is not in the form of tlog-witness") // 400
	ErrSignature = errors.New("checkpoint is not signed by the log's key")  // 403
	ErrUnknown   = errors.New("log is not one that this witness knows")     // 404
	ErrConflict  = errors.New("checkpoint does not follow the latest one")  // 409
	ErrProof     = errors.New("proof does not hold")                        // 422
	ErrBusy      = errors.New("too many checkpoints in a short time")       // 429
	ErrKey       = errors.New("key is not valid")
)

// Conflict is an [ErrConflict]: the request does not begin at the latest checkpoint.
type Conflict struct {
	Size int64 // of the latest checkpoint that was cosigned
	Fork bool  // two roots for one size, both signed by the log
}

// Error implements error.
func (c *Conflict) Error() string {
	if c.Fork {
		return fmt.Sprintf("%v: another one of that size was signed", ErrConflict)
	}
	return fmt.Sprintf("%v: that has size %d", ErrConflict, c.Size)
}

// Is makes it an [ErrConflict].
func (c *Conflict) Is(target error) bool { return target == ErrConflict }

// Log is one that a witness follows.
type Log struct {
	Origin string              // its name; logs of its periods are called Origin/PERIOD and are followed too
	Keys   []ed25519.PublicKey // any of them signs
}

// ParseLog reads a log's verifier key of type Ed25519, as https://c2sp.org/signed-note has it. The error is an [ErrKey].
func ParseLog(vkey string) (Log, error) {
	name, public, err := parseKey(vkey, typeLog)
	if err != nil {
		return Log{}, err
	}
	return Log{Origin: name, Keys: []ed25519.PublicKey{public}}, nil
}

// Equivocation is two checkpoints of one size, both signed by the log, that say different things.
type Equivocation struct {
	Origin        string
	Size          int64
	Time          time.Time
	First, Second []byte // the one that was cosigned, and the one that was refused
}

// Options may be left zero.
type Options struct {
	Clock func() time.Time // nil: time.Now

	Rate  float64 // checkpoints of one log a second, in the long run; 0: 5
	Burst int     // and at once; 0: 20
	Keep  int     // checkpoints of each log that are remembered; 0: 4096

	// Record is called in the transaction that records an equivocation, once for each. nil: nothing.
	Record func(tx store.Tx, e Equivocation) error
	// Found is told of an equivocation that is on record. nil: nobody.
	Found func(e Equivocation)
}

// Witness cosigns. It is safe for concurrent use.
type Witness struct {
	db   store.DB
	name string
	key  crypto.Signer
	pub  ed25519.PublicKey
	opt  Options

	mu    sync.Mutex // guards the fields below
	logs  []Log
	rates map[string]*bucket // by the name of the log, not of its periods
}

// New returns a witness of that name. A name is best the address below which it is found, without "https://".
// The key must be used for nothing else. The error is an [ErrKey].
func New(db store.DB, name string, key crypto.Signer, logs []Log, opt Options) (*Witness, error) {
	if key == nil || !GoodName(name) {
		return nil, ErrKey
	}
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, ErrKey
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Rate <= 0 {
		opt.Rate = 5
	}
	if opt.Burst <= 0 {
		opt.Burst = 20
	}
	if opt.Keep <= 0 {
		opt.Keep = 4096
	}
	return &Witness{db: db, name: name, key: key, pub: pub, opt: opt, logs: logs, rates: map[string]*bucket{}}, nil
}

// Key is the witness's verifier key, for those who ask for its cosignatures.
func (w *Witness) Key() string { return formatKey(w.name, typeCosignature, w.pub) }

// Follow takes other logs in the place of those before. What was cosigned is not forgotten.
func (w *Witness) Follow(logs []Log) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs = logs
}

var period = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// log finds the log of an origin, which may be one of its periods.
func (w *Witness) log(origin string) (Log, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.logs {
		if l.Origin == origin {
			return l, true
		}
	}
	for _, l := range w.logs {
		if rest, ok := strings.CutPrefix(origin, l.Origin+"/"); ok && period.MatchString(rest) {
			return l, true
		}
	}
	return Log{}, false
}

// Request asks for a cosignature.
type Request struct {
	Old   int64          // size of the latest checkpoint that was cosigned, as far as the one who asks knows
	Proof tlog.TreeProof // that the checkpoint continues it
	Note  []byte         // the signed checkpoint
}

// Add checks a checkpoint, makes it the latest one, and returns the witness's signature line. When it returns one, that is
// durable. Errors are those of this package, or the store's.
func (w *Witness) Add(ctx context.Context, r Request) ([]byte, error) {
	c, l, err := w.open(r.Note)
	if err != nil {
		return nil, err
	}
	if r.Old < 0 || r.Old > c.Size {
		return nil, fmt.Errorf("%w: the old size is larger than the checkpoint's", ErrRequest)
	}
	if !w.allow(l.Origin) {
		return nil, ErrBusy
	}
	var at int64
	var found *Equivocation
	err = w.db.Update(ctx, func(tx store.Tx) (err error) {
		at, found, err = w.step(tx, c, l, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	if found != nil && w.opt.Found != nil { // it is on record
		w.opt.Found(*found)
	}
	if at == 0 {
		return nil, &Conflict{Size: c.Size, Fork: true}
	}
	return sign(w.name, w.key, w.pub, c, at)
}

// open finds out whose checkpoint it is, and that the log signed it.
func (w *Witness) open(signed []byte) (tile.Checkpoint, Log, error) {
	if len(signed) > maxNote {
		return tile.Checkpoint{}, Log{}, fmt.Errorf("%w: the checkpoint is too large", ErrRequest)
	}
	origin, _, _ := strings.Cut(string(signed), "\n")
	l, ok := w.log(origin)
	if !ok {
		return tile.Checkpoint{}, Log{}, ErrUnknown
	}
	var verifiers []note.Verifier
	for _, key := range l.Keys {
		v, err := tile.NewVerifier(origin, key)
		if err != nil {
			return tile.Checkpoint{}, Log{}, fmt.Errorf("%w: %w", ErrSignature, err)
		}
		verifiers = append(verifiers, v)
	}
	n, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		_, unverified := errors.AsType[*note.UnverifiedNoteError](err)
		_, invalid := errors.AsType[*note.InvalidSignatureError](err)
		if unverified || invalid {
			return tile.Checkpoint{}, Log{}, ErrSignature
		}
		return tile.Checkpoint{}, Log{}, fmt.Errorf("%w: the checkpoint is no signed note", ErrRequest)
	}
	c, err := tile.ParseText(n.Text)
	if err != nil || c.Origin != origin {
		return tile.Checkpoint{}, Log{}, fmt.Errorf("%w: the note is no checkpoint", ErrRequest)
	}
	c.Note = signed
	return c, l, nil
}

// allow keeps each log to its rate. It is asked only for what the log signed, so that nobody else can use it up.
func (w *Witness) allow(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, now := w.rates[name], w.opt.Clock()
	if b == nil {
		b = &bucket{left: float64(w.opt.Burst), at: now}
		w.rates[name] = b
	}
	b.left = min(float64(w.opt.Burst), b.left+max(0, now.Sub(b.at).Seconds())*w.opt.Rate)
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

type bucket struct {
	left float64
	at   time.Time
}
