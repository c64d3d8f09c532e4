package budget_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
)

func TestPlansThatAreNone(t *testing.T) {
	for name, p := range map[string]budget.Plan{
		"no epsilon":             {Delta: 1e9},
		"negative epsilon":       {Epsilon: -1},
		"an absurd epsilon":      {Epsilon: 1001 * nano},
		"a delta of 1":           {Epsilon: nano, Delta: femto},
		"a negative delta":       {Epsilon: nano, Delta: -1},
		"an unknown filter":      {Epsilon: nano, Delta: 1e9, Menu: 1 << 9},
		"a negative share":       {Epsilon: nano, Delta: 1e9, Split: budget.Split{Share: [9]int64{-1, 5}}},
		"shares beyond delta":    {Epsilon: nano, Delta: 9, Split: budget.Split{Share: [9]int64{5, 5}}},
		"shares that wrap":       {Epsilon: nano, Delta: 9, Split: budget.Split{Share: [9]int64{1 << 62, 1 << 62, 1 << 62, 1 << 62}}},
		"a menu without delta":   {Epsilon: nano, Menu: budget.MenuOf(budget.GDP)},
		"slack that is negative": {Epsilon: nano, Delta: 9, Split: budget.Split{Slack: -1}},
	} {
		_, _, err := p.Fill()
		want(t, name, err, budget.ErrPlan)
	}
	p, c, err := budget.Plan{Epsilon: nano}.Fill()
	must(t, err)
	if p.Menu != budget.MenuOf(budget.Basic) || c != (budget.Caps{Epsilon: nano}) {
		t.Errorf("pure ε: menu %v, caps %+v, want the basic filter alone", p.Menu.Filters(), c)
	}
}

func TestDeclarations(t *testing.T) {
	day := 24 * time.Hour
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	plan := budget.Plan{Epsilon: nano, Delta: 1e9}
	days := budget.Unit{Name: "patient-day", Window: day}
	weeks := budget.Blocks{Kind: budget.BlocksTime, Width: 7 * day, From: from}
	for name, c := range map[string]struct {
		b    budget.Budget
		rule error
	}{
		"refresh of a unit for ever":        {budget.Budget{Unit: budget.Unit{Name: "patient"}, Refresh: true}, budget.ErrRefresh},
		"refresh of data that is not cut":   {budget.Budget{Unit: days, Refresh: true}, budget.ErrRefresh},
		"refresh of blocks by hash":         {budget.Budget{Unit: days, Blocks: budget.Blocks{Kind: budget.BlocksHash, Count: 4}, Refresh: true}, budget.ErrRefresh},
		"time blocks of a unit for ever":    {budget.Budget{Unit: budget.Unit{Name: "patient"}, Blocks: weeks, Refresh: true}, budget.ErrUnit},
		"a window across two blocks":        {budget.Budget{Unit: budget.Unit{Name: "w", Window: 2 * day}, Blocks: weeks, Refresh: true}, budget.ErrBlocks},
		"time blocks without an end":        {budget.Budget{Unit: days, Blocks: weeks}, budget.ErrBlocks},
		"time blocks without a beginning":   {budget.Budget{Unit: days, Blocks: budget.Blocks{Kind: budget.BlocksTime, Width: day}, Refresh: true}, budget.ErrBlocks},
		"no unit":                           {budget.Budget{}, budget.ErrUnit},
		"a negative window":                 {budget.Budget{Unit: budget.Unit{Name: "p", Window: -day}}, budget.ErrUnit},
		"one block by hash":                 {budget.Budget{Unit: budget.Unit{Name: "p"}, Blocks: budget.Blocks{Kind: budget.BlocksHash, Count: 1}}, budget.ErrBlocks},
		"an unknown kind":                   {budget.Budget{Unit: budget.Unit{Name: "p"}, Blocks: budget.Blocks{Kind: 9}}, budget.ErrBlocks},
		"counted blocks where there are no": {budget.Budget{Unit: budget.Unit{Name: "p"}, Blocks: budget.Blocks{Count: 3}}, budget.ErrBlocks},
	} {
		h := open(t)
		c.b.Dataset, c.b.Plan = "claims", plan
		err := h.Declare(t.Context(), c.b)
		want(t, name, err, c.rule)
		if e, ok := errors.AsType[*budget.Error](err); !ok || e.What == "" || e.Scope != claims {
			t.Errorf("%s: error = %v, want one that says where and why", name, err)
		}
	}
	h := open(t)
	b := budget.Budget{Dataset: "claims", Unit: days, Blocks: weeks, Plan: plan, Refresh: true}
	h.declare(t, b)
	h.declare(t, b)
	if n := h.sound(t).Entries; n != 1 {
		t.Errorf("%d entries, want the second declaration to change nothing", n)
	}
	other := b
	other.Unit = budget.Unit{Name: "visit", Window: day}
	want(t, "another unit", h.Declare(t.Context(), other), budget.ErrDeclared)
	other = b
	other.Blocks.From = from.Add(day)
	want(t, "other blocks", h.Declare(t.Context(), other), budget.ErrDeclared)
	all, err := h.Budgets(t.Context())
	must(t, err)
	if len(all) != 1 || all[0].Unit != b.Unit || all[0].Claim != (budget.Claim{Epsilon: nano, Delta: 1e9}) || !all[0].Blocks.From.Equal(from) {
		t.Errorf("Budgets() = %+v, want what was declared", all)
	}
}

// New windows are the caps of new blocks, which begin in their time; a clock that goes back is refused.
func TestBlocksBeginInTheirTime(t *testing.T) {
	day := 24 * time.Hour
	h := open(t) // it is the 27th, 9:00
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	blocks := budget.Blocks{Kind: budget.BlocksTime, Width: 7 * day, From: from}
	h.declare(t, budget.Budget{Dataset: "claims", Unit: budget.Unit{Name: "patient-day", Window: day}, Blocks: blocks, Plan: budget.Plan{Epsilon: nano}, Refresh: true})
	on := func(first, last int64) error {
		return h.spend(budget.Charge{Scope: agent1, Cost: pure(nano / 2), Blocks: budget.Range{From: first, To: last + 1}}, "")
	}
	want(t, "all of time", h.spend(budget.Charge{Scope: agent1, Cost: pure(nano / 2)}, ""), budget.ErrBlocks)
	must(t, on(0, 3))
	must(t, on(2, 3))
	err := on(3, 3)
	if e, ok := errors.AsType[*budget.Error](err); !ok || !errors.Is(err, budget.ErrExhausted) || e.Block != 3 {
		t.Errorf("error = %v, want ErrExhausted at block 3", err)
	}
	must(t, on(0, 1))
	want(t, "a block that has not begun", on(4, 4), budget.ErrBlocks)
	h.clock.move(2 * day) // the 29th
	must(t, on(4, 4))
	want(t, "an old block is not refreshed", on(3, 4), budget.ErrExhausted)
	h.clock.move(-time.Second)
	must(t, on(4, 4))
	h.clock.move(-time.Hour)
	want(t, "the clock is an hour back", on(1, 1), budget.ErrClock)
	h = h.again(t)
	want(t, "and after a restart", on(1, 1), budget.ErrClock)
	r, err := blocks.Range(from, from.Add(7*day))
	if must(t, err); r != (budget.Range{From: 0, To: 1}) {
		t.Errorf("a whole week is %+v, want block 0", r)
	}
	if r, err = blocks.Range(from.Add(7*day-1), from.Add(7*day+1)); err != nil || r != (budget.Range{From: 0, To: 2}) {
		t.Errorf("two nanoseconds round midnight are %+v, %v, want blocks 0 and 1", r, err)
	}
	_, err = blocks.Range(from.Add(-1), from.Add(1))
	want(t, "before the first block", err, budget.ErrBlocks)
	h.sound(t)
}

func TestBlocksByHashAreChargedTogetherOrAlone(t *testing.T) {
	h := open(t, func(o *budget.Options) { o.MaxBlocks = 4 })
	b := patients(nano, 0)
	b.Blocks = budget.Blocks{Kind: budget.BlocksHash, Count: 4}
	h.declare(t, b)
	must(t, h.spend(budget.Charge{Scope: agent1, Cost: pure(nano / 2)}, "")) // all
	must(t, h.spend(budget.Charge{Scope: agent1, Cost: pure(nano / 2), Blocks: budget.Range{From: 1, To: 2}}, ""))
	want(t, "all, one of which is spent", h.spend(budget.Charge{Scope: agent1, Cost: pure(nano / 2)}, ""), budget.ErrExhausted)
	for at, e := range []int64{nano / 2, nano, nano / 2, nano / 2} {
		if got := h.spent(t, claims, int64(at)).Epsilon; got != e {
			t.Errorf("block %d spent %d nano-ε, want %d", at, got, e)
		}
	}
	wide := patients(nano, 0)
	wide.Dataset, wide.Blocks = "wide", budget.Blocks{Kind: budget.BlocksHash, Count: 5}
	h.declare(t, wide)
	want(t, "more blocks than one charge may have", h.spend(budget.Charge{Scope: budget.Scope{Dataset: "wide"}, Cost: pure(1)}, ""), budget.ErrBlocks)
	h.sound(t)
}

func TestPlansNeverRefill(t *testing.T) {
	h := open(t)
	split := budget.Split{Share: [9]int64{budget.Basic: 1e8, budget.ZCDP: 4e8}, Slack: 1e8} // 4e8 in reserve
	first := budget.Plan{Epsilon: 2 * nano, Delta: 1e9, Split: split}
	h.declare(t, budget.Budget{Dataset: "claims", Unit: budget.Unit{Name: "patient"}, Plan: first})
	change := func(f func(*budget.Plan)) error {
		p := first
		f(&p)
		return h.Replan(t.Context(), "claims", p)
	}
	want(t, "more epsilon", change(func(p *budget.Plan) { p.Epsilon++ }), budget.ErrRefill)
	want(t, "more delta", change(func(p *budget.Plan) { p.Delta++ }), budget.ErrRefill)
	want(t, "more than the reserve", change(func(p *budget.Plan) { p.Split.Share[budget.GDP] = 4e8 + 1; p.Split.Slack-- }), budget.ErrRefill)
	must(t, change(func(p *budget.Plan) { p.Menu = budget.MenuOf(budget.Basic) })) // zCDP is dropped
	want(t, "what a filter had before, for another", change(func(p *budget.Plan) { p.Split.Share[budget.ZCDP], p.Split.Share[budget.GDP] = 0, 5e8 }), budget.ErrRefill)
	must(t, change(func(p *budget.Plan) { p.Split.Share[budget.ZCDP], p.Split.Share[budget.GDP] = 0, 4e8 })) // the reserve
	want(t, "the reserve again", change(func(p *budget.Plan) { p.Split.Share[budget.RDP32], p.Split.Share[budget.ZCDP] = 1, 0 }), budget.ErrRefill)
	must(t, change(func(p *budget.Plan) { p.Epsilon = nano; p.Split.Share[budget.ZCDP], p.Split.Share[budget.GDP] = 0, 4e8 }))
	want(t, "epsilon up again", change(func(p *budget.Plan) {}), budget.ErrRefill)
	want(t, "a plan for what was never declared", h.Replan(t.Context(), "other", first), budget.ErrUnknown)
	h.sound(t)
	h.again(t)
}

// Each member of the menu holds to both of its bounds, and no charge is admitted by a filter whose slack is used up.
func TestEachFilterHoldsToBothOfItsBounds(t *testing.T) {
	approximate := func(epsilon, delta int64) account.Vector {
		v := pure(epsilon)
		v.Delta, v.Slack = delta, delta
		return v
	}
	for name, c := range map[string]struct {
		menu budget.Menu
		cost account.Vector
		fit  int
	}{
		"δ₀ of the basic filter": {budget.MenuOf(budget.Basic), approximate(1, 1e8), 3},
		"ε of the basic filter":  {budget.MenuOf(budget.Basic), approximate(nano/7, 1), 7},
		"slack of zCDP":          {budget.MenuOf(budget.ZCDP), approximate(1, 1e8), 2},
		"slack of RDP":           {budget.MenuOf(budget.RDP32), approximate(1, 1e8), 2},
		"slack of all":           {0, approximate(1, 1e8), 3},
	} {
		h := open(t)
		split := budget.Split{Share: [9]int64{budget.Basic: 3e8, budget.ZCDP: 2e8, budget.RDP32: 2e8}, Slack: 2e8}
		h.declare(t, budget.Budget{Dataset: "claims", Unit: budget.Unit{Name: "p"}, Plan: budget.Plan{Epsilon: nano, Delta: 1e9, Menu: c.menu, Split: split}})
		n := 0
		for h.spend(budget.Charge{Scope: claims, Cost: c.cost}, "") == nil {
			n++
		}
		if n != c.fit {
			t.Errorf("%s: %d charges were admitted, want %d", name, n, c.fit)
		}
	}
}

// Over random sequences of plans and charges, what was admitted never passes what the first plan's ε and the greatest shares
// allow, and lowering a plan never lets through what the one before refused.
func TestReplanningNeverRefills(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		h := open(t)
		declared := budget.Plan{Epsilon: nano, Delta: 1_000_000}
		h.declare(t, budget.Budget{Dataset: "claims", Unit: budget.Unit{Name: "p"}, Plan: declared})
		filled, _, err := declared.Fill()
		must(t, err)
		most := filled.Split
		epsilon := declared.Epsilon
		plan := filled
		for range 60 {
			if r.IntN(3) == 0 {
				p := randomPlan(r, epsilon)
				err := h.Replan(t.Context(), "claims", p)
				if err != nil {
					if !errors.Is(err, budget.ErrRefill) && !errors.Is(err, budget.ErrPlan) {
						t.Fatal(err)
					}
					continue
				}
				plan, _, err = p.Fill()
				must(t, err)
				epsilon = p.Epsilon
				for f, x := range plan.Split.Share {
					most.Share[f] = max(most.Share[f], x)
				}
				most.Slack = max(most.Slack, plan.Split.Slack)
			}
			before := h.spent(t, claims, 0)
			cost := randomCost(r, 4) // none that is absurd
			_, caps, err := plan.Fill()
			must(t, err)
			fits := plan.Fits(caps, before.Add(cost)) != 0
			err = h.spend(budget.Charge{Scope: claims, Cost: cost}, "")
			if fits != (err == nil) {
				t.Fatalf("seed %d: the plan fits: %t, and the charge: %v", seed, fits, err)
			}
		}
		total := most.Slack
		for _, x := range most.Share {
			total += x
		}
		if total > declared.Delta {
			t.Fatalf("seed %d: plans gave away δ = %d femto, declared were %d", seed, total, declared.Delta)
		}
		_, caps, err := budget.Plan{Epsilon: declared.Epsilon, Delta: declared.Delta, Split: most}.Fill()
		must(t, err)
		sums := h.spent(t, claims, 0)
		if (budget.Plan{Menu: budget.MenuOf(0, 1, 2, 3, 4, 5, 6, 7, 8)}).Fits(caps, sums) == 0 {
			t.Fatalf("seed %d: sums %+v fit none of the greatest caps %+v", seed, sums, caps)
		}
		h.sound(t)
	}
}

func randomPlan(r *rand.Rand, epsilon int64) budget.Plan {
	p := budget.Plan{Epsilon: epsilon - r.Int64N(3)*r.Int64N(epsilon/20+1) + r.Int64N(2)*r.Int64N(100), Delta: 1_000_000 - r.Int64N(2)*r.Int64N(200_000)}
	if r.IntN(2) == 0 {
		p.Split = budget.DefaultSplit(p.Delta)
		p.Split.Share[r.IntN(9)] += r.Int64N(200_000)
	}
	if r.IntN(3) == 0 {
		p.Menu = budget.Menu(1 + r.IntN(511))
	}
	return p
}
