package audit_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const killDir = "SCRIM_TEST_JOURNAL_DIR"

// TestJournalThatIsKilled is the child process: it writes rows as fast as it can, and tells of each that is durable, until it is killed.
func TestJournalThatIsKilled(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("this is the process that TestKillLosesAndDoublesNothing kills")
	}
	db := storetest.OpenDir(t, dir, audit.Schema())
	l, err := audit.Open(t.Context(), db, origin, key(1), audit.Options{Dir: filepath.Join(dir, "log"), Archive: filepath.Join(dir, "kept"), Every: 100, Publish: 20 * time.Millisecond})
	if err != nil {
		fmt.Printf("\nopening: %v\n", err)
		return
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				var r flow.Receipt
				err := db.Update(t.Context(), func(tx store.Tx) (err error) {
					r, err = l.Append(tx, event(i), audit.Private{Sealed: []byte("sealed")})
					return err
				})
				mu.Lock()
				if err != nil {
					fmt.Printf("\nappending: %v\n", err)
				} else {
					fmt.Printf("\nrow %d %d %x\n", r.Seq, r.Index, r.Hash)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// A process that writes rows is killed at any instant, again and again. Each row that it said is durable is in the tree exactly once, at the
// leaf that its receipt named.
func TestKillLosesAndDoublesNothing(t *testing.T) {
	storetest.Prepare(t)
	kills := 5
	if os.Getenv("SCRIM_LONG") != "" {
		kills = 30
	}
	dir := t.TempDir()
	told := map[int64]flow.Receipt{}
	for round := range kills {
		cmd := osexec.Command(os.Args[0], "-test.run=^TestJournalThatIsKilled$", "-test.v")
		cmd.Env = append(os.Environ(), killDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		once := sync.OnceFunc(func() {
			time.AfterFunc(time.Duration(rand.IntN(80))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		})
		before := len(told)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			var r flow.Receipt
			var hash string
			switch n, _ := fmt.Sscanf(sc.Text(), "row %d %d %64s", &r.Seq, &r.Index, &hash); {
			case n == 3 && len(hash) == 64:
				if _, err := hex.Decode(r.Hash[:], []byte(hash)); err != nil {
					t.Fatal(err)
				}
				if _, ok := told[r.Seq]; ok {
					t.Fatalf("row %d was written twice", r.Seq)
				}
				told[r.Seq] = r
				once()
			case n > 0 || len(sc.Text()) > 8 && (sc.Text()[:8] == "opening:" || sc.Text()[:9] == "appending"):
				t.Logf("round %d: %s", round, sc.Text())
			}
		}
		_ = cmd.Wait() // it was killed
		if len(told) == before {
			t.Fatalf("round %d wrote nothing", round)
		}
	}
	db := storetest.OpenDir(t, dir, audit.Schema())
	l := openLog(t, db, audit.Options{Dir: filepath.Join(dir, "log"), Archive: filepath.Join(dir, "kept")})
	c := checkpoint(t, l)
	report, err := l.Verify(t.Context())
	if err != nil || report.Covered != report.Entries || report.Size != report.Entries+1 || report.Entries < int64(len(told)) {
		t.Fatalf("after %d kills Verify() = %+v, %v, want %d rows or more, each in the tree once", kills, report, err, len(told))
	}
	for _, r := range told {
		if leaf, err := tile.Leaf(t.Context(), l.Tree(""), c, r.Index); err != nil || leaf != r.Hash {
			t.Fatalf("row %d is not the leaf that its receipt names: %v", r.Seq, err)
		}
	}
	t.Logf("%d kills, %d rows told of, %d written", kills, len(told), report.Entries)
}
