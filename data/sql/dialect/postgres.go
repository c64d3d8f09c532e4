package dialect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// Postgres is PostgreSQL from version 14 on, in a database whose encoding is UTF8, with standard_conforming_strings on and TimeZone, DateStyle
// and the like as the engine sets them. Table names are with their schema.
type Postgres struct{}

// Name implements [Dialect].
func (Postgres) Name() string { return "postgres" }

// Identifier implements [Dialect].
func (d Postgres) Identifier(name string) (string, error) { return identifier("postgres", `"`, name) }

// Table implements [Dialect]: "schema.table"; the table may have dots in its name.
func (d Postgres) Table(name string) (string, error) { return table(d, name, 2) }

// Number implements [Dialect].
func (Postgres) Number(v int64) string {
	s := strconv.FormatInt(v, 10)
	if v < 0 {
		return "(" + s + ")::int8"
	}
	return s + "::int8"
}

// Text implements [Dialect].
func (Postgres) Text(s string) string { return `(` + doubled(s) + `::text COLLATE "C")` }

// Truth implements [Dialect].
func (Postgres) Truth(v bool) string { return strings.ToUpper(strconv.FormatBool(v)) }

// Null implements [Dialect].
func (Postgres) Null(k relation.Kind) string {
	switch k {
	case relation.Text:
		return `(NULL::text COLLATE "C")`
	case relation.Truth:
		return "NULL::bool"
	}
	return "NULL::int8"
}

// Parameter implements [Dialect].
func (Postgres) Parameter(word, _ int) string { return fmt.Sprintf("$%d::int8", word+1) }

// ByNumber implements [Dialect].
func (Postgres) ByNumber() bool { return true }

// Words implements [Dialect].
func (Postgres) Words() int { return 2 }

// Quo implements [Dialect].
func (d Postgres) Quo(l, r string) string { return l + " / " + d.divisor(r) }

// Rem implements [Dialect].
func (d Postgres) Rem(l, r string) string { return l + " % " + d.divisor(r) }

// divisor is NULL instead of 0. Constants are known not to be.
func (d Postgres) divisor(r string) string {
	if n, ok := strings.CutSuffix(r, "::int8"); ok && n != "0" && strings.Trim(n, "0123456789") == "" {
		return r
	}
	return "NULLIF(" + r + ", 0)"
}

// Clamp implements [Dialect]. LEAST and GREATEST pass over NULL.
func (d Postgres) Clamp(x string, low, high int64, nullable bool) string {
	if !nullable {
		return "LEAST(GREATEST(" + x + ", " + d.Number(low) + "), " + d.Number(high) + ")"
	}
	return d.Let(x, func(v string) string {
		return "CASE WHEN " + v + " < " + d.Number(low) + " THEN " + d.Number(low) + " WHEN " + v + " > " + d.Number(high) + " THEN " + d.Number(high) + " ELSE " + v + " END"
	})
}

// Lesser implements [Dialect].
func (d Postgres) Lesser(l, r string) string { return d.pick(l, r, "LEAST") }

// Greater implements [Dialect].
func (d Postgres) Greater(l, r string) string { return d.pick(l, r, "GREATEST") }

func (d Postgres) pick(l, r, function string) string {
	if len(l)+len(r) <= short {
		return "CASE WHEN " + l + " IS NOT NULL AND " + r + " IS NOT NULL THEN " + function + "(" + l + ", " + r + ") END"
	}
	return "(SELECT " + function + "(a, b) FROM (SELECT " + l + " AS a, " + r + " AS b OFFSET 0) let WHERE a IS NOT NULL AND b IS NOT NULL)"
}

// Let implements [Dialect]: OFFSET keeps the planner from writing x several times after all.
func (d Postgres) Let(x string, f func(string) string) string {
	return twice(x, f, func(x string, f func(string) string) string {
		return "(SELECT " + f("v") + " FROM (SELECT " + x + " AS v OFFSET 0) let)"
	})
}

// Like implements [Dialect].
func (d Postgres) Like(x string, pattern []relation.LikePart) string {
	return x + " LIKE " + doubled(likePattern(pattern, `\`)) + ` ESCAPE '\'`
}

// likePattern writes a pattern with an escape character.
func likePattern(pattern []relation.LikePart, escape string) string {
	plain := strings.NewReplacer(escape, escape+escape, `%`, escape+`%`, `_`, escape+`_`)
	var b strings.Builder
	for _, p := range pattern {
		switch {
		case p.Many:
			b.WriteByte('%')
		case p.One:
			b.WriteByte('_')
		default:
			b.WriteString(plain.Replace(p.Text))
		}
	}
	return b.String()
}

// Letters implements [Dialect]: by the collation "C" ASCII letters alone have a case.
func (d Postgres) Letters(op relation.LettersOp, x string) string {
	switch op {
	case relation.Lower:
		return `lower(` + x + ` COLLATE "C")`
	case relation.Upper:
		return `upper(` + x + ` COLLATE "C")`
	}
	return "char_length(" + x + ")::int8"
}

// Part implements [Dialect].
func (d Postgres) Part(of relation.DatePart, day string) string {
	return "EXTRACT(" + partNames[of] + " FROM DATE '1970-01-01' + " + day + "::int4)::int8"
}

// First implements [Dialect].
func (d Postgres) First(of relation.DatePart, day string) string {
	return "(date_trunc('" + partNames[of] + "', (DATE '1970-01-01' + " + day + "::int4)::timestamp)::date - DATE '1970-01-01')::int8"
}

var partNames = map[relation.DatePart]string{
	relation.Year: "year", relation.Quarter: "quarter", relation.Month: "month", relation.Day: "day",
}

// Sum implements [Dialect]. PostgreSQL sums int8 in 128 bits and gives numeric, and int4 in 64 bits.
func (d Postgres) Sum(x string, most, low, high int64) string {
	if most <= narrow {
		return d.Clamp("COALESCE(SUM("+x+"::int4), 0)", low, high, false)
	}
	return d.bring("COALESCE(SUM("+x+"), 0)", low, high)
}

// bring clamps a numeric.
func (d Postgres) bring(x string, low, high int64) string {
	return "LEAST(GREATEST(" + x + ", " + strconv.FormatInt(low, 10) + "), " + strconv.FormatInt(high, 10) + ")::int8"
}

// Share implements [Dialect].
func (d Postgres) Share(x string, most, rows, low, high int64) string {
	n, r := "COUNT("+x+")", strconv.FormatInt(rows, 10)
	if most <= narrow { // |sum · rows| < 2^(24+19+20)
		s := "COALESCE(SUM(" + x + "::int4), 0)"
		return d.Clamp("CASE WHEN "+n+" <= "+r+" THEN "+s+" ELSE div("+s+"::numeric * "+r+", "+n+")::int8 END", low, high, false)
	}
	s := "COALESCE(SUM(" + x + "), 0)"
	return d.bring("CASE WHEN "+n+" <= "+r+" THEN "+s+" ELSE div("+s+" * "+r+", NULLIF("+n+", 0)) END", low, high)
}

// Average implements [Dialect].
func (d Postgres) Average(x string, most, up, down, low, high int64) string {
	n := "COUNT(" + x + ")"
	q := "div(SUM(" + x + ") * " + strconv.FormatInt(up, 10) + ", NULLIF(" + n + "::numeric * " + strconv.FormatInt(down, 10) + ", 0))"
	return "CASE WHEN " + n + " > 0 THEN " + d.bring(q, low, high) + " END"
}

// Least implements [Dialect].
func (d Postgres) Least(k relation.Kind, x string) string {
	if k == relation.Truth {
		return "bool_and(" + x + ")"
	}
	return "MIN(" + x + ")"
}

// Most implements [Dialect].
func (d Postgres) Most(k relation.Kind, x string) string {
	if k == relation.Truth {
		return "bool_or(" + x + ")"
	}
	return "MAX(" + x + ")"
}

// Hash implements [Dialect]: the hashes that PostgreSQL partitions tables by, each seeded with the one before. That of a number folds its halves
// together, so that NULL stands for a number that no small one is alike to; what is alike is ordered by the keys.
func (d Postgres) Hash(seed []string, unit, group, cell []Hashed) string {
	h := "hashint8extended(" + seed[1] + ", " + seed[0] + ")"
	for _, x := range slices.Concat(unit, group, cell) {
		v, function, absent := x.SQL, "hashint8extended", "9167800266760650753"
		switch x.Kind {
		case relation.Text:
			function, absent = "hashtextextended", `'<NULL>' COLLATE "C"`
		case relation.Truth:
			v = x.SQL + "::int4::int8"
		}
		if x.Nullable {
			v = "COALESCE(" + v + ", " + absent + ")"
		}
		h = function + "(" + v + ", " + h + ")"
	}
	return h
}

// With implements [Dialect].
func (d Postgres) With(_, fence bool) (string, string) {
	if fence {
		return "MATERIALIZED ", ""
	}
	return "", ""
}

// Prologue implements [Dialect].
func (Postgres) Prologue() string { return "" }

// Epilogue implements [Dialect].
func (Postgres) Epilogue() string { return "" }
