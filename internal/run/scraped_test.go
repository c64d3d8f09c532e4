package run_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/loopback"
	"github.com/scrimhq/scrim/internal/run"
)

// A Prometheus reads metrics without a token at an address of their own, and nothing else is there.
func TestMetricsAtAnAddressOfTheirOwn(t *testing.T) {
	addr, err := loopback.Free()
	if err != nil {
		t.Fatal(err)
	}
	_, _, stop := serve(t, load(t, lay(t, "version: 1\ndomain: clinic\nmetrics: "+addr+"\n", nil)), run.Options{})
	for path, want := range map[string]int{"/metrics": 200, "/": 404, "/-/healthz": 404, "/api/v1/log/entries": 404} {
		res, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("GET %s: status %d, want %d", path, res.StatusCode, want)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Kubernetes mounts files as links through one link, ..data, and changes that alone.
func TestAMountedConfigurationIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	write := func(version, domain string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, version, "policies"), 0o755); err != nil {
			t.Fatal(err)
		}
		yaml := fmt.Sprintf("version: 1\ndomain: clinic\ndata: %s\nlisten: 127.0.0.1:0\nadmin: 127.0.0.1:0\nagents: [{id: %s}]\n", filepath.Join(dir, "data"), domain)
		if err := os.WriteFile(filepath.Join(dir, version, "scrim.yaml"), []byte(yaml), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write("..one", "first")
	link("..one", "..data")
	link("..data/scrim.yaml", "scrim.yaml")
	link("..data/policies", "policies")
	g, _, stop := serve(t, load(t, filepath.Join(dir, "scrim.yaml")), run.Options{Watcher: true})
	write("..two", "second")
	link("..two", "..data_tmp")
	if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	known := func() string {
		var all []string
		for _, a := range g.Config().Agents {
			all = append(all, string(a.ID))
		}
		return strings.Join(all, " ")
	}
	for end := time.Now().Add(time.Minute); known() != "second" && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
	}
	if known() != "second" {
		t.Errorf("the gateway knows %q, want what is mounted now", known())
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
