package audit_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store/storetest"
)

// A database that is set back under a running gateway, as when a replica that lags takes over, does not grow past the tree again on refusals:
// their numbers are taken, so they would never be in the tree, and budgets would be full again.
func TestJournalSetBackWhileOpenNeverGrowsBack(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	l := openLog(t, db, audit.Options{Dir: t.TempDir()})
	write(t, db, l, 1, 5)
	checkpoint(t, l)
	exec(t, db, "DELETE FROM audit_entries WHERE seq > 3", "UPDATE audit_head SET size = 3")
	for range 3 {
		if err := appendAs(t, db, l, flow.Refused); !errors.Is(err, audit.ErrTampered) {
			t.Errorf("Append() of a refusal error = %v, want ErrTampered: its number is in the tree already", err)
		}
	}
	if err := appendAs(t, db, l, flow.Released); !errors.Is(err, audit.ErrTampered) {
		t.Errorf("Append() error = %v, want ErrTampered", err)
	}
	eventually(t, "nothing is released", func() bool { return errors.Is(l.Healthy(), audit.ErrTampered) })
	if n, err := l.Rows(t.Context()); err != nil || n != 3 {
		t.Errorf("the journal has %d rows, %v, want 3", n, err)
	}
}

// Database and trees are set back together to a copy of the period before. Its own checkpoints all fit; that of the next period says that there was more.
func TestSetBackBeyondThePeriod(t *testing.T) {
	storetest.NeedsDirectory(t)
	dir, backup, kept := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "kept")
	var clock moving
	clock.set(2026, 11, 30)
	opt := audit.Options{Archive: kept, Period: audit.Day, Clock: clock.now}
	db := storetest.OpenDir(t, dir, audit.Schema())
	l := openLog(t, db, opt)
	write(t, db, l, 1, 4)
	if err := errors.Join(l.Close(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	copyDir(t, dir, backup)
	db = storetest.OpenDir(t, dir, audit.Schema())
	clock.set(2026, 12, 1)
	l = openLog(t, db, opt)
	write(t, db, l, 5, 8)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := audit.Open(t.Context(), storetest.OpenDir(t, backup, audit.Schema()), origin, key(1), opt)
	wantTampered(t, err, 5, "2026-12-01")
}
