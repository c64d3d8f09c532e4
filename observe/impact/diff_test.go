package impact_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/policy"
)

func TestDifferencesAskEveryAgentAndPurpose(t *testing.T) {
	old := side(set(t, nil, rules))
	next := side(set(t, func(e *policy.Entities) { e.Fields[2].Label = "person/contact/email" },
		change(t, `"names") permit (principal,`, `"names") permit (principal in Role::"claims",`)+`@id("more") permit (principal == Agent::"lab", action in Action::"upto_masked", resource in DataClass::"finance/iban") when { context.purpose == Purpose::"research" };`))
	next.Settings = map[string]string{"mode": "enforce"}
	d, err := impact.Differences(t.Context(), old, next)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Policies, []impact.Edit{{Name: "more", What: "added"}, {Name: "names", What: "changed"}}) || !slices.Equal(d.Fields, []impact.Edit{{Name: "visits/name", What: "changed"}}) {
		t.Errorf("policies %v, fields %v", d.Policies, d.Fields)
	}
	if !d.Reveals || len(d.Why) == 0 || len(d.Settings) != 1 || len(d.Classes) > 0 {
		t.Errorf("reveals %v because of %q, settings %v", d.Reveals, d.Why, d.Settings)
	}
	found := 0
	for _, m := range d.Levels {
		switch {
		case m.Label == "finance/iban" && m.To == "masked":
			found++
			if !m.Opens || !slices.Equal(m.Agents, []flow.AgentID{"lab"}) || !slices.Equal(m.Purposes, []flow.Purpose{"research"}) {
				t.Errorf("%+v", m)
			}
		case m.Label == "person/name" && m.From == "tokenized(reversible)":
			found++
			if m.Opens || slices.Contains(m.Agents, "payer") || len(m.Agents) != 2 || len(m.Purposes) != 4 {
				t.Errorf("%+v", m)
			}
		case m.Opens:
			t.Errorf("opens: %+v", m)
		}
	}
	if found < 2 {
		t.Errorf("levels %+v", d.Levels)
	}
	if none, err := impact.Differences(t.Context(), old, old); err != nil || len(none.Levels) > 0 || none.Reveals || none.Asked != d.Asked {
		t.Errorf("of the same sides: %+v, %v", none, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := impact.Differences(ctx, old, next); !errors.Is(err, context.Canceled) {
		t.Errorf("Differences() error = %v, want that of the context", err)
	}
}
