package audit

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

const (
	defaultEvery    = 1024
	defaultInterval = time.Minute
)

// Log is a journal open for writing. It is safe for concurrent use.
type Log struct {
	db        store.DB // all up to archive are fixed by Open
	origin    string
	signer    *noteSigner
	key       ed25519.PublicKey
	verifiers note.Verifiers
	opt       Options
	archive   archive

	guess  atomic.Pointer[point] // where the chain probably ends; see Append
	fresh  atomic.Int64          // rows since the last checkpoint, about: those rolled back count too
	closed atomic.Bool

	signing sync.Mutex // guards last; held while a checkpoint is taken
	last    Checkpoint // what was verified so far

	wake chan struct{} // has room for one: enough rows for a checkpoint
	stop context.CancelFunc
	done chan struct{} // closed when the background work has ended
}

// Open opens the journal in db, which must have been opened with [Schema].
//
// Origin names the journal for ever: it is hashed into the first row and heads every checkpoint. The signer must be an Ed25519
// key, else [ErrSigner]. Open checks the newest checkpoint and everything after it, and the newest one of the archive if there is one,
// and returns [ErrTampered] if they do not fit; it does not walk older rows, [Log.Verify] does.
// The log takes checkpoints in the background until [Log.Close].
func Open(ctx context.Context, db store.DB, origin string, signer crypto.Signer, opt Options) (*Log, error) {
	s, key, err := newNoteSigner(origin, signer)
	if err != nil {
		return nil, err
	}
	verifiers, err := verifiersOf(origin, append([]ed25519.PublicKey{key}, opt.Earlier...))
	if err != nil {
		return nil, err
	}
	l := &Log{
		db: db, origin: origin, signer: s, key: key, verifiers: verifiers, opt: opt.withDefaults(), archive: archive(opt.Archive),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if err := l.begin(ctx); err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	go l.background(background)
	return l, nil
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Every <= 0 {
		o.Every = defaultEvery
	}
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	return o
}

// begin verifies where the journal ends and writes the head of a new one.
func (l *Log) begin(ctx context.Context) error {
	start := genesis(l.origin)
	l.last = Checkpoint{Origin: l.origin, Size: start.size, Hash: start.hash}
	stored, found, err := l.newest(ctx)
	if err != nil {
		return err
	}
	if found {
		l.last = stored
	}
	end, err := l.extend(ctx)
	if err != nil {
		return err
	}
	if err := l.checkArchive(ctx, end); err != nil {
		return err
	}
	const create = "INSERT INTO audit_head (id, size, hash) VALUES (1, ?, ?) ON CONFLICT (id) DO NOTHING"
	if end.size == 0 {
		err = l.db.Update(ctx, func(tx store.Tx) error { _, err := tx.Exec(create, 0, start.hash[:]); return err })
	}
	l.guess.Store(&end)
	l.fresh.Store(end.size - l.last.Size)
	return err
}

// newest returns the stored checkpoint over most rows, if its signature is good and its row has its hash.
func (l *Log) newest(ctx context.Context) (c Checkpoint, found bool, err error) {
	err = l.db.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT size, note FROM audit_checkpoints ORDER BY size DESC LIMIT 1")
		if err != nil {
			return err
		}
		defer rows.Close()
		if !rows.Next() {
			return rows.Err()
		}
		var size int64
		var signed []byte
		if err := rows.Scan(&size, &signed); err != nil {
			return err
		}
		if c, err = parseCheckpoint(signed, l.origin, l.verifiers); err != nil {
			return &Tampered{size, fmt.Sprintf("the checkpoint is forged: %v", err)}
		}
		if c.Size != size {
			return &Tampered{size, "the checkpoint has another size"}
		}
		found = true
		return anchored(tx, c)
	})
	return c, found, err
}

// anchored checks that the row under the checkpoint still has its hash.
func anchored(tx store.Tx, c Checkpoint) error {
	if c.Size == 0 {
		return nil
	}
	rows, err := tx.Query("SELECT hash FROM audit_entries WHERE seq = ?", c.Size)
	if err != nil {
		return err
	}
	defer rows.Close()
	var hash []byte
	if !rows.Next() {
		return errors.Join(rows.Err(), &Tampered{c.Size, "the row under the checkpoint is missing"})
	}
	if err := rows.Scan(&hash); err != nil {
		return err
	}
	if string(hash) != string(c.Hash[:]) {
		return &Tampered{c.Size, "the row does not have the hash of its checkpoint"}
	}
	return nil
}

// checkArchive compares the newest archived checkpoint with the journal: it must not know of more.
func (l *Log) checkArchive(ctx context.Context, end point) error {
	notes, err := l.archive.notes(1)
	if err != nil || len(notes) == 0 {
		return err
	}
	c, err := parseCheckpoint(notes[0], l.origin, l.verifiers)
	if err != nil {
		return fmt.Errorf("archived checkpoint: %w", err)
	}
	if c.Size > end.size {
		return &Tampered{end.size + 1, setBack(c.Size)}
	}
	return l.db.View(ctx, func(tx store.Tx) error { return anchored(tx, c) })
}

// extend verifies all rows after the last checkpoint and returns where they end.
func (l *Log) extend(ctx context.Context) (point, error) {
	v := &verifier{db: l.db, origin: l.origin, verifiers: l.verifiers}
	if err := l.db.View(ctx, func(tx store.Tx) error { return anchored(tx, l.last) }); err != nil {
		return point{}, err
	}
	if _, err := v.run(ctx, point{l.last.Size, l.last.Hash}); err != nil {
		return point{}, err
	}
	return v.at, nil
}

// Append writes one row in the caller's transaction. It is durable when that is, and gone when that is rolled back.
//
// A zero Event.Time becomes now; all times are kept in UTC. What is sealed is stored beside the event and covered by the row's hash. The event must hold no value from any message. It returns [ErrEvent] if the event
// takes more than 64 KiB, and [ErrClosed] after Close. After any error the transaction must be rolled back.
func (l *Log) Append(tx store.Tx, ev flow.Event, p Private) (flow.Receipt, error) {
	if l.closed.Load() {
		return flow.Receipt{}, ErrClosed
	}
	raw, err := encodeEvent(ev, l.opt.Clock)
	if err != nil {
		return flow.Receipt{}, err
	}
	next, err := l.advance(tx, raw, p.Sealed)
	if err != nil {
		return flow.Receipt{}, fmt.Errorf("extending the journal: %w", err)
	}
	const insert = "INSERT INTO audit_entries (seq, flow, parent, event, sealed, hash, payload, subjects) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
	_, err = tx.Exec(insert, next.size, string(ev.Flow.ID), string(ev.Flow.Parent), raw, orNull(p.Sealed), next.hash[:], orNull(p.Payload), orNull(p.Subjects))
	if err != nil {
		return flow.Receipt{}, fmt.Errorf("writing entry %d: %w", next.size, err)
	}
	if err := writeAbout(tx, next.size, p.About); err != nil {
		return flow.Receipt{}, err
	}
	l.guess.Store(&next)
	if l.fresh.Add(1) >= int64(l.opt.Every) {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return flow.Receipt{Seq: next.size, Hash: next.hash}, nil
}

// orNull keeps empty bytes as nothing.
func orNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// advance moves the head by one row. It tries where the last Append left it, which spares a query; that was wrong if the other
// transaction was rolled back or another process wrote, and then the update changes nothing, and the head is read.
func (l *Log) advance(tx store.Tx, raw, sealed []byte) (point, error) {
	const move = "UPDATE audit_head SET size = ?, hash = ? WHERE id = 1 AND size = ? AND hash = ?"
	at := *l.guess.Load()
	for range 2 {
		next := at.next(raw, sealed)
		n, err := tx.Exec(move, next.size, next.hash[:], at.size, at.hash[:])
		if err != nil {
			return point{}, err
		}
		if n == 1 {
			return next, nil
		}
		if at, err = readHead(tx, l.origin); err != nil {
			return point{}, err
		}
	}
	return point{}, &Tampered{at.size, "the head moved by itself or is missing"}
}

// Checkpoint signs the journal as it is now and keeps the note. If nothing was written since the last one it returns that.
//
// It signs only what it has walked: rows that were changed since the last checkpoint, or a journal that became shorter, are a
// [*Tampered].
func (l *Log) Checkpoint(ctx context.Context) (Checkpoint, error) {
	l.signing.Lock()
	defer l.signing.Unlock()
	counted := l.fresh.Load()
	end, err := l.extend(ctx)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("verifying before a checkpoint: %w", err)
	}
	defer l.fresh.Add(-counted)
	if end.size == l.last.Size && l.last.Note != nil {
		return l.last, l.archive.keep(l.last)
	}
	c := Checkpoint{Origin: l.origin, Size: end.size, Hash: end.hash, Time: l.opt.Clock().UTC().Truncate(time.Second)}
	if c.Note, err = note.Sign(&note.Note{Text: c.text()}, l.signer); err != nil {
		return Checkpoint{}, fmt.Errorf("signing a checkpoint: %w", err)
	}
	if c, err = parseCheckpoint(c.Note, l.origin, l.verifiers); err != nil {
		return Checkpoint{}, fmt.Errorf("checking our own signature: %w", err)
	}
	const keep = "INSERT INTO audit_checkpoints (size, note) VALUES (?, ?) ON CONFLICT (size) DO NOTHING"
	err = l.db.Update(ctx, func(tx store.Tx) error { _, err := tx.Exec(keep, c.Size, string(c.Note)); return err })
	if err != nil {
		return Checkpoint{}, fmt.Errorf("keeping a checkpoint: %w", err)
	}
	l.last = c
	return c, l.archive.keep(c)
}

// background takes checkpoints when enough rows or enough time came together.
func (l *Log) background(ctx context.Context) {
	defer close(l.done)
	var tick <-chan time.Time
	if l.opt.Interval > 0 {
		t := time.NewTicker(l.opt.Interval)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-tick: // costs little when nothing is new
		}
		if _, err := l.Checkpoint(ctx); err != nil && ctx.Err() == nil && l.opt.OnError != nil {
			l.opt.OnError(err)
		}
	}
}

// Verify walks the whole journal as the function [Verify] does, with the log's own key and archive.
func (l *Log) Verify(ctx context.Context) (Report, error) {
	notes, err := l.archive.notes(-1)
	if err != nil {
		return Report{}, err
	}
	return Verify(ctx, l.db, l.origin, l.key, Against{Checkpoints: notes, Earlier: l.opt.Earlier})
}

// Entries yields rows in order. It reads in pages, so that a slow reader holds up nobody. After an error it ends.
func (l *Log) Entries(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return Entries(ctx, l.db, q)
}

// Key returns the public key that verifies the checkpoints.
func (l *Log) Key() ed25519.PublicKey { return l.key }

// Close ends the background work, refuses further rows and takes a last checkpoint, whose error it returns. The store
// stays open. Closing again does nothing.
func (l *Log) Close(ctx context.Context) error {
	if l.closed.Swap(true) {
		return nil
	}
	l.stop()
	<-l.done
	_, err := l.Checkpoint(ctx)
	return err
}
