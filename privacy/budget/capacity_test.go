package budget_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
)

// The page says how many questions a budget with the default split answers; the ledger answers as many.
func TestCapacitiesAreThoseOfThePage(t *testing.T) {
	text, err := os.ReadFile("../../docs/spec/budget-ledger.md")
	must(t, err)
	for _, r := range []struct{ each, epsilon float64 }{{0.1, 1}, {0.1, 3}, {0.05, 1}, {0.05, 3}, {0.02, 1}, {0.01, 1}, {0.01, 3}} {
		p, c, err := budget.Plan{Epsilon: int64(r.epsilon * nano), Delta: femto / 1_000_000}.Fill()
		must(t, err)
		row := fmt.Sprintf("| %v | %v |", r.each, r.epsilon)
		for _, m := range []account.Mechanism{{Kind: "laplace", Scale: 1 / r.each}, {Kind: "gaussian", Sigma: 1 / r.each}} {
			cost, err := account.VectorOf(m)
			must(t, err)
			most, by := int64(-1), budget.Basic
			for _, f := range p.Menu.Filters() {
				only := p
				only.Menu = budget.MenuOf(f)
				if n := (budget.Standing{Plan: &only, Caps: c}).More(cost); n > most {
					most, by = n, f
				}
			}
			if n := (budget.Standing{Plan: &p, Caps: c}).More(cost); n != most {
				t.Errorf("the menu has room for %d, its best filter for %d", n, most)
			}
			row += fmt.Sprintf(" %d (%s) |", most, by)
		}
		if !strings.Contains(string(text), row) {
			t.Errorf("the page has no row %s", row)
		}
	}
	h := open(t) // and as many are charged, not one more
	h.declare(t, budget.Budget{Dataset: "claims", Unit: budget.Unit{Name: "p"}, Plan: budget.Plan{Epsilon: nano, Delta: femto / 1_000_000}})
	cost, err := account.VectorOf(account.Mechanism{Kind: "gaussian", Sigma: 20})
	must(t, err)
	all, err := h.Remaining(t.Context(), claims, budget.Range{})
	must(t, err)
	n := int64(0)
	for h.spend(budget.Charge{Scope: claims, Cost: cost}, "") == nil {
		n++
	}
	if n != all[0].More(cost) || n == 0 {
		t.Errorf("%d were charged, and %d were said to fit", n, all[0].More(cost))
	}
}
