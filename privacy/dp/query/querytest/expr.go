package querytest

import (
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// key is what an answer may be grouped by.
func (g *asker) key(cols []column) string {
	switch g.rng.IntN(8) {
	case 0:
		if c := g.plain(cols, relation.Truth); c != nil {
			return c.sql
		}
	case 1:
		if m := g.moment(cols); m != "" {
			return g.one("extract(month FROM "+m+")", "extract(year FROM "+m+")", "date_trunc('year', "+m+")", "dayofweek("+m+")", "quarter("+m+")")
		}
	case 2:
		if x := g.number(cols, 1); x != "" {
			return g.one("bucket(clamp("+x+", 0, 100), 20)", "width_bucket("+x+", 0, 100, 4)", "sign("+x+")", "floor(clamp("+x+", -20, 90) / 30)", "mod(clamp("+x+", 0, 9), 3)")
		}
	case 3:
		return g.condition(cols, 1)
	case 4:
		return "CASE WHEN " + g.condition(cols, 1) + " THEN 'x' WHEN " + g.condition(cols, 1) + " THEN 'y' ELSE " + g.one("'z'", "NULL") + " END"
	case 5:
		if x := g.number(cols, 1); x != "" {
			return "clamp(round(" + x + "), 0, 5)"
		}
	}
	if c := g.plain(cols, relation.Text); c != nil {
		return g.one(c.sql, c.sql, c.sql, "lower("+c.sql+")", "upper("+c.sql+")", "coalesce("+c.sql+", 'none')", "nullif("+c.sql+", 'a')", "length("+c.sql+")")
	}
	return ""
}

// measure is an aggregate, or something of aggregates.
func (g *asker) measure(cols []column) string {
	e := g.aggregate(cols)
	switch g.rng.IntN(8) {
	case 0:
		return e + g.one(" + ", " - ", " * ", " / ") + g.aggregate(cols)
	case 1:
		return "CASE WHEN " + e + " > 3 THEN " + e + " END"
	}
	return e
}

func (g *asker) aggregate(cols []column) string {
	e := g.unfiltered(cols)
	if g.sometimes(4) {
		e += " FILTER (WHERE " + g.condition(cols, 1) + ")"
	}
	return e
}

func (g *asker) unfiltered(cols []column) string {
	n := g.rng.IntN(12)
	x := g.bounded(cols)
	switch {
	case n == 0 || x == "":
		return "count(*)"
	case n == 1:
		return "count(" + g.any(cols) + ")"
	case n == 2:
		for _, c := range cols {
			if c.unit {
				return "count(DISTINCT " + c.sql + ")"
			}
		}
		return "count(*)"
	case n <= 5:
		return "sum(" + x + ")"
	case n == 6:
		return "avg(" + x + ")"
	case n == 7:
		return g.one("var_pop", "var_samp", "stddev", "stddev_pop") + "(" + x + ")"
	case n == 8:
		return g.one("min", "max", "median") + "(" + x + ")"
	case n == 9:
		return g.one("quantile("+x+", 0.9)", "percentile_cont(0.25) WITHIN GROUP (ORDER BY "+x+")")
	case n == 10:
		return "histogram(" + x + ", " + g.one("5", "0, 1, 10, 50") + ")"
	}
	if m := g.moment(cols); m != "" {
		return g.one("min", "max", "median") + "(" + m + ")"
	}
	return "count(*)"
}

// bounded is a number with bounds.
func (g *asker) bounded(cols []column) string {
	x := g.number(cols, 2)
	if x == "" || g.sometimes(3) {
		return x
	}
	return fmt.Sprintf("clamp(%s, %s)", x, g.one("0, 10", "-5, 5", "-100, -3", "2, 1000", "0, 1"))
}

// number is an expression that is one.
func (g *asker) number(cols []column, depth int) string {
	c := g.plain(cols, relation.Number)
	leaf := ""
	if c != nil {
		leaf = c.sql
	} else if s := g.plain(cols, relation.Text); s != nil {
		leaf = "length(" + s.sql + ")"
	}
	if depth == 0 || leaf == "" || g.sometimes(3) {
		return leaf
	}
	x, y := g.number(cols, depth-1), g.number(cols, depth-1)
	switch g.rng.IntN(14) {
	case 0:
		return "(clamp(" + x + ", -9, 99)" + g.one(" + ", " - ", " * ") + "clamp(" + y + ", 0, 9))"
	case 1:
		return "(clamp(" + x + ", -9, 99)" + g.one(" / ", " % ") + "clamp(" + y + ", -2, 9))"
	case 2:
		return g.one("abs(", "sign(", "round(", "floor(", "ceil(", "trunc(", "- (") + x + ")"
	case 3:
		return "coalesce(" + x + ", 0)"
	case 4:
		return "nullif(" + x + ", 0)"
	case 5:
		return g.one("least(", "greatest(") + x + ", " + y + ")"
	case 6:
		return "CASE WHEN " + g.condition(cols, depth-1) + " THEN " + x + " ELSE " + g.one("0", "NULL", y) + " END"
	case 7:
		if m := g.moment(cols); m != "" {
			return "extract(" + g.one("year", "month", "day", "hour") + " FROM " + m + ")"
		}
	case 8:
		if m := g.moment(cols); m != "" {
			return "(" + m + "::date - DATE '2020-06-01')"
		}
	case 9:
		if s := g.plain(cols, relation.Text); s != nil {
			return g.one("length("+s.sql+")", "("+s.sql+" = 'a')::int")
		}
	case 10:
		return "(" + x + ")::" + g.one("int", "numeric(9, 2)")
	case 11:
		return "mod(clamp(" + x + ", -50, 50), " + g.one("7", "0", "-3") + ")"
	case 12:
		return "div(" + x + ", " + g.one("7", "2") + ")"
	}
	return x
}

func (g *asker) moment(cols []column) string {
	k := relation.Date
	if g.sometimes(2) {
		k = relation.Time
	}
	c := g.plain(cols, k)
	if c == nil {
		if c = g.plain(cols, relation.Date); c == nil {
			return ""
		}
	}
	return g.one(c.sql, c.sql, "("+c.sql+" + INTERVAL '1 day')")
}

func (g *asker) any(cols []column) string {
	if len(cols) == 0 {
		return "1"
	}
	return cols[g.rng.IntN(len(cols))].sql
}

func (g *asker) condition(cols []column, depth int) string {
	if depth > 0 && g.sometimes(3) {
		return "(" + g.one("NOT ", "") + g.condition(cols, depth-1) + g.one(" AND ", " OR ") + g.condition(cols, depth-1) + ")"
	}
	switch g.rng.IntN(7) {
	case 0:
		return g.any(cols) + g.one(" IS NULL", " IS NOT NULL")
	case 1:
		if m := g.moment(cols); m != "" {
			return m + g.one(" >= ", " < ") + "DATE '2022-03-04'"
		}
	case 2:
		if s := g.plain(cols, relation.Text); s != nil {
			return s.sql + g.one(" LIKE '%a%'", " NOT LIKE '_'", " = 'a'", " <> 'it''s'", " IN ('a', 'b', 'icu')", " IS DISTINCT FROM 'b'")
		}
	case 3:
		if b := g.plain(cols, relation.Truth); b != nil {
			return b.sql + g.one("", " IS TRUE", " IS NOT FALSE")
		}
	case 4:
		if x := g.number(cols, 1); x != "" {
			return x + g.one(" BETWEEN 1 AND 20", " NOT BETWEEN -3 AND 4", " IN (1, 2, 3)", " NOT IN (0)")
		}
	}
	if x := g.number(cols, 1); x != "" {
		return strings.Join([]string{x, g.one("=", "<>", "<", "<=", ">", ">="), g.one("0", "1", "5", "17.5", "-2")}, " ")
	}
	return "TRUE"
}
