package run

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/budget/answers"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/privacy/dp/stream"
	"github.com/scrimhq/scrim/store"
)

// Budgets is what datasets may still give away, and what was answered.
type Budgets struct {
	Ledger *budget.Ledger
	Book   *answers.Book

	questions atomic.Pointer[map[string][]api.Question] // of the configuration in force, by dataset
	own       store.DB                                  // what they are kept in; nil: the gateway's own state
	heads     *heads                                    // what is known of the ends of a shared ledger
}

// openBudgets opens ledger and answers where configuration keeps them.
func (st *State) openBudgets(ctx context.Context, c *config.Config, opt store.Options, fault func(error)) (err error) {
	b, db := &Budgets{}, st.DB
	how := budget.Options{
		Writer: "gateway", Signer: st.Keys.Signer("budget"), Seal: st.Keys.AEAD("budget"), MaxBlocks: 4096, Slice: int64(c.Budgets.Slice),
		Journal: func(tx store.Tx, entries []budget.Entry) error { return st.witness(tx, c.Domain, entries) },
	}
	if c.Budgets.Shared != nil { // also without a dataset: a reload may bring one
		if err := st.noneOwn(ctx); err != nil {
			return err
		}
		if db, err = openShared(ctx, c, opt.NoSync); err != nil {
			return fmt.Errorf("opening the shared ledger of budgets: %w", err)
		}
		b.own, how.Shared = db, true
		open := context.WithoutCancel(ctx)                             // what was under way ends in order after a signal, too
		how.Journal = func(_ store.Tx, entries []budget.Entry) error { // which is in another database: it may overstate, and never understates
			return st.DB.Update(open, func(tx store.Tx) error {
				if err := st.witness(tx, c.Domain, entries); err != nil {
					return err
				}
				return b.heads.follow(tx, b.Ledger.Head())
			})
		}
		b.heads = &heads{db: st.DB, log: st.Log, own: c.Domain}
		b.Ledger, err = b.heads.open(ctx, db, how, c.Budgets.Accept)
	} else {
		b.Ledger, err = budget.Open(ctx, db, how)
	}
	if err != nil {
		return errors.Join(err, b.closeOwn())
	}
	b.Book, err = answers.New(db, leasing(b.Ledger, c), answers.Options{Seal: st.Keys.AEAD("question"), Fault: fault})
	if err != nil {
		return errors.Join(err, b.Ledger.Close(ctx), b.closeOwn())
	}
	st.Budgets = b
	return b.know(c)
}

// noneOwn refuses a shared ledger where the gateway had one of its own: what was spent by that would be there again.
func (st *State) noneOwn(ctx context.Context) error {
	declared := 0
	err := st.DB.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM budget_scopes WHERE level = ?", int64(budget.Global)).Scan(&declared)
	})
	if err == nil && declared > 0 {
		err = store.ErrElsewhere
	}
	if err != nil {
		return fmt.Errorf("budgets.shared: looking for a ledger of this gateway's own: %w", err)
	}
	return nil
}

// know takes up what configuration says of questions.
func (b *Budgets) know(c *config.Config) error {
	all := map[string][]api.Question{}
	for i := range c.Agents {
		a := &c.Agents[i]
		for j := range a.Questions {
			q := &a.Questions[j]
			cost, err := q.Price(c.Datasets[q.Dataset])
			if err != nil {
				return err
			}
			all[q.Dataset] = append(all[q.Dataset], api.Question{Label: label(a, q), Cost: cost})
		}
	}
	b.questions.Store(&all)
	return nil
}

// Spending is the ledger as the admin API and its commands use it; nil where there is none.
func (b *Budgets) Spending() *api.Spending {
	if b == nil {
		return nil
	}
	return &api.Spending{Ledger: b.Ledger, Questions: func() map[string][]api.Question { return *b.questions.Load() }}
}

// left is the ε that each dataset has left: of its blocks, the one with least.
func (b *Budgets) left(ctx context.Context) map[string]float64 {
	return b.least(ctx, func(share float64, total int64) float64 { return share * float64(total) / 1e9 })
}

// share is the share of its ε that each dataset has left, likewise.
func (b *Budgets) share(ctx context.Context) map[string]float64 {
	return b.least(ctx, func(share float64, _ int64) float64 { return share })
}

func (b *Budgets) least(ctx context.Context, told func(share float64, total int64) float64) map[string]float64 {
	out := map[string]float64{}
	all, err := b.Ledger.Budgets(ctx)
	if err != nil {
		return out
	}
	for _, one := range all {
		standings, err := b.Ledger.Remaining(ctx, budget.Scope{Dataset: one.Dataset}, budget.Range{})
		if err != nil {
			continue
		}
		least := 1.0
		for _, st := range standings {
			least = min(least, st.Left())
		}
		out[one.Dataset] = told(least, one.Plan.Epsilon)
	}
	return out
}

// budgetSchemas are the tables of the ledger, of answers, and of the streams that it pays for.
func budgetSchemas() []store.Schema {
	return []store.Schema{budget.Schema(), answers.Schema(), continual.Schema(), stream.Schema()}
}

// database is one of the ledger's own, or nil.
func (b *Budgets) database() store.DB {
	if b == nil {
		return nil
	}
	return b.own
}

func (b *Budgets) closeOwn() error {
	if b == nil || b.own == nil {
		return nil
	}
	return b.own.Close()
}

// close gives back what was set aside and never asked for.
func (b *Budgets) close(ctx context.Context) error {
	if b == nil {
		return nil
	}
	err := b.Ledger.Close(ctx)
	if err == nil && b.heads != nil {
		err = b.heads.last(ctx, b.Ledger)
	}
	return errors.Join(err, b.closeOwn())
}

// gateway is what charges questions; nil where there is no ledger.
func (b *Budgets) gateway() *gateway.Budgets {
	if b == nil {
		return nil
	}
	return &gateway.Budgets{Book: b.Book, Quotas: b.Ledger}
}

// witness puts entries of the ledger on record: what, whose and how much, and nothing of any data.
func (st *State) witness(tx store.Tx, own flow.DomainID, entries []budget.Entry) error {
	for i := range entries {
		if _, err := st.Log.Append(tx, budgetEvent(own, &entries[i]), audit.Private{}); err != nil {
			return err
		}
	}
	return nil
}

func budgetEvent(own flow.DomainID, e *budget.Entry) flow.Event {
	from := flow.Party{Agent: flow.AgentID(e.Scope.Agent), Domain: e.Scope.Domain}
	if from.Domain == "" {
		from.Domain = own
	}
	ev := flow.Event{
		Time: e.At.UTC(), Outcome: flow.Budgeted, Reason: e.Kind.String() + " " + e.Scope.String(),
		Flow: flow.Flow{ID: gateway.NewFlowID(), From: from, To: flow.Party{Domain: own}, Protocol: "budget", Method: e.Kind.String(), Subject: e.Scope.Dataset},
	}
	if e.Kind == budget.Reserved || e.Kind == budget.Released || e.Kind == budget.Leased || e.Kind == budget.Returned {
		cost := e.Cost
		if e.Kind == budget.Leased || e.Kind == budget.Returned {
			cost = cost.Scale(e.Count)
		}
		ev.Cost = gateway.Loss(cost)
	}
	if e.ID != (budget.ID{}) {
		ev.Reason += " " + e.ID.String()
	}
	return ev
}

// declare puts the budgets of a configuration in force. A plan that would give back what was spent is not taken: the ledger keeps
// its own, and tell is called with why.
func (b *Budgets) declare(ctx context.Context, c *config.Config, tell func(error)) error {
	if err := b.know(c); err != nil {
		return wrongRules{err}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Datasets)) {
		d := c.Datasets[name]
		err := b.Ledger.Declare(ctx, Declaration(name, d))
		switch {
		case errors.Is(err, budget.ErrRefill):
			tell(fmt.Errorf("dataset %s keeps the plan that the ledger has, since that of the configuration would give back what was spent: %w", name, err))
		case err != nil:
			return fmt.Errorf("declaring the budget of %s: %w", name, err)
		}
		for _, q := range d.Quotas {
			plan := quotaPlan(q, d)
			if err := b.Ledger.SetQuota(ctx, quotaScope(c, name, q), &plan); err != nil {
				return fmt.Errorf("setting a quota of %s: %w", name, err)
			}
		}
	}
	return nil
}

// Declaration is the budget of a dataset as the ledger takes it. Its numbers were checked with the file.
func Declaration(name string, d config.Dataset) budget.Budget {
	out := budget.Budget{
		Dataset: name, Unit: budget.Unit{Name: d.Unit.Name, Window: time.Duration(d.Unit.Window)}, Plan: plan(d), Refresh: d.Refresh,
	}
	switch d.Blocks.By {
	case config.BlocksByUnit:
		out.Blocks = budget.Blocks{Kind: budget.BlocksHash, Count: int64(d.Blocks.Count)}
	case config.BlocksByTime:
		out.Blocks = budget.Blocks{Kind: budget.BlocksTime, Count: int64(d.Blocks.Count), Width: time.Duration(d.Blocks.Width), From: d.Blocks.From}
	}
	return out
}

func plan(d config.Dataset) budget.Plan {
	p := budget.Plan{Epsilon: nano(d.Epsilon), Delta: femto(d.Delta)}
	if len(d.Filters) == 0 {
		return p
	}
	var menu []budget.Filter
	for _, f := range d.Filters {
		which := filterOf(f)
		menu = append(menu, which)
		p.Split.Share[which] = femto(f.Delta)
	}
	p.Menu, p.Split.Slack = budget.MenuOf(menu...), femto(d.Slack)
	return p
}

func filterOf(f config.Filter) budget.Filter {
	switch f.Rule {
	case config.FilterZCDP:
		return budget.ZCDP
	case config.FilterGDP:
		return budget.GDP
	case config.FilterRDP:
		return map[int]budget.Filter{2: budget.RDP2, 4: budget.RDP4, 8: budget.RDP8, 16: budget.RDP16, 32: budget.RDP32, 64: budget.RDP64}[f.Order]
	}
	return budget.Basic
}

func quotaPlan(q config.Quota, d config.Dataset) budget.Plan {
	delta := q.Delta
	if !delta.Given() {
		delta = d.Delta
	}
	return budget.Plan{Epsilon: nano(q.Epsilon), Delta: femto(delta)}
}

func quotaScope(c *config.Config, dataset string, q config.Quota) budget.Scope {
	s := budget.Scope{Dataset: dataset, Domain: q.Domain, Workflow: q.Workflow, Agent: string(q.Agent)}
	if q.Agent != "" && q.Workflow == "" {
		s.Workflow = gateway.NoWorkflow
	}
	return s
}

func nano(x config.Exact) int64 {
	n, _ := x.In(config.NanoPlaces)
	return n
}

func femto(x config.Exact) int64 {
	n, _ := x.In(config.FemtoPlaces)
	return n
}

// questions are what tools and skills of a configuration answer about datasets.
func questions(c *config.Config) (map[flow.AgentID]gateway.Questions, error) {
	all := map[flow.AgentID]gateway.Questions{}
	for i := range c.Agents {
		a := &c.Agents[i]
		if len(a.Questions) == 0 {
			continue
		}
		of := gateway.Questions{Tools: map[string]*gateway.Question{}, Skills: map[string]*gateway.Question{}}
		for j := range a.Questions {
			q := &a.Questions[j]
			one, err := question(c, a, q)
			if err != nil {
				return nil, fmt.Errorf("agent %s, question %d: %w", a.ID, j, err)
			}
			if q.Tool != "" {
				of.Tools[q.Tool] = one
			} else {
				of.Skills[q.Skill] = one
			}
		}
		all[a.ID] = of
	}
	return all, nil
}

func question(c *config.Config, a *config.Agent, q *config.Question) (*gateway.Question, error) {
	d := c.Datasets[q.Dataset]
	cost, err := q.Price(d)
	if err != nil {
		return nil, err
	}
	out := &gateway.Question{
		Dataset: q.Dataset, Technique: q.Technique, Columns: q.Columns, Cost: cost, Pad: time.Duration(d.Pad),
		Schedule: answers.Schedule{From: d.Versions.From, Every: time.Duration(d.Versions.Every)},
		Label:    label(a, q), Blocks: blocksOf(Declaration(q.Dataset, d), q.Over),
	}
	out.Catalog, err = meaning(c, a, q, d)
	return out, err
}

// label is what the ledger calls charges of a question.
func label(a *config.Agent, q *config.Question) string {
	name := q.Tool + q.Skill
	if len(name) > 60 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
		name = "*"
	}
	return string(a.ID) + "/" + name
}

// blocksOf says which blocks a question is about at a time.
func blocksOf(b budget.Budget, over config.Over) func(time.Time) (budget.Range, error) {
	if b.Blocks.Kind != budget.BlocksTime {
		return func(time.Time) (budget.Range, error) { return budget.Range{}, nil }
	}
	return func(now time.Time) (budget.Range, error) {
		r, err := b.Blocks.Range(now, now.Add(1))
		switch {
		case err != nil || over == config.OverLast:
			return r, err
		case !b.Refresh:
			r.To = min(r.To, b.Blocks.Count)
		}
		return budget.Range{From: 0, To: r.To}, nil
	}
}

// meaning stands for whatever gives a question's arguments their meaning: who answers, how, and what the dataset is.
func meaning(c *config.Config, a *config.Agent, q *config.Question, d config.Dataset) ([32]byte, error) {
	var of []catalog.Dataset
	for _, contract := range c.Catalog().Contracts() {
		if one, ok := contract.Dataset(q.Dataset); ok {
			of = append(of, one)
		}
	}
	var specs []json.RawMessage
	for i := range q.Cost {
		specs = append(specs, q.Cost[i].Spec())
	}
	text, err := json.Marshal(struct {
		Agent              flow.AgentID
		Tool, Skill        string
		Technique, Dataset string
		Cost               []json.RawMessage
		Columns            []string
		Unit               config.Unit
		Blocks             config.Blocks
		Over               config.Over
		Catalog            []catalog.Dataset
	}{a.ID, q.Tool, q.Skill, q.Technique, q.Dataset, specs, q.Columns, d.Unit, d.Blocks, q.Over, of})
	if err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256(text), nil
}

// workflows are the workflows of agents.
func workflows(c *config.Config) map[flow.AgentID]string {
	all := map[flow.AgentID]string{}
	for name, agents := range c.Budgets.Workflows {
		for _, a := range agents {
			all[a] = name
		}
	}
	return all
}

// leasing is the ledger as answers charge it: where several gateways share it, questions are paid for from slices that are set
// aside, if configuration says so.
func leasing(l *budget.Ledger, c *config.Config) answers.Ledger {
	if c.Budgets.Shared == nil || c.Budgets.Slice < 2 {
		return l
	}
	return lessee{l}
}

type lessee struct{ *budget.Ledger }

// held is how long a gateway keeps what it set aside and did not ask for.
const held = 30 * time.Second

// Reserve implements [answers.Ledger].
func (l lessee) Reserve(ctx context.Context, c budget.Charge) (*budget.Reservation, error) {
	c.Lease = held
	return l.Ledger.Reserve(ctx, c)
}

// openShared opens the database that several gateways of the domain keep one ledger in.
func openShared(ctx context.Context, c *config.Config, noSync bool) (store.DB, error) {
	url, err := c.SharedBudgets()
	if err != nil {
		return nil, err
	}
	return store.OpenPostgres(ctx, url, budgetSchemas(), store.Options{Shared: true, Schema: "scrim_budgets", NoSync: noSync})
}
