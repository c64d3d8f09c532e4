package bench

import (
	"fmt"
	"io"
)

// Print writes the result for people, with its conditions.
func (r Result) Print(w io.Writer) {
	fmt.Fprintf(w, "%s over %s: %s; %d cores, %s\n", r.Scenario, r.Protocol, r.Conditions, r.Cores, r.Go)
	fmt.Fprintf(w, "fsync of 4 KiB in the same directory: p50 %.3f ms, p99 %.3f ms\n\n", ms(r.Fsync.P50), ms(r.Fsync.P99))
	if len(r.Ways) > 0 {
		fmt.Fprintf(w, "%-24s %9s %9s %9s %9s %9s %10s %10s %8s\n", "", "p50 ms", "p90 ms", "p99 ms", "max ms", "calls/s", "CPU ms", "all CPU ms", "RSS MB")
	}
	for _, way := range r.Ways {
		fmt.Fprintf(w, "%-24s %9.3f %9.3f %9.3f %9.3f %9.0f %10.3f %10.3f %8d\n", way.Name, ms(way.Latency.P50), ms(way.Latency.P90), ms(way.Latency.P99), ms(way.Latency.Max),
			way.PerSecond, way.ServerCPU, way.AllCPU, way.Resident>>20)
		if way.First.P50 > 0 {
			fmt.Fprintf(w, "%-24s %9.3f %9.3f %9.3f %9.3f\n", "  to the first event", ms(way.First.P50), ms(way.First.P90), ms(way.First.P99), ms(way.First.Max))
		}
	}
	if len(r.Ways) > 0 {
		fmt.Fprintf(w, "\nCPU is of the process in between, for a call; all CPU is with clients and stub. Percentiles are of all calls, %d of each way.\n", r.Ways[0].Calls)
	}
	for _, way := range r.Ways {
		if way.OwnTwo > 0 {
			fmt.Fprintf(w, "%s: two cores of its own carry %.0f calls a second at this cost\n", way.Name, way.OwnTwo)
		}
	}
	for _, m := range r.Memory {
		fmt.Fprintf(w, "after %-8s %9d calls %6d streams %6d MB resident %6d MB heap %6d goroutines\n", m.After, m.Calls, m.Streams, m.Resident>>20, m.Heap>>20, m.Routines)
	}
	for _, ratio := range r.Ratios {
		fmt.Fprintf(w, "%s: %.2f %s\n", ratio.What, ratio.Value, ratio.Unit)
	}
}
