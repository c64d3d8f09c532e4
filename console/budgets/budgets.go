// Package budgets is the pages about privacy loss: what is left of each dataset's budget, who spent it, when it ends, what was refused
// for want of it, and the plan for what is to come.
//
// Only the budget of a dataset (per privacy unit and block) carries the claim that all answers together are (ε, δ)-differentially
// private. Everything below it is a quota, and every page that shows one says so.
package budgets

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/observe/recent"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/stream"
)

//go:embed templates/*.html
var templates embed.FS

// Options of the pages. The zero value of every field is a gateway without it.
type Options struct {
	Spending  *api.Spending
	Streams   *stream.Publisher
	Questions *ask.Service
	Snapshot  func() *gateway.Snapshot
	Recent    *recent.Window
	Governed  func() bool                 // whether rules, and so plans, change by proposals alone
	Begin     func(func(context.Context)) // runs what goes on after an answer; nil: it is done before the answer
	Clock     func() time.Time            // nil: time.Now
}

// pages are the models.
type pages struct {
	Options
	burn  *burn
	check sync.Mutex // held by who replays the ledger
}

// Add adds the pages to a frame.
func Add(f *page.Frame, opt Options) {
	p := &pages{Options: opt}
	if opt.Clock == nil {
		p.Clock = time.Now
	}
	if opt.Spending != nil {
		p.burn = newBurn(opt.Spending.Ledger, opt.Begin)
	}
	g := f.Group(templates, template.FuncMap{"percent": percent, "chart": chart, "nearly": func(left float64) string { return stateOf(left) }})
	page.Add(g, page.Page[Overview]{
		Path: "/budgets", Title: "Budgets", Summary: "What is left of each dataset's budget of privacy loss, when it ends, and what was refused for want of it.",
		Template: "budgets.html", Role: page.Viewer, Model: p.overview,
		Query: []page.Param{{Name: "after", What: "datasets after this one, by name"}},
	})
	page.Add(g, page.Page[Dataset]{
		Path: "/budgets/{dataset}", Title: "Budget", Summary: "How the budget of one dataset burns down, by privacy unit, block and consumer, with plans, quotas and a forecast.",
		Template: "dataset.html", Role: page.Viewer, Model: p.dataset,
		Query: []page.Param{
			{Name: "block", What: "number of a block; absent: the one with least left"}, {Name: "domain", What: "of a consumer"}, {Name: "workflow", What: "of a consumer"},
			{Name: "agent", What: "a consumer"}, {Name: "contract", What: "a contract of the domain"}, {Name: "after", What: "consumers after this one, as the page before gave it"},
			{Name: "days", What: "how long to look back for the forecast; absent: 7"},
		},
	})
	page.Add(g, page.Page[Entries]{
		Path: "/budgets/{dataset}/entries", Title: "Ledger entries", Summary: "The ledger of budgets, line by line, the newest first.",
		Template: "entries.html", Role: page.Viewer, Model: p.entries,
		Query: []page.Param{{Name: "writer", What: "whose chain; absent: the first"}, {Name: "before", What: "entries before this number"}},
	})
	p.actions(g)
}

// Card is one dataset.
type Card struct {
	Dataset string        `json:"dataset"`
	Unit    string        `json:"unit"`
	Window  time.Duration `json:"window_ns,omitempty"`
	Refresh bool          `json:"refresh"`
	Epsilon api.Amount    `json:"claim_epsilon"`
	Delta   api.Amount    `json:"claim_delta"`
	Blocks  int           `json:"blocks"` // that were charged
	Block   int64         `json:"block"`  // the one with least left; what follows is about it
	Plan    float64       `json:"plan_epsilon"`
	Left    float64       `json:"left"` // share of the plan
	Room    float64       `json:"left_epsilon"`
	State   string        `json:"state"` // good; warn: nearly spent; bad: spent
	Entries int64         `json:"entries"`
	Until   *time.Time    `json:"until,omitempty"` // at the rate of the last 7 days
	PerDay  float64       `json:"per_day,omitempty"`
}

// Overview is the first page.
type Overview struct {
	Kept     bool             `json:"kept"` // budgets are kept here
	Datasets []Card           `json:"datasets"`
	Next     string           `json:"next,omitempty"`
	Alarms   []Card           `json:"alarms"` // those that are nearly spent, or spent
	Behind   int64            `json:"behind"` // entries of the ledger that are still being read for forecasts
	Refusals []recent.Refusal `json:"refusals"`
	Window   recent.Seen      `json:"window"`
}

const (
	datasetsPage  = 50
	consumersPage = 100
	blocksPage    = 60
	entriesPage   = 50
	mostScanned   = 2000 // entries of a chain for one page
	lookBack      = 7 * 24 * time.Hour
	scarce        = .1
)

func stateOf(left float64) string {
	switch {
	case left <= 0:
		return "bad"
	case left < scarce:
		return "warn"
	}
	return "good"
}

func (p *pages) overview(ctx context.Context, r *page.Request) (Overview, error) {
	out := Overview{Datasets: []Card{}, Alarms: []Card{}, Refusals: []recent.Refusal{}}
	if p.Spending == nil {
		return out, nil
	}
	out.Kept = true
	all, err := p.Spending.Ledger.Budgets(ctx)
	if err != nil {
		return out, err
	}
	if out.Behind, err = p.burn.follow(ctx); err != nil {
		return out, err
	}
	for i := range all {
		if all[i].Dataset <= r.Q("after") && r.Q("after") != "" {
			continue
		}
		if len(out.Datasets) == datasetsPage {
			out.Next = "?after=" + url.QueryEscape(out.Datasets[datasetsPage-1].Dataset)
			break
		}
		c, err := p.card(ctx, &all[i])
		if err != nil {
			return out, err
		}
		out.Datasets = append(out.Datasets, c)
		if c.State != "good" {
			out.Alarms = append(out.Alarms, c)
		}
	}
	out.Window, err = p.seen(ctx)
	out.Refusals = out.Window.Refusals[:min(len(out.Window.Refusals), 20)]
	out.Window.Refusals, out.Window.Shown, out.Window.Tables = nil, nil, nil
	return out, err
}

func (p *pages) seen(ctx context.Context) (recent.Seen, error) {
	if p.Recent == nil {
		return recent.Seen{Refusals: []recent.Refusal{}}, nil
	}
	return p.Recent.Look(ctx)
}

func (p *pages) card(ctx context.Context, b *budget.Budget) (Card, error) {
	c := Card{
		Dataset: b.Dataset, Unit: b.Unit.Name, Window: b.Unit.Window, Refresh: b.Refresh, Left: 1, Plan: float64(b.Plan.Epsilon) / 1e9,
		Epsilon: api.Amount(flow.Decimal(b.Claim.Epsilon, 9)), Delta: api.Amount(flow.Decimal(b.Claim.Delta, 15)),
	}
	standings, err := p.Spending.Ledger.Remaining(ctx, budget.Scope{Dataset: b.Dataset}, budget.Range{})
	if err != nil {
		return c, err
	}
	least := 0
	for i, st := range standings {
		c.Entries += st.Entries
		if st.Entries > 0 {
			c.Blocks++
		}
		if st.Left() < standings[least].Left() {
			least = i
		}
	}
	if len(standings) > 0 {
		st := standings[least]
		c.Block, c.Left = st.Block, st.Left()
		f := p.burn.forecast(st, p.Clock().Add(-lookBack), p.Clock())
		c.Until, c.PerDay = f.Until, f.PerDay
	}
	c.Room, c.State = c.Left*c.Plan, stateOf(c.Left)
	return c, nil
}

func percent(share float64) string {
	if share > 0 && share < .001 {
		return "< 0.1 %"
	}
	return strconv.FormatFloat(share*100, 'f', 1, 64) + " %"
}

// known makes errors of the ledger what the one who asked can act on.
func known(err error) error {
	if errors.Is(err, budget.ErrUnknown) {
		return page.ErrNotFound
	}
	if e, ok := errors.AsType[*budget.Error](err); ok && e.Rule != nil {
		for _, rule := range []error{budget.ErrScope, budget.ErrPlan, budget.ErrRefill, budget.ErrAmount, budget.ErrBlocks} {
			if errors.Is(e.Rule, rule) {
				return page.Wrong("%v", e)
			}
		}
	}
	return err
}

// address is a link to the page of a dataset.
func address(dataset string, q url.Values) string {
	at := "/budgets/" + url.PathEscape(dataset)
	if len(q) > 0 {
		at += "?" + q.Encode()
	}
	return at
}

func scopeQuery(s budget.Scope, block int64) url.Values {
	q := url.Values{}
	for _, m := range []struct{ name, text string }{{"domain", string(s.Domain)}, {"workflow", s.Workflow}, {"agent", s.Agent}, {"contract", s.Contract}} {
		if m.text != "" {
			q.Set(m.name, m.text)
		}
	}
	if block != 0 {
		q.Set("block", fmt.Sprint(block))
	}
	return q
}
