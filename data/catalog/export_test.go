package catalog

import (
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

func TestContractIsWrittenAndReadAgain(t *testing.T) {
	week := 7 * 24 * time.Hour
	c, err := NewContract(Contract{
		ID: "hr", Version: "0.1.0", Name: "Staff", Status: "draft", Domain: "clinic", Description: "Pay and rosters.",
		Governance: Governance{Owners: []string{"hr-lead"}, Purposes: []flow.Purpose{"payroll"}, Retention: 5 * week, Techniques: []string{"aggregate", "extract"}},
		Servers:    []Server{{Name: "main", Type: "postgres", Host: "db", Port: 5432, Database: "hr", Schema: "public"}},
		Datasets: []Dataset{{
			Name: "staff", Kind: View, PhysicalName: "hr.staff", Formal: true, Contribution: Contribution{Rows: 3}, Unit: "employee",
			Budget:     Budget{Total: flow.Cost{EpsilonNano: 1_500_000_000, DeltaPico: 10}, Per: week},
			Governance: Governance{LegalBasis: []string{"dpv:Contract"}, Review: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)},
			Fields: []Field{
				{Column: "id", Label: "person/name", IsUnit: true, Key: true, Required: true, PhysicalType: "bigint", Logical: "integer"},
				{Column: "pay", Label: "finance/amount", Logical: "number", Bounds: Bounds{Min: 0, Max: 1e6, Known: true}, Governance: Governance{Retention: week}},
				{Column: "home", Logical: "object"},
				{Column: "home.city", Label: "location/city", Governance: Governance{Techniques: []string{"aggregate"}}},
				{Column: "boss", References: "staff/id", Custom: []Property{{"scrim.found", map[string]any{"confidence": 97}}, {"grade", "yes"}}},
				{Column: "odd.name", Label: flow.PublicData, References: "staff/odd.name"},
			},
		}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw := c.AppendYAML(nil)
	again, err := ParseContract("again.yaml", raw, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	same(t, again, c)
	if got, _ := again.Field("staff/home.city"); got.Governance.Retention != 5*week || got.Governance.Owners[0] != "hr-lead" || got.Governance.LegalBasis[0] != "dpv:Contract" || len(got.Governance.Techniques) != 1 {
		t.Errorf("the city is under %+v", got.Governance)
	}
	if got, _ := again.Field("staff/boss"); got.References != "staff/id" || len(got.Custom) != 2 || got.Label != flow.Unlabelled {
		t.Errorf("the boss is %+v", got)
	}
	if got, _ := again.Field("staff/odd.name"); got.References != "staff/odd.name" || got.Label != flow.PublicData {
		t.Errorf("the odd column is %+v", got)
	}
	if d, _ := again.Dataset("staff"); d.UnitColumn != "id" || d.Unit != "employee" || d.Budget.Per != week || d.Kind != View {
		t.Errorf("the dataset is %+v", d)
	}
}

func TestWhatWasReadIsWrittenAsItWas(t *testing.T) {
	raw, err := os.ReadFile("testdata/claims.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseContract("claims.yaml", raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	written := c.AppendYAML(nil)
	again, err := ParseContract("claims.yaml", written, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, written)
	}
	same(t, again, c)
	if third := again.AppendYAML(nil); string(third) != string(written) {
		t.Errorf("written twice it is\n%s\nand then\n%s", written, third)
	}
}

// same compares what two contracts say.
func same(t *testing.T, got, want *Contract) {
	t.Helper()
	a, b := *got, *want
	a.raw, b.raw, a.tax, b.tax, a.file, b.file = nil, nil, nil, nil, "", ""
	if !reflect.DeepEqual(a, b) {
		t.Errorf("the contract says\n%+v\nwant\n%+v", a, b)
	}
}

// TestAPlaceIsOneColumnWhereUseIsBounded: a place that stands for two columns with different bounds of use would be under those of one of them.
func TestAPlaceIsOneColumnWhereUseIsBounded(t *testing.T) {
	for say, ok := range map[string]bool{"[care]": false, "[billing]": true} {
		c, err := ParseContract("c.yaml", []byte(hostileHead+"customProperties: [{property: scrim.purposes, value: [billing]}]\nschema:\n- name: t\n  properties:\n  - {name: a}\n  - {name: b, customProperties: [{property: scrim.purposes, value: "+say+"}]}\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseSchema("s.json", []byte(`{"anyOf": [{"properties": {"x": {"x-scrim-field": "t/a"}}}, {"properties": {"x": {"x-scrim-field": "t/b"}}}]}`), SchemaOptions{Contracts: []*Contract{c}})
		if (err == nil) != ok {
			t.Errorf("with purposes %s at the other column: %v", say, err)
		}
	}
}
