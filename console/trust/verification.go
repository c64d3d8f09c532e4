package trust

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/evidence/audit"
)

// verification walks the log when somebody asks, once at a time, whoever looks meanwhile or goes away.
type verification struct {
	verify func(context.Context) (audit.Report, error) // nil: there is no log

	wg sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	closed bool
	cancel context.CancelFunc // nil: none runs
	state  Verification
}

// Verification is the walk through the log that runs, or the last one.
type Verification struct {
	Running bool              `json:"running"`
	By      string            `json:"by,omitempty"`
	Began   time.Time         `json:"began,omitzero"`
	Ended   time.Time         `json:"ended,omitzero"`
	Done    int64             `json:"done"` // rows that were compared with their leaves
	Of      int64             `json:"of"`   // rows there were when it began
	Result  *api.Verification `json:"result,omitempty"`
	Failed  string            `json:"failed,omitempty"` // why there is no result
	Absent  bool              `json:"absent,omitempty"` // there is no log to verify
}

// errRunning is told to whoever asks for a second one.
var errRunning = page.Wrong("the log is being verified already; the page shows how far it is")

func (v *verification) start(by string, rows int64, now func() time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.verify == nil:
		return errAbsent
	case v.cancel != nil:
		return errRunning
	case v.closed:
		return page.Wrong("the gateway is about to stop")
	}
	ctx, cancel := context.WithCancel(context.Background())
	v.cancel, v.state = cancel, Verification{Running: true, By: by, Began: now(), Of: rows}
	v.wg.Go(func() {
		defer cancel()
		rep, err := v.verify(audit.Telling(ctx, v.progress))
		out, err := api.Verified(rep, err)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.cancel, v.state.Running, v.state.Ended = nil, false, now()
		switch {
		case errors.Is(err, context.Canceled):
			v.state.Failed = "it was ended with the gateway"
		case err != nil:
			v.state.Failed = err.Error()
		default:
			v.state.Result, v.state.Done = &out, max(v.state.Done, out.Report.Entries)
		}
	})
	return nil
}

func (v *verification) progress(rows int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state.Done, v.state.Of = rows, max(v.state.Of, rows)
}

func (v *verification) now() Verification {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.state
	s.Absent = v.verify == nil
	return s
}

func (v *verification) close() {
	v.mu.Lock()
	v.closed = true
	if v.cancel != nil {
		v.cancel()
	}
	v.mu.Unlock()
	v.wg.Wait()
}
