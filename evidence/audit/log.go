package audit

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

const (
	defaultEvery      = 1024
	defaultInterval   = time.Minute
	defaultMergeDelay = 10 * time.Second
	defaultPublish    = time.Second
)

// Log is a journal open for writing. It is safe for concurrent use.
type Log struct {
	db      store.DB // all up to began are fixed by Open
	origin  string
	signer  crypto.Signer
	key     ed25519.PublicKey
	opt     Options
	archive archive
	secret  []byte // of the proofs that rows have
	began   time.Time

	guess  atomic.Pointer[head] // where the journal probably ends; see Append
	closed atomic.Bool
	wait   waiting      // leaves that are not in the tree yet
	late   atomic.Int64 // when the oldest of them was appended, in nanoseconds since began; 0: there is none
	said   atomic.Bool  // that something was found that must not be signed
	hidden atomic.Int64 // since when the tree cannot be published, as late; 0: it can

	telling sync.Mutex // guards told; held while OnHealth is called
	told    bool       // that nothing may be released

	driving  sync.Mutex // guards current, trees and previous; held while rows are taken to the tree
	current  *tile.Log
	trees    []treeRow   // whose rows were seen, oldest first
	previous []*tile.Log // that still wait for witnesses

	retiring sync.Mutex // held while rows are pruned

	mu       sync.Mutex // guards the fields below
	seq      int64      // rows in the tree
	at       int        // trees[at] is current
	known    []treeRow  // as trees
	grown    chan struct{}
	stuck    error // why rows do not reach the tree; nil: they do
	unshown  error // why the tree cannot be published
	archived tile.Checkpoint
	when     time.Time // of archived
	needs    []need

	wake   chan struct{} // has room for one: there are new rows
	retire chan struct{} // likewise: rows may be old enough to be pruned
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// Open opens the journal in db, which must have been opened with [Schema], and the log in its directory.
//
// Origin names the log for ever: it heads every checkpoint. The signer must be an Ed25519 key, else [ErrSigner]. Only one process may have
// the directory open, else [tile.ErrLocked]. What a crash kept from the tree gets there before Open returns. A database that is
// shorter than the tree or than an archived checkpoint, or whose newest rows are not those of the tree, is an [ErrTampered]; older rows Open does not
// walk, [Log.Verify] does. A journal of version 1 is carried into the tree if its chain and its checkpoints fit.
func Open(ctx context.Context, db store.DB, origin string, signer crypto.Signer, opt Options) (*Log, error) {
	if err := checkOrigin(origin); err != nil {
		return nil, err
	}
	if opt.Dir == "" {
		if d, ok := db.(directory); ok && d.Dir() != "" {
			opt.Dir = filepath.Join(d.Dir(), "log")
		}
	}
	if opt.Dir == "" {
		return nil, ErrDir
	}
	key, secret, err := rowSecret(signer, origin)
	if err != nil {
		return nil, err
	}
	l := &Log{
		db: db, origin: origin, signer: signer, key: key, secret: secret, opt: opt.withDefaults(origin), archive: archive(opt.Archive), began: time.Now(),
		grown: make(chan struct{}), wake: make(chan struct{}, 1), retire: make(chan struct{}, 1),
	}
	if err := l.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the journal: %w", err), l.shut())
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.done.Go(func() { l.sequence(background) })
	l.done.Go(func() { l.publishing(background) })
	l.done.Go(func() { l.watch(background) })
	if l.opt.Retention > 0 {
		l.done.Go(func() { l.pruning(background) })
	}
	return l, nil
}

func (o Options) withDefaults(origin string) Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Chain == "" {
		o.Chain = origin
	}
	if o.MergeDelay <= 0 {
		o.MergeDelay = defaultMergeDelay
	}
	if o.Publish <= 0 {
		o.Publish = defaultPublish
	}
	if o.Every <= 0 {
		o.Every = defaultEvery
	}
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	return o
}

// rowSecret derives what proves that we wrote a row from the log's key. A signature by Ed25519 is the same each time (RFC 8032,
// section 5.1.6) and nobody without the key can make it; this one never leaves the process. Its text is that of no checkpoint.
func rowSecret(signer crypto.Signer, origin string) (ed25519.PublicKey, []byte, error) {
	if signer == nil {
		return nil, nil, ErrSigner
	}
	key, ok := signer.Public().(ed25519.PublicKey)
	if !ok {
		return nil, nil, ErrSigner
	}
	var sigs [2][]byte
	for i := range sigs {
		var err error
		if sigs[i], err = signer.Sign(rand.Reader, []byte("scrim journal rows v2\n"+origin), crypto.Hash(0)); err != nil {
			return nil, nil, fmt.Errorf("signing: %w", err)
		}
	}
	if !bytes.Equal(sigs[0], sigs[1]) {
		return nil, nil, fmt.Errorf("%w: it does not sign the same twice", ErrSigner)
	}
	secret := sha256.Sum256(sigs[0])
	return key, secret[:], nil
}

// prove returns the proof that we wrote a row, and into which tree.
func (l *Log) prove(tree string, first int64, leaf [32]byte) []byte {
	m := hmac.New(sha256.New, l.secret)
	b := append(make([]byte, 0, 128), tree...)
	b = append(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(first))
	m.Write(append(b, leaf[:]...))
	return m.Sum(nil)
}

// Append writes one row in the caller's transaction. It is durable when that is, and gone when that is rolled back.
//
// A zero Event.Time becomes now; all times are kept in UTC. What is sealed is stored beside the event, and its hash is in the leaf. The event must
// hold no value from any message. The receipt's hash is that of the leaf; where the leaf is, [Log.Tree] says. It returns [ErrEvent] if the event
// takes more than 65,279 bytes, [ErrClosed] after Close, and [ErrBehind] while nothing may be released: only refusals, conflicts and the
// operator's own changes go on record then. After any error the transaction must be rolled back.
func (l *Log) Append(tx store.Tx, ev flow.Event, p Private) (flow.Receipt, error) {
	if l.closed.Load() {
		return flow.Receipt{}, ErrClosed
	}
	if err := l.Healthy(); err != nil && !harmless(ev.Outcome) {
		return flow.Receipt{}, err
	}
	raw, err := encodeEvent(ev, l.opt.Clock)
	if err != nil {
		return flow.Receipt{}, err
	}
	at, err := l.advance(tx)
	if err != nil {
		return flow.Receipt{}, fmt.Errorf("extending the journal: %w", err)
	}
	if there := l.Sequenced(); at.size <= there { // it would never get into the tree, and hide what is missing
		return flow.Receipt{}, fmt.Errorf("%w: %w", ErrBehind, shorter(at.size, there))
	}
	leaf := leafOf(at.size, raw, p.Sealed, p.Payload, p.Subjects)
	hash := LeafHash(leaf)
	proof := l.prove(at.tree, at.first, hash)
	const insert = "INSERT INTO audit_entries (seq, flow, parent, event, sealed, proof, payload, subjects) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
	_, err = tx.Exec(insert, at.size, string(ev.Flow.ID), string(ev.Flow.Parent), raw, orNull(p.Sealed), proof, orNull(p.Payload), orNull(p.Subjects))
	if err != nil {
		return flow.Receipt{}, fmt.Errorf("writing entry %d: %w", at.size, err)
	}
	if err := writeAbout(tx, at.size, p.About); err != nil {
		return flow.Receipt{}, err
	}
	l.guess.Store(&at)
	l.wait.put(at.size, leaf)
	signal(l.wake)
	t := Tree{at.tree, treeOrigin(l.origin, at.tree), at.first}
	return flow.Receipt{Seq: at.size, Hash: hash, Log: t.Origin, Index: t.Index(at.size)}, nil
}

// harmless outcomes say that nothing was released.
func harmless(o flow.Outcome) bool {
	return o == flow.Refused || o == flow.Conflict || o == flow.Changed
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// orNull keeps empty bytes as nothing.
func orNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// advance moves the head by one row. It tries where the last Append left it, which spares a query; that was wrong if the other
// transaction was rolled back, and then the update changes nothing, and the head is read.
func (l *Log) advance(tx store.Tx) (head, error) {
	const move = "UPDATE audit_head SET size = ?, tree = ?, tree_first = ? WHERE id = 1 AND size = ? AND tree = ?"
	now := l.opt.Clock()
	at := *l.guess.Load()
	for range 2 {
		next := head{size: at.size + 1, tree: at.tree, first: at.first}
		begins, err := l.begins(tx, at.tree, now)
		if err != nil {
			return head{}, err
		}
		if begins != "" {
			next.tree, next.first = begins, next.size
		}
		n, err := tx.Exec(move, next.size, next.tree, next.first, at.size, at.tree)
		if err != nil {
			return head{}, err
		}
		if n == 1 && begins != "" {
			_, err = tx.Exec("INSERT INTO audit_trees (name, tree_first, began) VALUES (?, ?, ?)", next.tree, next.first, now.UnixNano())
		}
		if n == 1 {
			return next, err
		}
		if at, err = readHead(tx); err != nil {
			return head{}, err
		}
	}
	return head{}, &Tampered{at.size, "the head moved by itself or is missing"}
}

// begins returns the name of the tree that begins now, or "". A clock that goes back begins none, and no tree begins twice.
func (l *Log) begins(tx store.Tx, tree string, now time.Time) (string, error) {
	s := l.opt.Period.of(now)
	anew := l.opt.Anew.Unix()
	if l.opt.Anew.IsZero() || isAnew(tree, anew) {
		switch {
		case periodOf(tree) == s.name:
			return "", nil
		case tree == "":
			return s.name, nil
		}
	}
	trees, err := readTrees(tx)
	if err != nil {
		return "", err
	}
	if !l.opt.Anew.IsZero() && !slices.ContainsFunc(trees, func(t treeRow) bool { return isAnew(t.name, anew) }) {
		return fmt.Sprintf("%s%s%d", s.name, anewMark, anew), nil
	}
	for _, t := range trees {
		if periodOf(t.name) == s.name || t.name == tree && now.Before(t.began) {
			return "", nil
		}
	}
	return s.name, nil
}

// Sequenced is the newest row that is in the tree.
func (l *Log) Sequenced() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

// Rows is how many rows are committed.
func (l *Log) Rows(ctx context.Context) (int64, error) {
	var h head
	err := l.db.View(ctx, func(tx store.Tx) (err error) { h, err = readHead(tx); return err })
	return h.size, err
}

// Lag is how many committed rows are not in the tree yet, and for how long the oldest of them waits.
func (l *Log) Lag(ctx context.Context) (rows int64, oldest time.Duration, err error) {
	in := l.Sequenced()
	all, err := l.Rows(ctx)
	if err != nil || all <= in {
		return 0, 0, err
	}
	if at, ok := l.wait.since(in + 1); ok {
		oldest = time.Since(at)
	}
	if late := l.late.Load(); late != 0 { // of rows from before the start, too
		oldest = max(oldest, time.Since(l.began)-time.Duration(late))
	}
	return all - in, max(oldest, 0), nil
}

// Grown returns a channel that is closed when more rows have come into the tree.
func (l *Log) Grown() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grown
}

// Trees are the trees that have rows, the oldest first.
func (l *Log) Trees() []Tree {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Tree, len(l.known))
	for i, t := range l.known {
		list[i] = Tree{t.name, treeOrigin(l.origin, t.name), t.first}
	}
	return list
}

// TreeOf returns the tree that a row is in, and whether it is in one yet.
func (l *Log) TreeOf(seq int64) (Tree, bool) {
	l.mu.Lock() // at once: a row of a tree that begins in between is not one of the tree before
	defer l.mu.Unlock()
	if seq > l.seq {
		return Tree{}, false
	}
	for _, t := range slices.Backward(l.known) {
		if t.first <= seq {
			return Tree{t.name, treeOrigin(l.origin, t.name), t.first}, true
		}
	}
	return Tree{}, false
}

// Tree reads what was published of a period's tree; of the newest for "".
func (l *Log) Tree(period string) tile.Reader {
	if period == "" {
		l.mu.Lock()
		if len(l.known) > 0 {
			period = l.known[l.at].name
		}
		l.mu.Unlock()
	}
	return tile.Dir(l.dir(period))
}

func (l *Log) dir(name string) string { return treeDir(l.opt.Dir, name) }

// treeDir is the folder of a tree; a name that the database gives leads nowhere else.
func treeDir(dir, name string) string { return filepath.Join(dir, filepath.Base(name)) }

// Key returns the public key that verifies the checkpoints.
func (l *Log) Key() ed25519.PublicKey { return l.key }

// Origin is the name that all trees' origins begin with.
func (l *Log) Origin() string { return l.origin }

// MergeDelay is how long a row may take to reach the tree.
func (l *Log) MergeDelay() time.Duration { return l.opt.MergeDelay }

// Close ends the background work, refuses further rows, takes all rows to the tree and publishes a last checkpoint; it returns
// what of that failed. The store stays open. Closing again does nothing.
func (l *Log) Close(ctx context.Context) error {
	if l.closed.Swap(true) {
		return nil
	}
	l.stop()
	l.done.Wait()
	_, err := l.Checkpoint(ctx)
	return errors.Join(err, l.shut())
}

// shut closes the trees.
func (l *Log) shut() error {
	l.driving.Lock()
	defer l.driving.Unlock()
	var errs []error
	for _, t := range append(l.previous, l.current) {
		if t != nil {
			errs = append(errs, t.Close())
		}
	}
	l.previous, l.current = nil, nil
	return errors.Join(errs...)
}
