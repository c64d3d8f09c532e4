package activity_test

import (
	"fmt"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/activity"
)

func ExampleRing() {
	r := activity.NewRing(activity.RingOptions{})
	r.Add(flow.Event{Outcome: flow.Released, Flow: flow.Flow{ID: "1", To: flow.Party{Domain: "insurer"}}}, true)
	r.Add(flow.Event{Outcome: flow.Refused, Reason: "policy ", Flow: flow.Flow{ID: "2", To: flow.Party{Domain: "lab"}}}, true)
	for _, f := range r.Latest(activity.Filter{Rule: "policy"}, 10) {
		fmt.Println(f.Event.Flow.ID, f.Event.Outcome)
	}
	// Output: 2 refused
}
