package vault

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/daead/subtle"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Scope says for whom, why and as what a stand-in is minted. Two values have joinable tokens only within one scope.
type Scope struct {
	Recipient flow.DomainID
	Group     string          // purpose group
	Class     flow.Class      // its label enters the key; below 32 bits the token is random and vaulted, not derived
	Origin    flow.Origin     // only Catalogued can have a token; the zero value, Supplied, gets a surrogate
	Subject   flow.SubjectRef // unknown: the token can be erased only with its epoch
	Param     flow.Param      // format, reversible or oneway; anything else gets a surrogate
	Task      flow.TaskID     // for surrogates
	Supplier  flow.AgentID    // who sent the value: remembered with a surrogate
}

// token reports whether the scope allows a token at all. Nothing found in text or supplied by an agent may have one.
func (s Scope) token() bool {
	return s.Origin == flow.Catalogued && (s.Param == flow.TokenReversible || s.Param == flow.TokenOneWay || s.Param == flow.TokenFormat)
}

// modes enter keys, so that tokens of two kinds are not joinable.
const (
	modeReversible = "reversible"
	modeOneWay     = "oneway"
	modeLookup     = "lookup reversible"
	modeLookupOne  = "lookup oneway"
	modeVaulted    = "vaulted"
)

type scopeKey struct {
	subject          flow.SubjectRef
	recipient, group string
	label            string
	epoch            uint32
	oneway           bool
}

// parts are the purpose of a key of the scope.
func (k scopeKey) parts(domain flow.DomainID, mode string) []string {
	return []string{"scrim token key 1", string(domain), k.recipient, k.group, k.label, epochName(k.epoch), mode}
}

// subject is the own key of a known subject.
type subject struct {
	ref     flow.SubjectRef
	kid     [8]byte
	key     []byte
	sealed  []byte
	durable atomic.Bool
	own     func() cipher.AEAD // for what else is kept about the subject; see [Batch.Own]
}

func (s *subject) settled() bool { return s.durable.Load() }

// scope is what tokens of one scope are made with.
type scope struct {
	scopeKey
	owner   *subject // nil: unknown
	handle  [16]byte // reversible only
	lookup  []byte
	derive  []byte         // oneway
	siv     *subtle.AESSIV // reversible
	ad      []byte
	durable atomic.Bool
}

func (s *scope) settled() bool { return s.durable.Load() }

// secret derives a key of the scope from the subject's own key, or from the epoch's root where the subject is unknown.
func (v *Vault) secret(k scopeKey, owner *subject, mode string, size int) ([]byte, error) {
	if owner != nil {
		return fromSecret(owner.key, size, k.parts(v.opt.Domain, mode)...), nil
	}
	return v.keys.forEpoch(k.epoch, size, k.parts(v.opt.Domain, mode)...)
}

// subject returns the subject's own key: from memory, from the store, or a new one that is durable once a batch that uses it is.
func (v *Vault) subject(ctx context.Context, ref flow.SubjectRef) (*subject, error) {
	for {
		v.mu.Lock()
		s, ok := v.keyOf.entries[ref]
		gen := v.gen
		v.mu.Unlock()
		if ok {
			return s, nil
		}
		err := v.db.View(ctx, func(tx store.Tx) (err error) {
			s, err = v.readSubject(tx, ref)
			return err
		})
		if errors.Is(err, sql.ErrNoRows) {
			s, err = v.newSubject(ref)
		}
		if err != nil {
			return nil, fmt.Errorf("loading a subject's key: %w", err)
		}
		v.mu.Lock()
		if v.gen == gen { // else the key may have been erased while it was read
			s = v.keyOf.add(ref, s)
			v.mu.Unlock()
			return s, nil
		}
		v.mu.Unlock()
	}
}

func (v *Vault) newSubject(ref flow.SubjectRef) (*subject, error) {
	s := newSubjectKey(ref, newSecret())
	_, _ = rand.Read(s.kid[:]) // never fails
	var err error
	s.sealed, err = v.subjects.Seal(s.key, ref[:])
	return s, err
}

func (v *Vault) readSubject(tx store.Tx, ref flow.SubjectRef) (*subject, error) {
	var kid, sealed []byte
	if err := tx.QueryRow("SELECT kid, sealed FROM vault_subjects WHERE subject = ?", ref[:]).Scan(&kid, &sealed); err != nil {
		return nil, err
	}
	key, err := v.subjects.Open(sealed, ref[:])
	if err != nil || len(kid) != 8 {
		return nil, ErrSealed
	}
	s := newSubjectKey(ref, key)
	s.kid, s.sealed = [8]byte(kid), sealed
	s.durable.Store(true)
	return s, nil
}

// scope returns what tokens of the scope are made with in the present epoch.
func (v *Vault) scope(ctx context.Context, s Scope) (*scope, error) {
	key := scopeKey{s.Subject, string(s.Recipient), s.Group, string(s.Class.Label), v.keys.primary(), s.Param == flow.TokenOneWay}
	for {
		v.mu.Lock()
		sc, ok := v.scopes.entries[key]
		gen := v.gen
		v.mu.Unlock()
		if ok {
			return sc, nil
		}
		sc = &scope{scopeKey: key}
		if s.Subject.Known() {
			owner, err := v.subject(ctx, s.Subject)
			if err != nil {
				return nil, err
			}
			sc.owner = owner
		}
		if err := v.fill(ctx, sc); err != nil {
			return nil, fmt.Errorf("deriving the keys of %s: %w", s.Class.Label, err)
		}
		v.mu.Lock()
		if v.gen == gen {
			sc = v.scopes.add(key, sc)
			v.mu.Unlock()
			return sc, nil
		}
		v.mu.Unlock()
	}
}

// fill derives the scope's keys and finds its handle or draws one.
func (v *Vault) fill(ctx context.Context, sc *scope) (err error) {
	lookup := modeLookup
	if sc.oneway {
		lookup = modeLookupOne
	}
	if sc.lookup, err = v.secret(sc.scopeKey, sc.owner, lookup, 32); err != nil {
		return err
	}
	if sc.oneway {
		sc.durable.Store(true) // it has no row
		sc.derive, err = v.secret(sc.scopeKey, sc.owner, modeOneWay, 64)
		return err
	}
	err = v.db.View(ctx, func(tx store.Tx) error {
		h, err := readHandle(tx, sc.scopeKey)
		if err == nil {
			sc.handle = h
			sc.durable.Store(true)
		}
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		_, _ = rand.Read(sc.handle[:]) // never fails
		err = nil
	}
	if err != nil {
		return err
	}
	sc.siv, err = v.siv(sc.scopeKey, sc.owner)
	sc.ad = v.associated(sc.scopeKey, sc.handle)
	return err
}

func (v *Vault) siv(k scopeKey, owner *subject) (*subtle.AESSIV, error) {
	key, err := v.secret(k, owner, modeReversible, subtle.AESSIVKeySize)
	if err != nil {
		return nil, err
	}
	return subtle.NewAESSIV(key)
}

// associated binds a token to recipient, group, label and handle.
func (v *Vault) associated(k scopeKey, handle [16]byte) []byte {
	return info("scrim token 1", string(v.opt.Domain), k.recipient, k.group, k.label, string(handle[:]))
}

func readHandle(tx store.Tx, k scopeKey) ([16]byte, error) {
	var h []byte
	err := tx.QueryRow("SELECT handle FROM vault_handles WHERE subject = ? AND recipient = ? AND grp = ? AND label = ? AND epoch = ?",
		k.subject[:], k.recipient, k.group, k.label, int64(k.epoch)).Scan(&h)
	if err == nil && len(h) != 16 {
		err = ErrSealed
	}
	if err != nil {
		return [16]byte{}, err
	}
	return [16]byte(h), nil
}
