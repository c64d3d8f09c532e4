package ledger

import (
	"fmt"
	"time"

	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/store"
)

// SetBack closes a ledger to what it may have forgotten, in the transaction that says that its state was set back: by at all flows of the lost time were over, whose
// clocks may have been ahead by skew. A ledger that is opened after that takes no proof and no capability that was issued by then, whichever domain granted it,
// since what it had used and whether it was revoked is not known; believes no peer's list before a new one comes; and begins versions of its own list anew, above
// all that peers can have seen. An entry of the own list that was lost is still held against this domain by the peers that saw it: it has to be revoked again.
func SetBack(tx store.Tx, at time.Time, skew time.Duration) error {
	lost, ahead := at.Unix(), at.Add(min(max(skew, 0), mostSkew)+time.Second).Unix()
	for _, q := range []struct {
		text string
		args []any
	}{
		{"INSERT INTO ledger_state (id, version, swept, forgotten) VALUES (1, 1, 0, 0) ON CONFLICT (id) DO NOTHING", nil},
		{"UPDATE ledger_state SET version = ? WHERE id = 1 AND version < ?", []any{ahead, ahead}},
		{"UPDATE ledger_state SET forgotten = ? WHERE id = 1 AND forgotten < ?", []any{ahead, ahead}},
		{"UPDATE ledger_state SET horizon = ? WHERE id = 1 AND horizon < ?", []any{lost, lost}},
		{"DELETE FROM ledger_lists WHERE domain <> ?", []any{""}},
	} {
		if _, err := tx.Exec(q.text, q.args...); err != nil {
			return fmt.Errorf("closing the ledger of capabilities: %w", err)
		}
	}
	return nil
}

// Horizon is the time by which capabilities were issued that are not taken, because their accounts were lost; zero: there is none.
func (l *Ledger) Horizon() time.Time {
	if at := l.lost.Load(); at != 0 {
		return time.Unix(at, 0).UTC()
	}
	return time.Time{}
}

// forgotten refuses a chain with a link that was issued before the state was set back. A child that was derived later does not help it.
func (l *Ledger) forgotten(vd *capability.Verified) error {
	lost := l.lost.Load()
	if lost == 0 {
		return nil
	}
	if vd.Issuer != l.opt.Domain { // whose clock may be ahead of ours
		lost += l.skew.Load() / int64(time.Second)
	}
	for i := range vd.Links {
		if vd.Links[i].IssuedAt.Unix() <= lost {
			return &Error{Rule: ErrRevoked, Link: i, What: "it was issued before this domain's state was restored from a backup"}
		}
	}
	return nil
}
