package policy

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/flow"
)

func TestASetThatWasKeptDecidesAlike(t *testing.T) {
	files := fstest.MapFS{
		"a.cedar":        {Data: []byte(`permit (principal in Role::"clinic", action in Action::"upto_masked", resource in DataClass::"person");`)},
		"b.shadow.cedar": {Data: []byte(`forbid (principal, action in Action::"atleast_masked", resource);`)},
	}
	e := Entities{
		Agents: []flow.Party{{Agent: "doc", Domain: "hospital", Roles: []flow.Role{"clinic"}}},
		Fields: []Field{{Name: "patients/name", Dataset: "patients", Label: "person/name"}},
	}
	for _, opt := range []Options{{Entities: e}, {Entities: Entities{Agents: e.Agents, Fields: e.Fields, Datasets: []Dataset{}, Purposes: map[flow.Purpose][]flow.Purpose{}}}} {
		s, err := Load(files, opt)
		if err != nil {
			t.Fatal(err)
		}
		s = s.Carrying(map[string][]flow.Label{"patients/name": {"health"}})
		raw, err := json.Marshal(s.Keep())
		if err != nil {
			t.Fatal(err)
		}
		var k Kept
		if err := json.Unmarshal(raw, &k); err != nil {
			t.Fatal(err)
		}
		again, err := Restore(k, -1)
		if err != nil {
			t.Fatal(err)
		}
		if again.Hash() != s.Hash() {
			t.Error("the restored set has another hash")
		}
		k.Files["a.cedar"] += " "
		if _, err := Restore(k, -1); !errors.Is(err, ErrKept) {
			t.Errorf("Restore() of a changed file: error = %v, want ErrKept", err)
		}
	}
}
