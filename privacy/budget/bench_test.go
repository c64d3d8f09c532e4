package budget_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store/storetest"
)

// pairs has spenders reserve and commit until b is done, each charge in a scope by scopeOf, and reports pairs a second.
func pairs(b *testing.B, hs []*house, spenders int, chargeOf func(spender, i int) budget.Charge) {
	b.Helper()
	ctx := context.Background()
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	began, used := time.Now(), cpuTime()
	var wg sync.WaitGroup
	for s := range spenders {
		h := hs[s%len(hs)]
		wg.Go(func() {
			for i := 0; left.Add(-1) >= 0; i++ {
				c := chargeOf(s, i)
				r, err := h.Reserve(ctx, c)
				if err == nil {
					_ = r.Begin()
					err = r.Commit(ctx, []byte("an answer of some forty bytes in a table"))
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "pairs/s")
	if all := cpuTime() - used; all > 0 {
		b.ReportMetric(float64(all.Microseconds())/float64(b.N), "cpu-µs/pair")
	}
	b.StopTimer()
}

// cpuTime is what this process and its children's trees have used so far, database servers among them, which says more than a clock on a
// machine that others use too. It is 0 where there is no /proc.
func cpuTime() time.Duration {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	type process struct{ parent, ticks int64 }
	all := map[int64]process{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		pid, _ := strconv.ParseInt(strings.Split(f, "/")[2], 10, 64)
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		parent, _ := strconv.ParseInt(fields[1], 10, 64)
		user, _ := strconv.ParseInt(fields[11], 10, 64)
		system, _ := strconv.ParseInt(fields[12], 10, 64)
		all[pid] = process{parent, user + system}
	}
	me, ticks := int64(os.Getpid()), int64(0)
	for pid, p := range all {
		for at := pid; at > 1; at = all[at].parent {
			if at == me {
				ticks += p.ticks
				break
			}
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// hot is one agent's charges against one budget; each has a key.
func hot(s, i int) budget.Charge {
	return budget.Charge{Scope: agent1, Cost: pure(10), Key: fmt.Sprint(s, "/", i), Request: digest("q")}
}

// BenchmarkReserveCommit is on SQLite with synchronous=FULL: what an fsync costs is in package store's BenchmarkFsync.
func BenchmarkReserveCommit(b *testing.B) {
	for _, spenders := range []int{1, 32, 128} {
		b.Run(fmt.Sprint(spenders, " spenders"), func(b *testing.B) {
			h := open(b)
			h.declare(b, patients(1000*nano, 0))
			pairs(b, []*house{h}, spenders, hot)
		})
	}
	b.Run("32 spenders, 30 blocks each", func(b *testing.B) {
		h := open(b)
		d := patients(1000*nano, 0)
		d.Blocks = budget.Blocks{Kind: budget.BlocksHash, Count: 100}
		h.declare(b, d)
		pairs(b, []*house{h}, 32, func(s, i int) budget.Charge {
			from := int64(s*7+i) % 70
			return budget.Charge{Scope: claims, Cost: pure(10), Blocks: budget.Range{From: from, To: from + 30}}
		})
	})
}

// BenchmarkReplay is what opening a ledger costs for each entry.
func BenchmarkReplay(b *testing.B) {
	db := storetest.Open(b, budget.Schema())
	h := openDB(b, db, newClock())
	h.declare(b, patients(1000*nano, 0))
	var wg sync.WaitGroup
	for s := range 64 {
		wg.Go(func() {
			for i := range 160 {
				if err := h.spend(hot(s, i), "a"); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	entries := int64(0)
	for b.Loop() {
		r, err := h.Replay(context.Background())
		if err != nil || !r.OK() {
			b.Fatal(err, r.Findings)
		}
		entries = r.Entries
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(entries), "ns/entry")
}
