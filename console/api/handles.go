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
	"github.com/scrimhq/scrim/store"
)

// maxListed bounds how many handles are listed at once.
const maxListed = 10_000

// ListHandles returns the handles that are kept; names in it redeem nothing.
func ListHandles(ctx context.Context, l Ledger) (all []gateway.KeptHandle, err error) {
	err = l.DB.View(ctx, func(tx store.Tx) (err error) {
		all, err = gateway.ListHandles(tx, maxListed)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing handles: %w", err)
	}
	return all, nil
}

// DropRequest says which handles go: one, by its name or reference, or all.
type DropRequest struct {
	Name string `json:"name,omitempty"`
	All  bool   `json:"all,omitempty"`
}

// Dropped is how many went.
type Dropped struct {
	Count     int     `json:"count"`
	Reference flow.ID `json:"reference"`
}

// DropHandles deletes handles and puts it on record in the same transaction. Whoever has the reference gets nothing from then on.
func DropHandles(ctx context.Context, l Ledger, s *gateway.Snapshot, req DropRequest) (Dropped, error) {
	name := ""
	if !req.All {
		var err error
		if name, err = gateway.HandleName(req.Name); err != nil {
			return Dropped{}, err
		}
	}
	ev := gateway.HandlesDropped(s, time.Now())
	out := Dropped{Reference: ev.Flow.ID}
	err := l.DB.Update(ctx, func(tx store.Tx) (err error) {
		if out.Count, err = gateway.DropHandles(tx, name); err != nil {
			return err
		}
		_, err = l.Journal.Append(tx, ev, audit.Private{})
		return err
	})
	if err != nil {
		return Dropped{}, fmt.Errorf("dropping handles: %w", err)
	}
	return out, nil
}

func (a *API) handles(w http.ResponseWriter, r *http.Request) {
	all, err := ListHandles(r.Context(), a.opt.Ledger)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, all)
}

func (a *API) dropHandles(w http.ResponseWriter, r *http.Request) {
	var req DropRequest
	if !read(w, r, &req) {
		return
	}
	out, err := DropHandles(r.Context(), a.opt.Ledger, a.opt.Snapshot(), req)
	switch {
	case errors.Is(err, gateway.ErrHandleName):
		fail(w, http.StatusBadRequest, err.Error())
	case err != nil:
		fail(w, http.StatusInternalServerError, err.Error())
	default:
		answer(w, out)
	}
}
