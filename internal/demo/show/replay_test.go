package show

import (
	"testing"

	"github.com/scrimhq/scrim/observe/impact"
)

// What the story's gateways decided is decided again: the rules of its time say what was recorded, and the same rules change nothing.
func TestTheStoryIsDecidedAlikeAgain(t *testing.T) {
	s, _ := theStory(t)
	for d, g := range s.gateways {
		old, err := g.Offline(t.Context(), g.Config())
		if err != nil {
			t.Fatal(err)
		}
		out, err := g.Replay(t.Context(), old, g.Config(), impact.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if out.Not[impact.Otherwise]+out.Not[impact.Unreadable]+out.Not[impact.Unknown] > 0 || out.Flows.Open+out.Flows.Close+out.Flows.Mixed+out.Flows.Duties > 0 {
			t.Errorf("%s: not decided again %v, moves %+v", d, out.Not, out.Moves)
		}
		if out.Decided == 0 {
			t.Errorf("%s: of %d decisions none is decided again: %v", d, out.Decisions, out.Not)
		}
		t.Logf("%s: %d of %d decided again, %d values, of values not %v, others %v", d, out.Decided, out.Decisions, out.Values.Same, out.Of, out.Not)
	}
}
