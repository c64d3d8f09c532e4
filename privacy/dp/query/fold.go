package query

import (
	"math"
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
)

// foldRows is how many rows of one group of a fold are counted at most; sums are clamped likewise.
const foldRows = 1 << 31

// fold is GROUP BY in a subquery: exact, since each of its groups lies within one unit. The unit has to be among the keys.
func (b *binder) fold(s *syntax.Select, in *rowset) (*rowset, error) {
	if s.Distinct {
		return nil, b.refuse(s.Pos, ruleShape, "leave DISTINCT out: groups are distinct", "DISTINCT beside GROUP BY is not taken")
	}
	if !in.private() {
		return nil, b.refuse(s.Pos, ruleUnit, "join the table as it is", "aggregates of public tables are not taken")
	}
	g, err := b.groupBy(s, in)
	if err != nil {
		return nil, err
	}
	var bits uint64
	for _, v := range g.values {
		bits |= in.bits(v)
		if b.refersToUnit(v.origin) {
			bits = math.MaxUint64
		}
	}
	if bits != math.MaxUint64 && !in.covered(bits) {
		hint := "group by the " + b.d.Unit + " besides"
		if n := b.unitName(in); n != "" {
			hint = "add " + n + " to GROUP BY"
		}
		e := b.refuse(s.Pos, ruleUnit, hint, "an exact aggregate in a subquery would be of several %ss", b.d.Unit).(*Error)
		e.several = true
		return nil, e
	}
	f := &folding{b: b, in: in, g: g, args: &arguments{b: b, in: in, known: map[string]*argument{}}, made: map[string]int{}}
	return f.finish(s)
}

// refersToUnit is whether a column is a declared reference, which says whose a row is.
func (b *binder) refersToUnit(c *Column) bool {
	for i := range b.d.Tables {
		if t := &b.d.Tables[i]; c != nil && t.Via != nil && t.column(t.Via.Column) == c {
			return true
		}
	}
	return false
}

// folding is a fold that is being put together.
type folding struct {
	b      *binder
	in     *rowset
	g      *grouping
	args   *arguments
	aggs   []relation.Agg
	values []value // of aggs
	made   map[string]int
	keys   []string // names of the keys in the fold
}

// value is what a part of the SELECT list is: a key or an aggregate. It is asked before the part is taken apart.
func (f *folding) value(e syntax.Expr) (value, bool, error) {
	if c, ok := e.(*syntax.Call); ok && aggregates[c.Name] {
		v, err := f.aggregate(c)
		return v, true, err
	}
	if aggregateIn(e) != nil {
		return value{}, false, nil
	}
	if i := f.g.find(f.b, f.in, e); i >= 0 {
		v := f.g.values[i]
		v.expr, v.size = &relation.Ref{Name: f.keys[i], As: v.typ()}, 1
		return v, true, nil
	}
	if c, ok := e.(*syntax.Column); ok {
		if _, err := f.b.lookup(&scope{rows: f.in}, c); err != nil {
			return value{}, true, err
		}
		return value{}, true, f.b.refuse(e.At(), ruleGroup, "add it to GROUP BY, or aggregate it", "column %q is neither a group nor in an aggregate", c.Name)
	}
	return value{}, false, nil
}

var foldOps = map[string]relation.AggOp{"count": relation.CountOf, "sum": relation.SumOf, "min": relation.MinOf, "max": relation.MaxOf, "avg": relation.AvgOf}

func (f *folding) aggregate(c *syntax.Call) (value, error) {
	b := f.b
	op, ok := foldOps[c.Name]
	if !ok || c.Distinct || c.Within != nil || !c.Star && len(c.Args) != 1 {
		return value{}, b.refuse(c.At(), ruleAggregate, "there are count, sum, avg, min and max", "this aggregate is not taken in a subquery")
	}
	var arg *argument
	if c.Star && c.Filter == nil {
		op = relation.CountRows
	} else if c.Star {
		one, err := b.number(c.At(), 1, 0)
		if err != nil {
			return value{}, err
		}
		if one, err = f.args.filtered(c, one); err != nil {
			return value{}, err
		}
		arg = f.args.add(one)
	} else {
		v, err := f.args.value(c, c.Args[0])
		if err != nil {
			return value{}, err
		}
		arg = f.args.add(v)
	}
	agg := relation.Agg{Op: op}
	out := value{low: true, size: 1}
	t := relation.NumberType(0, 0, 0)
	if arg != nil {
		agg.Col, t = arg.name, arg.typ()
		out.nokey = arg.nokey
	}
	switch op {
	case relation.SumOf:
		out.low, out.high = arg.low && t.Min >= 0, arg.high && t.Max <= 0
	case relation.MinOf, relation.MaxOf:
		out.low, out.high = arg.low, arg.high
		out.domain, out.total = arg.domain, arg.total
	case relation.AvgOf:
		out.low, out.high = arg.low, arg.high
	}
	var err error
	if agg.Type, err = relation.FoldType(op, t, foldRows); err != nil {
		return value{}, b.wrap(c.At(), err)
	}
	if op == relation.AvgOf {
		agg.Type = finer(agg.Type)
	}
	key := canonicalAgg(agg)
	i, ok := f.made[key]
	if !ok {
		i = len(f.aggs)
		agg.Name = b.name()
		f.aggs, f.values = append(f.aggs, agg), append(f.values, out)
		f.made[key] = i
	}
	out.expr = &relation.Ref{Name: f.aggs[i].Name, As: f.aggs[i].Type}
	return out, nil
}

// finer gives an average four places more than the column has, or as many as fit.
func finer(t relation.Type) relation.Type {
	for range 4 {
		if t.Places == relation.MaxPlaces || t.Max > relation.MaxNumber/10 || t.Min < relation.MinNumber/10 {
			break
		}
		t.Places, t.Min, t.Max = t.Places+1, t.Min*10, t.Max*10
	}
	return t
}

func (f *folding) finish(s *syntax.Select) (*rowset, error) {
	b := f.b
	keys := slices.Clone(f.in.unit)
	var named []relation.Named
	for _, v := range f.g.values {
		name := b.name()
		f.keys = append(f.keys, name)
		keys = append(keys, name)
		named = append(named, relation.Named{Name: name, Expr: v.expr})
	}
	sc := &scope{rows: f.in, group: f.value}
	items, err := b.items(s, sc)
	if err != nil {
		return nil, err
	}
	var having []relation.Expr
	for _, h := range conjuncts(s.Having) {
		v, err := b.condition(sc, h)
		if err != nil {
			return nil, err
		}
		having = append(having, v.expr)
	}
	cols, err := f.args.columns(named)
	if err != nil {
		return nil, b.wrap(s.Pos, err)
	}
	p, err := relation.NewProject(f.in.rel, cols...)
	if err != nil {
		return nil, b.wrap(s.Pos, err)
	}
	fold, err := relation.NewFold(p, keys, f.aggs...)
	if err != nil {
		return nil, b.wrap(s.Pos, err)
	}
	out := &rowset{rel: fold, unit: f.in.unit, window: f.in.window, sources: []source{{}}, fan: f.in.fan}
	if !slices.ContainsFunc(f.g.values, func(v value) bool { return v.unit == 0 }) {
		out.fan = fan{} // one row of each unit, which multiplies nothing
	}
	if err := b.filter(s.Pos, out, having...); err != nil {
		return nil, err
	}
	return b.project(s.Pos, out, items)
}
