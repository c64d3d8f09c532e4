package ledger

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/store"
)

// Change is what a list says that it did not say before.
type Change struct {
	Domain  flow.DomainID
	Version int64
	Entries int // in the list now
	Added   int
}

// storeAnew is into how many parts the time for which a list is believed is cut: a list that says nothing new is written once in
// each, so that a restart finds one that is not too old.
const storeAnew = 4

// Merge takes a peer's signed list: it becomes what counts for that peer's roots, if it is newer than what is known. Record, which may be nil, runs in
// the transaction that keeps a list of another version, and puts it on record. Merge returns what changed, or a zero
// Change where the list only says that nothing did; and it returns after the list is in force.
//
// Errors to act on: [ErrTooBig], [ErrForm], [ErrKey], [ErrSignature], [ErrOwn], [ErrFuture], [ErrStale], [ErrRolledBack], [ErrForked], [ErrDropped].
func (l *Ledger) Merge(ctx context.Context, keys capability.Anchors, signed []byte, record func(store.Tx, Change) error) (Change, error) {
	next, err := readList(signed, keys)
	if err != nil {
		return Change{}, err
	}
	if next.issuer == l.opt.Domain {
		return Change{}, ErrOwn
	}
	l.changing.Lock()
	defer l.changing.Unlock()
	now := l.opt.Clock()
	switch {
	case next.issued.Sub(now) > time.Duration(l.skew.Load()):
		return Change{}, ErrFuture
	case !l.fresh(next.issued, now, now):
		return Change{}, ErrStale
	}
	ls := l.lists.Load()
	old := ls.peers[next.issuer]
	changed, err := follows(old, next, now)
	if err != nil {
		return Change{}, err
	}
	if !changed && next.issued.Sub(old.stored) < time.Duration(l.stale.Load())/storeAnew {
		l.lists.Store(ls.with(next.issuer, &known{next, now, old.stored}))
		return Change{}, nil
	}
	c := Change{Domain: next.issuer, Version: next.version, Entries: next.denied.count(), Added: next.denied.count()}
	if old != nil {
		c.Added = next.denied.beyond(old.denied)
	}
	err = l.db.Update(ctx, func(tx store.Tx) error {
		const put = "INSERT INTO ledger_lists (domain, list) VALUES (?, ?) ON CONFLICT (domain) DO UPDATE SET list = excluded.list"
		if _, err := tx.Exec(put, string(next.issuer), bytes.Clone(signed)); err != nil {
			return err
		}
		if changed && record != nil {
			return record(tx, c)
		}
		return nil
	})
	if err != nil {
		return Change{}, fmt.Errorf("keeping a list of revocations: %w", err)
	}
	l.lists.Store(ls.with(next.issuer, &known{next, now, next.issued}))
	if !changed {
		return Change{}, nil
	}
	l.tell()
	return c, nil
}

// follows reports whether next says something new after old, and refuses it where it goes back.
func follows(old *known, next *list, now time.Time) (changed bool, err error) {
	switch {
	case old == nil:
		return true, nil
	case next.version < old.version:
		return false, ErrRolledBack
	case next.version > old.version:
		if !next.denied.covers(old.denied, now.Unix()) {
			return false, ErrDropped
		}
		return true, nil
	case !next.denied.equal(old.denied):
		return false, ErrForked
	case next.issued.Before(old.issued):
		return false, ErrRolledBack
	}
	return false, nil
}

// storedList reads a list out of the store, where only what was verified is kept.
func storedList(signed []byte) (*list, error) {
	_, end, err := readHeader(signed)
	if err != nil {
		return nil, err
	}
	dot := bytes.LastIndexByte(signed, '.')
	if dot <= end {
		return nil, ErrForm
	}
	return readPayload(signed[end+1 : dot])
}

// Forget drops what is known of a domain's list, for a peer that is no longer one. If it becomes one again, its list may begin
// anew; until then none of its roots counts.
func (l *Ledger) Forget(ctx context.Context, domain flow.DomainID) error {
	l.changing.Lock()
	defer l.changing.Unlock()
	err := l.db.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec("DELETE FROM ledger_lists WHERE domain = ?", string(domain))
		return err
	})
	if err != nil {
		return fmt.Errorf("forgetting a list of revocations: %w", err)
	}
	l.lists.Store(l.lists.Load().with(domain, nil))
	l.tell()
	return nil
}

// Status is how a domain's list stands.
type Status struct {
	Domain  flow.DomainID `json:"domain"`
	Version int64         `json:"version"`
	Issued  time.Time     `json:"issued"`
	Entries int           `json:"entries"`
	Stale   bool          `json:"stale,omitempty"` // it is too old: none of the domain's roots counts
}

// Statuses tells of each peer's list, in the order of their names.
func (l *Ledger) Statuses() []Status {
	now := l.opt.Clock()
	ls := l.lists.Load()
	var all []Status
	for _, d := range slices.Sorted(maps.Keys(ls.peers)) {
		k := ls.peers[d]
		all = append(all, Status{Domain: d, Version: k.version, Issued: k.issued.UTC(), Entries: k.denied.count(), Stale: !l.fresh(k.issued, k.came, now)})
	}
	return all
}
