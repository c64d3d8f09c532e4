package exposure

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// load reads what is held about the subjects that have not been read yet.
func (l *Look) load(ctx context.Context) error {
	m, missing := l.m, 0
	day := addedKey{l.audience, l.to.Agent, l.day}
	m.mu.Lock()
	if !l.begun {
		l.removals, l.begun = m.removals, true
	}
	ok := l.removals == m.removals
	if ok {
		for _, s := range l.about {
			if s.was == nil {
				key := entryKey{l.audience, s.ref}
				if s.was = m.entries[key]; s.was == nil && m.absent(key) {
					s.was = nothing
				}
				if s.was == nil {
					missing++
				}
			}
		}
		var have bool
		if l.added, have = m.added[day]; !have {
			missing++
		}
	}
	m.mu.Unlock()
	if !ok {
		return vault.ErrConflict // something was forgotten while this look was on its way
	}
	if missing == 0 {
		l.unexpired()
		return nil
	}
	var got []*subject
	err := m.db.View(ctx, func(tx store.Tx) error {
		n, err := removals(tx)
		if err != nil {
			return err
		}
		if n != l.removals {
			m.stale(l, n)
			return vault.ErrConflict
		}
		if l.added, err = readAdded(tx, day); err != nil {
			return err
		}
		for _, s := range l.about {
			if s.was != nil {
				continue
			}
			if s.was, err = readEntry(tx, l.audience, s.ref, s.task); err != nil {
				return err
			}
			got = append(got, s)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading what %s holds: %w", l.audience, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.removals == l.removals {
		for _, s := range got {
			m.put(entryKey{l.audience, s.ref}, s.was)
		}
		if len(m.added) > cached {
			clear(m.added)
		}
		m.added[day] = max(m.added[day], l.added)
	}
	l.unexpired()
	return nil
}

// unexpired makes of what has expired what was never there, but for its version.
func (l *Look) unexpired() {
	now := l.m.now().Unix()
	for _, s := range l.about {
		if s.was.version > 0 && s.was.expires <= now {
			s.was = &entry{version: s.was.version, members: s.was.members, crowd: s.was.crowd}
		}
	}
}

// put remembers an entry, and forgets an eighth of all where there are too many. The caller holds m.mu.
func (m *Memory) put(k entryKey, e *entry) {
	if len(m.entries) >= cached {
		drop := cached / 8
		for old := range m.entries {
			if drop--; drop < 0 {
				break
			}
			delete(m.entries, old)
		}
	}
	if e.version > 0 {
		m.heldBy(k)
	}
	if old := m.entries[k]; old == nil || old.version <= e.version {
		m.entries[k] = e
	}
}

func readEntry(tx store.Tx, a Audience, ref flow.SubjectRef, task bool) (*entry, error) {
	e := &entry{}
	var held []byte
	err := tx.QueryRow("SELECT version, expires, held FROM exposure_held WHERE audience = ? AND subject = ?", string(a), ref[:]).Scan(&e.version, &e.expires, &held)
	if errors.Is(err, sql.ErrNoRows) {
		return e, nil
	}
	if err != nil {
		return nil, err
	}
	if e.facts, err = decodeHeld(held); err != nil {
		return nil, err
	}
	if task {
		e.members, err = readMembers(tx, a, ref)
		all := len(e.members)
		e.members = slices.DeleteFunc(e.members, func(m flow.SubjectRef) bool { return m == crowd })
		e.crowd = len(e.members) < all
	}
	return e, err
}

func readMembers(tx store.Tx, a Audience, task flow.SubjectRef) (out []flow.SubjectRef, err error) {
	rows, err := tx.Query("SELECT subject FROM exposure_tasks WHERE audience = ? AND task = ? ORDER BY subject", string(a), task[:])
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, err
		}
		if len(b) != len(flow.SubjectRef{}) {
			return nil, errHeld
		}
		out = append(out, flow.SubjectRef(b))
	}
	return out, rows.Err()
}

func readAdded(tx store.Tx, k addedKey) (n int64, err error) {
	err = tx.QueryRow("SELECT facts FROM exposure_added WHERE audience = ? AND agent = ? AND day = ?", string(k.audience), string(k.agent), k.day).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// write writes what is held about one subject from now on, if that is other than before.
func (l *Look) write(tx store.Tx, s *subject, now int64) error {
	if s.passing {
		return nil
	}
	life := l.s.keep()
	if s.task {
		life = l.s.taskLife()
	}
	expires := now + int64(life.Seconds())
	fresh := l.count(s)
	touched := len(s.items) > 0 && s.was.version > 0 && s.was.expires < expires-int64(life.Seconds())/100-60
	if fresh == 0 && !s.link && len(s.joins) == 0 && !s.crowd && !touched {
		return nil
	}
	facts := s.base
	if fresh > 0 {
		facts = s.with()
	}
	if len(facts) > maxFacts { // only where nothing is enforced
		facts = facts[:maxFacts]
	}
	if !s.task {
		l.fresh += fresh
	}
	next := &entry{version: s.was.version + 1, expires: max(expires, s.was.expires), facts: slices.Clip(facts), members: s.was.members, crowd: s.was.crowd || s.crowd}
	held := appendHeld(make([]byte, 0, 16+64*len(facts)), facts)
	rows, err := int64(0), error(nil)
	if s.was.version == 0 {
		rows, err = tx.Exec("INSERT INTO exposure_held (audience, subject, version, expires, facts, held) VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT DO NOTHING",
			string(l.audience), s.ref[:], next.expires, int64(len(facts)), held)
	} else {
		rows, err = tx.Exec("UPDATE exposure_held SET version = version + 1, expires = ?, facts = ?, held = ? WHERE audience = ? AND subject = ? AND version = ?",
			next.expires, int64(len(facts)), held, string(l.audience), s.ref[:], s.was.version)
	}
	if err != nil {
		return err
	}
	if rows != 1 {
		l.m.forgetEntry(entryKey{l.audience, s.ref})
		return vault.ErrConflict
	}
	joins := s.joins
	if s.crowd {
		joins = append(slices.Clip(joins), crowd)
	}
	for _, ref := range joins {
		if _, err := tx.Exec("INSERT INTO exposure_tasks (audience, task, subject) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", string(l.audience), s.ref[:], ref[:]); err != nil {
			return err
		}
	}
	next.members = append(slices.Clip(next.members), s.joins...)
	s.next = next
	return nil
}

// charge counts what the agent added.
func (l *Look) charge(tx store.Tx) error {
	if l.fresh == 0 {
		return nil
	}
	var sum int64
	err := tx.QueryRow("INSERT INTO exposure_added (audience, agent, day, facts) VALUES (?, ?, ?, ?) ON CONFLICT (audience, agent, day) DO UPDATE SET facts = exposure_added.facts + ? RETURNING facts",
		string(l.audience), string(l.to.Agent), l.day, l.fresh, l.fresh).Scan(&sum)
	if err != nil {
		return err
	}
	if !l.s.Observe && sum > l.s.daily() {
		l.m.mu.Lock()
		delete(l.m.added, addedKey{l.audience, l.to.Agent, l.day})
		l.m.mu.Unlock()
		return vault.ErrConflict
	}
	return nil
}

func (m *Memory) forgetEntry(k entryKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, k)
	m.heldBy(k) // or it would be taken for one of whom nothing is held again
}

// stale makes later looks read anew.
func (m *Memory) stale(l *Look, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp(n)
}

func (m *Memory) keep(l *Look) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.removals != l.removals {
		return
	}
	for _, s := range l.about {
		if s.next != nil {
			m.put(entryKey{l.audience, s.ref}, s.next)
		}
	}
	if l.fresh > 0 {
		m.added[addedKey{l.audience, l.to.Agent, l.day}] += l.fresh
	}
}
