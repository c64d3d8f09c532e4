package budget

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/store"
)

// Declare makes the budget of a dataset, or confirms it: the same declaration again changes nothing, and one with another plan is
// a [Ledger.Replan]. Another unit or other blocks are refused with [ErrDeclared].
//
// Time blocks and refresh need a unit that is bounded in time: [ErrUnit], [ErrBlocks], [ErrRefresh]. A dataset with two units is
// declared by two names, and every question charged to both.
func (l *Ledger) Declare(ctx context.Context, d Budget) error {
	if !d.Blocks.From.IsZero() {
		d.Blocks.From = d.Blocks.From.UTC()
	}
	if err := d.check(); err != nil {
		return err
	}
	return l.do(ctx, &setPlan{scope: Scope{Dataset: d.Dataset}, plan: &d.Plan, declared: &d})
}

// Replan gives the budget of a dataset another plan. Sums stay; ε and δ do not rise; and the greatest shares of δ that each filter
// had in any plan so far must not add up to more than what was declared first (theorem 3 of docs/spec/budget-admission.md):
// [ErrRefill] otherwise. What was claimed stays as it was.
func (l *Ledger) Replan(ctx context.Context, dataset string, p Plan) error {
	s := Scope{Dataset: dataset}
	if err := s.Check(); err != nil {
		return err
	}
	return l.do(ctx, &setPlan{scope: s, plan: &p})
}

// SetQuota sets the plan of a scope below a dataset; nil takes it away. Quotas may rise and fall: they carry no claim. What was
// charged to the scope before counts.
func (l *Ledger) SetQuota(ctx context.Context, s Scope, p *Plan) error {
	if err := s.Check(); err != nil {
		return err
	}
	if s.Domain == "" {
		return &Error{Rule: ErrScope, Scope: s, What: "a quota is of a domain, workflow, agent or contract"}
	}
	if s.Contract != "" && s.Workflow != "" {
		return &Error{Rule: ErrScope, Scope: s, What: "a quota is of a contract or of a workflow or agent, not of both"}
	}
	return l.do(ctx, &setPlan{scope: s, plan: p})
}

// setPlan is the op of Declare, Replan and SetQuota.
type setPlan struct {
	scope    Scope
	plan     *Plan
	declared *Budget // of Declare

	known   *Budget // what was made; nil: nothing
	changed bool
}

func (o *setPlan) key() ([32]byte, bool) { return [32]byte{}, false }

func (o *setPlan) rows(*batch) error { return nil }

func (o *setPlan) run(b *batch) error {
	o.known, o.changed = nil, false
	n := o.scope.last()
	if n.level != Global {
		// Not remembered: this transaction may have declared it, and may be undone.
		if d, _, err := b.l.planRow(b.tx, Scope{Dataset: o.scope.Dataset}.node(Global).key); err != nil {
			return err
		} else if d == nil {
			return &Error{Rule: ErrUnknown, Scope: Scope{Dataset: o.scope.Dataset}}
		}
	}
	now, made, err := b.lockPlan(n.key)
	if err != nil {
		return err
	}
	e := Entry{Kind: Quota, Scope: o.scope, Count: 1}
	if now != nil {
		e.Count = now.Count + 1
	}
	if n.level == Global {
		if done, err := o.global(now, &e); err != nil || done {
			return err
		}
	} else if done, err := o.quota(now, &e); err != nil || done {
		return err
	}
	b.append(e)
	body := b.bodies[len(b.bodies)-1]
	var wrote int64
	if made {
		wrote, err = b.tx.Exec("UPDATE budget_scopes SET plan = ? WHERE scope = ?", body, n.key[:])
	} else {
		wrote, err = b.tx.Exec(`INSERT INTO budget_scopes (scope, dataset, level, domain, workflow, agent, contract, plan) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (scope) DO NOTHING`, n.key[:], n.Dataset, int64(n.level), string(n.Domain), n.Workflow, n.Agent, n.Contract, body)
	}
	if err != nil {
		return fmt.Errorf("writing a plan: %w", err)
	}
	if wrote != 1 {
		return errRace // another process made the row since it was looked for
	}
	o.changed = true
	if s := b.scopes[n.key]; s != nil {
		s.made, s.plan = true, nil
		if e.Plan != nil {
			s.plan = &e
		}
	}
	o.known = e.Budget
	return nil
}

// quota writes the entry of a quota, and reports whether nothing is to be changed.
func (o *setPlan) quota(now *Entry, e *Entry) (done bool, err error) {
	if o.plan == nil {
		return now == nil || now.Plan == nil, nil
	}
	p, c, err := o.plan.Fill()
	if err != nil {
		return false, at(err, o.scope)
	}
	e.Plan, e.Caps = &p, c
	return now != nil && now.Plan != nil && *now.Plan == p, nil
}

// global writes the entry of a budget's plan, and reports whether nothing is to be changed.
func (o *setPlan) global(now *Entry, e *Entry) (done bool, err error) {
	refuse := func(rule error, what string) (bool, error) {
		return false, &Error{Rule: rule, Scope: o.scope, What: what}
	}
	p, c, err := o.plan.Fill()
	if err != nil {
		return false, at(err, o.scope)
	}
	e.Kind, e.Plan, e.Caps, e.Most = Declared, &p, c, p.Split
	if now == nil {
		if o.declared == nil {
			return refuse(ErrUnknown, "")
		}
		d := *o.declared
		d.Plan, d.Claim = p, Claim{p.Epsilon, p.Delta}
		e.Budget = &d
		return false, nil
	}
	d := *now.Budget
	if w := o.declared; w != nil && (w.Unit != d.Unit || w.Refresh != d.Refresh || !sameBlocks(w.Blocks, d.Blocks)) {
		return refuse(ErrDeclared, "another unit or other blocks")
	}
	if p == *now.Plan {
		return true, nil
	}
	switch {
	case p.Epsilon > now.Plan.Epsilon:
		return refuse(ErrRefill, "Epsilon rises")
	case p.Delta > now.Plan.Delta:
		return refuse(ErrRefill, "Delta rises")
	}
	for f, x := range now.Most.Share {
		e.Most.Share[f] = max(x, p.Split.Share[f])
	}
	e.Most.Slack = max(now.Most.Slack, p.Split.Slack)
	if e.Most.total() > d.Claim.Delta {
		return refuse(ErrRefill, "the greatest shares of Delta that all filters had are more than was declared")
	}
	d.Plan = p
	e.Budget = &d
	return false, nil
}

func (o *setPlan) settle(l *Ledger) {
	if o.known != nil {
		l.known[o.known.Dataset] = o.known
	}
	for _, s := range l.slices {
		if o.changed && s.key.scope.Dataset == o.scope.Dataset {
			l.end(s) // it was leased under another plan
		}
	}
}

func sameBlocks(a, b Blocks) bool {
	return a.Kind == b.Kind && a.Count == b.Count && a.Width == b.Width && a.From.Equal(b.From)
}

// at says where a plan was refused.
func at(err error, s Scope) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Scope == (Scope{}) {
		e.Scope = s
	}
	return err
}

// lockPlan reads the entry that set a scope's plan and holds its row; entry is also that of a quota which was taken away. A
// process that has rows of sums and is about to read the plan sees the one before, or waits for none: what it charges came first.
func (b *batch) lockPlan(k scopeKey) (entry *Entry, made bool, err error) {
	var body []byte
	found, err := optional(b.tx.QueryRow("UPDATE budget_scopes SET level = level WHERE scope = ? RETURNING plan", k[:]).Scan(&body))
	if err != nil {
		return nil, false, fmt.Errorf("reading a plan: %w", err)
	}
	if !found || len(body) == 0 {
		return nil, found, nil
	}
	entry, err = parseEntry(body)
	return entry, true, err
}

// planRow reads the same without holding it.
func (l *Ledger) planRow(tx store.Tx, k scopeKey) (entry *Entry, made bool, err error) {
	var body []byte
	found, err := optional(tx.QueryRow("SELECT plan FROM budget_scopes WHERE scope = ?", k[:]).Scan(&body))
	if err != nil {
		return nil, false, fmt.Errorf("reading a plan: %w", err)
	}
	if !found || len(body) == 0 {
		return nil, found, nil
	}
	entry, err = parseEntry(body)
	return entry, true, err
}

// optional turns an answer without rows into false.
func optional(err error) (found bool, _ error) {
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Range returns the blocks by time that hold any moment from ≤ t < to. It refuses moments before the first block.
func (b Blocks) Range(from, to time.Time) (Range, error) {
	switch {
	case b.Kind != BlocksTime || b.Width <= 0:
		return Range{}, &Error{Rule: ErrBlocks, What: "they are not by time"}
	case !from.Before(to):
		return Range{}, &Error{Rule: ErrBlocks, What: "the time span is empty"}
	case from.Before(b.From):
		return Range{}, &Error{Rule: ErrBlocks, What: "the time span begins before the first block"}
	}
	return Range{From: b.at(from), To: b.at(to.Add(-1)) + 1}, nil
}
