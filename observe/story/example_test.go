package story_test

import (
	"context"
	"fmt"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/story"
)

func ExampleOf() {
	var j journal
	j.add(flow.Event{Outcome: flow.Refused, Reason: "rate ", Flow: flow.Flow{ID: "06h200", From: flow.Party{Agent: "claims", Domain: "insurer"}, To: flow.Party{Agent: "records", Domain: "hospital"}, Protocol: "a2a/1.0"}})
	s, err := story.Of(context.Background(), j.source(), "06h200")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Steps[0].Words[0])
	fmt.Println(s.Steps[1].Words[0])
	// Output:
	// claims of insurer to records of hospital, request over a2a/1.0.
	// The caller makes more calls than it may, in a time or at one time.
}
