package ask

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"time"

	"github.com/scrimhq/scrim/data/sql/syntax"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Mistake is what is wrong with a question, as its asker may read it. It quotes names and keywords of the asker's own and nothing else.
type Mistake struct {
	Line, Column int    // from 1; 0: of the question as a whole
	Rule         string // stable
	Text         string // what is wrong, and the nearest that can be asked
}

// Error implements error. It is for the operator, so it quotes nothing.
func (m *Mistake) Error() string { return "the question breaks the rule " + m.Rule }

// Query answers a question: a JSON object. It returns at a time that does not tell whether the answer was known before, and everything is on
// record by then. The error is a [*gateway.Refusal] that is not on record yet.
func (s *Service) Query(ctx context.Context, asker Asker) ([]byte, error) {
	a := s.asking(asker, QueryTool)
	p, err := a.prepare(ctx)
	if err != nil {
		return nil, err
	}
	if !p.priced.Pilot() {
		body, err := p.answer(ctx, a.ID)
		return body, p.offering(ctx, err)
	}
	first, err := p.answer(ctx, pilotID(a.ID))
	if err != nil {
		return nil, p.offering(ctx, err)
	}
	return p.second(ctx, first)
}

// answer asks the book.
func (p *prepared) answer(ctx context.Context, id string) ([]byte, error) {
	posed, priced := p.posed(), p.priced
	posed.ID = id
	posed.Compute = func(ctx context.Context) ([]byte, error) {
		engine, err := p.dataset.Engine(ctx)
		if err != nil {
			return nil, err
		}
		defer engine.Close()
		return priced.Answer(ctx, engine, p.dataset.Seed)
	}
	body, _, err := p.Gateway.Answer(ctx, posed)
	return body, err
}

// pilotID is the name of the pilot of a question: a message of its own.
func pilotID(id string) string {
	if id == "" {
		return ""
	}
	return id + "\x00pilot"
}

// second asks the question that is as exact as was asked for, after its pilot. Where there is none, the pilot's answer is what was paid for.
func (p *prepared) second(ctx context.Context, first []byte) ([]byte, error) {
	next := *p
	next.asking = p.again()
	var err error
	if next.priced, err = p.priced.After(first); err != nil {
		m, ok := errors.AsType[*Mistake](err)
		if !ok {
			return nil, gateway.Refuse(gateway.RuleInternal, err, "The gateway could not price this question after its first answer.")
		}
		return noted(first, m.Text)
	}
	next.question = p.asking.question(p.dataset, &p.asked, next.priced)
	body, err := next.answer(ctx, p.ID)
	if err != nil {
		r, ok := errors.AsType[*gateway.Refusal](err)
		if !ok || r.Rule != gateway.RuleBudget {
			return nil, err
		}
		p.Gateway.Refused(ctx, p.Snapshot, next.Flow, r)
		return noted(first, r.Text())
	}
	return body, nil
}

// again is the same call as another flow.
func (a *asking) again() *asking {
	b := *a
	b.Flow.Parent, b.Flow.ID = a.Flow.ID, gateway.NewFlowID()
	return &b
}

// noted is the answer of a pilot with why there is no other.
func noted(first []byte, why string) ([]byte, error) {
	var a query.Answer
	if err := stdjson.Unmarshal(first, &a); err != nil {
		return nil, gateway.Refuse(gateway.RuleInternal, errors.New("an answer of the book is not readable"), "The gateway could not read the first answer.")
	}
	a.Notes = append(a.Notes, "This is the first answer, which accuracy is measured by: "+why)
	return stdjson.Marshal(a)
}

// prepared is a question that was understood, priced and permitted.
type prepared struct {
	*asking
	dataset  *gateway.Dataset
	asked    query.Question
	priced   Priced
	question *gateway.Question
	bound    gateway.Agreed
}

// prepare reads, permits, understands and prices a question. Nothing is charged, and nothing is read of the data.
func (a *asking) prepare(ctx context.Context) (*prepared, error) {
	args, err := ParseArguments(a.Arguments)
	if err != nil {
		return nil, err
	}
	if err := a.proven(ctx); err != nil {
		return nil, err
	}
	p := &prepared{asking: a, asked: args.question()}
	if p.dataset, err = a.may(args.Dataset); err != nil {
		return nil, err
	}
	if err := p.within(); err != nil {
		return nil, err
	}
	if p.priced, err = p.price(p.asked); err != nil {
		return nil, err
	}
	p.question = a.question(p.dataset, &p.asked, p.priced)
	if p.bound, err = a.Gateway.Permits(p.posed()); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *prepared) posed() *gateway.Posed {
	posed := p.asking.posed(p.question)
	posed.Plan = p.priced.Canonical()
	return posed
}

// within brings the stretch of time that is asked about to whole blocks.
func (p *prepared) within() error {
	q, timed := &p.asked, p.dataset.Blocks.Kind == budget.BlocksTime
	if !timed {
		if !q.From.IsZero() || !q.Until.IsZero() {
			return gateway.Refuse(gateway.RulePlace, nil, "from and until are for datasets with blocks of time, which this one has not; say it in the question's WHERE.")
		}
		return nil
	}
	_, begins, ends, err := p.dataset.Over(q.From, q.Until, p.now())
	if err != nil {
		return gateway.Refuse(gateway.RulePlace, err, "The dataset has no block of time that begins before until and ends after from, or none has begun yet.")
	}
	q.From, q.Until = begins, ends
	return nil
}

// price understands a question and works out what it costs, by what the owner declares.
func (p *prepared) price(q query.Question) (Priced, error) {
	c := p.dataset.Costs
	if q.Epsilon == 0 && q.Accuracy == nil {
		if q.Epsilon = c.Epsilon; q.Epsilon == 0 {
			return nil, gateway.Refuse(gateway.RulePlace, nil, "Say with epsilon what the question may cost, or with accuracy how exact the answer has to be.")
		}
	}
	if q.Epsilon > c.Most {
		return nil, gateway.Refuse(gateway.RuleBudget, nil, "One question about this dataset may cost an epsilon of %s at most.", amount(c.Most))
	}
	priced, err := p.Language.Price(p.dataset.Query, q, c)
	if m, ok := errors.AsType[*Mistake](err); ok {
		return nil, misasked(m)
	}
	switch {
	case errors.Is(err, syntax.ErrBusy):
		return nil, gateway.Refuse(gateway.RuleBusy, err, "The gateway is reading too many questions; try again in a second.")
	case err != nil:
		return nil, gateway.Refuse(gateway.RuleInternal, errors.New("a question could not be priced"), "The gateway could not understand this question, so it is not asked.")
	case priced.Epsilon() > c.Most:
		return nil, gateway.Refuse(gateway.RuleBudget, nil, "An answer as exact as that costs an epsilon of %s, and one question about this dataset may cost %s at most.", amount(priced.Epsilon()), amount(c.Most))
	case p.dataset.Blocks.Kind == budget.BlocksTime && !priced.Restricted():
		return nil, gateway.Refuse(gateway.RuleInternal, errUnrestricted, "The gateway could not keep this question to the time that it is about, so it is not asked.")
	}
	return priced, nil
}

var errUnrestricted = errors.New("a plan over blocks of time is not restricted to them")

func misasked(m *Mistake) *gateway.Refusal {
	if m.Line == 0 {
		return gateway.Refuse(gateway.RulePlace, m, "%s", m.Text)
	}
	return gateway.Refuse(gateway.RulePlace, m, "Line %d, column %d: %s", m.Line, m.Column, m.Text)
}

// Explanation is what a question would cost and how exact its answer would be, with what its asker is told of budgets.
type Explanation struct {
	*query.Explanation
	Blocks *Stretch   `json:"blocks,omitempty"` // of time, that it reads and is charged to
	Budget []Standing `json:"budget"`
	Fits   *bool      `json:"fits,omitempty"` // whether all of these have room for it
}

// Stretch is a stretch of time.
type Stretch struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// Explain tells what a question would cost, how exact its answer would be and what there is room for. Nothing is read and nothing is charged.
func (s *Service) Explain(ctx context.Context, asker Asker) ([]byte, error) {
	a := s.asking(asker, ExplainTool)
	p, err := a.prepare(ctx)
	if err != nil {
		return nil, err
	}
	e := &Explanation{Explanation: p.priced.Explain()}
	if p.priced.Pilot() {
		e.Notes = append(e.Notes, "This is a first answer, which is paid for; what one costs that is as exact as asked for follows from it.")
	}
	if p.dataset.Blocks.Kind == budget.BlocksTime {
		e.Blocks = &Stretch{p.asked.From, p.asked.Until}
	}
	standings, err := p.standings(ctx, p.question, p.bound)
	if err != nil {
		return nil, err
	}
	e.Budget = show(standings)
	if len(standings) > 0 {
		more := room(standings, p.priced.Cost())
		fits := more > 0
		e.Fits, e.Remaining = &fits, &query.Remaining{More: more}
		if !fits {
			p.offer(e.Explanation, standings)
		}
	}
	if err := a.told(ctx, "what a question would cost"); err != nil {
		return nil, err
	}
	return stdjson.Marshal(e)
}

// claim says what is claimed of answers.
func claim(d *gateway.Dataset) string {
	if d.Query.Formal {
		return query.FormalClaim
	}
	return query.NoClaim
}
