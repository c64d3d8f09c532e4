package budget

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/scrimhq/scrim/store"
)

// Head is the end of this process's chain, as far as it is known to be durable. In [Options.Journal] it is the one that the entries
// go on from.
func (l *Ledger) Head() Head { return *l.tip.Load() }

// Heads are the ends of all chains, each signed. Whoever keeps them apart from the ledger and gives them to [Options.Witnessed] finds
// out that it was set back.
func (l *Ledger) Heads(ctx context.Context) (all []Head, err error) {
	err = l.db.View(ctx, func(tx store.Tx) error {
		all = nil
		rows, err := tx.Query("SELECT id, seq, hash, signer, signature FROM budget_writers ORDER BY id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var h Head
			var hash, signer, signature []byte
			if err := rows.Scan(&h.Writer, &h.Seq, &hash, &signer, &signature); err != nil {
				return err
			}
			if len(hash) != len(h.Hash) {
				return &Error{Rule: ErrChain, What: fmt.Sprintf("the head of chain %d is not readable", h.Writer)}
			}
			h.Hash = [32]byte(hash)
			if !l.trusts(signer) || !ed25519.Verify(signer, headText(h.Writer, h.Seq, h.Hash), signature) {
				return &Error{Rule: ErrSignature, What: fmt.Sprintf("the head of chain %d is not what was signed", h.Writer)}
			}
			all = append(all, h)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("reading the heads of the ledger: %w", err)
	}
	return all, nil
}
