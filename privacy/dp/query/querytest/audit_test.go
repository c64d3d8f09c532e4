package querytest_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
	"github.com/scrimhq/scrim/privacy/dp/query/querytest"
)

var seed = relation.Seed{3, 1, 4, 1, 5, 9, 31: 2}

// clinic has every kind of table: of units, that refer to one, and public; and every kind of column.
func clinic() *query.Dataset {
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
		Limits: query.Limits{Rows: 3, MostRows: 6, Groups: 2, MostGroups: 4, MostCells: 200},
		Tables: []query.Table{
			{Name: "patients", Source: "patients", Unit: []string{"id"}, Columns: []query.Column{
				{Name: "id", Source: "pid", Type: id}, {Name: "name", Type: relation.TextType, NoKey: true}, {Name: "born", Type: day, Bounded: true},
				{Name: "sex", Type: relation.TextType, Values: words("a", "b", "icu")}, {Name: "weight", Type: relation.NumberType(1, 0, 3000), Bounded: true},
				{Name: "smoker", Type: relation.TruthType}}},
			{Name: "stays", Source: "stays", Unit: []string{"patient_id"}, Time: "admitted", Columns: []query.Column{
				{Name: "stay", Type: id}, {Name: "patient_id", Type: id}, {Name: "admitted", Type: relation.TimeType(18262*86400e6, 20819*86400e6-1), Bounded: true},
				{Name: "left_on", Type: day, Bounded: true}, {Name: "ward", Type: relation.TextType, Values: words("icu", "a", "it's")},
				{Name: "diagnosis", Type: relation.TextType}, {Name: "age", Type: relation.NumberType(0, 0, 120), Bounded: true},
				{Name: "balance", Type: relation.NumberType(2, -50_000, 100_000), Bounded: true}, {Name: "code", Type: id}}},
			{Name: "visits", Source: "visits", Via: &query.Reference{Column: "stay_id", Table: "stays", To: "stay"}, Columns: []query.Column{
				{Name: "stay_id", Type: id}, {Name: "minutes", Type: relation.NumberType(0, 0, 600), Bounded: true}, {Name: "kind", Type: relation.TextType}}},
			{Name: "codes", Source: "codes", Public: true, Columns: []query.Column{
				{Name: "diagnosis", Type: relation.TextType}, {Name: "chapter", Type: relation.TextType, Values: words("a", "b")},
				{Name: "level", Type: relation.NumberType(0, 1, 5), Bounded: true}}},
		},
	}
}

func rounds(short, long int) int {
	if os.Getenv("SCRIM_LONG") == "1" {
		return long
	}
	return short
}

// plans are random questions that compile.
func plans(t *testing.T, rng *rand.Rand, d *query.Dataset, n int) []*query.Plan {
	t.Helper()
	var out []*query.Plan
	asked := 0
	for len(out) < n {
		q := querytest.Question(rng, d)
		asked++
		p, err := query.Compile(d, q)
		if err == nil {
			out = append(out, p)
		}
		if asked > 20*n+100 {
			t.Fatalf("of %d questions %d compile", asked, len(out))
		}
	}
	t.Logf("%d of %d questions compile", len(out), asked)
	return out
}

// exam asks an engine, and sees that it is asked something.
func exam(t *testing.T, open func(querytest.Database) (relation.Engine, error), o querytest.ExamOptions) {
	t.Helper()
	examOf(t, clinic(), open, o)
}

func examOf(t *testing.T, d *query.Dataset, open func(querytest.Database) (relation.Engine, error), o querytest.ExamOptions) {
	t.Helper()
	o.Selection = seed
	r, err := querytest.Exam(t.Context(), d, open, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d questions are taken; of %d comparisons %d differ", r.Compiled, r.Asked, r.Compared, r.Differed)
	for _, c := range r.Found {
		t.Errorf("%s\n%s", strings.Join(c.Found, "; "), c.Plan.Canonical())
	}
	if r.Differed < r.Compared/5 || r.Compiled < r.Asked/2 {
		t.Error("this shows too little")
	}
}

func TestOneUnitMovesNoMoreThanDeclared(t *testing.T) {
	open := func(db querytest.Database) (relation.Engine, error) { return db.Engine(), nil }
	exam(t, open, querytest.ExamOptions{Databases: rounds(3, 30), Questions: 40, Seed: 1})
}

// TestOneWindowOfAUnitMovesNoMoreThanDeclared: where units are bounded in time, what is taken out are the rows of a unit in one window, and what it
// has in others stays.
func TestOneWindowOfAUnitMovesNoMoreThanDeclared(t *testing.T) {
	open := func(db querytest.Database) (relation.Engine, error) { return db.Engine(), nil }
	for _, origin := range []time.Time{{}, time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)} {
		d := clinic()
		d.Window, d.Origin = 500*24*time.Hour, origin
		d.Tables[0].Time = "born"
		d.Tables = slices.Delete(d.Tables, 2, 3) // what refers to rows has no window
		examOf(t, d, open, querytest.ExamOptions{Databases: rounds(2, 10), Questions: 30, Seed: 3})

		// Windows that begin elsewhere than the databases have it are found.
		other := *d
		other.Origin = d.Origin.Add(d.Window / 2)
		p, err := query.Compile(&other, query.Question{SQL: "SELECT count(*) FROM stays", Rows: 1})
		if err != nil {
			t.Fatal(err)
		}
		r, err := querytest.Exam(t.Context(), d, open, querytest.ExamOptions{Databases: 20, Neighbours: 6, Units: 20, Questions: -1, Plans: []*query.Plan{p}, Seed: 3})
		if err != nil || len(r.Found) == 0 {
			t.Errorf("windows that begin elsewhere: %+v, %v, want that something is found", r, err)
		}
	}
}
