package facade_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/facade"
)

// TestWhatIsOddIsNotFoundByAsking: a value that is not of its column's type is not shown, so that conditions and orders
// must not tell of it either. SQLite holds anything in any column.
func TestWhatIsOddIsNotFoundByAsking(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people+`
UPDATE patients SET born = '536-90-4399', owed = 'secret', age = 'x' WHERE mrn = 'MRN-000001';
UPDATE patients SET born = x'3533362d', owed = x'00' WHERE mrn = 'MRN-000002';`), nil)
	for _, where := range []string{
		`{"born":{"ge":"5360-01-01"}}`, `{"born":{"ge":"5360-01-01","lt":"5370-01-01"}}`, `{"owed":{"gt":1e300}}`, `{"age":{"gt":100000}}`,
	} {
		if got := r.call(t, "scrim_own", "patients_search", `{"where":`+where+`}`); len(got.Rows) != 0 || got.refused != "" {
			t.Errorf("%s finds %s", where, got.body)
		}
	}
	for _, column := range []string{"born", "owed", "age"} {
		for _, down := range []string{"false", "true"} {
			seen, cursor := "", ""
			for range 6 {
				got := r.call(t, "scrim_own", "patients_search", `{"limit":1,"columns":["mrn"],"order":[{"column":"`+column+`","descending":`+down+`}]`+cursor+`}`)
				if got.refused != "" {
					t.Fatal(got.body)
				}
				for _, row := range got.Rows {
					seen += row["mrn"].(string)[9:]
				}
				if cursor = `,"cursor":"` + got.Next + `"`; got.Next == "" {
					break
				}
			}
			want := map[string]string{"bornfalse": "34", "borntrue": "34", "owedfalse": "34", "owedtrue": "34", "agefalse": "234", "agetrue": "342"}[column+down]
			if seen != want {
				t.Errorf("in the order of %s (descending %s) there are %s, want %s", column, down, seen, want)
			}
		}
	}
}

// TestAColumnThatIsKeptBackIsNotToldByQuestions asks about a column that the lab is shown nothing of and about one that is
// not there, in every way.
func TestAColumnThatIsKeptBackIsNotToldByQuestions(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	for _, tool := range []string{"patients_search", "patients_list", "patients_get"} {
		for _, args := range []string{
			`{"where":{"COL":{"eq":"x"}}}`, `{"where":{"COL":{"eq":5}}}`, `{"where":{"COL":{"in":["x"]}}}`, `{"where":{"COL":{"null":true}}}`,
			`{"where":{"COL":{"lt":"x"}}}`, `{"where":{"COL":{}}}`, `{"where":{"COL":{"none":1}}}`, `{"where":{"COL":5}}`, `{"where":{"COL":{"in":[]}}}`,
			`{"where":{"COL":{"null":1}}}`, `{"where":{"COL":{"eq":{"a":1}}}}`, `{"order":[{"column":"COL"}]}`, `{"columns":["COL"]}`, `{"columns":["COL","COL"]}`,
			`{"key":{"COL":"x"}}`, `{"key":{"COL":5}}`,
		} {
			gone := r.call(t, "scrim_lab", tool, strings.ReplaceAll(args, "COL", "nowhere"))
			for _, column := range []string{"ssn", "name", "owed", "loose", "secret_column"} {
				if got := r.call(t, "scrim_lab", tool, strings.ReplaceAll(args, "COL", column)); got.refused != gone.refused {
					t.Errorf("%s %s of %s: %q, of no column: %q", tool, args, column, got.refused, gone.refused)
				}
			}
		}
	}
	listed := r.send(t, "scrim_lab", "2025-11-25", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	if strings.Contains(listed, `"maxItems":11`) {
		t.Errorf("the list tells how many columns there are: %s", listed)
	}
}

// TestAPathOfTheFileIsNoOtherHost: what an OpenAPI file calls a path goes after the configured host.
func TestAPathOfTheFileIsNoOtherHost(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"@evil.example/rows", ".evil.example/rows", ":8080/rows", "rows", "//evil.example/rows", "/../admin", "/a/..%2f/b", "/%2e%2e/admin", "/rows?all=1", "/rows#x", "/a\\b", "/a b", ""} {
		file := `{"openapi":"3.0.0","paths":{"` + strings.ReplaceAll(path, `\`, `\\`) + `":{"get":{"operationId":"all","responses":{"200":{"content":{"application/json":{"schema":{"type":"array","items":{"type":"object","properties":{"a":{"type":"string"}}}}}}}}}}}}`
		spec, err := facade.ParseOpenAPI([]byte(file))
		if err == nil {
			_, err = facade.Web(facade.WebOptions{Spec: spec, Tables: []facade.WebTable{{Name: "t", List: "all", Columns: []facade.Column{{Name: "a"}}}}})
		}
		if err == nil {
			t.Errorf("the path %q is taken", path)
		}
	}
}

// TestStrangersFillNoRecord: an address that cannot be asked is on record once it is known who asks; what strangers send is bounded.
func TestStrangersFillNoRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	for _, address := range []string{"/facade/records", "/facade/records/patients?limit=1&limit=2", "/facade/records/patients?a=%zz", "/facade/records/patients/" + strings.Repeat("x", 17<<10)} {
		for key, want := range map[string]bool{"scrim_nobody": true, "": true, "scrim_lab": false} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+address, nil)
			if err != nil {
				t.Fatal(err)
			}
			if key != "" {
				req.Header.Set("Authorization", "Bearer "+key)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if got := res.StatusCode == http.StatusUnauthorized; got != want || res.StatusCode < 400 {
				t.Errorf("%.60s for %q: status %d", address, key, res.StatusCode)
			}
		}
	}
}
