package ask

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// amount writes nano units as a decimal number.
func amount(nano int64) string { return decimal(nano, 9) }

func femto(n int64) string { return decimal(n, 15) }

func decimal(n int64, places int) string {
	if n == account.Infinite {
		return ""
	}
	s := strconv.FormatInt(n, 10)
	if len(s) <= places {
		s = strings.Repeat("0", places+1-len(s)) + s
	}
	return strings.TrimSuffix(strings.TrimRight(s[:len(s)-places]+"."+s[len(s)-places:], "0"), ".")
}

// Standing is where a budget or quota stands, of the block that has least.
type Standing struct {
	Of      string     `json:"of"` // dataset, domain, workflow, agent, contract
	Epsilon string     `json:"epsilon"`
	Delta   string     `json:"delta"`
	Spent   query.Cost `json:"spent"`
	Left    float64    `json:"left"` // the share of it that is left, by the rule of composition that has most room
}

// Budgets is what an asker is told of a dataset's budget.
type Budgets struct {
	Dataset string     `json:"dataset"`
	Epsilon string     `json:"epsilon"` // of the claim
	Delta   string     `json:"delta"`
	Unit    string     `json:"unit"`
	Budget  []Standing `json:"budget"`
	Note    string     `json:"note,omitempty"`
}

const untold = "What is left of budgets that others draw on too is not told: ask, and see."

// Budget tells where the budgets of a dataset stand that the asker is told of.
func (s *Service) Budget(ctx context.Context, asker Asker) ([]byte, error) {
	a := s.asking(asker, BudgetTool)
	d, err := a.named(ctx)
	if err != nil {
		return nil, err
	}
	q := &gateway.Question{Dataset: d.Query.Name, Technique: Technique, Columns: []string{}}
	bound, err := a.Gateway.Permits(a.posed(q))
	if err != nil {
		return nil, err
	}
	standings, err := a.standings(ctx, q, bound)
	if err != nil {
		return nil, err
	}
	out := Budgets{Dataset: d.Query.Name, Unit: d.Query.Unit, Epsilon: amount(d.Plan.Epsilon), Delta: femto(d.Plan.Delta), Budget: show(standings)}
	if !d.Tell {
		out.Note = untold
	}
	if err := a.told(ctx, "what is left of a budget"); err != nil {
		return nil, err
	}
	return stdjson.Marshal(out)
}

// standings are those that the asker is told of, at each block that the question is charged to.
func (a *asking) standings(ctx context.Context, q *gateway.Question, bound gateway.Agreed) ([]budget.Standing, error) {
	if a.Ledger == nil {
		return nil, nil
	}
	posed := a.posed(q)
	scope, err := a.Gateway.Payer(ctx, posed, bound)
	if err != nil {
		return nil, err
	}
	over := budget.Range{}
	if q.Blocks != nil {
		if over, err = q.Blocks(a.now()); err != nil {
			return nil, gateway.Refuse(gateway.RulePlace, err, "The dataset has no block of time that the question is about.")
		}
	}
	all, err := a.Ledger.Remaining(ctx, scope, over)
	if err != nil {
		return nil, gateway.Refuse(gateway.RuleInternal, err, "The gateway could not read what is left.")
	}
	tell := a.Snapshot.Datasets[q.Dataset].Tell
	var out []budget.Standing
	for _, st := range all {
		own := st.Level == budget.Agent || st.Level == budget.Contract
		if st.Plan != nil && (tell || own) {
			out = append(out, st)
		}
	}
	return out, nil
}

// room is how many more questions of a cost all standings have room for.
func room(all []budget.Standing, v account.Vector) int64 {
	least := int64(math.MaxInt64)
	for _, st := range all {
		least = min(least, st.More(v))
	}
	return least
}

// show writes standings, of each scope the block with least.
func show(all []budget.Standing) []Standing {
	out := []Standing{}
	at := map[budget.Level]int{}
	for _, st := range all {
		one := Standing{Of: levelWord(st.Level), Epsilon: amount(st.Plan.Epsilon), Delta: femto(st.Plan.Delta), Spent: query.CostOf(st.Spent), Left: st.Left()}
		i, seen := at[st.Level]
		switch {
		case !seen:
			at[st.Level] = len(out)
			out = append(out, one)
		case one.Left < out[i].Left:
			out[i] = one
		}
	}
	return out
}

func levelWord(l budget.Level) string {
	if l == budget.Global {
		return "dataset"
	}
	return l.String()
}

// offers are questions like the one that was asked for which all that its asker is told of has room.
func (p *prepared) offers(standings []budget.Standing) []query.Offer {
	if len(standings) == 0 {
		return nil
	}
	return p.priced.Offers(func(cost account.Vector) int64 { return room(standings, cost) })
}

func (p *prepared) offer(e *query.Explanation, standings []budget.Standing) {
	if all := p.offers(standings); len(all) > 0 {
		e.Offer, e.Others = &all[0], all[1:]
	}
}

// offering adds to a refusal for want of budget what there is room for, as far as that follows from what the asker is told of anyway.
func (p *prepared) offering(ctx context.Context, refused error) error {
	r, ok := errors.AsType[*gateway.Refusal](refused)
	if !ok || r.Rule != gateway.RuleBudget {
		return refused
	}
	standings, err := p.standings(ctx, p.question, p.bound)
	if err != nil || len(standings) == 0 || room(standings, p.priced.Cost()) > 0 {
		return r // something else has no room, of which nothing is told
	}
	all := p.offers(standings)
	if len(all) == 0 {
		return r
	}
	more := *r
	more.Public += " The same question fits with an epsilon of " + all[0].Epsilon + "."
	return &more
}
