package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/store"
)

// Charge takes uses and cost from every token of the chain that limits them and names this domain to count, and makes it
// durable that the proof was taken. It belongs in the transaction that records the flow; if it returns an error, that
// transaction's closure must return one too, so that nothing is charged.
//
// Limits that another domain counts are left alone: the caller may let such a flow pass towards that domain only. The
// proof must have been claimed, and Charge may be called again for it when the transaction before was undone. A zero
// proof stands for none, as for the later parts of a stream; a nil chain has nothing to charge.
//
// Errors to act on: [ErrSpent], [ErrReplayed], [ErrUncounted], [ErrAmount], [ErrUnclaimed].
func (l *Ledger) Charge(tx store.Tx, vd *capability.Verified, p capability.Proof, uses int64, cost flow.Cost) error {
	if uses < 0 || cost.EpsilonNano < 0 || cost.DeltaPico < 0 {
		return &Error{Rule: ErrAmount, Link: Whole}
	}
	if vd != nil {
		l.note(vd)
		for i := range vd.Links {
			if err := l.chargeLink(tx, i, &vd.Links[i], uses, cost); err != nil {
				return err
			}
		}
	}
	if p.ID == "" {
		return nil
	}
	return l.proofs.keep(tx, keyOfProof(p), p.IssuedAt.Unix())
}

// chargeLink adds to the account of one token, unless that would go beyond a limit. The limits are compared before
// anything is added, so nothing overflows.
func (l *Ledger) chargeLink(tx store.Tx, at int, link *capability.Link, uses int64, cost flow.Cost) error {
	g := &link.Grant
	switch {
	case g.Uses == nil && g.Cost == nil:
		return nil
	case g.Counted == "":
		return &Error{Rule: ErrUncounted, Link: at}
	case g.Counted != l.opt.Domain:
		return nil
	}
	most := struct{ uses, epsilon, delta int64 }{math.MaxInt64, math.MaxInt64, math.MaxInt64}
	if g.Uses != nil {
		most.uses = *g.Uses
	}
	if g.Cost != nil {
		most.epsilon, most.delta = g.Cost.EpsilonNano, g.Cost.DeltaPico
	}
	switch expires := g.Expires.Unix(); {
	case uses > most.uses:
		return &Error{Rule: ErrSpent, Link: at, What: "uses"}
	case cost.EpsilonNano > most.epsilon:
		return &Error{Rule: ErrSpent, Link: at, What: "epsilon"}
	case cost.DeltaPico > most.delta:
		return &Error{Rule: ErrSpent, Link: at, What: "delta"}
	case expires <= l.swept.Load(): // the clock went back, and the account may be gone
		return &Error{Rule: ErrSpent, Link: at, What: "its account is closed"}
	default:
		const add = `INSERT INTO ledger_accounts (token, uses, epsilon, delta, expires) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (token) DO UPDATE SET uses = ledger_accounts.uses + excluded.uses,
				epsilon = ledger_accounts.epsilon + excluded.epsilon, delta = ledger_accounts.delta + excluded.delta
			WHERE ledger_accounts.uses <= ? AND ledger_accounts.epsilon <= ? AND ledger_accounts.delta <= ?`
		n, err := tx.Exec(add, link.Hash[:], uses, cost.EpsilonNano, cost.DeltaPico, expires,
			most.uses-uses, most.epsilon-cost.EpsilonNano, most.delta-cost.DeltaPico)
		if err != nil {
			return fmt.Errorf("charging link %d: %w", at, err)
		}
		if n == 0 {
			return &Error{Rule: ErrSpent, Link: at, What: "by flows before this one"}
		}
		return nil
	}
}

// Spent returns what flows have taken so far from the token whose signing input has the hash.
func (l *Ledger) Spent(ctx context.Context, token [32]byte) (uses int64, cost flow.Cost, err error) {
	err = l.db.View(ctx, func(tx store.Tx) error {
		err := tx.QueryRow("SELECT uses, epsilon, delta FROM ledger_accounts WHERE token = ?", token[:]).Scan(&uses, &cost.EpsilonNano, &cost.DeltaPico)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, flow.Cost{}, fmt.Errorf("reading an account: %w", err)
	}
	return uses, cost, nil
}

// accountGrace is how long accounts stay after their tokens expired. It is longer than any clock may be wrong.
const accountGrace = time.Hour

// sweepAccounts deletes accounts of tokens that expired long ago. That they are gone is remembered, so that a clock that is set
// back does not give an expired token a new account.
func (l *Ledger) sweepAccounts(ctx context.Context, now time.Time) error {
	until := now.Add(-accountGrace).Unix()
	for more := true; more; {
		err := l.db.Update(ctx, func(tx store.Tx) error {
			last, n := int64(0), int64(0)
			const some = "SELECT coalesce(max(expires), 0), count(*) FROM (SELECT expires FROM ledger_accounts WHERE expires <= ? ORDER BY expires LIMIT ?) AS few"
			if err := tx.QueryRow(some, until, sweepStep).Scan(&last, &n); err != nil || n == 0 {
				more = false
				return err
			}
			more = n == sweepStep
			l.swept.Store(max(l.swept.Load(), last)) // raised within transactions alone, which follow one another; if this one is undone, it is too strict
			if _, err := tx.Exec("UPDATE ledger_state SET swept = ? WHERE id = 1 AND swept < ?", last, last); err != nil {
				return err
			}
			_, err := tx.Exec("DELETE FROM ledger_accounts WHERE expires <= ?", last)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
