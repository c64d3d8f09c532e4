package ask_test

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// TestADataContractBoundsWhatIsAsked: a question in SQL is held to the contract of the table that it reads and to what that says of the
// source's own columns; what is refused costs nothing, and is refused in the words of policy.
func TestADataContractBoundsWhatIsAsked(t *testing.T) {
	t.Parallel()
	contract, err := catalog.ParseContract("c.yaml", []byte(`
apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
schema:
  - name: admissions
    customProperties: [{property: scrim.purposes, value: [study]}]
    properties:
      - {name: src_ward}
      - {name: src_age, customProperties: [{property: scrim.techniques, value: [message, extract]}]}
`), nil)
	must(t, err)
	r := newRig(t, func(s *gatewaytest.Setup) {
		before := s.Change
		s.Change = func(snap *gateway.Snapshot) {
			before(snap)
			snap.Catalog = catalog.New(nil, []*catalog.Contract{contract})
			snap.Datasets["stays"].Described = map[string]string{"stays": "admissions"}
		}
	})
	if got, refused := r.call("key-lab", "query", `{"dataset":"stays","sql":"ward"}`); got == "" {
		t.Errorf("a column that may be used so: %s", refused)
	}
	for _, sql := range []string{"age", "ward age"} {
		if got, refused := r.call("key-lab", "query", `{"dataset":"stays","sql":"`+sql+`"}`); got != "" || !strings.Contains(refused, "does not permit this caller to have questions about this dataset answered") {
			t.Errorf("%s: %s %s", sql, got, refused)
		}
	}
	if got, refused := r.call("key-other", "query", `{"dataset":"stays","sql":"ward"}`); got == "" {
		t.Errorf("for a purpose that it may be used for: %s", refused)
	}
	draws := r.words.draws.Load()
	if got, _ := r.call("key-other", "query", `{"dataset":"stays","sql":"patient"}`, "Scrim-Purpose", "care"); got != "" { // whose rows they are is all that it reads
		t.Errorf("policy permits any purpose and the contract one, and was answered %s", got)
	}
	if r.words.draws.Load() != draws || draws != 1 { // the same question of another gets the same answer
		t.Errorf("%d answers were drawn, then %d", draws, r.words.draws.Load())
	}
}
