package audit_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// appendAs writes one row with an outcome.
func appendAs(t *testing.T, db store.DB, l *audit.Log, o flow.Outcome) error {
	t.Helper()
	ev := event(1)
	ev.Outcome = o
	return db.Update(t.Context(), func(tx store.Tx) error { _, err := l.Append(tx, ev, audit.Private{}); return err })
}

// A disk that takes nothing more stops every release, with the reason and what to do; refusals still go on record. Once it is mended,
// everything reaches the tree by itself, and releases go on.
func TestNothingIsReleasedWhileRowsDoNotReachTheTree(t *testing.T) {
	for name, c := range map[string]struct {
		fault  error
		advice string
	}{
		"a full disk":             {syscall.ENOSPC, "make room"},
		"a read-only disk":        {syscall.EROFS, "writable"},
		"files of somebody else":  {os.ErrPermission, "give"},
		"too many files":          {syscall.EMFILE, "too many open files"},
		"a disk that is not well": {syscall.EIO, "input/output error"},
	} {
		t.Run(name, func(t *testing.T) {
			var broken atomic.Bool
			var told atomic.Pointer[[]string]
			told.Store(&[]string{})
			opt := audit.Options{Dir: t.TempDir(), MergeDelay: time.Second, OnHealth: func(why error) { // longer than a slow disk takes for a row
				all := append(append([]string(nil), *told.Load()...), fmt.Sprint(why))
				told.Store(&all)
			}}
			audit.SetFault(&opt, func(op, path string) error {
				if broken.Load() {
					return fmt.Errorf("%s: %w", op, c.fault)
				}
				return nil
			})
			db := storetest.Open(t, audit.Schema())
			l := openLog(t, db, opt)
			for i := 1; i <= 3; i++ { // each is in the tree before the next comes: a slow disk takes longer than the delay for three
				write(t, db, l, i, i)
				checkpoint(t, l)
			}
			broken.Store(true)
			if err := appendAs(t, db, l, flow.Released); err != nil {
				t.Fatalf("a row before the delay has passed: %v", err)
			}
			eventually(t, "releases stop", func() bool { return l.Healthy() != nil })
			for _, o := range []flow.Outcome{flow.Released, flow.Segment, flow.Opened, flow.Closed, flow.Fetched, flow.Watched, flow.Replayed, flow.Asked, flow.Issued, flow.Budgeted} {
				if err := appendAs(t, db, l, o); !errors.Is(err, audit.ErrBehind) || !errors.Is(err, c.fault) || !strings.Contains(err.Error(), c.advice) {
					t.Errorf("%s: Append() error = %v, want ErrBehind that says %q", o, err, c.advice)
				}
			}
			for _, o := range []flow.Outcome{flow.Refused, flow.Conflict, flow.Changed} {
				if err := appendAs(t, db, l, o); err != nil {
					t.Errorf("%s: Append() error = %v, want nil: it releases nothing", o, err)
				}
			}
			eventually(t, "that releases have stopped is told", func() bool { return len(*told.Load()) > 0 })
			broken.Store(false)
			eventually(t, "releases go on", func() bool { return l.Healthy() == nil && l.Sequenced() == 7 })
			if err := appendAs(t, db, l, flow.Released); err != nil {
				t.Errorf("after it was mended: Append() error = %v", err)
			}
			if report, err := l.Verify(t.Context()); err != nil || report.Covered != 8 {
				t.Errorf("Verify() = %+v, %v, want all 8 rows in the tree", report, err)
			}
			eventually(t, "that all is well is told", func() bool { all := *told.Load(); return len(all) > 0 && all[len(all)-1] == "<nil>" })
			why := func(s string) bool { return strings.Contains(s, c.advice) }
			if all := *told.Load(); len(all)%2 != 0 || !slices.ContainsFunc(all, why) { // before that and after it a busy machine may be too slow by itself
				t.Errorf("told %q, want the reason and then that all is well", all)
			}
		})
	}
}

// Rows that vanish while the log is open stop everything at once; when they are back, it goes on.
func TestNothingIsReleasedFromAJournalThatWasCut(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	l := openLog(t, db, audit.Options{Dir: t.TempDir()})
	write(t, db, l, 1, 5)
	checkpoint(t, l)
	exec(t, db, "UPDATE audit_head SET size = 3")
	if _, err := l.Checkpoint(t.Context()); !errors.Is(err, audit.ErrTampered) {
		t.Errorf("Checkpoint() error = %v, want ErrTampered", err)
	}
	if err := appendAs(t, db, l, flow.Released); !errors.Is(err, audit.ErrBehind) || !errors.Is(err, audit.ErrTampered) {
		t.Errorf("Append() error = %v, want ErrBehind and ErrTampered", err)
	}
	exec(t, db, "UPDATE audit_head SET size = 5")
	eventually(t, "it goes on", func() bool { return l.Healthy() == nil })
}

// A tree whose files were half written, or lost, when nothing ran: what a crash can leave is mended, anything else is refused.
func TestHalfWrittenFiles(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, tree string)
		ok     bool
	}{
		"half a frame at the end of the tail": {func(t *testing.T, tree string) {
			f, err := os.OpenFile(filepath.Join(tree, ".state", "tail"), os.O_WRONLY|os.O_APPEND, 0)
			if err == nil {
				_, err = f.Write([]byte{0, 0, 9, 0, 1, 2, 3, 4, 5})
			}
			if err = errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}, true},
		"half a partial bundle": {func(t *testing.T, tree string) {
			truncate(t, filepath.Join(tree, "tile", "entries", "000.p", "11"), 40)
		}, true},
		"a changed tail": {func(t *testing.T, tree string) {
			name := filepath.Join(tree, ".state", "tail")
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			db, dir := journal(t)
			c.change(t, filepath.Join(dir, "all"))
			l, err := audit.Open(t.Context(), db, origin, key(1), audit.Options{Dir: dir})
			if !c.ok {
				if err == nil {
					t.Error("Open() error = nil, want one")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			write(t, db, l, 11, 12)
			if report, err := l.Verify(t.Context()); err != nil || report.Covered != 12 {
				t.Errorf("Verify() = %+v, %v, want 12 rows", report, err)
			}
			if err := l.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func truncate(t *testing.T, name string, size int64) {
	t.Helper()
	if err := os.Truncate(name, size); err != nil {
		t.Fatal(err)
	}
}
