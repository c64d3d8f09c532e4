package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/scrimhq/scrim/store"
)

// Denial is one thing that this domain revokes.
type Denial struct {
	Kind  Kind      `json:"kind"`
	Name  string    `json:"name"`  // the token's id, the holder key's thumbprint, or the task's id
	Since time.Time `json:"since"` // set by [Ledger.Revoke]
	Until time.Time `json:"until"` // when nothing that it names can be in force any more
}

// Errors of a denial.
var (
	ErrName  = errors.New("what is to be revoked is not named as it must be")
	ErrUntil = errors.New("the end of a revocation must lie ahead, and at most ten years")
)

const (
	maxName    = 1024
	longestEnd = 10 * 366 * 24 * time.Hour
)

// Check says what is wrong with a denial.
func (d Denial) Check(now time.Time) error {
	if d.Kind < OfToken || d.Kind > OfTask || d.Name == "" || len(d.Name) > maxName {
		return ErrName
	}
	if _, err := digestOf(d.Kind, d.Name); err != nil {
		return fmt.Errorf("%w: %w", ErrName, err)
	}
	if !d.Until.After(now) || d.Until.Sub(now) > longestEnd {
		return ErrUntil
	}
	return nil
}

// Digest is how the denial stands in the list, in base64url; "" if it is not named as it must be.
func (d Denial) Digest() string {
	sum, err := digestOf(d.Kind, d.Name)
	if err != nil {
		return ""
	}
	return strict.EncodeToString(sum[:])
}

// Revoke puts entries on the own list, and returns the list's version when they are durable and in force. Record, which may be nil, runs in the same
// transaction and puts it on record. What was on the list already stays there for as long as either says; a revocation cannot be taken back.
//
// Errors to act on: [ErrName], [ErrUntil], and [ErrFull] if the list has no room for all of them.
func (l *Ledger) Revoke(ctx context.Context, denials []Denial, record func(tx store.Tx, version int64) error) (version int64, err error) {
	now := l.opt.Clock()
	for _, d := range denials {
		if err := d.Check(now); err != nil {
			return 0, err
		}
	}
	l.changing.Lock()
	defer l.changing.Unlock()
	old := l.lists.Load()
	next := &list{issuer: old.own.issuer, version: old.own.version + 1, denied: old.own.denied.clone()}
	for _, d := range denials {
		sum, _ := digestOf(d.Kind, d.Name) // checked
		until := d.Until.Unix()
		if d.Until.Nanosecond() > 0 {
			until++
		}
		next.denied[d.Kind][sum] = max(until, next.denied[d.Kind][sum])
	}
	if next.denied.count() > MaxEntries {
		return 0, ErrFull
	}
	err = l.db.Update(ctx, func(tx store.Tx) error {
		for _, d := range denials {
			sum, _ := digestOf(d.Kind, d.Name)
			const put = `INSERT INTO ledger_denied (kind, digest, name, since, until) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (kind, digest) DO UPDATE SET until = excluded.until`
			if _, err := tx.Exec(put, int64(d.Kind), sum[:], d.Name, now.Unix(), next.denied[d.Kind][sum]); err != nil {
				return err
			}
		}
		if _, err := tx.Exec("UPDATE ledger_state SET version = ? WHERE id = 1", next.version); err != nil {
			return err
		}
		if record != nil {
			return record(tx, next.version)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("revoking: %w", err)
	}
	l.lists.Store(&lists{own: next, peers: old.peers})
	l.tell()
	return next.version, nil
}

func (e entries) clone() entries {
	for k := OfToken; k <= OfTask; k++ {
		e[k] = maps.Clone(e[k])
	}
	return e
}

// Denials lists what this domain revokes, the oldest first.
func (l *Ledger) Denials(ctx context.Context) (all []Denial, err error) {
	err = l.db.View(ctx, func(tx store.Tx) error {
		all, err = denials(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the revocations: %w", err)
	}
	return all, nil
}

func denials(tx store.Tx) ([]Denial, error) {
	rows, err := tx.Query("SELECT kind, name, since, until FROM ledger_denied ORDER BY since, kind, name")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Denial
	for rows.Next() {
		var d Denial
		var kind, since, until int64
		if err := rows.Scan(&kind, &d.Name, &since, &until); err != nil {
			return nil, err
		}
		if kind < int64(OfToken) || kind > int64(OfTask) {
			return nil, errors.New("a row of ledger_denied has not its form")
		}
		d.Kind, d.Since, d.Until = Kind(kind), time.Unix(since, 0).UTC(), time.Unix(until, 0).UTC()
		all = append(all, d)
	}
	return all, rows.Err()
}

// Version is that of the own list. The empty one that a new ledger has is version 1.
func (l *Ledger) Version() int64 { return l.lists.Load().own.version }

// signedList is the own list as it was signed last.
type signedList struct {
	mu     sync.Mutex // guards the fields below; held while signing
	bytes  []byte
	list   *list
	kid    string
	issued time.Time
}

// signAgain is how old a list may be that is given out again.
const signAgain = 2 * time.Second

// List returns the own list, signed a moment ago at most. The bytes are shared and must not be changed. It returns [ErrNoKey] for a domain
// that has no key to sign with.
func (l *Ledger) List() ([]byte, error) {
	if l.opt.Signer == nil {
		return nil, ErrNoKey
	}
	kid, key := l.opt.Signer()
	if key == nil {
		return nil, ErrNoKey
	}
	s := &l.signed
	s.mu.Lock()
	defer s.mu.Unlock()
	own, now := l.lists.Load().own, l.opt.Clock()
	if age := now.Sub(s.issued); s.bytes != nil && s.list == own && s.kid == kid && age >= 0 && age < min(signAgain, time.Duration(l.stale.Load())/storeAnew) {
		return s.bytes, nil
	}
	one := &list{issuer: own.issuer, version: own.version, denied: own.denied}
	one.issued = now.Truncate(time.Second)
	if s.bytes != nil && one.issued.Before(s.issued) && s.issued.Sub(now) < time.Duration(l.skew.Load()) {
		one.issued = s.issued // the clock was set back a little: peers would take the list for an older one
	}
	b, err := one.sign(kid, key)
	if err != nil {
		return nil, err
	}
	s.bytes, s.list, s.kid, s.issued = b, own, kid, one.issued
	return b, nil
}

// dropGrace is how long an entry stays on the own list after its time is over. It is longer than a peer's clock may be behind, to which
// the entry would seem to be missing.
const dropGrace = 3 * mostSkew

// sweepDenied takes entries off the own list whose time was over long ago.
func (l *Ledger) sweepDenied(ctx context.Context, now time.Time) error {
	l.changing.Lock()
	defer l.changing.Unlock()
	old := l.lists.Load()
	last := now.Add(-dropGrace).Unix()
	next := &list{issuer: old.own.issuer, version: old.own.version + 1, denied: old.own.denied.clone()}
	for k := OfToken; k <= OfTask; k++ {
		maps.DeleteFunc(next.denied[k], func(_ digest, until int64) bool { return until <= last })
	}
	if next.denied.count() == old.own.denied.count() {
		return nil
	}
	err := l.db.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Exec("DELETE FROM ledger_denied WHERE until <= ?", last); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE ledger_state SET version = ? WHERE id = 1", next.version)
		return err
	})
	if err != nil {
		return err
	}
	l.lists.Store(&lists{own: next, peers: old.peers})
	l.tell()
	return nil
}
