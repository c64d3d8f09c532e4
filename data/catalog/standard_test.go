package catalog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/scrimhq/scrim/flow"
	"go.yaml.in/yaml/v3"
)

// standardDocument is the JSON Schema that the standard publishes.
func standardDocument(t testing.TB) any {
	t.Helper()
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
	return doc
}

func standard(t testing.TB) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("odcs.json", standardDocument(t)); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("odcs.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestShapesAreThoseOfTheStandard holds our lists of members to its JSON Schema.
func TestShapesAreThoseOfTheStandard(t *testing.T) {
	doc := standardDocument(t).(map[string]any)
	defs := doc["$defs"].(map[string]any)
	sources := defs["ServerSource"].(map[string]any)
	var members func(of any) map[string]bool
	members = func(of any) map[string]bool {
		all := map[string]bool{}
		m, ok := of.(map[string]any)
		if !ok {
			return nil
		}
		if properties, ok := m["properties"].(map[string]any); ok {
			for k := range properties {
				all[k] = true
			}
		}
		var parts []any
		if ref, ok := m["$ref"].(string); ok {
			name := ref[strings.LastIndexByte(ref, '/')+1:]
			if strings.Contains(ref, "/ServerSource/") {
				parts = append(parts, sources[name])
			} else {
				parts = append(parts, defs[name])
			}
		}
		for _, key := range []string{"allOf", "anyOf", "oneOf"} {
			if list, ok := m[key].([]any); ok {
				parts = append(parts, list...)
			}
		}
		for _, part := range append(parts, m["if"], m["then"]) {
			for k := range members(part) {
				all[k] = true
			}
		}
		return all
	}
	options := map[string]any{}
	for i, part := range defs["SchemaBaseProperty"].(map[string]any)["allOf"].([]any) {
		if then, ok := part.(map[string]any)["then"].(map[string]any); ok {
			options[fmt.Sprint(i)] = then["properties"].(map[string]any)["logicalTypeOptions"]
		}
	}
	var all []any
	for _, o := range options {
		all = append(all, o)
	}
	for name, of := range map[string]any{
		"contract": doc, "about": doc["properties"].(map[string]any)["description"], "server": defs["Server"], "object": defs["SchemaObject"],
		"property": defs["SchemaProperty"], "options": map[string]any{"allOf": all}, "custom": defs["CustomProperty"], "team": defs["Team"],
		"member": defs["TeamMember"], "role": defs["Role"], "relationship": defs["Relationship"], "sla": defs["ServiceLevelAgreementProperty"],
		"support": defs["SupportItem"], "price": defs["Pricing"], "authority": defs["AuthoritativeDefinitions"].(map[string]any)["items"],
	} {
		want := members(of)
		for k := range want {
			if _, ok := shapes[name][k]; !ok {
				t.Errorf("%s: the standard has %q, and we do not", name, k)
			}
		}
		for k := range shapes[name] {
			if !want[k] {
				t.Errorf("%s: we have %q, and the standard does not", name, k)
			}
		}
	}
	if len(shapes) != 15 {
		t.Errorf("%d shapes, of which 15 are compared", len(shapes))
	}
}

// drawer draws contracts.
type drawer struct{ *rand.Rand }

func (r drawer) of(texts ...string) string { return texts[r.IntN(len(texts))] }

func (r drawer) chance() bool { return r.IntN(2) == 0 }

// text draws what is hard to write in YAML.
func (r drawer) text() string {
	return r.of("x", "true", "null", "~", "3", "1e6", "2026-01-01", "a: b", "- a", "#no", "'", `"`, "ä€𝄞", "two\nlines", " lead", "trail ", "\ttab", "*a", "&a", "!t", "{", "%", "@", "line\r\nend", "\u2028", "yes", "0x1F", "=", "<<", "\x00\x1b\x7f", "\ufeff", "a\ufffeb", "\u0085", "? x", "%YAML 1.2", "---", "a\n---\nb", "...", "\\", "@x`")
}

func (r drawer) list(least int, from ...string) (out []string) {
	for _, s := range from {
		if r.chance() {
			out = append(out, s)
		}
	}
	if len(out) < least {
		out = from[:least]
	}
	return out
}

// governance draws what may stand within outer.
func (r drawer) governance(outer Governance) (g Governance) {
	if r.chance() {
		return g
	}
	g.Owners, g.Recipients, g.Transfers = r.list(0, "ada", "true", "bo: b"), r.list(0, "insurers", "1"), r.list(0, "US: SCC", "CH")
	g.LegalBasis = r.list(0, "dpv:Consent", "eu-gdpr:A6-1-a")
	for _, p := range r.list(0, "care", "billing") {
		g.Purposes = append(g.Purposes, flow.Purpose(p))
	}
	among := Techniques()
	if len(outer.Techniques) > 0 {
		among = outer.Techniques
	}
	g.Techniques = r.list(0, among...)
	if r.chance() {
		g.Retention = time.Duration(1+r.IntN(100)) * time.Hour
		if outer.Retention > 0 {
			g.Retention = min(g.Retention, outer.Retention)
		}
	}
	if r.chance() {
		g.Review = time.Date(2020+r.IntN(20), time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, 0, 0, time.UTC)
	}
	return g
}

func (r drawer) custom() (all []Property) {
	for i := range r.IntN(3) {
		value := []any{r.text(), int(r.IntN(9)), r.chance(), []any{r.text(), 1.5}, map[string]any{"k": r.text()}, nil}[r.IntN(6)]
		all = append(all, Property{Name: []string{"theirs", "scrim.found", "other.thing"}[i], Value: value})
	}
	return all
}

func (r drawer) fields(d *Dataset) {
	labels := []flow.Label{"", "person/name", "finance/amount", "location/city", flow.PublicData, flow.Unlabelled}
	groups := []string{""}
	for i := range 1 + r.IntN(8) {
		name := r.of("c", "d.e", "true", "ä", "x y", "it:em") + fmt.Sprint(i)
		prefix := groups[r.IntN(len(groups))]
		f := Field{
			Column: prefix + name, Label: labels[r.IntN(len(labels))], Required: r.chance(), Key: r.IntN(5) == 0, Unique: r.IntN(5) == 0,
			Logical: r.of("", "string", "number", "integer", "date", "object", "array"), PhysicalType: r.of("", "varchar(20)", "int"), Governance: r.governance(d.Governance),
			Custom: r.custom(), References: r.of("", "", "other/id", "other/odd name"),
		}
		if r.chance() {
			f.Description, f.PhysicalName = r.text(), r.text()
		}
		if f.Logical == "number" && r.chance() {
			f.Bounds = Bounds{Min: -float64(r.IntN(100)) / 8, Max: 1e21 * r.Float64(), Known: true}
		}
		if f.Logical == "object" || f.Logical == "array" {
			groups = append(groups, f.Column+".")
			if len(f.Governance.Techniques) > 0 || f.Governance.Retention > 0 {
				f.Governance = Governance{} // those within draw from the dataset's
			}
		}
		if !slices.ContainsFunc(d.Fields, func(o Field) bool { return o.IsUnit }) && r.IntN(6) == 0 {
			f.IsUnit, d.Unit = true, r.of("", "patient", "true", f.Column)
		}
		d.Fields = append(d.Fields, f)
	}
}

func (r drawer) contract() Contract {
	c := Contract{
		ID: "c" + r.text(), Version: r.of("1", "1.0.0", "2026-01-01"), Name: r.of("", r.text()), Status: r.of("draft", "active"), Description: r.of("", r.text()),
		Domain: flow.DomainID(r.of("", "hospital")), Governance: r.governance(Governance{}), Custom: r.custom(),
	}
	for i := range r.IntN(3) {
		c.Servers = append(c.Servers, Server{Name: fmt.Sprintf("s%d", i), Type: "postgres", Host: "db", Port: 5432, Database: r.text(), Schema: "public", Environment: r.of("", "prod")})
	}
	for i := range r.IntN(4) {
		d := Dataset{
			Name: fmt.Sprintf("%s%d", r.of("t", "a b", "null"), i), Kind: Asset(r.IntN(len(assetNames))), Description: r.of("", r.text()), PhysicalName: r.of("", r.text()),
			Formal: r.chance(), Governance: r.governance(c.Governance), Custom: r.custom(), Contribution: Contribution{Rows: int64(r.IntN(3)), Groups: int64(r.IntN(3))},
		}
		if d.Kind == AsTool || d.Kind == AsSkill {
			d.Agent = "desk"
		}
		if r.chance() {
			d.Budget = Budget{Total: flow.Cost{EpsilonNano: r.Int64N(1e12), DeltaPico: r.Int64N(1e12)}, Per: time.Duration(1+r.IntN(90)) * 12 * time.Hour}
		}
		d.Governance = d.Governance.Within(c.Governance)
		r.fields(&d)
		c.Datasets = append(c.Datasets, d)
	}
	return c
}

// TestAnyContractIsWrittenAndReadAgain draws contracts with texts that are hard to write: each follows the standard
// and says the same when it is read, and when it is changed into another over its own file.
func TestAnyContractIsWrittenAndReadAgain(t *testing.T) {
	schema := standard(t)
	for seed := range uint64(60) {
		r := drawer{rand.New(rand.NewPCG(seed, 7))}
		drawn := r.contract()
		c, err := NewContract(drawn, nil)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, drawn.AppendYAML(nil))
		}
		check := func(c *Contract) {
			raw := c.AppendYAML(nil)
			again, err := ParseContract("again", raw, nil)
			if err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, raw)
			}
			same(t, again, c)
			var doc any
			if err := yaml.Unmarshal(raw, &doc); err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(doc); err != nil {
				t.Errorf("seed %d: it does not follow the standard: %v\n%s", seed, err, raw)
			}
		}
		check(c)
		for i, d := range drawn.Datasets { // nothing drawn was lost
			got := c.Datasets[i]
			if got.Name != d.Name || got.Kind != d.Kind || got.Description != d.Description || got.Budget != d.Budget || got.Contribution != d.Contribution || len(got.Fields) != len(d.Fields) {
				t.Errorf("seed %d: dataset %+v became %+v", seed, d, got)
			}
			for _, f := range d.Fields {
				g, ok := c.Field(d.Name + "/" + f.Column)
				if want := flow.Label(f.Label); !ok || g.Label != want && (want != "" || g.Label != flow.Unlabelled) || g.Bounds != f.Bounds || g.References != f.References || g.IsUnit != f.IsUnit || g.Description != f.Description || len(g.Custom) != len(f.Custom) {
					t.Errorf("seed %d: field %+v became %+v", seed, f, g)
				}
			}
		}
		other := r.contract()
		other.raw = c.raw
		changed, err := NewContract(other, nil)
		if err != nil {
			continue // what stays of the file may contradict what was drawn
		}
		check(changed)
		if len(changed.Datasets) != len(other.Datasets) || changed.Name != other.Name {
			t.Errorf("seed %d: the change is lost", seed)
		}
		if t.Failed() {
			return
		}
	}
}

func FuzzContractIsWrittenAndReadAgain(f *testing.F) {
	raw, err := os.ReadFile("testdata/claims.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1\nstatus: x\nschema:\n- name: t\n  properties:\n  - name: l\n    logicalType: array\n    items:\n      items: {properties: [{name: z}]}\n      properties: [{name: y, tags: [\"label:person/name\", q]}]\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseContract("f", raw, nil)
		if err != nil {
			return
		}
		written := c.AppendYAML(nil)
		again, err := ParseContract("f", written, nil)
		if err != nil {
			t.Fatalf("%v\n%q\n%q", err, raw, written)
		}
		if string(again.AppendYAML(nil)) != string(written) {
			t.Errorf("%q is written as %q and then otherwise", raw, written)
		}
	})
}
