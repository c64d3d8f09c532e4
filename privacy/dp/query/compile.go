package query

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
)

// Compile understands a question: it binds names to what the dataset's owner declares, follows whose each row is, and bounds what any one
// unit can change. Nothing is read. Errors are [*Error] or [*syntax.Error]; they depend on the question and the declaration alone.
//
// What is computed of rows is exact and total, and belongs to one unit at a time until [relation.Bounded]; what is computed of groups
// afterwards is computed of noisy numbers. Nothing is between the two.
func Compile(d *Dataset, q Question) (*Plan, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(q.SQL)
	if err != nil {
		return nil, err
	}
	b := &binder{d: d, limits: d.Limits.filled(), text: q.SQL, functions: functionTable()}
	if err := b.terms(q); err != nil {
		return nil, err
	}
	p, err := b.answer(tree, nil)
	if err != nil {
		return nil, err
	}
	p.Relation.In = pruned(&p.Relation)
	p.Scans = scansOf(p.Relation.In, nil)
	if err := relation.Check(&p.Relation); err != nil {
		return nil, b.refuse(noPlace, ruleSize, "fewer subqueries", "this is too large or too deep to be computed: %v", err)
	}
	return p, nil
}

// noPlace is where errors lie that are about the question as a whole.
const noPlace syntax.Pos = -1

// terms takes the bounds of contributions and the time from the question.
func (b *binder) terms(q Question) error {
	b.rows, b.groups = b.limits.Rows, b.limits.Groups
	for _, l := range []struct {
		what  string
		asked int64
		most  int64
		into  *int64
	}{{"rows", q.Rows, b.limits.MostRows, &b.rows}, {"groups", q.Groups, b.limits.MostGroups, &b.groups}} {
		if l.asked < 0 || l.asked > l.most {
			return b.refuse(noPlace, ruleLimit, fmt.Sprintf("ask for at most %d", l.most), "one %s may count with fewer %s", b.d.Unit, l.what)
		}
		if l.asked > 0 {
			*l.into = l.asked
		}
	}
	for _, end := range []struct {
		at   time.Time
		into **int64
	}{{q.From, &b.from}, {q.Until, &b.until}} {
		if end.at.IsZero() {
			continue
		}
		n := min(max(end.at.UnixMicro(), relation.MinTime), relation.MaxTime)
		*end.into = &n
	}
	return nil
}

// answer is the plan of a query whose result leaves.
func (b *binder) answer(q *syntax.Query, env *ctes) (*Plan, error) {
	env = env.with(q.With)
	if q.Select == nil {
		return nil, b.refuse(q.Pos, ruleShape, "ask them one after the other, or put UNION ALL in a subquery and aggregate outside", "a question is one SELECT with aggregates")
	}
	s := q.Select
	if s.Distinct {
		return nil, b.refuse(s.Pos, ruleShape, "GROUP BY the columns and count", "SELECT DISTINCT is not taken of noisy numbers")
	}
	if len(s.GroupBy) == 0 && !hasAggregate(s) && (s.Having == nil || aggregateIn(s.Having) == nil) {
		return b.outer(q, env)
	}
	where := conjuncts(s.Where)
	in, err := b.fromClause(s.Pos, s.From, where, env)
	if err != nil {
		return nil, err
	}
	if !in.private() {
		return nil, b.refuse(s.Pos, ruleUnit, "read a table that holds "+b.d.Unit+"s", "this reads public tables alone, which need no privacy")
	}
	if err := b.where(in, where); err != nil {
		return nil, err
	}
	n := &measuring{b: b, in: in, known: map[string]int{}, aggs: map[string]int{}}
	n.args = &arguments{b: b, in: in, known: map[string]*argument{}}
	n.plan = &Plan{Dataset: b.d, Limit: -1, Restricted: b.from != nil || b.until != nil}
	n.plan.Relation.Rows = b.rows
	if n.g, err = b.groupBy(s, in); err != nil {
		return nil, err
	}
	keys, err := n.keys()
	if err != nil {
		return nil, err
	}
	if err := n.outputs(q); err != nil {
		return nil, err
	}
	return n.plan, n.finish(s.Pos, keys)
}

// outputs binds the SELECT list, HAVING, ORDER BY and LIMIT.
func (n *measuring) outputs(q *syntax.Query) error {
	b, p, s := n.b, n.plan, q.Select
	o := &outputs{b: b, leaf: n.leaf}
	for _, it := range s.Items {
		if it.Star {
			return b.refuse(it.Pos, ruleGroup, "count(*) counts rows; rows themselves do not leave", "* selects rows")
		}
		out, err := o.expr(it.Expr)
		if err != nil {
			return err
		}
		p.Columns = append(p.Columns, Output{uniqueName(p.Columns, itemName(it)), out.post})
	}
	if s.Having != nil {
		h, err := o.single(s.Having)
		if err != nil {
			return err
		}
		if h.kind != relation.Truth && !h.null {
			return b.refuse(s.Having.At(), ruleType, "", "HAVING is a condition, and this is %v", h.kind)
		}
		p.Having = h.post
	}
	if len(p.Measures) == 0 {
		return b.refuse(s.Pos, ruleAggregate, "select count(*) besides", "this counts nothing")
	}
	return b.sorted(p, q, o, s.Items)
}

// uniqueName is a name, with a number where it is taken.
func uniqueName(cols []Output, name string) string {
	free := func(n string) bool { return !slices.ContainsFunc(cols, func(c Output) bool { return c.Name == n }) }
	for i, n := 2, name; ; i++ {
		if free(n) {
			return n
		}
		n = fmt.Sprintf("%s_%d", name, i)
	}
}

// leaf is a key or an aggregate.
func (n *measuring) leaf(e syntax.Expr) (output, bool, error) {
	if c, ok := e.(*syntax.Call); ok && aggregates[c.Name] {
		i, err := n.aggregate(c)
		if err != nil {
			return output{}, true, err
		}
		a := n.plan.Aggregates[i]
		out := output{post: PostAggregate{i}, kind: relation.Number, list: a.Kind == HistogramAggregate}
		if a.Kind == QuantileAggregate {
			out.kind = a.Type.Kind
		}
		return out, true, nil
	}
	if aggregateIn(e) != nil {
		return output{}, false, nil
	}
	if i := n.g.find(n.b, n.in, e); i >= 0 {
		return output{post: PostKey{i}, kind: n.plan.Keys[i].Type.Kind}, true, nil
	}
	if c, ok := e.(*syntax.Column); ok {
		if _, err := n.b.lookup(&scope{rows: n.in}, c); err != nil {
			return output{}, true, err
		}
		return output{}, true, n.b.refuse(e.At(), ruleGroup, "add it to GROUP BY, or aggregate it", "column %q is neither a group nor in an aggregate", c.Name)
	}
	return output{}, false, nil
}

// sorted binds ORDER BY, by places and names of the SELECT list or its expressions, and LIMIT.
func (b *binder) sorted(p *Plan, q *syntax.Query, o *outputs, items []syntax.Item) error {
	if q.Limit != nil {
		p.Limit = *q.Limit
	}
	for _, by := range q.OrderBy {
		if by.NullsFirst != nil && *by.NullsFirst != by.Desc {
			return b.refuse(by.Pos, ruleShape, "leave it out", "NULLs stand last, and first where the order is DESC")
		}
		at := -1
		switch e := by.Expr.(type) {
		case *syntax.Number:
			if n, places, ok := parseDecimal(e.Text); ok && places == 0 && n >= 1 && n <= int64(len(p.Columns)) {
				at = int(n) - 1
			}
		case *syntax.Column:
			if e.Table == "" {
				at = slices.IndexFunc(p.Columns, func(c Output) bool { return alike(c.Name, e.Name) })
			}
		}
		if at < 0 {
			want, err := o.single(by.Expr)
			if err != nil {
				return err
			}
			text := canonicalPost(want.post)
			at = slices.IndexFunc(p.Columns, func(c Output) bool { return canonicalPost(c.Expr) == text })
		}
		if at < 0 {
			return b.refuse(by.Pos, ruleShape, "select it besides", "an answer is ordered by one of its columns")
		}
		if a, ok := p.Columns[at].Expr.(PostAggregate); ok && p.Aggregates[a.Aggregate].Kind == HistogramAggregate {
			return b.refuse(by.Pos, ruleType, "", "a histogram has no order")
		}
		p.Order = append(p.Order, Order{at, by.Desc})
	}
	return nil
}

// keys are the columns that group, with their public domains.
func (n *measuring) keys() ([]relation.Named, error) {
	b, p := n.b, n.plan
	var named []relation.Named
	cells := 1
	for i, v := range n.g.values {
		at := n.g.exprs[i].At()
		switch {
		case v.unit != 0:
			return nil, b.refuse(at, ruleKey, "in a subquery, GROUP BY the "+b.d.Unit+" is exact: aggregate outside of it", "a group for each %s would be about nobody else", b.d.Unit)
		case v.nokey:
			return nil, b.refuse(at, ruleKey, "", "this column names somebody, and is no group of an answer")
		}
		k := Key{Name: n.g.names[i], Type: v.typ(), Values: v.domain}
		if k.Name == "" {
			k.Name = fmt.Sprintf("key_%d", i+1)
		}
		if k.Values != nil && !n.open {
			if cells *= len(k.Values); cells > b.limits.MostCells || len(k.Values) > b.limits.MostCells {
				return nil, b.refuse(at, ruleCells, "group by fewer, or by coarser ones", "every combination of public groups is in an answer, and these are more than %d", b.limits.MostCells)
			}
		}
		name, expr := b.name(), v.expr
		switch {
		case n.open && v.domain == nil: // alone it has one, together the domains are too many
			n.apart = true
		case n.open:
			one, ok, err := declaredOnly(v)
			if err != nil {
				return nil, b.wrap(at, err)
			}
			expr, n.apart = one, n.apart || !ok
		}
		named = append(named, relation.Named{Name: name, Expr: expr})
		p.Keys = append(p.Keys, k)
		p.Relation.Keys = append(p.Relation.Keys, name)
	}
	if len(named) > 0 {
		p.Relation.Groups = b.groups
		if !p.Private() && int64(cells) <= b.groups {
			// A unit is in no more groups than there are, so that none has to be chosen.
			p.Relation.Groups = 0
		}
	}
	return named, nil
}

// finish puts the relation together: what is read, filtered and joined; the columns that are needed; the groups of public domains; the
// bounds.
func (n *measuring) finish(at syntax.Pos, keys []relation.Named) error {
	b, p := n.b, n.plan
	cols, err := n.args.columns(keys)
	if err != nil {
		return b.wrap(at, err)
	}
	rel, err := relation.NewProject(n.in.rel, cols...)
	if err != nil {
		return b.wrap(at, err)
	}
	out := &rowset{rel: rel}
	for i, v := range n.g.values {
		cond, err := within(rel, p.Relation.Keys[i], v)
		if err != nil {
			return b.wrap(at, err)
		}
		if cond == nil || n.open {
			continue
		}
		if err := b.filter(at, out, cond); err != nil {
			return err
		}
	}
	p.Relation.In, p.Relation.Unit = out.rel, n.in.unit
	return nil
}

// within keeps the rows whose key is of its public domain: what is not must not take the place of a group that counts.
func within(rel relation.Rel, name string, v value) (relation.Expr, error) {
	if v.domain == nil {
		return nil, nil
	}
	ref, err := relation.NewRef(rel, name)
	if err != nil {
		return nil, err
	}
	null := slices.ContainsFunc(v.domain, func(d relation.Value) bool { return d.Null })
	some := slices.DeleteFunc(slices.Clone(v.domain), func(d relation.Value) bool { return d.Null })
	isNull := relation.NewIsNull(ref)
	switch {
	case v.total && null:
		return nil, nil
	case v.total:
		return relation.NewNot(isNull)
	case len(some) == 0:
		return isNull, nil
	}
	in, err := relation.NewIn(ref, some...)
	if err != nil || !null {
		return in, err
	}
	return relation.NewOr(in, isNull)
}

// declaredOnly is the key where it is of its public domain, and else NULL: all other values are one before groups of a unit are chosen, or one
// unit would move that one by as much as all its groups together. It is false where NULL is a declared value, which others must not be taken for.
func declaredOnly(v value) (relation.Expr, bool, error) {
	some := slices.DeleteFunc(slices.Clone(v.domain), func(d relation.Value) bool { return d.Null })
	if len(some) < len(v.domain) {
		return v.expr, v.total, nil
	}
	in, err := relation.NewIn(v.expr, some...)
	if err != nil {
		return nil, false, err
	}
	c, err := relation.NewCase([]relation.When{{If: in, Then: v.expr}}, nil)
	return c, err == nil, err
}

// outer is a SELECT without aggregates over one that has them: what it computes is computed of noisy numbers.
func (b *binder) outer(q *syntax.Query, env *ctes) (*Plan, error) {
	s := q.Select
	rows := b.refuse(s.Pos, ruleAggregate, "count(*), sum, avg and other aggregates, with GROUP BY", "this selects rows, which do not leave: ask for aggregates")
	inner, alias, names, within, err := b.innerQuery(s.From, env, rows)
	if err != nil {
		return nil, err
	}
	// If it can be bound as rows, it still belongs to units, and rows do not leave.
	probe := *b
	if _, err := probe.rowsOf(inner, within); err == nil {
		return nil, rows
	} else if e, ok := errors.AsType[*Error](err); !ok || !e.several && e.Rule != ruleShape && e.Rule != ruleAggregate {
		return nil, err
	}
	p, err := b.answer(inner, within)
	if err != nil {
		return nil, err
	}
	if len(names) > len(p.Columns) {
		return nil, b.refuse(s.Pos, ruleColumn, "", "%q has fewer columns than names", alias)
	}
	if p.Limit >= 0 && (s.Where != nil || len(q.OrderBy) > 0 || q.Limit != nil) {
		return nil, b.refuse(s.Pos, ruleShape, "put LIMIT at the end of the question", "LIMIT in a subquery comes before what is outside")
	}
	return p, b.over(p, q, alias, names)
}

// innerQuery is the one subquery or WITH element that FROM names.
func (b *binder) innerQuery(f syntax.From, env *ctes, rows error) (inner *syntax.Query, alias string, names []string, within *ctes, err error) {
	switch f := f.(type) {
	case *syntax.Sub:
		return f.Query, f.Alias, f.Columns, env, nil
	case *syntax.Table:
		if e := env.find(f.Name); e != nil {
			alias := f.Alias
			if alias == "" {
				alias = f.Name
			}
			return e.cte.Query, alias, e.cte.Columns, e.outer, nil
		}
		if b.d.table(f.Name) == nil {
			_, err := b.table(f, env)
			return nil, "", nil, nil, err
		}
	}
	return nil, "", nil, nil, rows
}

// over replaces the columns of a plan by expressions over them.
func (b *binder) over(p *Plan, q *syntax.Query, alias string, names []string) error {
	s, below := q.Select, slices.Clone(p.Columns)
	for i, n := range names {
		below[i].Name = n
	}
	o := &outputs{b: b}
	o.leaf = func(e syntax.Expr) (output, bool, error) {
		c, ok := e.(*syntax.Column)
		if !ok {
			return output{}, false, nil
		}
		i := slices.IndexFunc(below, func(c2 Output) bool { return alike(c2.Name, c.Name) })
		if i < 0 || c.Table != "" && !alike(c.Table, alias) {
			return output{}, true, b.refuse(e.At(), ruleColumn, "", "there is no column %q", c.Name)
		}
		return p.outputOf(below[i].Expr), true, nil
	}
	if s.Where != nil {
		h, err := o.single(s.Where)
		if err != nil {
			return err
		}
		if h.kind != relation.Truth && !h.null {
			return b.refuse(s.Where.At(), ruleType, "", "WHERE is a condition, and this is %v", h.kind)
		}
		if p.Having == nil {
			p.Having = h.post
		} else {
			p.Having = PostLogic{Of: []Post{p.Having, h.post}}
		}
	}
	order, cols := p.Order, p.Columns
	p.Columns, p.Order = nil, nil
	for _, it := range s.Items {
		if it.Star {
			if len(p.Columns)+len(below) > maxColumns {
				return b.refuse(it.Pos, ruleSize, "name the columns that are needed", "this selects more than %d columns", maxColumns)
			}
			for _, c := range below {
				p.Columns = append(p.Columns, Output{uniqueName(p.Columns, c.Name), c.Expr})
			}
			continue
		}
		out, err := o.expr(it.Expr)
		if err != nil {
			return err
		}
		p.Columns = append(p.Columns, Output{uniqueName(p.Columns, itemName(it)), out.post})
	}
	if len(q.OrderBy) == 0 {
		return b.reordered(p, s, order, cols)
	}
	return b.sorted(p, q, o, s.Items)
}

// reordered keeps the order of a subquery where the columns that it is by are still there.
func (b *binder) reordered(p *Plan, s *syntax.Select, order []Order, cols []Output) error {
	for _, by := range order {
		text := canonicalPost(cols[by.Column].Expr)
		i := slices.IndexFunc(p.Columns, func(c Output) bool { return canonicalPost(c.Expr) == text })
		if i < 0 {
			return b.refuse(s.Pos, ruleShape, "put ORDER BY at the end of the question", "the subquery is ordered by a column that is not selected")
		}
		p.Order = append(p.Order, Order{i, by.Desc})
	}
	return nil
}

// outputOf is what is known of a column of a plan.
func (p *Plan) outputOf(e Post) output {
	out := output{post: e, kind: relation.Number}
	switch e := e.(type) {
	case PostKey:
		out.kind = p.Keys[e.Key].Type.Kind
	case PostAggregate:
		a := p.Aggregates[e.Aggregate]
		out.list = a.Kind == HistogramAggregate
		if a.Kind == QuantileAggregate {
			out.kind = a.Type.Kind
		}
	case PostConst:
		out.kind, out.null = e.Value.Kind, e.Value.Null
	case PostCompare, PostLogic, PostNot, PostIsNull:
		out.kind = relation.Truth
	case PostCase:
		out.kind = p.outputOf(e.Else).kind
		for _, w := range e.Whens {
			if o := p.outputOf(w.Then); !o.null {
				out.kind = o.kind
			}
		}
	}
	return out
}
