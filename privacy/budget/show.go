package budget

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"math"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/store"
)

// Standing is where one scope stands at one block.
type Standing struct {
	Scope   Scope
	Level   Level
	Block   int64
	Plan    *Plan          // nil: the scope has no quota
	Caps    Caps           // of the plan
	Spent   account.Vector // sums over everything charged that was not released
	Entries int64          // how many entries of the ledger changed the sums
	Fits    Menu           // filters of the plan that the sums fit
}

// More returns how many more charges of v this scope has room for, math.MaxInt64 if nothing limits them.
func (s Standing) More(v account.Vector) int64 {
	if s.Plan == nil {
		return math.MaxInt64
	}
	return s.Plan.more(s.Caps, s.Spent, v)
}

// Of returns the sum that a filter looks at and its cap, both in nano.
func (s Standing) Of(f Filter) (sum, most int64) {
	switch {
	case f == Basic:
		return s.Spent.Epsilon, s.Caps.Epsilon
	case f == ZCDP:
		return s.Spent.Rho, s.Caps.Rho
	case f == GDP:
		return s.Spent.Mu2, s.Caps.Mu2
	}
	return s.Spent.RDP[f-RDP2], s.Caps.RDP[f-RDP2]
}

// Left is the share of the plan that is left by the filter that has most room; 1 without a plan. It is for people to look at: what is
// admitted is decided in integers.
func (s Standing) Left() float64 {
	if s.Plan == nil {
		return 1
	}
	best := 0.0
	for _, f := range s.Fits.Filters() {
		if sum, most := s.Of(f); most > 0 && sum <= most {
			best = max(best, 1-float64(sum)/float64(most))
		}
	}
	return best
}

func standing(n node, block int64, plan *Entry, t *total, entries int64) Standing {
	s := Standing{Scope: n.Scope, Level: n.level, Block: block, Spent: t.vector(), Entries: entries}
	if plan != nil && plan.Plan != nil {
		s.Plan, s.Caps = plan.Plan, plan.Caps
		s.Fits = s.Plan.Fits(s.Caps, s.Spent)
	}
	return s
}

// Remaining returns the standing of the scope and of all its ancestors at each block of the range, the dataset first. The zero
// range stands for all blocks that were ever charged, and for block 0. [ErrUnknown] if the dataset has no budget.
func (l *Ledger) Remaining(ctx context.Context, s Scope, r Range) ([]Standing, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if r != (Range{}) && (r.From < 0 || r.To <= r.From || r.To-r.From > l.opt.MaxBlocks) {
		return nil, &Error{Rule: ErrBlocks, Scope: s, What: "the range is empty, negative or too long"}
	}
	var all []Standing
	err := l.db.View(ctx, func(tx store.Tx) error {
		all = nil
		for _, n := range s.path() {
			plan, _, err := l.planRow(tx, n.key)
			if err != nil {
				return err
			}
			if n.level == Global && plan == nil {
				return &Error{Rule: ErrUnknown, Scope: n.Scope}
			}
			if all, err = appendStandings(tx, all, n, plan, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading what remains: %w", err)
	}
	return all, nil
}

// appendStandings reads the sums of one scope, at the blocks of the range.
func appendStandings(tx store.Tx, all []Standing, n node, plan *Entry, r Range) ([]Standing, error) {
	want := r
	if r == (Range{}) {
		want = Range{0, math.MaxInt64}
	}
	rows, err := tx.Query("SELECT block, entries, sums FROM budget_sums WHERE scope = ? AND block >= ? AND block < ? ORDER BY block", n.key[:], want.From, want.To)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	next := want.From
	fill := func(until int64) { // blocks that nothing was charged to
		for ; r != (Range{}) && next < until; next++ {
			all = append(all, standing(n, next, plan, &total{}, 0))
		}
	}
	first := len(all)
	for rows.Next() {
		var block, entries int64
		var sums []byte
		if err := rows.Scan(&block, &entries, &sums); err != nil {
			return nil, err
		}
		t, err := parseTotal(sums)
		if err != nil {
			return nil, err
		}
		fill(block)
		all = append(all, standing(n, block, plan, &t, entries))
		next = block + 1
	}
	fill(want.To)
	if len(all) == first {
		all = append(all, standing(n, 0, plan, &total{}, 0))
	}
	return all, rows.Err()
}

// Budgets returns what was declared, with the plans of now, in the order of names.
func (l *Ledger) Budgets(ctx context.Context) ([]Budget, error) {
	var all []Budget
	err := l.db.View(ctx, func(tx store.Tx) error {
		all = nil
		rows, err := tx.Query("SELECT plan FROM budget_scopes WHERE level = ? ORDER BY dataset", int64(Global))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var body []byte
			if err := rows.Scan(&body); err != nil {
				return err
			}
			e, err := parseEntry(body)
			if err != nil {
				return err
			}
			if e.Budget != nil {
				all = append(all, *e.Budget)
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("reading budgets: %w", err)
	}
	return all, nil
}

// Scopes returns the standing of every scope of a dataset that was charged or has a quota, at every block, parents before children.
func (l *Ledger) Scopes(ctx context.Context, dataset string) ([]Standing, error) {
	var all []Standing
	err := l.db.View(ctx, func(tx store.Tx) error {
		all = nil
		nodes, plans, err := scopesOf(tx, dataset)
		if err != nil {
			return err
		}
		for i, n := range nodes {
			if all, err = appendStandings(tx, all, n, plans[i], Range{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the scopes of a dataset: %w", err)
	}
	return all, nil
}

func scopesOf(tx store.Tx, dataset string) (nodes []node, plans []*Entry, err error) {
	rows, err := tx.Query(`SELECT domain, workflow, agent, contract, plan FROM budget_scopes WHERE dataset = ?
		ORDER BY domain, contract, workflow, agent`, dataset)
	if err != nil {
		return nil, nil, err
	}
	return scanScopes(rows, dataset)
}

// scanScopes reads rows of scopes and closes them.
func scanScopes(rows *sql.Rows, dataset string) (nodes []node, plans []*Entry, err error) {
	defer rows.Close()
	for rows.Next() {
		s := Scope{Dataset: dataset}
		var domain string
		var body []byte
		if err := rows.Scan(&domain, &s.Workflow, &s.Agent, &s.Contract, &body); err != nil {
			return nil, nil, err
		}
		s.Domain = flow.DomainID(domain)
		var plan *Entry
		if len(body) > 0 {
			if plan, err = parseEntry(body); err != nil {
				return nil, nil, err
			}
		}
		nodes, plans = append(nodes, s.last()), append(plans, plan)
	}
	return nodes, plans, rows.Err()
}

// ScopeQuery chooses scopes of a dataset, in the order of domain, contract, workflow and agent.
type ScopeQuery struct {
	After  Scope // those that come after this one; its dataset is the one that is meant
	Most   int   // how many
	Blocks Range // as for [Ledger.Remaining]
	Level  Level // of this level alone; 0: of all
}

// ScopesAfter returns the standings of the next scopes of a dataset that were charged or have a quota, the dataset itself left out, and
// whether there are more.
func (l *Ledger) ScopesAfter(ctx context.Context, q ScopeQuery) (all []Standing, more bool, err error) {
	err = l.db.View(ctx, func(tx store.Tx) error {
		all, more = nil, false
		a, least, most := q.After, Domain, Contract
		if q.Level != Global {
			least, most = q.Level, q.Level
		}
		rows, err := tx.Query(`SELECT domain, workflow, agent, contract, plan FROM budget_scopes
			WHERE dataset = ? AND level >= ? AND level <= ? AND (domain, contract, workflow, agent) > (?, ?, ?, ?)
			ORDER BY domain, contract, workflow, agent LIMIT ?`,
			a.Dataset, int64(least), int64(most), string(a.Domain), a.Contract, a.Workflow, a.Agent, q.Most+1)
		if err != nil {
			return err
		}
		nodes, plans, err := scanScopes(rows, a.Dataset)
		if err != nil {
			return err
		}
		if more = len(nodes) > q.Most; more {
			nodes = nodes[:q.Most]
		}
		for i, n := range nodes {
			if all, err = appendStandings(tx, all, n, plans[i], q.Blocks); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("reading scopes of a dataset: %w", err)
	}
	return all, more, nil
}

// Query chooses entries. The zero value chooses all.
type Query struct {
	Dataset string
	Writer  int64 // 0: of all writers
	After   int64 // entries of that writer after this number
}

const entriesPage = 500

// Entries returns entries in the order of writers and their numbers. It reads page by page, not one snapshot.
func (l *Ledger) Entries(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		after, until := q.Writer<<writerShift|max(q.After, 0), int64(math.MaxInt64)
		if q.Writer > 0 {
			until = (q.Writer + 1) << writerShift
		}
		for {
			page, err := l.page(ctx, after, until)
			if err != nil {
				yield(Entry{}, fmt.Errorf("reading entries: %w", err))
				return
			}
			for _, e := range page {
				after = e.Writer<<writerShift | e.Seq
				if (q.Dataset == "" || q.Dataset == e.Scope.Dataset) && !yield(*e, nil) {
					return
				}
			}
			if len(page) < entriesPage {
				return
			}
		}
	}
}

func (l *Ledger) page(ctx context.Context, after, until int64) (page []*Entry, err error) {
	err = l.db.View(ctx, func(tx store.Tx) error {
		page = nil
		rows, err := tx.Query("SELECT n, body, hash FROM budget_entries WHERE n > ? AND n < ? ORDER BY n LIMIT ?", after, until, entriesPage)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var n int64
			var body, hash []byte
			if err := rows.Scan(&n, &body, &hash); err != nil {
				return err
			}
			e, err := parseEntry(body)
			if err != nil {
				return err
			}
			if len(hash) == len(e.Hash) {
				e.Hash = [32]byte(hash)
			}
			e.Writer, e.Seq = n>>writerShift, n&(1<<writerShift-1)
			page = append(page, e)
		}
		return rows.Err()
	})
	return page, err
}
