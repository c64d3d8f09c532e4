package live

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scrimhq/scrim/console/chart"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/activity"
)

// Overview is the first page.
type Overview struct {
	activity.Overview
	Domain  flow.DomainID `json:"domain"`
	Last    string        `json:"last"` // span
	Spans   []string      `json:"-"`
	Budgets []Budget      `json:"budgets"`
	Latest  []Row         `json:"refusals_latest"`
	Kept    bool          `json:"kept"` // false: nothing is added up here
}

// Budget is what a dataset has left.
type Budget struct {
	Dataset string  `json:"dataset"`
	Epsilon float64 `json:"epsilon_left"`
}

var spans = []struct {
	name string
	long time.Duration
}{{"1h", time.Hour}, {"24h", 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}, {"30d", 30 * 24 * time.Hour}}

const (
	mostBands   = 300 // that are drawn, and told in a table
	mostBudgets = 12
)

func (p *pages) overview(ctx context.Context, r *page.Request) (Overview, error) {
	m := Overview{Domain: p.Domain, Last: cmp.Or(r.Q("span"), "24h"), Budgets: []Budget{}, Latest: []Row{}}
	long := time.Duration(0)
	for _, s := range spans {
		m.Spans = append(m.Spans, s.name)
		if s.name == m.Last {
			long = s.long
		}
	}
	if long == 0 {
		return m, page.Wrong("span is not one of 1h, 24h, 7d, 30d")
	}
	if p.DB != nil {
		var err error
		if m.Overview, err = activity.Over(ctx, p.DB, activity.Last(long, p.Clock())); err != nil {
			return m, err
		}
		m.Kept = true
	}
	if p.Left != nil {
		left := p.Left(ctx)
		for _, name := range slices.Sorted(maps.Keys(left)) {
			m.Budgets = append(m.Budgets, Budget{name, left[name]})
		}
		slices.SortStableFunc(m.Budgets, func(a, b Budget) int { return cmp.Compare(a.Epsilon, b.Epsilon) })
		m.Budgets = m.Budgets[:min(len(m.Budgets), mostBudgets)]
	}
	if p.Ring != nil {
		for _, f := range p.Ring.Latest(activity.Filter{Outcome: flow.Refused}, 8) {
			m.Latest = append(m.Latest, rowOf(&f.Event))
		}
	}
	return m, nil
}

// Map is the map of domains.
func (m Overview) Map() *chart.Domains {
	d := &chart.Domains{Title: "Domains", Desc: "What flowed between domains. A line is the thicker the more flows there were, in the colour of the highest level shown.", Own: string(m.Domain), Unit: "flows"}
	for _, w := range m.Ways[:min(len(m.Ways), mostBands)] {
		one := chart.Way{From: named(w.From), To: named(w.To), Volume: w.Flows, Note: "nothing shown"}
		switch {
		case w.Highest >= 0:
			one.Note, one.Class = flow.Level(w.Highest).String(), chart.LevelClass(flow.Level(w.Highest))
		case w.Refused > 0:
			one.Class = chart.Refused
		}
		if w.Refused > 0 {
			one.Note += fmt.Sprintf(", %s refused", chart.Count(w.Refused))
		}
		if w.From != activity.Others && w.To != activity.Others {
			one.Href = "/live?" + activity.Filter{From: w.From, To: w.To}.Values().Encode()
		}
		d.Ways = append(d.Ways, one)
	}
	return d
}

func named(d flow.DomainID) string {
	switch d {
	case "":
		return "unknown"
	case activity.Others:
		return chart.Rest
	}
	return string(d)
}

// Sankey is the picture of labels, recipients and levels.
func (m Overview) Sankey() *chart.Sankey {
	s := &chart.Sankey{Title: "Labels to recipients", Desc: "How many values of each label went to which domain, in the colour of the level at which they were shown.", LeftOf: "Label", RightOf: "Recipient", Unit: "values"}
	for _, h := range m.Shown[:min(len(m.Shown), mostBands)] {
		s.Bands = append(s.Bands, chart.Band{From: string(h.Label), To: named(h.To), Class: chart.LevelClass(h.Level), Note: h.Level.String(), Volume: h.Count,
			Href: "/live?" + activity.Filter{To: h.To, Label: h.Label}.Values().Encode()})
	}
	return s
}

// Rates are flows by time.
func (m Overview) Rates() *chart.Bars {
	unit, form := "Hour", "2006-01-02 15:04"
	switch m.Span.Unit {
	case activity.Minute:
		unit, form = "Minute", "15:04"
	case activity.Day:
		unit, form = "Day", time.DateOnly
	}
	b := &chart.Bars{Title: "Flows by the " + map[string]string{"Minute": "minute", "Hour": "hour", "Day": "day"}[unit], Desc: "How many flows there were, and how many of them were refused. Times are UTC.", Of: unit, Unit: "flows",
		Parts: []chart.Part{{Name: "went"}, {Name: "refused", Class: chart.Refused}}}
	for _, p := range m.Points {
		b.Bars = append(b.Bars, chart.Bar{Text: p.At.Format(form), Amounts: []int64{p.Flows - p.Refused, p.Refused}})
	}
	return b
}
