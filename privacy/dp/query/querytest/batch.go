package querytest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// AuditBatch is [Audit] of what several questions are measured of where they share measurements. Groups are compared as the cells that they are
// measured in, in which all values of a key that are not declared are one.
func AuditBatch(ctx context.Context, b *query.Batch, seed relation.Seed, with, without relation.Engine) (Moved, []string) {
	p := b.Measured()
	if p == nil {
		return Moved{}, nil // then it is each question's own plan that is computed
	}
	s := subject{p, 1, func(keys []relation.Value) string { return fmt.Sprint(b.Cell(keys)) }, true}
	if len(p.Keys) > 0 {
		s.groups = p.Relation.Groups // whatever the domain: it is what the noise is made for
	}
	return compared(ctx, s, seed, with, without)
}

// Batch is random marginals of the same rows, by keys that mostly have a declared domain.
func Batch(rng *rand.Rand, d *query.Dataset) query.Question {
	g := &asker{rng: rng, d: d}
	from, cols, where := g.from(1)
	for range g.rng.IntN(2) {
		where = append(where, g.condition(cols, 1))
	}
	var keys []string
	for range 1 + g.rng.IntN(3) {
		if k := g.declared(cols); k != "" && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	rest := " FROM " + from
	if len(where) > 0 {
		rest += " WHERE " + strings.Join(where, " AND ")
	}
	q := query.Question{Dataset: d.Name}
	for i := range 2 + g.rng.IntN(3) {
		var by []string
		for _, k := range keys {
			if i == 0 || g.sometimes(2) { // the first is by all
				by = append(by, k)
			}
		}
		items := slices.Clone(by)
		for range 1 + g.rng.IntN(2) {
			items = append(items, g.summed(cols))
		}
		sql := "SELECT " + strings.Join(items, ", ") + rest
		if len(by) > 0 {
			sql += " GROUP BY " + strings.Join(by, ", ")
		}
		if len(g.with) > 0 {
			sql = "WITH " + strings.Join(g.with, ", ") + " " + sql
		}
		q.Queries = append(q.Queries, query.Query{SQL: sql, Weight: 1 + g.rng.Int64N(4)})
	}
	if g.sometimes(2) {
		q.Rows = 1 + rng.Int64N(max(d.Limits.MostRows, 1))
	}
	if g.sometimes(2) {
		q.Groups = 1 + rng.Int64N(max(d.Limits.MostGroups, 1))
	}
	return q
}

// declared is a key that is likely to have a public domain.
func (g *asker) declared(cols []column) string {
	var of []string
	for _, c := range cols {
		if len(c.c.Values) > 0 && !c.unit && !c.c.NoKey {
			of = append(of, c.sql, c.sql, c.sql, g.one(c.sql, "nullif("+c.sql+", 'a')"))
		}
	}
	switch {
	case len(of) > 0 && !g.sometimes(3):
		return of[g.rng.IntN(len(of))]
	case g.sometimes(4):
		return g.key(cols)
	}
	if m := g.moment(cols); m != "" {
		return g.one("extract(month FROM "+m+")", "quarter("+m+")", "dayofweek("+m+")")
	}
	return "(" + g.condition(cols, 1) + ")"
}

// summed is an aggregate that is made of sums.
func (g *asker) summed(cols []column) string {
	e := "count(*)"
	if x := g.number(cols, 1); x != "" && !g.sometimes(3) {
		e = g.one("sum", "sum", "avg", "count", "var_pop") + "(clamp(" + x + ", " + g.one("0, 10", "-5, 5", "-100, -3", "2, 1000", "0, 1") + "))"
	}
	if g.sometimes(4) {
		e += " FILTER (WHERE " + g.condition(cols, 1) + ")"
	}
	return e
}
