package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/proofs"
)

// Receipts returns the promises and proofs of a flow's entries, or of the entry with that number. The error is [proofs.ErrUnknown] if
// the journal has none.
func Receipts(ctx context.Context, l Ledger, ref flow.ID) (proofs.Answer, error) {
	h := &proofs.Handler{Journal: l.Journal, Signer: l.Keys.Signer("log"), MergeDelay: l.Journal.MergeDelay()}
	return h.Receipts(ctx, ref, nil)
}

// PublishedCheckpoint is the signed note that readers see of the newest tree.
type PublishedCheckpoint struct {
	Note string `json:"note"`
}

// Checkpoint returns what is published.
func Checkpoint(ctx context.Context, l Ledger) (PublishedCheckpoint, error) {
	if len(l.Journal.Trees()) == 0 {
		return PublishedCheckpoint{}, fmt.Errorf("the log has no entries yet: %w", fs.ErrNotExist)
	}
	note, err := l.Journal.Tree("").Checkpoint(ctx)
	return PublishedCheckpoint{string(note)}, err
}

func (a *API) receipts(w http.ResponseWriter, r *http.Request) {
	out, err := Receipts(r.Context(), a.opt.Ledger, flow.ID(r.PathValue("ref")))
	switch {
	case errors.Is(err, proofs.ErrUnknown):
		fail(w, http.StatusNotFound, err.Error())
	case err != nil:
		fail(w, http.StatusInternalServerError, err.Error())
	default:
		answer(w, out)
	}
}

func (a *API) checkpoint(w http.ResponseWriter, r *http.Request) {
	out, err := Checkpoint(r.Context(), a.opt.Ledger)
	if err != nil {
		fail(w, http.StatusNotFound, err.Error())
		return
	}
	answer(w, out)
}
