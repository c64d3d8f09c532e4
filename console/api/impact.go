package api

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/observe/impact"
)

// ReplayRequest has the files that would decide, by path from the configuration's directory, and the time whose decisions are made again.
type ReplayRequest struct {
	Files map[string][]byte `json:"files"`
	Since time.Time         `json:"since,omitzero"`
	Until time.Time         `json:"until,omitzero"`
}

// ReplayLine is one line of the answer: how many entries were read, or at last what would change.
type ReplayLine struct {
	Entries int64          `json:"entries,omitempty"`
	Impact  *impact.Impact `json:"impact,omitempty"`
	Error   string         `json:"error,omitempty"`
}

// replayBytes bounds a request: as many rules as there may be, in base64.
const replayBytes = 48 << 20

// replay has recorded decisions made again under other rules, and sends a line of JSON for each step. Whoever asked ends it by going away.
func (a *API) replay(w http.ResponseWriter, r *http.Request) {
	if a.opt.Replay == nil {
		fail(w, http.StatusNotFound, "this gateway makes no decisions again")
		return
	}
	request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, replayBytes))
	if err != nil || !json.Valid(request) {
		fail(w, http.StatusBadRequest, "the body is not what this call takes")
		return
	}
	conn := http.NewResponseController(w)
	_ = conn.SetWriteDeadline(time.Time{}) // it takes as long as the journal is
	_ = conn.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "application/jsonl")
	lines := json.NewEncoder(w)
	tell := func(line any) {
		_ = lines.Encode(line) // whoever asked has gone, and the context ends
		_ = conn.Flush()
	}
	if err := a.opt.Replay(r.Context(), request, tell); err != nil {
		tell(ReplayLine{Error: err.Error()})
	}
}
