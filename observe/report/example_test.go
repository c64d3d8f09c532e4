package report_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/observe/report"
	"github.com/scrimhq/scrim/store"
)

func ExampleBreachOf() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "report")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(ctx, dir, []store.Schema{audit.Schema()}, store.Options{}) // a gateway's data directory
	if err != nil {
		panic(err)
	}
	defer db.Close()
	b, err := report.BreachOf(ctx, report.Source{DB: db, Domain: "hospital"}, report.BreachQuery{Since: time.Now().Add(-time.Hour)})
	if err != nil {
		panic(err)
	}
	fmt.Println(b.Domain, "showed something about", b.Subjects, "people to", len(b.Recipients), "agents")
	// Output: hospital showed something about 0 people to 0 agents
}
