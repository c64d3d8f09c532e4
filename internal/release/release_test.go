package main

import (
	"debug/buildinfo"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/release/sbom"
)

// clone makes a fresh clone of what is committed here, which two people in two places would have.
func clone(t *testing.T, dir string) {
	t.Helper()
	git, err := exec.LookPath("git")
	if err == nil {
		_, err = os.Stat("../../.git")
	}
	if err != nil {
		const why = "a release is built from a clone: this needs git, and a repository"
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	if out, err := exec.Command(git, "clone", "--quiet", "../..", dir).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
}

// Two builds in two places are the same bytes, and so are their bills; both name the commit, and neither the place.
func TestTwoBuildsAreEqual(t *testing.T) {
	if os.Getenv("SCRIM_LONG") == "" {
		t.Skip("it builds the program twice; SCRIM_LONG=1 runs it")
	}
	var built, bills [][]byte
	for _, place := range []string{"here", "elsewhere/and/deeper"} {
		dir := filepath.Join(t.TempDir(), place)
		clone(t, dir)
		file := filepath.Join(t.TempDir(), "scrim")
		if err := build(t.Context(), dir, file, "linux/amd64", "./cmd/scrim", flags); err != nil {
			t.Fatal(err)
		}
		if err := writeBill(file, sbom.Options{Embedded: programs["scrim"]}); err != nil {
			t.Fatal(err)
		}
		binary, bill := read(t, file), read(t, file+".cdx.json")
		if strings.Contains(string(binary), dir) {
			t.Errorf("the program names the directory that it was built in")
		}
		built, bills = append(built, binary), append(bills, bill)
	}
	if !slices.Equal(built[0], built[1]) {
		t.Errorf("two builds of one commit differ (%d and %d bytes)", len(built[0]), len(built[1]))
	}
	if !slices.Equal(bills[0], bills[1]) {
		t.Errorf("two bills of one commit differ:\n%s\n%s", bills[0], bills[1])
	}
}

// What was changed after the commit has no bill, and so is not released.
func TestChangedTreeIsNotReleased(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.com/tool\n\ngo 1.26.0\n", "main.go": "package main\n\nfunc main() {}\n"} {
		write(t, filepath.Join(dir, name), text)
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", "commit", "-q", "-m", "first"}} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Skipf("git: %v\n%s", err, out)
		}
	}
	file := filepath.Join(t.TempDir(), "tool")
	made := func() error {
		if err := build(t.Context(), dir, file, "linux/amd64", ".", flags); err != nil {
			t.Fatal(err)
		}
		return writeBill(file, sbom.Options{})
	}
	if err := made(); err != nil {
		t.Fatalf("as committed: error = %v", err)
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := setting(info, "vcs.revision"); len(got) != 40 {
		t.Errorf("vcs.revision = %q, want a commit", got)
	}
	write(t, filepath.Join(dir, "more.go"), "package main\n")
	if err := made(); !errors.Is(err, errChanged) {
		t.Errorf("with a file more: error = %v, want errChanged", err)
	}
}

// A setting of who builds does not come into the build.
func TestSettingsOfTheBuilderAreLeftOut(t *testing.T) {
	t.Setenv("GOFLAGS", "-tags=mine")
	t.Setenv("GOAMD64", "v3")
	t.Setenv("CGO_ENABLED", "1")
	env, err := environment(t.Context(), ".", "linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]string{} // the last of a name counts
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		last[name] = value
	}
	for name, want := range map[string]string{"GOFLAGS": "", "GOAMD64": "v1", "CGO_ENABLED": "0", "GOENV": "off", "GOOS": "linux", "GOARCH": "arm64"} {
		if last[name] != want {
			t.Errorf("%s = %q, want %q", name, last[name], want)
		}
	}
	if last["GOMODCACHE"] == "" {
		t.Error("GOMODCACHE is lost, want that of who builds")
	}
}

// Each script of others that the console embeds is in the bill, with its version.
func TestEmbeddedScriptsAreListed(t *testing.T) {
	listed := map[string]bool{}
	for _, p := range programs["scrim"] {
		name, _, _ := strings.Cut(p.Name, ".")
		listed[name+"-"+p.Version] = true
	}
	listed["hx-sse-4.0.1"] = listed["htmx-4.0.1"] // comes in the package of htmx
	files, err := filepath.Glob("../../console/page/static/*.min.*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts of others found: %v", err)
	}
	for _, f := range files {
		if name := regexp.MustCompile(`\.min\..*$`).ReplaceAllString(filepath.Base(f), ""); !listed[name] {
			t.Errorf("%s is embedded, and no bill names it", name)
		}
	}
}

func TestSumsAreReadBySha256sum(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "b"), "abc")
	write(t, filepath.Join(dir, "a"), "")
	if err := writeSums(dir); err != nil {
		t.Fatal(err)
	}
	const want = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n" +
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b\n" // FIPS 180-4's example
	if got := string(read(t, filepath.Join(dir, "SHA256SUMS"))); got != want {
		t.Errorf("SHA256SUMS =\n%swant\n%s", got, want)
	}
}

func TestOutMustNotBeThere(t *testing.T) {
	if err := release(t.Context(), t.TempDir(), ""); err == nil {
		t.Error("release() into a directory that is there: error = nil")
	}
	if err := release(t.Context(), filepath.Join(t.TempDir(), "x"), "plan9/amd64"); err == nil {
		t.Error("release() for a system that nothing is released for: error = nil")
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
