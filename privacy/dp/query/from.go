package query

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
	"github.com/scrimhq/scrim/flow"
)

// ctes are the WITH elements that a query may name: each knows those before it.
type ctes struct {
	outer *ctes
	cte   *syntax.CTE
}

func (c *ctes) find(name string) *ctes {
	for ; c != nil; c = c.outer {
		if alike(c.cte.Name, name) {
			return c
		}
	}
	return nil
}

func (c *ctes) with(list []syntax.CTE) *ctes {
	for i := range list {
		c = &ctes{c, &list[i]}
	}
	return c
}

// fromClause binds FROM. where are the conjuncts of WHERE, in which a comma join may say how its sides agree.
func (b *binder) fromClause(at syntax.Pos, f syntax.From, where []syntax.Expr, env *ctes) (*rowset, error) {
	switch f := f.(type) {
	case nil:
		return nil, b.refuse(at, ruleTable, "say FROM which table", "this reads no table")
	case *syntax.Table:
		return b.table(f, env)
	case *syntax.Sub:
		r, err := b.rowsOf(f.Query, env)
		if err != nil {
			return nil, err
		}
		return b.renamed(f.Pos, r, f.Alias, f.Columns)
	case *syntax.Join:
		l, err := b.fromClause(f.Pos, f.Left, where, env)
		if err != nil {
			return nil, err
		}
		r, err := b.fromClause(f.Pos, f.Right, where, env)
		if err != nil {
			return nil, err
		}
		return b.join(f, l, r, where)
	}
	return nil, b.refuse(at, ruleShape, "", "this form of FROM is not taken")
}

// renamed gives the one source of a rowset a name, and its columns theirs.
func (b *binder) renamed(at syntax.Pos, r *rowset, alias string, columns []string) (*rowset, error) {
	src := source{alias: alias, cols: slices.Clone(r.sources[0].cols)}
	if len(columns) > len(src.cols) {
		return nil, b.refuse(at, ruleColumn, "", "%q has fewer columns than names", alias)
	}
	for i, n := range columns {
		src.cols[i].name = n
	}
	out := *r
	out.sources = []source{src}
	return &out, nil
}

// table is a table of the dataset, or what WITH calls so.
func (b *binder) table(f *syntax.Table, env *ctes) (*rowset, error) {
	alias := f.Alias
	if alias == "" {
		alias = f.Name[strings.LastIndexByte(f.Name, '.')+1:]
	}
	if e := env.find(f.Name); e != nil {
		r, err := b.rowsOf(e.cte.Query, e.outer)
		if err != nil {
			return nil, err
		}
		return b.renamed(f.Pos, r, alias, e.cte.Columns)
	}
	t := b.d.table(f.Name)
	if t == nil {
		var names []string
		for i := range b.d.Tables {
			names = append(names, b.d.Tables[i].Name)
		}
		hint := "there are " + strings.Join(names, ", ")
		if near, ok := flow.Nearest(f.Name, names); ok {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		return nil, b.refuse(f.Pos, ruleTable, hint, "there is no table %q", f.Name)
	}
	r, err := b.read(f.Pos, t)
	if err != nil {
		return nil, err
	}
	r.sources[0].alias = alias
	return r, nil
}

// read is all declared columns of a table, with its unit.
func (b *binder) read(at syntax.Pos, t *Table) (*rowset, error) {
	if b.scans++; b.scans > maxScans {
		return nil, b.refuse(at, ruleSize, "", "this reads tables more often than %d times", maxScans)
	}
	src := source{alias: t.Name}
	scan := &relation.Scan{Table: t.source()}
	at2 := map[string]string{} // declared name → name in the relation
	for i := range t.Columns {
		c := &t.Columns[i]
		f := relation.Field{Source: c.source(), As: b.name(), Type: c.Type, Exact: b.exact(t, c)}
		scan.Fields = append(scan.Fields, f)
		at2[c.Name] = f.As
		v := value{
			expr: &relation.Ref{Name: f.As, As: c.Type}, low: c.Bounded, high: c.Bounded, nokey: c.NoKey, origin: c, size: 1,
			domain: slices.Clone(c.Values),
		}
		if c.Type.Kind == relation.Truth && v.domain == nil {
			v.domain, v.total = truths(), true
		}
		if i := slices.IndexFunc(t.Unit, func(n string) bool { return alike(n, c.Name) }); i >= 0 && t.Via == nil && !t.Public {
			v.unit, v.nokey = i+1, true
		}
		src.cols = append(src.cols, column{name: c.Name, value: v})
	}
	r := &rowset{rel: scan, sources: []source{src}, fan: fan{tables: map[string]int{t.Name: 1}}}
	if t.Public {
		return r, nil
	}
	for _, n := range t.Unit {
		if t.Via == nil {
			r.unit = append(r.unit, at2[t.column(n).Name])
		}
	}
	if err := b.limited(at, t, r); err != nil {
		return nil, err
	}
	if t.Via != nil {
		return b.refers(at, t, r)
	}
	return b.windowed(at, t, r)
}

// exact is whether a column names units or refers to rows that do: values that its type cannot hold are NULL then, and do not become one.
func (b *binder) exact(t *Table, c *Column) bool {
	if t.Public {
		return false
	}
	if slices.ContainsFunc(t.Unit, func(n string) bool { return alike(n, c.Name) }) {
		return true
	}
	if b.d.Window > 0 && alike(t.Time, c.Name) || t.Via != nil && alike(t.Via.Column, c.Name) {
		return true
	}
	for i := range b.d.Tables {
		if v := b.d.Tables[i].Via; v != nil && alike(v.Table, t.Name) && alike(v.To, c.Name) {
			return true
		}
	}
	return false
}

// refers finds the unit of a table's rows through the row that each refers to. A row that refers to nothing is nobody's and left out.
func (b *binder) refers(at syntax.Pos, t *Table, r *rowset) (*rowset, error) {
	target := b.d.table(t.Via.Table)
	u, err := b.read(at, target)
	if err != nil {
		return nil, err
	}
	on := relation.Equal{Left: refName(r, t.Via.Column), Right: refName(u, t.Via.To)}
	j, err := relation.NewJoin(relation.Inner, r.rel, u.rel, on)
	if err != nil {
		return nil, b.wrap(at, err)
	}
	r.rel, r.unit = j, u.unit
	return r, nil
}

// refName is the relation's name of a declared column of a table that was just read.
func refName(r *rowset, name string) string {
	for _, c := range r.sources[0].cols {
		if alike(c.name, name) {
			return c.expr.(*relation.Ref).Name
		}
	}
	return ""
}

// limited keeps the rows of the time that is paid for.
func (b *binder) limited(at syntax.Pos, t *Table, r *rowset) error {
	if b.from == nil && b.until == nil {
		return nil
	}
	if t.Time == "" && t.Via != nil {
		return nil // it was when what it refers to was, which is limited when it is read
	}
	when, err := b.moment(at, t, r)
	if err != nil {
		return err
	}
	var conds []relation.Expr
	for _, end := range []struct {
		at *int64
		op relation.CompareOp
	}{{b.from, relation.Ge}, {b.until, relation.Lt}} {
		if end.at == nil {
			continue
		}
		c, err := relation.NewConst(relation.Value{Kind: relation.Time, Int: *end.at}, 0)
		if err != nil {
			return b.wrap(at, err)
		}
		cmp, err := relation.NewCompare(end.op, when, c)
		if err != nil {
			return b.wrap(at, err)
		}
		conds = append(conds, cmp)
	}
	return b.filter(at, r, conds...)
}

// moment is when a row of the table was.
func (b *binder) moment(at syntax.Pos, t *Table, r *rowset) (relation.Expr, error) {
	if t.Time == "" {
		return nil, b.refuse(at, ruleTime, "", "table %q has no time, so its rows cannot be limited to the time that is paid for", t.Name)
	}
	ref, err := relation.NewRef(r.rel, refName(r, t.Time))
	if err != nil {
		return nil, b.wrap(at, err)
	}
	if ref.As.Kind == relation.Time {
		return ref, nil
	}
	when, err := relation.NewAsTime(ref)
	return when, b.wrap(at, err)
}

// windowed adds the number of the window that a row lies in to its unit.
//
// The difference to the beginning of a window at or before the type's least time is divided, so that it is never negative and rounding
// towards zero rounds down. If the calendar begins within a window, what lies before its first whole one is left out: it would share number 0.
func (b *binder) windowed(at syntax.Pos, t *Table, r *rowset) (*rowset, error) {
	if b.d.Window == 0 {
		return r, nil
	}
	when, err := b.moment(at, t, r)
	if err != nil {
		return nil, err
	}
	width, least := b.d.Window.Microseconds(), when.Type().Min
	origin := int64(0)
	if !b.d.Origin.IsZero() {
		origin = b.d.Origin.UnixMicro()
	}
	first := least - floorMod(least-origin, width)
	for first < relation.MinTime {
		first += width
	}
	if first > relation.MaxTime {
		return nil, b.refuse(at, ruleTime, "", "the window of the dataset is longer than the calendar")
	}
	begin, err := relation.NewConst(relation.Value{Kind: relation.Time, Int: first}, 0)
	if err != nil {
		return nil, b.wrap(at, err)
	}
	if first > least {
		after, err := relation.NewCompare(relation.Ge, when, begin)
		if err != nil {
			return nil, b.wrap(at, err)
		}
		if err := b.filter(at, r, after); err != nil {
			return nil, err
		}
	}
	since, err := relation.NewBetween(when, begin)
	if err != nil {
		return nil, b.wrap(at, err)
	}
	by, err := relation.NewNumber(width, 0)
	if err != nil {
		return nil, b.wrap(at, err)
	}
	number, err := relation.NewDiv(since, by, 0)
	if err != nil {
		return nil, b.wrap(at, err)
	}
	name, err := b.extend(at, r, number)
	if err != nil {
		return nil, err
	}
	r.unit, r.window = append(slices.Clone(r.unit), name), true
	return r, nil
}

func floorMod(a, m int64) int64 {
	if a %= m; a < 0 {
		a += m
	}
	return a
}

// filter keeps rows of r for which all conditions are true.
func (b *binder) filter(at syntax.Pos, r *rowset, conds ...relation.Expr) error {
	if len(conds) == 0 {
		return nil
	}
	all, err := relation.NewAnd(conds...)
	if err != nil {
		return b.wrap(at, err)
	}
	f, err := relation.NewFilter(r.rel, all)
	if err != nil {
		return b.wrap(at, err)
	}
	r.rel = f
	return nil
}

// extend adds a computed column to r and returns its name; a column that is there already is taken as it is.
func (b *binder) extend(at syntax.Pos, r *rowset, e relation.Expr) (string, error) {
	if ref, ok := e.(*relation.Ref); ok {
		return ref.Name, nil
	}
	var cols []relation.Named
	for _, c := range r.rel.Columns() {
		cols = append(cols, relation.Named{Name: c.Name, Expr: &relation.Ref{Name: c.Name, As: c.Type}})
	}
	name := b.name()
	p, err := relation.NewProject(r.rel, append(cols, relation.Named{Name: name, Expr: e})...)
	if err != nil {
		return "", b.wrap(at, err)
	}
	r.rel = p
	return name, nil
}
