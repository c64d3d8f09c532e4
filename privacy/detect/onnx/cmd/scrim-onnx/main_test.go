package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/cli"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/privacy/detect/onnx"
)

// A directory without a model is a mistake here, and any model is one in a program that runs none.
func TestConfigurationOfAModel(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "scrim.yaml")
	for name, content := range map[string]string{
		"scrim.yaml":       "version: 1\ndomain: own\ndetection:\n  onnx: {model: ./none}\n",
		"policies/a.cedar": `@id("a") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };`,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := models{opened: map[string]*onnx.Detector{}}
	for want, has := range map[string]run.Models{"no tokenizer.json": {ONNX: m.open}, "built without ONNX": {}} {
		var out, complaints bytes.Buffer
		if status := cli.MainWith(has, []string{"config", "check", "-c", file}, strings.NewReader(""), &out, &complaints); status != 1 || !strings.Contains(complaints.String(), want) {
			t.Errorf("status %d, %s, want %q", status, complaints.String(), want)
		}
	}
}
