package run

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/gateway/governance"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy/change"
)

// Drift is how what lies on disk differs from the rules in force. It decides nothing until it is proposed and approved.
type Drift struct {
	Files []string `json:"files,omitempty"` // that differ, by their names in the rule set
	Error string   `json:"error,omitempty"` // why those on disk are no rules
}

func (d Drift) gauge() float64 {
	if d.Error != "" {
		return -1
	}
	return float64(len(d.Files))
}

// DriftOf compares the rules in force with what lies at a file.
func DriftOf(file string, inForce change.RuleSet) Drift {
	files, err := config.RuleFiles(file)
	if err != nil {
		return Drift{Error: err.Error()}
	}
	var d Drift
	for _, f := range change.Diff(inForce, change.RuleSet{Files: files}) {
		d.Files = append(d.Files, f.Name)
	}
	return d
}

// Drift is how what lies on disk differed when it was looked at last. Without governance nothing does.
func (r *Gateway) Drift() Drift {
	r.ruling.drifting.Lock()
	defer r.ruling.drifting.Unlock()
	return r.ruling.drift
}

func (r *Gateway) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lookHeld(r.config.Load())
}

// lookHeld compares what lies on disk with the rules in force, and tells when that changed.
func (r *Gateway) lookHeld(c *config.Config) {
	_, rs, _ := r.ruling.office.Running()
	var now Drift
	if r.ruled() {
		now = DriftOf(c.File(), rs)
	}
	r.ruling.drifting.Lock()
	before := r.ruling.drift
	r.ruling.drift = now
	r.ruling.drifting.Unlock()
	switch {
	case before.Error == now.Error && slices.Equal(before.Files, now.Files):
	case now.Error != "":
		r.log.Warn("what lies on disk is no set of rules; those in force stay", "error", now.Error)
	case len(now.Files) > 0:
		r.log.Warn("what lies on disk differs from the rules in force; it decides nothing until it is proposed and approved", "files", strings.Join(now.Files, " "))
	default:
		r.log.Info("what lies on disk is the rules in force")
	}
}

// ReviewsDue lists what should be looked at again by the rules in force: policies and budgets after the configured time, contracts after the date
// in them.
func ReviewsDue(ctx context.Context, o *governance.Office, c *config.Config, now time.Time) ([]governance.Due, error) {
	v, _, ok := o.Running()
	if !ok || !v.Governed {
		return nil, nil
	}
	last, err := o.Reviews(ctx)
	if err != nil {
		return nil, err
	}
	began, err := o.Version(ctx, 1)
	if err != nil {
		return nil, err
	}
	var all []governance.Due
	periodic := func(what string, every config.Duration, from time.Time) {
		r := last[what]
		if r.At.After(from) {
			from = r.At
		}
		if at := from.Add(time.Duration(every)); !now.Before(at) {
			all = append(all, governance.Due{What: what, Since: at, Last: from, By: r.By})
		}
	}
	periodic("policies", c.Governance.Review.Policies, began.Since)
	if len(c.Datasets) > 0 {
		periodic("budgets", c.Governance.Review.Budgets, began.Since)
	}
	for _, k := range c.Catalog().Contracts() {
		if k.Governance.Review.IsZero() || now.Before(k.Governance.Review) || !last[k.ID].At.Before(k.Governance.Review) {
			continue
		}
		all = append(all, governance.Due{What: k.ID, Since: k.Governance.Review, Last: last[k.ID].At, By: last[k.ID].By})
	}
	return all, nil
}

func (r *Gateway) reviewsDue(ctx context.Context) []governance.Due {
	all, err := ReviewsDue(ctx, r.ruling.office, r.Config(), time.Now())
	if err != nil && ctx.Err() == nil {
		r.fault(err)
	}
	return all
}

// remind tells of what somebody should look at again.
func (r *Gateway) remind(ctx context.Context) {
	for _, d := range r.reviewsDue(ctx) {
		r.log.Warn("a review is due", "of", d.What, "since", d.Since)
	}
}

// APIRules is how the rules of a running gateway are changed over the admin API.
func (r *Gateway) APIRules() *api.Rules {
	return &api.Rules{Office: r.ruling.office, Apply: r.ApplyRules, Status: func(ctx context.Context) (api.RulesStatus, error) {
		r.look()
		d := r.Drift()
		return api.RulesStatus{Drift: d.Files, Wrong: d.Error, Waiting: r.waitingRules(), Reviews: r.reviewsDue(ctx)}, nil
	}}
}

// APIRules is how the rules of a stopped gateway are changed; c is the configuration in force that it was opened by.
func (st *State) APIRules(ctx context.Context, c *config.Config, m Models) (*api.Rules, error) {
	o, err := st.Rules(ctx, c, m)
	if err != nil {
		return nil, err
	}
	return &api.Rules{
		Office: o,
		Apply:  func(ctx context.Context) error { _, err := st.Apply(ctx, o); return err },
		Status: func(ctx context.Context) (s api.RulesStatus, err error) {
			_, rs, _ := o.Running()
			d := DriftOf(c.File(), rs)
			s.Drift, s.Wrong = d.Files, d.Error
			s.Reviews, err = ReviewsDue(ctx, o, c, time.Now())
			return s, err
		},
	}, nil
}
