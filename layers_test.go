package scrim_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/scrimhq/scrim/"

// chapters are in reading order: a package imports only what stands above it, or beside it in its own chapter.
// Do not change this list to mend a build; change the code, or write the decision page first.
var chapters = []string{
	"flow", "store", "data", "evidence", "policy", "privacy", "agent", "gateway", "observe", "console", "internal", "cmd",
}

// promises hold transitively: the key never comes to import anything under the values.
var promises = map[string][]string{
	"policy":          {"data", "privacy"},   // sees labels, never values
	"privacy":         {"policy", "gateway"}, // what touches data does not decide
	"agent":           {"privacy", "data"},   // stays light
	"observe/redteam": {"gateway"},           // front door only
	"internal/stranger": {
		"flow", "store", "data", "evidence", "policy", "privacy", "agent", "gateway", "observe", "console",
	},
}

type pkg struct {
	dir     string
	imports []string // within the module, without its path
	outside []string
	comment int // files with a package comment
}

// readPackages parses the imports of every non-test file. It reads the source itself, so that the test cache sees each file.
func readPackages(t *testing.T) map[string]*pkg {
	t.Helper()
	all := map[string]*pkg{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || nestedModule(path)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		p := all[dir]
		if p == nil {
			p = &pkg{dir: dir}
			all[dir] = p
		}
		if f.Doc != nil && strings.HasPrefix(f.Doc.Text(), "Package ") || f.Doc != nil && strings.HasPrefix(f.Doc.Text(), "Command ") {
			p.comment++
		}
		for _, im := range f.Imports {
			name := strings.Trim(im.Path.Value, `"`)
			if rest, ok := strings.CutPrefix(name, module); ok {
				p.imports = append(p.imports, rest)
			} else {
				p.outside = append(p.outside, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d packages, want at least 10: is the test run from the module's root?", len(all))
	}
	return all
}

func nestedModule(dir string) bool {
	if dir == "." {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func chapterOf(dir string) int {
	top, _, _ := strings.Cut(dir, "/")
	return slices.Index(chapters, top)
}

func TestImportsFollowTheReadingOrder(t *testing.T) {
	for dir, p := range readPackages(t) {
		if dir == "." || strings.HasPrefix(dir, "examples/") {
			continue
		}
		at := chapterOf(dir)
		if at < 0 {
			t.Errorf("%s lies in no chapter", dir)
			continue
		}
		for _, im := range p.imports {
			if to := chapterOf(im); to > at {
				t.Errorf("%s imports %s, a later chapter", dir, im)
			}
		}
	}
}

func TestFlowIsStandardLibraryOnly(t *testing.T) {
	p := readPackages(t)["flow"]
	for _, im := range slices.Concat(p.outside, p.imports) {
		if strings.Contains(im, ".") || slices.Contains(p.imports, im) {
			t.Errorf("flow imports %s, want the standard library alone", im)
		}
	}
}

func TestPromisedIndependence(t *testing.T) {
	all := readPackages(t)
	for from, forbidden := range promises {
		for dir := range all {
			if !under(dir, from) {
				continue
			}
			for _, bad := range forbidden {
				if chain := reach(all, dir, bad, map[string]bool{}); chain != nil {
					t.Errorf("%s must not come to import %s, but does: %s", dir, bad, strings.Join(chain, " → "))
				}
			}
		}
	}
}

// A verifier that shared code with what it verifies would share its mistakes.
func TestVerifierIsIndependent(t *testing.T) {
	seen := 0
	for dir, p := range readPackages(t) {
		if !under(dir, "cmd/scrim-verify") && !under(dir, "internal/stranger") {
			continue
		}
		seen++
		for _, im := range p.imports {
			if !under(im, "internal/stranger") {
				t.Errorf("%s imports %s, want nothing of the rest", dir, im)
			}
		}
		for _, im := range p.outside {
			if top, _, _ := strings.Cut(im, "/"); strings.Contains(top, ".") && !strings.HasPrefix(im, "golang.org/x/mod/") {
				t.Errorf("%s imports %s, want the standard library and golang.org/x/mod alone", dir, im)
			}
		}
	}
	if seen < 3 {
		t.Errorf("found %d packages of scrim-verify, want at least 3", seen)
	}
}

func TestNoLibraryImportsTelemetry(t *testing.T) {
	for dir, p := range readPackages(t) {
		for _, im := range p.outside {
			if strings.HasPrefix(im, "go.opentelemetry.io/") && !under(dir, "internal") && !under(dir, "observe/telemetry") {
				t.Errorf("%s imports %s; report through a hook of the package's own", dir, im)
			}
		}
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	for dir, p := range readPackages(t) {
		if p.comment != 1 {
			t.Errorf("%s has %d package comments, want 1", dir, p.comment)
		}
		for _, drawer := range []string{"util", "utils", "common", "helper", "helpers", "misc"} {
			if filepath.Base(dir) == drawer {
				t.Errorf("%s is a drawer, not a noun", dir)
			}
		}
	}
}

func under(dir, parent string) bool { return dir == parent || strings.HasPrefix(dir, parent+"/") }

func reach(all map[string]*pkg, dir, bad string, seen map[string]bool) []string {
	if seen[dir] || all[dir] == nil {
		return nil
	}
	seen[dir] = true
	for _, im := range all[dir].imports {
		if under(im, bad) && !under(im, dir) {
			return []string{dir, im}
		}
		if chain := reach(all, im, bad, seen); chain != nil {
			return append([]string{dir}, chain...)
		}
	}
	return nil
}
