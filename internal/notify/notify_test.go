//go:build unix

package notify_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"github.com/scrimhq/scrim/internal/notify"
)

// listen is the service manager's end of the socket of that name.
func listen(t *testing.T, name string) (next func() string) {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return func() string {
		b := make([]byte, 4096)
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

// short is a path that a socket may have: long ones are refused by every kernel.
func short(t *testing.T) string {
	dir, err := os.MkdirTemp("", "notify")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func TestTheManagerIsTold(t *testing.T) {
	names := map[string]string{"a path": short(t)}
	if runtime.GOOS == "linux" {
		names["an abstract name"] = "@scrim-notify-" + filepath.Base(filepath.Dir(short(t)))
	}
	for what, name := range names {
		t.Run(what, func(t *testing.T) {
			next := listen(t, name)
			for _, step := range []struct {
				tell func() error
				want string
			}{
				{func() error { return notify.Ready("for agents at 127.0.0.1:7070\nREADY=0") }, `^READY=1\nSTATUS=for agents at 127.0.0.1:7070\n$`},
				{notify.Reloading, `^RELOADING=1\n(MONOTONIC_USEC=[0-9]+\n)?$`},
				{notify.Stopping, `^STOPPING=1\nSTATUS=open calls are ending\n$`},
			} {
				if err := step.tell(); err != nil {
					t.Fatal(err)
				}
				if got := next(); !regexp.MustCompile(step.want).MatchString(got) {
					t.Errorf("the manager was told %q, want %s", got, step.want)
				}
			}
		})
	}
}

func TestWithoutAManagerNothingIsTold(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := notify.Ready("here"); err != nil {
		t.Errorf("Ready() error = %v, want nil: nobody asked", err)
	}
	t.Setenv("NOTIFY_SOCKET", short(t))
	if err := notify.Ready("here"); err == nil {
		t.Error("Ready() error = nil, though nobody listens at the socket")
	}
}
