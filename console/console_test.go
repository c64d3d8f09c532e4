package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/scrimhq/scrim/console"
	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
)

// empty is a console of a gateway that has nothing.
func empty(t *testing.T) *console.Console {
	t.Helper()
	return console.New(console.Options{
		API: api.Options{Listen: "127.0.0.1:7071"},
		Frame: page.Options{
			Domain: "home", Version: "test", Login: "/login",
			Identify: func(*http.Request) page.Who { return page.Who{} },
			Record:   func(context.Context, page.Act) error { return nil },
		},
	})
}

// TestDescriptionIsOpenAPI validates the description against the schema of the OpenAPI Initiative (version 3.1).
func TestDescriptionIsOpenAPI(t *testing.T) {
	raw, err := os.ReadFile("testdata/openapi-3.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	text := empty(t).OpenAPI()
	got, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(got); err != nil {
		t.Errorf("%v", err)
	}
	bad, err := jsonschema.UnmarshalJSON(bytes.NewReader(bytes.Replace(text, []byte(`"in": "path"`), []byte(`"in": "nowhere"`), 1)))
	if err != nil {
		t.Fatal(err)
	}
	if schema.Validate(bad) == nil {
		t.Error("a parameter that is nowhere passes the schema")
	}
}

// TestReferencesOfTheDescriptionResolve follows every $ref.
func TestReferencesOfTheDescriptionResolve(t *testing.T) {
	var doc struct {
		Paths      map[string]map[string]struct{ OperationID string }
		Components struct{ Schemas map[string]any }
	}
	text := empty(t).OpenAPI()
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), `"$ref": "#/components/schemas/`)
	for _, p := range parts[1:] {
		name, _, _ := strings.Cut(p, `"`)
		if _, ok := doc.Components.Schemas[name]; !ok {
			t.Errorf("%s is referred to and not there", name)
		}
	}
	ids := map[string]string{}
	for at, item := range doc.Paths {
		for method, op := range item {
			if was, ok := ids[op.OperationID]; ok {
				t.Errorf("%s %s and %s have one id", method, at, was)
			}
			ids[op.OperationID] = method + " " + at
		}
	}
	if len(parts) < 50 || len(ids) < 60 {
		t.Errorf("%d references, %d operations", len(parts)-1, len(ids))
	}
}
