package query

import (
	"math/big"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// made is an aggregate that was computed.
type made struct {
	done  bool
	value datum
}

// Bar is one bar of a histogram.
type Bar struct {
	From  string `json:"from"` // closed
	To    string `json:"to"`   // open, but for the last bar
	Value string `json:"value"`
	Low   string `json:"low"`
	High  string `json:"high"`
}

// aggregate computes an aggregate of the group from its noisy numbers, once.
func (g *releasedGroup) aggregate(i int) made {
	if !g.made[i].done {
		g.made[i] = made{true, g.compute(&g.of.plan.Aggregates[i])}
	}
	return g.made[i]
}

func (g *releasedGroup) compute(a *Aggregate) datum {
	switch a.Kind {
	case CountAggregate, SumAggregate:
		return number(g.sum(a.Measures[0]))
	case AvgAggregate:
		n := g.sum(a.Measures[1])
		if n.Sign() <= 0 {
			return nothing
		}
		x := new(big.Rat).Quo(g.sum(a.Measures[0]), n)
		return number(clampRat(x.Add(x, a.centre()), a.low(), a.high()))
	case VarianceAggregate, StdDevAggregate:
		return g.variance(a)
	case QuantileAggregate:
		return g.quantile(a)
	case HistogramAggregate:
		return datum{bars: g.histogram(a)}
	}
	return nothing
}

// sum is a noisy number of the group, in whole units of its column.
func (g *releasedGroup) sum(measure int) *big.Rat {
	return decimal(g.sums[measure], g.of.plan.Measures[measure].Places)
}

// width is the half-width of its noise, likewise.
func (g *releasedGroup) width(measure int, a alpha) *big.Rat {
	return decimal(g.of.laws[measure].halfWidth(a), g.of.plan.Measures[measure].Places)
}

func (g *releasedGroup) sumSpan(measure int, a alpha) span {
	return around(g.sum(measure), g.width(measure, a))
}

func (a *Aggregate) centre() *big.Rat { return decimal(a.Centre, a.Type.Places) }
func (a *Aggregate) low() *big.Rat    { return decimal(a.Type.Min, a.Type.Places) }
func (a *Aggregate) high() *big.Rat   { return decimal(a.Type.Max, a.Type.Places) }

// mostPopulation is the variance of numbers half of which are at either bound: (max − min)²/4.
func (a *Aggregate) mostPopulation() *big.Rat {
	d := new(big.Rat).Sub(a.high(), a.low())
	return d.Mul(d, d).Mul(d, big.NewRat(1, 4))
}

// mostVariance is that, and of a sample twice that, since n/(n−1) ≤ 2.
func (a *Aggregate) mostVariance() *big.Rat {
	if a.Sample {
		return new(big.Rat).Mul(a.mostPopulation(), big.NewRat(2, 1))
	}
	return a.mostPopulation()
}

func clampRat(x, lo, hi *big.Rat) *big.Rat { return greatest(lo, least(x, hi)) }

// variance is Σ(x−c)²/n − (Σ(x−c)/n)².
func (g *releasedGroup) variance(a *Aggregate) datum {
	n := g.sum(a.Measures[2])
	one := big.NewRat(1, 1)
	if n.Sign() <= 0 || a.Sample && n.Cmp(one) <= 0 {
		return nothing
	}
	v := new(big.Rat).Quo(g.sum(a.Measures[0]), n)
	mean := new(big.Rat).Quo(g.sum(a.Measures[1]), n)
	v.Sub(v, mean.Mul(mean, mean))
	if a.Sample {
		v.Mul(v, new(big.Rat).Quo(n, new(big.Rat).Sub(n, one)))
	}
	v = clampRat(v, new(big.Rat), a.mostVariance())
	if a.Kind == StdDevAggregate {
		v = root(v)
	}
	return number(v)
}

// aggregateSpan is the interval of an aggregate, which it leaves with a probability of at most al.
func (g *releasedGroup) aggregateSpan(i int, al alpha) span {
	a := &g.of.plan.Aggregates[i]
	switch a.Kind {
	case CountAggregate, SumAggregate:
		return g.sumSpan(a.Measures[0], al)
	case AvgAggregate:
		return g.quotientSpan(a.Measures[0], a.Measures[1], al).add(point(a.centre())).within(a.low(), a.high())
	case VarianceAggregate, StdDevAggregate:
		return g.varianceSpan(a, al)
	case QuantileAggregate:
		return g.quantileSpan(a, al)
	}
	return span{}
}

// tree are the fitted counts of a tree, computed once.
func (g *releasedGroup) tree(measure int) []int64 {
	if g.fitted[measure] == nil {
		g.fitted[measure] = g.of.trees[measure].fit(g.nodes[measure])
	}
	return g.fitted[measure]
}

// quantile is a value of the cell that the quantile lies in, in proportion to how far.
func (g *releasedGroup) quantile(a *Aggregate) datum {
	m := a.Measures[0]
	s := g.of.trees[m]
	at, ok := s.quantile(g.tree(m), uint64(a.Q[0]), uint64(a.Q[1]))
	if !ok {
		return nothing
	}
	bins := &g.of.plan.Relation.Bins[g.of.plan.Measures[m].Bins]
	x := big.NewRat(int64(at.part), unit)
	x.Mul(x, new(big.Rat).SetInt64(bins.Width-1))
	return a.valueOf(clampRat(g.edge(bins.Low, bins.Width, at.cell, x, a.Type.Places), a.low(), a.high()))
}

// edge is low + width·cell + more, in whole units.
func (g *releasedGroup) edge(low, width int64, cell int, more *big.Rat, places int) *big.Rat {
	x := new(big.Int).Mul(big.NewInt(width), big.NewInt(int64(cell)))
	x.Add(x, big.NewInt(low))
	r := new(big.Rat).SetInt(x)
	if more != nil {
		r.Add(r, more)
	}
	return r.Quo(r, new(big.Rat).SetInt(pow10(places)))
}

// valueOf is a number, date or time of the aggregate's column: dates and times are whole days and microseconds, rounded down.
func (a *Aggregate) valueOf(x *big.Rat) datum {
	if k := a.Type.Kind; k == relation.Date || k == relation.Time {
		return datum{Value: momentOf(x, k)}
	}
	return number(x)
}

func momentOf(x *big.Rat, k relation.Kind) relation.Value {
	n := new(big.Int).Div(x.Num(), x.Denom()) // Euclidean: down
	return relation.Value{Kind: k, Int: n.Int64()}
}
