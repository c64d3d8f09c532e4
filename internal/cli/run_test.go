package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

func TestTheFirstFilesAreGoodAndOverwriteNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	own := filepath.Join(dir, "policies", "40-open.cedar")
	if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, []byte("// mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e := &env{out: &out, err: &out}
	if err := e.firstFiles(dir); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "wrote ") < 3 || strings.Contains(text, own) {
		t.Errorf("said %q, want what was written, without the file that was there", text)
	}
	if b, err := os.ReadFile(own); err != nil || string(b) != "// mine\n" {
		t.Errorf("a file that was there is now %q, error %v", b, err)
	}
	c, err := config.Load(filepath.Join(dir, defaultConfig))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(c.Listen, "127.0.0.1:") || !strings.HasPrefix(c.Admin, "127.0.0.1:") {
		t.Errorf("listens on %s and %s, want loopback", c.Listen, c.Admin)
	}
	if _, err := run.Snapshot(c, run.Models{}); err != nil {
		t.Errorf("the first files do not load: %v", err)
	}
	out.Reset()
	if err := e.firstFiles(dir); err != nil || out.Len() > 0 {
		t.Errorf("the second time wrote %q, error %v; want nothing", out.String(), err)
	}
}
