package plan

import (
	"testing"

	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
)

// TestAnotherRecodingIsNotResumed: what another version of the program recoded in another way is not gone on with.
func TestAnotherRecodingIsNotResumed(t *testing.T) {
	begun := &run{c: &Compiled{hash: "plan"}, out: Outcome{SourceHash: "source", Levels: []Level{{Column: "age", Level: 1, Of: 3}}, Classes: 4}}
	for name, other := range map[string]Outcome{
		"levels":  {SourceHash: "source", Levels: []Level{{Column: "age", Level: 2, Of: 3}}, Classes: 4},
		"classes": {SourceHash: "source", Levels: begun.out.Levels, Classes: 5},
		"loss":    {SourceHash: "source", Levels: begun.out.Levels, Classes: 4, Utility: anonymity.Utility{Loss: 0.1}},
	} {
		if (&run{c: begun.c, out: other}).tag() == begun.tag() {
			t.Errorf("%s: the run that has others has the same tag", name)
		}
	}
	if again := (&run{c: begun.c, out: begun.out}).tag(); again != begun.tag() {
		t.Error("the same run has another tag")
	}
}
