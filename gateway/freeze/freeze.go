// Package freeze brings agents, domains and datasets to a halt at once, and keeps on record that it did.
//
// What is frozen neither sends nor receives: a message, an answer, an event of a stream, a notification, a part that went by
// reference, a question. A freeze is in force within the transaction that records it, so that nothing is recorded after it that it
// forbids; it survives a restart, and is over when it is thawed and not before. docs/spec/incidents.md says what it means for whom.
package freeze

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is this package's table.
func Schema() store.Schema { return store.Schema{Name: "gateway/freeze", FS: migrations} }

// Journal is the part of the evidence that is written here. An entry is durable when the transaction is.
type Journal interface {
	Append(tx store.Tx, ev flow.Event, p audit.Private) (flow.Receipt, error)
}

// Source is who froze something.
type Source string

// The sources.
const (
	Operator Source = "operator"
	Alarm    Source = "alarm"   // configured to
	Restore  Source = "restore" // state was restored from a backup: what is charged to a dataset may be more than is known
)

// Entry is one freeze.
type Entry struct {
	Target
	Since     time.Time `json:"since"`
	Source    Source    `json:"source"`
	Reason    string    `json:"reason,omitempty"`    // the operator's words, or the alarm
	Until     time.Time `json:"until,omitzero"`      // when it was thawed; zero: it is frozen
	Thawed    string    `json:"thawed,omitempty"`    // why
	Reference flow.ID   `json:"reference,omitempty"` // of the row in the journal; of an answer alone
}

// Options of a list. DB, Journal, Domain and FlowID are needed.
type Options struct {
	DB      store.DB
	Journal Journal
	Domain  flow.DomainID
	FlowID  func() flow.ID
	Clock   func() time.Time // nil: time.Now
	Event   func(flow.Event) // what was recorded, for metrics; nil: none
}

// mostFrozen bounds what is frozen at one time, and mostPast what is kept of what was thawed.
const (
	mostFrozen = 4096
	mostPast   = 1000
)

// Errors a caller may act on.
var (
	ErrFull      = fmt.Errorf("%d freezes are in force, which is as many as there may be: freeze the domain", mostFrozen)
	ErrNotFrozen = errors.New("it is not frozen")
	ErrOwn       = errors.New("freezing the gateway's own domain would bring everything to a halt: stop the gateway, or freeze its agents")
)

// List is what is frozen. It is safe for concurrent use; asking it is quick, and costs next to nothing while nothing is frozen.
type List struct {
	opt   Options
	force atomic.Pointer[holds] // nil: nothing is frozen

	mu      sync.Mutex // guards the fields below; one change at a time, held while it is written
	entries map[Target]*kept
	next    int64

	listeners struct {
		sync.Mutex
		all []func()
	}
}

type kept struct {
	id int64
	Entry
}

// Open reads what is frozen.
func Open(ctx context.Context, opt Options) (*List, error) {
	if opt.DB == nil || opt.Journal == nil || opt.Domain == "" || opt.FlowID == nil {
		return nil, errors.New("freezes need a database, a journal, a domain and a source of ids")
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	l := &List{opt: opt, entries: map[Target]*kept{}, next: 1}
	err := opt.DB.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT id, kind, name, domain, since, source, reason FROM freeze_entries WHERE until = 0")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			k := new(kept)
			var since int64
			if err := rows.Scan(&k.id, &k.Kind, &k.Name, &k.Domain, &since, &k.Source, &k.Reason); err != nil {
				return err
			}
			k.Since = time.UnixMilli(since).UTC()
			l.entries[k.Target] = k
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return tx.QueryRow("SELECT COALESCE(MAX(id), 0) + 1 FROM freeze_entries").Scan(&l.next)
	})
	if err != nil {
		return nil, fmt.Errorf("reading what is frozen: %w", err)
	}
	l.publish()
	return l, nil
}

// publish puts the entries in force. The lock is held.
func (l *List) publish() {
	if len(l.entries) == 0 {
		l.force.Store(nil)
		return
	}
	h := &holds{agents: map[string]bool{}, domains: map[string]bool{}, datasets: map[string]bool{}}
	for t := range l.entries {
		h.add(t)
	}
	l.force.Store(h)
}

// Flow reports whether somebody who takes part in a flow is frozen: sender, recipient, whoever handed a right on, or the domain that
// granted it. Within a transaction that answers for as long as the transaction lasts.
func (l *List) Flow(f *flow.Flow) bool {
	if l == nil {
		return false
	}
	h := l.force.Load()
	return h != nil && h.flow(f)
}

// Party reports whether a party is frozen, or its domain.
func (l *List) Party(p flow.Party) bool {
	if l == nil {
		return false
	}
	h := l.force.Load()
	return h != nil && h.party(p)
}

// Dataset reports whether a dataset is frozen.
func (l *List) Dataset(name string) bool {
	if l == nil {
		return false
	}
	h := l.force.Load()
	return h != nil && h.datasets[name]
}

// Listen has fn called after each change that is in force. Fn must be quick.
func (l *List) Listen(fn func()) {
	l.listeners.Lock()
	defer l.listeners.Unlock()
	l.listeners.all = append(l.listeners.all, fn)
}

// tell is called after the change, without l.mu held.
func (l *List) tell() {
	l.listeners.Lock()
	all := slices.Clone(l.listeners.all)
	l.listeners.Unlock()
	for _, fn := range all {
		fn()
	}
}

// Freeze brings a target to a halt. When it returns that is on record and in force; what was recorded before may still be on its last
// way out. Freezing again what is frozen changes nothing and is no error.
func (l *List) Freeze(ctx context.Context, t Target, by Source, reason string) (Entry, error) {
	if err := t.Check(); err != nil {
		return Entry{}, err
	}
	if !plain(reason, maxReason) {
		return Entry{}, ErrReason
	}
	if t.Kind == Domain && flow.DomainID(t.Name) == l.opt.Domain {
		return Entry{}, ErrOwn
	}
	e, ev, err := l.freeze(ctx, t, by, reason)
	if err == nil && ev != nil {
		l.tell()
		l.recorded(*ev)
	}
	return e, err
}

func (l *List) freeze(ctx context.Context, t Target, by Source, reason string) (Entry, *flow.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.entries[t]; k != nil {
		return k.Entry, nil, nil
	}
	if len(l.entries) >= mostFrozen {
		return Entry{}, nil, ErrFull
	}
	k := &kept{id: l.next, Entry: Entry{Target: t, Since: l.opt.Clock().UTC().Truncate(time.Millisecond), Source: by, Reason: reason}}
	ev := l.event("freeze", "frozen by "+string(by)+": "+t.String())
	err := l.opt.DB.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Exec("INSERT INTO freeze_entries (id, kind, name, domain, since, source, reason, until, thawed) VALUES (?, ?, ?, ?, ?, ?, ?, 0, '')",
			k.id, string(t.Kind), t.Name, string(t.Domain), k.Since.UnixMilli(), string(by), reason); err != nil {
			return err
		}
		if _, err := l.opt.Journal.Append(tx, ev, audit.Private{}); err != nil {
			return err
		}
		l.entries[t] = k
		l.publish() // within the transaction: what is recorded after it is held to it
		return nil
	})
	if err != nil {
		delete(l.entries, t)
		l.publish()
		return Entry{}, nil, fmt.Errorf("putting the freeze on record: %w", err)
	}
	l.next++
	e := k.Entry
	e.Reference = ev.Flow.ID
	return e, &ev, nil
}

// Thaw lets a target go on. When it returns that is on record and in force. It returns [ErrNotFrozen] if it was not frozen under
// this very name.
func (l *List) Thaw(ctx context.Context, t Target, reason string) (Entry, error) {
	if err := t.Check(); err != nil {
		return Entry{}, err
	}
	if !plain(reason, maxReason) {
		return Entry{}, ErrReason
	}
	e, ev, err := l.thaw(ctx, t, reason)
	if err == nil {
		l.tell()
		l.recorded(ev)
	}
	return e, err
}

func (l *List) thaw(ctx context.Context, t Target, reason string) (Entry, flow.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.entries[t]
	if k == nil {
		return Entry{}, flow.Event{}, ErrNotFrozen
	}
	e := k.Entry
	e.Until, e.Thawed = l.opt.Clock().UTC().Truncate(time.Millisecond), reason
	ev := l.event("thaw", "thawed: "+t.String())
	err := l.opt.DB.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Exec("UPDATE freeze_entries SET until = ?, thawed = ? WHERE id = ?", max(e.Until.UnixMilli(), 1), reason, k.id); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM freeze_entries WHERE until <> 0 AND id <= ?", l.next-1-mostPast); err != nil {
			return err
		}
		_, err := l.opt.Journal.Append(tx, ev, audit.Private{})
		return err
	})
	if err != nil {
		return Entry{}, flow.Event{}, fmt.Errorf("putting the thaw on record: %w", err)
	}
	delete(l.entries, t) // once it is durable, and not before: unsure is frozen
	l.publish()
	e.Reference = ev.Flow.ID
	return e, ev, nil
}

func (l *List) event(method, reason string) flow.Event {
	own := flow.Party{Domain: l.opt.Domain}
	return flow.Event{
		Time: l.opt.Clock(), Outcome: flow.Changed, Reason: reason,
		Flow: flow.Flow{ID: l.opt.FlowID(), From: own, To: own, Protocol: "admin", Method: method},
	}
}

func (l *List) recorded(ev flow.Event) {
	if l.opt.Event != nil {
		l.opt.Event(ev)
	}
}

// Count is how many freezes are in force.
func (l *List) Count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// All returns what is frozen, what was frozen last first.
func (l *List) All() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*kept, 0, len(l.entries))
	for _, k := range l.entries {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b *kept) int { return int(b.id - a.id) })
	all := make([]Entry, len(list))
	for i, k := range list {
		all[i] = k.Entry
	}
	return all
}

// Past returns the last freezes that are over, the newest first, at most so many.
func (l *List) Past(ctx context.Context, most int) (all []Entry, err error) {
	err = l.opt.DB.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT kind, name, domain, since, source, reason, until, thawed FROM freeze_entries WHERE until <> 0 ORDER BY id DESC LIMIT ?", most)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var e Entry
			var since, until int64
			if err := rows.Scan(&e.Kind, &e.Name, &e.Domain, &since, &e.Source, &e.Reason, &until, &e.Thawed); err != nil {
				return err
			}
			e.Since, e.Until = time.UnixMilli(since).UTC(), time.UnixMilli(until).UTC()
			all = append(all, e)
		}
		return rows.Err()
	})
	return all, err
}

// FreezeIn is [List.Freeze] in a transaction of a state that nobody has open yet. What it does is for the caller to put on record.
func FreezeIn(tx store.Tx, t Target, by Source, reason string, now time.Time) error {
	if err := t.Check(); err != nil {
		return err
	}
	const insert = `INSERT INTO freeze_entries (id, kind, name, domain, since, source, reason, until, thawed)
		SELECT COALESCE(MAX(id), 0) + 1, ?, ?, ?, ?, ?, ?, 0, '' FROM freeze_entries
		HAVING NOT EXISTS (SELECT 1 FROM freeze_entries WHERE until = 0 AND kind = ? AND name = ? AND domain = ?)`
	_, err := tx.Exec(insert, string(t.Kind), t.Name, string(t.Domain), now.UnixMilli(), string(by), reason, string(t.Kind), t.Name, string(t.Domain))
	if err != nil {
		return fmt.Errorf("freezing %s: %w", t, err)
	}
	return nil
}
