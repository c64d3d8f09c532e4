package budget_test

import (
	"fmt"
	"testing"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
)

// Whoever is refused leaves nothing behind, by however many names he asks.
func TestRefusalsLeaveNoRows(t *testing.T) {
	h := open(t)
	h.declare(t, patients(nano, 0))
	must(t, h.spend(budget.Charge{Scope: agent1, Cost: pure(nano)}, ""))
	rows := func() (n int64) {
		must(t, h.db.View(t.Context(), func(tx store.Tx) error {
			return tx.QueryRow(`SELECT (SELECT count(*) FROM budget_sums) + (SELECT count(*) FROM budget_scopes)
				+ (SELECT count(*) FROM budget_entries) + (SELECT count(*) FROM budget_keys)`).Scan(&n)
		}))
		return n
	}
	before := rows()
	for i := range 20 {
		s := agent1
		s.Agent = fmt.Sprint("made up ", i)
		_, err := h.reserve(budget.Charge{Scope: s, Cost: pure(nano), Key: "k", Request: digest("q")})
		want(t, "a charge for which there is no room", err, budget.ErrExhausted)
	}
	if after := rows(); after != before {
		t.Errorf("there are %d rows, and %d before the refusals", after, before)
	}
	h.sound(t)
}
