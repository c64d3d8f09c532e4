package budget_test

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
)

// randomCost is one of so many kinds of cost.
func randomCost(r *rand.Rand, kinds int) account.Vector {
	switch r.IntN(kinds) {
	case 0:
		return pure(1 + r.Int64N(40_000_000))
	case 1:
		return gaussian(1 + r.Int64N(2_000_000))
	case 2: // an approximate mechanism
		v := pure(1 + r.Int64N(5_000_000))
		v.Delta, v.Slack = 1+r.Int64N(30_000), 1+r.Int64N(30_000)
		return v
	case 3: // only a bound on ρ
		v := account.Vector{Epsilon: account.Infinite, Rho: 1 + r.Int64N(1_000_000), Mu2: account.Infinite}
		for i := range v.RDP {
			v.RDP[i] = account.Infinite
		}
		return v
	default: // absurd, near where int64 ends
		v := pure(1 + r.Int64N(1_000_000))
		v.RDP[r.IntN(6)] = account.Infinite - 1 - r.Int64N(3)
		return v
	}
}

// model is the rule of docs/spec/budget-admission.md, slowly: numbers without end, and Infinite counted apart.
type model struct {
	sum      [11]*big.Int
	infinite [11]int
	plan     budget.Plan
	caps     budget.Caps
}

func newModel(p budget.Plan, c budget.Caps) *model {
	m := &model{plan: p, caps: c}
	for i := range m.sum {
		m.sum[i] = new(big.Int)
	}
	return m
}

func parts(v account.Vector) [11]int64 {
	return [11]int64{v.Epsilon, v.Delta, v.Rho, v.RDP[0], v.RDP[1], v.RDP[2], v.RDP[3], v.RDP[4], v.RDP[5], v.Mu2, v.Slack}
}

func (m *model) change(v account.Vector, sign int64) {
	for i, x := range parts(v) {
		if x == account.Infinite {
			m.infinite[i] += int(sign)
		} else {
			m.sum[i].Add(m.sum[i], new(big.Int).Mul(big.NewInt(x), big.NewInt(sign)))
		}
	}
}

// fits reports whether some filter of the menu holds.
func (m *model) fits() bool {
	below := func(i int, most int64) bool { return m.infinite[i] == 0 && m.sum[i].Cmp(big.NewInt(most)) <= 0 }
	slack := below(10, m.caps.Slack)
	ok := map[budget.Filter]bool{
		budget.Basic: below(0, m.caps.Epsilon) && below(1, m.caps.Delta),
		budget.ZCDP:  slack && below(2, m.caps.Rho),
		budget.GDP:   slack && below(9, m.caps.Mu2),
	}
	for i, most := range m.caps.RDP {
		ok[budget.RDP2+budget.Filter(i)] = slack && below(3+i, most)
	}
	for _, f := range m.plan.Menu.Filters() {
		if ok[f] {
			return true
		}
	}
	return false
}

// overflows reports whether a sum is more than the ledger counts; it refuses those.
func (m *model) overflows() bool {
	for _, s := range m.sum {
		if s.Cmp(big.NewInt(account.Infinite-1)) > 0 {
			return true
		}
	}
	return false
}

// The ledger decides as the model does, over random costs, quotas and releases.
func TestAdmissionAgreesWithTheModel(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	admitted, refused := 0, 0
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 5))
		h := open(t)
		var models []*model
		scopes := []budget.Scope{claims, insurer, review, agent1}
		for i, s := range scopes {
			p := budget.Plan{Epsilon: nano/10 + r.Int64N(2*nano), Delta: r.Int64N(10_000_000)}
			if r.IntN(2) == 0 {
				p.Menu = budget.Menu(1+r.IntN(511)) | budget.MenuOf(budget.Basic)
			}
			filled, caps, err := p.Fill()
			must(t, err)
			if i == 0 {
				h.declare(t, budget.Budget{Dataset: "claims", Unit: budget.Unit{Name: "p"}, Plan: p})
			} else {
				must(t, h.SetQuota(t.Context(), s, &p))
			}
			models = append(models, newModel(filled, caps))
		}
		for range 150 {
			depth := 1 + r.IntN(4)
			v := randomCost(r, 5)
			fits := true
			for _, m := range models[:depth] {
				m.change(v, 1)
				fits = fits && m.fits() && !m.overflows()
			}
			res, err := h.reserve(budget.Charge{Scope: scopes[depth-1], Cost: v})
			if fits != (err == nil) {
				t.Fatalf("seed %d: the model says %t and the ledger %v, for %+v", seed, fits, err, v)
			}
			if err == nil {
				admitted++
			} else {
				refused++
			}
			back := err != nil
			if err == nil && r.IntN(3) == 0 {
				must(t, res.Release(t.Context()))
				back = true
			}
			if back {
				for _, m := range models[:depth] {
					m.change(v, -1)
				}
			}
		}
		h.sound(t)
	}
	if admitted < 20*rounds || refused < 20*rounds {
		t.Errorf("%d charges were admitted and %d refused, want many of both", admitted, refused)
	}
}
