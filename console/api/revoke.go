package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/revocations"
	"github.com/scrimhq/scrim/policy/capability/ledger"
)

// RevokeRequest names what is to be revoked. A denial without an end gets the one that [revocations.Until] gives its kind.
type RevokeRequest struct {
	Denials []ledger.Denial `json:"denials"`
}

// Revocations are what a domain revokes, and how its peers' lists stand.
type Revocations struct {
	Version int64           `json:"version"`
	Denials []ledger.Denial `json:"denials"`
	Peers   []ledger.Status `json:"peers,omitempty"`
}

// mostDenials bounds one request.
const mostDenials = 256

// Revoke puts denials on the domain's list. When it returns they are on record and in force here.
func Revoke(ctx context.Context, l Ledger, domain flow.DomainID, req RevokeRequest) (revocations.Revoked, error) {
	if len(req.Denials) == 0 || len(req.Denials) > mostDenials {
		return revocations.Revoked{}, ledger.ErrName
	}
	for i := range req.Denials {
		if d := &req.Denials[i]; d.Until.IsZero() {
			d.Until = revocations.Until(d.Kind, time.Now())
		}
	}
	return revocations.Revoke(ctx, l.Capabilities, l.Journal, domain, gateway.NewFlowID(), req.Denials)
}

// ListRevocations tells what the domain revokes.
func ListRevocations(ctx context.Context, l Ledger) (Revocations, error) {
	all, err := l.Capabilities.Denials(ctx)
	if err != nil {
		return Revocations{}, err
	}
	return Revocations{Version: l.Capabilities.Version(), Denials: all, Peers: l.Capabilities.Statuses()}, nil
}

func (a *API) revoke(w http.ResponseWriter, r *http.Request) {
	var req RevokeRequest
	if !read(w, r, &req) {
		return
	}
	out, err := Revoke(r.Context(), a.opt.Ledger, a.opt.Snapshot().Domain, req)
	switch {
	case errors.Is(err, ledger.ErrName), errors.Is(err, ledger.ErrUntil):
		fail(w, http.StatusBadRequest, err.Error())
	case errors.Is(err, ledger.ErrFull):
		fail(w, http.StatusInsufficientStorage, "the list of revocations is full; revoke what others derive from, or have the domain's keys rotated")
	case err != nil:
		fail(w, http.StatusInternalServerError, err.Error())
	default:
		answer(w, out)
	}
}

func (a *API) revocations(w http.ResponseWriter, r *http.Request) {
	out, err := ListRevocations(r.Context(), a.opt.Ledger)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, out)
}
