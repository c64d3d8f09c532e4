package gateway

import (
	"fmt"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/hop"
)

// A gateway of another domain that names other labels with each call of one trace does not make what is remembered of it grow.
func TestATrailDoesNotGrow(t *testing.T) {
	m := &hopMemory{trail: map[trailKey]*trail{}, byDom: map[flow.DomainID]int{}}
	tax := flow.DefaultTaxonomy()
	k := trailKey{"00", "prior-auth"}
	for call := range 8 {
		levels := map[flow.Label]flow.Treatment{}
		for i := range hop.MaxLevels {
			levels[flow.Label(fmt.Sprintf("person/x%d-%d", call, i))] = flow.Treatment{Level: flow.Masked}
		}
		got, err := m.join(k, &trail{From: "hospital", Levels: levels}, tax)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Levels) > hop.MaxLevels {
			t.Fatalf("after %d calls of one trace %d labels are remembered, want at most %d", call+1, len(got.Levels), hop.MaxLevels)
		}
		if most, bound := got.limits().Of("person/x0-7"); !bound || most.Level != flow.Masked {
			t.Fatalf("after %d calls what the first one bounds shows as %s", call+1, most.Level)
		}
	}
	before := m.trail[k]
	flat := map[flow.Label]flow.Treatment{}
	for i := range hop.MaxLevels {
		flat[flow.Label(fmt.Sprintf("x%d", i))] = flow.Treatment{Level: flow.Masked}
	}
	if _, err := m.join(k, &trail{From: "hospital", Levels: flat}, tax); ruleOfHop(err) != RuleExhausted || m.trail[k] != before {
		t.Errorf("labels that nothing is above of: %v, want %s and what was remembered before", err, RuleExhausted)
	}
}
