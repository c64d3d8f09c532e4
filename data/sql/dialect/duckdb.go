package dialect

import (
	"regexp"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// DuckDB is DuckDB from version 1.3 on.
func DuckDB() Dialect {
	d := &ansi{
		name: "duckdb", identifier: func(s string) (string, error) { return identifier("duckdb", `"`, s) }, parts: 3,
		text: doubled, bigint: "BIGINT", varchar: "VARCHAR", wide: "HUGEINT",
		bare:      func(x string) string { return "(" + x + " COLLATE C)" },
		parameter: dollar, byNumber: true, words: 2, nulls: false,
		quo:     func(l, r string) string { return l + " // " + r },
		rem:     func(l, r string) string { return l + " % " + r },
		wideQuo: func(l, r string) string { return "(" + l + " // " + r + ")" },
		decimal: func(x string) string { return "TRY_CAST(" + x + " AS DECIMAL(38,18))" },
		double:  func(x string) string { return "TRY_CAST(" + x + " AS DOUBLE)" },
		isNaN:   func(x string) string { return "isnan(" + x + ")" },
		like:    duckLike,
		length:  "length", lower: "lower", upper: "upper", boolMin: "bool_and", boolMax: "bool_or",
		days: func(c string) string { return "CAST(datediff('day', DATE '1970-01-01', " + c + ") AS BIGINT)" },
		micros: func(c string, _ Native) string {
			return "epoch_us(" + c + ")"
		},
		date:   func(c string) string { return "CAST(TRY_CAST(" + c + " AS TIMESTAMP) AS DATE)" },
		moment: func(c string) string { return "TRY_CAST(" + c + " AS TIMESTAMP)" },
		sum:    func(x string) string { return "SUM(" + x + ")" }, // of BIGINT it is HUGEINT
	}
	d.let = func(x string, f func(string) string) string {
		return "(SELECT " + f("v") + " FROM (SELECT " + x + " AS v) AS let)"
	}
	d.part = func(of relation.DatePart, day string) string {
		return partNames[of] + "(DATE '1970-01-01' + CAST(" + day + " AS INTEGER))"
	}
	d.first = func(of relation.DatePart, day string) string {
		return d.days("CAST(date_trunc('" + partNames[of] + "', DATE '1970-01-01' + CAST(" + day + " AS INTEGER)) AS DATE)")
	}
	// hash() of each value is mixed with those before by hashing the pair: its own mixing of several arguments is weak.
	d.hash = func(seed []string, of []Hashed) string {
		h := "hash(CAST(" + seed[1] + " AS BIGINT), CAST(" + seed[0] + " AS BIGINT))"
		for _, x := range of {
			h = "hash(hash(" + x.SQL + ") + (" + h + ")::HUGEINT)"
		}
		return h
	}
	d.with = func(keep, fence bool) (string, string) {
		if keep && fence {
			return "MATERIALIZED ", ""
		}
		return "", ""
	}
	return d
}

// duckLike writes a pattern as a regular expression where it has more than one %: DuckDB's LIKE tries all ways, which takes longer than anybody
// waits for one short text, and so would tell that this text is there. Its regular expressions take time in proportion to the text (RE2).
func duckLike(x string, pattern []relation.LikePart) string {
	many := 0
	for _, p := range pattern {
		if p.Many {
			many++
		}
	}
	if many < 2 {
		return escaped(doubled, ` ESCAPE '\'`)(x, pattern)
	}
	var b strings.Builder
	for _, p := range pattern {
		switch {
		case p.Many:
			b.WriteString(".*")
		case p.One:
			b.WriteByte('.')
		default:
			b.WriteString(regexp.QuoteMeta(p.Text))
		}
	}
	return "regexp_full_match(" + x + ", " + doubled(b.String()) + ", 's')"
}
