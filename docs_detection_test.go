package scrim_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/privacy/detect"
)

const (
	typesBegin = "<!-- types: written by go test . -run TestDetectionPage -update -->\n"
	typesEnd   = "<!-- end of types -->\n"
)

// TestDetectionPage holds the page's table to the types that there are, and its example to what a configuration takes.
func TestDetectionPage(t *testing.T) {
	const file = "docs/spec/detection.md"
	page := pages(t)[file]
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte(example(t, page, "rules")), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, _, err := config.LoadRules(rules); err != nil || len(r.Types) != 2 || len(r.Builtin) != 3 {
		t.Errorf("the example is read as %v, %v", r, err)
	}
	var b strings.Builder
	b.WriteString("\n| type | what | label | lowest score | found by | example or form |\n|---|---|---|---|---|---|\n")
	for _, ty := range detect.Types() {
		var labels []string
		for _, l := range ty.Labels {
			labels = append(labels, "`"+string(l)+"`")
		}
		shown := ""
		if ty.Example != "" {
			shown = "`" + ty.Example + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %.2f | %s | %s |\n", ty.Name, ty.Title, strings.Join(labels, ", "), ty.Score, ty.Gate, shown)
	}
	b.WriteString("\n")
	before, rest, ok := strings.Cut(page, typesBegin)
	said, after, closed := strings.Cut(rest, typesEnd)
	if !ok || !closed {
		t.Fatalf("%s has no place for the types", file)
	}
	if said == b.String() {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+typesBegin+b.String()+typesEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what privacy/detect says; go test . -run TestDetectionPage -update writes it", file)
}
