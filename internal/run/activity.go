package run

import (
	"context"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/live"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/proofs"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/observe/activity"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/observe/story"
	"github.com/scrimhq/scrim/policy"
)

// latest is how many rows of the journal are read at a start, so that there is something to see.
const latest = 1000

// openActivity opens what the console shows of what happens.
func (r *Gateway) openActivity(ctx context.Context, c *config.Config) error {
	r.ring = activity.NewRing(activity.RingOptions{Flows: c.Activity.Flows})
	r.sums = activity.New(activity.Options{
		DB: r.DB, Entries: r.Log.Entries, Settled: r.Log.Sequenced, Grown: r.Log.Grown, OnError: r.fault,
		Keep: func() activity.Keep {
			a := r.Config().Activity
			return activity.Keep{Minutes: time.Duration(a.Minutes), Hours: time.Duration(a.Hours), Days: time.Duration(a.Days)}
		},
	})
	return r.ring.Fill(ctx, r.Log.Rows, r.Log.Entries, latest)
}

// Stories is where the stories of flows come from.
func (st *State) Stories(c *config.Config) *story.Source {
	return &story.Source{
		Domain: c.Domain, Entries: st.Log.Entries,
		Receipts: func(ctx context.Context, ref flow.ID) (proofs.Answer, error) {
			return api.Receipts(ctx, st.Ledger(), ref)
		},
		Open: func(e audit.Entry) ([]flow.Leaf, []flow.LeafTerms, error) {
			in, err := api.OpenInputs(st.Ledger(), e)
			if err != nil {
				return nil, nil, err
			}
			return in.Leaves, in.Terms, nil
		},
		Policies: func(ctx context.Context, hash string) (*policy.Set, error) { return impact.Kept(ctx, st.DB, hash) },
	}
}

// stories are those of [State.Stories], with what only a running gateway knows.
func (r *Gateway) stories() *story.Source {
	src := r.State.Stories(r.Config())
	kept := src.Policies
	src.Policies = func(ctx context.Context, hash string) (*policy.Set, error) {
		if now := r.Gateway.Snapshot().Policy; now.Hash() == hash {
			return now, nil
		}
		return kept(ctx, hash)
	}
	src.Recent = func(ref flow.ID) (all []flow.Event) {
		for _, f := range r.ring.Find(ref) {
			all = append(all, f.Event)
		}
		return all
	}
	src.Cosigned = func() (have, want int) {
		_, have, want = r.cosigners.Load().Statuses()
		return have, want
	}
	return src
}

// live is what the pages show that tell what happens.
func (r *Gateway) live(c *config.Config) live.Options {
	return live.Options{Domain: c.Domain, DB: r.DB, Ring: r.ring, Stories: r.stories(), LogKey: r.LogKey(), Left: r.Budgets.left}
}
