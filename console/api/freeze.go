package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/scrimhq/scrim/gateway/freeze"
)

// FreezeRequest names what is to be frozen, or thawed, in the form of [freeze.Target.String], and why.
type FreezeRequest struct {
	Target string `json:"target"`
	Reason string `json:"reason,omitempty"`
}

// Frozen is what is frozen, and the last that was.
type Frozen struct {
	Frozen []freeze.Entry `json:"frozen"`
	Past   []freeze.Entry `json:"past,omitempty"`
}

// mostPastFreezes is how many freezes that are over are listed.
const mostPastFreezes = 100

// Freeze brings a target to a halt. When it returns that is on record and in force.
func Freeze(ctx context.Context, l Ledger, req FreezeRequest) (freeze.Entry, error) {
	t, err := freeze.Parse(req.Target)
	if err != nil {
		return freeze.Entry{}, err
	}
	return l.Freezes.Freeze(ctx, t, freeze.Operator, req.Reason)
}

// Thaw lets a target go on.
func Thaw(ctx context.Context, l Ledger, req FreezeRequest) (freeze.Entry, error) {
	t, err := freeze.Parse(req.Target)
	if err != nil {
		return freeze.Entry{}, err
	}
	return l.Freezes.Thaw(ctx, t, req.Reason)
}

// ListFrozen tells what is frozen, and what was.
func ListFrozen(ctx context.Context, l Ledger) (Frozen, error) {
	past, err := l.Freezes.Past(ctx, mostPastFreezes)
	if err != nil {
		return Frozen{}, err
	}
	return Frozen{Frozen: l.Freezes.All(), Past: past}, nil
}

// incidents are the routes of what an operator does when something goes wrong.
func (a *API) incidents() {
	a.guarded("POST /api/v1/freeze", a.freezing(Freeze))
	a.guarded("POST /api/v1/thaw", a.freezing(Thaw))
	a.guarded("GET /api/v1/alarms", a.alarms)
	a.guarded("POST /api/v1/report/breach", a.breach)
	a.guarded("POST /api/v1/report/document", a.document)
	a.guarded("POST /api/v1/report/usefulness", a.usefulness)
	a.guarded("GET /api/v1/frozen", func(w http.ResponseWriter, r *http.Request) {
		out, err := ListFrozen(r.Context(), a.opt.Ledger)
		if err != nil {
			fail(w, http.StatusInternalServerError, err.Error())
			return
		}
		answer(w, out)
	})
}

func (a *API) freezing(do func(context.Context, Ledger, FreezeRequest) (freeze.Entry, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req FreezeRequest
		if !read(w, r, &req) {
			return
		}
		out, err := do(r.Context(), a.opt.Ledger, req)
		switch {
		case errors.Is(err, freeze.ErrTarget), errors.Is(err, freeze.ErrReason), errors.Is(err, freeze.ErrOwn):
			fail(w, http.StatusBadRequest, err.Error())
		case errors.Is(err, freeze.ErrNotFrozen):
			fail(w, http.StatusNotFound, err.Error())
		case errors.Is(err, freeze.ErrFull):
			fail(w, http.StatusInsufficientStorage, err.Error())
		case err != nil:
			fail(w, http.StatusInternalServerError, err.Error())
		default:
			answer(w, out)
		}
	}
}
