package tile_test

import (
	"bufio"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
)

var errDisk = errors.New("the disk is gone")

// power is a disk that fails from its stop-th change on, or only then, and that knows what a power cut would take away.
type power struct {
	mu     sync.Mutex
	stop   int
	once   bool
	count  int
	files  map[string]bool // written, not synced
	names  map[string]undo // renamed, their folder not synced
	random *rand.Rand
}

// undo is what a name meant before.
type undo struct {
	had  bool
	data []byte
}

func newPower(stop int, once bool) *power {
	return &power{stop: stop, once: once, files: map[string]bool{}, names: map[string]undo{}, random: rand.New(rand.NewPCG(uint64(stop), 1))}
}

func (p *power) fault(op, path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	if p.count == p.stop || p.count > p.stop && !p.once {
		if op == "write" {
			p.files[path] = true
		}
		return errDisk
	}
	switch op {
	case "write", "truncate":
		p.files[path] = true
	case "sync":
		delete(p.files, path)
		for name := range p.names {
			if filepath.Dir(name) == path {
				delete(p.names, name)
			}
		}
		return tile.ErrSkip
	case "rename":
		path, to, _ := strings.Cut(path, " → ")
		if _, ok := p.names[to]; !ok {
			data, err := os.ReadFile(to)
			p.names[to] = undo{err == nil, data}
		}
		if p.files[path] {
			delete(p.files, path)
			p.files[to] = true
		} else {
			delete(p.files, to)
		}
	}
	return nil
}

// cut takes away what was not synced: at random all of a file, its end, or nothing; and at random what a rename did.
func (p *power) cut(t *testing.T) {
	t.Helper()
	for path := range p.files {
		info, err := os.Stat(path)
		if err != nil || p.random.IntN(3) == 0 || strings.HasSuffix(path, "tail") { // the tail is cut below
			continue
		}
		if err := os.Truncate(path, int64(p.random.IntN(int(info.Size())+1))); err != nil {
			t.Fatal(err)
		}
	}
	for path, old := range p.names {
		var err error
		switch {
		case p.random.IntN(2) == 0:
		case old.had:
			err = os.WriteFile(path, old.data, 0o600)
		default:
			err = os.RemoveAll(path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// workload appends up to size leaves in batches and publishes now and then. It tells what was acknowledged, also when it fails.
type workload struct {
	acked, asked int64 // leaves
	shown        []int64
}

func (w *workload) run(l *tile.Log, size int64, publish func() (tile.Checkpoint, error)) error {
	for i := 0; l.Size() < size; i++ {
		w.asked = min(size, l.Size()+[]int64{1, 70, 300, 5}[i%4])
		if err := l.Append(leaves(l.Size(), w.asked)); err != nil {
			return err
		}
		w.acked = w.asked
		if i%3 == 2 {
			c, err := publish()
			if err != nil {
				return err
			}
			w.shown = append(w.shown, c.Size)
		}
	}
	return nil
}

// stride is how many changes lie between two that are tried; the long tests try all.
func stride() int {
	if os.Getenv("SCRIM_LONG") != "" {
		return 1
	}
	return 11
}

// TestNothingIsLostOrDoubledWhereverItStops cuts the power after each change of the disk in turn.
func TestNothingIsLostOrDoubledWhereverItStops(t *testing.T) {
	const size = 1500
	want, key := newReference(t, size), newKey(t)
	stops := 0
	for stop := 1; ; stop += stride() {
		disk, dir := newPower(stop, false), t.TempDir()
		opt := tile.Options{Fault: disk.fault, Tail: 3000, Keep: 1, Memory: 4000}
		var w workload
		l, err := tile.Open(dir, origin, key, opt)
		if err == nil {
			err = w.run(l, size, func() (tile.Checkpoint, error) { return l.Publish(t.Context(), nil) })
			_ = l.Close()
		}
		if err == nil {
			break // it came through before the stop
		}
		if !errors.Is(err, errDisk) {
			t.Fatalf("stopped at change %d: %v, want the disk's error", stop, err)
		}
		stops++
		disk.cut(t)
		comeBack(t, dir, key, want, w, size)
		if t.Failed() {
			t.Fatalf("stopped at change %d of the disk", stop)
		}
	}
	if stops*stride() < 100 {
		t.Fatalf("only %d changes of the disk were tried", stops)
	}
	t.Logf("%d stops", stops)
}

// comeBack opens the log after a crash and goes on.
func comeBack(t *testing.T, dir string, key []byte, want *reference, w workload, size int64) {
	t.Helper()
	l, err := tile.Open(dir, origin, asKey(key), tile.Options{Tail: 3000, Keep: 1, Fault: newPower(0, true).fault})
	if err != nil {
		t.Errorf("Open() after the crash: %v", err)
		return
	}
	defer l.Close()
	got := l.Size()
	if got != w.acked && got != w.asked {
		t.Errorf("%d leaves are there, want the %d acknowledged or the %d that were being added", got, w.acked, w.asked)
	}
	if l.Root() != want.root(t, got) {
		t.Errorf("the tree of %d leaves has another root", got)
	}
	for _, old := range w.shown { // what was shown to somebody stays provable
		c := tile.Checkpoint{Origin: origin, Size: old, Root: want.root(t, old)}
		if _, err := tile.Inclusion(t.Context(), l.Reader(), c, old-1); err != nil {
			t.Errorf("the tree of %d leaves, once published: %v", old, err)
		}
	}
	if err := w.run(l, size, func() (tile.Checkpoint, error) { return l.Publish(t.Context(), nil) }); err != nil {
		t.Errorf("going on: %v", err)
		return
	}
	c, err := l.Publish(t.Context(), nil)
	if err != nil || c.Size != size || c.Root != want.root(t, size) {
		t.Errorf("at the end: %d leaves, %v, want %d with the root of package tlog", c.Size, err, size)
		return
	}
	for n := int64(0); n < size; n += 100 {
		if e, err := tile.Entry(t.Context(), l.Reader(), c, n); err != nil || string(e) != string(leaf(n)) {
			t.Errorf("entry %d: %q, %v", n, e, err)
		}
	}
}

// TestDiskThatFailsOnce lets each change fail by itself: the caller gets the error, asks again, and nothing else is different.
func TestDiskThatFailsOnce(t *testing.T) {
	const size = 1500
	want, key := newReference(t, size), newKey(t)
	for stop := 1; ; stop += stride() {
		disk, dir := newPower(stop, true), t.TempDir()
		opt := tile.Options{Fault: disk.fault, Tail: 3000, Keep: 1, Memory: 4000}
		var w workload
		failed := 0
		l, err := tile.Open(dir, origin, key, opt)
		for err != nil && failed < 3 {
			failed++
			l, err = tile.Open(dir, origin, key, opt)
		}
		for err == nil {
			if err = w.run(l, size, func() (tile.Checkpoint, error) { return l.Publish(t.Context(), nil) }); err == nil {
				break
			}
			if failed++; errors.Is(err, errDisk) && failed < 3 {
				if l.Size() != w.acked {
					t.Fatalf("change %d failed: %d leaves, want the %d acknowledged", stop, l.Size(), w.acked)
				}
				err = nil
			}
		}
		if err != nil {
			t.Fatalf("change %d failed once: %v", stop, err)
		}
		_ = l.Close() // may be what fails
		comeBack(t, dir, key, want, w, size)
		if t.Failed() {
			t.Fatalf("change %d of the disk failed once", stop)
		}
		if disk.count < stop {
			return
		}
	}
}

// TestTailThatWasChangedIsRefused flips each byte of a tail: Open says so, or finds fewer leaves where only the last frame can be
// meant; it never finds others.
func TestTailThatWasChangedIsRefused(t *testing.T) {
	dir, key := t.TempDir(), newKey(t)
	l := open(t, dir, key, tile.Options{})
	for _, to := range []int64{3, 5} {
		if err := l.Append(leaves(l.Size(), to)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[tlog.Hash]bool{}
	for n := range int64(6) {
		want[newReference(t, n).root(t, n)] = true
	}
	if _, err := l.Publish(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, ".state", "tail")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		changed := append([]byte(nil), whole...)
		changed[i] ^= 1 << (i % 8)
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := tile.Open(dir, origin, key, tile.Options{})
		if err == nil {
			t.Fatalf("byte %d changed: Open() found %d leaves, want ErrCorrupt: they had been published", i, l.Size())
		}
		if !errors.Is(err, tile.ErrCorrupt) {
			t.Fatalf("byte %d changed: Open() error = %v, want ErrCorrupt", i, err)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != string(changed) {
			t.Fatalf("byte %d changed: Open() wrote to what it refused", i)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := tile.Open(dir, origin, key, tile.Options{}); !errors.Is(err, tile.ErrCorrupt) {
		t.Fatalf("Open() without a tail: error = %v, want ErrCorrupt", err)
	}
}

// TestOldCopyIsRefused restores the tail of before a publication.
func TestOldCopyIsRefused(t *testing.T) {
	dir, key := t.TempDir(), newKey(t)
	l := open(t, dir, key, tile.Options{})
	path := filepath.Join(dir, ".state", "tail")
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(leaves(0, 9)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Publish(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Close(), os.WriteFile(path, old, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := tile.Open(dir, origin, key, tile.Options{}); !errors.Is(err, tile.ErrCorrupt) {
		t.Fatalf("Open() of an older tail: error = %v, want ErrCorrupt", err)
	}
}

// TestKilledWriter kills a process that appends, at a random moment, again and again on one directory.
func TestKilledWriter(t *testing.T) {
	rounds := 5
	if os.Getenv("SCRIM_LONG") != "" {
		rounds = 40
	}
	dir, key := t.TempDir(), newKey(t)
	for range rounds {
		acked := killed(t, dir, key)
		l, err := tile.Open(dir, origin, key, tile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		size := l.Size()
		if size < acked || l.Root() != newReference(t, size).root(t, size) {
			t.Fatalf("%d leaves after the kill, %d were acknowledged", size, acked)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

const childEnv = "SCRIM_TILE_CHILD"

// killed runs TestChild in a process of its own, kills it and returns what it had acknowledged.
func killed(t *testing.T, dir string, key []byte) (acked int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir, childEnv+"_KEY="+hex.EncodeToString(asKey(key).Seed()))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	begin := sync.OnceFunc(func() {
		time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { _ = cmd.Process.Kill() })
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if n, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
			acked = n
			begin()
		}
	}
	_ = cmd.Wait()
	if acked == 0 {
		t.Fatal("the child acknowledged nothing")
	}
	return acked
}

// TestChild is what TestKilledWriter kills.
func TestChild(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		return // not the child
	}
	seed, err := hex.DecodeString(os.Getenv(childEnv + "_KEY"))
	if err != nil {
		t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(seed)
	l, err := tile.Open(dir, origin, key, tile.Options{Tail: 20_000, Keep: 1})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			_, _ = l.Publish(t.Context(), nil)
			time.Sleep(3 * time.Millisecond)
		}
	}()
	for {
		size := l.Size()
		if err := l.Append(leaves(size, size+1+size%90)); err != nil {
			t.Fatal(err)
		}
		fmt.Println(l.Size())
	}
}
