package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExposureIsChecked: rules are in force unless somebody says otherwise, and mistakes have their place.
func TestExposureIsChecked(t *testing.T) {
	dir := t.TempDir()
	own := "rules: [{name: pay, of: [{any: [{label: finance/income, to: \"bucket:10000\"}]}, {any: [{label: work/title, to: masked}]}]}]"
	for name, text := range map[string]string{"own.yaml": own, "bad.yaml": "rules: [{name: pay, of: []}]"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o700); err != nil {
		t.Fatal(err)
	}
	parse := func(more string) (*Config, error) {
		return Parse("scrim.yaml", []byte("version: 1\ndomain: hospital\n"+more), dir)
	}
	c, err := parse("")
	if err != nil || c.Exposure.Mode != ExposureEnforce || len(c.ExposureRules().Rules()) < 10 {
		t.Fatalf("without a word: %v, mode %q, want the usual combinations enforced", err, c.Exposure.Mode)
	}
	both, err := parse("exposure: {presets: [safe-harbor, combinations], rules: own.yaml, audiences: {group: [insurer, reinsurer]}}\n")
	if err != nil || len(both.ExposureRules().Rules()) <= len(c.ExposureRules().Rules())+1 {
		t.Fatalf("with all rules: %v", err)
	}
	if both.Hash() == c.Hash() {
		t.Error("other rules have the same hash")
	}
	for more, want := range map[string]string{
		"exposure: {mode: sometimes}\n":                                             "enforce, observe, off",
		"exposure: {presets: [nonsense]}\n":                                         "no such rules are shipped",
		"exposure: {presets: [combinations, combinations]}\n":                       "listed twice",
		"exposure: {rules: bad.yaml}\n":                                             "rules[0].of",
		"exposure: {rules: none.yaml}\n":                                            "",
		"exposure: {audiences: {a: [hospital]}}\n":                                  "own agents",
		"exposure: {audiences: {a: [insurer], b: [insurer]}}\n":                     "in an audience already",
		"exposure: {audiences: {a: [insurer, insurer]}}\n":                          "in an audience already",
		"exposure: {daily: 0}\n":                                                    "",
		"exposure: {unknown: 1}\n":                                                  "",
		"retention: {exposure: 1s}\n":                                               "",
		"agents: [{id: x, domain: lab}]\nexposure: {audiences: {lab: [insurer]}}\n": "same name",
	} {
		if _, err := parse(more); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want a mistake that says %q", more, err, want)
		}
	}
}
