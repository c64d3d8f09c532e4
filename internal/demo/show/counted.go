package show

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/privacy/budget"
)

// patientsData is the dataset that questions are about.
const patientsData = "patients"

// What the lab asks.
const (
	bySex     = "SELECT p.sex, COUNT(*) AS patients FROM patients p JOIN conditions c ON c.mrn = p.mrn WHERE c.code LIKE 'M05%' GROUP BY p.sex"
	bySexElse = "select sex, count(*) as patients\n  from patients inner join conditions using (mrn)\n where code like 'M05%' group by sex"
	byKind    = "SELECT kind, COUNT(*) AS visits, COUNT(DISTINCT mrn) AS patients FROM encounters WHERE date >= DATE '2026-01-01' GROUP BY kind"
	born      = "SELECT AVG(EXTRACT(YEAR FROM birth_date)) AS born FROM patients"
)

// counts are questions to a dataset with a budget.
type counts struct {
	asked   []counted
	refused refusal
	offered string
	all     budget.Standing
	lab     budget.Standing
}

// counted is one question, its answer, and what the gateway took for it.
type counted struct {
	sql  string
	said told
	cost int64 // nano-ε
}

// told is an answer as docs/spec/dp-sql-answers.md has it, as far as it is shown.
type told struct {
	Columns []struct{ Name string }
	Rows    [][]struct {
		Value     *string
		Low, High string
	}
}

// asking is what a question says.
type asking struct {
	Dataset string `json:"dataset"`
	SQL     string `json:"sql"`
	Epsilon string `json:"epsilon,omitempty"`
	Groups  int    `json:"groups,omitempty"`
}

// counted has the lab ask about patients until its quota is spent.
func (s *system) counted(ctx context.Context, f *facts) error {
	c := &f.counts
	for _, a := range []asking{{SQL: bySex, Epsilon: "0.4"}, {SQL: bySexElse, Epsilon: "0.4"}, {SQL: byKind, Epsilon: "0.4", Groups: 4}} {
		if err := s.question(ctx, c, a); err != nil {
			return err
		}
	}
	if len(c.asked[0].said.Rows) == 0 || *c.asked[0].said.Rows[0][1].Value != *c.asked[1].said.Rows[0][1].Value {
		return errors.New("the same question got two answers")
	}
	last := asking{SQL: born, Epsilon: "0.4"}
	err := s.question(ctx, c, last)
	var refused *node.ToolError
	if !errors.As(err, &refused) {
		return fmt.Errorf("a quota that was spent let a question through: %w", err)
	}
	if c.refused, err = s.lastRefusal(ctx, demo.Hospital, gateway.RuleBudget); err != nil {
		return err
	}
	offer := fits.FindStringSubmatch(refused.Text)
	if offer == nil {
		return fmt.Errorf("nothing was offered at the end of a quota: %w", refused)
	}
	last.Epsilon, c.offered = offer[1], offer[1]
	return s.question(ctx, c, last)
}

// fits finds what a refusal offers.
var fits = regexp.MustCompile(`fits with an epsilon of ([0-9.]*[0-9])`)

// question has the lab ask one question, and notes what it cost.
func (s *system) question(ctx context.Context, c *counts, a asking) error {
	a.Dataset = patientsData
	before, err := s.standings(ctx, c)
	if err != nil {
		return err
	}
	said, err := node.CallTool[told](ctx, s.questions(), "query", a)
	if err != nil {
		return fmt.Errorf("asking about patients: %w", err)
	}
	now, err := s.standings(ctx, c)
	c.asked = append(c.asked, counted{a.SQL, said, now - before})
	return err
}

// questions is where the hospital's gateway answers questions, as the lab's cohort calls it.
func (s *system) questions() node.Endpoint {
	return node.Endpoint{
		URL: s.base[demo.Hospital] + "/mcp/" + string(offer.Server), Bearer: s.keys[demo.Hospital][demo.Cohort],
		Header: map[string]string{identity.HeaderPurpose: "research-screening", identity.HeaderCriticality: flow.Routine.String()},
	}
}

// standings notes what the ledger holds, and returns what everybody's questions cost.
func (s *system) standings(ctx context.Context, c *counts) (int64, error) {
	all, err := s.gateways[demo.Hospital].Budgets.Ledger.Remaining(ctx, budget.Scope{Dataset: patientsData, Domain: demo.Lab, Workflow: gateway.NoWorkflow, Agent: string(demo.Cohort)}, budget.Range{})
	if err != nil {
		return 0, fmt.Errorf("reading the ledger: %w", err)
	}
	for _, st := range all {
		switch st.Level {
		case budget.Global:
			c.all = st
		case budget.Agent:
			c.lab = st
		}
	}
	return c.all.Spent.Epsilon, nil
}

func (p *printer) counted(f *facts) {
	c := &f.counts
	p.heading(7, "Questions in SQL, out of a budget")
	p.para(3, "", plain, words(plain, "The lab asked the hospital about its patients over MCP. The hospital's gateway compiled each question to bounded sums, had its database compute them, and added noise, drawn exactly; "+
		"what all answers together may tell about one patient is bounded by a budget that is charged before any data is touched."))
	for i, a := range c.asked {
		if i == len(c.asked)-1 {
			p.line("")
			p.para(3, "one more", bold, append(words(bad, "refused"), words(plain, fmt.Sprintf("by the gateway of the %s: %s (reference %s, entry %d). It was told what fits: ε %s", c.refused.by, c.refused.text, c.refused.reference, c.refused.entry, c.offered))...))
		}
		p.answered(a)
	}
	p.published(f.published)
	p.line("")
	p.para(3, "for the lab", faint, words(plain, fmt.Sprintf("ε %s of %s: a quota, which carries no claim, since recipients talk to each other", flow.Decimal(c.lab.Spent.Epsilon, 9), flow.Decimal(c.lab.Plan.Epsilon, 9))))
	p.para(3, "for everybody", faint, words(plain, fmt.Sprintf("ε %s of %s is spent: this is the claim, for all recipients together and for all time", flow.Decimal(c.all.Spent.Epsilon, 9), flow.Decimal(c.all.Plan.Epsilon, 9))))
}

// answered shows a question with its answer: keys, and numbers with what they may be off by.
func (p *printer) answered(a counted) {
	p.line("")
	p.para(3, "asked", bold, words(plain, strings.Join(strings.Fields(a.sql), " ")))
	cost := words(plain, "ε "+flow.Decimal(a.cost, 9))
	if a.cost == 0 {
		cost = words(good, "nothing: the stored answer to the same question")
	}
	p.para(3, "cost", faint, cost)
	head := make([]string, 0, len(a.said.Columns))
	for _, c := range a.said.Columns {
		head = append(head, c.Name)
	}
	rows := make([][]cell, 0, len(a.said.Rows))
	for _, r := range a.said.Rows {
		row := make([]cell, 0, len(r))
		for _, v := range r {
			one := cell{"none", faint}
			if v.Value != nil {
				one = cell{*v.Value, plain}
			}
			if v.Low != "" {
				one.text += " (" + v.Low + " to " + v.High + ")"
			}
			row = append(row, one)
		}
		rows = append(rows, row)
	}
	p.table(6, head, rows)
}
