package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsAgreedOnWithoutAPersonIsBounded(t *testing.T) {
	const head = "version: 1\ndomain: a\npurposes: {billing: {}}\nterms:\n  accept:\n"
	for entry, want := range map[string]string{
		`    - {peer: a, names: [n], purposes: [billing]}`:                                "no contract with itself",
		`    - {peer: b, names: [n], purposes: [care]}`:                                   "no purpose",
		`    - {peer: b, names: [n], purposes: [billing], gives: {person: open}}`:         "level is not one of",
		`    - {peer: b, purposes: [billing]}`:                                            "names",
		`    - {names: [n], purposes: [billing]}`:                                         "peer",
		`    - {peer: b, names: [n], purposes: [billing], gives: {person: raw}, x: true}`: "x",
	} {
		if _, err := Parse("scrim.yaml", []byte(head+entry+"\n"), t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", entry, err, want)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := Parse("scrim.yaml", []byte(head+"    - {peer: b, names: [n], purposes: [billing], gives: {person: masked, \"*\": dropped}}\n"), dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.Terms.Rate != 60 || c.Terms.Accept[0].Gives["person"] != "masked" {
		t.Errorf("terms are %+v", c.Terms)
	}
}
