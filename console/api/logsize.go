package api

import (
	"context"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
)

// LogSize is what journal and log take, and, of a running gateway, whether the log is behind.
type LogSize struct {
	audit.Usage
	Running    bool          `json:"running"`
	Waiting    int64         `json:"waiting"`               // rows that are not in the tree
	Oldest     time.Duration `json:"oldest,omitempty"`      // how long the first of them waits, in nanoseconds
	MergeDelay time.Duration `json:"merge_delay,omitempty"` // how long it may
	Stopped    string        `json:"stopped,omitempty"`     // why nothing is released
}

// Size measures the log of a running gateway.
func Size(ctx context.Context, l Ledger) (LogSize, error) {

	u, err := l.Journal.Usage(ctx)
	s := LogSize{Usage: u, Running: true, Oldest: l.Journal.Waits(), MergeDelay: l.Journal.MergeDelay()}
	if s.Oldest > 0 {
		s.Waiting = max(u.Rows-l.Journal.Sequenced(), 0)
	}
	if why := l.Journal.Healthy(); why != nil {
		s.Stopped = why.Error()
	}
	return s, err
}

func (a *API) logSize(w http.ResponseWriter, r *http.Request) {
	out, err := Size(r.Context(), a.opt.Ledger)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, out)
}
