package ask

import (
	"context"
	stdjson "encoding/json"
	"errors"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// SQL is the language of docs/spec/dp-sql.md.
type SQL struct{}

// Price implements [Language].
func (SQL) Price(d *query.Dataset, q query.Question, c gateway.Costs) (Priced, error) {
	plan, err := query.Compile(d, q)
	if err != nil {
		return nil, mistaken(err)
	}
	p, err := plan.Price(query.Terms{Epsilon: q.Epsilon, Delta: c.Delta, SelectionDelta: c.Selection, Noise: q.Noise})
	if err != nil {
		return nil, mistaken(err)
	}
	return &sqlPriced{p}, nil
}

// mistaken is an error that the asker can mend, as a [*Mistake].
func mistaken(err error) error {
	if e, ok := errors.AsType[*query.Error](err); ok {
		m := &Mistake{Line: e.Line, Column: e.Column, Rule: e.Rule, Text: e.Text}
		if e.Hint != "" {
			m.Text += "; " + e.Hint
		}
		return m
	}
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		m := &Mistake{Line: e.Line, Column: e.Column, Rule: e.Rule, Text: e.Text}
		if e.Hint != "" {
			m.Text += "; " + e.Hint
		}
		return m
	}
	if e, ok := errors.AsType[*query.TermsError](err); ok {
		return &Mistake{Rule: e.Term, Text: e.Term + " " + e.Rule}
	}
	return err
}

type sqlPriced struct{ p *query.Priced }

func (s *sqlPriced) Cost() account.Vector        { return s.p.Cost() }
func (s *sqlPriced) Canonical() []byte           { return s.p.Canonical() }
func (s *sqlPriced) Scans() []relation.Scan      { return s.p.Plan().Scans }
func (s *sqlPriced) Restricted() bool            { return s.p.Plan().Restricted }
func (s *sqlPriced) Explain() *query.Explanation { return s.p.Explain() }
func (s *sqlPriced) Epsilon() int64              { return s.p.Epsilon() }

// Answer implements [Priced].
func (s *sqlPriced) Answer(ctx context.Context, e relation.Engine, seed relation.Seed) ([]byte, error) {
	a, err := s.p.Answer(ctx, e, seed, noise.NewSource())
	if err != nil {
		return nil, err
	}
	return stdjson.Marshal(a)
}
