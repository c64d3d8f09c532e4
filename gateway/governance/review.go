package governance

import (
	"context"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/change"
	"github.com/scrimhq/scrim/store"
)

// Reviewed puts on record that an approver looked again at something that is in force: policies, budgets, or a contract by its id.
func (o *Office) Reviewed(ctx context.Context, what, note string, credential flow.Secret) error {
	return o.reviewed(ctx, what, note, holder(credential))
}

func (o *Office) reviewed(ctx context.Context, what, note string, by whoever) error {
	if !goodText(what) || !goodText(note) {
		return ErrReason
	}
	return o.step(ctx, "putting a review on record", func(tx store.Tx, v Version, c Checked) ([]flow.Event, error) {
		who, err := by(c.Rules)
		if err != nil {
			return nil, err
		}
		if who.Name == change.Operator {
			return nil, change.ErrCredential
		}
		_, err = tx.Exec("INSERT INTO governance_reviews (what, at, who) VALUES (?, ?, ?) ON CONFLICT (what) DO UPDATE SET at = excluded.at, who = excluded.who", what, o.now().Unix(), who.Name)
		ev := o.event(what+" reviewed: "+note, flow.Rules{What: "reviewed", Version: v.Version, Digest: v.Digest.String(), By: who.Name})
		return []flow.Event{ev}, err
	})
}

// Review is when somebody looked at something last.
type Review struct {
	At time.Time `json:"at"`
	By string    `json:"by"`
}

// Reviews returns the last reviews by what was looked at.
func (o *Office) Reviews(ctx context.Context) (map[string]Review, error) {
	all := map[string]Review{}
	err := o.opt.DB.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT what, at, who FROM governance_reviews")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var what string
			var at int64
			var r Review
			if err := rows.Scan(&what, &at, &r.By); err != nil {
				return err
			}
			r.At = time.Unix(at, 0).UTC()
			all[what] = r
		}
		return rows.Err()
	})
	return all, err
}

// Due is something that is in force and that somebody should look at again.
type Due struct {
	What  string    `json:"what"`  // policies, budgets, or a contract's id
	Since time.Time `json:"since"` // when it became due
	Last  time.Time `json:"last"`  // when somebody looked last, or when it came into force
	By    string    `json:"by,omitempty"`
}
