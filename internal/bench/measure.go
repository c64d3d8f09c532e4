package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func percentiles(d []time.Duration) Percentiles {
	if len(d) == 0 {
		return Percentiles{}
	}
	d = slices.Sorted(slices.Values(d))
	at := func(p float64) time.Duration { return d[min(int(p*float64(len(d))), len(d)-1)] }
	return Percentiles{P50: at(.5), P90: at(.9), P99: at(.99), Max: d[len(d)-1]}
}

func (p Percentiles) minus(q Percentiles) Percentiles {
	return Percentiles{P50: p.P50 - q.P50, P90: p.P90 - q.P90, P99: p.P99 - q.P99, Max: p.Max - q.Max}
}

// fsync measures what the machine needs to make 4 KiB durable.
func fsync(dir string) ([]time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	block := make([]byte, 4096)
	var took []time.Duration
	for range 200 {
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
		at := time.Now()
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(at))
	}
	return took, nil
}

// conditions says in words what a figure is worth nothing without.
func conditions(opt Options) Result {
	record := "durable record"
	if opt.NoSync {
		record = "record not durable"
	}
	if opt.NoRecord {
		record = "no record"
	}
	return Result{
		Scenario: opt.Scenario, Protocol: opt.Protocol, Cores: runtime.NumCPU(), Go: runtime.Version(), Concurrency: opt.Concurrency,
		Conditions: strings.Join([]string{
			fmt.Sprintf("%d connections", opt.Concurrency), fmt.Sprintf("requests of %d bytes", opt.Request),
			fmt.Sprintf("answers of %d bytes with %d findings", opt.Response, opt.Findings), record, "clients and stub agent in one process, each gateway in its own",
		}, ", "),
	}
}
