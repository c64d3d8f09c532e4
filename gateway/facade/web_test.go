package facade_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/facade"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

const legacy = `openapi: 3.0.3
info: {title: legacy, version: "1"}
servers: [{url: "http://169.254.169.254/elsewhere"}]
paths:
  /people:
    get:
      operationId: listPeople
      parameters:
        - {name: ward, in: query, schema: {type: string}}
      responses:
        "200": {description: ok, content: {application/json: {schema: {type: object, properties: {total: {type: integer}, people: {type: array, items: {$ref: "#/components/schemas/Person"}}}}}}}
    delete: {operationId: forget, responses: {"200": {description: gone}}}
  /people/{id}:
    get:
      operationId: getPerson
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        "200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Person"}}}}
components:
  schemas:
    Person:
      type: object
      properties:
        mrn: {type: string}
        name: {type: string}
        age: {type: integer, nullable: true}
        ward: {type: string}
        undocumented_by_contract: {type: string}
`

const legacyContract = `{apiVersion: v3.1.0, kind: DataContract, id: legacy, version: "1", status: active, schema: [{name: people, properties: [
{name: mrn, logicalType: string, primaryKey: true, customProperties: [{property: scrim.label, value: health/record-number}, {property: scrim.unit, value: patient}]},
{name: name, logicalType: string, customProperties: [{property: scrim.label, value: person/name}]},
{name: age, logicalType: integer, customProperties: [{property: scrim.label, value: person/age}]},
{name: ward, logicalType: string, classification: public}]}]}`

var personColumns = []facade.Column{{Name: "mrn"}, {Name: "name"}, {Name: "age", Kind: facade.Integer}, {Name: "ward"}}

const legacyPeople = `{"total":3,"people":[{"mrn":"MRN-000001","name":"Jane Doe","age":64,"ward":"icu","undocumented_by_contract":"Zanzibar","more":"Zanzibar"},
{"mrn":"MRN-000002","name":"Jon Roe","age":17,"ward":"er"},{"mrn":"MRN-000003","name":"Mary Major","age":null,"ward":"er"}]}`

// legacyRig is a facade before a service, which has so long for an answer.
func legacyRig(t *testing.T, limit time.Duration, h http.HandlerFunc) *rig {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	up, err := gateway.NewUpstream(srv.URL+"/api/", "Authorization", flow.NewSecret("Bearer legacy"), gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := facade.ParseOpenAPI([]byte(legacy))
	if err != nil {
		t.Fatal(err)
	}
	source, err := facade.Web(facade.WebOptions{Upstream: up, Spec: spec, Limit: limit, Bytes: 1 << 20, Tables: []facade.WebTable{{Name: "people", List: "listPeople", Get: "getPerson", Key: "mrn", Columns: personColumns}}})
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, source, func(o *facade.Options, _ *gatewaytest.Setup) {
		o.Contracts, o.Tables = parsed(t, legacyContract), []facade.Table{{Name: "people"}}
	})
}

func TestAFacadeBeforeAService(t *testing.T) {
	t.Parallel()
	var asked atomic.Value
	r := legacyRig(t, patience, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.URL.RequestURI() + " " + r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/api/people":
			_, _ = io.WriteString(w, legacyPeople)
		case r.URL.Path == "/api/people/MRN-000001":
			_, _ = io.WriteString(w, `{"mrn":"MRN-000001","name":"Jane Doe","age":64,"ward":"icu"}`)
		case r.URL.Path == "/api/people/MRN-000002": // another's row
			_, _ = io.WriteString(w, `{"mrn":"MRN-000001","name":"Jane Doe","age":64,"ward":"icu"}`)
		default:
			http.NotFound(w, r)
		}
	})
	got := r.call(t, "scrim_lab", "people_search", `{"where":{"ward":{"eq":"er"}},"order":[{"column":"age","descending":true}]}`)
	if len(got.Rows) != 2 || fmt.Sprint(got.Rows[0]["age"]) != "17" || got.Rows[1]["age"] != nil || strings.Contains(gatewaytest.Said(got.body), "Jon") || strings.Contains(gatewaytest.Said(got.body), "MRN") {
		t.Errorf("the lab sees %s", got.body)
	}
	if a := asked.Load(); a != "GET /api/people?ward=er Bearer legacy" {
		t.Errorf("the service was asked %v", a)
	}
	all := r.call(t, "scrim_lab", "people_list", `{"limit":2}`)
	rest := r.call(t, "scrim_lab", "people_list", `{"limit":2,"cursor":"`+all.Next+`"}`)
	if len(all.Rows) != 2 || len(rest.Rows) != 1 || rest.Next != "" || strings.Contains(all.body+rest.body, "Zanzibar") {
		t.Errorf("pages are %s and %s", all.body, rest.body)
	}
	token := all.Rows[0]["mrn"].(string)
	if one := r.call(t, "scrim_lab", "people_search", `{"where":{"mrn":{"in":["`+token+`"]}}}`); len(one.Rows) != 1 || one.Rows[0]["mrn"] != token {
		t.Errorf("by its token a row is %s", one.body)
	}
	for key, rows := range map[string]int{"MRN-000001": 1, "MRN-000002": 0, "MRN-999999": 0, "..": 0, "../../admin": 0, "a/b?c=d#e": 0} {
		asked.Store("")
		got := r.call(t, "scrim_own", "people_get", `{"key":{"mrn":"`+key+`"}}`)
		if got.refused != "" || len(got.Rows) != rows {
			t.Errorf("%s is %s, want %d rows", key, got.body, rows)
		}
		if a := asked.Load().(string); a != "" && (!strings.HasPrefix(a, "GET /api/people/") || strings.Count(a, "/") != 3 || strings.Contains(a, "?")) {
			t.Errorf("for %s the service was asked %s", key, a)
		}
	}
}

// TestAServiceThatLies answers what its file does not say.
func TestAServiceThatLies(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	js := func(w http.ResponseWriter, text string) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"redirects":            func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"answers another type": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>Zanzibar</html>") },
		"fails": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no row for Zanzibar", http.StatusInternalServerError)
		},
		"breaks off":          func(w http.ResponseWriter, _ *http.Request) { js(w, `{"people":[{"mrn":"Zanzi`) },
		"has no list":         func(w http.ResponseWriter, _ *http.Request) { js(w, `{"others":[]}`) },
		"has a list of texts": func(w http.ResponseWriter, _ *http.Request) { js(w, `{"people":["Zanzibar"]}`) },
		"says a member twice": func(w http.ResponseWriter, _ *http.Request) { js(w, `{"people":[],"people":[{"mrn":"Zanzibar"}]}`) },
		"has too many rows": func(w http.ResponseWriter, _ *http.Request) {
			js(w, `{"people":[`+strings.Repeat(`{},`, 10_001)+`{}]}`)
		},
		"is encoded": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			js(w, "Zanzibar")
		},
		"has no end": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"people":[`)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(`{"mrn":"x"},`, 1000)); err != nil {
					return
				}
			}
		},
		"never answers": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := legacyRig(t, time.Second, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				answer(w, r)
			})
			if got := r.call(t, "scrim_own", "people_list", `{}`); got.refused == "" || strings.Contains(got.body, "Zanzibar") {
				t.Errorf("a service that %s gives %s", name, got.body)
			}
		})
	}
	t.Run("has other types", func(t *testing.T) {
		t.Parallel()
		r := legacyRig(t, patience, func(w http.ResponseWriter, _ *http.Request) {
			js(w, `{"people":[{"mrn":{"a":"Zanzibar"}},{"mrn":"z","name":["Zanzibar"],"age":"Zanzibar","ward":1.5e999},{"mrn":"a","age":1.5},{"mrn":"b","age":99999999999999999999},{"mrn":"c\u0000","ward":true}]}`)
		})
		got := r.call(t, "scrim_own", "people_list", `{}`)
		if len(got.Rows) != 3 || got.Odd != 5 || strings.Contains(got.body, "Zanzibar") {
			t.Errorf("values of other types are %s", got.body)
		}
	})
}

func TestOpenAPIFilesThatCannotBe(t *testing.T) {
	t.Parallel()
	table := facade.WebTable{Name: "people", List: "listPeople", Get: "getPerson", Key: "mrn", Columns: personColumns}
	for want, change := range map[string][2]string{
		"line 1, column 1: its version":       {"openapi: 3.0.3", "openapi: 2.0"},
		"anchors and aliases":                 {"info: {", "info: &a {b: *a, "},
		"a key is there twice":                {"info: {title: legacy,", "info: {title: legacy, title: x,"},
		"no YAML":                             {"paths:\n", "\tpaths:\n"},
		"it has no paths":                     {"paths:\n", "paths2:\n"},
		`no operation "listPeople"`:           {"operationId: listPeople", "operationId: other"},
		"two operations":                      {"operationId: forget", "operationId: listPeople"},
		`the answer has no member "age"`:      {"age: {type: integer, nullable: true}", "years: {type: integer}"},
		"another type than the data contract": {"age: {type: integer", "age: {type: string"},
		"no list of objects":                  {"people: {type: array, items: {$ref: \"#/components/schemas/Person\"}}", "people: {type: object}"},
		"requires the parameter":              {"{name: ward, in: query,", "{name: ward, in: query, required: true,"},
		"not one parameter in its path":       {"/people/{id}:", "/people/{id}/{more}:"},
		"says of no JSON":                     {"application/json: {schema: {type: object, properties: {total", "text/csv: {schema: {type: object, properties: {total"},
		"the answer has no list of objects":   {"items: {$ref: \"#/components/schemas/Person\"}", "items: {$ref: \"http://evil.example/x.yaml#/a\"}"},
		"answer has no list of objects":       {"    Person:\n      type: object", "    Person:\n      $ref: \"#/components/schemas/Person\"\n      type: object"},
	} {
		text := strings.Replace(legacy, change[0], change[1], 1)
		if text == legacy {
			t.Fatalf("%q is not in the file", change[0])
		}
		spec, err := facade.ParseOpenAPI([]byte(text))
		if err == nil {
			up, upErr := gateway.NewUpstream("http://127.0.0.1:9", "", flow.Secret{}, gateway.UpstreamOptions{})
			if upErr != nil {
				t.Fatal(upErr)
			}
			_, err = facade.Web(facade.WebOptions{Upstream: up, Spec: spec, Tables: []facade.WebTable{table}})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with %q the error is %v, want %s", change[1], err, want)
		}
		if se, ok := errors.AsType[*facade.SpecError](err); ok && se.Line < 1 {
			t.Errorf("with %q the line is %d", change[1], se.Line)
		}
	}
	var deep strings.Builder
	deep.WriteString(`{"openapi":"3.1.0","paths":{},"x":`)
	deep.WriteString(strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}")
	if _, err := facade.ParseOpenAPI([]byte(deep.String())); err == nil {
		t.Error("a file that is 5,000 deep is read")
	}
}

func FuzzParseOpenAPI(f *testing.F) {
	f.Add([]byte(legacy))
	f.Add([]byte(`{"openapi":"3.1.0","paths":{"/a":{"$ref":"#/paths/~1a"}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		spec, err := facade.ParseOpenAPI(raw)
		if err != nil {
			return
		}
		up, err := gateway.NewUpstream("http://127.0.0.1:9", "", flow.Secret{}, gateway.UpstreamOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = facade.Web(facade.WebOptions{Upstream: up, Spec: spec, Tables: []facade.WebTable{{Name: "people", List: "listPeople", Get: "getPerson", Key: "mrn", Columns: personColumns}}})
	})
}
