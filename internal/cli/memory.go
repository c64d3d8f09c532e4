package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Bounds of what may pile up before it is collected.
const (
	leastGarbage = 16 << 20
	mostGarbage  = 96 << 20 // unless half of what is alive is more
)

// collectLess lets garbage pile up to three times what is alive, unless the environment says otherwise: at least 16 MB and at
// most 96 MB, or half of what is alive.
//
// A gateway keeps little and makes many short-lived buffers: with a live heap of a few megabytes the default target would
// collect all the time and save nothing worth having, and with thousands of open streams a multiple of what they hold
// would be a lot. What it takes in memory is in docs/benchmarks.md.
func collectLess() {
	if os.Getenv("GOGC") != "" {
		return
	}
	t := &collections{percent: 300}
	debug.SetGCPercent(t.percent)
	runtime.SetFinalizer(&cycle{t}, (*cycle).ended)
}

// collections follows the size of the live heap, collection by collection.
type collections struct{ percent int }

// cycle is garbage from the start, so that its finalizer is called after each collection.
type cycle struct{ *collections }

func (c *cycle) ended() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if live[0].Value.Kind() == metrics.KindUint64 {
		if p := percentFor(live[0].Value.Uint64()); p*10 < c.percent*9 || p*9 > c.percent*10 {
			c.percent = p
			debug.SetGCPercent(p)
		}
	}
	runtime.SetFinalizer(c, (*cycle).ended)
}

// percentFor is what the garbage may be of a live heap, in percent.
func percentFor(live uint64) int {
	live = max(live, 1<<20)
	garbage := max(leastGarbage, min(3*live, mostGarbage), live/2)
	return int(100 * garbage / live)
}
