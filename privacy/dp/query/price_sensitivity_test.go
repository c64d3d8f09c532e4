package query_test

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// moved is what one unit does in one group at most: every sum moves by its bound, and so many rows lie in cells, all in one or anywhere.
func moved(r *rand.Rand, p *query.Plan, pr *query.Priced, together bool) (shifts [][]*big.Rat) {
	for i, m := range p.Measures {
		if m.Bins < 0 {
			shifts = append(shifts, []*big.Rat{new(big.Rat).SetInt64(m.Most)})
			continue
		}
		bins := p.Relation.Bins[m.Bins]
		before, after := map[int]int64{}, map[int]int64{}
		for range 50 {
			before[r.IntN(bins.Count)] += r.Int64N(1000)
		}
		for c, n := range before {
			after[c] = n
		}
		cell := r.IntN(bins.Count)
		for range m.Most {
			if !together {
				cell = r.IntN(bins.Count)
			}
			after[cell]++
		}
		x, y := query.NodesOf(pr, i, before), query.NodesOf(pr, i, after)
		var all []*big.Rat
		for j := range x {
			all = append(all, new(big.Rat).SetInt64(y[j]-x[j]))
		}
		shifts = append(shifts, all)
	}
	return shifts
}

// Whatever one unit does within its bounds, the loss by the noise that is drawn is no more than what is charged, and the worst that it can do is just that: of
// Laplace noise Σ|shift|/scale is at most ε, of Gaussian noise Σ shift²/σ² at most μ². It is computed from what the numbers do, not from the formula that
// noise is chosen by.
func TestNoUnitMovesMoreThanIsPaidFor(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	several := everyAggregate(3)
	several.Relation.Rows, several.Measures[4].Most = 7, 7
	for name, p := range map[string]*query.Plan{
		"a count and a sum in two groups": planOf(domain("a", "b", "c"), 2),
		"more groups than there are":      planOf(domain("a"), 9),
		"every aggregate, one level":      everyAggregate(1),
		"every aggregate, four levels":    everyAggregate(4),
		"seven rows in bins":              several,
		"a question in SQL":               compile(t, "SELECT ward, count(*), avg(age), stddev(cost), median(age), histogram(age, 5) FROM stays GROUP BY ward"),
	} {
		groups := int64(1)
		if len(p.Keys) > 0 {
			groups = min(p.Relation.Groups, int64(len(p.Keys[0].Values)))
		}
		for _, kind := range []string{query.LaplaceNoise, query.GaussianNoise} {
			pr := priced(t, p, query.Terms{Epsilon: eps, Delta: 1e9, Noise: kind})
			for _, together := range []bool{true, false} {
				loss := new(big.Rat)
				for i, all := range moved(r, p, pr, together) {
					for _, x := range all {
						x.Abs(x).Quo(x, query.ScaleOf(pr, i))
						if kind == query.GaussianNoise {
							x.Mul(x, x)
						}
						loss.Add(loss, x.Mul(x, new(big.Rat).SetInt64(groups)))
					}
				}
				paid := new(big.Rat).SetFrac64(pr.Cost().Epsilon, 1e9)
				if kind == query.GaussianNoise {
					paid.SetFrac64(pr.Cost().Mu2, 1e9)
					if most, _ := account.Mu2Cap(eps, 1e9); pr.Cost().Mu2 > most+int64(len(p.Measures))+1 {
						t.Errorf("%s: μ² of %d is charged, and (ε, δ) admits %d", name, pr.Cost().Mu2, most)
					}
				}
				if loss.Cmp(paid) > 0 {
					t.Errorf("%s, %s noise: one unit loses %s, and %s is charged", name, kind, loss.FloatString(9), paid.FloatString(9))
				}
				// All rows in one cell are the worst case in L2; in L1 it does not matter where they are.
				if worst := new(big.Rat).Quo(loss, paid); (together || kind == query.LaplaceNoise) && worst.Cmp(big.NewRat(999_999, 1_000_000)) < 0 {
					t.Errorf("%s, %s noise: the worst that one unit does is %s of what is charged", name, kind, worst.FloatString(6))
				}
			}
		}
	}
}
