package querytest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Question is a random question about a dataset, of any construct that the language has. Most of them compile: whoever wants only those
// asks anew.
func Question(rng *rand.Rand, d *query.Dataset) query.Question {
	g := &asker{rng: rng, d: d}
	q := query.Question{Dataset: d.Name, SQL: g.question()}
	if rng.IntN(3) == 0 {
		q.Rows = 1 + rng.Int64N(max(d.Limits.MostRows, 1))
	}
	if rng.IntN(3) == 0 {
		q.Groups = 1 + rng.Int64N(max(d.Limits.MostGroups, 1))
	}
	return q
}

// column is a column that is in sight.
type column struct {
	sql  string // qualified
	c    query.Column
	unit bool
}

type asker struct {
	rng  *rand.Rand
	d    *query.Dataset
	next int
	with []string
}

func (g *asker) one(of ...string) string { return of[g.rng.IntN(len(of))] }
func (g *asker) sometimes(n int) bool    { return g.rng.IntN(n) == 0 }

func (g *asker) alias() string {
	g.next++
	return fmt.Sprintf("t%d", g.next)
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func (g *asker) question() string {
	from, cols, where := g.from(2)
	var keys, items, groupBy []string
	for range g.rng.IntN(3) {
		if k := g.key(cols); k != "" && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	for i, k := range keys {
		items = append(items, k+fmt.Sprintf(" AS k%d", i+1))
		groupBy = append(groupBy, g.one(k, fmt.Sprint(i+1)))
	}
	for i := range 1 + g.rng.IntN(3) {
		items = append(items, g.measure(cols)+fmt.Sprintf(" AS m%d", i+1))
	}
	for range g.rng.IntN(3) {
		where = append(where, g.condition(cols, 2))
	}
	sql := "SELECT " + strings.Join(items, ", ") + " FROM " + from
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	if len(groupBy) > 0 {
		sql += " GROUP BY " + strings.Join(groupBy, ", ")
	}
	if g.sometimes(5) {
		sql += " HAVING count(*) > " + fmt.Sprint(g.rng.IntN(5))
	}
	if g.sometimes(5) {
		sql += " ORDER BY m1 DESC LIMIT 3"
	}
	if len(g.with) > 0 {
		sql = "WITH " + strings.Join(g.with, ", ") + " " + sql
	}
	if g.sometimes(10) && len(keys) > 0 {
		sql = "SELECT k1, m1 FROM (" + strings.TrimPrefix(sql, "WITH ") + ") o"
		if len(g.with) > 0 {
			sql = "SELECT 1"
		}
	}
	return sql
}

// tables are those of a kind.
func (g *asker) tables(public bool) []*query.Table {
	var out []*query.Table
	for i := range g.d.Tables {
		if g.d.Tables[i].Public == public {
			out = append(out, &g.d.Tables[i])
		}
	}
	return out
}

func (g *asker) see(t *query.Table, alias string) []column {
	var out []column
	for _, c := range t.Columns {
		unit := slices.ContainsFunc(t.Unit, func(n string) bool { return strings.EqualFold(n, c.Name) })
		out = append(out, column{alias + "." + quoted(c.Name), c, unit})
	}
	return out
}

// from is a FROM clause with the columns in sight, and what has to be in WHERE.
func (g *asker) from(depth int) (string, []column, []string) {
	left, cols, unit := g.relation(depth)
	var where []string
	for range g.rng.IntN(3) {
		switch g.rng.IntN(3) {
		case 0: // on the unit
			right, more, other := g.relation(0)
			if len(unit) == 0 || len(unit) != len(other) {
				continue
			}
			var on []string
			for i := range unit {
				on = append(on, unit[i]+" = "+other[i])
			}
			if g.sometimes(3) {
				left += ", " + right
				where = append(where, on...)
			} else {
				if g.sometimes(4) {
					if e := g.pair(cols, more); e != "" {
						on = append(on, e)
					}
				}
				left += g.one(" JOIN ", " LEFT JOIN ") + right + " ON " + strings.Join(on, " AND ")
			}
			cols = append(cols, more...)
		case 1: // with a public table
			public := g.tables(true)
			if len(public) == 0 {
				continue
			}
			a := g.alias()
			t := public[g.rng.IntN(len(public))]
			more := g.see(t, a)
			on := g.pair(cols, more)
			if on == "" {
				continue
			}
			left += g.one(" JOIN ", " LEFT JOIN ") + quoted(t.Name) + " " + a + " ON " + on
			cols = append(cols, more...)
		case 2: // along a reference
			l, more, on := g.reference(left, cols)
			if on == "" {
				continue
			}
			left, cols = l, append(cols, more...)
		}
	}
	return left, cols, where
}

// reference joins a table with the one that a column of it refers to.
func (g *asker) reference(left string, cols []column) (string, []column, string) {
	for i := range g.d.Tables {
		t := &g.d.Tables[i]
		if t.Via == nil || len(cols) == 0 {
			continue
		}
		for _, target := range g.d.Tables {
			if !strings.EqualFold(target.Name, t.Via.Table) {
				continue
			}
			at := slices.IndexFunc(cols, func(c column) bool {
				return strings.HasSuffix(c.sql, "."+quoted(t.Via.To)) && slices.ContainsFunc(target.Columns, func(x query.Column) bool { return x.Name == c.c.Name })
			})
			if at < 0 {
				continue
			}
			a := g.alias()
			on := a + "." + quoted(t.Via.Column) + " = " + cols[at].sql
			return left + " JOIN " + quoted(t.Name) + " " + a + " ON " + on, g.see(t, a), on
		}
	}
	return left, nil, ""
}

// pair is a condition that two sides agree in a column.
func (g *asker) pair(l, r []column) string {
	var all []string
	for _, a := range l {
		for _, b := range r {
			if a.c.Type.Kind == b.c.Type.Kind && a.c.Type.Places == b.c.Type.Places && !a.unit && !b.unit {
				e := a.sql + " = " + b.sql
				if a.c.Type.Kind == relation.Text && g.sometimes(3) {
					e = "lower(" + a.sql + ") = " + b.sql
				}
				all = append(all, e)
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	return all[g.rng.IntN(len(all))]
}

// relation is a private table, or a subquery that keeps to units, with the names of its unit.
func (g *asker) relation(depth int) (string, []column, []string) {
	private := g.tables(false)
	t := private[g.rng.IntN(len(private))]
	a := g.alias()
	cols := g.see(t, a)
	var unit []string
	for _, n := range t.Unit {
		unit = append(unit, a+"."+quoted(n))
	}
	if depth == 0 || g.sometimes(2) || len(t.Unit) == 0 {
		return quoted(t.Name) + " " + a, cols, unit
	}
	var inner string
	var out []column
	switch g.rng.IntN(3) {
	case 0:
		inner, out = g.fold(t, a, cols)
	case 1:
		inner, out = g.distinct(t, a, cols)
	default:
		inner, out = g.union(t, a, cols)
	}
	name := g.alias()
	for i := range out {
		if out[i].unit {
			out[i].sql = strings.TrimPrefix(out[i].sql, ".")
		}
		out[i].sql = name + "." + strings.TrimPrefix(out[i].sql, ".")
	}
	unit = unit[:0]
	for _, c := range out {
		if c.unit {
			unit = append(unit, c.sql)
		}
	}
	if g.sometimes(2) {
		g.with = append(g.with, name+" AS ("+inner+")")
		return name, out, unit
	}
	return "(" + inner + ") " + name, out, unit
}

// units are the columns that name the unit, under names of their own.
func units(cols []column) (list, names []string, out []column) {
	for _, c := range cols {
		if c.unit {
			n := fmt.Sprintf("u%d", len(names)+1)
			list, names = append(list, c.sql), append(names, n)
			out = append(out, column{"." + n, c.c, true})
		}
	}
	return list, names, out
}

func (g *asker) fold(t *query.Table, a string, cols []column) (string, []column) {
	list, names, out := units(cols)
	items := make([]string, len(list))
	for i := range list {
		items[i] = list[i] + " AS " + names[i]
	}
	groupBy := slices.Clone(list)
	if k := g.plain(cols, relation.Text); k != nil && g.sometimes(2) {
		items, groupBy = append(items, k.sql+" AS g1"), append(groupBy, k.sql)
		out = append(out, column{".g1", k.c, false})
	}
	for i := range 1 + g.rng.IntN(2) {
		n := fmt.Sprintf("f%d", i+1)
		e := "count(*)"
		if x := g.number(cols, 1); x != "" && !g.sometimes(3) {
			e = g.one("sum(", "min(", "max(", "avg(", "count(") + x + ")"
		}
		items = append(items, e+" AS "+n)
		out = append(out, column{"." + n, query.Column{Name: n, Type: relation.NumberType(0, -1000, 1000)}, false})
	}
	sql := "SELECT " + strings.Join(items, ", ") + " FROM " + quoted(t.Name) + " " + a
	if g.sometimes(2) {
		sql += " WHERE " + g.condition(cols, 1)
	}
	sql += " GROUP BY " + strings.Join(groupBy, ", ")
	if g.sometimes(4) {
		sql += " HAVING count(*) > " + fmt.Sprint(g.rng.IntN(3))
	}
	return sql, out
}

func (g *asker) distinct(t *query.Table, a string, cols []column) (string, []column) {
	list, names, out := units(cols)
	items := make([]string, len(list))
	for i := range list {
		items[i] = list[i] + " AS " + names[i]
	}
	if k := g.plain(cols, relation.Text); k != nil {
		items, out = append(items, k.sql+" AS d1"), append(out, column{".d1", k.c, false})
	}
	return "SELECT DISTINCT " + strings.Join(items, ", ") + " FROM " + quoted(t.Name) + " " + a, out
}

func (g *asker) union(t *query.Table, a string, cols []column) (string, []column) {
	list, names, out := units(cols)
	arm := func(name, alias string, list []string, cols []column) string {
		items := make([]string, len(list))
		for i := range list {
			items[i] = list[i] + " AS " + names[i]
		}
		x := g.number(cols, 1)
		if x == "" {
			x = "1"
		}
		return "SELECT " + strings.Join(append(items, "clamp("+x+", -50, 100) AS x1"), ", ") + " FROM " + quoted(name) + " " + alias
	}
	arms := []string{arm(t.Name, a, list, cols)}
	for _, o := range g.tables(false) {
		b := g.alias()
		more := g.see(o, b)
		if l, _, _ := units(more); len(l) == len(list) && len(arms) < 3 && g.sometimes(2) {
			arms = append(arms, arm(o.Name, b, l, more))
		}
	}
	if len(arms) == 1 {
		arms = append(arms, arms[0])
	}
	out = append(out, column{".x1", query.Column{Name: "x1", Type: relation.NumberType(0, -50, 100), Bounded: true}, false})
	return strings.Join(arms, " UNION ALL "), out
}

// plain is a column of a kind that is no unit.
func (g *asker) plain(cols []column, k relation.Kind) *column {
	var of []*column
	for i, c := range cols {
		if c.c.Type.Kind == k && !c.unit && !c.c.NoKey {
			of = append(of, &cols[i])
		}
	}
	if len(of) == 0 {
		return nil
	}
	return of[g.rng.IntN(len(of))]
}
