package vault

import (
	"context"
	"fmt"

	"github.com/scrimhq/scrim/store"
)

// issueKey is what the daily cap counts by.
type issueKey struct {
	day              int64 // since 1970, UTC
	recipient, label string
}

// issueSet is the distinct tokens of a day: true where the store is known to have it.
type issueSet struct{ tokens map[digest]bool }

// issue is one token of a day.
type issue struct {
	issueKey
	digest digest
}

func (v *Vault) day() int64 { return v.now().Unix() / 86400 }

// count adds a token to today's, and returns [ErrTokenCap] if it would be one too many. What a discarded batch
// added stays counted until the process ends or the day does: rather too strict than too lax.
func (b *Batch) count(ctx context.Context, sc *scope, lookup digest) error {
	key := issueKey{b.v.day(), sc.recipient, sc.label}
	set, err := b.v.issuedOn(ctx, key)
	if err != nil {
		return err
	}
	b.v.mu.Lock()
	defer b.v.mu.Unlock()
	durable, ok := set.tokens[lookup]
	if !ok {
		if len(set.tokens) >= b.v.opt.DailyTokens {
			return fmt.Errorf("%s for %s: %w", sc.label, sc.recipient, ErrTokenCap)
		}
		set.tokens[lookup] = false
	}
	if !durable {
		use(b.issues, issue{key, lookup})
	}
	return nil
}

// issuedOn returns the day's set, reading it from the store at first use, and forgets other days.
func (v *Vault) issuedOn(ctx context.Context, key issueKey) (*issueSet, error) {
	v.mu.Lock()
	set, ok := v.issued[key]
	v.mu.Unlock()
	if ok {
		return set, nil
	}
	set = &issueSet{tokens: make(map[digest]bool)}
	err := v.db.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT digest FROM vault_issued WHERE day = ? AND recipient = ? AND label = ?", key.day, key.recipient, key.label)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d []byte
			if err := rows.Scan(&d); err != nil {
				return err
			}
			if len(d) == len(digest{}) {
				set.tokens[digest(d)] = true
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("counting the tokens of %s: %w", key.label, err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if other, ok := v.issued[key]; ok {
		return other, nil
	}
	for k := range v.issued {
		if k.day < key.day-1 {
			delete(v.issued, k)
		}
	}
	v.issued[key] = set
	return set, nil
}
