package query_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// clinic is a dataset with everything: a table of patients, stays that name them, visits that refer to stays, and a public table of codes.
func clinic() *query.Dataset {
	num := func(lo, hi int64) relation.Type { return relation.NumberType(0, lo, hi) }
	id := relation.Widest(relation.Number, 0)
	words := func(ws ...string) (out []relation.Value) {
		for _, w := range ws {
			out = append(out, relation.Value{Kind: relation.Text, Text: w})
		}
		return out
	}
	day := relation.DateType(18262, 20818) // 2020-01-01 to 2026-12-31
	return &query.Dataset{
		Name: "clinic", Unit: "patient", Formal: true,
		Limits: query.Limits{Rows: 4, MostRows: 20, Groups: 2, MostGroups: 10, MostCells: 1000},
		Tables: []query.Table{
			{Name: "patients", Source: "src.patients", Unit: []string{"id"}, Columns: []query.Column{
				{Name: "id", Source: "pid", Type: id}, {Name: "name", Type: relation.TextType, NoKey: true}, {Name: "born", Type: day, Bounded: true, NoKey: true},
				{Name: "sex", Type: relation.TextType, Values: words("f", "m", "x")}, {Name: "weight", Type: relation.NumberType(1, 0, 3000), Bounded: true},
				{Name: "smoker", Type: relation.TruthType}}},
			{Name: "stays", Source: "src.stays", Unit: []string{"patient_id"}, Time: "admitted", Columns: []query.Column{
				{Name: "stay", Type: id}, {Name: "patient_id", Type: id}, {Name: "admitted", Type: relation.TimeType(18262*86400e6, 20819*86400e6-1), Bounded: true},
				{Name: "left_on", Type: day, Bounded: true}, {Name: "ward", Type: relation.TextType, Values: words("icu", "er", "onc")},
				{Name: "diagnosis", Type: relation.TextType}, {Name: "age", Type: num(0, 120), Bounded: true},
				{Name: "cost", Type: relation.NumberType(2, 0, 10_000_000), Bounded: true}, {Name: "code", Type: relation.Widest(relation.Number, 0)}}},
			{Name: "visits", Source: "src.visits", Via: &query.Reference{Column: "stay_id", Table: "stays", To: "stay"}, Columns: []query.Column{
				{Name: "stay_id", Type: id}, {Name: "minutes", Type: num(0, 600), Bounded: true}, {Name: "kind", Type: relation.TextType}}},
			{Name: "codes", Source: "src.codes", Public: true, Columns: []query.Column{
				{Name: "diagnosis", Type: relation.TextType}, {Name: "chapter", Type: relation.TextType, Values: words("A", "B")},
				{Name: "level", Type: num(1, 5), Bounded: true}}},
		},
	}
}

func compile(t *testing.T, sql string) *query.Plan {
	t.Helper()
	p, err := query.Compile(clinic(), query.Question{Dataset: "clinic", SQL: sql})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return p
}

// The simplest question: what is read, what is bounded, what gets noise.
func TestCountsAndSumsInGroups(t *testing.T) {
	p := compile(t, "SELECT ward, count(*), sum(cost) AS total FROM stays WHERE age >= 18 GROUP BY ward ORDER BY total DESC LIMIT 2")
	r := p.Relation
	if r.Rows != 4 || r.Groups != 2 || len(r.Keys) != 1 || len(r.Unit) != 1 {
		t.Errorf("bounds are rows %d, groups %d, keys %v, unit %v", r.Rows, r.Groups, r.Keys, r.Unit)
	}
	if len(r.Sums) != 2 || r.Sums[0].Op != relation.Count || r.Sums[0].High != 4 || r.Sums[1].Op != relation.Total || r.Sums[1].Low != 0 || r.Sums[1].High != 40_000_000 {
		t.Errorf("sums are %+v", r.Sums)
	}
	if p.Measures[1].Most != 40_000_000 || p.Measures[1].Places != 2 || p.Private() || len(p.Keys[0].Values) != 3 {
		t.Errorf("measures are %+v, keys %+v", p.Measures, p.Keys)
	}
	if p.Limit != 2 || len(p.Order) != 1 || p.Order[0] != (query.Order{Column: 2, Desc: true}) || p.Columns[2].Name != "total" {
		t.Errorf("order %v, limit %d, columns %v", p.Order, p.Limit, p.Columns)
	}
	if len(p.Scans) != 1 || p.Scans[0].Table != "src.stays" || len(p.Scans[0].Fields) != 4 {
		t.Errorf("scans are %+v, want the unit, ward, age and cost of stays", p.Scans)
	}
}

// accepted are questions that are taken: each construct of the language at least once.
var accepted = []string{
	"SELECT count(*) FROM stays",
	"SELECT count(*) AS n, count(diagnosis), count(DISTINCT patient_id), count(DISTINCT patient) FROM stays",
	"SELECT diagnosis, count(*) FROM stays GROUP BY diagnosis HAVING count(*) > 10 ORDER BY 2 DESC",
	"SELECT diagnosis d, ward, avg(age), sum(cost) / count(*) FROM stays GROUP BY 1, ward",
	"SELECT var_pop(age), var_samp(cost), stddev(age), stddev_pop(cost), variance(age) FROM stays",
	"SELECT min(age), max(age), median(age), quantile(cost, 0.9), percentile_cont(0.25) WITHIN GROUP (ORDER BY age) FROM stays",
	"SELECT histogram(age, 10), histogram(age, 0, 18, 65, 120) FROM stays",
	"SELECT count(*) FILTER (WHERE age > 64), sum(CASE WHEN ward = 'icu' THEN cost ELSE 0 END) FROM stays",
	"SELECT extract(year FROM admitted) AS y, extract(month FROM admitted), count(*) FROM stays GROUP BY 1, 2",
	"SELECT date_trunc('month', admitted) AS m, count(*) FROM stays GROUP BY m ORDER BY m",
	"SELECT CASE WHEN age < 18 THEN 'child' WHEN age < 65 THEN 'adult' ELSE 'old' END AS band, count(*) FROM stays GROUP BY band",
	"SELECT floor(age / 10) * 10 AS decade, count(*) FROM stays GROUP BY decade",
	"SELECT width_bucket(age, 0, 100, 5), count(*) FROM stays GROUP BY 1",
	"SELECT bucket(age, 10), count(*) FROM stays GROUP BY 1",
	"SELECT year(left_on), div(age, 20), count(*) FROM stays GROUP BY 1, 2",
	"SELECT age > 30, count(*) FROM stays GROUP BY age > 30",
	"SELECT smoker, avg(weight) FROM patients GROUP BY smoker",
	"SELECT count(*) FROM stays WHERE admitted >= DATE '2024-01-01' AND admitted < '2024-01-01'::date + INTERVAL '1 month'",
	"SELECT count(*) FROM stays WHERE left_on - admitted::date > 3 AND diagnosis LIKE 'J%' AND ward IN ('icu', 'er') AND age BETWEEN 1 AND 99.5",
	"SELECT avg(left_on - admitted::date) FROM stays",
	"SELECT avg(clamp(code, 0, 100)), sum(least(greatest(code, 0), 100)) FROM stays",
	"SELECT p.sex, count(*) FROM stays s JOIN patients p ON s.patient_id = p.id GROUP BY p.sex",
	"SELECT p.sex, count(*) FROM stays s, patients p WHERE s.patient_id = p.id GROUP BY p.sex",
	"SELECT count(DISTINCT p.id) FROM patients p LEFT JOIN stays s ON p.id = s.patient_id AND s.age > 60",
	"SELECT s.ward, sum(v.minutes) FROM visits v JOIN stays s ON v.stay_id = s.stay GROUP BY s.ward",
	"SELECT kind, avg(minutes) FROM visits GROUP BY kind",
	"SELECT c.chapter, count(*) FROM stays s JOIN codes c ON s.diagnosis = c.diagnosis GROUP BY c.chapter",
	"SELECT c.chapter, count(*) FROM stays s LEFT JOIN codes c USING (diagnosis) GROUP BY c.chapter",
	"SELECT c.chapter, avg(s.age) FROM codes c RIGHT JOIN stays s ON lower(s.diagnosis) = c.diagnosis GROUP BY c.chapter",
	"WITH per AS (SELECT patient_id, count(*) AS n, sum(cost) AS c, max(age) AS a FROM stays GROUP BY patient_id HAVING count(*) > 1) SELECT avg(least(n, 20)), sum(clamp(c, 0, 5000)), avg(a) FROM per",
	"SELECT p.sex, avg(x.a) FROM patients p JOIN (SELECT patient_id, avg(age) a FROM stays GROUP BY patient_id) x ON x.patient_id = p.id GROUP BY p.sex",
	"WITH every AS (SELECT patient_id AS who, age AS v FROM stays UNION ALL SELECT id, weight FROM patients) SELECT sum(v), count(DISTINCT who) FROM every",
	"SELECT count(*) FROM (SELECT DISTINCT patient_id, ward FROM stays) d",
	"WITH g AS (SELECT ward, count(*) AS n, avg(cost) AS c FROM stays GROUP BY ward) SELECT ward, round(c, 2), n * 2, n FROM g WHERE n > 10 ORDER BY n LIMIT 1",
	"SELECT coalesce(diagnosis, 'none'), nullif(ward, 'er'), count(*) FROM stays GROUP BY 1, 2",
	"SELECT abs(age - 50), sign(age), length(diagnosis), count(*) FROM stays GROUP BY 1, 2, 3",
	"SELECT round(cost / 10000, 0), mod(age, 7), count(*) FROM stays GROUP BY 2, 1",
	"SELECT sum(ceil(cost)), avg(trunc(cost)), sum(-cost), abs(sum(age) - 50), round(avg(age), 1) FROM stays HAVING true",
	"SELECT avg((admitted > '2024-06-01')::int), avg(extract(epoch FROM admitted - timestamp '2020-01-01') / 3600) FROM stays",
	"SELECT ward IS NOT NULL, diagnosis IS DISTINCT FROM 'x', (age > 3) IS TRUE, count(*) FROM stays GROUP BY 1, 2, 3",
	"SELECT greatest(count(*), 0), coalesce(avg(age), 0), CASE WHEN count(*) > 5 THEN 'many' ELSE 'few' END, nullif(count(*), 0) FROM stays",
	"SELECT year(born), count(*) FROM patients GROUP BY 1",
	"SELECT name LIKE 'A%', count(*) FROM patients GROUP BY 1",
	"SELECT upper(sex), count(*) FROM patients GROUP BY upper(sex)",
	"SELECT max(left_on), median(admitted) FROM stays",
}

func TestWhatIsTaken(t *testing.T) {
	for _, sql := range accepted {
		p, err := query.Compile(clinic(), query.Question{SQL: sql})
		if err != nil {
			t.Errorf("%s\n\t%v", sql, err)
			continue
		}
		if err := relation.Check(&p.Relation); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		declaredOnly(t, sql, p)
		if _, err := p.Price(query.Terms{Epsilon: 1e9, Delta: 1e6, SelectionDelta: 1e6}); err != nil {
			t.Errorf("%s: its price: %v", sql, err)
		}
	}
}

// declaredOnly holds that nothing is asked of the source but declared tables and columns, in their declared types.
func declaredOnly(t *testing.T, sql string, p *query.Plan) {
	t.Helper()
	for _, s := range p.Scans {
		found := false
		for _, table := range clinic().Tables {
			if table.Source != s.Table {
				continue
			}
			found = true
			for _, f := range s.Fields {
				known := false
				for _, c := range table.Columns {
					known = known || (c.Source == f.Source || c.Source == "" && c.Name == f.Source) && c.Type == f.Type
				}
				if !known {
					t.Errorf("%s: reads %s.%s, which is not declared so", sql, s.Table, f.Source)
				}
			}
		}
		if !found {
			t.Errorf("%s: reads %s, which is not declared", sql, s.Table)
		}
	}
}

// refused are questions that are not taken, with the rule and, in the constants, the word SECRET or the number 987654321, which no error may repeat.
var refused = []struct{ rule, sql string }{
	{"aggregate", "SELECT age FROM stays"},
	{"aggregate", "SELECT * FROM stays WHERE ward = 'SECRET'"},
	{"group", "SELECT age, count(*) FROM stays"},
	{"group", "SELECT *, count(*) FROM stays"},
	{"table", "SELECT count(*) FROM secrets"},
	{"column", "SELECT count(*) FROM stays WHERE agee > 987654321"},
	{"column", "SELECT count(*) FROM stays a JOIN stays b ON a.patient_id = b.patient_id WHERE age > 3"},
	{"key", "SELECT patient_id, count(*) FROM stays GROUP BY patient_id"},
	{"key", "SELECT name, count(*) FROM patients GROUP BY name"},
	{"key", "SELECT born, count(*) FROM patients GROUP BY 1"},
	{"key", "SELECT coalesce(born, DATE '2020-01-01'), count(*) FROM patients GROUP BY 1"},
	{"key", "SELECT lower(name), count(*) FROM patients GROUP BY 1"},
	{"join", "SELECT count(*) FROM stays a JOIN stays b ON a.ward = b.ward"},
	{"join", "SELECT count(*) FROM stays a, patients b"},
	{"join", "SELECT count(*) FROM stays a CROSS JOIN patients b"},
	{"join", "SELECT count(*) FROM stays a FULL JOIN patients b ON a.patient_id = b.id"},
	{"join", "SELECT count(*) FROM codes c LEFT JOIN stays s ON s.diagnosis = c.diagnosis"},
	{"join", "SELECT count(*) FROM patients p LEFT JOIN stays s ON p.id = s.patient_id AND p.sex = 'SECRET'"},
	{"union", "SELECT count(*) FROM (SELECT diagnosis FROM stays UNION ALL SELECT diagnosis FROM codes) u"},
	{"union", "SELECT count(*) FROM (SELECT diagnosis, age FROM stays UNION ALL SELECT diagnosis FROM stays) u"},
	{"unit", "SELECT count(*) FROM codes"},
	{"unit", "SELECT avg(n) FROM (SELECT ward, count(*) AS n FROM stays GROUP BY ward) x"},
	{"unit", "SELECT count(*) FROM (SELECT DISTINCT ward FROM stays) x"},
	{"bounds", "SELECT sum(code) FROM stays"},
	{"bounds", "SELECT sum(code + 987654321) FROM stays"},
	{"bounds", "SELECT avg(n) FROM (SELECT patient_id, count(*) AS n FROM stays GROUP BY patient_id) x"},
	{"type", "SELECT sum(diagnosis) FROM stays"},
	{"type", "SELECT sum(age > 987654321) FROM stays"},
	{"type", "SELECT count(*) FROM stays WHERE diagnosis > 'SECRET'"},
	{"type", "SELECT count(*) FROM stays WHERE diagnosis = 987654321"},
	{"type", "SELECT count(*) FROM stays WHERE diagnosis::int = 987654321"},
	{"type", "SELECT count(*) FROM stays WHERE age"},
	{"literal", "SELECT count(*) FROM stays WHERE age = 'SECRET'"},
	{"literal", "SELECT count(*) FROM stays WHERE admitted > 'SECRET'"},
	{"literal", "SELECT count(*) FROM stays WHERE age > 987654321.0123456789"},
	{"literal", "SELECT quantile(age, 987654321) FROM stays"},
	{"aggregate", "SELECT count(DISTINCT ward) FROM stays"},
	{"aggregate", "SELECT sum(DISTINCT age) FROM stays"},
	{"aggregate", "SELECT count(*) FROM stays WHERE count(*) > 987654321"},
	{"aggregate", "SELECT sum(sum(age)) FROM stays"},
	{"cells", "SELECT extract(month FROM admitted), extract(day FROM admitted), extract(hour FROM admitted), count(*) FROM stays GROUP BY 1, 2, 3"},
	{"shape", "SELECT count(*) FROM (SELECT age FROM stays ORDER BY age LIMIT 5) x"},
	{"shape", "SELECT count(*) FROM stays UNION ALL SELECT count(*) FROM patients"},
	{"shape", "SELECT ward, count(*) FROM stays GROUP BY ward ORDER BY avg(age)"},
	{"function", "SELECT round(age, 987654321) * count(*) FROM stays GROUP BY age, bucket(age, 0)"},
}

func TestWhatIsRefused(t *testing.T) {
	for _, r := range refused {
		_, err := query.Compile(clinic(), query.Question{SQL: r.sql})
		e, ok := errors.AsType[*query.Error](err)
		if !ok {
			if s, isSyntax := errors.AsType[*syntax.Error](err); isSyntax {
				t.Logf("%s: by the grammar already: %v", r.sql, s)
				if r.rule != "function" {
					t.Errorf("%s: %v, want rule %s", r.sql, err, r.rule)
				}
				continue
			}
			t.Errorf("%s: error %v, want rule %s", r.sql, err, r.rule)
			continue
		}
		if e.Rule != r.rule || e.Line != 1 || e.Column < 1 {
			t.Errorf("%s\n\t%v, want rule %s and a place", r.sql, err, r.rule)
		}
		if strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "98765") {
			t.Errorf("%s\n\tthe error repeats a constant: %v", r.sql, err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for name, sql := range map[string]string{"simple": accepted[0], "keys": accepted[3], "join": "SELECT p.sex, count(*) FROM stays s JOIN patients p ON s.patient_id = p.id GROUP BY p.sex"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := query.Compile(clinic(), query.Question{SQL: sql}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
