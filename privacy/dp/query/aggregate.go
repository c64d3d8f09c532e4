package query

import (
	"math/bits"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
)

// measuring is a question that is being put together: its keys, the bounded sums, and what is made of them.
type measuring struct {
	b     *binder
	in    *rowset
	g     *grouping
	args  *arguments
	plan  *Plan
	known map[string]int // measures by what they are, so that equal ones are paid for once
	aggs  map[string]int // aggregates likewise
	open  bool           // rows whose key is of no declared value stay
	apart bool           // then: such rows cannot be told from those of a declared NULL
}

// aggregate is the index of an aggregate in the plan, and whether it is a list of numbers.
func (n *measuring) aggregate(c *syntax.Call) (int, error) {
	a, err := n.aggregateOf(c)
	if err != nil {
		return 0, err
	}
	a.Text = ""
	key := canonicalAggregate(a)
	if i, ok := n.aggs[key]; ok {
		return i, nil
	}
	a.Text = spelled(c)
	n.plan.Aggregates = append(n.plan.Aggregates, a)
	n.aggs[key] = len(n.plan.Aggregates) - 1
	return n.aggs[key], nil
}

func (n *measuring) aggregateOf(c *syntax.Call) (Aggregate, error) {
	b := n.b
	if c.Name == "count" {
		return n.count(c)
	}
	if c.Distinct {
		return Aggregate{}, b.refuse(c.At(), ruleAggregate, "group by the values in a subquery of each "+b.d.Unit, "%s(DISTINCT …) is not taken: whose value counts would depend on others", c.Name)
	}
	switch c.Name {
	case "sum":
		return n.sum(c)
	case "avg", "mean":
		return n.avg(c)
	case "var_pop", "var", "variance", "var_samp":
		return n.variance(c, VarianceAggregate, c.Name != "var_pop")
	case "stddev_pop", "stddev", "stddev_samp":
		return n.variance(c, StdDevAggregate, c.Name != "stddev_pop")
	case "min", "max", "median", "quantile", "percentile_cont", "percentile_disc":
		return n.quantile(c)
	case "histogram":
		return n.histogram(c)
	}
	return Aggregate{}, b.refuse(c.At(), ruleAggregate, "", "there is no aggregate %s", c.Name)
}

// one is the single argument of an aggregate, of a kind that it takes.
func (n *measuring) one(c *syntax.Call, numbers bool) (*argument, error) {
	b := n.b
	if c.Star || len(c.Args) != 1 || c.Within != nil {
		return nil, b.refuse(c.At(), ruleAggregate, "", "%s takes one argument", c.Name)
	}
	return n.column(c, c.Args[0], numbers)
}

// column is the bounded column that an aggregate reads.
func (n *measuring) column(c *syntax.Call, e syntax.Expr, numbers bool) (*argument, error) {
	b := n.b
	v, err := n.args.value(c, e)
	if err != nil {
		return nil, err
	}
	switch k := v.kind(); {
	case k == relation.Truth:
		return nil, b.refuse(e.At(), ruleType, "CASE WHEN … THEN 1 ELSE 0 END is a number", "%s is for numbers, and this is %v", c.Name, k)
	case !ordered(k) || numbers && k != relation.Number:
		return nil, b.refuse(e.At(), ruleType, "", "%s is not for %v", c.Name, k)
	case !v.bounded():
		return nil, b.refuse(e.At(), ruleBounds, "narrow it: clamp("+spelled(e)+", low, high)", "%s needs bounds, and none are declared for this", c.Name)
	}
	return n.args.add(v), nil
}

// add is the index of a measure that is a bounded sum.
func (n *measuring) add(at syntax.Pos, s relation.Sum, places int) (int, error) {
	most := max(s.High, -s.Low)
	if s.Low < -relation.MaxSum || s.High > relation.MaxSum || most < 1 && s.Low != s.High {
		return 0, n.b.refuse(at, ruleBounds, "narrow the column: clamp(x, low, high)", "by its bounds one %s could move this sum beyond 62 bits", n.b.d.Unit)
	}
	key := canonicalSum(s)
	if i, ok := n.known[key]; ok {
		return i, nil
	}
	p := n.plan
	p.Relation.Sums = append(p.Relation.Sums, s)
	p.Measures = append(p.Measures, Measure{Sum: len(p.Relation.Sums) - 1, Bins: -1, Most: max(most, 1), Levels: 1, Places: places, Weight: 1})
	n.known[key] = len(p.Measures) - 1
	return n.known[key], nil
}

func (n *measuring) count(c *syntax.Call) (Aggregate, error) {
	b, rows := n.b, n.plan.Relation.Rows
	a := Aggregate{Kind: CountAggregate, Type: relation.NumberType(0, 0, relation.MaxSum)}
	s := relation.Sum{Op: relation.Count, High: rows}
	switch {
	case c.Distinct:
		v, err := n.distinct(c)
		if err != nil {
			return a, err
		}
		if v.unit == allUnits && c.Filter == nil || n.certain(v) && c.Filter == nil {
			s = relation.Sum{Op: relation.Units, Low: 0, High: 1}
			break
		}
		if v, err = n.args.filtered(c, v); err != nil {
			return a, err
		}
		s.Col, s.High = n.args.add(v).name, 1
	case c.Star && c.Filter == nil:
	case c.Star:
		v, err := b.number(c.At(), 1, 0)
		if err != nil {
			return a, err
		}
		if v, err = n.args.filtered(c, v); err != nil {
			return a, err
		}
		s.Col = n.args.add(v).name
	case len(c.Args) == 1:
		v, err := n.args.value(c, c.Args[0])
		if err != nil {
			return a, err
		}
		if k, ok := v.constant(); !ok || k.Null {
			s.Col = n.args.add(v).name
		}
	default:
		return a, b.refuse(c.At(), ruleAggregate, "", "count takes * or one argument")
	}
	m, err := n.add(c.At(), s, 0)
	a.Measures = []int{m}
	return a, err
}

// certain is whether a value is the unit's own column, which rows that count have.
func (n *measuring) certain(v value) bool {
	r, ok := v.expr.(*relation.Ref)
	return ok && len(n.in.unit) == 1 && n.in.unit[0] == r.Name
}

// distinct is what COUNT(DISTINCT …) counts: units, and nothing else.
func (n *measuring) distinct(c *syntax.Call) (value, error) {
	b := n.b
	hint := "count(DISTINCT " + b.d.Unit + ")"
	if len(c.Args) == 0 {
		return value{}, b.refuse(c.At(), ruleAggregate, hint, "count(DISTINCT …) of nothing")
	}
	var bits uint64
	var v value
	for _, e := range c.Args {
		var err error
		if v, err = b.expr(&scope{rows: n.in}, e); err != nil {
			return value{}, err
		}
		bits |= n.in.bits(v)
	}
	if !n.in.covered(bits) {
		return value{}, b.refuse(c.At(), ruleAggregate, hint+", or GROUP BY the column", "distinct values of several %ss cannot be counted: one %s could make many of them", b.d.Unit, b.d.Unit)
	}
	if n.in.window && v.unit != allUnits {
		return value{}, b.refuse(c.At(), ruleAggregate, hint, "the unit of this dataset is bounded in time: what can be counted are %ss in their windows", b.d.Unit)
	}
	if len(c.Args) > 1 {
		v.unit = allUnits
	}
	return v, nil
}

// total are the bounds of a unit's total of m rows with values in [lo, hi].
func total(lo, hi, m int64) (int64, int64, bool) {
	low, ok1 := times(min(lo, 0), m)
	high, ok2 := times(max(hi, 0), m)
	return low, high, ok1 && ok2
}

// times is a·m for m ≥ 0, and whether that is within ±MaxSum.
func times(a, m int64) (int64, bool) {
	u := uint64(a)
	if a < 0 {
		u = uint64(-a)
	}
	h, l := bits.Mul64(u, uint64(m))
	if h != 0 || l > uint64(relation.MaxSum) {
		return 0, false
	}
	if a < 0 {
		return -int64(l), true
	}
	return int64(l), true
}

func (n *measuring) sum(c *syntax.Call) (Aggregate, error) {
	x, err := n.one(c, true)
	if err != nil {
		return Aggregate{}, err
	}
	t := x.typ()
	low, high, ok := total(t.Min, t.Max, n.plan.Relation.Rows)
	if !ok {
		return Aggregate{}, n.wide(c)
	}
	m, err := n.add(c.At(), relation.Sum{Op: relation.Total, Col: x.name, Low: low, High: high}, t.Places)
	return Aggregate{Kind: SumAggregate, Measures: []int{m}, Type: t}, err
}

func (n *measuring) wide(c *syntax.Call) error {
	return n.b.refuse(c.At(), ruleBounds, "narrow the column: clamp(x, low, high)", "by its bounds one %s could move %s beyond 62 bits", n.b.d.Unit, c.Name)
}

// avg is the sum of differences from the middle of the bounds, and the count: the sum moves by half as much as one from zero on, and by
// less still where the bounds lie far from zero.
func (n *measuring) avg(c *syntax.Call) (Aggregate, error) {
	x, err := n.one(c, true)
	if err != nil {
		return Aggregate{}, err
	}
	t := x.typ()
	centre := middle(t.Min, t.Max)
	sum, err := n.moment(c, x, centre, t)
	if err != nil {
		return Aggregate{}, err
	}
	count, err := n.add(c.At(), relation.Sum{Op: relation.Count, Col: x.name, High: n.plan.Relation.Rows}, 0)
	return Aggregate{Kind: AvgAggregate, Measures: []int{sum, count}, Centre: centre, Type: t}, err
}

// middle is between lo and hi, without leaving 64 bits.
func middle(lo, hi int64) int64 { return lo + int64((uint64(hi)-uint64(lo))/2) }

// moment is the measure Σ(x−centre), a unit's share of it.
func (n *measuring) moment(c *syntax.Call, x *argument, centre int64, t relation.Type) (int, error) {
	d, err := n.less(c, x.value, centre)
	if err != nil {
		return 0, err
	}
	return n.share(c, d, d.typ(), t.Places)
}

// less is x − centre.
func (n *measuring) less(c *syntax.Call, x value, centre int64) (value, error) {
	k, err := n.b.number(c.At(), centre, x.typ().Places)
	if err != nil {
		return value{}, err
	}
	return n.b.arith(c.At(), "-", x, k)
}

// share is the measure of a column in which a unit of many rows weighs no more than one of Rows rows.
func (n *measuring) share(c *syntax.Call, v value, t relation.Type, places int) (int, error) {
	low, high, ok := total(t.Min, t.Max, n.plan.Relation.Rows)
	if !ok {
		return 0, n.wide(c)
	}
	return n.add(c.At(), relation.Sum{Op: relation.Share, Col: n.args.add(v).name, Low: low, High: high}, places)
}

// Squares are taken of whole steps from the middle: of so many that a square of most rows of a unit fits 36 bits, which leaves 26 for the
// number of units. A step is 10^−places; where the bounds are far apart it is coarser than the column's own, and its size is at most
// 10/2^18 of their distance for a unit of one row.
const maxSteps = 1 << 18

// variance is Σ(x−c)², Σ(x−c) and the count, with both sums of the same rounded x.
func (n *measuring) variance(c *syntax.Call, kind AggregateKind, sample bool) (Aggregate, error) {
	x, err := n.one(c, true)
	if err != nil {
		return Aggregate{}, err
	}
	b, t, m := n.b, x.typ(), n.plan.Relation.Rows
	steps := int64(maxSteps)
	for s := m; s > 1 && steps > 256; s /= 4 {
		steps /= 2
	}
	centre := middle(t.Min, t.Max)
	half := uint64(t.Max) - uint64(centre)
	coarse := 0 // how many places fewer than the column's
	for half/uint64(tens(coarse)) > uint64(steps) || 2*(t.Places-coarse) > relation.MaxPlaces {
		coarse++
	}
	d, err := n.steps(c, x.value, centre, coarse)
	if err != nil {
		return Aggregate{}, err
	}
	// Whole steps, whose size Measure.Places says.
	square, err := b.arith(c.At(), "*", d, d)
	if err != nil {
		return Aggregate{}, err
	}
	far := max(-d.typ().Min, d.typ().Max)
	clamped, err := relation.NewClamp(square.expr, 0, far*far)
	if err != nil {
		return Aggregate{}, b.wrap(c.At(), err)
	}
	square.expr = clamped
	places := t.Places - coarse
	squares, err := n.share(c, square, clamped.As, 2*places)
	if err != nil {
		return Aggregate{}, err
	}
	sum, err := n.share(c, d, d.typ(), places)
	if err != nil {
		return Aggregate{}, err
	}
	count, err := n.add(c.At(), relation.Sum{Op: relation.Count, Col: x.name, High: m}, 0)
	return Aggregate{Kind: kind, Measures: []int{squares, sum, count}, Centre: centre, Type: t, Sample: sample}, err
}

// steps is x − centre in whole steps of 10^coarse of the column's, rounded to the nearest: the difference from below the least value is
// divided, so that rounding towards zero is rounding down, and moved back.
func (n *measuring) steps(c *syntax.Call, x value, centre int64, coarse int) (value, error) {
	b := n.b
	d, err := n.less(c, x, centre)
	if err != nil {
		return value{}, err
	}
	k := tens(coarse)
	far := (max(-d.typ().Min, d.typ().Max) + k - 1) / k
	if far > relation.MaxSum/k-1 {
		return value{}, n.wide(c)
	}
	up, err := b.number(c.At(), far*k+k/2, d.typ().Places)
	if err != nil {
		return value{}, err
	}
	if d, err = b.arith(c.At(), "+", d, up); err != nil {
		return value{}, err
	}
	// d·10^places / 10^coarse as a whole number of steps.
	by, err := relation.NewNumber(k, d.typ().Places)
	if err != nil {
		return value{}, b.wrap(c.At(), err)
	}
	q, err := relation.NewDiv(d.expr, by, 0)
	if err != nil {
		return value{}, b.wrap(c.At(), err)
	}
	back, err := b.number(c.At(), far, 0)
	if err != nil {
		return value{}, err
	}
	v := b.made(q, d)
	return b.arith(c.At(), "-", v, back)
}
