package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/observe/report"
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
	}
	q := report.Query{Kind: req.Kind, From: req.From, To: req.To, Unit: req.Unit}
	if req.Value != "" {
		ref := l.Vault.Subject(req.Unit, req.Value)
		q.Of = &ref
	}
	d, err := report.Make(ctx, h, q)
	if err != nil {
		return report.Files{}, err
	}
	return report.Encode(d, key)
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
