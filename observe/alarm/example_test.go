package alarm_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/alarm"
	"github.com/scrimhq/scrim/store"
)

func ExampleWatch_Act() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "alarm")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(ctx, dir, []store.Schema{alarm.Schema()}, store.Options{})
	if err != nil {
		panic(err)
	}
	defer db.Close()
	watch, err := alarm.Open(ctx, alarm.Options{DB: db, Raise: func(_ context.Context, a alarm.Alarm) string {
		fmt.Printf("%s: %s of %s, %d in an hour, more than %d\n", a.Kind, a.Agent, a.Domain, a.Seen, a.Most)
		return "told"
	}})
	if err != nil {
		panic(err)
	}
	for range 11 { // references that are none of its own
		watch.Act(alarm.Act{Proven: true, Event: flow.Event{
			Time: time.Now(), Outcome: flow.Refused, Reason: "handle",
			Flow: flow.Flow{From: flow.Party{Agent: "cohort", Domain: "lab"}},
		}})
	}
	watch.Flush(ctx)
	// Output:
	// handles: cohort of lab, 11 in an hour, more than 10
}
