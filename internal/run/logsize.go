package run

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/internal/config"
)

// Usage measures journal and log. It works on a state of [OpenStore] too.
func (st *State) Usage(ctx context.Context, c *config.Config) (audit.Usage, error) {
	return audit.Measure(ctx, st.DB, LogDir(c), Archive(c), time.Now())
}

const measureEvery = 10 * time.Minute // it looks at every file of the log

// measured is what the log took when it was last measured.
type measured struct {
	mu    sync.Mutex
	at    time.Time
	usage audit.Usage
	known bool
}

func (m *measured) now(measure func() (audit.Usage, error), fault func(error)) (audit.Usage, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at.IsZero() || time.Since(m.at) >= measureEvery {
		u, err := measure()
		if err != nil {
			fault(err)
		}
		m.at, m.usage, m.known = time.Now(), u, err == nil
	}
	return m.usage, m.known
}

// measureLog adds what the log takes to the metrics.
func (r *Gateway) measureLog() {
	var m measured
	now := func() (audit.Usage, bool) {
		return m.now(func() (audit.Usage, error) { return r.Log.Usage(context.Background()) }, r.fault)
	}
	r.metrics.GaugeBy("scrim_log_bytes", "Bytes that the database and the files of the log take, measured every ten minutes.", "part", func() map[string]float64 {
		u, ok := now()
		if !ok {
			return nil
		}
		return map[string]float64{"database": float64(u.Database), "tiles": float64(u.Tiles), "bundles": float64(u.Bundles), "checkpoints": float64(u.Archived)}
	})
	r.metrics.Gauge("scrim_log_days_left", "Days until the volume of the data directory is full if the journal grows as in the last week; NaN if that is not known.", func() float64 {
		if u, ok := now(); ok && u.DaysLeft != nil {
			return *u.DaysLeft
		}
		return math.NaN()
	})
}
