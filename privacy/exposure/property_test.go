package exposure_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/exposure"
)

// TestAnyOrderAndSplit: however pieces are ordered, split over messages, repeated, shown at different levels and spread over agents, an
// audience ends with no more than the rules allow, and nothing is ever shown finer than policy said. 300 histories from a fixed seed; what
// is held is counted here anew, from what was shown and not from the memory.
func TestAnyOrderAndSplit(t *testing.T) {
	h := open(t, &exposure.Settings{})
	r := rand.New(rand.NewPCG(7, 7))
	pool := []piece{
		{label: "person/birth-date", value: "1957-03-14"}, {label: "person/birth-date", value: "1957-03-14", at: flow.Treatment{Level: flow.Generalized, Param: "month"}},
		{label: "person/birth-date", value: "1957-03-14", at: year}, {label: "person/birth-date", value: "1958-03-14"},
		{label: "person/gender", value: "female"}, {label: "location/postal", value: "97701"}, {label: "location/postal", value: "97701", at: zip3},
		{label: "location/city", value: "Bend"}, {label: "person/age", value: "69"}, {label: "health/diagnosis", value: "E84.0"}, {label: "health/diagnosis", value: "M05.79"},
		{label: "work/title", value: "Mayor"}, {label: "work/employer", value: "City of Bend"}, {label: "person/birth-place", value: "Salem"},
	}
	for day := range 6 {
		pool = append(pool, piece{label: "health/visit-date", value: fmt.Sprintf("2026-05-%02d", day+1)})
	}
	coarser := 0
	for round := range 300 {
		subject := fmt.Sprint("s", round)
		var shown []shownPiece
		for range 4 + r.IntN(12) {
			var message []piece
			for range 1 + r.IntN(4) {
				p := pool[r.IntN(len(pool))]
				p.subject = subject
				message = append(message, p)
			}
			for i, tr := range h.send(to(fmt.Sprint("agent", r.IntN(3))), message...) {
				shown = append(shown, shownPiece{message[i].label, message[i].value, tr})
				was := message[i].at
				if was == (flow.Treatment{}) {
					was = raw
				}
				if tr != was {
					coarser++
				}
			}
		}
		for _, rule := range h.s.Rules.Rules() {
			allow := rule.Allow
			if allow == 0 {
				allow = len(rule.Of) - 1
			}
			held := 0
			for _, e := range rule.Of {
				if countHeld(h, e, shown) >= max(e.Count, 1) {
					held++
				}
			}
			if held > allow {
				t.Fatalf("round %d: %d pieces of %s are held, want at most %d: %v", round, held, rule.Name, allow, shown)
			}
		}
	}
	if coarser < 300 {
		t.Errorf("%d values were made coarser in 300 histories: they try nothing", coarser)
	}
}

type shownPiece struct {
	label flow.Label
	value string
	at    flow.Treatment
}

// countHeld counts the different values by which a piece was shown finer than its rule states.
func countHeld(h *house, e exposure.Element, shown []shownPiece) int {
	values := map[string]bool{}
	for _, s := range shown {
		class, _ := h.s.Taxonomy.Class(s.label)
		label := s.label
		if label == "health/diagnosis" && s.value == "E84.0" {
			label = "health/diagnosis/rare"
		}
		for _, a := range e.Any {
			if label.Within(a.Label) {
				if s.at.Level != flow.Dropped && class.Family.Reveals(s.at, a.To) {
					values[string(s.label)+s.value] = true
				}
				break
			}
		}
	}
	return len(values)
}
