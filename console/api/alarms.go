package api

import (
	"context"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/observe/alarm"
)

// mostAlarms is how many alarms are listed at most.
const mostAlarms = 1000

// ListAlarms returns the alarms since a time, the newest first.
func ListAlarms(ctx context.Context, l Ledger, since time.Time) ([]alarm.Alarm, error) {
	return alarm.Raised(ctx, l.DB, since, mostAlarms)
}

func (a *API) alarms(w http.ResponseWriter, r *http.Request) {
	var since time.Time
	if s := r.URL.Query().Get("since"); s != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, s); err != nil {
			fail(w, http.StatusBadRequest, "since is not a time such as 2026-03-02T09:00:00Z")
			return
		}
	}
	all, err := ListAlarms(r.Context(), a.opt.Ledger, since)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	if all == nil {
		all = []alarm.Alarm{}
	}
	answer(w, all)
}
