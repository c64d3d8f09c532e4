package run

import (
	"context"
	"time"

	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/observe/activity"
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

// Activity is what happens now, and what happened lately.
func (r *Gateway) Activity() (*activity.Ring, *activity.Sums) { return r.ring, r.sums }
