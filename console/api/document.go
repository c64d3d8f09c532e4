package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/observe/report"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// DocumentRequest says which report to make. One about a person names the person by a unit and a value.
type DocumentRequest struct {
	Kind  report.Kind `json:"kind"`
	From  time.Time   `json:"from,omitzero"`
	To    time.Time   `json:"to,omitzero"`
	Unit  string      `json:"unit,omitempty"`
	Value string      `json:"value,omitempty"`
}

// Document makes a report and signs it. Spending may be nil.
func Document(ctx context.Context, l Ledger, s *gateway.Snapshot, set report.Settings, spending *Spending, req DocumentRequest) (report.Files, error) {
	var err error
	if set.Standings, err = standings(ctx, spending); err != nil {
		return report.Files{}, err
	}
	key := l.Keys.Signer("log")
	h := report.House{
		Source: reportSource(l, s), Log: l.Journal, Signer: key, Settings: set, Rules: report.Rules{Config: s.ConfigHash, Policy: s.Policy.Hash()},
		Policy: s.Policy, Catalog: s.Catalog, Taxonomy: s.Taxonomy,
		Sets: func(ctx context.Context, hash string) (*policy.Set, error) {
			set, err := impact.Kept(ctx, l.DB, hash)
			if errors.Is(err, policy.ErrKept) {
				return nil, nil // they decide otherwise now: not known
			}
			return set, err
		},
	}
	q := report.Query{Kind: req.Kind, From: req.From, To: req.To, Unit: req.Unit}
	if req.Value != "" {
		ref := l.Vault.Subject(req.Unit, req.Value)
		q.Of = &ref
	}
	if err := q.Check(); err != nil {
		return report.Files{}, err
	}
	if q.Of != nil {
		if err := told(ctx, l, s, req.Kind); err != nil {
			return report.Files{}, err
		}
	}
	d, err := report.Make(ctx, h, q)
	if err != nil {
		return report.Files{}, err
	}
	return report.Encode(d, key)
}

// told puts on record that a report about one person is made, and not about whom.
func told(ctx context.Context, l Ledger, s *gateway.Snapshot, kind report.Kind) error {
	own := flow.Party{Domain: s.Domain}
	ev := flow.Event{
		Time: time.Now(), Flow: flow.Flow{ID: gateway.NewFlowID(), From: own, To: own, Protocol: "admin", Method: "report/" + string(kind)},
		Outcome: flow.Changed, Reason: "a report about one person is made", PolicyHash: s.Policy.Hash(), ConfigHash: s.ConfigHash,
	}
	err := l.DB.Update(ctx, func(tx store.Tx) error {
		_, err := l.Journal.Append(tx, ev, audit.Private{})
		return err
	})
	if err != nil {
		return fmt.Errorf("putting a report on record: %w", err)
	}
	return nil
}

// standings are what the ledger of budgets says, line by line.
func standings(ctx context.Context, s *Spending) ([]report.Standing, error) {
	if s == nil || s.Ledger == nil {
		return nil, nil
	}
	all, err := ShowBudgets(ctx, s, BudgetScope{})
	if err != nil {
		return nil, err
	}
	var out []report.Standing
	for _, b := range all {
		for _, st := range b.Standings {
			one := report.Standing{Dataset: b.Dataset, Unit: b.Unit, Scope: st.Scope, Claims: st.Claims, Epsilon: string(st.Epsilon), Delta: string(st.Delta), Entries: st.Entries, Left: st.Left != 0}
			for _, f := range st.Filters {
				one.Filter, one.Spent, one.Cap, one.Left = f.Filter, string(f.Spent), string(f.Cap), f.Fits
				out = append(out, one)
			}
			if len(st.Filters) == 0 {
				out = append(out, one)
			}
		}
	}
	return out, nil
}

func (a *API) document(w http.ResponseWriter, r *http.Request) {
	var req DocumentRequest
	if !read(w, r, &req) {
		return
	}
	if (req.Unit == "") != (req.Value == "") {
		fail(w, http.StatusBadRequest, "a person is named by a unit and a value")
		return
	}
	var set report.Settings
	if a.opt.Reports != nil {
		set = a.opt.Reports()
	}
	out, err := Document(r.Context(), a.opt.Ledger, a.opt.Snapshot(), set, a.opt.Spending, req)
	switch {
	case errors.Is(err, report.ErrMuch), errors.Is(err, report.ErrTimes), errors.Is(err, report.ErrKind), errors.Is(err, report.ErrOf):
		fail(w, http.StatusUnprocessableEntity, err.Error())
	case err != nil:
		fail(w, http.StatusInternalServerError, err.Error())
	default:
		answer(w, out)
	}
}
