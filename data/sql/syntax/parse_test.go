package syntax

import (
	"errors"
	"testing"
)

// readable are questions, and the one form in which they print.
var readable = [][2]string{
	{"select count(*) from stays", `SELECT count(*) FROM "stays"`},
	{"SELECT ward, COUNT(DISTINCT patient) AS n FROM stays s WHERE age BETWEEN 18 AND 65 GROUP BY ward HAVING count(*) > 3 ORDER BY n DESC NULLS LAST, 1 LIMIT 10;",
		`SELECT "ward", count(DISTINCT "patient") AS "n" FROM "stays" AS "s" WHERE ("age" BETWEEN 18 AND 65) GROUP BY "ward" HAVING (count(*) > 3) ORDER BY "n" DESC NULLS LAST, 1 LIMIT 10`},
	{"WITH c(a) AS (SELECT 1) SELECT * FROM c JOIN d USING (x, y) LEFT JOIN (SELECT 2) e(z) ON c.a = e.z, f",
		`WITH "c" ("a") AS (SELECT 1) SELECT * FROM "c" JOIN "d" USING ("x", "y") LEFT JOIN (SELECT 2) AS "e" ("z") ON ("c"."a" = "e"."z") CROSS JOIN "f"`},
	{"SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FILTER (WHERE y IS NOT NULL) FROM t", `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY "x") FILTER (WHERE ("y" IS NOT NULL)) FROM "t"`},
	{"SELECT -5, - 5.50, +3, -x, -(-5), 5 - -5, .5, 5., 1e3, 1.25e-2, 0x1F, 1_000, 12345678901234567890",
		`SELECT -5, -5.50, 3, (- "x"), 5, (5 - -5), 0.5, 5, 1000, 0.0125, 31, 1000, 12345678901234567890`},
	{"SELECT x::numeric(3,2), CAST(y AS date), DATE '2020-01-01', TIMESTAMP '2020-01-01 10:00', a::int, b::varchar, c::boolean",
		`SELECT CAST("x" AS numeric(3, 2)), CAST("y" AS date), CAST('2020-01-01' AS date), CAST('2020-01-01 10:00' AS timestamp), CAST("a" AS int8), CAST("b" AS text), CAST("c" AS bool)`},
	{"SELECT d + INTERVAL '1 year 2 mons 3 days 04:05:06.5', d - INTERVAL '2' MONTH, INTERVAL '-1.5 hours'",
		`SELECT ("d" + INTERVAL '14 months 3 days 14706.5 seconds'), ("d" - INTERVAL '2 months 0 days 0 seconds'), INTERVAL '0 months 0 days -5400 seconds'`},
	{"SELECT NOT a AND b OR c IS NOT TRUE OR d IS UNKNOWN OR e IS NOT DISTINCT FROM f", `SELECT (((((NOT "a") AND "b") OR ("c" IS NOT TRUE)) OR ("d" IS NULL)) OR ("e" IS NOT DISTINCT FROM "f"))`},
	{`SELECT a LIKE 'x!%' ESCAPE '!', a NOT LIKE 'b_', 'it''s', E'a\nb'`, "SELECT (\"a\" LIKE 'x!%' ESCAPE '!'), (\"a\" NOT LIKE 'b_'), 'it''s', 'a\nb'"},
	{"SELECT a IN (1, 2), b NOT IN ('x'), c NOT BETWEEN 1 AND 2, a <> b, a != b", `SELECT ("a" IN (1, 2)), ("b" NOT IN ('x')), ("c" NOT BETWEEN 1 AND 2), ("a" <> "b"), ("a" <> "b")`},
	{"SELECT extract(year FROM d), date_trunc('month', d), coalesce(a, 0), nullif(a, b), greatest(a, b), LEAST(a, b)",
		`SELECT extract('year' FROM "d"), date_trunc('month', "d"), COALESCE("a", 0), NULLIF("a", "b"), GREATEST("a", "b"), LEAST("a", "b")`},
	{"SELECT CASE a WHEN 1 THEN 2 ELSE 3 END, CASE WHEN a THEN b END", `SELECT CASE "a" WHEN 1 THEN 2 ELSE 3 END, CASE WHEN "a" THEN "b" END`},
	{"(SELECT 1) UNION ALL SELECT 2 UNION ALL (SELECT 3 LIMIT 1)", `(SELECT 1) UNION ALL (SELECT 2) UNION ALL (SELECT 3 LIMIT 1)`},
	{`SELECT t.*, "hours-per-week", S.T.a FROM "S"."T x" -- a remark`, `SELECT "t".*, "hours-per-week", "s"."t"."a" FROM "S"."T x"`},
	{"SELECT DISTINCT a FROM b CROSS JOIN c RIGHT JOIN (d FULL JOIN e ON TRUE) ON NULL LIMIT ALL", `SELECT DISTINCT "a" FROM "b" CROSS JOIN "c" RIGHT JOIN ("d" FULL JOIN "e" ON TRUE) ON NULL`},
}

func TestParseReadsWhatMayBeAsked(t *testing.T) {
	for _, tt := range readable {
		q, err := Parse(tt[0])
		if err != nil {
			t.Errorf("Parse(%s): %v", tt[0], err)
			continue
		}
		if got := q.String(); got != tt[1] {
			t.Errorf("Parse(%s) =\n%s, want\n%s", tt[0], got, tt[1])
		}
		again, err := Parse(q.String())
		if err != nil {
			t.Errorf("reading %s back: %v", q, err)
		} else if shapeOf(again) != shapeOf(q) {
			t.Errorf("read back, %s is %s", q, again)
		}
	}
}

func TestParseSaysWhere(t *testing.T) {
	for _, tt := range []struct {
		text         string
		line, column int
		rule         string
	}{
		{"SELECT a FROM t WINDOW w AS (PARTITION BY a)", 1, 1, "window-function"},
		{"SELECT 'ääää',\n  sum(x) OVER ()", 2, 3, "window-function"},
		{"SELECT 'ää' , ]", 1, 15, "syntax"},
		{"SELECT 1; SELECT 2", 1, 11, "several-statements"},
		{"SELECT a FROM t WHERE b = (SELECT 1)", 1, 27, "subquery"},
	} {
		_, err := Parse(tt.text)
		e, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("Parse(%s) error = %v, want *Error", tt.text, err)
			continue
		}
		if e.Line != tt.line || e.Column != tt.column || e.Rule != tt.rule {
			t.Errorf("Parse(%s): %d:%d %s, want %d:%d %s (%v)", tt.text, e.Line, e.Column, e.Rule, tt.line, tt.column, tt.rule, e)
		}
	}
}
