package run_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/privacy/detect"
)

func modelConfig(t *testing.T, section string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "scrim.yaml")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(dir, "policies"), 0o700))
	must(os.WriteFile(filepath.Join(dir, "policies", "a.cedar"), []byte(`@id("a") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };`), 0o600))
	must(os.WriteFile(file, []byte("version: 1\ndomain: own\ndetection:\n"+section), 0o600))
	c, err := config.Load(file)
	must(err)
	return c
}

func TestModelNeedsAProgramThatRunsIt(t *testing.T) {
	c := modelConfig(t, "  onnx: {model: ./m, on_error: drop}\n")
	for name, build := range map[string]func() error{
		"snapshot": func() error { _, err := run.Snapshot(c, run.Models{}); return err },
		"offline":  func() error { _, err := run.Offline(c, run.Models{}); return err },
		"open":     func() error { _, err := run.Open(t.Context(), c, run.Options{}); return err },
	} {
		if err := build(); !errors.Is(err, run.ErrNoONNX) {
			t.Errorf("%s: %v, want ErrNoONNX", name, err)
		}
	}
	var asked string
	s, err := run.Offline(c, run.Models{ONNX: func(o *config.ONNXDetector, _ *flow.Taxonomy) (detect.Detector, error) {
		asked = o.Model
		return detect.New(detect.Options{})
	}})
	if err != nil || len(s.Beside) != 1 || !s.Beside[0].Drop || s.Beside[0].Apart || !filepath.IsAbs(asked) {
		t.Errorf("with a program that does: %v, asked for %q", err, asked)
	}
}

func TestServiceIsAskedByAGatewayAlone(t *testing.T) {
	c := modelConfig(t, "  remote: {url: \"http://127.0.0.1:9\", streams: built-in, credential: {env: SCRIM_TEST_NER}}\n")
	if _, err := run.Snapshot(c, run.Models{}); err == nil {
		t.Error("a credential that is not there is no error")
	}
	t.Setenv("SCRIM_TEST_NER", "word")
	s, err := run.Snapshot(c, run.Models{})
	if err != nil || len(s.Beside) != 1 || s.Beside[0].Drop || !s.Beside[0].Apart {
		t.Errorf("Snapshot() = %v, want the service in it", err)
	}
	if s, err := run.Offline(c, run.Models{}); err != nil || len(s.Beside) != 0 {
		t.Errorf("Offline() = %v, want no service in it", err)
	}
}
