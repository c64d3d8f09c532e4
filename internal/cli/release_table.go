package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	rows "github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/internal/run"
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
	query, err := a.recipient.query(c)
	if err != nil {
		return plan.Outcome{}, err
	}
	snap, err := e.snapshotOf(c)
	if err != nil {
		return plan.Outcome{}, err
	}
	st, err := run.OpenState(ctx, c, store.Options{})
	if errors.Is(err, store.ErrLocked) {
		return plan.Outcome{}, refuse("Stop the gateway, release the table, and start it again.", "the gateway that runs on %s holds its record", c.Data)
	}
	if err != nil {
		return plan.Outcome{}, err
	}
	p := &release.Planned{Source: src, Target: dst, Options: o, Beside: release.BesideFile(base)}
	p.Keys = release.NewKeys(ctx, st.Vault, st.Keys, snap.Taxonomy, query.Flow.To.Domain, snap.Group(query.Flow.Purpose))
	order := release.Order{
		Dataset: a.dataset, To: query.Flow.To.Agent, Purpose: query.Flow.Purpose, Criticality: query.Flow.Task.Criticality, Consent: query.Consent, Approved: query.Approved,
	}
	err = func() error {
		if p.Plan, err = e.compilePlan(ctx, a.plan, src, p.Keys, snap.Taxonomy); err != nil {
			return err
		}
		if p.Found, err = release.Found(ctx, snap.Detector, snap.Taxonomy, src); err != nil {
			return err
		}
		m, err := st.Office().Release(ctx, snap, order, p.Job())
		if err != nil {
			return err
		}
		fmt.Fprintf(e.err, "released to %s for %s: on record as %s; beside it %s\n", order.To, order.Purpose, m.Flow, base+release.ManifestSuffix)
		return nil
	}()
	return p.Outcome, errors.Join(err, st.Close())
}
