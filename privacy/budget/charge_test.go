package budget_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
)

// Exactly what fits is charged, by however many at once, and a restart does not change it.
func TestThirtyTwoSpendersSpendExactlyWhatThereIs(t *testing.T) {
	h := open(t)
	h.declare(t, patients(1*nano, 0))
	const each = 7_000_000 // 142 of them fit
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for {
				err := h.spend(budget.Charge{Scope: agent1, Cost: pure(each)}, "")
				if errors.Is(err, budget.ErrExhausted) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 142 {
		t.Errorf("%d charges passed, want 142", passed.Load())
	}
	h.sound(t)
	h = h.again(t)
	if got := h.spent(t, claims, 0).Epsilon; got != 142*each {
		t.Errorf("spent %d nano-ε, want %d", got, 142*each)
	}
	want(t, "one more after a restart", h.spend(budget.Charge{Scope: agent1, Cost: pure(each)}, ""), budget.ErrExhausted)
	must(t, h.spend(budget.Charge{Scope: agent1, Cost: pure(6_000_000)}, ""))
	want(t, "one nano more than there is", h.spend(budget.Charge{Scope: agent1, Cost: pure(1)}, ""), budget.ErrExhausted)
}

func TestTheSameKeyGivesTheSameAnswer(t *testing.T) {
	h := open(t)
	h.declare(t, patients(1*nano, 0))
	c := budget.Charge{Scope: agent1, Cost: pure(nano / 10), Key: "k1", Request: digest("how many"), Label: "count"}
	r, err := h.reserve(c)
	must(t, err)
	if _, ok := r.Answer(); ok {
		t.Error("there is an answer before there was a question")
	}
	_, err = h.reserve(c)
	want(t, "the same key while the first is under way", err, budget.ErrPending)
	must(t, r.Begin())
	must(t, r.Commit(t.Context(), []byte("42")))
	must(t, r.Commit(t.Context(), []byte("42")))
	want(t, "another answer", r.Commit(t.Context(), []byte("43")), budget.ErrState)
	want(t, "release of what is committed", r.Release(t.Context()), budget.ErrState)
	for range 2 {
		again, err := h.reserve(c)
		must(t, err)
		if a, ok := again.Answer(); !ok || string(a) != "42" {
			t.Errorf("answer = %q, %t, want the stored one", a, ok)
		}
		want(t, "committing a stored answer", again.Commit(t.Context(), []byte("41")), budget.ErrState)
		h = h.again(t)
	}
	if got := h.spent(t, claims, 0).Epsilon; got != nano/10 {
		t.Errorf("spent %d nano-ε, want it charged once", got)
	}
	other := c
	other.Request = digest("how many more")
	_, err = h.reserve(other)
	want(t, "the key with another request", err, budget.ErrConflict)
	other = c
	other.Scope = agent2
	r, err = h.reserve(other)
	must(t, err)
	if _, ok := r.Answer(); ok {
		t.Error("an agent was given what another one asked by the same key")
	}
	h.sound(t)
}

// A charge that never ended stays charged, and its key is lost: another draw could be compared with the first.
func TestWhatNeverEndedStaysCharged(t *testing.T) {
	h := open(t)
	h.declare(t, patients(1*nano, 0))
	c := budget.Charge{Scope: agent1, Cost: pure(nano / 2), Key: "k1", Request: digest("q")}
	r, err := h.reserve(c)
	must(t, err)
	must(t, r.Begin())
	want(t, "release after Begin", r.Release(t.Context()), budget.ErrBegun)
	h = h.again(t)
	_, err = h.reserve(c)
	want(t, "the same key after a restart", err, budget.ErrLost)
	want(t, "commit through a ledger that is closed", r.Commit(t.Context(), []byte("late")), budget.ErrClosed)
	if got := h.spent(t, claims, 0).Epsilon; got != nano/2 {
		t.Errorf("spent %d nano-ε, want what was reserved", got)
	}
	if rep := h.sound(t); rep.Open != 1 {
		t.Errorf("%d charges are open, want 1", rep.Open)
	}
}

func TestReleaseGivesBackWhatNeverBegan(t *testing.T) {
	h := open(t)
	h.declare(t, patients(1*nano, 1e9))
	before := h.spent(t, agent1, 0)
	c := budget.Charge{Scope: agent1, Cost: pure(nano / 2), Key: "k1", Request: digest("q")}
	must(t, h.spend(budget.Charge{Scope: agent1, Cost: gaussian(1000)}, ""))
	g := h.spent(t, agent1, 0)
	r, err := h.reserve(c)
	must(t, err)
	if got := h.spent(t, agent1, 0); got.Mu2 != account.Infinite {
		t.Errorf("μ² = %d, want Infinite", got.Mu2)
	}
	must(t, r.Release(t.Context()))
	want(t, "a second release", r.Release(t.Context()), budget.ErrState)
	want(t, "begin after release", r.Begin(), budget.ErrState)
	want(t, "commit after release", r.Commit(t.Context(), nil), budget.ErrState)
	if got := h.spent(t, agent1, 0); got != g || got == before {
		t.Errorf("sums = %+v, want those from before: %+v", got, g)
	}
	must(t, h.spend(c, "x")) // the key may be used again
	h.sound(t)
}

// Every ancestor is charged or none, and the refusal names the one that is in the way.
func TestAllAncestorsAreChargedOrNone(t *testing.T) {
	h := open(t)
	h.declare(t, patients(1*nano, 0))
	must(t, h.SetQuota(t.Context(), insurer, &budget.Plan{Epsilon: nano / 2}))
	must(t, h.SetQuota(t.Context(), agent1, &budget.Plan{Epsilon: nano / 10}))
	contract := insurer
	contract.Contract = "c1"
	must(t, h.SetQuota(t.Context(), contract, &budget.Plan{Epsilon: nano / 5}))
	under := agent2
	under.Contract = "c1"
	spend := func(s budget.Scope, e int64) error { return h.spend(budget.Charge{Scope: s, Cost: pure(e)}, "") }
	refused := func(what string, err error, s budget.Scope) {
		t.Helper()
		e, ok := errors.AsType[*budget.Error](err)
		if !ok || !errors.Is(err, budget.ErrExhausted) || e.Scope != s {
			t.Errorf("%s: error = %v, want ErrExhausted of %s", what, err, s)
		}
	}
	must(t, spend(agent1, nano/10))
	refused("an agent beyond its quota", spend(agent1, 1), agent1)
	must(t, spend(under, nano/5))
	refused("a contract beyond its quota", spend(under, 1), contract)
	must(t, spend(agent2, nano/5))
	refused("a domain beyond its quota", spend(agent2, 1), insurer)
	other := budget.Scope{Dataset: "claims", Domain: "lab.example"}
	must(t, spend(other, nano/2))
	refused("beyond the budget", spend(other, 1), claims)
	for s, e := range map[budget.Scope]int64{claims: nano, insurer: nano / 2, agent1: nano / 10, agent2: nano / 5 * 2, contract: nano / 5} {
		if got := h.spent(t, s, 0).Epsilon; got != e {
			t.Errorf("%s spent %d nano-ε, want %d", s, got, e)
		}
	}
	must(t, h.SetQuota(t.Context(), agent1, &budget.Plan{Epsilon: nano}))
	refused("a quota that was raised opens no budget", spend(agent1, 1), claims)
	must(t, h.SetQuota(t.Context(), agent1, nil))
	h.sound(t)
}

func TestChargesThatAreNone(t *testing.T) {
	h := open(t)
	h.declare(t, patients(1*nano, 1e9))
	good := budget.Charge{Scope: agent1, Cost: pure(1000)}
	for name, c := range map[string]struct {
		change func(*budget.Charge)
		rule   error
	}{
		"a cost of nothing":          {func(c *budget.Charge) { c.Cost = account.Vector{} }, budget.ErrAmount},
		"free with a cost":           {func(c *budget.Charge) { c.Free = true }, budget.ErrAmount},
		"negative epsilon":           {func(c *budget.Charge) { c.Cost.Epsilon = -1 }, budget.ErrAmount},
		"negative slack":             {func(c *budget.Charge) { c.Cost.Slack = math.MinInt64 }, budget.ErrAmount},
		"rho forgotten":              {func(c *budget.Charge) { c.Cost.Rho = 0 }, budget.ErrAmount},
		"one order forgotten":        {func(c *budget.Charge) { c.Cost.RDP[3] = 0 }, budget.ErrAmount},
		"mu forgotten":               {func(c *budget.Charge) { c.Cost.Mu2 = 0 }, budget.ErrAmount},
		"epsilon forgotten":          {func(c *budget.Charge) { c.Cost = gaussian(100); c.Cost.Epsilon, c.Cost.Delta = 0, 0 }, budget.ErrAmount},
		"delta alone, without slack": {func(c *budget.Charge) { c.Cost = account.Vector{Delta: 5} }, budget.ErrAmount},
		"slack without delta":        {func(c *budget.Charge) { c.Cost.Slack = 5 }, budget.ErrAmount},
		"more than everything": {func(c *budget.Charge) {
			c.Cost = gaussian(100).Scale(math.MaxInt64 / 100000)
			c.Cost.Epsilon = math.MaxInt64 - 1
		}, budget.ErrExhausted},
		"no bound in anything":        {func(c *budget.Charge) { c.Cost = pure(1).Scale(-1) }, budget.ErrExhausted},
		"no dataset":                  {func(c *budget.Charge) { c.Scope = budget.Scope{} }, budget.ErrScope},
		"an agent without a workflow": {func(c *budget.Charge) { c.Scope.Workflow = "" }, budget.ErrScope},
		"a workflow without a domain": {func(c *budget.Charge) { c.Scope.Domain = "" }, budget.ErrScope},
		"a contract without a domain": {func(c *budget.Charge) { c.Scope = budget.Scope{Dataset: "claims", Contract: "c"} }, budget.ErrScope},
		"a name that is no text":      {func(c *budget.Charge) { c.Scope.Agent = "a\xff" }, budget.ErrScope},
		"a line end in a name":        {func(c *budget.Charge) { c.Scope.Agent = "a\nb" }, budget.ErrScope},
		"a dataset without a budget":  {func(c *budget.Charge) { c.Scope.Dataset = "other" }, budget.ErrUnknown},
		"a block that is not there":   {func(c *budget.Charge) { c.Blocks = budget.Range{From: 0, To: 2} }, budget.ErrBlocks},
		"a range turned round":        {func(c *budget.Charge) { c.Blocks = budget.Range{From: 1, To: 0} }, budget.ErrBlocks},
		"a lease for ever":            {func(c *budget.Charge) { c.Lease = math.MaxInt64 }, budget.ErrAmount},
		"a negative lease":            {func(c *budget.Charge) { c.Lease = -1 }, budget.ErrAmount},
	} {
		bad := good
		c.change(&bad)
		_, err := h.reserve(bad)
		want(t, name, err, c.rule)
	}
	if got := h.spent(t, claims, 0); got != (account.Vector{}) {
		t.Errorf("refused charges left %+v", got)
	}
	must(t, h.spend(budget.Charge{Scope: agent1, Free: true}, ""))
	must(t, h.spend(budget.Charge{Scope: agent1, Cost: account.Vector{Delta: 5, Slack: 5}}, "")) // fails with probability 5e-15, else tells nothing
	h.sound(t)
}

// Two ledgers with the same declared costs refuse alike, whatever the answers were.
func TestRefusalsTellNothingOfAnswers(t *testing.T) {
	texts := func(answer string) (all []string) {
		h := open(t)
		h.declare(t, patients(nano/2, 1e9))
		must(t, h.SetQuota(t.Context(), agent2, &budget.Plan{Epsilon: nano / 10}))
		for i := range 40 {
			s := agent1
			if i%3 == 0 {
				s = agent2
			}
			err := h.spend(budget.Charge{Scope: s, Cost: pure(int64(20_000_000 + i*1_000_000)), Key: string(rune('a' + i%30)), Request: digest("q")}, answer)
			text := ""
			if err != nil {
				text = err.Error()
			}
			all = append(all, text)
		}
		return all
	}
	a, b := texts("0"), texts("a much longer answer that says 1,000,000")
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("charge %d: %q for one dataset and %q for the other", i, a[i], b[i])
		}
	}
}

// A context that ends before the charge was made leaves none, and after it the truth is told.
func TestACallerWhoGivesUp(t *testing.T) {
	h := open(t)
	h.declare(t, patients(1*nano, 0))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := h.Reserve(ctx, budget.Charge{Scope: agent1, Cost: pure(1000)})
	want(t, "a context that is over", err, context.Canceled)
	if got := h.spent(t, claims, 0).Epsilon; got != 0 {
		t.Errorf("spent %d nano-ε, want none", got)
	}
}
