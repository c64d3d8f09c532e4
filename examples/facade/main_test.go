package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

// The folder does what its page says.
func TestTheExampleShowsWhatPolicyLets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(dir, "clinic.db")) // whoever tried the example has one
	if err := fill(filepath.Join(dir, "clinic.db")); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(filepath.Join(dir, "scrim.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := run.Open(t.Context(), c, run.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	srv := httptest.NewServer(g.Handler())
	defer srv.Close()
	get := func(who, path string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/facade/records/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer scrim_example-"+who)
		req.Header.Set("Scrim-Criticality", "routine")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	if status, body := get("ward", "patients/MRN-000417"); status != 200 || !strings.Contains(body, "Ada Example") || strings.Contains(body, "window") {
		t.Errorf("the ward sees %d %s", status, body)
	}
	status, body := get("lab", "patients?ward=cardiology")
	var page struct{ Rows []map[string]any }
	if err := json.Unmarshal([]byte(body), &page); err != nil || status != 200 || len(page.Rows) != 2 || strings.Contains(body, `"Ada`) || strings.Contains(body, "MRN-") || strings.Contains(body, "-04-12") {
		t.Fatalf("the lab sees %d %s", status, body)
	}
	if status, body := get("lab", "patients/"+url.PathEscape(page.Rows[0]["mrn"].(string))); status != 200 || !strings.HasPrefix(body, `{"row":{"mrn":"`+page.Rows[0]["mrn"].(string)) {
		t.Errorf("by its token the lab sees %d %s", status, body)
	}
	for _, path := range []string{"patients/MRN-000417", "patients?name=Ada+Example", "patients?born.ge=1970-01-01", "patients?order=name", "patients?age.ge=60"} {
		if status, body := get("lab", path); status != 400 && status != 403 {
			t.Errorf("%s is answered: %d %s", path, status, body)
		}
	}
	if status, body := get("lab", "openapi.json"); status != 200 || strings.Contains(body, "remarks") || strings.Contains(body, `"name":"name"`) {
		t.Errorf("the lab is told %d %s", status, body)
	}
}
