package run_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/backup"
	"github.com/scrimhq/scrim/internal/run"
)

// stuck is an archive that never comes to its end.
type stuck struct{ io.Reader }

func (s stuck) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil {
		time.Sleep(time.Hour)
	}
	return n, err
}

func restoreAll(archive, target string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	var in io.Reader = file
	if os.Getenv("SCRIM_TEST_RESTORE_STUCK") != "" {
		in = stuck{file}
	}
	people, err := os.Open(filepath.Join(filepath.Dir(archive), run.SubjectsFile))
	if err != nil {
		return err
	}
	defer people.Close()
	_, err = backup.Restore(context.Background(), backup.Restoration{
		Archive: in, Key: backup.Key{Passphrase: flow.NewSecret(backupPhrase)}, Schemas: run.Schemas(), Reason: "the process was killed",
		People: people, PeopleKey: backup.Key{Passphrase: flow.NewSecret(backupPhrase + ", for subjects")},
	}, target)
	return err
}

// TestARestoreThatIsKilled kills a restoring process at random moments. Its target is not there, or whole; the next restore removes what was left.
func TestARestoreThatIsKilled(t *testing.T) {
	if archive := os.Getenv("SCRIM_TEST_RESTORE"); archive != "" {
		if err := restoreAll(archive, os.Getenv("SCRIM_TEST_RESTORE_TO")); err != nil {
			t.Fatal(err)
		}
		return
	}
	w := layWatched(t)
	g, _, stop := serve(t, w.c, run.Options{})
	archive, _ := take(t, g)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	room := t.TempDir()
	target := filepath.Join(room, "restored")
	kills, left := 0, 0
	for round := 0; ; round++ {
		if round == 60 {
			t.Fatal("no process got through")
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestARestoreThatIsKilled$")
		cmd.Env = append(os.Environ(), "SCRIM_TEST_RESTORE="+archive, "SCRIM_TEST_RESTORE_TO="+target)
		if round == 0 {
			cmd.Env = append(cmd.Env, "SCRIM_TEST_RESTORE_STUCK=1")
		}
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		var err error
		if round == 0 { // while it is known not to be through
			for staged(room) == left && len(done) == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		patience := time.Duration(rand.IntN(1500)) * time.Millisecond
		if round == 0 {
			patience = 0
		} else if round > 8 {
			patience = 2 * time.Minute
		}
		select {
		case err = <-done:
		case <-time.After(patience):
			_ = cmd.Process.Kill() // it may be through
			err = <-done
		}
		if cmd.ProcessState.ExitCode() < 0 {
			kills++
		}
		if _, there := os.Lstat(target); there == nil {
			break
		} else if !errors.Is(there, fs.ErrNotExist) || err == nil {
			t.Fatalf("the restore ended with %v, and its target: %v", err, there)
		}
		if cmd.ProcessState.ExitCode() >= 0 {
			t.Fatalf("a restore after %d kills failed: %s", kills, out.String())
		}
		if left = staged(room); left > 1 {
			t.Fatalf("%d directories of killed restores are left", left)
		}
	}
	if kills == 0 {
		t.Error("no process was killed: nothing is shown")
	}
	c := load(t, filepath.Join(target, "scrim.yaml"))
	if _, err := opened(t, c).Verify(t.Context(), c); err != nil {
		t.Errorf("what was restored after %d kills does not verify: %v", kills, err)
	}
	// One that was killed between giving the name and cleaning up: the next one, which is refused, removes it.
	late := filepath.Join(room, ".restored.restoring-1")
	if err := os.MkdirAll(filepath.Join(late, "people"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := restoreAll(archive, target); !errors.Is(err, backup.ErrThere) {
		t.Errorf("a restore over another one: %v", err)
	}
	if n := staged(room); n != 0 {
		t.Errorf("%d directories of killed restores are left", n)
	}
	t.Logf("%d kills", kills)
}

// staged counts directories in which archives are unpacked.
func staged(room string) (n int) {
	all, _ := filepath.Glob(filepath.Join(room, ".restored.restoring-*")) // the pattern is good
	for _, name := range all {
		if !strings.HasSuffix(name, ".lock") {
			n++
		}
	}
	return n
}
