package tile_test

import (
	"fmt"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
)

// TestAppendAndPublishAtOnce has writers, a publisher and readers work together; each checkpoint continues the one before, and all
// leaves are there in the end, once.
func TestAppendAndPublishAtOnce(t *testing.T) {
	const writers, batches, batch = 4, 40, 17
	key := newKey(t)
	l := open(t, t.TempDir(), key, tile.Options{Tail: 4000, Memory: 8000, Keep: 1, Fault: newPower(0, true).fault})
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for b := range batches {
				var list [][]byte
				for i := range batch {
					list = append(list, fmt.Appendf(nil, "%d/%d/%d", w, b, i))
				}
				if err := l.Append(list); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	reading.Go(func() {
		last := tile.Checkpoint{}
		for {
			c, err := l.Publish(t.Context(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			if last.Size > 0 && c.Size > last.Size {
				proof, err := tile.Consistency(t.Context(), l.Reader(), c, last.Size)
				if err == nil {
					err = tlog.CheckTree(proof, c.Size, c.Root, last.Size, last.Root)
				}
				if err != nil {
					t.Errorf("from %d to %d: %v", last.Size, c.Size, err)
				}
			}
			last = c
			select {
			case <-done:
				return
			default:
			}
		}
	})
	writing.Wait()
	close(done)
	reading.Wait()
	c, err := l.Publish(t.Context(), nil)
	if err != nil || c.Size != writers*batches*batch {
		t.Fatalf("%d leaves, %v; want %d", c.Size, err, writers*batches*batch)
	}
	seen := map[string]bool{}
	for n := int64(0); n < c.Size; n += tile.Width {
		width := int(min(tile.Width, c.Size-n))
		bundle, err := l.Reader().Bundle(t.Context(), n/tile.Width, width%tile.Width)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := tile.SplitBundle(bundle, width)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if seen[string(e)] {
				t.Fatalf("leaf %q is there twice", e)
			}
			seen[string(e)] = true
		}
	}
	if int64(len(seen)) != c.Size {
		t.Fatalf("%d different leaves, want %d", len(seen), c.Size)
	}
}
