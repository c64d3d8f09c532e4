package audit_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store/storetest"
)

// While rows do not reach the tree their number and the age of the oldest are told; once they did, nothing is.
func TestLagIsOfRowsThatWait(t *testing.T) {
	var broken atomic.Bool
	opt := audit.Options{Dir: t.TempDir(), MergeDelay: time.Hour}
	audit.SetFault(&opt, func(string, string) error {
		if broken.Load() {
			return errors.New("the disk is gone")
		}
		return nil
	})
	db := storetest.Open(t, audit.Schema())
	l := openLog(t, db, opt)
	lag := func() (int64, time.Duration) {
		n, oldest, err := l.Lag(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n, oldest
	}
	if n, oldest := lag(); n != 0 || oldest != 0 {
		t.Errorf("an empty log lags by %d rows, %s", n, oldest)
	}
	broken.Store(true)
	for range 3 {
		if err := appendAs(t, db, l, flow.Refused); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(20 * time.Millisecond)
	if n, oldest := lag(); n != 3 || oldest < 20*time.Millisecond {
		t.Errorf("Lag() = %d rows, %s, want 3 rows, at least 20 ms", n, oldest)
	}
	broken.Store(false)
	eventually(t, "rows that reached the tree lag no more", func() bool { n, oldest := lag(); return n == 0 && oldest == 0 })
}
