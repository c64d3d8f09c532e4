package dialect

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// SQLite is SQLite from version 3.35 on, on a connection that has the functions of [SQLiteFunctions]. In it a column has a type for each row, all
// sums of 64 bits can fail, and a function may give a number of another kind than it was given; so whatever is no plain integer is left to those.
//
// Truth values are 0 and 1.
type SQLite struct{}

// SQLiteFunctions says which functions a connection must have, and how many arguments each takes. All are deterministic and never fail.
//
//	scrim_number(x, places, low, high, exact)      x as a number of places, as relation.Field reads it
//	scrim_text(x) scrim_truth(x)                   x as text, as 0 or 1
//	scrim_date(x, low, high, exact)                x as a day's number
//	scrim_time(x, low, high, exact)                x as microseconds
//	scrim_rank(seed, n, unit…, group…)             the rank of a group for a unit of n columns: Seed.RankGroup less 2^63
//	scrim_place(seed, n, unit…, group…, cell, i)   the rank of the i-th row in a cell: Seed.RankBin less 2^63
//	scrim_sum(a, b, c, least, most)                a·2^43 + b·2^22 + c, clamped; NULLs are 0
//	scrim_share(a, b, c, n, rows, least, most)     the same times rows/n, rounded towards zero, if n > rows
//	scrim_average(a, b, c, n, up, down, l, m)      the same times up/(n·down), rounded towards zero; NULL if n is 0
//	scrim_length(x)                                characters of a text
var SQLiteFunctions = map[string]int{
	"scrim_number": 5, "scrim_text": 1, "scrim_truth": 1, "scrim_date": 4, "scrim_time": 4, "scrim_rank": -1, "scrim_place": -1,
	"scrim_sum": 5, "scrim_share": 7, "scrim_average": 8, "scrim_length": 1,
}

// Name implements [Dialect].
func (SQLite) Name() string { return "sqlite" }

// Identifier implements [Dialect].
func (SQLite) Identifier(name string) (string, error) { return identifier("sqlite", `"`, name) }

// Table implements [Dialect]: a table of the main database, whose name may have dots in it.
func (d SQLite) Table(name string) (string, error) {
	q, err := table(d, name, 1)
	return "main." + q, err
}

// Number implements [Dialect].
func (SQLite) Number(v int64) string {
	s := strconv.FormatInt(v, 10)
	if v < 0 {
		return "(" + s + ")"
	}
	return s
}

// Text implements [Dialect].
func (SQLite) Text(s string) string {
	if plain(s) {
		return "'" + s + "'"
	}
	return "CAST(X'" + hex.EncodeToString([]byte(s)) + "' AS TEXT)"
}

// Truth implements [Dialect].
func (SQLite) Truth(v bool) string {
	if v {
		return "1"
	}
	return "0"
}

// Null implements [Dialect].
func (SQLite) Null(relation.Kind) string { return "NULL" }

// Parameter implements [Dialect].
func (SQLite) Parameter(n, _ int) string { return fmt.Sprintf("?%d", n+1) }

// ByNumber implements [Dialect].
func (SQLite) ByNumber() bool { return true }

// Words implements [Dialect].
func (SQLite) Words() int { return 0 }

// Read implements [Dialect]. A CASE has no collation and no affinity, whatever the column declares.
func (d SQLite) Read(c string, _ Native, f relation.Field) (string, error) {
	t := f.Type
	exact := d.Truth(f.Exact)
	switch t.Kind {
	case relation.Number:
		return "CASE typeof(" + c + ") WHEN 'integer' THEN " + scaled(d, c, c, f) + " WHEN 'null' THEN NULL ELSE scrim_number(" + c + ", " +
			d.Number(int64(t.Places)) + ", " + d.Number(t.Min) + ", " + d.Number(t.Max) + ", " + exact + ") END", nil
	case relation.Text:
		return "CASE WHEN " + c + " IS NOT NULL THEN scrim_text(" + c + ") END", nil
	case relation.Truth:
		return "CASE WHEN typeof(" + c + ") = 'integer' THEN CASE " + c + " WHEN 1 THEN 1 WHEN 0 THEN 0 END WHEN " + c + " IS NOT NULL THEN scrim_truth(" + c + ") END", nil
	case relation.Date:
		return "CASE WHEN " + c + " IS NOT NULL THEN scrim_date(" + c + ", " + d.Number(t.Min) + ", " + d.Number(t.Max) + ", " + exact + ") END", nil
	case relation.Time:
		return "CASE WHEN " + c + " IS NOT NULL THEN scrim_time(" + c + ", " + d.Number(t.Min) + ", " + d.Number(t.Max) + ", " + exact + ") END", nil
	}
	return "", refuse("sqlite", "a kind of value that is none")
}

// Quo implements [Dialect]: division by zero is NULL.
func (SQLite) Quo(l, r string) string { return l + " / " + r }

// Rem implements [Dialect].
func (SQLite) Rem(l, r string) string { return l + " % " + r }

// Clamp implements [Dialect]: min and max of several arguments are NULL where one is.
func (d SQLite) Clamp(x string, low, high int64, _ bool) string {
	return "min(max(" + x + ", " + d.Number(low) + "), " + d.Number(high) + ")"
}

// Lesser implements [Dialect].
func (SQLite) Lesser(l, r string) string { return "min(" + l + ", " + r + ")" }

// Greater implements [Dialect].
func (SQLite) Greater(l, r string) string { return "max(" + l + ", " + r + ")" }

// Let implements [Dialect]: a subquery without a table is not taken apart.
func (SQLite) Let(x string, f func(string) string) string {
	return twice(x, f, func(x string, f func(string) string) string {
		return "(SELECT " + f("v") + " FROM (SELECT " + x + " AS v))"
	})
}

// Like implements [Dialect] by GLOB, in which case counts.
func (d SQLite) Like(x string, pattern []relation.LikePart) string {
	var b strings.Builder
	for _, p := range pattern {
		switch {
		case p.Many:
			b.WriteByte('*')
		case p.One:
			b.WriteByte('?')
		default:
			b.WriteString(strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(p.Text))
		}
	}
	return x + " GLOB " + d.Text(b.String())
}

// Letters implements [Dialect].
func (SQLite) Letters(op relation.LettersOp, x string) string {
	switch op {
	case relation.Lower:
		return "lower(" + x + ")"
	case relation.Upper:
		return "upper(" + x + ")"
	}
	return "scrim_length(" + x + ")"
}

// Part implements [Dialect].
func (d SQLite) Part(of relation.DatePart, day string) string {
	date := "(" + day + ") * 86400, 'unixepoch'"
	switch of {
	case relation.Year:
		return "CAST(strftime('%Y', " + date + ") AS INTEGER)"
	case relation.Quarter:
		return "(CAST(strftime('%m', " + date + ") AS INTEGER) + 2) / 3"
	case relation.Month:
		return "CAST(strftime('%m', " + date + ") AS INTEGER)"
	}
	return "CAST(strftime('%d', " + date + ") AS INTEGER)"
}

// First implements [Dialect].
func (d SQLite) First(of relation.DatePart, day string) string {
	start := map[relation.DatePart]string{relation.Year: "'start of year'", relation.Month: "'start of month'"}
	if of != relation.Quarter {
		return "CAST(strftime('%s', (" + day + ") * 86400, 'unixepoch', " + start[of] + ") AS INTEGER) / 86400"
	}
	// back by 0, 1 or 2 months from the first of the month
	return d.Let(day, func(v string) string {
		month := "CAST(strftime('%m', (" + v + ") * 86400, 'unixepoch') AS INTEGER)"
		return "CAST(strftime('%s', (" + v + ") * 86400, 'unixepoch', 'start of month', '-' || ((" + month + " - 1) % 3) || ' months') AS INTEGER) / 86400"
	})
}

// thirds are sums of the upper 21, the middle 21 and the lower 22 bits, of which 2^39 rows do not leave 64 bits (see narrow).
func (SQLite) thirds(x string) string {
	return "SUM(" + x + " >> 43), SUM((" + x + " >> 22) & 2097151), SUM(" + x + " & 4194303)"
}

// Sum implements [Dialect].
func (d SQLite) Sum(x string, most, low, high int64) string {
	if most <= narrow {
		return d.Clamp("COALESCE(SUM("+x+"), 0)", low, high, false)
	}
	return "scrim_sum(" + d.thirds(x) + ", " + d.Number(low) + ", " + d.Number(high) + ")"
}

// Share implements [Dialect].
func (d SQLite) Share(x string, most, rows, low, high int64) string {
	if most <= narrow { // |sum · rows| < 2^(24+19+20)
		n, sum := "COUNT("+x+")", "COALESCE(SUM("+x+"), 0)"
		return d.Clamp("CASE WHEN "+n+" <= "+d.Number(rows)+" THEN "+sum+" ELSE "+sum+" * "+d.Number(rows)+" / "+n+" END", low, high, false)
	}
	return "scrim_share(" + d.thirds(x) + ", COUNT(" + x + "), " + d.Number(rows) + ", " + d.Number(low) + ", " + d.Number(high) + ")"
}

// Average implements [Dialect].
func (d SQLite) Average(x string, _, up, down, low, high int64) string {
	return "scrim_average(" + d.thirds(x) + ", COUNT(" + x + "), " + d.Number(up) + ", " + d.Number(down) + ", " + d.Number(low) + ", " + d.Number(high) + ")"
}

// Least implements [Dialect].
func (SQLite) Least(_ relation.Kind, x string) string { return "MIN(" + x + ")" }

// Most implements [Dialect].
func (SQLite) Most(_ relation.Kind, x string) string { return "MAX(" + x + ")" }

// Hash implements [Dialect].
func (d SQLite) Hash(seed []string, unit, group, cell []Hashed) string {
	args := []string{seed[0], d.Number(int64(len(unit)))}
	for _, h := range slices.Concat(unit, group, cell) {
		args = append(args, h.SQL)
	}
	name := "scrim_rank"
	if len(cell) > 0 {
		name = "scrim_place"
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}

// With implements [Dialect]: joins find their rows by an index that SQLite makes, of tables that it can index.
func (SQLite) With(keep, fence bool) (string, string) {
	if keep || fence {
		return "MATERIALIZED ", ""
	}
	return "", ""
}

// Prologue implements [Dialect].
func (SQLite) Prologue() string { return "" }

// Epilogue implements [Dialect].
func (SQLite) Epilogue() string { return "" }
