package freeze_test

import (
	"context"
	"fmt"
	"os"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/store"
)

func ExampleList_Freeze() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "freeze")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(ctx, dir, []store.Schema{freeze.Schema()}, store.Options{})
	if err != nil {
		panic(err)
	}
	defer db.Close()
	list, err := freeze.Open(ctx, freeze.Options{DB: db, Journal: &journal{}, Domain: "hospital", FlowID: func() flow.ID { return "f-1" }})
	if err != nil {
		panic(err)
	}
	lab := freeze.Target{Kind: freeze.Domain, Name: "lab"}
	if _, err := list.Freeze(ctx, lab, freeze.Operator, "a key was found on the net"); err != nil {
		panic(err)
	}
	f := flow.Flow{From: flow.Party{Agent: "records", Domain: "hospital"}, To: flow.Party{Agent: "cohort", Domain: "lab"}}
	fmt.Println("frozen:", list.Flow(&f))
	if _, err := list.Thaw(ctx, lab, "the key was changed"); err != nil {
		panic(err)
	}
	fmt.Println("frozen:", list.Flow(&f))
	// Output:
	// frozen: true
	// frozen: false
}
