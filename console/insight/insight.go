// Package insight is the pages that look back: where data came from and went (lineage), what it adds up to (risk), what is told to
// authorities and to people (reports), and how a person is forgotten (erasure).
//
// No page, log line or address holds an identifier of a person: it is sent in the body of a form, is used once, and is shown nowhere.
package insight

import (
	"context"
	"embed"
	"html/template"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/chart"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/erasure"
	"github.com/scrimhq/scrim/observe/recent"
	"github.com/scrimhq/scrim/observe/report"
)

//go:embed templates/*.html
var templates embed.FS

// Options of the pages. A field that is left out is a gateway without it.
type Options struct {
	Ledger   api.Ledger
	Snapshot func() *gateway.Snapshot
	Lineage  *api.Lineage
	Spending *api.Spending
	Erasures *erasure.Office
	Settings func() report.Settings // what reports state
	Recent   *recent.Window
	Scores   []Score // of the page Risk, after the built-in ones
	// Verify counts a report again in the log; nil: that is left to the commands.
	Verify func(context.Context, report.Files) (Verified, error)
	Fault  func(error)                 // for the operator's log; nil: none
	Begin  func(func(context.Context)) // runs what goes on after an answer; nil: it is done before the answer
	Clock  func() time.Time            // nil: time.Now
}

type pages struct {
	Options
	jobs *jobs
	held *held
}

// Add adds the pages to a frame.
func Add(f *page.Frame, opt Options) {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	p := &pages{Options: opt, jobs: newJobs(opt.Begin, opt.Clock)}
	p.held = &held{db: opt.Ledger.DB, begin: opt.Begin, clock: opt.Clock}
	g := f.Group(templates, template.FuncMap{"figure": func(name string, c chart.Chart) template.HTML { return chart.Figure(name, c) }, "levelclass": func(l flow.Level) string { return "level-" + l.String() }})
	p.lineagePages(g)
	p.riskPages(g)
	p.reportPages(g)
	p.erasurePages(g)
}
