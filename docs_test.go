package scrim_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are the documents of the project, by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".md" {
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all[filepath.ToSlash(path)] = string(raw)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if all["README.md"] == "" || all["ARCHITECTURE.md"] == "" {
		t.Fatal("README.md or ARCHITECTURE.md is missing")
	}
	return all
}

// tests are the names of every test, fuzz target, benchmark and example in the source.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	names, declared := map[string]bool{}, regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w*)\(`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range declared.FindAllStringSubmatch(string(raw), -1) {
			names[m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var (
	pageLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)`")
	goFile   = regexp.MustCompile("`([a-z0-9/]+/[a-z0-9_]+\\.go)`")
)

// Pages rot by naming what is gone. Links, tests and files that they name must be there.
func TestPagesNameWhatExists(t *testing.T) {
	known, all := tests(t), pages(t)
	for page, text := range all {
		for _, m := range pageLink.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := page
			if target != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(page), target))
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			} else if anchor != "" && !anchors(all[file])[anchor] {
				t.Errorf("%s links to %s, where no heading is called so", page, m[1])
			}
		}
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s names %s, which no package has", page, m[1])
			}
		}
		for _, m := range goFile.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(m[1]); err != nil {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
		}
	}
}

// anchors are the headings of a page as links write them.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127:
				return r
			}
			return -1
		}, strings.ToLower(m[1]))
		out[name] = true
	}
	return out
}

// The README promises that two commands do everything.
func TestReadmeNamesTheTwoCommands(t *testing.T) {
	readme := pages(t)["README.md"]
	for _, command := range []string{"\ngo run ./cmd/scrim demo\n", "\ngo test ./...\n"} {
		if !strings.Contains(readme, command) {
			t.Errorf("the README has no line %q", strings.TrimSpace(command))
		}
	}
}

// Each choice is told in the same four parts.
func TestDecisionsSayWhatElseAndWhenToLookAgain(t *testing.T) {
	found := 0
	for page, text := range pages(t) {
		if !strings.HasPrefix(page, "docs/decisions/") {
			continue
		}
		found++
		for _, part := range []string{"## What", "## What else", "## Why", "## When to look again"} {
			if !strings.Contains(text, part+"\n") {
				t.Errorf("%s has no part %q", page, part)
			}
		}
	}
	if found == 0 {
		t.Error("no decisions were found")
	}
}
