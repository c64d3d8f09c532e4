package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	rows "github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
	"github.com/scrimhq/scrim/store"
)

// release is the one road on which a table gets its final name.
func (e *env) release(ctx context.Context, a anonymizing, src rows.Source, dst rows.Target, o plan.Options) (plan.Outcome, error) {
	base := a.beside
	if base == "" {
		if base = a.to; strings.Contains(base, ":") || base == "-" {
			return plan.Outcome{}, misuse("--beside is missing: manifest and risk report of a table in a database need a name")
		}
	}
	c, err := e.load(a.recipient.file)
	if err != nil {
		return plan.Outcome{}, err
	}
	if _, err := a.recipient.query(c); err != nil {
		return plan.Outcome{}, err
	}
	st, err := run.OpenState(ctx, c, store.Options{})
	if errors.Is(err, store.ErrLocked) {
		return e.releaseRunning(ctx, c, a, base, o.Progress)
	}
	if err != nil {
		return plan.Outcome{}, err
	}
	snap, err := e.snapshotIn(ctx, st, c)
	if err != nil {
		return plan.Outcome{}, errors.Join(err, st.Close())
	}
	query, err := e.queryIn(ctx, st, c, &a.recipient)
	if err != nil {
		return plan.Outcome{}, errors.Join(err, st.Close())
	}
	out, err := e.releaseBy(ctx, &releasing{anonymizing: a, state: st, snap: snap, query: query, base: base}, src, dst, o)
	return out, errors.Join(err, st.Close())
}

// order is what the command was asked for, as policy is.
func (a *anonymizing) order(q policy.Query) release.Order {
	return release.Order{
		Dataset: a.dataset, To: q.Flow.To.Agent, Purpose: q.Flow.Purpose, Criticality: q.Flow.Task.Criticality, Consent: q.Consent, Approved: q.Approved,
	}
}

// releasing is a table on its way out, and what decides it.
type releasing struct {
	anonymizing
	state *run.State
	snap  *gateway.Snapshot
	query policy.Query
	base  string // of the files beside the table
}

// releaseBy decides, records and writes a table with a state that is open.
func (e *env) releaseBy(ctx context.Context, r *releasing, src rows.Source, dst rows.Target, o plan.Options) (plan.Outcome, error) {
	p := &release.Planned{Source: src, Target: dst, Options: o, Beside: release.BesideFile(r.base)}
	p.Keys = release.NewKeys(ctx, r.state.Vault, r.state.Keys, r.snap.Taxonomy, r.query.Flow.To.Domain, r.snap.Group(r.query.Flow.Purpose))
	order := r.order(r.query)
	var err error
	if p.Plan, err = e.compilePlan(ctx, r.plan, src, p.Keys, r.snap.Taxonomy); err != nil {
		return plan.Outcome{}, err
	}
	if p.Found, err = release.Found(ctx, r.snap.Detector, r.snap.Taxonomy, src); err != nil {
		return plan.Outcome{}, err
	}
	m, err := r.state.Office().Release(ctx, r.snap, order, p.Job())
	if err != nil {
		return plan.Outcome{}, err
	}
	fmt.Fprintf(e.err, "released to %s for %s: on record as %s; beside it %s\n", order.To, order.Purpose, m.Flow, r.base+release.ManifestSuffix)
	return p.Outcome, nil
}
