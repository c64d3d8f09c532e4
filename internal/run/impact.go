package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/policy"
)

// sideOf is a configuration with the set that is in force for it.
func sideOf(c *config.Config, set *policy.Set) impact.Side {
	return impact.Side{Policy: set, Taxonomy: c.Taxonomy(), Catalog: c.Catalog(), Settings: c.Settings()}
}

// replaySource is the journal with the rules of earlier times.
func (st *State) replaySource() impact.Source {
	src := impact.Source{
		DB: st.DB, Inputs: st.Keys.AEAD("journal"),
		Sets: func(ctx context.Context, hash string) (*policy.Set, error) { return impact.Kept(ctx, st.DB, hash) },
	}
	if st.Log != nil {
		src.Entries = st.Log.Entries
	}
	return src
}

// Replay decides what is on record again under another configuration, with old as the one in force. What bundles and lineage add holds on both sides.
func (st *State) Replay(ctx context.Context, old impact.Side, next *config.Config, opt impact.Options) (*impact.Impact, error) {
	held, err := st.HeldTo(next)
	if err != nil {
		return nil, err
	}
	side, err := Side(held)
	if err != nil {
		return nil, err
	}
	side.Policy = side.Policy.Carrying(old.Policy.Carried())
	old.Policy = old.Policy.Apart(0)
	return impact.Compare(ctx, st.replaySource(), old, side, opt)
}

// Offline is the side by which a gateway that does not run would decide: the version of the rules that is in force, or what the configuration says if there is none.
func (st *State) Offline(ctx context.Context, c *config.Config) (impact.Side, error) {
	c, err := st.RuledBy(ctx, c)
	if err != nil {
		return impact.Side{}, err
	}
	c, err = st.HeldTo(c)
	if err != nil {
		return impact.Side{}, err
	}
	set, err := Policies(c)
	if err != nil {
		return impact.Side{}, err
	}
	snap, _, err := st.labelled(ctx, c, &gateway.Snapshot{Policy: set, Catalog: c.Catalog()})
	if err != nil {
		return impact.Side{}, err
	}
	return sideOf(c, snap.Policy), nil
}

// errReplaying is the error of a second replay at one time.
var errReplaying = errors.New("another replay is running; it can be ended by ending who asked for it")

// replay answers the admin API. It has one processor, so that decisions go on, and ends with whoever asked.
func (r *Gateway) replay(ctx context.Context, raw json.RawMessage, tell func(any)) error {
	var req api.ReplayRequest
	if err := json.Unmarshal(raw, &req); err != nil {
		return errors.New("the body is not what this call takes")
	}
	if !r.replaying.CompareAndSwap(false, true) {
		return errReplaying
	}
	over := sync.OnceFunc(func() { r.replaying.Store(false) })
	defer over()
	c := r.Config()
	next, err := config.LoadOver(c.File(), req.Files)
	if err != nil {
		return fmt.Errorf("the proposed rules: %w", err)
	}
	told := time.Now()
	out, err := r.Replay(ctx, sideOf(c, r.Gateway.Snapshot().Policy), next, impact.Options{
		Since: req.Since, Until: req.Until, Workers: 1,
		Progress: func(n int64) {
			if time.Since(told) > time.Second {
				told = time.Now()
				tell(api.ReplayLine{Entries: n})
			}
		},
	})
	if err != nil {
		return err
	}
	over() // whoever reads the last line may ask for another at once
	tell(api.ReplayLine{Impact: out})
	return nil
}

// keepRules keeps the rules that come into force, by their hash. Without that, later replays count what they decided as not to be decided again.
func (r *Gateway) keepRules(ctx context.Context, s *gateway.Snapshot) {
	if err := impact.Keep(ctx, r.DB, s.Policy, time.Now()); err != nil {
		r.log.Error("decisions from now on cannot be replayed", "error", err)
	}
}
