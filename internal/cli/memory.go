package cli

import (
	"os"
	"runtime/debug"
)

// collectLess lets the heap grow to four times what is alive before it is collected, unless the environment says otherwise.
//
// A gateway keeps little and makes many short-lived buffers: with a live heap of a few megabytes the default target would
// collect all the time and save nothing worth having. What it takes in memory is in docs/benchmarks.md.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
}
