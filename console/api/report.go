package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/observe/report"
)

// BreachRequest says what a report of a breach is about. With a Value it is about the one person that it names.
type BreachRequest struct {
	Since    time.Time     `json:"since"`
	Until    time.Time     `json:"until,omitzero"`
	Agent    flow.AgentID  `json:"agent,omitempty"`
	Domain   flow.DomainID `json:"domain,omitempty"`
	Subjects bool          `json:"subjects,omitempty"`
	Unit     string        `json:"unit,omitempty"`
	Value    string        `json:"value,omitempty"`
}

// Breach tells who saw what in a time.
func Breach(ctx context.Context, l Ledger, s *gateway.Snapshot, req BreachRequest) (*report.Breach, error) {
	q := report.BreachQuery{Since: req.Since, Until: req.Until, Agent: req.Agent, Domain: req.Domain, Subjects: req.Subjects}
	if req.Value != "" {
		ref := l.Vault.Subject(req.Unit, req.Value)
		q.Of = &ref
	}
	return report.BreachOf(ctx, reportSource(l, s), q)
}

func reportSource(l Ledger, s *gateway.Snapshot) report.Source {
	return report.Source{DB: l.DB, Domain: s.Domain, Entries: l.Journal.Entries, Inputs: l.Keys.AEAD("journal"), Vault: l.Vault}
}

func (a *API) breach(w http.ResponseWriter, r *http.Request) {
	var req BreachRequest
	if !read(w, r, &req) {
		return
	}
	if req.Unit != "" && req.Value == "" {
		fail(w, http.StatusBadRequest, "a person is named by a unit and a value")
		return
	}
	out, err := Breach(r.Context(), a.opt.Ledger, a.opt.Snapshot(), req)
	switch {
	case errors.Is(err, report.ErrMuch), errors.Is(err, report.ErrTimes):
		fail(w, http.StatusUnprocessableEntity, err.Error())
	case err != nil:
		fail(w, http.StatusInternalServerError, err.Error())
	default:
		answer(w, out)
	}
}

// UsefulnessRequest says since when.
type UsefulnessRequest struct {
	Since time.Time `json:"since"`
}

func (a *API) usefulness(w http.ResponseWriter, r *http.Request) {
	var req UsefulnessRequest
	if !read(w, r, &req) {
		return
	}
	out, err := report.UsefulnessOf(r.Context(), a.opt.Ledger.DB, req.Since)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, out)
}
