package run

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var headMigrations embed.FS

func headsSchema() store.Schema {
	return store.Schema{Name: "run/budget-heads", FS: headMigrations}
}

// heads keeps the ends of a shared ledger's chains in the gateway's own state, so that a ledger that is older than they are is
// refused. Only what is known to be durable is kept: a head of a transaction that was undone would have the ledger refused for nothing.
type heads struct {
	db  store.DB
	log *audit.Log
	own flow.DomainID

	told time.Time // when a head was last put on record; the ledger's goroutine alone uses it until it has ended
}

// headsEvery is how seldom a head goes into the journal while charges are made.
const headsEvery = time.Minute

// open opens a ledger that came by all heads that are known, or one that configuration accepts although it did not.
func (h *heads) open(ctx context.Context, db store.DB, how budget.Options, accept []string) (*budget.Ledger, error) {
	known, err := h.known(ctx)
	if err != nil {
		return nil, err
	}
	how.Witnessed = known
	l, err := budget.Open(ctx, db, how)
	accepted := false
	if errors.Is(err, budget.ErrRollback) {
		sum := headsDigest(known)
		if !slices.Contains(accept, sum) {
			return nil, fmt.Errorf("the shared ledger of budgets was set back, or is another one: what was spent since would be there again. "+
				"Bring back its newest copy. If there is none, lower the plans of all its datasets by what it forgot, which this gateway's journal "+
				"has, and then name %s under budgets.accept: %w", sum, err)
		}
		how.Witnessed, accepted = nil, true
		l, err = budget.Open(ctx, db, how)
	}
	if err != nil {
		return nil, err
	}
	all, err := l.Heads(ctx)
	if err == nil {
		err = h.db.Update(ctx, func(tx store.Tx) error {
			if accepted {
				if err := h.tell(tx, "set back ledger accepted, digest "+headsDigest(known)); err != nil {
					return err
				}
				if _, err := tx.Exec("DELETE FROM run_budget_heads"); err != nil {
					return err
				}
			}
			return keepHeads(tx, all)
		})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keeping the heads of the shared ledger: %w", err), l.Close(ctx))
	}
	return l, nil
}

// known are the heads that the ledger must have come by.
func (h *heads) known(ctx context.Context) (all []budget.Head, err error) {
	err = h.db.View(ctx, func(tx store.Tx) error {
		all = nil
		rows, err := tx.Query("SELECT chain, seq, hash FROM run_budget_heads ORDER BY chain")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var one budget.Head
			var hash []byte
			if err := rows.Scan(&one.Writer, &one.Seq, &hash); err != nil {
				return err
			}
			if len(hash) != len(one.Hash) {
				return fmt.Errorf("the head of chain %d is not readable", one.Writer)
			}
			one.Hash = [32]byte(hash)
			all = append(all, one)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("reading the heads that the shared ledger came by: %w", err)
	}
	return all, nil
}

// follow keeps the head that a transaction of the ledger goes on from, and now and then puts it on record.
func (h *heads) follow(tx store.Tx, end budget.Head) error {
	if end.Seq == 0 {
		return nil
	}
	if err := keepHeads(tx, []budget.Head{end}); err != nil {
		return err
	}
	if time.Since(h.told) < headsEvery {
		return nil
	}
	h.told = time.Now()
	return h.tell(tx, headText(end))
}

// last keeps all heads of a ledger that was closed, and puts its own on record.
func (h *heads) last(ctx context.Context, l *budget.Ledger) error {
	all, err := l.Heads(ctx)
	if err == nil {
		err = h.db.Update(ctx, func(tx store.Tx) error {
			if err := keepHeads(tx, all); err != nil || l.Head().Seq == 0 {
				return err
			}
			return h.tell(tx, headText(l.Head()))
		})
	}
	if err != nil {
		return fmt.Errorf("keeping the heads of the shared ledger: %w", err)
	}
	return nil
}

func (h *heads) tell(tx store.Tx, what string) error {
	_, err := h.log.Append(tx, flow.Event{
		Time: time.Now().UTC(), Outcome: flow.Budgeted, Reason: what,
		Flow: flow.Flow{ID: gateway.NewFlowID(), From: flow.Party{Domain: h.own}, To: flow.Party{Domain: h.own}, Protocol: "budget", Method: "head"},
	}, audit.Private{})
	return err
}

func headText(h budget.Head) string {
	return fmt.Sprintf("shared ledger, chain %d, entry %d, %x", h.Writer, h.Seq, h.Hash)
}

// keepHeads keeps what is newer than what is there.
func keepHeads(tx store.Tx, all []budget.Head) error {
	for i := range all {
		const newer = `INSERT INTO run_budget_heads (chain, seq, hash) VALUES (?, ?, ?)
			ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash WHERE run_budget_heads.seq < excluded.seq`
		if all[i].Seq == 0 {
			continue
		}
		if _, err := tx.Exec(newer, all[i].Writer, all[i].Seq, all[i].Hash[:]); err != nil {
			return err
		}
	}
	return nil
}

// headsDigest names a set of heads, in the order of their chains.
func headsDigest(all []budget.Head) string {
	h := sha256.New()
	h.Write([]byte("scrim budget heads v1\x00"))
	for i := range all {
		var n [16]byte
		binary.BigEndian.PutUint64(n[:8], uint64(all[i].Writer))
		binary.BigEndian.PutUint64(n[8:], uint64(all[i].Seq))
		h.Write(n[:])
		h.Write(all[i].Hash[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
