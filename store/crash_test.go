package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const crashDir = "SCRIM_STORE_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		os.Exit(writeUntilKilled(dir))
	}
	os.Exit(m.Run())
}

// writeUntilKilled is the child: it writes from many goroutines and prints each id once Update has returned.
func writeUntilKilled(dir string) int {
	db, err := storetest.Dir(context.Background(), dir, store.Options{}, storetest.Things())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var next atomic.Int64
	err = db.View(context.Background(), func(tx store.Tx) error {
		var last int64
		err := tx.QueryRow("SELECT coalesce(max(id), 0) FROM things").Scan(&last)
		next.Store(last)
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				id := next.Add(1)
				if err := db.Update(context.Background(), addThing(int(id))); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				os.Stdout.WriteString(fmt.Sprintf("%d\n", id)) // one write: a line is whole or not there
			}
		})
	}
	wg.Wait()
	return 0
}

// What Update acknowledged is there after the process was killed at any moment.
func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("runs and kills processes")
	}
	const kills = 12
	survive(t, kills, "SCRIM_TEST_STORE=", func(dir string) store.DB { return openDir(t, dir, storetest.Things()) })
}

func survive(t *testing.T, kills int, env string, open func(dir string) store.DB) {
	t.Helper()
	dir := t.TempDir()
	acknowledged := map[int]bool{}
	for range kills {
		for _, id := range runAndKill(t, dir, env, time.Duration(20+rand.IntN(180))*time.Millisecond) {
			acknowledged[id] = true
		}
		db := open(dir)
		lost := 0
		err := db.View(t.Context(), func(tx store.Tx) error {
			for id := range acknowledged {
				var n int
				if err := tx.QueryRow("SELECT count(*) FROM things WHERE id = ?", id).Scan(&n); err != nil {
					return err
				}
				lost += 1 - n
			}
			return nil
		})
		if err != nil || lost > 0 {
			t.Fatalf("%d of %d acknowledged updates are lost (error %v)", lost, len(acknowledged), err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acknowledged) < kills {
		t.Fatalf("only %d updates were acknowledged in %d runs", len(acknowledged), kills)
	}
	t.Logf("%d acknowledged updates survived %d kills", len(acknowledged), kills)
}

// runAndKill starts the child, kills it after it has been writing for so long, and returns the ids it acknowledged.
func runAndKill(t *testing.T, dir, env string, after time.Duration) []int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, env)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ids []int
	var once sync.Once
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		once.Do(func() { time.AfterFunc(after, func() { cmd.Process.Kill() }) })
		var id int
		if _, err := fmt.Sscan(lines.Text(), &id); err == nil {
			ids = append(ids, id)
		}
	}
	_ = cmd.Wait() // killed
	if stderr.Len() > 0 {
		t.Fatalf("the child says: %s", stderr.String())
	}
	return ids
}
