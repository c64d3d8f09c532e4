//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A release that is told to end removes what it had built, and writes nothing out.
func TestEndedReleaseLeavesNothing(t *testing.T) {
	if out := os.Getenv("SCRIM_TEST_RELEASE"); out != "" {
		os.Args = []string{"release", "-out", out, "-target", "linux/amd64"}
		main()
		os.Exit(0)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			tools, temp, begun := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "begun")
			// The go command answers what its settings are, and then builds without end.
			const tool = "#!/bin/sh\nif [ \"$1\" = env ]; then echo '{}'; exit 0; fi\n: >\"$SCRIM_TEST_BEGUN\"\nexec sleep 3600\n"
			if err := os.WriteFile(filepath.Join(tools, "go"), []byte(tool), 0o755); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "out")
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEndedReleaseLeavesNothing$")
			cmd.Env = append(os.Environ(), "SCRIM_TEST_RELEASE="+out, "SCRIM_TEST_BEGUN="+begun, "TMPDIR="+temp, "PATH="+tools+":"+os.Getenv("PATH"))
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- cmd.Wait() }()
			for {
				if _, err := os.Lstat(begun); err == nil {
					break
				}
				select {
				case err := <-done:
					t.Fatalf("the release ended before it built anything: %v\n%s", err, said.String())
				case <-time.After(5 * time.Millisecond):
				}
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			<-done
			if code := cmd.ProcessState.ExitCode(); code != 1 {
				t.Errorf("exit status %d (%s), want 1: %s", code, cmd.ProcessState, said.String())
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
				t.Errorf("%d directories are left (%v)", len(left), err)
			}
			if _, err := os.Lstat(out); err == nil {
				t.Error("something was written out")
			}
		})
	}
}
