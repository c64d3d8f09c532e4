package vault

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// vaulted is a random token, whose value lies sealed in the store.
type vaulted struct {
	lookup  digest
	name    digest
	token   string
	subject flow.SubjectRef
	epoch   uint32
	sealed  []byte
	durable atomic.Bool
}

func (e *vaulted) settled() bool { return e.durable.Load() }

// record is what is sealed.
type record struct {
	Token     string `json:"token"`
	Value     []byte `json:"value,omitempty"`
	OneWay    bool   `json:"oneway,omitempty"` // no value, and no way back
	Format    bool   `json:"format,omitempty"` // the token has the value's own format
	Recipient string `json:"recipient"`
	Group     string `json:"group"`
	Label     string `json:"label"`
}

func (v *Vault) sealRecord(sc *scope, lookup digest, r record) ([]byte, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	key, err := v.secret(scopeKey{subject: sc.subject, epoch: sc.epoch}, sc.owner, modeVaulted, 32)
	if err != nil {
		return nil, err
	}
	return secretCipher(key, "record").Encrypt(plain, lookup[:])
}

func (v *Vault) openRecord(ref flow.SubjectRef, owner *subject, epoch uint32, lookup, sealed []byte) (record, error) {
	key, err := v.secret(scopeKey{subject: ref, epoch: epoch}, owner, modeVaulted, 32)
	if err != nil {
		return record{}, err
	}
	plain, err := secretCipher(key, "record").Decrypt(sealed, lookup)
	if err != nil {
		return record{}, ErrSealed
	}
	var r record
	if json.Unmarshal(plain, &r) != nil {
		return record{}, ErrSealed
	}
	return r, nil
}

// vaulted returns the random token of a value in the scope, drawing one at first use.
func (b *Batch) vaulted(ctx context.Context, sc *scope, lookup digest, value string) (string, error) {
	e, err := b.remembered(ctx, sc, lookup, func() (*vaulted, error) { return b.v.drawVaulted(sc, lookup, value) })
	if err != nil {
		return "", err
	}
	return e.token, nil
}

// remembered returns what is kept under the lookup, or draws it at first use.
func (b *Batch) remembered(ctx context.Context, sc *scope, lookup digest, draw func() (*vaulted, error)) (*vaulted, error) {
	v := b.v
	v.mayHold.Store(true)
	for {
		v.mu.Lock()
		e, ok := v.values.entries[lookup]
		gen := v.gen
		v.mu.Unlock()
		if ok {
			use(b.values, e)
			return e, nil
		}
		e, err := v.loadVaulted(ctx, sc, lookup)
		if errors.Is(err, sql.ErrNoRows) {
			e, err = draw()
		}
		if err != nil {
			return nil, fmt.Errorf("minting a token of %s: %w", sc.label, err)
		}
		v.mu.Lock()
		if v.gen == gen {
			e = v.values.add(lookup, e)
			v.mu.Unlock()
			use(b.values, e)
			return e, nil
		}
		v.mu.Unlock()
	}
}

func (v *Vault) drawVaulted(sc *scope, lookup digest, value string) (*vaulted, error) {
	payload := make([]byte, minPayload)
	_, _ = rand.Read(payload) // never fails
	e := &vaulted{lookup: lookup, token: tokenPrefix + encoding.EncodeToString(payload), subject: sc.subject, epoch: sc.epoch}
	e.name = keyedDigest(v.nameKey, e.token)
	r := record{Token: e.token, OneWay: sc.oneway, Recipient: sc.recipient, Group: sc.group, Label: sc.label}
	if !sc.oneway {
		r.Value = []byte(value)
	}
	var err error
	e.sealed, err = v.sealRecord(sc, lookup, r)
	return e, err
}

func (v *Vault) loadVaulted(ctx context.Context, sc *scope, lookup digest) (*vaulted, error) {
	e := &vaulted{lookup: lookup, subject: sc.subject, epoch: sc.epoch}
	var name []byte
	err := v.db.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT name, sealed FROM vault_values WHERE lookup = ?", lookup[:]).Scan(&name, &e.sealed)
	})
	if err != nil {
		return nil, err
	}
	r, err := v.openRecord(sc.subject, sc.owner, sc.epoch, lookup[:], e.sealed)
	if err != nil {
		return nil, err
	}
	e.token, e.name = r.Token, v.nameOf(r)
	if subtle.ConstantTimeCompare(name, e.name[:]) != 1 {
		return nil, ErrSealed
	}
	e.durable.Store(true)
	return e, nil
}

func (v *Vault) resolveVaulted(tx store.Tx, token string) (Opened, error) {
	return v.resolveNamed(tx, keyedDigest(v.nameKey, token), token)
}

func (v *Vault) resolveNamed(tx store.Tx, name digest, token string) (Opened, error) {
	var lookup, ref, sealed []byte
	var epoch int64
	err := tx.QueryRow("SELECT lookup, subject, epoch, sealed FROM vault_values WHERE name = ?", name[:]).Scan(&lookup, &ref, &epoch, &sealed)
	if err != nil || len(ref) != len(flow.SubjectRef{}) {
		return Opened{}, noToken(err)
	}
	k := scopeKey{subject: flow.SubjectRef(ref), epoch: uint32(epoch)}
	owner, err := v.ownerOf(tx, k.subject)
	if err != nil {
		return Opened{}, noToken(err)
	}
	r, err := v.openRecord(k.subject, owner, k.epoch, lookup, sealed)
	if err != nil {
		return Opened{}, noToken(err)
	}
	if r.OneWay || subtle.ConstantTimeCompare([]byte(r.Token), []byte(token)) != 1 {
		return Opened{}, ErrNoToken
	}
	k.recipient, k.group, k.label = r.Recipient, r.Group, r.Label
	return k.opened(string(r.Value)), nil
}
