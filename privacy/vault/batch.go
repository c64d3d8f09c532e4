package vault

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Batch stages the writes of one message, to be flushed in the transaction that records the message.
//
//   - Call Discard when done, whatever happened; after Keep it does nothing, so it can be deferred.
//   - Call Flush within the transaction, before anything that holds the batch's stand-ins leaves.
//   - Call Keep once the transaction is durable.
//
// On [ErrConflict] from Flush discard the batch and change the message anew with another one.
//
// Token and Task may read the store, so they are not for use inside a transaction. A batch is used by one goroutine; any number may be open at once, on one task, too: all see what the others
// minted, and each writes whatever it used that is not known to be durable. So a batch that fails takes nothing from another,
// and nothing is held over a transaction.
type Batch struct {
	opaque
	v        *Vault
	erasures int64 // as known when the batch began
	done     bool
	conflict bool

	// What was used; true once flushed.
	owners map[*subject]bool
	scopes map[*scope]bool
	values map[*vaulted]bool
	issues map[issue]bool
	tasks  map[*taskState]*Task

	seen int64 // erasures, as Flush read it
}

// use stages what is not staged yet.
func use[K comparable](staged map[K]bool, k K) {
	if !staged[k] {
		staged[k] = false
	}
}

// Begin returns an empty batch.
func (v *Vault) Begin() *Batch {
	v.mu.Lock()
	defer v.mu.Unlock()
	return &Batch{
		v: v, erasures: v.erasures, seen: v.erasures,
		owners: map[*subject]bool{}, scopes: map[*scope]bool{}, values: map[*vaulted]bool{},
		issues: map[issue]bool{}, tasks: map[*taskState]*Task{},
	}
}

// Flush writes what the batch used and the store may not have yet. It may be called again if the transaction is tried again.
//
// It returns [ErrConflict] if a subject was erased, a task forgotten or another process was faster; the transaction must then fail.
func (b *Batch) Flush(tx store.Tx) error {
	if b.done {
		return ErrDone
	}
	for _, step := range []func(store.Tx) error{b.flushSubjects, b.flushScopes, b.flushValues, b.flushIssues, b.flushTasks} {
		if err := step(tx); err != nil {
			if errors.Is(err, ErrConflict) {
				b.conflict = true
				return ErrConflict
			}
			return fmt.Errorf("writing the vault's part of a message: %w", err)
		}
	}
	return nil
}

func (b *Batch) flushSubjects(tx store.Tx) error {
	if len(b.owners) == 0 {
		return nil
	}
	n, err := erasures(tx)
	if err != nil {
		return err
	}
	b.seen = n
	// Since the batch began somebody was erased: no key may be written anew, and each must still be there.
	strict := n != b.erasures
	for s := range b.owners {
		b.owners[s] = true
		if !strict && s.durable.Load() {
			continue
		}
		if !strict {
			rows, err := tx.Exec("INSERT INTO vault_subjects (subject, kid, sealed) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", s.ref[:], s.kid[:], s.sealed)
			if err != nil {
				return err
			}
			if rows == 1 {
				continue
			}
		}
		if err := sameBlob(tx, s.kid[:], "SELECT kid FROM vault_subjects WHERE subject = ?", s.ref[:]); err != nil {
			return err
		}
	}
	return nil
}

func (b *Batch) flushScopes(tx store.Tx) error {
	for sc := range b.scopes {
		b.scopes[sc] = true
		if sc.durable.Load() {
			continue
		}
		rows, err := tx.Exec("INSERT INTO vault_handles (handle, subject, recipient, grp, label, epoch) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			sc.handle[:], sc.subject[:], sc.recipient, sc.group, sc.label, int64(sc.epoch))
		if err != nil {
			return err
		}
		if rows == 1 {
			continue
		}
		if h, err := readHandle(tx, sc.scopeKey); errors.Is(err, sql.ErrNoRows) || err == nil && h != sc.handle {
			return ErrConflict
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (b *Batch) flushValues(tx store.Tx) error {
	for e := range b.values {
		b.values[e] = true
		if e.durable.Load() {
			continue
		}
		rows, err := tx.Exec("INSERT INTO vault_values (lookup, name, subject, epoch, sealed) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			e.lookup[:], e.name[:], e.subject[:], int64(e.epoch), e.sealed)
		if err != nil {
			return err
		}
		if rows == 1 {
			continue
		}
		if err := sameBlob(tx, e.name[:], "SELECT name FROM vault_values WHERE lookup = ?", e.lookup[:]); err != nil {
			return err
		}
	}
	return nil
}

func (b *Batch) flushIssues(tx store.Tx) error {
	for i := range b.issues {
		b.issues[i] = true
		if _, err := tx.Exec("INSERT INTO vault_issued (day, recipient, label, digest) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
			i.day, i.recipient, i.label, i.digest[:]); err != nil {
			return err
		}
	}
	return nil
}

// sameBlob returns [ErrConflict] unless the query's one value is want.
func sameBlob(tx store.Tx, want []byte, query string, args ...any) error {
	var got []byte
	err := tx.QueryRow(query, args...).Scan(&got)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !bytes.Equal(got, want) {
		return ErrConflict
	}
	return err
}

func erasures(tx store.Tx) (n int64, err error) {
	err = tx.QueryRow("SELECT erasures FROM vault_state WHERE id = 1").Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// Keep says that the transaction in which the batch was flushed is durable. What was used
// after the last Flush is not kept. Without Keep nothing is lost; later batches write the same rows again.
func (b *Batch) Keep() {
	if b.done {
		return
	}
	b.done = true
	for s, flushed := range b.owners {
		if flushed {
			s.durable.Store(true)
		}
	}
	for sc, flushed := range b.scopes {
		if flushed {
			sc.durable.Store(true)
		}
	}
	for e, flushed := range b.values {
		if flushed {
			e.durable.Store(true)
		}
	}
	for _, t := range b.tasks {
		t.kept()
	}
	b.v.mu.Lock()
	defer b.v.mu.Unlock()
	for i, flushed := range b.issues {
		if set, ok := b.v.issued[i.issueKey]; ok && flushed {
			set.tokens[i.digest] = true
		}
	}
	b.catchUp()
}

// Discard ends a batch whose transaction failed or was not tried. After Keep it does nothing.
//
// What it minted stays in memory, since another batch may be using it, and is written by the batch that next does.
// After a conflict what the batch used is read again from the store.
func (b *Batch) Discard() {
	if b.done {
		return
	}
	b.done = true
	v := b.v
	v.mu.Lock()
	defer v.mu.Unlock()
	b.catchUp()
	if !b.conflict {
		return
	}
	v.gen++
	for s := range b.owners {
		v.evictSubject(s.ref)
	}
	for sc := range b.scopes {
		delete(v.scopes.entries, sc.scopeKey)
	}
	for e := range b.values {
		delete(v.values.entries, e.lookup)
	}
	for t := range b.tasks {
		if v.memory.entries[t.id] == t {
			delete(v.memory.entries, t.id)
		}
	}
}

// catchUp forgets all subjects if somebody else erased one. The caller holds v.mu.
func (b *Batch) catchUp() {
	v := b.v
	if b.seen <= v.erasures {
		return
	}
	v.gen++
	v.erasures = b.seen
	clear(v.keyOf.entries)
	clear(v.scopes.entries)
	clear(v.values.entries)
}

// evictSubject forgets all that depends on the subject's key. The caller holds v.mu.
func (v *Vault) evictSubject(ref flow.SubjectRef) {
	delete(v.keyOf.entries, ref)
	for k := range v.scopes.entries {
		if k.subject == ref {
			delete(v.scopes.entries, k)
		}
	}
	for k, e := range v.values.entries {
		if e.subject == ref {
			delete(v.values.entries, k)
		}
	}
}
