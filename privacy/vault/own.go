package vault

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// ErrNoKey is the error of a subject that has no key: nothing was ever kept about it, or it was erased.
var ErrNoKey = errors.New("subject has no key")

func newSubjectKey(ref flow.SubjectRef, key []byte) *subject {
	return &subject{ref: ref, key: key, own: sync.OnceValue(func() cipher.AEAD {
		c, err := chacha20poly1305.NewX(fromSecret(key, chacha20poly1305.KeySize, "scrim own 1"))
		if err != nil {
			panic("vault: key size: " + err.Error())
		}
		return c
	})}
}

// Own is a subject's own key: what it sealed, nobody opens once the subject is erased.
type Own struct {
	opaque
	s *subject
}

// Own returns the keys of known subjects, drawing one for each that has none. They are written with the batch; if one of the subjects is erased before,
// [Batch.Flush] returns [ErrConflict], and what was sealed must not be kept.
func (b *Batch) Own(ctx context.Context, refs []flow.SubjectRef) ([]Own, error) {
	if b.done {
		return nil, ErrDone
	}
	if err := b.v.loadSubjects(ctx, refs); err != nil {
		return nil, err
	}
	all := make([]Own, len(refs))
	for i, ref := range refs {
		if !ref.Known() {
			return nil, ErrScope
		}
		s, err := b.v.subject(ctx, ref)
		if err != nil {
			return nil, err
		}
		use(b.owners, s)
		all[i].s = s
	}
	return all, nil
}

// Seal encrypts and authenticates plain, and authenticates ad: nonce (24 random bytes), ciphertext, tag (16).
func (o Own) Seal(plain, ad []byte) []byte {
	c := o.s.own()
	out := make([]byte, c.NonceSize(), c.NonceSize()+len(plain)+c.Overhead())
	_, _ = rand.Read(out) // never fails
	return c.Seal(out, out, plain, ad)
}

// Open opens what [Own.Seal] sealed for the same subject. It returns [ErrSealed] for anything else.
func (o Own) Open(sealed, ad []byte) ([]byte, error) {
	c := o.s.own()
	if len(sealed) < c.NonceSize() {
		return nil, ErrSealed
	}
	plain, err := c.Open(nil, sealed[:c.NonceSize()], sealed[c.NonceSize():], ad)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// Own returns the subject's own key as the store has it, to open with. It returns [ErrNoKey] if the subject has none.
func (v *Vault) Own(ctx context.Context, ref flow.SubjectRef) (Own, error) {
	var s *subject
	err := v.db.View(ctx, func(tx store.Tx) (err error) {
		s, err = v.readSubject(tx, ref)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Own{}, ErrNoKey
	}
	if err != nil {
		return Own{}, fmt.Errorf("loading a subject's key: %w", err)
	}
	return Own{s: s}, nil
}

// loadSubjects reads keys that are not in memory, all at once: a table may name a thousand subjects.
func (v *Vault) loadSubjects(ctx context.Context, refs []flow.SubjectRef) error {
	if len(refs) < 2 {
		return nil
	}
	v.mu.Lock()
	gen := v.gen
	var missing []flow.SubjectRef
	for _, ref := range refs {
		if _, ok := v.keyOf.entries[ref]; !ok && ref.Known() {
			missing = append(missing, ref)
		}
	}
	v.mu.Unlock()
	if len(missing) < 2 {
		return nil
	}
	found := make([]*subject, 0, len(missing))
	err := v.db.View(ctx, func(tx store.Tx) error {
		found = found[:0]
		for _, ref := range missing {
			s, err := v.readSubject(tx, ref)
			if errors.Is(err, sql.ErrNoRows) {
				s, err = v.newSubject(ref)
			}
			if err != nil {
				return err
			}
			found = append(found, s)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("loading subjects' keys: %w", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.gen == gen { // else one may have been erased while they were read
		for _, s := range found {
			v.keyOf.add(s.ref, s)
		}
	}
	return nil
}

// TracesOf returns random bytes of the rows that would be erased with a subject, by which copies of them are found in files: of the subject's key, without
// which nothing else can be read, and of vaulted values.
func TracesOf(tx store.Tx, ref flow.SubjectRef) (traces [][]byte, err error) {
	for _, c := range []struct {
		query string
		at    int // where the nonce begins
	}{{"SELECT sealed FROM vault_subjects WHERE subject = ?", 5}, {"SELECT sealed FROM vault_values WHERE subject = ?", 0}} {
		rows, err := tx.Query(c.query, ref[:])
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var sealed []byte
			if err := rows.Scan(&sealed); err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			if len(sealed) >= c.at+16 {
				traces = append(traces, sealed[c.at:c.at+16:c.at+16])
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return traces, nil
}
