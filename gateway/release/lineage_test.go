package release_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/privacy/deidentify"
)

func openLineage(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	data := os.Getenv("SCRIM_DATA")
	if data == "" {
		data = "../../../shared/data"
	}
	files, _ := filepath.Glob(filepath.Join(data, "schemas", "openlineage", "*.json"))
	if len(files) == 0 {
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatal("the OpenLineage schemas are not there")
		}
		t.Skip("the OpenLineage schemas are not there; set SCRIM_DATA")
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, name := range files {
		raw, err := os.ReadFile(name)
		must(t, err)
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		must(t, err)
		must(t, c.AddResource(doc.(map[string]any)["$id"].(string), doc))
	}
	return c
}

func TestTheLineageIsOpenLineage(t *testing.T) {
	c := openLineage(t)
	r := open(t, t.TempDir(), labPolicy)
	cols := append(columns(), release.Column{Name: "name", Says: deidentify.Drop().Says()})
	m, err := r.office.Release(context.Background(), r.snap, toLab, r.file(cols, nil))
	must(t, err)
	raw := r.read(t, release.LineageSuffix)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	must(t, err)
	validate(t, c, doc, "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent")
	out := doc.(map[string]any)["outputs"].([]any)[0].(map[string]any)
	for _, part := range []any{out["facets"], out["outputFacets"]} {
		for name, facet := range part.(map[string]any) {
			url := facet.(map[string]any)["_schemaURL"].(string)
			if !strings.Contains(url, "/facets/") {
				t.Errorf("facet %s is of schema %s", name, url)
			}
			validate(t, c, facet, url)
		}
	}
	var got struct {
		Outputs []struct {
			Name   string
			Facets struct {
				ColumnLineage struct {
					Fields map[string]struct {
						InputFields []struct {
							Field           string
							Transformations []struct{ Masking bool }
						}
					}
				}
			}
		}
	}
	must(t, json.Unmarshal(raw, &got))
	fields := got.Outputs[0].Facets.ColumnLineage.Fields
	if len(fields) != 4 || got.Outputs[0].Name != "release/"+string(m.Flow) {
		t.Errorf("the lineage of %s has %d columns, want 4: a dropped one has none", got.Outputs[0].Name, len(fields))
	}
	for name, masked := range map[string]bool{"born": true, "sex": false, "diagnosis": false} {
		f := fields[name].InputFields
		if len(f) != 1 || f[0].Field != name || f[0].Transformations[0].Masking != masked {
			t.Errorf("the lineage of %s is %+v, want masking %t", name, f, masked)
		}
	}
}

func validate(t *testing.T, c *jsonschema.Compiler, doc any, url string) {
	t.Helper()
	s, err := c.Compile(url)
	must(t, err)
	if err := s.Validate(doc); err != nil {
		t.Errorf("%s: %v", url, err)
	}
}
