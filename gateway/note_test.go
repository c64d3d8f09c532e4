package gateway

import (
	stdjson "encoding/json"
	"reflect"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

// A note that is written by hand says what encoding/json would say.
func TestNoteIsWrittenAsEncodingJSONWould(t *testing.T) {
	change := flow.Change{Path: `/a/"b"\\/<x>`, Label: "person/name", Level: flow.Masked, By: flow.ByTier}
	full := change
	full.Param, full.Policy, full.Reason = "keep:2", []flow.PolicyID{"p", `q"`}, "because \u2028 of\n& \xff"
	for _, n := range []flow.Note{
		{}, {Reference: "r"}, {Reference: "r", Changes: []flow.Change{change, full}, Restricted: 3, Delayed: true, Ask: "how"},
		{Changes: []flow.Change{full}, Earlier: []flow.Note{{Reference: "e", Changes: []flow.Change{change}}}},
	} {
		want, err := stdjson.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendNote(nil, &n)
		var a, b any
		if err != nil || stdjson.Unmarshal(got, &a) != nil || stdjson.Unmarshal(want, &b) != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("appendNote() = %s, %v; want %s", got, err, want)
		}
	}
}
