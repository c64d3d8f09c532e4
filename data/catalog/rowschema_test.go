package catalog

import (
	"testing"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// TestTheSchemaOfARowSaysWhatTheContractSays: each column has its own field, label and unit at its place.
func TestTheSchemaOfARowSaysWhatTheContractSays(t *testing.T) {
	contract, err := NewContract(Contract{ID: "c", Version: "1", Status: "draft", Datasets: []Dataset{{Name: "stays", Unit: "patient", Fields: []Field{
		{Column: "id", Label: "health/record-number", IsUnit: true, Logical: "string", Required: true},
		{Column: "born", Label: "person/birth-date", Logical: "date"},
		{Column: "home", Logical: "object"}, {Column: "home.city", Label: "location/city", Logical: "string"},
		{Column: "visits", Logical: "array", Label: "health"}, {Column: "visits.ward", Label: flow.PublicData}, {Column: "odd.name", Label: "person/name"},
	}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw := contract.Datasets[0].AppendSchema(nil)
	s, err := ParseSchema("row.json", raw, SchemaOptions{Contracts: []*Contract{contract}})
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	member := func(at json.State, names ...string) json.State {
		for _, name := range names {
			if name == "*" {
				at = s.Element(at, 0)
			} else {
				at = s.Member(at, []byte(name))
			}
		}
		return at
	}
	for field, path := range map[string][]string{
		"stays/id": {"id"}, "stays/born": {"born"}, "stays/home.city": {"home", "city"}, "stays/visits": {"visits"}, "stays/visits.ward": {"visits", "*", "ward"}, "stays/odd.name": {"odd.name"},
	} {
		info, f := s.Info(member(s.Root(), path...)), Field{}
		f, _ = contract.Field(field)
		if info.Field != field || info.Label != f.Label || info.Unit != "patient" || !info.Declared {
			t.Errorf("at %v is %+v, want %s (%s)\n%s", path, info, field, f.Label, raw)
		}
	}
	if info := s.Info(member(s.Root(), "id")); !info.Required || info.Types != StringType {
		t.Errorf("the id is %+v", info)
	}
	if s.Info(member(s.Root(), "other")).Declared {
		t.Error("a column that is not there is declared")
	}
}
