package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
)

// Spending is the ledger of privacy budgets with what configuration says of questions.
type Spending struct {
	Ledger    *budget.Ledger
	Questions func() map[string][]Question // by dataset; nil: none are known
	Clock     func() time.Time             // nil: time.Now
}

// Question is one that configuration knows the cost of.
type Question struct {
	Label string
	Cost  account.Vector
}

// BudgetScope names whose budget or quota is meant; all but the dataset may be left out.
type BudgetScope struct {
	Dataset  string        `json:"dataset,omitempty"`
	Domain   flow.DomainID `json:"domain,omitempty"`
	Workflow string        `json:"workflow,omitempty"`
	Agent    string        `json:"agent,omitempty"`
	Contract string        `json:"contract,omitempty"`
}

func (s BudgetScope) scope() budget.Scope {
	return budget.Scope{Dataset: s.Dataset, Domain: s.Domain, Workflow: s.Workflow, Agent: s.Agent, Contract: s.Contract}
}

// BudgetView is one budget with the quotas below it.
type BudgetView struct {
	Dataset   string         `json:"dataset"`
	Unit      string         `json:"unit"`
	Window    time.Duration  `json:"window_ns,omitempty"`
	Refresh   bool           `json:"refresh,omitempty"`
	Epsilon   Amount         `json:"claim_epsilon"` // what is claimed of each block, whatever plans follow
	Delta     Amount         `json:"claim_delta"`
	Standings []StandingView `json:"standings"`
}

// StandingView is where one scope stands at one block. Only the one that claims is a guarantee.
type StandingView struct {
	Scope   string         `json:"scope"`
	Level   string         `json:"level"`
	Claims  bool           `json:"claims"` // all answers together are (ε, δ)-differentially private; all else is a quota
	Block   int64          `json:"block"`
	Epsilon Amount         `json:"epsilon,omitempty"` // of the plan; absent: there is no quota
	Delta   Amount         `json:"delta,omitempty"`
	Entries int64          `json:"entries"`
	Filters []FilterView   `json:"filters,omitempty"`
	More    []QuestionRoom `json:"more,omitempty"` // how many more of each question that is configured
	Left    float64        `json:"left"`           // of the plan, by the filter that has most room: 1 for all, 0 for nothing
}

// FilterView is one rule of composition: a sum and how far it may go.
type FilterView struct {
	Filter string `json:"filter"`
	Spent  Amount `json:"spent"`
	Cap    Amount `json:"cap"`
	Fits   bool   `json:"fits"`
}

// QuestionRoom is how many more of a question there is room for; -1: nothing limits them.
type QuestionRoom struct {
	Question string `json:"question"`
	Count    int64  `json:"count"`
}

// Amount is a number in decimal digits, exactly; "infinite" where there is no bound.
type Amount string

// amount writes a number of units of 10 to the power of -places.
func amount(n int64, places int) Amount {
	if n == account.Infinite {
		return "infinite"
	}
	return Amount(flow.Decimal(n, places))
}

// ShowBudgets returns budgets and quotas with what was spent; of one dataset if the request names one.
func ShowBudgets(ctx context.Context, s *Spending, q BudgetScope) ([]BudgetView, error) {
	all, err := s.Ledger.Budgets(ctx)
	if err != nil {
		return nil, err
	}
	out := []BudgetView{}
	for _, b := range all {
		if q.Dataset != "" && q.Dataset != b.Dataset {
			continue
		}
		v := BudgetView{Dataset: b.Dataset, Unit: b.Unit.Name, Window: b.Unit.Window, Refresh: b.Refresh, Epsilon: amount(b.Claim.Epsilon, 9), Delta: amount(b.Claim.Delta, 15)}
		standings, err := s.Ledger.Scopes(ctx, b.Dataset)
		if err != nil {
			return nil, err
		}
		for _, st := range standings {
			v.Standings = append(v.Standings, s.View(st))
		}
		out = append(out, v)
	}
	if q.Dataset != "" && len(out) == 0 {
		return nil, fmt.Errorf("%w: %s", budget.ErrUnknown, q.Dataset)
	}
	return out, nil
}

func (s *Spending) questions(dataset string) []Question {
	if s.Questions == nil {
		return nil
	}
	return s.Questions()[dataset]
}

// View is a standing with what is known of the questions that it has room for.
func (s *Spending) View(st budget.Standing) StandingView {
	v := StandingView{Scope: st.Scope.String(), Level: st.Level.String(), Claims: st.Level == budget.Global, Block: st.Block, Entries: st.Entries, Left: st.Left()}
	if st.Plan == nil {
		return v
	}
	v.Epsilon, v.Delta = amount(st.Plan.Epsilon, 9), amount(st.Plan.Delta, 15)
	for _, f := range st.Plan.Menu.Filters() {
		sum, most := st.Of(f)
		v.Filters = append(v.Filters, FilterView{Filter: f.String(), Spent: amount(sum, 9), Cap: amount(most, 9), Fits: st.Fits.Has(f)})
	}
	for _, q := range s.questions(st.Scope.Dataset) {
		n := st.More(q.Cost)
		if n == math.MaxInt64 {
			n = -1
		}
		v.More = append(v.More, QuestionRoom{q.Label, n})
	}
	return v
}

// SetBudget lowers the budget of a dataset, or sets or takes away the quota of a scope below it.
type SetBudget struct {
	BudgetScope
	Epsilon int64 `json:"epsilon_nano"`
	Delta   int64 `json:"delta_femto"`
	None    bool  `json:"none,omitempty"` // there is to be no quota
}

// SetBudgets carries it out. Of a dataset the sums stay, and the plan only falls.
func SetBudgets(ctx context.Context, s *Spending, q SetBudget) (BudgetView, error) {
	plan := &budget.Plan{Epsilon: q.Epsilon, Delta: q.Delta}
	scope := q.scope()
	var err error
	switch {
	case q.None && q.Domain == "":
		return BudgetView{}, errors.New("the budget of a dataset cannot be taken away: what was spent stays spent")
	case q.None:
		err = s.Ledger.SetQuota(ctx, scope, nil)
	case q.Domain == "":
		err = s.Ledger.Replan(ctx, q.Dataset, *plan)
	default:
		err = s.Ledger.SetQuota(ctx, scope, plan)
	}
	if err != nil {
		return BudgetView{}, err
	}
	all, err := ShowBudgets(ctx, s, BudgetScope{Dataset: q.Dataset})
	if err != nil {
		return BudgetView{}, err
	}
	return all[0], nil
}

// PlanQuestions asks what mechanisms would cost, before anything is spent.
type PlanQuestions struct {
	BudgetScope
	Spec  []json.RawMessage `json:"spec"`            // mechanisms as package account has them
	Delta int64             `json:"delta,omitempty"` // femto: they are charged together, at this δ
	Times int64             `json:"times,omitempty"` // 0: once
}

// Planned is the answer: the cost, and for each scope what would be left.
type Planned struct {
	Cost   Price      `json:"cost"`
	Scopes []PlanView `json:"scopes"`
	Fits   bool       `json:"fits"` // in every scope
}

// Price is a cost vector in decimal digits.
type Price struct {
	Epsilon Amount    `json:"epsilon"`
	Delta   Amount    `json:"delta"`
	Rho     Amount    `json:"rho"`
	RDP     [6]Amount `json:"rdp"`
	Mu2     Amount    `json:"mu2"`
	Slack   Amount    `json:"slack"`
}

// PlanView is one scope with the plan carried out.
type PlanView struct {
	Scope string   `json:"scope"`
	Level string   `json:"level"`
	Block int64    `json:"block"`
	Fits  []string `json:"fits"`  // filters that would still fit
	Count int64    `json:"count"` // how often there is room for it; -1: nothing limits it
}

// PlanBudget prices mechanisms and holds them against what is left. It spends nothing, and reads no data.
func PlanBudget(ctx context.Context, s *Spending, q PlanQuestions) (Planned, error) {
	cost, err := price(q)
	if err != nil {
		return Planned{}, err
	}
	out := Planned{Fits: true, Cost: Price{
		Epsilon: amount(cost.Epsilon, 9), Delta: amount(cost.Delta, 15), Rho: amount(cost.Rho, 9), Mu2: amount(cost.Mu2, 9), Slack: amount(cost.Slack, 15),
	}}
	for i, r := range cost.RDP {
		out.Cost.RDP[i] = amount(r, 9)
	}
	all, err := s.Ledger.Remaining(ctx, q.scope(), budget.Range{})
	if err != nil {
		return Planned{}, err
	}
	for _, st := range all {
		v := PlanView{Scope: st.Scope.String(), Level: st.Level.String(), Block: st.Block, Fits: []string{}, Count: st.More(cost)}
		if st.Plan == nil {
			v.Count = -1
		} else {
			for _, f := range st.Plan.Fits(st.Caps, st.Spent.Add(cost)).Filters() {
				v.Fits = append(v.Fits, f.String())
			}
		}
		out.Fits = out.Fits && v.Count != 0
		out.Scopes = append(out.Scopes, v)
	}
	return out, nil
}

func price(q PlanQuestions) (account.Vector, error) {
	spec := make([]account.Mechanism, len(q.Spec))
	for i, raw := range q.Spec {
		if err := json.Unmarshal(raw, &spec[i]); err != nil {
			if e, ok := errors.AsType[*account.Error](err); ok {
				return account.Vector{}, fmt.Errorf("mechanism %d: %w", i, e)
			}
			return account.Vector{}, fmt.Errorf("mechanism %d is no JSON object with mech and its parameters", i)
		}
	}
	if q.Times < 0 {
		return account.Vector{}, errors.New("times is below 0")
	}
	var cost account.Vector
	var err error
	if q.Delta > 0 {
		cost, err = account.Batch(spec, float64(q.Delta)/1e15)
	} else {
		cost, err = account.VectorOf(spec...)
	}
	return cost.Scale(max(q.Times, 1)), err
}

// Forecast asks when a budget is used up, at the rate of a time until now.
type Forecast struct {
	Dataset string        `json:"dataset,omitempty"`
	Over    time.Duration `json:"over_ns"`
}

// ForecastView is the answer for one dataset.
type ForecastView struct {
	Dataset string     `json:"dataset"`
	Block   int64      `json:"block"`
	Charges int64      `json:"charges"` // in the time that was looked at, those that were taken back left out
	Left    float64    `json:"left"`
	More    int64      `json:"more"`              // questions like the average of these; -1: nothing limits them, or none were asked
	Until   *time.Time `json:"until,omitempty"`   // when the last of them is asked, at this rate; absent: not in sight
	Empty   bool       `json:"used_up,omitempty"` // there is no room for another one now
	PerDay  float64    `json:"per_day,omitempty"` // questions
}

// ForecastBudgets returns one for each block of each dataset.
func ForecastBudgets(ctx context.Context, s *Spending, q Forecast) ([]ForecastView, error) {
	if q.Over <= 0 {
		return nil, errors.New("the time to look back over is not above 0")
	}
	now := time.Now()
	if s.Clock != nil {
		now = s.Clock()
	}
	all, err := s.Ledger.Budgets(ctx)
	if err != nil {
		return nil, err
	}
	out := []ForecastView{}
	for _, b := range all {
		if q.Dataset != "" && q.Dataset != b.Dataset {
			continue
		}
		n, sum, err := s.recent(ctx, b.Dataset, now.Add(-q.Over))
		if err != nil {
			return nil, err
		}
		standings, err := s.Ledger.Remaining(ctx, budget.Scope{Dataset: b.Dataset}, budget.Range{})
		if err != nil {
			return nil, err
		}
		for _, st := range standings {
			out = append(out, ForecastOf(st, n, sum, q.Over, now))
		}
	}
	if q.Dataset != "" && len(out) == 0 {
		return nil, fmt.Errorf("%w: %s", budget.ErrUnknown, q.Dataset)
	}
	return out, nil
}

// recent adds up what was charged since a time and not taken back.
func (s *Spending) recent(ctx context.Context, dataset string, since time.Time) (n int64, sum account.Vector, err error) {
	open := map[budget.ID]account.Vector{}
	for e, err := range s.Ledger.Entries(ctx, budget.Query{Dataset: dataset}) {
		switch {
		case err != nil:
			return 0, sum, err
		case e.At.Before(since):
		case e.Kind == budget.Reserved:
			open[e.ID] = e.Cost
		case e.Kind == budget.Released:
			delete(open, e.ID)
		}
	}
	for _, cost := range open {
		n++
		sum = sum.Add(cost)
	}
	return n, sum, nil
}

// ForecastOf is the forecast of a standing to which n charges came in a time until now, of that cost together.
func ForecastOf(st budget.Standing, n int64, sum account.Vector, over time.Duration, now time.Time) ForecastView {
	v := ForecastView{Dataset: st.Scope.Dataset, Block: st.Block, Charges: n, Left: st.Left(), More: -1}
	if n == 0 {
		return v
	}
	v.PerDay = float64(n) / (float64(over) / float64(24*time.Hour))
	more := st.More(average(sum, n))
	if more == math.MaxInt64 {
		return v
	}
	v.More, v.Empty = more, more == 0
	if until := float64(more) / float64(n) * float64(over); until < float64(100*365*24*time.Hour) {
		at := now.Add(time.Duration(until)).UTC().Truncate(time.Second)
		v.Until = &at
	}
	return v
}

// average is a sum divided by n, rounded up.
func average(sum account.Vector, n int64) account.Vector {
	each := func(x int64) int64 {
		if x == account.Infinite {
			return x
		}
		return x/n + min(x%n, 1)
	}
	out := account.Vector{Epsilon: each(sum.Epsilon), Delta: each(sum.Delta), Rho: each(sum.Rho), Mu2: each(sum.Mu2), Slack: each(sum.Slack)}
	for i, r := range sum.RDP {
		out.RDP[i] = each(r)
	}
	return out
}

// budgets are the calls about privacy loss.
func (a *API) budgets() {
	const absent = "this gateway keeps no budgets of privacy loss"
	partCall(a, "/api/v1/budgets/show", a.opt.Spending, absent, ShowBudgets)
	partCall(a, "/api/v1/budgets/set", a.opt.Spending, absent, SetBudgets)
	partCall(a, "/api/v1/budgets/plan", a.opt.Spending, absent, PlanBudget)
	partCall(a, "/api/v1/budgets/forecast", a.opt.Spending, absent, ForecastBudgets)
	partCall(a, "/api/v1/budgets/replay", a.opt.Spending, absent, ReplayBudgets)
}
