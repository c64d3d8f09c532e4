package query

import (
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
	"math/bits"
	"slices"
)

// Trees of bins: at most so many cells, and so many children of a node.
const (
	maxBins = 4096
	fanout  = 16
)

// quantile is a quantile by a tree of counts over equal cells between the bounds. MIN and MAX are those of 0.5 % and 99.5 %: the least
// value of all is somebody's own.
func (n *measuring) quantile(c *syntax.Call) (Aggregate, error) {
	b := n.b
	a := Aggregate{Kind: QuantileAggregate}
	arg, q := syntax.Expr(nil), [2]int64{1, 2}
	switch {
	case c.Within != nil:
		if len(c.Within) != 1 || len(c.Args) != 1 || c.Star {
			return a, b.refuse(c.At(), ruleAggregate, "percentile_cont(0.9) WITHIN GROUP (ORDER BY x)", "%s takes one fraction and one order", c.Name)
		}
		arg = c.Within[0]
	case c.Name == "percentile_cont" || c.Name == "percentile_disc" || c.Name == "quantile":
		if len(c.Args) != 2 || c.Star {
			return a, b.refuse(c.At(), ruleAggregate, "quantile(x, 0.9)", "%s takes a column and a fraction", c.Name)
		}
		arg = c.Args[0]
	default:
		if len(c.Args) != 1 || c.Star {
			return a, b.refuse(c.At(), ruleAggregate, "", "%s takes one argument", c.Name)
		}
		arg = c.Args[0]
	}
	switch c.Name {
	case "min":
		q = [2]int64{1, 200}
	case "max":
		q = [2]int64{199, 200}
	case "median":
	default:
		v, err := b.expr(&scope{rows: &rowset{rel: n.in.rel}}, c.Args[len(c.Args)-1])
		if err != nil {
			return a, err
		}
		k, ok := v.constant()
		if !ok || k.Kind != relation.Number || k.Null || k.Int < 0 || k.Int > tens(v.typ().Places) {
			return a, b.refuse(c.At(), ruleLiteral, "", "the fraction of %s is a constant from 0 to 1", c.Name)
		}
		q = [2]int64{k.Int, tens(v.typ().Places)}
	}
	x, err := n.column(c, arg, false)
	if err != nil {
		return a, err
	}
	t := x.typ()
	a.Type, a.Q = t, q
	count, width := cells(t.Min, t.Max, maxBins)
	levels := 1
	for size := count; size > fanout; size = (size + fanout - 1) / fanout {
		levels++
	}
	m, err := n.bins(c, relation.Bins{Col: x.name, Low: t.Min, Width: width, Count: count}, levels, t.Places)
	a.Measures = []int{m}
	return a, err
}

// cells are at most so many equal ones that cover [lo, hi].
func cells(lo, hi int64, most uint64) (count int, width int64) {
	span := uint64(hi) - uint64(lo) // one less than the number of values
	w := span/most + 1
	return int(span/w) + 1, int64(w)
}

func (n *measuring) bins(c *syntax.Call, bins relation.Bins, levels, places int) (int, error) {
	// The last cell has to end within 64 bits.
	if h, l := bits.Mul64(uint64(bins.Width), uint64(bins.Count)); h != 0 || l > uint64(relation.MaxNumber) || bins.Low > relation.MaxNumber-int64(l) {
		return 0, n.wide(c)
	}
	key := canonicalBins(bins, levels)
	if i, ok := n.known[key]; ok {
		return i, nil
	}
	p := n.plan
	p.Relation.Bins = append(p.Relation.Bins, bins)
	p.Measures = append(p.Measures, Measure{Sum: -1, Bins: len(p.Relation.Bins) - 1, Most: p.Relation.Rows, Levels: levels, Fanout: fanout, Places: places, Weight: 1})
	n.known[key] = len(p.Measures) - 1
	return n.known[key], nil
}

// histogram is histogram(x, n), of n equal bins between the bounds, or histogram(x, edge, …), of which each bin but the last is open to the
// right, and what lies outside is not counted.
func (n *measuring) histogram(c *syntax.Call) (Aggregate, error) {
	b := n.b
	a := Aggregate{Kind: HistogramAggregate}
	if c.Star || c.Within != nil || len(c.Args) < 2 {
		return a, b.refuse(c.At(), ruleAggregate, "histogram(x, 10), or histogram(x, edge, edge, …)", "histogram takes a column, and how many bins or which edges")
	}
	v, err := n.args.value(c, c.Args[0])
	if err != nil {
		return a, err
	}
	if len(c.Args) == 2 {
		return n.equalBins(c)
	}
	if !ordered(v.kind()) {
		return a, b.refuse(c.At(), ruleType, "", "histogram is not for %v", v.kind())
	}
	return n.edges(c, v)
}

func (n *measuring) equalBins(c *syntax.Call) (Aggregate, error) {
	b := n.b
	k, err := b.expr(&scope{rows: &rowset{rel: n.in.rel}}, c.Args[1])
	if err != nil {
		return Aggregate{}, err
	}
	want, ok := k.constant()
	if !ok || want.Kind != relation.Number || want.Null || k.typ().Places != 0 || want.Int < 1 || want.Int > maxBins {
		return Aggregate{}, b.refuse(c.At(), ruleLiteral, "", "the number of bins is a constant whole number, from 1 to %d", maxBins)
	}
	x, err := n.column(c, c.Args[0], false)
	if err != nil {
		return Aggregate{}, err
	}
	t := x.typ()
	count, width := cells(t.Min, t.Max, uint64(want.Int))
	a := Aggregate{Kind: HistogramAggregate, Type: t}
	for i := range count {
		a.Edges = append(a.Edges, t.Min+int64(i)*width)
	}
	last := t.Max
	if last < relation.MaxNumber && count > 0 {
		last = min(a.Edges[count-1]+width, relation.MaxNumber)
	}
	a.Edges = append(a.Edges, last)
	m, err := n.bins(c, relation.Bins{Col: x.name, Low: t.Min, Width: width, Count: count}, 1, t.Places)
	a.Measures = []int{m}
	return a, err
}

// edges counts which of the given bins a value lies in, as a whole number, or NULL.
func (n *measuring) edges(c *syntax.Call, x value) (Aggregate, error) {
	b := n.b
	all := []value{x}
	for _, e := range c.Args[1:] {
		v, err := b.expr(&scope{rows: &rowset{rel: n.in.rel}}, e)
		if err != nil {
			return Aggregate{}, err
		}
		all = append(all, v)
	}
	all, err := b.unify(c.At(), all)
	if err != nil {
		return Aggregate{}, err
	}
	var edges []int64
	for _, v := range all[1:] {
		k, ok := v.constant()
		if !ok || k.Null || len(edges) > 0 && k.Int <= edges[len(edges)-1] {
			return Aggregate{}, b.refuse(c.At(), ruleLiteral, "", "the edges of a histogram are constants in rising order")
		}
		edges = append(edges, k.Int)
	}
	count := len(edges) - 1
	if count > 256 {
		return Aggregate{}, b.refuse(c.At(), ruleSize, "histogram(x, n) has equal bins", "a histogram has 256 bins of its own edges at most")
	}
	var conds, branches []value
	null := value{expr: relation.NewNull(relation.TextType), null: true, low: true, high: true, size: 1}
	for i := range len(edges) + 1 {
		// The first edge that x is below, or at or below the last.
		op, branch := relation.Lt, null
		if i == count {
			op = relation.Le
		}
		if i == len(edges) {
			continue
		}
		cond, err := b.compare(c.At(), op, all[0], all[1+i])
		if err != nil {
			return Aggregate{}, err
		}
		if i > 0 {
			if branch, err = b.number(c.At(), int64(i-1), 0); err != nil {
				return Aggregate{}, err
			}
		}
		conds, branches = append(conds, cond), append(branches, branch)
	}
	at, err := b.choose(c.At(), conds, append(branches, null))
	if err != nil {
		return Aggregate{}, err
	}
	if at.size > 2*maxSize {
		return Aggregate{}, b.refuse(c.At(), ruleSize, "", "this expression is too large")
	}
	m, err := n.bins(c, relation.Bins{Col: n.args.add(at).name, Width: 1, Count: count}, 1, 0)
	t := all[0].typ()
	t.Min, t.Max = edges[0], edges[count]
	return Aggregate{Kind: HistogramAggregate, Measures: []int{m}, Edges: slices.Clone(edges), Type: t}, err
}
