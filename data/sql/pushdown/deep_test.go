package pushdown_test

import (
	"errors"
	"testing"

	"github.com/scrimhq/scrim/data/sql/dialect"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
)

// deep is steps upon steps, each of which uses the one before more than once, in one expression or in one projection upon another.
func deep(t *testing.T, steps int, stacked bool) (*relation.Bounded, relationtest.Tables) {
	t.Helper()
	table := relationtest.Table{Name: "t", Unit: "u", Fields: []relation.Field{
		{Source: "u", As: "u", Type: relation.NumberType(0, 0, 100), Exact: true}, {Source: "x", As: "x", Type: relation.NumberType(2, -100_000, 100_000)}}}
	for i := range int64(40) {
		table.Rows = append(table.Rows, []any{i % 7, relationtest.Decimal(i*7919%200_000-100_000, 2)})
	}
	must := func(e relation.Expr, err error) relation.Expr {
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	var in relation.Rel = &relation.Scan{Table: "t", Fields: table.Fields}
	x := must(relation.NewRef(in, "x"))
	one := must(relation.NewNumber(3, 2))
	for i := range steps {
		sum := must(relation.NewArith(relation.Add, x, one))
		x = must(relation.NewClamp(sum, -90_000, 90_000))
		if i%5 == 4 {
			x = must(relation.NewScale(must(relation.NewScale(x, 1)), 2))
		}
		if stacked {
			u := must(relation.NewRef(in, "u"))
			p, err := relation.NewProject(in, relation.Named{Name: "u", Expr: u}, relation.Named{Name: "x", Expr: x})
			if err != nil {
				t.Fatal(err)
			}
			in = p
			x = must(relation.NewRef(in, "x"))
		}
	}
	if !stacked {
		p, err := relation.NewProject(in, relation.Named{Name: "u", Expr: must(relation.NewRef(in, "u"))}, relation.Named{Name: "x", Expr: x})
		if err != nil {
			t.Fatal(err)
		}
		in = p
	}
	return &relation.Bounded{In: in, Unit: []string{"u"}, Rows: 9, Sums: []relation.Sum{{Op: relation.Total, Col: "x", Low: -1_000_000, High: 1_000_000}}}, relationtest.Tables{table}
}

// TestWhatIsUsedTwiceIsComputedOnce asks for 60 steps, of which each would be written two or three times.
func TestWhatIsUsedTwiceIsComputedOnce(t *testing.T) {
	for _, stacked := range []bool{false, true} {
		q, tables := deep(t, 60, stacked)
		want, err := relation.Evaluate(t.Context(), q, seed, tables.Open(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, e := range engines(t, tables) {
			if got := run(t, e, q); !same(got, want) {
				t.Errorf("%s, stacked %v: got %v, want %v", name, stacked, got, want)
			}
		}
		for _, d := range []dialect.Dialect{dialect.DuckDB(), dialect.Trino(), dialect.Spark(), dialect.BigQuery(), dialect.Snowflake()} {
			s, err := dialect.Emit(d, q, func(string, string) (dialect.Native, error) { return dialect.Integer, nil })
			if err != nil && !errors.Is(err, dialect.ErrLong) {
				t.Errorf("%s, stacked %v: error = %v", d.Name(), stacked, err)
			}
			t.Logf("%s, stacked %v: %v", d.Name(), stacked, err == nil && len(s.SQL) > 0)
		}
	}
}
