package file

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/table"
)

var columns = []table.Column{{Name: "a"}, {Name: "b"}}

func create(t testing.TB, path, tag string, resume bool) *Partial {
	t.Helper()
	p, err := Create(path, columns, table.Run{Tag: tag, Resume: resume})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func put(t testing.TB, p *Partial, s string) {
	t.Helper()
	if err := p.Write([]byte(s), 1); err != nil {
		t.Fatal(err)
	}
}

func TestResumeGoesOnBehindTheLastCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dst")
	p := create(t, path, "tag", false)
	put(t, p, "one\n")
	if err := p.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	put(t, p, strings.Repeat("lost", 100)) // longer than what will be written in its place
	p.Close()
	if stat, err := os.Stat(path + Passing); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("passing file: %v, %v, want mode 0600", stat, err)
	}
	for name, run := range map[string]table.Run{"not resumed": {Tag: "tag"}, "another tag": {Tag: "other", Resume: true}} {
		want := table.ErrPartial
		if !run.Resume {
			want = table.ErrExists
		}
		if _, err := Create(path, columns, run); !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", name, err, want)
		}
	}
	if _, err := Create(path, columns[:1], table.Run{Tag: "tag", Resume: true}); !errors.Is(err, table.ErrPartial) {
		t.Errorf("other columns: error %v, want ErrPartial", err)
	}
	p = create(t, path, "tag", true)
	if p.Rows() != 1 {
		t.Errorf("Rows() = %d, want 1", p.Rows())
	}
	if _, err := Create(path, columns, table.Run{Tag: "tag", Resume: true}); !errors.Is(err, table.ErrExists) {
		t.Errorf("two at once: error %v, want ErrExists", err)
	}
	if err := Discard(path); !errors.Is(err, table.ErrExists) {
		t.Errorf("discarded while written: error %v, want ErrExists", err)
	}
	put(t, p, "two\n")
	if err := p.Commit(); err == nil {
		t.Error("committed without being finished")
	}
	digest, err := p.Finish()
	sum := sha256.Sum256([]byte("one\ntwo\n"))
	if err != nil || digest != "sha256:"+hex.EncodeToString(sum[:]) {
		t.Errorf("Finish() = %s, %v", digest, err)
	}
	if err := p.Write([]byte("more"), 1); err == nil {
		t.Error("written to after it was finished")
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the final name is there before Commit")
	}
	p.Close()
	p = create(t, path, "tag", true) // finished, and crashed before the commit
	if _, err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "one\ntwo\n" {
		t.Errorf("published %q", b)
	}
	left, _ := filepath.Glob(path + ".*")
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := Create(path, columns, table.Run{Tag: "tag", Resume: true}); !errors.Is(err, table.ErrExists) {
		t.Errorf("final name taken: error %v, want ErrExists", err)
	}
}

func TestResumeRefusesWhatIsNotAsItWasLeft(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"shorter":         func(path string) error { return os.Truncate(path+Passing, 2) },
		"other bytes":     func(path string) error { return os.WriteFile(path+Passing, []byte("oNe\n"), 0o600) },
		"no state":        func(path string) error { return os.Remove(path + Beside) },
		"damaged state":   func(path string) error { return os.WriteFile(path+Beside, []byte(`{"scrim":"partial/1"}`), 0o600) },
		"state too large": func(path string) error { return os.WriteFile(path+Beside, make([]byte, mostState+5), 0o600) },
	} {
		path := filepath.Join(t.TempDir(), "dst")
		p := create(t, path, "tag", false)
		put(t, p, "one\n")
		if err := p.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		p.Close()
		if err := spoil(path); err != nil {
			t.Fatal(err)
		}
		if _, err := Create(path, columns, table.Run{Tag: "tag", Resume: true}); !errors.Is(err, table.ErrPartial) {
			t.Errorf("%s: error %v, want ErrPartial", name, err)
		}
		if err := Discard(path); err != nil {
			t.Errorf("%s: Discard: %v", name, err)
		}
		create(t, path, "tag", false)
	}
}

func TestDestinationsThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "dangling"))
	os.WriteFile(filepath.Join(dir, "victim"), []byte("stays"), 0o600)
	os.Symlink(filepath.Join(dir, "victim"), filepath.Join(dir, "link"+Passing))
	os.Mkdir(filepath.Join(dir, "dir"), 0o700)
	for name, c := range map[string]struct {
		path string
		want error
	}{
		"a link that leads nowhere":  {"dangling", table.ErrExists},
		"a directory":                {"dir", table.ErrExists},
		"a link at the passing name": {"link", nil},
		"no such directory":          {"none/dst", fs.ErrNotExist},
	} {
		for _, resume := range []bool{false, true} {
			_, err := Create(filepath.Join(dir, c.path), columns, table.Run{Resume: resume})
			e, ok := errors.AsType[*table.Error](err)
			if !ok || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: error %v, want %v", name, err, c.want)
			} else if e.Why == "" {
				t.Errorf("%s: no reason given", name)
			}
		}
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "victim")); string(b) != "stays" {
		t.Errorf("what a link led to was written: %q", b)
	}
	if os.Getuid() != 0 {
		ro := filepath.Join(dir, "ro")
		os.Mkdir(ro, 0o500)
		if _, err := Create(filepath.Join(ro, "dst"), columns, table.Run{}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("read-only directory: error %v, want ErrPermission", err)
		}
	}
}

func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dst")
	p := create(t, path, "tag", false)
	put(t, p, "one\n")
	if err := p.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	disk := p.write
	p.write = func(b []byte) (int, error) {
		n, _ := disk(b[:len(b)/2])
		return n, &fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
	}
	err := p.Write([]byte("canary"), 1)
	if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "canary") {
		t.Errorf("error %v, want ENOSPC", err)
	}
	p.write = disk
	if err := p.Write([]byte("more"), 1); err == nil {
		t.Error("written to after an error")
	}
	if _, err := p.Finish(); err == nil {
		t.Error("finished after an error")
	}
	if err := p.Commit(); err == nil {
		t.Error("committed after an error")
	}
	p.Close()
	p = create(t, path, "tag", true)
	put(t, p, "two\n")
	if _, err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "one\ntwo\n" {
		t.Errorf("published %q", b)
	}
}

// TestCommitReplacesNothing lets a stranger and the writer race for the final name, by both ways of renaming.
func TestCommitReplacesNothing(t *testing.T) {
	for i, move := range []func(from, to string) error{moveNew, linkNew} {
		won := 0
		for range 200 {
			dir := t.TempDir()
			from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
			os.WriteFile(from, []byte("ours"), 0o600)
			var both sync.WaitGroup
			var ours, theirs error
			var start atomic.Bool
			both.Go(func() {
				for !start.Load() {
				}
				ours = move(from, to)
			})
			both.Go(func() {
				for !start.Load() {
				}
				time.Sleep(time.Duration(rand.IntN(60)) * time.Microsecond)
				var f *os.File
				if f, theirs = os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); theirs == nil {
					f.WriteString("theirs")
					f.Close()
				}
			})
			start.Store(true)
			both.Wait()
			b, _ := os.ReadFile(to)
			switch {
			case ours == nil && errors.Is(theirs, fs.ErrExist) && string(b) == "ours":
				won++
			case theirs == nil && errors.Is(ours, fs.ErrExist) && string(b) == "theirs":
			default:
				t.Fatalf("way %d: ours %v, theirs %v, %q stands there", i, ours, theirs, b)
			}
		}
		t.Logf("way %d: won %d of 200", i, won)
	}
}

// rows is what the killed child writes, row by row.
const rows = 3000

func row(i int64) string { return fmt.Sprintf("row %d of those that are written\n", i) }

func child(path string, last int64, held bool) error {
	p, err := Create(path, columns, table.Run{Tag: "tag", Resume: true})
	if err != nil {
		return err
	}
	defer p.Close()
	for i := p.Rows(); i < last; i++ {
		if held && i == last/2 {
			time.Sleep(time.Hour)
		}
		if err := p.Write([]byte(row(i)), 1); err != nil {
			return err
		}
		if i%50 == 0 {
			if err := p.Checkpoint(); err != nil {
				return err
			}
		}
	}
	if _, err := p.Finish(); err != nil {
		return err
	}
	return p.Commit()
}

// TestKilledAndResumed kills a writing process at random moments until one gets through. The published file must be the one that
// nobody disturbed, and there must be none before.
func TestKilledAndResumed(t *testing.T) {
	if path := os.Getenv("SCRIM_TEST_PARTIAL"); path != "" {
		if err := child(path, rows, os.Getenv("SCRIM_TEST_PARTIAL_HELD") != ""); err != nil {
			t.Fatal(err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "dst")
	var want bytes.Buffer
	for i := range int64(rows) {
		want.WriteString(row(i))
	}
	kills := 0
	for round := 0; ; round++ {
		if round == 200 {
			t.Fatal("no process got through")
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledAndResumed$")
		cmd.Env = append(os.Environ(), "SCRIM_TEST_PARTIAL="+path)
		patience := time.Duration(1+rand.IntN(40)) * time.Millisecond
		if round == 0 {
			patience = 0 // on a quick machine all others may get through, and this one must not
			cmd.Env = append(cmd.Env, "SCRIM_TEST_PARTIAL_HELD=1")
		} else if round > 15 {
			patience = time.Minute
		}
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		var err error
		select {
		case err = <-done:
		case <-time.After(patience):
			cmd.Process.Kill()
			err = <-done
		}
		b, readErr := os.ReadFile(path)
		if readErr == nil {
			if !bytes.Equal(b, want.Bytes()) {
				t.Fatalf("published %d bytes after %d kills, want %d others", len(b), kills, want.Len())
			}
			break
		}
		if err == nil {
			t.Fatalf("done, and nothing is published: %v", readErr)
		}
		if cmd.ProcessState.ExitCode() >= 0 {
			t.Fatalf("did not resume after %d kills: %s", kills, out.String())
		}
		kills++
	}
	if kills == 0 {
		t.Error("no process was killed: nothing is shown")
	}
	t.Logf("%d kills", kills)
}

func TestCompressedInput(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte("a,b\n1,2\n"))
	z.Close()
	path := filepath.Join(t.TempDir(), "in.csv.gz")
	os.WriteFile(path, b.Bytes(), 0o600)
	in, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := in.Stream()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := io.ReadAll(s)
	sum := sha256.Sum256(b.Bytes())
	if err != nil || string(got) != "a,b\n1,2\n" || in.Digest() != "sha256:"+hex.EncodeToString(sum[:]) {
		t.Errorf("got %q, %v, digest %s", got, err, in.Digest())
	}
	os.WriteFile(path, b.Bytes()[:b.Len()-3], 0o600)
	if in, err = Open(path); err != nil {
		t.Fatal(err)
	}
	if s, err = in.Stream(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := io.ReadAll(s); err == nil || in.Digest() != "" {
		t.Errorf("cut short: error %v, digest %q, want an error and none", err, in.Digest())
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a directory was opened as a table")
	}
}

func FuzzState(f *testing.F) {
	f.Add(state{Tag: "t", Columns: "c", Rows: 1, Bytes: 2, Digest: "sha256:00"}.encode())
	f.Add([]byte(`{"scrim":"partial/1"}`))
	f.Add([]byte("tag\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := parseState(b); ok && !bytes.Equal(s.encode(), b) {
			t.Fatalf("accepted a state that is not as it is written: %q", b)
		}
		if !utf8.Valid(b) {
			if _, err := Create(filepath.Join(t.TempDir(), "dst"), columns, table.Run{Tag: string(b)}); err == nil {
				t.Fatal("a tag that a state cannot hold was taken")
			}
			return
		}
		s := state{Tag: string(b), Rows: int64(len(b))}
		if got, ok := parseState(s.encode()); !ok || got.Rows != s.Rows {
			t.Fatalf("a state that was written is not read")
		}
	})
}
