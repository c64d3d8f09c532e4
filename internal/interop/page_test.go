package interop_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what was measured into docs/interop.md")

const pageFile = "../../docs/interop.md"

// page holds a block of docs/interop.md to what was measured, or writes it there.
func page(t *testing.T, block, text string) {
	t.Helper()
	raw, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+block+" -->\n", "<!-- end of "+block+" -->"
	before, rest, ok := strings.Cut(string(raw), begin)
	old, after, there := strings.Cut(rest, end)
	if !ok || !there {
		t.Fatalf("docs/interop.md has no block %s", block)
	}
	if old == text {
		return
	}
	if !*update {
		t.Errorf("docs/interop.md says otherwise of %s; go test ./internal/interop -update writes:\n%s", block, text)
		return
	}
	if err := os.WriteFile(pageFile, []byte(before+begin+text+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The page lists every demand that is checked, and no other.
func TestPageListsEveryDemand(t *testing.T) {
	var b strings.Builder
	b.WriteString("| section | demand | bindings |\n|---|---|---|\n")
	for _, m := range musts {
		all := map[string]string{"": "all", "jsonrpc": "JSON-RPC", "rest": "HTTP+JSON", "grpc": "gRPC"}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", m.section, m.name, all[m.only])
	}
	page(t, "demands", b.String())
}

// The page names the versions that are pinned.
func TestPageNamesTheVersions(t *testing.T) {
	var npm struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	raw, err := os.ReadFile(filepath.Join("testdata", "node", "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &npm); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| what | version | from |\n|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(npm.Dependencies)) {
		fmt.Fprintf(&b, "| %s | %s | npm |\n", name, npm.Dependencies[name])
	}
	pins(t, &b, filepath.Join("testdata", "python", "requirements.txt"), `(?m)^(mcp|a2a-sdk)==(\S+)`, "PyPI")
	pins(t, &b, filepath.Join("..", "..", "go.mod"), `(?m)^\s+(github\.com/(?:modelcontextprotocol/go-sdk|a2aproject/a2a-go/v2)) v(\S+)`, "Go")
	page(t, "versions", b.String())
}

func pins(t *testing.T, b *strings.Builder, file, pattern, from string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(pattern).FindAllStringSubmatch(string(raw), -1)
	if len(found) != 2 {
		t.Fatalf("%s pins %d of two", file, len(found))
	}
	for _, m := range found {
		fmt.Fprintf(b, "| %s | %s | %s |\n", m[1], m[2], from)
	}
}
