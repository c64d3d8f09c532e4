package console

import (
	"context"

	"github.com/scrimhq/scrim/console/budgets"
	"github.com/scrimhq/scrim/console/insight"
	"github.com/scrimhq/scrim/observe/recent"
	"github.com/scrimhq/scrim/observe/report"
)

// After is what pages that look back need beside the API. The zero value of each field is a gateway without it.
type After struct {
	Begin    func(func(context.Context)) // runs what goes on after an answer, until its context ends; nil: it is done before the answer
	Governed func() bool                 // whether plans of budgets change by proposals alone
	Verify   func(context.Context, report.Files) (insight.Verified, error)
	Fault    func(error) // for the operator's log
}

// lookBack adds the pages about budgets, lineage, risk, reports and erasure.
func (c *Console) lookBack(opt *Options) {
	a, after := &opt.API, &opt.After
	var newest *recent.Window
	if log := a.Ledger.Journal; log != nil {
		newest = recent.New(recent.Options{Entries: log.Entries, Rows: log.Rows, Begin: after.Begin})
	}
	budgets.Add(c.frame, budgets.Options{
		Spending: a.Spending, Streams: a.Streams, Questions: a.Questions, Snapshot: a.Snapshot, Recent: newest, Governed: after.Governed, Begin: after.Begin,
	})
	insight.Add(c.frame, insight.Options{
		Ledger: a.Ledger, Snapshot: a.Snapshot, Lineage: a.Lineage, Spending: a.Spending, Erasures: a.Erasures, Settings: a.Reports, Recent: newest,
		Verify: after.Verify, Fault: after.Fault, Begin: after.Begin,
	})
}
