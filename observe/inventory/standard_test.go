package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// What is proposed follows the schema that the Open Data Contract Standard publishes, odd names and skills without columns included.
func TestProposalFollowsTheStandard(t *testing.T) {
	dir := os.Getenv("SCRIM_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	f, err := os.Open(filepath.Join(dir, "schemas/odcs/odcs-json-schema-v3.1.0.json"))
	if errors.Is(err, os.ErrNotExist) {
		const why = "the ODCS v3.1.0 schema is not there: set SCRIM_DATA to the folder that holds schemas/odcs"
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	} else if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("odcs.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("odcs.json")
	if err != nil {
		t.Fatal(err)
	}
	tools := &Inventory{Source: "x", Assets: []Asset{
		{Name: "ask", Kind: Skill, Columns: []Column{{Name: "request", Type: "text/plain", Why: "none"}}}, {Name: "nothing", Kind: Tool},
		{Name: "records", Kind: Resource, Rows: 3, Exact: true, Columns: []Column{{Name: "content"}}},
	}}
	tools.Server.Type, tools.Server.Location = "api", "https://host.example/mcp"
	for name, inv := range map[string]*Inventory{"database": scanned(t, known, house...), "tools": tools} {
		c := proposed(t, inv)
		var v any
		if err := yaml.Unmarshal(c.AppendYAML(nil), &v); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v\n%s", name, err, c.AppendYAML(nil))
		}
	}
}
