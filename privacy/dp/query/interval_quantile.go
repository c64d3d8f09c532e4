package query

import (
	"math"
	"math/big"
)

// quantileSpan inverts the noisy distribution: the cells that the q-quantile without noise may lie in.
//
// Let R(k) = (rows in cells before k) − q·(all rows) = (1−q)·(rows before k) − q·(rows from k on), without noise. The quantile's cell k*
// has R(k*) ≤ 0 ≤ R(k*+1), and does not depend on noise. The noisy R̂(k) is unbiased, and being the least-squares estimate varies no more
// than what the fewest nodes before and after k would give, σ²((1−q)²·n + q²·m) for n and m nodes (Gauss-Markov). So but for a probability
// of a, half of it on either side, R̂(k*) ≤ w(k*) and R̂(k*+1) ≥ −w(k*+1), with w(k) the half-width of one node's noise times
// √((1−q)²n + q²m); and every k for which both hold is in the interval. Of Gaussian noise a sum is Gaussian again, so that w is right; of
// Laplace noise, sums have lighter tails than one draw of their variance (tested by TestQuantileIntervalsCover).
func (g *releasedGroup) quantileSpan(a *Aggregate, al alpha) span {
	m := a.Measures[0]
	s := g.of.trees[m]
	z := g.tree(m)[:s.leaves]
	total := int64(0)
	for _, x := range z {
		total += x
	}
	q := float64(a.Q[0]) / float64(a.Q[1])
	half := float64(g.of.laws[m].halfWidth(al)) + 1
	w := func(k int) float64 {
		n, m := float64(s.prefix[k]), float64(s.suffix[k])
		return half * math.Sqrt((1-q)*(1-q)*n+q*q*m)
	}
	first, last := -1, -1
	before := 0.0
	all := float64(total) / (1 << fine)
	for k := range z {
		after := before + float64(z[k])/(1<<fine)
		if before-q*all <= w(k) && after-q*all >= -w(k+1) {
			if first < 0 {
				first = k
			}
			last = k
		}
		before = after
	}
	if first < 0 {
		return span{}
	}
	bins := &g.of.plan.Relation.Bins[g.of.plan.Measures[m].Bins]
	lo := g.edge(bins.Low, bins.Width, first, nil, a.Type.Places)
	hi := g.edge(bins.Low, bins.Width, last, big.NewRat(bins.Width-1, 1), a.Type.Places)
	if first == 0 { // the first cell holds what lies below it, the last what lies above
		lo = a.low()
	}
	if last == s.leaves-1 {
		hi = a.high()
	}
	return span{lo, hi}.within(a.low(), a.high())
}

// quotientSpan is the set of all d = S/N that the noisy sum s and count n do not contradict (Fieller 1954). S − d·N is 0, so that s − d·n is noise
// alone: that of the sum less d times that of the count, which for this d is beyond
//
//	w(d) = √(w_S² + d²·w_N²)
//
// with a probability of at most al: with Gaussian noise because it is Gaussian noise of that deviation, with Laplace noise because sums have lighter tails
// than one draw (TestSumsOfLaplaceNoiseHaveLighterTails); each w has a step more, since noise is of whole numbers (see wide). So the interval is where
// (s − d·n)² ≤ w_S² + d²·w_N², between the roots of a parabola; where n² ≤ w_N² it is no interval, and nothing is known.
func (g *releasedGroup) quotientSpan(sum, count int, al alpha) span {
	s, n := g.sum(sum), g.sum(count)
	ws, wn := g.wide(sum, al), g.wide(count, al)
	if n.Cmp(wn) <= 0 {
		return span{}
	}
	square := func(x *big.Rat) *big.Rat { return new(big.Rat).Mul(x, x) }
	a := square(n)
	a.Sub(a, square(wn)) // of d²·a − 2d·b + c ≤ 0
	b := new(big.Rat).Mul(s, n)
	c := square(s)
	c.Sub(c, square(ws))
	d := square(b)
	d.Sub(d, new(big.Rat).Mul(a, c)) // = s²w_N² + w_S²·a > 0
	r := root(d)
	r.Add(r, new(big.Rat).SetFrac64(1, 1<<62)) // it is rounded down
	return span{new(big.Rat).Quo(new(big.Rat).Sub(b, r), a), new(big.Rat).Quo(new(big.Rat).Add(b, r), a)}
}

// wide is the half-width of a measure's noise and one step more: so much rounding may add to Gaussian noise; and a half-width of 0 may be left with
// nearly al by each number alone, which noise of whole steps makes up for by one (TestQuotientIntervalsHoldForNoiseOfAFewSteps).
func (g *releasedGroup) wide(measure int, al alpha) *big.Rat {
	return new(big.Rat).Add(g.width(measure, al), decimal(1, g.of.plan.Measures[measure].Places))
}

// varianceSpan asks which variances the three noisy numbers q, s and n do not contradict. Let d = S/N and V = Q/N − d² without noise. Then
// Q − 2dS + d²N = VN, so that T(d) − Vn, for T(d) = q − 2ds + d²n, is noise alone: beyond
//
//	w(d, V) = √(w_Q² + 4d²·w_S² + (d² − V)²·w_N²)
//
// with the probability that each w has (as at quotientSpan). d is within the interval of the quotient but for as much, and in it T is least at s/n and
// greatest at an end. So V lies between (T_least − w)/n and (T_greatest + w)/n, for the greatest w of the interval of d and of what is known of V already;
// that is the declared bounds at first, and what came of the step before afterwards. For a sample N/(N−1) is bounded by the interval of N: then three events
// share the probability of being wrong, and else two.
func (g *releasedGroup) varianceSpan(a *Aggregate, al alpha) span {
	al *= 2
	if a.Sample {
		al = al / 2 * 3
	}
	d := g.quotientSpan(a.Measures[1], a.Measures[2], al)
	most := a.mostPopulation()
	v := span{new(big.Rat), most}
	if d.known() {
		for range 4 {
			v = g.narrower(a, al, d, v)
		}
	}
	if a.Sample {
		v = g.sampled(a, al, v)
	}
	if a.Kind == StdDevAggregate {
		up := root(v.hi)
		v = span{root(v.lo), up.Add(up, new(big.Rat).SetFrac64(1, 1<<62))}
	}
	return v
}

// narrower is one step of varianceSpan.
func (g *releasedGroup) narrower(a *Aggregate, al alpha, d, v span) span {
	square := func(x *big.Rat) *big.Rat { return new(big.Rat).Mul(x, x) }
	q, s, n := g.sum(a.Measures[0]), g.sum(a.Measures[1]), g.sum(a.Measures[2]) // n is above 0, since d is known
	t := func(d *big.Rat) *big.Rat {
		x := new(big.Rat).Mul(d, n)
		x.Sub(x, new(big.Rat).Add(s, s)).Mul(x, d)
		return x.Add(x, q)
	}
	dd := d.square()
	far := greatest(new(big.Rat).Sub(dd.hi, v.lo), new(big.Rat).Sub(v.hi, dd.lo))
	if far.Sign() < 0 {
		far = new(big.Rat)
	}
	w := square(g.wide(a.Measures[0], al))
	ws := new(big.Rat).Mul(dd.hi, square(g.wide(a.Measures[1], al)))
	w.Add(w, ws.Mul(ws, big.NewRat(4, 1)))
	wn := new(big.Rat).Mul(square(far), square(g.wide(a.Measures[2], al)))
	w = root(w.Add(w, wn))
	w.Add(w, new(big.Rat).SetFrac64(1, 1<<62))
	lo := new(big.Rat).Sub(t(new(big.Rat).Quo(s, n)), w)
	hi := new(big.Rat).Add(greatest(t(d.lo), t(d.hi)), w)
	return span{lo.Quo(lo, n), hi.Quo(hi, n)}.within(v.lo, v.hi).outward()
}

// sampled is the variance of a sample, of which there are two rows at least.
func (g *releasedGroup) sampled(a *Aggregate, al alpha, v span) span {
	n := g.sumSpan(a.Measures[2], al)
	two := big.NewRat(2, 1)
	n = span{greatest(n.lo, two), greatest(n.hi, two)}
	factor := func(n *big.Rat) *big.Rat { return new(big.Rat).Quo(n, new(big.Rat).Sub(n, big.NewRat(1, 1))) }
	return v.mul(span{factor(n.hi), factor(n.lo)}).within(new(big.Rat), a.mostVariance())
}

// histogram is the noisy bars, each with an interval of its own.
func (g *releasedGroup) histogram(a *Aggregate) []Bar {
	m := a.Measures[0]
	s := g.of.trees[m]
	z := g.tree(m)
	half := g.of.laws[m].halfWidth(wholeAlpha)
	bars := make([]Bar, 0, s.leaves)
	for i := range s.leaves {
		from, to := g.barEdges(a, m, i)
		n := (z[i] + 1<<(fine-1)) >> fine // to the nearest row
		if len(s.sizes) == 1 {
			n = g.nodes[m][i] // exactly as it was drawn
		}
		bars = append(bars, Bar{a.edgeText(from), a.edgeText(to),
			decimalText(big.NewRat(n, 1), 0), decimalText(big.NewRat(n-half, 1), 0), decimalText(big.NewRat(n+half, 1), 0)})
	}
	return bars
}

func (g *releasedGroup) barEdges(a *Aggregate, m, i int) (from, to *big.Rat) {
	if len(a.Edges) == g.of.trees[m].leaves+1 {
		return decimal(a.Edges[i], a.Type.Places), decimal(a.Edges[i+1], a.Type.Places)
	}
	bins := &g.of.plan.Relation.Bins[g.of.plan.Measures[m].Bins]
	return g.edge(bins.Low, bins.Width, i, nil, a.Type.Places), g.edge(bins.Low, bins.Width, i+1, nil, a.Type.Places)
}

// edgeText writes an edge as the column's values are written.
func (a *Aggregate) edgeText(x *big.Rat) string {
	if d := a.valueOf(x); d.num == nil {
		return valueText(d.Value)
	}
	return decimalText(x, a.Type.Places)
}
