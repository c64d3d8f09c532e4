package show

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/internal/demo/hospital"
	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/privacy/budget"
)

// patientsData is the dataset that counts are about.
const patientsData = "patients"

// counts are questions to a dataset with a budget.
type counts struct {
	asked   []counted
	refused refusal
	calls   int // how often the records counted
	all     budget.Standing
	lab     budget.Standing
}

// counted is one answer, and what the gateway took for it.
type counted struct {
	diagnosis    string
	count, about int64
	cost         int64 // nano-ε
}

// counted has the lab count patients until its quota is spent.
func (s *system) counted(ctx context.Context, f *facts) error {
	c := &f.counts
	before := s.countsAsked()
	for _, d := range []string{"M05", "M05", "M06"} {
		spent, err := s.standings(ctx, c)
		if err != nil {
			return err
		}
		got, err := s.count(ctx, d)
		if err != nil {
			return fmt.Errorf("counting patients: %w", err)
		}
		now, err := s.standings(ctx, c)
		if err != nil {
			return err
		}
		c.asked = append(c.asked, counted{d, got.Count, got.Within, now - spent})
	}
	if a := c.asked; a[0].count != a[1].count {
		return errors.New("the same question got two answers")
	}
	if _, err := s.count(ctx, "M45"); err == nil {
		return errors.New("a quota that was spent let a question through")
	}
	c.calls = s.countsAsked() - before
	if _, err := s.standings(ctx, c); err != nil {
		return err
	}
	var err error
	c.refused, err = s.lastRefusal(ctx, demo.Hospital, gateway.RuleBudget)
	return err
}

// countsAsked is how often the records themselves were asked to count.
func (s *system) countsAsked() (n int) {
	for _, m := range s.world.Received(demo.Records) {
		if bytes.Contains(m.Body, []byte(`"count_patients"`)) {
			n++
		}
	}
	return n
}

func (s *system) count(ctx context.Context, diagnosis string) (hospital.Counted, error) {
	return node.CallTool[hospital.Counted](ctx, s.route(demo.Cohort, demo.Records), "count_patients", hospital.CountQuery{Diagnosis: diagnosis})
}

// standings notes what the ledger holds, and returns what everybody's questions cost.
func (s *system) standings(ctx context.Context, c *counts) (int64, error) {
	all, err := s.gateways[demo.Hospital].Budgets.Ledger.Remaining(ctx, budget.Scope{Dataset: patientsData, Domain: demo.Lab}, budget.Range{})
	if err != nil {
		return 0, fmt.Errorf("reading the ledger: %w", err)
	}
	for _, st := range all {
		switch st.Level {
		case budget.Global:
			c.all = st
		case budget.Domain:
			c.lab = st
		}
	}
	return c.all.Spent.Epsilon, nil
}

func (p *printer) counted(f *facts) {
	c := &f.counts
	p.heading(7, "Counts for research, out of a budget")
	p.para(3, "", plain, words(plain, "The lab asked the hospital's records how many patients have a diagnosis. Each answer has noise, drawn exactly; what all answers together may tell "+
		"about one patient is bounded by a budget that the hospital's gateway keeps, before any data is touched."))
	p.line("")
	rows := make([][]cell, 0, len(c.asked))
	for _, a := range c.asked {
		cost := cell{"ε " + flow.Decimal(a.cost, 9), plain}
		if a.cost == 0 {
			cost = cell{"nothing: the stored answer to the same question", good}
		}
		rows = append(rows, []cell{{a.diagnosis + "…", faint}, {fmt.Sprint(a.count), plain}, {fmt.Sprintf("± %d", a.about), faint}, cost})
	}
	p.table(3, []string{"diagnosis", "answer", "95 %", "cost"}, rows)
	p.line("")
	p.para(3, "one more", bold, append(words(bad, "refused"), words(plain, fmt.Sprintf("by the gateway of the %s: %s (reference %s, entry %d); it depends on declared costs alone", c.refused.by, c.refused.text, c.refused.reference, c.refused.entry))...))
	p.para(3, "records asked", faint, words(plain, fmt.Sprintf("%d times, for four calls", c.calls)))
	p.para(3, "for everybody", faint, words(plain, fmt.Sprintf("ε %s of %s is spent: this is the claim, for all recipients together and for all time", flow.Decimal(c.all.Spent.Epsilon, 9), flow.Decimal(c.all.Plan.Epsilon, 9))))
	p.para(3, "for the lab", faint, words(plain, fmt.Sprintf("ε %s of %s: a quota, which carries no claim, since recipients talk to each other", flow.Decimal(c.lab.Spent.Epsilon, 9), flow.Decimal(c.lab.Plan.Epsilon, 9))))
}
