package query

import (
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
)

// rowsOf binds a query as rows that still belong to units: what stands in FROM or WITH.
func (b *binder) rowsOf(q *syntax.Query, env *ctes) (*rowset, error) {
	env = env.with(q.With)
	if q.Limit != nil || len(q.OrderBy) > 0 {
		return nil, b.refuse(q.Pos, ruleShape, "order and limit the answer as a whole, outside",
			"which rows come first would depend on other rows: ORDER BY and LIMIT stand at the end of a question alone")
	}
	if q.Select == nil {
		return b.union(q, env)
	}
	s := q.Select
	where := conjuncts(s.Where)
	in, err := b.fromClause(s.Pos, s.From, where, env)
	if err != nil {
		return nil, err
	}
	if err := b.where(in, where); err != nil {
		return nil, err
	}
	if len(s.GroupBy) > 0 || s.Having != nil || hasAggregate(s) {
		return b.fold(s, in)
	}
	items, err := b.items(s, &scope{rows: in})
	if err != nil {
		return nil, err
	}
	if s.Distinct {
		return b.distinct(s, in, items)
	}
	return b.project(s.Pos, in, items)
}

func (b *binder) where(in *rowset, where []syntax.Expr) error {
	var conds []relation.Expr
	for _, w := range where {
		if call := aggregateIn(w); call != nil {
			return b.refuse(call.At(), ruleAggregate, "use HAVING, or FILTER (WHERE …) of the aggregate", "there are no aggregates in WHERE")
		}
		v, err := b.condition(&scope{rows: in}, w)
		if err != nil {
			return err
		}
		conds = append(conds, v.expr)
	}
	if len(where) == 0 {
		return nil
	}
	return b.filter(where[0].At(), in, conds...)
}

// items binds a SELECT list.
func (b *binder) items(s *syntax.Select, sc *scope) ([]column, error) {
	var out []column
	for _, it := range s.Items {
		if it.Star {
			cols, err := b.star(it, sc)
			if err != nil {
				return nil, err
			}
			if out = append(out, cols...); len(out) > maxColumns {
				return nil, b.refuse(it.Pos, ruleSize, "name the columns that are needed", "this selects more than %d columns", maxColumns)
			}
			continue
		}
		v, err := b.expr(sc, it.Expr)
		if err != nil {
			return nil, err
		}
		if v, err = b.settled(it.Pos, v); err != nil {
			return nil, err
		}
		out = append(out, column{name: itemName(it), value: v})
	}
	if len(out) == 0 {
		return nil, b.refuse(s.Pos, ruleShape, "name what to select", "this selects nothing")
	}
	return out, nil
}

func (b *binder) star(it syntax.Item, sc *scope) ([]column, error) {
	if sc.group != nil {
		return nil, b.refuse(it.Pos, ruleGroup, "name the columns", "* beside groups is not taken")
	}
	var out []column
	known := false
	for _, src := range sc.rows.sources {
		if it.Of != "" && !alike(src.alias, it.Of) {
			continue
		}
		known = true
		for _, c := range src.cols {
			if !c.hidden || it.Of != "" {
				c.hidden = false
				out = append(out, c)
			}
		}
	}
	if !known {
		return nil, b.refuse(it.Pos, ruleTable, "", "no table of FROM is called %q", it.Of)
	}
	return out, nil
}

// itemName is what a column of a SELECT list is called.
func itemName(it syntax.Item) string {
	if it.As != "" {
		return it.As
	}
	switch e := it.Expr.(type) {
	case *syntax.Column:
		return e.Name
	case *syntax.Call:
		return e.Name
	case *syntax.Case:
		return "case"
	case *syntax.Cast:
		return itemName(syntax.Item{Expr: e.X})
	}
	return "column"
}

// project computes the columns of a subquery; the unit comes along, whether or not it is among them.
func (b *binder) project(at syntax.Pos, in *rowset, items []column) (*rowset, error) {
	out := &rowset{window: in.window, fan: in.fan}
	var cols []relation.Named
	for _, n := range in.unit {
		ref, err := relation.NewRef(in.rel, n)
		if err != nil {
			return nil, b.wrap(at, err)
		}
		name := b.name()
		cols = append(cols, relation.Named{Name: name, Expr: ref})
		out.unit = append(out.unit, name)
	}
	src := source{}
	for _, it := range items {
		name := b.name()
		cols = append(cols, relation.Named{Name: name, Expr: it.expr})
		v := it.value
		v.expr, v.size = &relation.Ref{Name: name, As: it.typ()}, 1
		src.cols = append(src.cols, column{name: it.name, value: v})
	}
	p, err := relation.NewProject(in.rel, cols...)
	if err != nil {
		return nil, b.wrap(at, err)
	}
	out.rel, out.sources = p, []source{src}
	return out, nil
}

// distinct is a fold without aggregates: it is taken where each row is still one unit's.
func (b *binder) distinct(s *syntax.Select, in *rowset, items []column) (*rowset, error) {
	var bits uint64
	for _, it := range items {
		bits |= in.bits(it.value)
	}
	if !in.private() || !in.covered(bits) {
		return nil, b.refuse(s.Pos, ruleUnit, "select the "+b.d.Unit+" besides, or count in groups",
			"DISTINCT rows would belong to several %ss", b.d.Unit)
	}
	p, err := b.project(s.Pos, in, items)
	if err != nil {
		return nil, err
	}
	keys := slices.Clone(p.unit)
	for _, c := range p.sources[0].cols {
		keys = append(keys, c.expr.(*relation.Ref).Name)
	}
	f, err := relation.NewFold(p.rel, keys)
	if err != nil {
		return nil, b.wrap(s.Pos, err)
	}
	p.rel = f
	return p, nil
}

// union is UNION ALL. Its arms are all private, in which case a unit is the same in each, or all public.
func (b *binder) union(q *syntax.Query, env *ctes) (*rowset, error) {
	var arms []*rowset
	for _, a := range q.Union {
		r, err := b.rowsOf(a, env)
		if err != nil {
			return nil, err
		}
		arms = append(arms, r)
	}
	if len(arms) == 0 {
		return nil, b.refuse(q.Pos, ruleShape, "", "this selects nothing")
	}
	first := arms[0]
	out := &rowset{window: first.window}
	for _, a := range arms {
		out.fan = out.fan.either(a.fan)
	}
	for range first.unit {
		out.unit = append(out.unit, b.name())
	}
	cols, err := b.unite(q, arms)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(cols))
	for i := range names {
		names[i] = b.name()
	}
	var rels []relation.Rel
	for i, a := range arms {
		var named []relation.Named
		for k, n := range a.unit {
			ref, err := relation.NewRef(a.rel, n)
			if err != nil {
				return nil, b.wrap(q.Pos, err)
			}
			named = append(named, relation.Named{Name: out.unit[k], Expr: ref})
		}
		for k := range cols {
			named = append(named, relation.Named{Name: names[k], Expr: cols[k][i].expr})
		}
		p, err := relation.NewProject(a.rel, named...)
		if err != nil {
			return nil, b.wrap(q.Union[i].Pos, err)
		}
		rels = append(rels, p)
	}
	u, err := relation.NewUnion(rels...)
	if err != nil {
		return nil, b.wrap(q.Pos, err)
	}
	out.rel = u
	src := source{}
	for k := range cols {
		ref, err := relation.NewRef(u, names[k])
		if err != nil {
			return nil, b.wrap(q.Pos, err)
		}
		v := b.merge(cols[k])
		v.expr, v.size = ref, 1
		src.cols = append(src.cols, column{name: first.sources[0].cols[k].name, value: v})
	}
	out.sources = []source{src}
	return out, nil
}

// unite brings the arms' columns to one kind and places each: by column, then by arm.
func (b *binder) unite(q *syntax.Query, arms []*rowset) ([][]value, error) {
	n := len(arms[0].sources[0].cols)
	for i, a := range arms {
		if a.private() != arms[0].private() {
			return nil, b.refuse(q.Union[i].Pos, ruleUnion, "ask about each alone, or join them", "a union of private and public rows: public ones belong to no %s", b.d.Unit)
		}
		if len(a.sources[0].cols) != n {
			return nil, b.refuse(q.Union[i].Pos, ruleUnion, "", "the arms of UNION ALL have different numbers of columns")
		}
	}
	cols := make([][]value, n)
	for k := range cols {
		for _, a := range arms {
			cols[k] = append(cols[k], a.sources[0].cols[k].value)
		}
		var err error
		if cols[k], err = b.unify(q.Pos, cols[k]); err != nil {
			return nil, err
		}
	}
	return cols, nil
}

// merge is what is known of a value that is one of several.
func (b *binder) merge(vs []value) value {
	out := value{low: true, high: true, total: true, unit: vs[0].unit, origin: vs[0].origin}
	known := true
	var domains [][]relation.Value
	for _, v := range vs {
		if v.null {
			continue
		}
		out.low, out.high, out.total = out.low && v.low, out.high && v.high, out.total && v.total
		out.nokey = out.nokey || v.nokey
		out.span = out.span || v.span
		known = known && v.domain != nil
		domains = append(domains, v.domain)
		if v.unit != out.unit {
			out.unit = 0
		}
		if v.origin != out.origin {
			out.origin = nil
		}
	}
	if known {
		out.domain = b.together(domains...)
	}
	out.total = out.total && out.domain != nil
	return out
}

// together is the union of public domains; nil where it would be too large to be one.
func (b *binder) together(domains ...[]relation.Value) []relation.Value {
	seen := map[relation.Value]bool{}
	var out []relation.Value
	for _, values := range domains {
		if b.domains += len(values); b.domains > maxMade {
			return nil
		}
		for _, v := range values {
			if !seen[v] {
				seen[v] = true
				out = append(out, v)
			}
		}
	}
	if len(out) > b.limits.MostCells {
		return nil
	}
	return out
}
