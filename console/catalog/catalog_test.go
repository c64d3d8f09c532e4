package catalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	pages "github.com/scrimhq/scrim/console/catalog"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

const hostile = "x<script>alert(1)</script>\"'\u202ey"

// open serves the pages over contracts and bindings; the header Role says who asks.
func open(t testing.TB, contracts []*catalog.Contract, bindings ...catalog.Binding) *httptest.Server {
	t.Helper()
	f := page.New(page.Options{
		Domain: "home", Version: "1", Login: "/login",
		Identify: func(r *http.Request) (who page.Who) {
			_ = who.Role.UnmarshalText([]byte(r.Header.Get("Role"))) // nobody
			return who
		},
		Record: func(context.Context, page.Act) error { return nil },
	})
	s := &gateway.Snapshot{Domain: "home", Taxonomy: flow.DefaultTaxonomy(), Catalog: catalog.New(bindings, contracts)}
	pages.Add(f, pages.Options{Snapshot: func() *gateway.Snapshot { return s }, Clock: func() time.Time { return time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC) }})
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return srv
}

func get(t testing.TB, srv *httptest.Server, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequest("GET", srv.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Role", "viewer")
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

func clinic(t testing.TB) *catalog.Contract {
	t.Helper()
	raw, err := os.ReadFile("../../examples/facade/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	k, err := catalog.ParseContract("contract.yaml", raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAssetsAndTheirColumnsAreShown(t *testing.T) {
	srv := open(t, []*catalog.Contract{clinic(t)})
	status, body := get(t, srv, "/catalog")
	if status != 200 || !strings.Contains(body, `href="/catalog/datasets/patients"`) {
		t.Fatalf("%d %s", status, body)
	}
	var list pages.List
	_, js := get(t, srv, "/api/v1/catalog?q=PATIENTS")
	if err := json.Unmarshal([]byte(js), &list); err != nil || list.Found == 0 || list.Found > list.All {
		t.Fatalf("%v %s", err, js)
	}
	if list.Assets[0].Columns == 0 || list.Assets[0].Tier != "restricted" {
		t.Errorf("%+v", list.Assets[0])
	}
	status, body = get(t, srv, "/catalog/datasets/patients")
	if status != 200 || !strings.Contains(body, "person/name") || !strings.Contains(body, "<code>born</code>") {
		t.Errorf("%d %s", status, body)
	}
	for _, path := range []string{"/catalog/datasets/nothing", "/catalog/schemas/0", "/catalog/schemas/-1", "/catalog/schemas/x", "/api/v1/catalog/datasets/nothing"} {
		if status, _ := get(t, srv, path); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, body := get(t, srv, "/catalog?only=zebra"); status != 422 || strings.Contains(body, "only: it is zebra") {
		t.Errorf("%d %s", status, body)
	}
}

func TestWithoutContractsThePageSaysWhatToDo(t *testing.T) {
	srv := open(t, nil)
	if status, body := get(t, srv, "/catalog"); status != 200 || !strings.Contains(body, "scrim scan") {
		t.Errorf("%d %s", status, body)
	}
}

func TestUnlabelledColumnsAreSaidToBeRestricted(t *testing.T) {
	k, err := catalog.NewContract(catalog.Contract{
		ID: "k", Version: "1", Status: "active", Description: hostile, Governance: catalog.Governance{Owners: []string{hostile}, Review: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		Datasets: []catalog.Dataset{{Name: "visits", Description: hostile, Fields: []catalog.Field{{Column: "odd"}, {Column: "mail", Label: "person/contact/email", Description: hostile}}}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	srv := open(t, []*catalog.Contract{k})
	for _, path := range []string{"/catalog", "/catalog?only=unlabelled", "/catalog?only=overdue", "/catalog/datasets/visits", "/catalog/datasets/visits?q=mail", "/catalog?q=" + "%3Cscript%3Ealert(1)%3C/script%3E"} {
		status, body := get(t, srv, path)
		if status != 200 || strings.Contains(body, "<script>alert") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	_, body := get(t, srv, "/catalog/datasets/visits")
	if !strings.Contains(body, "1 column has no label and is restricted") {
		t.Errorf("%s", body)
	}
	var d pages.Shown
	_, js := get(t, srv, "/api/v1/catalog/datasets/visits")
	if err := json.Unmarshal([]byte(js), &d); err != nil || !d.Columns[0].Unlabelled || d.Columns[0].Tier != "restricted" || !d.Asset.Overdue {
		t.Errorf("%v %s", err, js)
	}
}

func TestManyColumnsComeInPages(t *testing.T) {
	ds := catalog.Dataset{Name: "wide"}
	for i := range 450 {
		ds.Fields = append(ds.Fields, catalog.Field{Column: fmt.Sprintf("c%03d", i), Label: "person/name"})
	}
	var all []catalog.Dataset
	for i := range 250 {
		all = append(all, catalog.Dataset{Name: fmt.Sprintf("d%03d", i), Fields: []catalog.Field{{Column: "a", Label: "person/name"}}})
	}
	k, err := catalog.NewContract(catalog.Contract{ID: "k", Version: "1", Status: "active", Datasets: append(all, ds)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	srv := open(t, []*catalog.Contract{k})
	seen := map[string]bool{}
	for at := "/catalog/datasets/wide"; at != ""; {
		var d pages.Shown
		_, js := get(t, srv, "/api/v1"+at)
		if err := json.Unmarshal([]byte(js), &d); err != nil {
			t.Fatal(err)
		}
		for _, c := range d.Columns {
			seen[c.Name] = true
		}
		at = d.Next
	}
	if len(seen) != 450 {
		t.Errorf("%d columns, want 450", len(seen))
	}
	var l pages.List
	_, js := get(t, srv, "/api/v1/catalog?kind=table&from=200")
	if err := json.Unmarshal([]byte(js), &l); err != nil || len(l.Assets) != 51 || l.Next != "" || l.Found != 251 {
		t.Errorf("%v: %d assets of %d, next %q", err, len(l.Assets), l.Found, l.Next)
	}
}

func TestSchemasAreShownByLabel(t *testing.T) {
	schema, err := catalog.ParseSchema("visit.json", []byte(`{"type":"object","required":["mail"],"properties":{"mail":{"type":"string","x-scrim-label":"person/contact/email"},"odd":{"type":"string"}}}`), catalog.SchemaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	srv := open(t, nil, catalog.Binding{Kind: catalog.Tool, Owner: "records", Name: "visit", Schema: schema})
	status, body := get(t, srv, "/catalog/schemas/0")
	if status != 200 || !strings.Contains(body, "person/contact/email") || !strings.Contains(body, "unlabelled") {
		t.Errorf("%d %s", status, body)
	}
}
