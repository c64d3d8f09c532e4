package catalog

import (
	"testing"

	"github.com/scrimhq/scrim/flow"
)

func TestValuesAreThePlacesThatHoldSomething(t *testing.T) {
	s, err := ParseSchema("test", []byte(`{
	  "type": "object", "required": ["who", "list"],
	  "properties": {
	    "who": {"type": "object", "required": ["name"], "properties": {
	      "name": {"type": "string", "x-scrim-label": "person/name"},
	      "mail": {"type": "string", "x-scrim-label": "person/contact/email"}}},
	    "maybe": {"type": "object", "required": ["born"], "properties": {"born": {"type": "string", "x-scrim-label": "person/birth-date"}}},
	    "list": {"type": "array", "items": {"type": "string", "x-scrim-label": "technical/record-id"}},
	    "any": {}
	  }}`), SchemaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[flow.Label]bool{}
	for info, must := range s.Values() {
		got[info.Label] = must
	}
	want := map[flow.Label]bool{"person/name": true, "person/contact/email": false, "person/birth-date": false, "technical/record-id": false, flow.Unlabelled: false}
	if len(got) != len(want) {
		t.Errorf("Values() has %v, want %v", got, want)
	}
	for label, must := range want {
		if is, ok := got[label]; !ok || is != must {
			t.Errorf("%s: required %v (there: %v), want %v", label, is, ok, must)
		}
	}
}

func TestValuesOfARecursiveSchemaEnd(t *testing.T) {
	s, err := ParseSchema("test", []byte(`{"$defs":{"n":{"type":"object","properties":{"next":{"$ref":"#/$defs/n"},"v":{"type":"string"}}}},"$ref":"#/$defs/n"}`), SchemaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range s.Values() {
		n++
	}
	if n == 0 || n > s.States() {
		t.Errorf("Values() has %d places of %d states", n, s.States())
	}
}
