package gateway

import (
	"fmt"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/hop"
)

// A gateway of another domain that names other labels with each call of one trace does not make what is remembered of it grow.
func TestATrailDoesNotGrow(t *testing.T) {
	m, now := &hopMemory{trail: map[trailKey]*trail{}}, time.Unix(1_800_000_000, 0)
	tax := flow.DefaultTaxonomy()
	k := trailKey{"00", "prior-auth"}
	for call := range 8 {
		levels := map[flow.Label]flow.Treatment{}
		for i := range hop.MaxLevels {
			levels[flow.Label(fmt.Sprintf("person/x%d-%d", call, i))] = flow.Treatment{Level: flow.Masked}
		}
		got, err := m.join(k, nil, &trail{From: "hospital", Levels: levels}, tax, now)
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
	if _, err := m.join(k, nil, &trail{From: "hospital", Levels: flat}, tax, now); ruleOfHop(err) != RuleExhausted || m.trail[k] != before {
		t.Errorf("labels that nothing is above of: %v, want %s and what was remembered before", err, RuleExhausted)
	}
}

// A domain whose gateway calls all day is not locked out by what is remembered of its calls, and memory is bounded.
func TestTrailsLeaveMemory(t *testing.T) {
	m, now := &hopMemory{trail: map[trailKey]*trail{}}, time.Unix(1_800_000_000, 0)
	tax := flow.DefaultTaxonomy()
	join := func(n int) error {
		_, err := m.join(trailKey{flow.TraceID(fmt.Sprint(n)), "prior-auth"}, nil, &trail{From: "hospital", expires: now.Add(24 * time.Hour).Unix()}, tax, now)
		return err
	}
	for n := range 8 * maxTrails {
		if n%1024 == 0 {
			now = now.Add(10 * time.Second)
		}
		if err := join(n); err != nil {
			t.Fatalf("call %d of a day: %v", n, err)
		}
	}
	if len(m.trail) > maxTrails+4096 {
		t.Errorf("%d trails are in memory, want about %d", len(m.trail), maxTrails)
	}
	if _, known := m.of(trailKey{"0", "prior-auth"}, now); known {
		t.Error("a trail that left memory counts as none")
	}
	if got, known := m.of(trailKey{flow.TraceID(fmt.Sprint(8*maxTrails - 1)), "prior-auth"}, now); got == nil || !known {
		t.Error("the last trail is not in memory")
	}
	for n := range mostTrails { // within a moment: none of them is durable for sure
		if err := join(10*maxTrails + n); err != nil {
			if ruleOfHop(err) != RuleBusy || len(m.trail) > mostTrails {
				t.Errorf("with %d trails in memory: %v, want %s", len(m.trail), err, RuleBusy)
			}
			return
		}
	}
	t.Errorf("%d trails are in memory", len(m.trail))
}
