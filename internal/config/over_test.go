package config

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/policy/change"
)

// ruled is a configuration with a contract, a hierarchy, a schema and policies, where the test may change it.
func ruled(t *testing.T) (file string) {
	t.Helper()
	dir, _ := unpack(t, "testdata/files/good.txtar")
	file = filepath.Join(dir, "scrim.yaml")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"scrim.yaml":             string(raw) + "hierarchies: [{label: health/diagnosis, file: trees/dx.csv}]\n",
		"trees/dx.csv":           "J45,J\n",
		"policies/deep/b.cedar":  "// nobody\n",
		"policies/a.test.yaml":   "",
		"policies/not-a-rule.md": "x",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func TestRuleSetInMemoryIsTheOneOnDisk(t *testing.T) {
	file := ruled(t)
	onDisk, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	files, err := RuleFiles(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"scrim.yaml", "patient.json", "claims.odcs.yaml", "policies/deep/b.cedar", "policies/a.test.yaml", "trees/dx.csv"} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(n string) bool { return n == kind }) {
			t.Errorf("%s is not in the rule set: %q", kind, slices.Sorted(maps.Keys(files)))
		}
	}
	if len(files) != 7 || files["keys.json"] != nil { // which changes by itself
		t.Errorf("the rule set has %q", slices.Sorted(maps.Keys(files)))
	}
	rs := change.RuleSet{Files: files}
	if err := rs.Check(); err != nil {
		t.Fatal(err)
	}
	// Nothing of it is read from disk again.
	for name := range files {
		if err := os.Remove(filepath.Join(filepath.Dir(file), name)); err != nil {
			t.Fatal(err)
		}
	}
	over, err := LoadOver(file, files)
	if err != nil {
		t.Fatal(err)
	}
	if over.Hash() != onDisk.Hash() {
		t.Errorf("hash in memory = %s, want that on disk, %s", over.Hash(), onDisk.Hash())
	}
	again, err := over.RuleFiles()
	if err != nil || (change.RuleSet{Files: again}).Digest() != rs.Digest() {
		t.Errorf("rule set of what was loaded from a rule set differs, %v", err)
	}
	sources := 0
	if err := fs.WalkDir(over.PolicyFS(), ".", func(name string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".cedar") {
			sources++
		}
		return err
	}); err != nil || sources != 2 {
		t.Errorf("%d policies in memory, error %v", sources, err)
	}
}

func TestRuleSetWithoutAFileIsRefusedEvenIfItLiesOnDisk(t *testing.T) {
	file := ruled(t)
	files, err := RuleFiles(file)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for name := range files {
		if name == change.Main || strings.HasSuffix(name, ".cedar") || strings.HasSuffix(name, ".test.yaml") {
			continue
		}
		tried++
		less := maps.Clone(files)
		delete(less, name)
		if _, err := LoadOver(file, less); err == nil {
			t.Errorf("a rule set without %s is loaded", name)
		}
	}
	if tried == 0 {
		t.Fatal("the configuration refers to no files")
	}
}
