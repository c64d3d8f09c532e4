package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/story"
)

// Why tells the story of a flow by its reference, or that of the refusal which gave it. The error is [story.ErrUnknown] if it resolves to nothing.
func Why(ctx context.Context, src story.Source, ref flow.ID) (story.Story, error) {
	return story.Of(ctx, src, ref)
}

func (a *API) why(w http.ResponseWriter, r *http.Request) {
	src := a.opt.Stories
	if src == nil {
		fail(w, http.StatusNotFound, "nobody tells stories here")
		return
	}
	out, err := Why(r.Context(), *src, flow.ID(r.PathValue("ref")))
	switch {
	case errors.Is(err, story.ErrUnknown):
		fail(w, http.StatusNotFound, err.Error())
	case err != nil:
		fail(w, http.StatusInternalServerError, err.Error())
	default:
		answer(w, out)
	}
}
