package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhereLineageIsSent(t *testing.T) {
	const head = "version: 1\ndomain: a\nlineage:\n  emit:\n"
	for entry, want := range map[string]string{
		`    - {name: x, to: file}`:                                                          "a file has a file",
		`    - {name: x, to: file, file: f, url: "https://h"}`:                               "a file has a file",
		`    - {name: x, to: file, file: f, credential: {env: A}}`:                           "a file has a file",
		`    - {name: x, to: marquez}`:                                                       "a tool has a url",
		`    - {name: x, to: marquez, url: "https://h", file: f}`:                            "a tool has a url",
		`    - {name: x, to: kafka, url: "https://h"}`:                                       "to",
		`    - {to: file, file: f}`:                                                          "name",
		`    - {name: x, to: file, file: f, from: then}`:                                     "one of start, now",
		`    - {name: x, to: datahub, url: "https://h", credential: {env: A, file: b}}`:      "either env or file",
		`    - {name: x, to: file, file: f}` + "\n" + `    - {name: x, to: file, file: g}`:   "given twice",
		`    - {name: x, to: openmetadata, url: "https://h", credential: {token: s3cret}}`:   "unknown key",
		`    - {name: x, to: openlineage, url: "https://h", ca_file: no-such-authority.pem}`: "the file is not there",
	} {
		if _, err := Parse("scrim.yaml", []byte(head+entry+"\n"), t.TempDir()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", entry, err, want)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	parse := func(text string) *Config {
		t.Helper()
		c, err := Parse("scrim.yaml", []byte(text), dir)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const one = `    - {name: x, to: marquez, url: "https://h", credential: {env: A}}` + "\n"
	c := parse(head + one)
	got := c.Lineage.Emit[0]
	if got.From != "start" || got.Credential.Scheme != "Bearer" || got.Credential.Header != "Authorization" || c.WrittenURL() != "" {
		t.Errorf("the target is %+v with %+v", got, got.Credential)
	}
	moved := parse("# moved\npublic_url: https://g.example\n" + head + one)
	if !got.Same(&moved.Lineage.Emit[0]) || moved.WrittenURL() != "https://g.example" {
		t.Error("a target that stands elsewhere in the file is another one")
	}
	if other := parse(head + strings.Replace(one, "env: A", "env: B", 1)); got.Same(&other.Lineage.Emit[0]) {
		t.Error("a target with another credential is the same")
	}
}
