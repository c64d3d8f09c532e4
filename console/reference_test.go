package console_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/reference/api.md and openapi.json")

// TestAPIReference holds the pages about the API to what is served.
func TestAPIReference(t *testing.T) {
	text := empty(t).OpenAPI()
	for file, want := range map[string]string{"openapi.json": string(text), "api.md": describe(t, text)} {
		file = filepath.Join("..", "docs", "reference", file)
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		said, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(said) != want {
			t.Errorf("%s is not what is served; go test ./console -run TestAPIReference -update writes it", file)
		}
	}
}

// describe writes a table of all calls, by the first part of their address.
func describe(t *testing.T, text []byte) string {
	t.Helper()
	type operation struct {
		Summary, Description string
		Role                 string `json:"x-scrim-role"`
		Parameters           []struct{ Name, In, Description string }
	}
	var doc struct {
		Paths map[string]map[string]operation
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# The API of the admin port\n\nWritten from what is served: `go test ./console -run TestAPIReference -update`. " +
		"The whole, with types, is [openapi.json](openapi.json) (OpenAPI 3.1); a running gateway serves it at `/api/v1/openapi.json`.\n\n" +
		"All addresses are below `/api/v1` of the admin address. Callers send the token of the data directory (`Authorization: Bearer`, role admin), or the session of a browser. " +
		"Errors are `{\"error\": text}`, and name places, never values. Every change is on the log before it is made. [The console](../spec/console.md) has the same pages for people.\n")
	was := ""
	for _, at := range slices.Sorted(maps.Keys(doc.Paths)) {
		part, _, _ := strings.Cut(strings.TrimPrefix(at, "/"), "/")
		if part = cmp.Or(part, "overview"); part != was {
			fmt.Fprintf(&b, "\n## %s\n\n| call | least role | what |\n|---|---|---|\n", part)
			was = part
		}
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[at])) {
			op := doc.Paths[at][method]
			fmt.Fprintf(&b, "| `%s %s` | %s | %s", strings.ToUpper(method), at, op.Role, strings.ReplaceAll(op.Description, "|", "\\|"))
			var query []string
			for _, p := range op.Parameters {
				if p.In == "query" {
					query = append(query, "`"+p.Name+"` ("+strings.ReplaceAll(p.Description, "|", "\\|")+")")
				}
			}
			if query != nil {
				b.WriteString(" Query: " + strings.Join(query, "; ") + ".")
			}
			b.WriteString(" |\n")
		}
	}
	return b.String()
}
