package audit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store/storetest"
)

// Promises say that an entry is in the published tree by the deadline: a tree that grows and cannot be published stops releases too.
func TestNothingIsReleasedWhileTheTreeIsNotPublished(t *testing.T) {
	var broken atomic.Bool
	opt := audit.Options{Dir: t.TempDir(), MergeDelay: 50 * time.Millisecond, Publish: 10 * time.Millisecond}
	audit.SetFault(&opt, func(op, path string) error {
		if broken.Load() && (strings.Contains(path, "checkpoint") || strings.Contains(path, "tile")) {
			return fmt.Errorf("%s: %w", op, syscall.EROFS)
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
	write(t, db, l, 4, 4)
	eventually(t, "the row is in the tree", func() bool { return l.Sequenced() == 4 })
	eventually(t, "releases stop", func() bool { return errors.Is(l.Healthy(), audit.ErrBehind) })
	if err := appendAs(t, db, l, flow.Released); !errors.Is(err, audit.ErrBehind) || !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "writable") {
		t.Errorf("Append() error = %v, want ErrBehind with the reason and what to do", err)
	}
	broken.Store(false)
	eventually(t, "releases go on", func() bool { return l.Healthy() == nil })
	write(t, db, l, 5, 5)
}

// What witnesses do not sign is theirs to say: it is not the disk.
func TestWitnessesThatDoNotSignAreNotTheDisk(t *testing.T) {
	var asked atomic.Int64
	opt := audit.Options{Dir: t.TempDir(), MergeDelay: 10 * time.Millisecond, Publish: 10 * time.Millisecond}
	opt.Cosign = func(context.Context, tile.Checkpoint, tile.Prove) ([]byte, error) {
		asked.Add(1)
		return nil, errors.New("too few witnesses")
	}
	db := storetest.Open(t, audit.Schema())
	l := openLog(t, db, opt)
	write(t, db, l, 1, 1)
	eventually(t, "witnesses were asked", func() bool { return asked.Load() > 5 })
	if err := l.Healthy(); err != nil {
		t.Errorf("Healthy() = %v, want nil", err)
	}
}

// A period that ended just before the program did is taken to the witnesses at the next start: nothing else would ever ask them for its end.
func TestTheEndOfAPeriodIsWitnessedAfterARestart(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	var clock moving
	clock.set(2026, 11, 30)
	opt := audit.Options{Dir: t.TempDir(), Period: audit.Day, Clock: clock.now, Publish: 10 * time.Millisecond}
	l := openLog(t, db, opt)
	write(t, db, l, 1, 2)
	clock.set(2026, 12, 1)
	write(t, db, l, 3, 3)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	opt.Cosign = func(_ context.Context, c tile.Checkpoint, _ tile.Prove) ([]byte, error) {
		if c.Origin == origin+"/2026-11-30" {
			asked.Store(c.Size)
		}
		return nil, nil
	}
	l = openLog(t, db, opt)
	eventually(t, "witnesses are asked for the end of the period before", func() bool { return asked.Load() == 3 })
	if report, err := l.Verify(t.Context()); err != nil || report.Trees != 2 {
		t.Errorf("Verify() = %+v, %v, want two trees", report, err)
	}
}
