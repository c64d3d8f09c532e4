package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
)

func TestHierarchiesAreReadAndChecked(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"scrim.yaml": "version: 1\ndomain: d\nhierarchies: [{label: work/education, file: education.csv}]\n",
		"bad.yaml": "version: 1\ndomain: d\nhierarchies:\n  - {label: work/education, file: crooked.csv}\n  - {label: work/nothing, file: education.csv}\n" +
			"  - {label: work/title, file: gone.csv}\n  - {label: work/title, file: education.csv}\n",
		"education.csv": "Bachelors;Undergraduate;Higher education;*\n11th;High School;Secondary education;*\n",
		"crooked.csv":   "Bachelors;Undergraduate\n11th\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := Load(filepath.Join(dir, "scrim.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	class, _ := c.Taxonomy().Class("work/education")
	got, err := deidentify.Apply(class, flow.Treatment{Level: flow.Generalized, Param: "up:2"}, deidentify.Scalar{Kind: deidentify.String, Text: "11th"}, c.Trees())
	if err != nil || got.Text != "Secondary education" {
		t.Errorf("11th two steps up = %q, %v, want Secondary education", got.Text, err)
	}
	_, err = Load(filepath.Join(dir, "bad.yaml"))
	for _, want := range []string{"bad.yaml:4:", "hierarchy of work/education", "no such class of data", "the file is not there", "another hierarchy has the same label"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("mistakes lack %q: %v", want, err)
		}
	}
}
