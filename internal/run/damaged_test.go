package run_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

// Two gateways on one data directory: the second says who has it and what to do, and the first goes on.
func TestSecondGatewayOnADirectoryIsRefused(t *testing.T) {
	c := load(t, lay(t, "version: 1\ndomain: clinic\n", nil))
	g, _, _ := serve(t, c, run.Options{})
	_, err := run.Open(t.Context(), c, run.Options{})
	if !errors.Is(err, store.ErrLocked) {
		t.Fatalf("a second Open() error = %v, want ErrLocked", err)
	}
	for _, want := range []string{c.Path(c.Data), "held by process", "stop it"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q in it", err, want)
		}
	}
	if err := g.Ready(t.Context()); err != nil {
		t.Errorf("the first gateway is no longer ready: %v", err)
	}
}

// A gateway does not start on a damaged database, and says which file it is and what to do. Nothing is made anew in its place.
func TestGatewayDoesNotStartOnADamagedDatabase(t *testing.T) {
	c := load(t, lay(t, "version: 1\ndomain: clinic\n", nil))
	_, _, stop := serve(t, c, run.Options{})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(c.Path(c.Data), "scrim.db")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(b); i++ { // all but the first page
		b[i] = 0xff
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		g, err := run.Open(t.Context(), c, run.Options{})
		if err == nil {
			_ = g.Close()
			t.Fatal("a gateway starts on a damaged database")
		}
		if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "keep a copy") {
			t.Errorf("error = %v, want ErrDamaged with %s and what to do", err, file)
		}
	}
}
