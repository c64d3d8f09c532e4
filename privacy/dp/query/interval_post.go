package query

import (
	"math/big"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// bound is an interval for an expression over noisy aggregates, each of which is within its own but for a probability of a: by interval
// arithmetic, so that all of them together bound the expression whatever depends on what. It is unknown where nothing bounds it, such as for
// a quotient whose divisor may be zero, and for what is no number.
func (g *releasedGroup) bound(e Post, a alpha) span {
	switch e := e.(type) {
	case PostKey, PostConst:
		if v := g.value(e); v.num != nil {
			return point(v.num)
		}
		return span{}
	case PostAggregate:
		return g.aggregateSpan(e.Aggregate, a)
	case PostArith:
		return arithmeticSpan(e.Op, g.bound(e.L, a), g.bound(e.R, a))
	case PostCase:
		return g.caseSpan(e, a)
	case PostRound:
		s := g.bound(e.X, a)
		if s.lo != nil {
			s.lo = rounded(s.lo, e.Places)
		}
		if s.hi != nil {
			s.hi = rounded(s.hi, e.Places)
		}
		return s
	}
	return span{}
}

func arithmeticSpan(op relation.ArithOp, l, r span) span {
	var s span
	switch op {
	case relation.Add:
		s = l.add(r)
	case relation.Sub:
		s = l.add(r.neg())
	case relation.Mul:
		s = l.mul(r)
	case relation.Div:
		s = l.div(r)
	case relation.Least, relation.Greatest:
		if !l.known() || !r.known() {
			return span{}
		}
		pick := least
		if op == relation.Greatest {
			pick = greatest
		}
		s = span{pick(l.lo, r.lo), pick(l.hi, r.hi)}
	}
	return s.outward()
}

// outward cuts long numbers as [bounded] does, but away from the middle.
func (s span) outward() span {
	step := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), fineBits))
	if s.lo != nil {
		if b := bounded(s.lo); b.Cmp(s.lo) > 0 {
			if b.Sign() < 0 && b.Cmp(new(big.Rat).Neg(mostMagnitude)) == 0 {
				s.lo = nil
			} else {
				s.lo = b.Sub(b, step)
			}
		} else {
			s.lo = b
		}
	}
	if s.hi != nil {
		if b := bounded(s.hi); b.Cmp(s.hi) < 0 {
			if b.Cmp(mostMagnitude) == 0 {
				s.hi = nil
			} else {
				s.hi = b.Add(b, step)
			}
		} else {
			s.hi = b
		}
	}
	return s
}

// caseSpan is the hull of all branches whose conditions may hold.
func (g *releasedGroup) caseSpan(e PostCase, a alpha) span {
	var all []span
	for _, w := range e.Whens {
		yes, no := g.may(w.If, a)
		if yes {
			all = append(all, g.bound(w.Then, a))
		}
		if !no {
			return hullOf(all)
		}
	}
	if e.Else != nil {
		all = append(all, g.bound(e.Else, a))
	}
	return hullOf(all)
}

func hullOf(all []span) span {
	if len(all) == 0 {
		return span{}
	}
	r := all[0]
	for _, s := range all[1:] {
		r = r.hull(s)
	}
	return r
}

// may is whether a condition may be true, and whether it may be something else, within the intervals.
func (g *releasedGroup) may(e Post, a alpha) (yes, no bool) {
	if !noisy(e) {
		v := g.value(e).isTrue()
		return v, !v
	}
	switch e := e.(type) {
	case PostCompare:
		l, r := g.bound(e.L, a), g.bound(e.R, a)
		if !l.known() || !r.known() {
			break
		}
		below, above := l.lo.Cmp(r.hi) < 0, l.hi.Cmp(r.lo) > 0 // may be less, may be greater
		equal := l.lo.Cmp(r.hi) <= 0 && l.hi.Cmp(r.lo) >= 0
		sure := l.lo.Cmp(l.hi) == 0 && r.lo.Cmp(r.hi) == 0 && l.lo.Cmp(r.lo) == 0
		switch e.Op {
		case relation.Eq:
			return equal, !sure
		case relation.Ne:
			return !sure, equal
		case relation.Lt:
			return below, equal || above
		case relation.Le:
			return below || equal, above
		case relation.Gt:
			return above, equal || below
		}
		return above || equal, below
	case PostLogic:
		return g.mayLogic(e, a)
	case PostNot:
		yes, no = g.may(e.X, a)
		return no, yes
	}
	return true, true
}

func (g *releasedGroup) mayLogic(e PostLogic, a alpha) (yes, no bool) {
	yes, no = !e.Or, e.Or
	for _, x := range e.Of {
		y, n := g.may(x, a)
		if e.Or {
			yes, no = yes || y, no && n
		} else {
			yes, no = yes && y, no || n
		}
	}
	return yes, no
}

// noisy is whether an expression depends on noise.
func noisy(e Post) bool {
	found := false
	walk(e, func(Post) { found = true })
	return found
}

// walk calls f for each aggregate in an expression.
func walk(e Post, f func(Post)) {
	switch e := e.(type) {
	case PostAggregate:
		f(e)
	case PostArith:
		walk(e.L, f)
		walk(e.R, f)
	case PostCompare:
		walk(e.L, f)
		walk(e.R, f)
	case PostLogic:
		for _, x := range e.Of {
			walk(x, f)
		}
	case PostNot:
		walk(e.X, f)
	case PostIsNull:
		walk(e.X, f)
	case PostCase:
		for _, w := range e.Whens {
			walk(w.If, f)
			walk(w.Then, f)
		}
		if e.Else != nil {
			walk(e.Else, f)
		}
	case PostRound:
		walk(e.X, f)
	}
}

// sharing is among how many events an expression's probability of being wrong is shared: one for each number that stands in it alone, and one for each
// average, variance and quantile, whatever its numbers.
func (p *Plan) sharing(e Post) alpha {
	type event struct {
		kind AggregateKind
		of   int
	}
	seen := map[event]bool{}
	walk(e, func(x Post) {
		i := x.(PostAggregate).Aggregate
		switch a := &p.Aggregates[i]; a.Kind {
		case CountAggregate, SumAggregate, HistogramAggregate:
			seen[event{CountAggregate, a.Measures[0]}] = true
		default:
			seen[event{AvgAggregate, i}] = true
		}
	})
	return max(alpha(len(seen)), 1)
}
