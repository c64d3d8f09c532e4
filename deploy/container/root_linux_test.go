package container_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/loopback"
)

// The root file system of the image, made by hand: the program runs in it without a shell, a libc, /proc, /tmp or an account, writes
// to its state alone, is well, and ends when it is told to.
func TestTheProgramNeedsNothingElse(t *testing.T) {
	if os.Getenv("SCRIM_LONG") == "" {
		t.Skip("it builds the program; SCRIM_LONG=1 runs it")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may change the root directory")
	}
	root, err := os.MkdirTemp("", "scrim-root") // a test's own directory lies below one that is its user's alone
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	must(t, os.Chmod(root, 0o755))
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", filepath.Join(root, "scrim"), "./cmd/scrim")
	build.Dir, build.Env = filepath.Join("..", ".."), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	listen, err := loopback.Free()
	must(t, err)
	admin, err := loopback.Free()
	must(t, err)
	must(t, os.MkdirAll(filepath.Join(root, "etc", "scrim", "policies"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "etc", "scrim", "scrim.yaml"), []byte("version: 1\ndomain: clinic\ndata: /var/lib/scrim\nlisten: "+listen+"\nadmin: "+admin+"\n"), 0o644))
	state := filepath.Join(root, "var", "lib", "scrim")
	must(t, os.MkdirAll(state, 0o755))
	must(t, os.Chmod(state, 0o700))
	must(t, os.Chown(state, 65532, 65532))
	inside := func(args ...string) *exec.Cmd {
		cmd := exec.Command("/scrim", args...)
		cmd.Dir, cmd.Env = "/var/lib/scrim", []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		return cmd
	}
	probe := inside("version")
	if out, err := probe.CombinedOutput(); err != nil {
		if errors.Is(err, syscall.EPERM) {
			t.Skip("the root directory cannot be changed here")
		}
		t.Fatalf("%v: %s", err, out)
	}
	gateway := inside("run", "-c", "/etc/scrim/scrim.yaml")
	var said bytes.Buffer
	gateway.Stdout, gateway.Stderr = &said, &said
	must(t, gateway.Start())
	ended := make(chan error, 1)
	go func() { ended <- gateway.Wait() }()
	t.Cleanup(func() { _ = gateway.Process.Kill() })
	var out []byte
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if out, err = inside("health", "--admin", admin).CombinedOutput(); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("scrim health: %v: %s", err, out)
	}
	must(t, gateway.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-ended:
		if err != nil || !strings.Contains(said.String(), "stopped: every call ended") {
			t.Errorf("the gateway ended with %v: %s", err, said.String())
		}
	case <-time.After(time.Minute):
		t.Fatal("the gateway does not end")
	}
	if out, err := inside("health", "--admin", admin).CombinedOutput(); err == nil {
		t.Errorf("scrim health of a gateway that is gone: %s", out)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
