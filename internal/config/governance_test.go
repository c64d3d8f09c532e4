package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPlaceIsReadOfAFileThatIsWrongElsewhere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "scrim.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("version: 1\ndomain: hospital\ndata: ./state\nagents: [{id: '!'}]\nnonsense: true\ngovernance: {approvers: 7}\n")
	c, err := LoadPlace(file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Path(c.Data) != filepath.Join(dir, "state") || c.Path(c.Keys.File) != filepath.Join(dir, "state", "keyset.json") || c.Store.Schema != "scrim" {
		t.Errorf("place = %s, %s, %s", c.Data, c.Keys.File, c.Store.Schema)
	}
	for text, want := range map[string]string{
		"version: 1\ndomain: hospital\ndata: [a]\n":                              "scrim.yaml:3",
		"version: 1\ndomain: hospital\ndata: a\ndata: b\n":                       "scrim.yaml:4",
		"version: 1\ndomain: hospital\nstore: {postgres: {env: A, file: b}}\n":   "scrim.yaml:3",
		"version: 1\ndomain: hospital\nkeys: {file: a, passphrase_env: 'b c'}\n": "scrim.yaml:3",
		"version: 1\n\tdomain: x\n":                                              "scrim.yaml:2",
		"":                                                                       "empty",
	} {
		write(text)
		if _, err := LoadPlace(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("LoadPlace of %q = %v, want one at %s", text, err, want)
		}
	}
}

func TestRulesOfAnotherDomainAreNotThisPlaces(t *testing.T) {
	here, err := Parse("scrim.yaml", []byte("version: 1\ndomain: hospital\ndata: ./here\nkeys: {file: k}\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := Parse("scrim.yaml", []byte("version: 1\ndomain: hospital\ndata: ./elsewhere\nlisten: 127.0.0.1:1\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := rules.At(here)
	if err != nil || c.Data != "./here" || c.Keys.File != "k" || c.Listen != "127.0.0.1:1" || rules.Data != "./elsewhere" {
		t.Errorf("rules at a place = %+v, %v", c, err)
	}
	other, _ := Parse("scrim.yaml", []byte("version: 1\ndomain: lab\n"), "")
	if _, err := rules.At(other); err == nil || !strings.Contains(err.Error(), "scrim.yaml:2:") {
		t.Errorf("rules of another domain: %v", err)
	}
}
