package run_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

func TestAFacadeIsServedOverREST(t *testing.T) {
	t.Parallel()
	ward, wardDigest := identity.NewKey()
	_, labDigest := identity.NewKey()
	file := lay(t, fmt.Sprintf(facadeYAML, wardDigest, labDigest, strconv.Quote(clinic(t, 3))), map[string]string{"contract.yaml": staysContract})
	_, addr, _ := serve(t, load(t, file), run.Options{})
	for path, want := range map[string]string{"stays?age=21": `{"rows":[{"patient":"p1","age":21}`, "stays/p2": `{"row":{"patient":"p2"`, "openapi.json": `"openapi":"3.1.0"`} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/facade/stays/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+ward.Expose())
		req.Header.Set(identity.HeaderCriticality, "routine")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 200 || !strings.Contains(string(got), want) {
			t.Errorf("%s is %d %s %v, want %s", path, res.StatusCode, got, err, want)
		}
	}
}

const serviceAPI = `openapi: 3.1.0
info: {title: stays, version: "1"}
paths:
  /stays:
    get:
      operationId: listStays
      responses: {"200": {description: ok, content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Stay"}}}}}}
  /stays/{id}:
    get:
      operationId: getStay
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Stay"}}}}}
components: {schemas: {Stay: {type: object, properties: {patient_id: {type: string}, age: {type: [integer, "null"]}}}}}
`

func TestAServiceIsFrontedByConfiguration(t *testing.T) {
	ward, wardDigest := identity.NewKey()
	_, labDigest := identity.NewKey()
	t.Setenv("LEGACY_KEY", "legacy")
	var key atomic.Pointer[string]
	now := "Bearer legacy"
	key.Store(&now)
	legacy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != *key.Load() {
			t.Errorf("the service is shown %q, want %q", r.Header.Get("Authorization"), *key.Load())
		}
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/api/stays" {
			_, _ = io.WriteString(w, `[{"patient_id":"p1","age":21,"secret":"Zanzibar"}]`)
			return
		}
		_, _ = io.WriteString(w, `{"patient_id":"p1","age":21,"secret":"Zanzibar"}`)
	}))
	t.Cleanup(legacy.Close)
	yaml := fmt.Sprintf(facadeYAML, wardDigest, labDigest, "SOURCE")
	yaml = strings.Replace(yaml, "sqlite: SOURCE", "rest: {url: "+strconv.Quote(legacy.URL+"/api")+", openapi: stays.yaml, credential: {header: Authorization, env: LEGACY_KEY}}", 1)
	yaml = strings.Replace(yaml, "{table: clinic_stays}", "{list: listStays, get: getStay}", 1)
	g, addr, _ := serve(t, load(t, lay(t, yaml, map[string]string{"contract.yaml": staysContract, "stays.yaml": serviceAPI})), run.Options{})
	for call, want := range map[string]string{"stays_list": `{}`, "stays_get": `{"key":{"patient":"p1"}}`} {
		if got := facadeCall(t, addr, ward.Expose(), call, want); !strings.Contains(got, `"patient":"p1","age":21`) || strings.Contains(got, "Zanzibar") {
			t.Errorf("%s gives %s", call, got)
		}
	}
	t.Setenv("LEGACY_KEY", "rotated")
	rotated := "Bearer rotated"
	key.Store(&rotated)
	if err := g.Reload(t.Context(), "a rotation"); err != nil {
		t.Fatal(err)
	}
	if got := facadeCall(t, addr, ward.Expose(), "stays_list", `{}`); !strings.Contains(got, `"patient":"p1"`) {
		t.Errorf("after a rotation of the key the ward sees %s", got)
	}
	file := lay(t, yaml, map[string]string{"contract.yaml": staysContract, "stays.yaml": strings.Replace(serviceAPI, "age: {type: [integer, \"null\"]}", "years: {type: integer}", 1)})
	if _, err := config.Load(file); err == nil || !strings.Contains(err.Error(), `stays.yaml:13:`) || !strings.Contains(err.Error(), `no member "age"`) {
		t.Errorf("a file that lacks a column is %v, want its line", err)
	}
}
