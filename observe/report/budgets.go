package report

import (
	"fmt"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
)

func (d *draft) budgetCounts() []Count {
	by := []string{"question.dataset", "question.technique", "flow.to.domain", "flow.to.agent", "flow.purpose"}
	ledger := Where{At: "outcome", Is: []string{string(flow.Budgeted)}}
	return append(charges(), []Count{
		{ID: "answers", Sum: sumEntries, By: by, Where: answers},
		{ID: "ledger", Sum: sumEntries, By: []string{"flow.subject", "flow.method"}, Where: []Where{ledger}},
		{ID: "ledger-epsilon", Sum: sumEpsilon, By: []string{"flow.subject", "flow.method"}, Where: []Where{ledger}},
		{ID: "asked", Sum: sumEntries, By: []string{"question.dataset", "outcome"}, Where: []Where{{At: "question.dataset", Not: []string{""}}}},
	}...)
}

func (d *draft) budgets() {
	s := Section{ID: "standing", Title: "Where budgets stand", Columns: []string{"Dataset", "Scope", "Protects", "Guarantee", "ε", "δ", "Filter", "Spent", "Of", "Fits"}, Text: []string{
		"When the report was made, by the ledger of budgets. Only a line that is a guarantee bounds what all answers together reveal of one person; the others are quotas, which share out what there is.",
	}}
	for _, one := range d.Settings.Standings {
		s.Rows = append(s.Rows, texts(one.Dataset, one.Scope, one.Unit, yes(one.Claims), one.Epsilon, one.Delta, one.Filter, one.Spent, one.Cap, yes(one.Left)))
	}
	d.section(s)
	n := d.count("answers")
	a := Section{ID: "answers", Title: "Answers of this time", Columns: []string{"Dataset", "Technique", "Domain", "Agent", "Purpose", "Answers"}}
	for i, f := range n.Figures {
		a.Rows = append(a.Rows, append(texts(f.Key[0], f.Key[1], d.named(f.Key[2]), f.Key[3], d.purposed(f.Key[4])), n.cell(i)))
	}
	d.section(a)
	d.charged()
	entries, charged, asked := d.count("ledger"), d.count("ledger-epsilon"), d.count("asked")
	l := Section{ID: "ledger", Title: "Entries of the ledger in this time", Columns: []string{"Dataset", "Kind", "Entries", "ε"}}
	for i, f := range entries.Figures {
		l.Rows = append(l.Rows, append(texts(f.Key[0], f.Key[1]), entries.cell(i), charged.cellAt(f.Key...)))
	}
	d.section(l)
	q := Section{ID: "questions", Title: "What became of questions", Columns: []string{"Dataset", "Outcome", "Entries"}}
	for i, f := range asked.Figures {
		q.Rows = append(q.Rows, append(texts(f.Key[0], f.Key[1]), asked.cell(i)))
	}
	d.section(q)
	d.promised()
	d.lacks("", "whether each budget is small enough for the people whom its dataset is about")
}

// promised is what the catalog states.
func (d *draft) promised() {
	s := Section{ID: "stated", Title: "Budgets that contracts state", Columns: []string{"Dataset", "Protects", "ε", "δ", "Again after", "Rows of one", "Formal", "To be looked at again"}}
	if d.Catalog != nil {
		for _, c := range d.Catalog.Contracts() {
			for i := range c.Datasets {
				set := &c.Datasets[i]
				if set.Budget == (catalog.Budget{}) && !set.Formal {
					continue
				}
				g := set.Governance.Within(c.Governance)
				if !g.Review.IsZero() && g.Review.Before(d.Made) {
					d.lacks("", "a review of the budget of %s, whose date is over", set.Name)
				}
				s.Rows = append(s.Rows, texts(set.Name, set.Unit, flow.Decimal(set.Budget.Total.EpsilonNano, 9), flow.Decimal(set.Budget.Total.DeltaPico, 12), span(set.Budget.Per),
					number(set.Contribution.Rows), yes(set.Formal), day(g.Review)))
			}
		}
	}
	d.section(s)
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
