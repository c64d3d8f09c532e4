//go:build unix

package continual_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// Replicas share a database, and each of them takes all steps, as a queue that delivers more than once has them do: a step is taken once, and all
// release the same.
func TestReplicasTakeAStepOnce(t *testing.T) {
	url, schema := storetest.Postgres(t, t.TempDir())
	bank := &till{}
	var mu sync.Mutex
	released := map[int64][]int64{}
	var wg sync.WaitGroup
	for range 4 {
		db, err := store.OpenPostgres(t.Context(), url, []store.Schema{continual.Schema()}, store.Options{Schema: schema, Shared: true, NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		streams, err := continual.Open(db, continual.Options{Seal: aead(1), Charge: bank.Charge})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			s, err := streams.Create(t.Context(), "visits", kinds()["band 3"])
			if err != nil {
				t.Errorf("Create() error = %v", err)
				return
			}
			for step := int64(1); step <= 35; step++ {
				r, err := s.Add(t.Context(), step, []int64{step, -step})
				if errors.Is(err, continual.ErrPast) { // others were faster
					continue
				}
				if err != nil {
					t.Errorf("Add(%d) error = %v", step, err)
					return
				}
				mu.Lock()
				if old, ok := released[step]; ok && !slices.Equal(old, r.Sums) {
					t.Errorf("step %d was released as %v and %v", step, old, r.Sums)
				}
				released[step] = r.Sums
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(released) != 35 || len(bank.charges) != 3 {
		t.Errorf("%d steps and %d charges, want 35 and 3", len(released), len(bank.charges))
	}
}
