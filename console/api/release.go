package api

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// release has a table released, and sends a line of JSON for each step as it comes. Whoever asked can end it by going away: what was
// written stays under its passing name.
func (a *API) release(w http.ResponseWriter, r *http.Request) {
	if a.opt.Release == nil {
		fail(w, http.StatusNotFound, "this gateway releases no tables")
		return
	}
	request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil || !json.Valid(request) {
		fail(w, http.StatusBadRequest, "the body is not what this call takes")
		return
	}
	conn := http.NewResponseController(w)
	_ = conn.SetWriteDeadline(time.Time{}) // it takes as long as the table is large
	_ = conn.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "application/jsonl")
	lines := json.NewEncoder(w)
	tell := func(line any) {
		_ = lines.Encode(line) // whoever asked has gone, and the context ends
		_ = conn.Flush()
	}
	if err := a.opt.Release(r.Context(), request, tell); err != nil {
		tell(problem{err.Error()})
	}
}
