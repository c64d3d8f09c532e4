package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// BulkScope says for whom, why and as what the tokens of a column are minted.
type BulkScope struct {
	Recipient flow.DomainID
	Group     string     // purpose group
	Class     flow.Class // below 32 bits tokens are random and vaulted, not derived
	Unit      string     // what the subject column is called where subjects have keys of their own; "": tokens die with their epoch alone
}

// Bulk mints the reversible tokens of one column of a table. They are like those of [Batch.Token]: one value has one token
// within the scope, [Vault.Resolve] opens them, and they die with epoch and subject. It is safe for concurrent use.
//
// Values are not counted against the daily cap: that is for recipients who ask again and again, and a table is one decision.
// What a token needs to be opened is written some thousands at a time; [Bulk.Flush] writes the rest. Nothing minted may
// leave before Flush has returned.
type Bulk struct {
	opaque
	v     *Vault
	ctx   context.Context
	scope Scope
	unit  string
	whole *scope // of all values, where subjects have no keys

	mu     sync.Mutex // guards the fields below; held while writing
	batch  *Batch
	failed error
}

// maxPending is how many subjects, handles and values wait to be written: fewer than the caches keep.
const maxPending = 4096

// Bulk returns what mints for one column in the present epoch. The context holds for all it does. It returns [ErrScope].
func (v *Vault) Bulk(ctx context.Context, s BulkScope) (*Bulk, error) {
	if s.Recipient == "" || s.Class.Label == "" {
		return nil, ErrScope
	}
	b := &Bulk{v: v, ctx: ctx, unit: s.Unit, batch: v.Begin()}
	b.scope = Scope{Recipient: s.Recipient, Group: s.Group, Class: s.Class, Origin: flow.Catalogued, Param: flow.TokenReversible}
	if s.Unit == "" {
		var err error
		if b.whole, err = v.scope(ctx, b.scope); err != nil {
			return nil, err
		}
		use(b.batch.scopes, b.whole)
	}
	return b, nil
}

// Token appends the value's token. Where subjects have keys of their own, a value without a subject is [ErrScope]: it could not be erased
// with the others. Other errors: [ErrTooLong], [ErrConflict] if a subject was erased meanwhile, so that the table must be made anew.
func (b *Bulk) Token(dst, value, subject []byte) ([]byte, error) {
	if len(value) > maxValue {
		return dst, ErrTooLong
	}
	sc := b.whole
	if sc == nil {
		if len(subject) == 0 {
			return dst, ErrScope
		}
		s := b.scope
		s.Subject = b.v.Subject(b.unit, string(subject))
		var err error
		if sc, err = b.v.scope(b.ctx, s); err != nil {
			return dst, err
		}
		if err := b.stage(sc); err != nil {
			return dst, err
		}
	}
	if b.scope.Class.Bits < minBits || len(value) > maxDerived {
		token, err := b.vaulted(sc, string(value))
		if err != nil {
			return dst, err
		}
		return append(dst, token...), nil
	}
	return b.v.appendDerived(dst, sc, value)
}

// stage notes what has to be written for the scope, and writes when enough has come together.
func (b *Bulk) stage(sc *scope) error {
	if sc.durable.Load() && sc.owner.durable.Load() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed != nil {
		return b.failed
	}
	use(b.batch.owners, sc.owner)
	use(b.batch.scopes, sc)
	return b.writeIf(maxPending)
}

// vaulted returns the random token of a value. One goroutine at a time draws.
func (b *Bulk) vaulted(sc *scope, value string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed != nil {
		return "", b.failed
	}
	token, err := b.batch.vaulted(b.ctx, sc, keyedDigest(sc.lookup, value), value)
	if err != nil {
		return "", err
	}
	return token, b.writeIf(maxPending)
}

// writeIf writes what waits if it is so many. The caller holds b.mu.
func (b *Bulk) writeIf(pending int) error {
	if len(b.batch.owners)+len(b.batch.scopes)+len(b.batch.values) < pending {
		return nil
	}
	err := b.v.db.Update(b.ctx, func(tx store.Tx) error { return b.batch.Flush(tx) })
	if err != nil {
		b.batch.Discard()
		b.failed = fmt.Errorf("writing what tokens of %s need: %w", b.scope.Class.Label, err)
		if errors.Is(err, ErrConflict) {
			b.failed = ErrConflict
		}
		return b.failed
	}
	b.batch.Keep()
	b.batch = b.v.Begin()
	return nil
}

// Flush returns when everything that the tokens minted so far need is durable. It may be called again.
func (b *Bulk) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed != nil {
		return b.failed
	}
	return b.writeIf(0)
}
