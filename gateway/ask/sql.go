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
	if len(q.Queries) > 0 {
		return batch(d, q, c)
	}
	plan, err := query.Compile(d, q)
	if err != nil {
		return nil, mistaken(err)
	}
	t := query.Terms{Epsilon: q.Epsilon, Delta: c.Delta, SelectionDelta: c.Selection, Noise: q.Noise}
	out := &sqlPriced{accuracy: q.Accuracy, terms: t}
	switch {
	case q.Accuracy == nil:
		out.p, err = plan.Price(t)
	case plan.NeedsPilot(*q.Accuracy):
		out.terms.Epsilon, out.pilot = c.Most, true
		out.p, err = plan.Pilot(*q.Accuracy, out.terms)
	default:
		out.terms.Epsilon = c.Most
		out.p, err = plan.PriceFor(*q.Accuracy, out.terms)
	}
	if err != nil {
		return nil, mistaken(err)
	}
	return out, nil
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

type sqlPriced struct {
	p        *query.Priced
	accuracy *query.Accuracy
	terms    query.Terms // with an accuracy, Epsilon is the most that all of it may cost
	pilot    bool
}

func (s *sqlPriced) Cost() account.Vector        { return s.p.Cost() }
func (s *sqlPriced) Canonical() []byte           { return s.p.Canonical() }
func (s *sqlPriced) Scans() []relation.Scan      { return s.p.Plan().Scans }
func (s *sqlPriced) Restricted() bool            { return s.p.Plan().Restricted }
func (s *sqlPriced) Explain() *query.Explanation { return s.p.Explain() }
func (s *sqlPriced) Epsilon() int64              { return s.p.Epsilon() }
func (s *sqlPriced) Pilot() bool                 { return s.pilot }

// Offers implements [Priced].
func (s *sqlPriced) Offers(room query.Room) []query.Offer {
	t := s.terms
	t.Epsilon = s.p.Epsilon()
	return s.p.Plan().Affordable(t, room)
}

// After implements [Priced].
func (s *sqlPriced) After(pilot []byte) (Priced, error) {
	var a query.Answer
	if err := stdjson.Unmarshal(pilot, &a); err != nil {
		return nil, errors.New("an answer of the book is not readable") // what json says may repeat it
	}
	p, err := s.p.Plan().PriceAfter(*s.accuracy, s.terms, &a)
	if errors.Is(err, query.ErrExactEnough) {
		return nil, &Mistake{Rule: "accuracy", Text: "it is as exact as was asked for"}
	}
	if err != nil {
		return nil, mistaken(err)
	}
	return &sqlPriced{p: p, terms: s.terms}, nil
}

// Answer implements [Priced].
func (s *sqlPriced) Answer(ctx context.Context, e relation.Engine, seed relation.Seed) ([]byte, error) {
	a, err := s.p.Answer(ctx, e, seed, noise.NewSource())
	if err != nil {
		return nil, err
	}
	return stdjson.Marshal(a)
}
