package durable_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/store/durable"
)

func TestALockIsHeldOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|durable.NoFollow, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	first, second := open(), open()
	if err := durable.Lock(first); err != nil {
		t.Fatal(err)
	}
	if err := durable.Lock(second); !errors.Is(err, durable.ErrHeld) {
		t.Errorf("the second lock: error = %v, want ErrHeld", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := durable.Lock(second); err != nil {
		t.Errorf("after the first was closed: %v", err)
	}
}

func TestAFileIsReplaced(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "new"), filepath.Join(dir, "old")
	for name, text := range map[string]string{from: "new", to: "old"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(durable.Rename(from, to), durable.SyncDir(dir)); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(to); err != nil || string(b) != "new" {
		t.Errorf("it holds %q (%v)", b, err)
	}
	if err := durable.SyncDir(filepath.Join(dir, "none")); err == nil && os.PathSeparator == '/' {
		t.Error("a directory that is not there was synced")
	}
}
