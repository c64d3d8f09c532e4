package query_test

import (
	"math/rand/v2"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
)

// randomClinic is a random clinic of units whose rows are within all declared bounds. One in shared stays has the number of another.
func randomClinic(r *rand.Rand, patients, shared int) relationtest.Tables {
	maybe := func(v any) any {
		if r.IntN(8) == 0 {
			return nil
		}
		return v
	}
	pick := func(ws ...string) any { return maybe(ws[r.IntN(len(ws))]) }
	day := func() int64 { return 18262 + r.Int64N(2500) }
	var ps, ss, vs, cs [][]any
	stay := int64(0)
	for i := range int64(patients) {
		ps = append(ps, []any{i, pick("Ann", "Bo", "Cy"), maybe(date(day())), pick("f", "m", "x"), maybe(dec(r.Int64N(3000), 1)), maybe(r.IntN(2) == 0)})
		for range r.IntN(4) {
			in := day()
			ss = append(ss, []any{stay, i, maybe(stamp(in*86400e6 + r.Int64N(86400e6))), maybe(date(in + r.Int64N(20))), pick("icu", "er", "onc"),
				pick("J10", "J11", "A00", "a00", "", "x_%"), maybe(r.Int64N(121)), maybe(dec(r.Int64N(10_000_000), 2)), maybe(r.Int64N(1000) - 500)})
			if shared > 0 && r.IntN(shared) == 0 && stay > 0 {
				ss[len(ss)-1][0] = r.Int64N(stay) // a key that is none: another patient's row has it too
			}
			for range r.IntN(3) {
				vs = append(vs, []any{stay, maybe(r.Int64N(600)), pick("gp", "lab")})
			}
			stay++
		}
	}
	for _, d := range []string{"J10", "J11", "A00", "B99"} {
		cs = append(cs, []any{d, pick("A", "B"), 1 + r.Int64N(5)})
	}
	fields := func(names string) (fs []relation.Field) {
		for _, n := range strings.Fields(names) {
			fs = append(fs, relation.Field{Source: n, As: n, Type: relation.TextType})
		}
		return fs
	}
	return relationtest.Tables{
		{Name: "src.patients", Fields: fields("pid name born sex weight smoker"), Rows: ps},
		{Name: "src.stays", Fields: fields("stay patient_id admitted left_on ward diagnosis age cost code"), Rows: ss},
		{Name: "src.visits", Fields: fields("stay_id minutes kind"), Rows: vs},
		{Name: "src.codes", Fields: fields("diagnosis chapter level"), Rows: cs},
	}
}

func date(day int64) string { return dayText(day) }

// meanings are questions that PostgreSQL is asked as well.
var meanings = []string{
	"SELECT count(*), count(diagnosis), count(DISTINCT patient_id), sum(cost), sum(age) FROM stays",
	"SELECT diagnosis AS k, count(*), sum(cost) FROM stays GROUP BY diagnosis",
	"SELECT ward AS k, count(*) FROM stays GROUP BY ward",
	"SELECT ward AS k1, diagnosis AS k2, count(*), count(age) FROM stays GROUP BY ward, k2",
	"SELECT extract(year FROM admitted)::int AS k1, extract(month FROM admitted)::int AS k2, count(*) FROM stays GROUP BY 1, 2",
	"SELECT extract(dow FROM admitted)::int AS k1, extract(isodow FROM left_on)::int AS k2, count(*) FROM stays GROUP BY 1, 2",
	"SELECT extract(quarter FROM left_on)::int AS k1, extract(day FROM left_on)::int AS k2, count(*) FROM stays GROUP BY 1, 2",
	"SELECT extract(hour FROM admitted)::int AS k, count(*) FROM stays GROUP BY 1",
	"SELECT date_trunc('month', left_on)::date AS k, count(*) FROM stays GROUP BY 1",
	"SELECT date_trunc('week', admitted)::date AS k, count(*) FROM stays GROUP BY 1",
	"SELECT date_trunc('quarter', left_on)::date AS k, count(*) FROM stays GROUP BY 1",
	"SELECT date_trunc('year', left_on)::date AS k, count(*) FROM stays GROUP BY 1",
	"SELECT CASE WHEN age < 18 THEN 'child' WHEN age < 65 THEN 'adult' ELSE 'old' END AS k, count(*) FROM stays GROUP BY 1",
	"SELECT CASE ward WHEN 'icu' THEN 1 WHEN 'er' THEN 2 END AS k, count(*) FROM stays GROUP BY 1",
	"SELECT floor(age / 10) * 10 AS k, count(*) FROM stays GROUP BY 1",
	"SELECT floor(code / 7.0) AS k, count(*) FROM stays WHERE code IS NOT NULL GROUP BY 1",
	"SELECT (age - 60) / 10 AS k, (age - 60) % 10 AS k2, count(*) FROM stays WHERE age IS NOT NULL GROUP BY 1, 2",
	"SELECT width_bucket(cost, 1000, 50000, 7) AS k, count(*) FROM stays GROUP BY 1",
	"SELECT coalesce(diagnosis, 'none') AS k, count(*) FROM stays GROUP BY 1",
	"SELECT nullif(diagnosis, 'J10') AS k, count(*) FROM stays GROUP BY 1",
	"SELECT count(*) FILTER (WHERE age > 64), sum(cost) FILTER (WHERE ward = 'icu' AND age IS NOT NULL), count(DISTINCT patient_id) FILTER (WHERE ward = 'er') FROM stays",
	"SELECT p.sex AS k, count(*), sum(s.age) FROM stays s JOIN patients p ON s.patient_id = p.id GROUP BY p.sex",
	"SELECT p.sex AS k, count(*), count(DISTINCT s.patient_id) FROM patients p LEFT JOIN stays s ON p.id = s.patient_id AND s.age > 60 GROUP BY p.sex",
	"SELECT a.ward AS k, count(*) FROM stays a JOIN stays b ON a.patient_id = b.patient_id AND a.stay < b.stay GROUP BY a.ward",
	"SELECT s.ward AS k, sum(v.minutes) FROM visits v JOIN stays s ON v.stay_id = s.stay GROUP BY s.ward",
	"SELECT kind AS k, sum(minutes), count(*) FROM visits GROUP BY kind",
	"SELECT c.chapter AS k, c.level AS k2, count(*) FROM stays s LEFT JOIN codes c USING (diagnosis) GROUP BY 1, 2",
	"SELECT c.chapter AS k, count(*) FROM codes c RIGHT JOIN stays s ON upper(s.diagnosis) = c.diagnosis GROUP BY 1",
	"SELECT count(*), sum(c.level) FROM stays s JOIN codes c ON s.diagnosis = c.diagnosis AND c.level > 2 WHERE c.chapter = 'A'",
	"SELECT count(*) FROM stays s, codes c WHERE s.diagnosis <> c.diagnosis AND s.age > 50",
	"WITH per AS (SELECT patient_id, count(*) AS n, sum(cost) AS c, max(age) AS a, min(left_on) AS l FROM stays GROUP BY patient_id HAVING count(*) > 1) SELECT sum(least(n, 20)), sum(greatest(least(c, 500000), 0)), sum(a), count(l), count(*) FROM per",
	"WITH per (who, n) AS (SELECT patient_id, count(*) FILTER (WHERE ward = 'icu') FROM stays GROUP BY 1) SELECT p.sex AS k, sum(least(n, 50)) FROM per JOIN patients p ON p.id = who GROUP BY 1",
	"WITH every AS (SELECT patient_id AS who, age AS v FROM stays UNION ALL SELECT id, weight FROM patients) SELECT sum(v), count(DISTINCT who) FROM every",
	"SELECT count(*) FROM (SELECT DISTINCT patient_id, ward FROM stays) d",
	"SELECT sum(left_on - admitted::date), count(*) FILTER (WHERE admitted + INTERVAL '36 hours' > left_on) FROM stays",
	"SELECT count(*) FROM stays WHERE admitted >= DATE '2022-01-31' + INTERVAL '1 month' AND left_on < '2024-06-01' AND left_on + 5 > DATE '2022-03-01' - 3",
	"SELECT count(*) FROM stays WHERE left_on - INTERVAL '10 days' > TIMESTAMP '2023-01-01 12:00:00' OR admitted - TIMESTAMP '2023-01-01' BETWEEN INTERVAL '1 day' AND INTERVAL '100 days'",
	"SELECT count(*) FROM stays WHERE diagnosis LIKE 'J1_' OR diagnosis LIKE 'x\\_\\%' OR diagnosis NOT LIKE '%0%'",
	"SELECT count(*) FROM stays WHERE ward NOT IN ('icu', NULL)",
	"SELECT count(*) FROM stays WHERE age IN (1, 50, 70.5, 90) OR age = 12.5 OR cost > 9000.005 AND cost <= 9999.999",
	"SELECT count(*) FROM stays WHERE (age > 50) IS NOT TRUE AND (ward = 'icu') IS DISTINCT FROM (diagnosis = 'J10')",
	"SELECT sum(extract(epoch FROM admitted - TIMESTAMP '2020-01-01')::bigint / 3600) FROM stays",
	"SELECT sum(length(diagnosis)), sum(sign(code)), sum(abs(code)), sum(mod(code, 7)), sum(trunc(cost)), sum(ceil(cost)), sum(round(cost, 1)), sum(round(cost)) FROM (SELECT diagnosis, greatest(least(code, 500), -500) AS code, cost FROM stays WHERE code IS NOT NULL) x WHERE length(diagnosis) < 9",
}
