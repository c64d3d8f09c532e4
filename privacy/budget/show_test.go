package budget_test

import (
	"fmt"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/budget"
)

func TestScopesComeInPagesInTheirOrder(t *testing.T) {
	h := open(t)
	must(t, h.Declare(t.Context(), budget.Budget{Dataset: "claims", Unit: budget.Unit{Name: "patient"}, Plan: budget.Plan{Epsilon: nano}}))
	for i := range 25 {
		s := budget.Scope{Dataset: "claims", Domain: flow.DomainID(fmt.Sprintf("d%d", i%5)), Workflow: fmt.Sprintf("w%02d", i)}
		must(t, h.SetQuota(t.Context(), s, &budget.Plan{Epsilon: nano}))
	}
	seen := map[budget.Scope]bool{}
	q := budget.ScopeQuery{After: budget.Scope{Dataset: "claims"}, Most: 7}
	for more := true; more; {
		var page []budget.Standing
		var err error
		page, more, err = h.ScopesAfter(t.Context(), q)
		must(t, err)
		for _, st := range page {
			if seen[st.Scope] || st.Level == budget.Global {
				t.Errorf("%v comes twice, or is the dataset", st.Scope)
			}
			seen[st.Scope], q.After = true, st.Scope
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d scopes, want 25", len(seen))
	}
}
