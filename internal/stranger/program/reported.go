package program

import (
	"context"
	"slices"
	"time"

	"github.com/scrimhq/scrim/internal/stranger/verify"
)

// counted is what was found of a report on a log.
type counted struct {
	Kind    string    `json:"kind"`
	Time    time.Time `json:"time"`
	Entries int64     `json:"entries,omitempty"` // of its time
	Forms   int       `json:"forms,omitempty"`   // other forms that were signed with it
	Counted bool      `json:"counted"`           // every figure was counted again
	Person  bool      `json:"person,omitempty"`  // it is about one person; the log does not show whether it tells of all entries
}

// runReport takes a report, and the log or its periods.
func runReport(ctx context.Context, o *options, args []string, r *report) error {
	if len(args) == 0 || (len(args) == 1) != o.noLog {
		return misused("name a report, and the log it is about; or give --no-log")
	}
	file, err := o.large(args[0], verify.MaxReport)
	if err != nil {
		return err
	}
	opened, err := o.policy.OpenReport(file)
	if err != nil {
		return in(args[0], err)
	}
	r.Report = &counted{Kind: opened.Kind, Time: opened.Time, Person: opened.Person()}
	for _, name := range o.forms {
		b, err := o.large(name, verify.MaxReport)
		if err == nil {
			err = opened.Form(b)
		}
		if err != nil {
			return in(name, err)
		}
		r.Report.Forms++
	}
	if o.noLog {
		return nil
	}
	o.recount = opened.Recount()
	if err := runLog(ctx, o, args[1:], r); err != nil {
		return err
	}
	for _, l := range r.Logs {
		if l.Leaves != "entries" && l.Size > 0 {
			return &verify.Failure{Kind: verify.Unreadable, Where: l.Address, What: "its entries cannot be read, so nothing was counted"}
		}
	}
	for _, origin := range o.recount.Origins() {
		if !slices.ContainsFunc(r.Logs, func(l logReport) bool { return l.Origin == origin }) {
			return &verify.Failure{Kind: verify.Absent, Where: origin, What: "the report counts entries of it, and it is not here"}
		}
	}
	if err := o.recount.Done(); err != nil {
		return in(args[0], err)
	}
	r.Report.Counted, r.Report.Entries = true, o.recount.Entries
	return nil
}
