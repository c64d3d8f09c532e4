package query_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// without is the clinic without one patient, and without what refers to that patient's stays and to nobody else's.
func without(ts relationtest.Tables, patient int64) relationtest.Tables {
	out := slices.Clone(ts)
	gone := map[any]bool{}
	keep := func(i int, not func(row []any) bool) {
		out[i].Rows = slices.DeleteFunc(slices.Clone(out[i].Rows), not)
	}
	keep(0, func(r []any) bool { return r[0] == patient })
	keep(1, func(r []any) bool {
		if r[1] == patient {
			gone[r[0]] = true
		}
		return r[1] == patient
	})
	for _, r := range out[1].Rows {
		delete(gone, r[0])
	}
	keep(2, func(r []any) bool { return gone[r[0]] })
	return out
}

// Taking one unit out moves no more groups than are declared, and none of their numbers further than is declared.
func TestOneUnitMovesNoMoreThanIsDeclared(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(11, 12))
	random := 30
	if os.Getenv("SCRIM_LONG") == "1" {
		random = 800
	}
	questions := slices.Clone(accepted)
	for range random {
		questions = append(questions, (&wording{rng}).question())
	}
	moved := 0
	for _, sql := range questions {
		d := clinic()
		p, err := query.Compile(d, query.Question{SQL: sql, Rows: 1 + rng.Int64N(4), Groups: 1 + rng.Int64N(4)})
		if err != nil {
			continue
		}
		tables := randomClinic(rng, 12, 5)
		whole := evaluated(t, p, tables)
		for range 3 {
			if moves(t, sql, p, whole, evaluated(t, p, without(tables, rng.Int64N(12)))) {
				moved++
			}
		}
	}
	if moved < len(questions) {
		t.Errorf("units moved answers %d times in %d questions: too seldom to tell anything", moved, len(questions))
	}
}

func evaluated(t *testing.T, p *query.Plan, tables relationtest.Tables) map[string]relation.Group {
	t.Helper()
	groups, err := relation.Evaluate(t.Context(), &p.Relation, relation.Seed{3}, tables.Open(), nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]relation.Group{}
	for _, g := range groups {
		out[fmt.Sprint(g.Keys)] = g
	}
	return out
}

func moves(t *testing.T, sql string, p *query.Plan, a, b map[string]relation.Group) bool {
	t.Helper()
	most := p.Relation.Groups
	if most == 0 {
		most = 1
		for _, k := range p.Keys {
			most *= int64(len(k.Values))
		}
	}
	changed := int64(0)
	for _, key := range union(a, b) {
		x, y := a[key], b[key]
		same := x.Units == y.Units
		for _, m := range p.Measures {
			d := int64(0)
			if m.Sum >= 0 {
				d = at(x.Sums, m.Sum) - at(y.Sums, m.Sum)
				d = max(d, -d)
			} else {
				d = apart(x.Bins, y.Bins, m.Bins)
			}
			if d > m.Most {
				t.Errorf("%s\n\tone unit moves group %s by %d, and %d is declared", sql, key, d, m.Most)
			}
			same = same && d == 0
		}
		if d := x.Units - y.Units; d > 1 || d < -1 {
			t.Errorf("%s\n\tone unit is %d units of group %s", sql, d, key)
		}
		if !same {
			changed++
		}
	}
	if changed > most {
		t.Errorf("%s\n\tone unit moves %d groups, and %d are declared", sql, changed, most)
	}
	return changed > 0
}

func union(a, b map[string]relation.Group) (keys []string) {
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	return keys
}

func at(sums []int64, i int) int64 {
	if i < len(sums) {
		return sums[i]
	}
	return 0
}

func apart(a, b []map[int]int64, i int) (d int64) {
	var x, y map[int]int64
	if i < len(a) {
		x = a[i]
	}
	if i < len(b) {
		y = b[i]
	}
	for cell := range 4096 {
		n := x[cell] - y[cell]
		d += max(n, -n)
	}
	return d
}

// A row beyond the public domain does not take the place of a group that counts.
func TestWhatIsInNoGroupTakesNoPlace(t *testing.T) {
	t.Parallel()
	tables := randomClinic(rand.New(rand.NewPCG(1, 1)), 0, 0)
	for u := range int64(40) {
		for _, ward := range []any{"icu", "nowhere", "elsewhere", nil} {
			tables[1].Rows = append(tables[1].Rows, []any{u, u, nil, nil, ward, "x", nil, nil, nil})
		}
	}
	p, err := query.Compile(clinic(), query.Question{SQL: "SELECT ward, count(*) FROM stays GROUP BY ward", Groups: 1})
	if err != nil {
		t.Fatal(err)
	}
	groups := evaluated(t, p, tables)
	if len(groups) != 1 {
		t.Errorf("there are %d groups, want the one of the public domain", len(groups))
	}
	for _, g := range groups {
		if g.Sums[0] != 40 {
			t.Errorf("%d of 40 units count in their group", g.Sums[0])
		}
	}
}

// A unit that is bounded in time is a name in a window: the same name in another window is another unit, and windows begin where the owner says.
func TestUnitsBoundedInTime(t *testing.T) {
	t.Parallel()
	d := clinic()
	d.Window, d.Origin = 24*time.Hour, time.Date(2020, 1, 1, 6, 0, 0, 0, time.UTC)
	d.Tables = d.Tables[1:2]
	tables := randomClinic(rand.New(rand.NewPCG(1, 1)), 0, 0)
	for i, at := range []string{"2021-05-05T05:59:59Z", "2021-05-05T06:00:00Z", "2021-05-06T05:59:59Z", "2021-05-06T06:00:00Z", "2019-12-31T00:00:00Z"} {
		tables[1].Rows = append(tables[1].Rows, []any{int64(i), int64(7), at, nil, "icu", "x", nil, nil, nil})
	}
	for _, c := range []struct {
		from, until string
		want        int64
	}{{"", "", 3}, {"2021-05-05T06:00:00Z", "", 2}, {"2021-05-05T06:00:00Z", "2021-05-06T06:00:00Z", 1}, {"", "2021-05-05T06:00:00Z", 1}} {
		q := query.Question{SQL: "SELECT count(DISTINCT patient), count(*) FROM stays", Rows: 4}
		q.From, _ = time.Parse(time.RFC3339, c.from)
		q.Until, _ = time.Parse(time.RFC3339, c.until)
		p, err := query.Compile(d, q)
		if err != nil {
			t.Fatal(err)
		}
		if p.Restricted != (c.from != "" || c.until != "") {
			t.Errorf("from %s until %s: Restricted is %v", c.from, c.until, p.Restricted)
		}
		for _, g := range evaluated(t, p, tables) {
			if g.Units != c.want {
				t.Errorf("from %q until %q: %d units, want %d (a time before the declared ones is nobody's)", c.from, c.until, g.Units, c.want)
			}
		}
	}
	for _, sql := range []string{"SELECT count(DISTINCT patient_id) FROM stays", "SELECT count(*) FROM stays GROUP BY patient_id"} {
		if _, err := query.Compile(d, query.Question{SQL: sql}); err == nil {
			t.Errorf("%s: taken, but the column alone is not the unit", sql)
		}
	}
	if _, err := query.Compile(clinic(), query.Question{SQL: "SELECT count(*) FROM patients", From: time.Now()}); err == nil {
		t.Error("a table without a time was limited to one")
	}
}

// Two patients' stays have one number, so that a visit refers to both. Each sees the visit with its own stay alone, although the question joins
// by the number and does not name the unit.
func TestASharedKeyJoinsNobodyToAnother(t *testing.T) {
	t.Parallel()
	tables := randomClinic(rand.New(rand.NewPCG(1, 1)), 0, 0)
	tables[1].Rows = [][]any{{int64(5), int64(1), nil, nil, "er", "x", nil, nil, nil}, {int64(5), int64(2), nil, nil, "icu", "x", nil, nil, nil}}
	tables[2].Rows = [][]any{{int64(5), int64(30), "gp"}}
	const sql = "SELECT count(*) FILTER (WHERE s.ward = 'icu') FROM visits v JOIN stays s ON v.stay_id = s.stay"
	p, err := query.Compile(clinic(), query.Question{SQL: sql, Rows: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !moves(t, sql, p, evaluated(t, p, tables), evaluated(t, p, without(tables, 2))) {
		t.Error("the patient in the icu does not count")
	}
}
