package catalog

import (
	stdjson "encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

func TestAccepts(t *testing.T) {
	for _, tt := range []struct {
		schema string
		kind   json.Kind
		text   string
		want   bool
	}{
		{`{"type":"string"}`, json.String, "x", true},
		{`{"type":"string"}`, json.Null, "", false},
		{`{"type":["string","null"]}`, json.Null, "", true},
		{`{"type":"integer"}`, json.Number, "1.0", true},
		{`{"type":"integer"}`, json.Number, "1.5", false},
		{`{"type":"integer","minimum":0,"maximum":120}`, json.Number, "130", false},
		{`{"exclusiveMinimum":0,"multipleOf":10}`, json.Number, "40", true},
		{`{"exclusiveMinimum":0,"multipleOf":10}`, json.Number, "0", false},
		{`{"exclusiveMinimum":0,"multipleOf":10}`, json.Number, "45", false},
		{`{"type":"number"}`, json.Number, "1e999", false},
		{`{"format":"date"}`, json.String, "1984-02-03", true},
		{`{"format":"date"}`, json.String, "1984", false},
		{`{"format":"date-time"}`, json.String, "2026-11-22T10:00:00Z", true},
		{`{"format":"email"}`, json.String, "[email]", false},
		{`{"format":"email"}`, json.String, "a@example.com", true},
		{`{"format":"uuid"}`, json.String, "8f14e45f-ceea-467a-9575-1f0e8b1d1e6a", true},
		{`{"format":"ipv4"}`, json.String, "10.0.0.0/24", false},
		{`{"format":"color"}`, json.String, "anything", true},
		{`{"pattern":"^[A-Z]{3}$"}`, json.String, "[x]", false},
		{`{"minLength":2,"maxLength":3}`, json.String, "äöü", true},
		{`{"maxLength":3}`, json.String, "abcd", false},
		{`{"enum":["a",1,null,true]}`, json.Number, "1.0", true},
		{`{"enum":["a",1,null,true]}`, json.Null, "", true},
		{`{"enum":["a",1,null,true]}`, json.False, "", false},
		{`{"const":12345678901234567890}`, json.Number, "12345678901234567891", false},
		{`{"const":"a"}`, json.String, "b", false},
		{`{"anyOf":[{"type":"string","maxLength":1},{"type":"null"}]}`, json.String, "ab", false},
		{`{"anyOf":[{"type":"string","maxLength":1},{"type":"null"}]}`, json.Null, "", true},
		{`{"$ref":"#/$defs/s","maxLength":9,"$defs":{"s":{"minLength":3}}}`, json.String, "ab", false},
		{`{"allOf":[{"minLength":3},{"maxLength":4}]}`, json.String, "abc", true},
		{`{"type":"array"}`, json.Array, "", true},
		{`true`, json.Object, "", true},
	} {
		t.Run(tt.schema+" "+tt.text, func(t *testing.T) {
			s := parse(t, fmt.Sprintf(`{"properties":{"v":{"$ref":"#/x/0"}},"x":[%s],"$defs":{"s":{"minLength":3}}}`, tt.schema), false)
			if got := s.Accepts(at(s, "/v"), tt.kind, tt.text); got != tt.want {
				t.Errorf("Accepts(%s %q) = %v, want %v", tt.kind, tt.text, got, tt.want)
			}
			if tt.text == "1e999" {
				return // beyond a float64, where we refuse
			}
			if got := validates(t, tt.schema, tt.kind, tt.text); got != tt.want {
				t.Errorf("another implementation says %v, want %v", got, tt.want)
			}
		})
	}
}

// validates asks another implementation of JSON Schema.
func validates(t *testing.T, schema string, k json.Kind, text string) bool {
	t.Helper()
	load := func(raw string) any {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("s.json", load(schema)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("s.json")
	if err != nil {
		t.Fatal(err)
	}
	raw := map[json.Kind]string{json.Null: "null", json.True: "true", json.False: "false", json.Array: "[]", json.Object: "{}", json.Number: text}[k]
	if k == json.String {
		raw = string(json.AppendString(nil, text))
	}
	return s.Validate(load(raw)) == nil
}

func TestOneAlternativeMustAcceptAMember(t *testing.T) {
	s := parse(t, `{"oneOf":[{"properties":{"v":{"const":"a"}}},{"properties":{"v":{"const":"b"}}}],"properties":{"v":{"type":"string"}}}`, false)
	for text, want := range map[string]bool{"a": true, "b": true, "c": false} {
		if got := s.Accepts(at(s, "/v"), json.String, text); got != want {
			t.Errorf("Accepts(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestSubject(t *testing.T) {
	s := parse(t, `{
		"properties": {
			"id": {"type": "string"},
			"name": {"x-scrim-subject": "../id"},
			"deep": {"properties": {"x": {"x-scrim-subject": "../../id"}}},
			"patients": {"items": {"x-scrim-subject": "/patients/*/mrn", "properties": {"mrn": {}, "visits": {"items": {"properties": {"dx": {}}}}}}},
			"rows": {"items": {"properties": {"m": {"x-scrim-field": "claims/member_id"}, "dx": {"x-scrim-field": "claims/diagnosis"}}}},
			"by": {"additionalProperties": {"x-scrim-subject": "/by/*/key", "properties": {"key": {}, "v": {}}}}
		}}`, false)
	src := []byte(`{"id":"i","name":"n","deep":{"x":"x"},"patients":[{"mrn":"p0","visits":[{"dx":"a"},{"dx":"b"}]},{"visits":[{"dx":"c"}]},{"mrn":null,"visits":[{"dx":"d"}]}],"rows":[{"dx":"e","m":"r0"},{"dx":"f","m":"r1"}],"by":{"k":{"v":"g","key":"k7"}}}`)
	var d json.Doc
	if err := d.Parse(src, s, json.Limits{}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"n": "i", "x": "i", "a": "p0", "b": "p0", "e": "r0", "f": "r1", "g": "k7", "r0": "r0", "r1": "r1", "p0": "p0"}
	for n, node := range d.Nodes {
		if node.Kind != json.String {
			continue
		}
		got := ""
		if m, ok := s.Subject(&d, 0, n, node.State); ok {
			got = d.Text(m)
		}
		if who := d.Text(n); got != want[who] && who != "k7" {
			t.Errorf("%q is about %q, want %q", who, got, want[who])
		}
	}
	if _, ok := s.Subject(&d, 0, 0, at(s, "/name")); ok {
		t.Error("a sibling of the root was found")
	}
}

func TestSelect(t *testing.T) {
	loose := parse(t, `{"properties":{"kind":{"type":"string"}}}`, false)
	claim := parse(t, `{"$ref":"#/$defs/c","$defs":{"c":{"required":["kind","id"],"properties":{"kind":{"const":"claim"},"v":{"enum":[2]},"id":{}}}}}`, false)
	visit := parse(t, `{"required":["kind"],"properties":{"kind":{"const":"visit"}}}`, false)
	all := []*Schema{loose, claim, visit}
	for src, want := range map[string]*Schema{
		`{"kind":"claim","id":1}`: claim, `{"kind":"claim"}`: loose, `{"kind":"visit"}`: visit,
		`{"kind":"claim","id":1,"v":2.0}`: claim, `{"kind":"claim","id":1,"v":3}`: loose, `{}`: loose, `[]`: nil,
	} {
		var d json.Doc
		if err := d.Parse([]byte(src), nil, json.Limits{}); err != nil {
			t.Fatal(err)
		}
		if got := Select(all, &d, 0); got != want {
			t.Errorf("Select(%s) chose another schema", src)
		}
	}
	if got := claim.Discriminators(); len(got) != 1 || got["kind"] != "claim" {
		t.Errorf("Discriminators() has %d entries, want kind alone", len(got))
	}
}

func TestContract(t *testing.T) {
	c := claims(t)
	if c.ID != "claims-2026" || c.Domain != "hospital" || c.Version != "1.2.0" {
		t.Errorf("contract is %s %s of %s", c.ID, c.Version, c.Domain)
	}
	d, ok := c.Dataset("claims")
	want := Budget{Total: flow.Cost{EpsilonNano: 3_000_000_000, DeltaPico: 1_000_000}, Per: 30 * 24 * time.Hour}
	if !ok || d.UnitColumn != "member_id" || d.Unit != "patient" || !d.Formal || d.Budget != want {
		t.Errorf("dataset is %+v", d)
	}
	for name, want := range map[string]Field{
		"claims/member_id":    {Label: "health/member-number", Tier: flow.Restricted, Types: StringType, Required: true, IsUnit: true},
		"claims/diagnosis":    {Label: "health/diagnosis", Tier: flow.Restricted, Types: StringType},
		"claims/amount":       {Label: "finance/amount", Tier: flow.Internal, Types: NumberType, Bounds: Bounds{Max: 50000, Known: true}},
		"claims/ward":         {Label: flow.PublicData, Tier: flow.Public, Types: StringType},
		"claims/comment":      {Label: flow.Unlabelled, Types: StringType},
		"claims/address":      {Label: flow.Unlabelled, Types: ObjectType},
		"claims/address.city": {Label: "location/city", Tier: flow.Internal, Types: StringType},
	} {
		want.Name, want.Dataset, want.Column, want.Unit = name, "claims", name[len("claims/"):], "patient"
		want.Logical = want.Types.String()
		if got, ok := c.Field(name); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, want %+v", name, got, want)
		}
	}
	if _, ok := c.Field("claims/none"); ok {
		t.Error("a column that is not there was found")
	}
}

func TestDecimal(t *testing.T) {
	for s, want := range map[string]int64{"3": 3e9, "0.000000001": 1, "1e-6": 1000, "999999999": 999_999_999e9, "0": 0} {
		if got, ok := decimal(s, 9); !ok || got != want {
			t.Errorf("decimal(%s) = %d, %v, want %d", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "-1", "0.0000000001", "1e99", "1e-99", "9999999999", "1e999999999", "NaN", ".5"} {
		if got, ok := decimal(s, 9); ok {
			t.Errorf("decimal(%s) = %d, want none", s, got)
		}
	}
}

// TestContractFollowsTheStandard checks our own contract against the schema that the standard publishes.
func TestContractFollowsTheStandard(t *testing.T) {
	schema := standard(t)
	raw, err := os.ReadFile("testdata/claims.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var contract any
	if err := yaml.Unmarshal(raw, &contract); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(contract); err != nil {
		t.Errorf("our contract does not follow the standard: %v", err)
	}
	delete(contract.(map[string]any), "status")
	if schema.Validate(contract) == nil {
		t.Error("a contract without status follows the standard: the check checks nothing")
	}
}

func FuzzParseSchema(f *testing.F) {
	f.Add([]byte(`{"properties":{"a":{"x-scrim-label":"person/name","x-scrim-need":"raw"}},"patternProperties":{"^x":{"$ref":"#"}}}`), []byte("a"))
	f.Add([]byte(`{"$ref":"#/$defs/n","$defs":{"n":{"anyOf":[{"items":{"$ref":"#/$defs/n"}},{"type":"null"}],"x-scrim-subject":"/0"}}}`), []byte("x"))
	f.Fuzz(func(t *testing.T, raw, key []byte) {
		for _, foreign := range []bool{false, true} {
			s, err := ParseSchema("f", raw, SchemaOptions{Foreign: foreign, MaxStates: 500})
			if err != nil {
				continue
			}
			st := s.Root()
			for range 4 {
				st = s.Element(s.Member(st, key), len(key))
				if i := s.Info(st); i.Declared != (i.Label != "") {
					t.Errorf("declared %v with label %q", i.Declared, i.Label)
				}
				s.Accepts(st, json.String, string(key))
			}
			if !stdjson.Valid(raw) {
				t.Error("a schema was read from what is not JSON")
			}
		}
	})
}

func FuzzParseContract(f *testing.F) {
	raw, err := os.ReadFile("testdata/claims.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseContract("f", raw, nil)
		if err != nil && c != nil {
			t.Error("with the error came a contract")
		}
	})
}

func BenchmarkMember(b *testing.B) {
	s := parse(b, `{"properties":{"patients":{"items":{"properties":{"mrn":{"type":"string"},"name":{"type":"string"},"dx":{"type":"string"}}}}}}`, false)
	keys := [][]byte{[]byte("patients"), []byte("name")}
	b.ReportAllocs()
	for b.Loop() {
		s.Member(s.Element(s.Member(s.Root(), keys[0]), 1), keys[1])
	}
}
