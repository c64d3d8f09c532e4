package config

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/detect"
)

const detectionHead = "version: 1\ndomain: d\ndetection:\n"

// TestDetectionIsChecked tells each mistake by its place in the file, and never repeats a pattern or a word.
func TestDetectionIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		"  types:\n    - {name: mine, label: organization, patterns: ['a{2,1}']}\n":      "x:5:52: not a pattern: invalid repeat count (patterns are those of RE2)",
		"  types:\n    - {name: mine, label: no/such, patterns: ['a']}\n":                "x:5:27: there is no class of this label",
		"  types:\n    - {name: mine, label: organization, patterns: ['a'], score: 2}\n": "x:5:65: a number from 0 to 1 is expected",
		"  types:\n    - {name: email, label: organization, patterns: ['a']}\n":          "x:5:14: a built-in type has this name",
		"  lists:\n    - {name: mine, label: organization, words: [s3cr3t, ab]}\n":       "x:5:57: it is so short",
		"  builtin:\n    card: {label: technical/url}\n":                                 "x:5:19: the label is not stricter than the type's own, finance/card",
		"  min_score: 60\n":            "x:4:14: a number from 0 to 1 is expected",
		"  languages: [german-ish!]\n": "x:4:15: not a language",
		"  types:\n    - {name: mine, label: organization, patterns: ['[0-9]'], checksum: {weights: [1], modulus: 1}}\n": "it must be at least 2",
	} {
		_, err := Parse("x", []byte(detectionHead+text), "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error = %v, want %s", text, err, want)
		} else if strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "a{2") {
			t.Errorf("the mistake repeats the file: %v", err)
		}
	}
}

// TestDetectionHashesItsLists: another list is another configuration, so that the journal tells which was in force.
func TestDetectionHashesItsLists(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	load := func(words string) *Config {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "words.txt"), []byte(words), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Parse("scrim.yaml", []byte(detectionHead+"  lists: [{name: mine, label: secret/password, file: words.txt}]\n"), dir)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one, two := load("Blue Heron\n"), load("Red Heron\n")
	if one.Hash() == two.Hash() {
		t.Error("two lists have one hash")
	}
	d, err := detect.New(detect.Options{Taxonomy: two.Taxonomy(), Rules: two.Rules()})
	if err != nil {
		t.Fatal(err)
	}
	found, err := d.Find(context.Background(), "the red heron flies", nil)
	if err != nil || len(found) != 1 || found[0].Type != "mine" {
		t.Errorf("found %v, %v", found, err)
	}
}

func FuzzDetection(f *testing.F) {
	f.Add("types:\n  - {name: mine, label: organization, patterns: ['a+'], before: [b]}\n")
	f.Add("lists: [{name: l, label: organization, words: [abc]}]\nallow: [{values: [x], types: [email]}]\nbuiltin: {phone: {off: true}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		indented := "  " + strings.ReplaceAll(text, "\n", "\n  ")
		c, err := Parse("x", []byte(detectionHead+indented), "")
		if err == nil && c.Rules() == nil {
			t.Error("a configuration without mistakes has no rules")
		}
	})
}
