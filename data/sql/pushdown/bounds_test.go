package pushdown_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
	"github.com/scrimhq/scrim/store/pgtest"
)

// engines opens both over the same tables.
func engines(t *testing.T, tables relationtest.Tables) map[string]relation.Engine {
	p, _ := pg(t, tables)
	return map[string]relation.Engine{"SQLite": lite(t, tables), "PostgreSQL": p}
}

// wideTables has many rows of one unit at both ends of 64 bits.
func wideTables() relationtest.Tables {
	t := relationtest.Table{Name: "wide", Unit: "u", Fields: []relation.Field{
		{Source: "u", As: "u", Type: relation.NumberType(0, 0, 100), Exact: true},
		{Source: "x", As: "x", Type: relation.NumberType(0, relation.MinNumber, relation.MaxNumber)},
		{Source: "y", As: "y", Type: relation.NumberType(0, -(1 << 24), 1<<24)},
	}}
	for i := range 200 {
		x := any([]int64{math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1, 0, -1, 1}[i%7])
		if u := i % 4; u == 1 {
			x = int64(math.MaxInt64)
		} else if u == 2 {
			x = int64(math.MinInt64)
		} else if u == 3 && i%3 == 0 {
			x = nil
		}
		t.Rows = append(t.Rows, []any{int64(i % 4), x, []int64{1 << 24, -(1 << 24), 7, -7}[i%4]})
	}
	return relationtest.Tables{t}
}

// TestSumsOutgrow64Bits sums what does not fit in them on the way: of a unit, of a group, in a fold.
func TestSumsOutgrow64Bits(t *testing.T) {
	tables := wideTables()
	s, err := relation.NewScan("wide", tables[0].Fields...)
	if err != nil {
		t.Fatal(err)
	}
	most := relation.NumberType(0, relation.MinNumber, relation.MaxNumber)
	fold, err := relation.NewFold(s, []string{"u"}, relation.Agg{Name: "s", Op: relation.SumOf, Col: "x", Type: most}, relation.Agg{Name: "a", Op: relation.AvgOf, Col: "x", Type: most},
		relation.Agg{Name: "b", Op: relation.AvgOf, Col: "y", Type: relation.NumberType(3, -(1<<24)*1000, (1<<24)*1000)})
	if err != nil {
		t.Fatal(err)
	}
	rows := &relation.Bounded{In: s, Unit: []string{"u"}, Rows: 7}
	folded := &relation.Bounded{In: fold, Unit: []string{"u"}, Rows: 1}
	for _, op := range []relation.SumOp{relation.Total, relation.Share} {
		for _, high := range []int64{relation.MaxSum, 1000, 7 << 24} {
			for _, col := range []string{"x", "y"} {
				rows.Sums = append(rows.Sums, relation.Sum{Op: op, Col: col, Low: -high, High: high})
			}
			for _, col := range []string{"s", "a", "b"} {
				folded.Sums = append(folded.Sums, relation.Sum{Op: op, Col: col, Low: -high, High: high})
			}
		}
	}
	for name, e := range engines(t, tables) {
		for _, q := range []*relation.Bounded{rows, folded} {
			for _, keys := range [][]string{nil, {"u"}} {
				q.Keys = keys
				want, err := relation.Evaluate(t.Context(), q, seed, tables.Open(), nil)
				if err != nil {
					t.Fatal(err)
				}
				if got := run(t, e, q); !same(got, want) {
					t.Errorf("%s:\n got %v\nwant %v", name, got, want)
				}
			}
		}
	}
}

// TestOneUnitMovesAnAnswerWithinItsBounds takes units out of random tables, one after the other, where groups and rows have to be chosen.
func TestOneUnitMovesAnAnswerWithinItsBounds(t *testing.T) {
	for round := range rounds(2, 12) {
		rng := rand.New(rand.NewPCG(uint64(round), 4))
		tables := relationtest.Random(rng, 60)
		var questions []*relation.Bounded
		for len(questions) < 12 {
			if q := relationtest.Question(rng, tables); q.Groups > 0 && len(q.Keys) > 0 {
				questions = append(questions, q)
			}
		}
		unit := any(int64(rng.IntN(15)))
		without := slices.Clone(tables)
		for i := range without {
			if without[i].Unit != "" {
				without[i].Rows = slices.DeleteFunc(slices.Clone(without[i].Rows), func(row []any) bool { return row[0] == unit })
			}
		}
		all, less := engines(t, tables), engines(t, without)
		for name, e := range all {
			for _, q := range questions {
				moved(t, name, q, run(t, e, q), run(t, less[name], q))
			}
		}
	}
}

// moved holds the difference of two answers to the bounds of one unit.
func moved(t *testing.T, name string, q *relation.Bounded, a, b []relation.Group) {
	t.Helper()
	of := map[string][2]relation.Group{}
	for _, g := range a {
		k := string(relation.Encode(nil, g.Keys...))
		of[k] = [2]relation.Group{g, of[k][1]}
	}
	for _, g := range b {
		k := string(relation.Encode(nil, g.Keys...))
		of[k] = [2]relation.Group{of[k][0], g}
	}
	changed := int64(0)
	at := func(s []int64, i int) int64 {
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	for _, p := range of {
		differs := p[0].Units != p[1].Units
		for i, s := range q.Sums {
			d := at(p[0].Sums, i) - at(p[1].Sums, i)
			if d < min(s.Low, 0) || d > max(s.High, 0) {
				t.Errorf("%s: one unit moves sum %d of a group by %d, want within %d to %d\n%s", name, i, d, s.Low, s.High, statement(q))
			}
			differs = differs || d != 0
		}
		for i := range q.Bins {
			cells := int64(0)
			for c := range q.Bins[i].Count {
				if d := bin(p[0], i, c) - bin(p[1], i, c); d < 0 {
					t.Errorf("%s: a unit more takes %d from a cell", name, -d)
				} else {
					cells += d
				}
			}
			if cells > q.Rows {
				t.Errorf("%s: one unit has %d rows in the bins of a group, want at most %d", name, cells, q.Rows)
			}
			differs = differs || cells != 0
		}
		if differs {
			changed++
		}
	}
	if changed > q.Groups {
		t.Errorf("%s: one unit moves %d groups, want at most %d\n%s", name, changed, q.Groups, statement(q))
	}
}

func bin(g relation.Group, i, c int) int64 {
	if i < len(g.Bins) {
		return g.Bins[i][c]
	}
	return 0
}

// TestNamesAndConstantsAreNeverSyntax asks about tables, columns and values that would end a statement if they were written as they are.
func TestNamesAndConstantsAreNeverSyntax(t *testing.T) {
	evil := `x"; DROP TABLE victim; --'\`
	values := []string{`'; DROP TABLE victim; --`, `\'; DROP TABLE victim; --`, `" OR 1=1`, `%`, `_`, `*`, `[a`, `?1`, `$1`, `:a`, "\n--", `é`, `\`}
	table := relationtest.Table{Name: evil, Unit: "u", Fields: []relation.Field{
		{Source: evil + "u", As: "u", Type: relation.NumberType(0, 0, 100), Exact: true}, {Source: evil, As: "x", Type: relation.TextType}}}
	for i, v := range values {
		table.Rows = append(table.Rows, []any{int64(i), v})
	}
	victim := relationtest.Table{Name: "victim", Unit: "u", Fields: []relation.Field{{Source: "u", As: "u", Type: relation.NumberType(0, 0, 100), Exact: true}}, Rows: [][]any{{int64(1)}}}
	tables := relationtest.Tables{table, victim}
	for name, e := range engines(t, tables) {
		for _, v := range values {
			s, err := relation.NewScan(table.Name, table.Fields...)
			if err != nil {
				t.Fatal(err)
			}
			ref, _ := relation.NewRef(s, "x")
			in, err := relation.NewIn(ref, relation.Value{Kind: relation.Text, Text: v})
			if err != nil {
				t.Fatal(err)
			}
			like, err := relation.NewLike(ref, strings.NewReplacer(`!`, `!!`, `%`, `!%`, `_`, `!_`).Replace(v)+"%", '!')
			if err != nil {
				t.Fatal(err)
			}
			both, _ := relation.NewAnd(in, like)
			f, err := relation.NewFilter(s, both)
			if err != nil {
				t.Fatal(err)
			}
			q := &relation.Bounded{In: f, Unit: []string{"u"}, Keys: []string{"x"}, Rows: 1, Sums: []relation.Sum{{Op: relation.Units, High: 1}}}
			want, err := relation.Evaluate(t.Context(), q, seed, tables.Open(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := run(t, e, q); !same(got, want) || len(got) != 1 {
				t.Errorf("%s, %q: got %v, want %v", name, v, got, want)
			}
		}
		s, _ := relation.NewScan("victim", victim.Fields...)
		q := &relation.Bounded{In: s, Unit: []string{"u"}, Rows: 1, Sums: []relation.Sum{{Op: relation.Units, High: 1}}}
		if got := run(t, e, q); len(got) != 1 || got[0].Units != 1 {
			t.Errorf("%s: the other table is not what it was: %v", name, got)
		}
	}
}

// TestAViewThatWritesCannot reads a view whose function would write.
func TestAViewThatWritesCannot(t *testing.T) {
	url := pgtest.Common(t).Database(t)
	pgtest.Exec(t, url, "CREATE TABLE log (n int)", "CREATE FUNCTION noted() RETURNS int8 LANGUAGE plpgsql VOLATILE AS $$ BEGIN INSERT INTO public.log VALUES (1); RETURN 1; END $$",
		"CREATE VIEW t AS SELECT noted() AS u, 1::int8 AS x")
	e := postgres(t, url)
	q := hostileQuestion(t, relation.NumberType(0, 0, 5), false)
	if err := e.Run(t.Context(), q, seed, func(relation.Group) error { return nil }); err == nil {
		t.Error("Run() of a view that writes: error = nil")
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM log").Scan(&n); err != nil || n != 0 {
		t.Errorf("it wrote %d rows, %v", n, err)
	}
}

// TestASchemaInTheWay has functions and operators of the user's own where they would be found first.
func TestASchemaInTheWay(t *testing.T) {
	url := pgtest.Common(t).Database(t)
	pgtest.Exec(t, url, "CREATE TABLE t AS SELECT 7::int8 AS u, 3::int8 AS x", "CREATE SCHEMA evil",
		"CREATE FUNCTION evil.hashint8extended(int8, int8) RETURNS int8 LANGUAGE sql AS 'SELECT 1/0::int8'", "CREATE FUNCTION evil.lt(int8, int8) RETURNS bool LANGUAGE sql AS 'SELECT (1/0) > 0'",
		"CREATE OPERATOR evil.< (LEFTARG = int8, RIGHTARG = int8, FUNCTION = evil.lt)",
		"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = evil, pg_catalog, public', current_database()); END $$")
	got := run(t, postgres(t, url), hostileQuestion(t, relation.NumberType(0, 0, 5), false))
	if want := "[{[{number false 3 }] 1 [1 1 3 3] []}]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
