package catalog

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

var update = flag.Bool("update", false, "write golden files anew")

func claims(t testing.TB) *Contract {
	t.Helper()
	raw, err := os.ReadFile("testdata/claims.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseContract("claims.yaml", raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parse(t testing.TB, raw string, foreign bool) *Schema {
	t.Helper()
	s, err := ParseSchema("test.json", []byte(raw), SchemaOptions{Foreign: foreign, Contracts: []*Contract{claims(t)}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// at follows a pointer through the schema; digits are elements.
func at(s *Schema, pointer string) json.State {
	st := s.Root()
	if pointer == "" {
		return st
	}
	for seg := range strings.SplitSeq(pointer[1:], "/") {
		if n := 0; seg != "" && seg[0] >= '0' && seg[0] <= '9' {
			fmt.Sscan(seg, &n)
			st = s.Element(st, n)
		} else {
			st = s.Member(st, []byte(seg))
		}
	}
	return st
}

func show(i *Info) string {
	if !i.Declared {
		if i.Droppable {
			return "undeclared droppable"
		}
		return "undeclared"
	}
	words := []string{string(i.Label)}
	add := func(ok bool, word string) {
		if ok {
			words = append(words, word)
		}
	}
	add(!i.Named, "unnamed")
	add(i.NameLabel != i.Label, "names="+string(i.NameLabel))
	if i.Need != nil {
		words = append(words, "need="+i.Need.String())
	}
	add(i.Droppable, "droppable")
	add(i.Signed, "signed")
	add(i.Required, "required")
	add(i.Subject != "", "subject="+i.Subject)
	add(i.Unit != "", "unit="+i.Unit)
	add(i.Field != "", "field="+i.Field)
	add(i.Types != 0, i.Types.String())
	add(i.Origin != flow.Catalogued, i.Origin.String())
	return strings.Join(words, " ")
}

func TestPlaces(t *testing.T) {
	for name, tt := range map[string]struct {
		schema string
		want   map[string]string
	}{
		"a member is as labelled, what is not listed is undeclared with all within": {
			`{"type":"object","required":["name"],"properties":{"name":{"type":"string","x-scrim-label":"person/name"},"age":{"x-scrim-label":"person/age","x-scrim-need":"generalized"},"free":{}}}`,
			map[string]string{"/name": "person/name required string", "/age": "person/age need=generalized(bucket:10)", "/free": "unlabelled", "/free/x": "undeclared", "/x": "undeclared", "/x/name": "undeclared", "/x/0/name": "undeclared", "/0": "undeclared"},
		},
		"additionalProperties: true and {} declare nothing, a schema declares without naming": {
			`{"properties":{"a":{"additionalProperties":true},"b":{"additionalProperties":{}},"c":{"additionalProperties":{"x-scrim-label":"person/age"}},"d":{"additionalProperties":false},"e":false}}`,
			map[string]string{"/a/x": "undeclared", "/b/x": "undeclared", "/c/x": "person/age unnamed", "/d/x": "undeclared", "/e": "undeclared"},
		},
		"names have a label of their own": {
			`{"properties":{"by":{"propertyNames":{"x-scrim-label":"person/contact/email"},"additionalProperties":{"properties":{"n":{"x-scrim-label":"person/age"}}}}}}`,
			map[string]string{"/by": "unlabelled names=person/contact/email", "/by/a@b.c": "unlabelled unnamed", "/by/a@b.c/n": "person/age"},
		},
		"patterns join with properties and with each other": {
			`{"properties":{"x-a":{"x-scrim-label":"person/age"}},"patternProperties":{"^x-":{"x-scrim-label":"person/name"},"a$":{"x-scrim-label":"health/diagnosis"}},"additionalProperties":{"x-scrim-label":"location/city"}}`,
			map[string]string{"/x-a": "health/diagnosis", "/x-b": "person/name unnamed", "/ba": "health/diagnosis unnamed", "/x-ba": "health/diagnosis unnamed", "/q": "location/city unnamed"},
		},
		"items, prefixItems and the draft-07 form": {
			`{"properties":{"l":{"items":{"x-scrim-label":"person/name"}},"p":{"prefixItems":[{"x-scrim-label":"person/age"}],"items":{"x-scrim-label":"person/name"}},"o":{"items":[{"x-scrim-label":"person/age"}]},"n":{"type":"array"}}}`,
			map[string]string{"/l/0": "person/name", "/l/7": "person/name", "/p/0": "person/age", "/p/1": "person/name", "/o/0": "person/age", "/o/1": "undeclared", "/n/0": "undeclared"},
		},
		"an object's label, need, unit and absolute subject hold within": {
			`{"properties":{"id":{"x-scrim-label":"health/record-number"},"p":{"x-scrim-label":"person","x-scrim-need":"masked","x-scrim-subject":"/id","x-scrim-unit":"patient","properties":{"a":{},"b":{"x-scrim-label":"person/age","x-scrim-need":"raw"},"c":{"items":{"type":"string"}}}}}}`,
			map[string]string{"/p/a": "person need=masked subject=/id unit=patient", "/p/b": "person/age need=raw subject=/id unit=patient", "/p/c/3": "person need=masked subject=/id unit=patient string", "/p/z": "undeclared"},
		},
		"what holds in one alternative does not hold in the other": {
			`{"anyOf":[{"x-scrim-label":"public","properties":{"a":{}}},{"properties":{"b":{}}}]}`,
			map[string]string{"/a": "public", "/b": "unlabelled"},
		},
		"alternatives join, the strictest label holds and needs meet": {
			`{"oneOf":[{"properties":{"v":{"x-scrim-label":"location/city"}}},{"properties":{"v":{"x-scrim-label":"person/birth-date","x-scrim-need":"generalized(month)"}}}],"allOf":[{"properties":{"v":{"x-scrim-need":"generalized(year)"}}}]}`,
			map[string]string{"/v": "person/birth-date need=generalized(year)"},
		},
		"an optional value keeps its label": {
			`{"properties":{"d":{"anyOf":[{"type":"string","x-scrim-label":"person/birth-date"},{"type":"null"}]}}}`,
			map[string]string{"/d": "person/birth-date null|string"},
		},
		"a type that refers to itself": {
			`{"$ref":"#/$defs/node","$defs":{"node":{"properties":{"name":{"x-scrim-label":"person/name"},"children":{"items":{"$ref":"#/$defs/node"}}}}}}`,
			map[string]string{"/children/0/children/9/name": "person/name", "/children/0/x": "undeclared"},
		},
		"a label beside $ref joins the one referred to, and holds within": {
			`{"properties":{"a":{"$ref":"#/$defs/m","x-scrim-label":"health/diagnosis"},"b":{"$ref":"#m"},"c":{"$ref":"#/$defs/o","x-scrim-label":"person"}},"$defs":{"m":{"$anchor":"m","x-scrim-label":"person/age"},"o":{"properties":{"x":{}}}}}`,
			map[string]string{"/a": "health/diagnosis", "/b": "person/age", "/c/x": "person"},
		},
		"signed holds for its own place": {
			`{"properties":{"a":{"x-scrim-signed":true,"properties":{"b":{}}},"c":{}}}`,
			map[string]string{"/a": "unlabelled signed", "/a/b": "unlabelled", "/c": "unlabelled"},
		},
		"droppable holds for an object's undeclared members": {
			`{"x-scrim-droppable":true,"properties":{"a":{},"b":{"x-scrim-droppable":true}}}`,
			map[string]string{"/a": "unlabelled", "/b": "unlabelled droppable", "/c": "undeclared droppable", "/c/d/0": "undeclared droppable", "/a/c": "undeclared"},
		},
		"a field takes label, unit and subject from its contract": {
			`{"properties":{"rows":{"items":{"properties":{"member":{"x-scrim-field":"claims/member_id"},"dx":{"x-scrim-field":"claims/diagnosis"},"other":{"x-scrim-label":"person/age"}}}}}}`,
			map[string]string{"/rows/0/member": "health/member-number subject=../member unit=patient field=claims/member_id", "/rows/0/dx": "health/diagnosis subject=../member unit=patient field=claims/diagnosis", "/rows/0/other": "person/age"},
		},
		"then and dependentSchemas declare": {
			`{"if":{"properties":{"q":{}}},"then":{"properties":{"a":{}}},"dependentSchemas":{"a":{"properties":{"b":{}}}}}`,
			map[string]string{"/a": "unlabelled", "/b": "unlabelled", "/q": "undeclared"},
		},
		"the empty name is a name": {`{"properties":{"":{"x-scrim-label":"person/age"}}}`, map[string]string{"/": "person/age", "/a": "undeclared"}},
		"false declares nothing":   {`false`, map[string]string{"": "undeclared", "/a": "undeclared"}},
		"true declares the root":   {`true`, map[string]string{"": "unlabelled", "/a": "undeclared"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := parse(t, tt.schema, false)
			for pointer, want := range tt.want {
				if got := show(s.Info(at(s, pointer))); got != want {
					t.Errorf("%s is %q, want %q", pointer, got, want)
				}
			}
		})
	}
}

func TestForeignOnlyRaises(t *testing.T) {
	own := parse(t, `{"properties":{"note":{"x-scrim-label":"text/free"},"dx":{"x-scrim-label":"health/diagnosis"},"none":{},"who":{"x-scrim-label":"person/name"}}}`, false)
	foreign := parse(t, `{"required":["dx"],"properties":{"note":{"x-scrim-label":"health/note"},"dx":{"x-scrim-label":"public","x-scrim-need":"masked"},"none":{"x-scrim-label":"public"},"who":{"x-scrim-label":"no/such/label"},"extra":{"x-scrim-label":"person/name"}},"x-scrim-later":1}`, true)
	both, err := Merge(own, foreign)
	if err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]string{
		"/note": "health/note", "/dx": "health/diagnosis need=masked required", "/none": "unlabelled",
		"/who": "unlabelled", "/extra": "unlabelled supplied", "/other": "undeclared",
	} {
		if got := show(both.Info(at(both, pointer))); got != want {
			t.Errorf("%s is %q, want %q", pointer, got, want)
		}
	}
	if got := show(foreign.Info(at(foreign, "/note"))); got != "unlabelled supplied" {
		t.Errorf("a foreign schema alone labels /note %q, want unlabelled", got)
	}
	if alone, _ := Merge(nil, foreign); alone != foreign {
		t.Error("Merge(nil, foreign) is not foreign")
	}
}

// TestForeignNeverReveals joins every pair of labels and checks the tier.
func TestForeignNeverReveals(t *testing.T) {
	tax := flow.DefaultTaxonomy()
	all := tax.All()
	for _, a := range all {
		for _, b := range all {
			c, _ := tax.Class(raise(tax, a.Label, b.Label))
			if c.Tier > a.Tier {
				t.Errorf("own %s raised by foreign %s is %s: less strict", a.Label, b.Label, c.Label)
			}
		}
	}
}

func TestTransparent(t *testing.T) {
	s, err := Transparent("/**")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"", "/a", "/a/0/b"} {
		if i := s.Info(at(s, p)); i.Label != flow.PublicData || !i.Declared {
			t.Errorf("%q is %q, want public", p, show(i))
		}
	}
	s, err = Transparent("/a/*/b", "/c/**")
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]string{"/a/0/b": "public", "/a/x/b": "public", "/a": "unlabelled names=public", "/a/x": "unlabelled unnamed", "/a/0/z": "undeclared", "/a/0/b/c": "undeclared", "/c": "public", "/c/d": "public unnamed", "/d": "undeclared"} {
		if got := show(s.Info(at(s, p))); got != want {
			t.Errorf("%s is %q, want %q", p, got, want)
		}
	}
	for _, bad := range []string{"", "a", "/**/a"} {
		if _, err := Transparent(bad); err == nil {
			t.Errorf("Transparent(%q) has no error", bad)
		}
	}
}

func TestMistakes(t *testing.T) {
	const file = "testdata/mistakes.txtar"
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	contracts := []*Contract{claims(t)}
	for i := 0; i+1 < len(ar.Files); i += 2 {
		in, want := ar.Files[i], &ar.Files[i+1]
		t.Run(in.Name, func(t *testing.T) {
			var err error
			if strings.HasSuffix(in.Name, ".yaml") {
				_, err = ParseContract(in.Name, in.Data, nil)
			} else {
				_, err = ParseSchema(in.Name, in.Data, SchemaOptions{Contracts: contracts})
			}
			got := "no mistake\n"
			if err != nil {
				got = err.Error() + "\n"
			}
			if *update {
				want.Data = []byte(got)
			} else if got != string(want.Data) {
				t.Errorf("got\n%swant\n%s", got, want.Data)
			}
		})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLimits(t *testing.T) {
	deep := strings.Repeat(`{"items":`, 100) + "true" + strings.Repeat("}", 100)
	if _, err := ParseSchema("deep", []byte(deep), SchemaOptions{}); err == nil {
		t.Error("a schema 100 deep has no mistake")
	}
	if _, err := ParseSchema("wide", []byte(`{"properties":{"a":{},"b":{"title":"b"},"c":{"title":"c"}}}`), SchemaOptions{MaxStates: 3}); err == nil || !strings.Contains(err.Error(), ErrTooLarge.Error()) {
		t.Errorf("four states within a limit of three: %v", err)
	}
	// Each level has twice the alternatives of the one below.
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/0","$defs":{`)
	for i := range 60 {
		fmt.Fprintf(&b, `"%d":{"anyOf":[{"$ref":"#/$defs/%d"},{"$ref":"#/$defs/%d"}]},`, i, i+1, i+1)
	}
	b.WriteString(`"60":{"type":"string"}}}`)
	s, err := ParseSchema("doubling", []byte(b.String()), SchemaOptions{MaxDepth: 200})
	if err != nil {
		t.Fatal(err)
	}
	if s.Accepts(s.Root(), json.Number, "1") {
		t.Error("a number is accepted for a string")
	}
}

func TestMemberDoesNotAllocate(t *testing.T) {
	s := parse(t, `{"properties":{"a":{"patternProperties":{"^x":{"type":"string"}},"items":{"type":"string"}}}}`, false)
	keys := [][]byte{[]byte("a"), []byte("xyz"), []byte("none")}
	if n := testing.AllocsPerRun(100, func() {
		st := s.Member(s.Root(), keys[0])
		s.Info(s.Member(st, keys[1]))
		s.Info(s.Member(st, keys[2]))
		s.Info(s.Element(st, 3))
	}); n != 0 {
		t.Errorf("a walk of four places allocates %v times, want none", n)
	}
}

func TestStatesOutOfRangeAreUndeclared(t *testing.T) {
	s := parse(t, `{}`, false)
	for _, st := range []json.State{-1, 1 << 20} {
		if s.Info(st).Declared || s.Info(s.Member(st, []byte("a"))).Declared || s.Info(s.Element(st, 0)).Declared {
			t.Errorf("state %d is declared", st)
		}
	}
}

func TestSchemasBySpecificity(t *testing.T) {
	a, b, c := parse(t, `{}`, false), parse(t, `{"title":"b"}`, false), parse(t, `{"title":"c"}`, false)
	cat := New([]Binding{
		{Schema: a, Kind: Tool, Direction: flow.Response},
		{Schema: b, Kind: Tool, Owner: "ehr", Direction: flow.Response},
		{Schema: c, Kind: Tool, Owner: "ehr", Name: "lookup", Direction: flow.Response},
		{Schema: c, Kind: Tool, Owner: "ehr", Name: "lookup", Direction: flow.Request},
	}, []*Contract{claims(t)})
	if got := cat.Schemas(Tool, "ehr", "lookup", flow.Response); !slices.Equal(got, []*Schema{c, b, a}) {
		t.Errorf("got %d schemas, want the most specific first", len(got))
	}
	if got := cat.Schemas(Tool, "other", "lookup", flow.Response); !slices.Equal(got, []*Schema{a}) {
		t.Errorf("got %d schemas for another owner, want the general one", len(got))
	}
	if got := cat.Schemas(Skill, "ehr", "lookup", flow.Response); got != nil {
		t.Errorf("got %d schemas for a skill, want none", len(got))
	}
	if got := len(cat.Fields()); got != 7 {
		t.Errorf("the catalog has %d fields, want 7", got)
	}
}
