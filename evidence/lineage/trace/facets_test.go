package trace_test

import (
	"bytes"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/evidence/lineage/trace"
)

// What a gateway serves is what the pages show, and nothing else lies at that address.
func TestFacetSchemasAreServedAndKept(t *testing.T) {
	names, err := fs.Glob(trace.FacetSchemas(), "*.json")
	if err != nil || len(names) != 3 {
		t.Fatalf("there are %d schemas (%v), want 3", len(names), err)
	}
	get := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		trace.ServeFacets(w, httptest.NewRequest(method, path, nil))
		return w
	}
	for _, name := range names {
		want, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "spec", "lineage", name))
		if err != nil {
			t.Fatal(err)
		}
		if w := get(http.MethodGet, trace.FacetsPath+name); w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), want) {
			t.Errorf("%s is served with %d, and is not as docs/spec/lineage has it", name, w.Code)
		}
	}
	for _, path := range []string{"", "x.json", "../facets.go", "..%2ffacets.go", "a/ScrimDisclosureRunFacet.json"} {
		if w := get(http.MethodGet, trace.FacetsPath+path); w.Code != http.StatusNotFound {
			t.Errorf("%q answers %d, want 404", path, w.Code)
		}
	}
	if w := get(http.MethodPost, trace.FacetsPath+names[0]); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST answers %d, want 405", w.Code)
	}
}
