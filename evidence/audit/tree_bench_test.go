package audit_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// BenchmarkSequenced is a row of about 600 bytes with 1 KiB sealed, durable in a transaction that as many as want to share, and on its way to the tree
// with its siblings. It tells how long rows took from their commit to the tree.
func BenchmarkSequenced(b *testing.B) {
	db := storetest.Open(b, audit.Schema())
	l := openLog(b, db, audit.Options{})
	sealed := make([]byte, 1024)
	ev := event(1)
	var mu sync.Mutex
	committed := map[int64]time.Time{}
	var waits []time.Duration
	done := make(chan struct{})
	go func() {
		defer close(done)
		for seen := int64(0); seen < int64(b.N); {
			grown := l.Grown()
			to, now := l.Sequenced(), time.Now()
			mu.Lock()
			for ; seen < to; seen++ {
				at, ok := committed[seen+1]
				if !ok { // it was in the tree before its writer was told of the commit
					at = now
				}
				waits = append(waits, now.Sub(at))
				delete(committed, seen+1)
			}
			mu.Unlock()
			if seen < int64(b.N) {
				<-grown
			}
		}
	}()
	b.ResetTimer()
	work := make(chan int)
	var wg sync.WaitGroup
	for range 256 {
		wg.Go(func() {
			for range work {
				var r flow.Receipt
				err := db.Update(b.Context(), func(tx store.Tx) (err error) {
					r, err = l.Append(tx, ev, audit.Private{Sealed: sealed})
					return err
				})
				if err != nil {
					b.Error(err)
				}
				mu.Lock()
				committed[r.Seq] = time.Now()
				mu.Unlock()
			}
		})
	}
	for i := range b.N {
		work <- i
	}
	close(work)
	wg.Wait()
	<-done
	b.StopTimer()
	slices.Sort(waits)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "p99-ms")
}
