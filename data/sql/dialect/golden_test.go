package dialect_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/sql/dialect"
	"github.com/scrimhq/scrim/data/sql/relation"
)

var update = flag.Bool("update", false, "write the golden files anew")

var dialects = []dialect.Dialect{dialect.SQLite{}, dialect.Postgres{}, dialect.DuckDB(), dialect.Trino(), dialect.Spark(), dialect.BigQuery(), dialect.Snowflake()}

// must is for trees that are known to be sound.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// schema is what the tables of the golden questions are.
func schema(table, column string) (dialect.Native, error) {
	return map[string]dialect.Native{
		"patient": dialect.Text, "ward": dialect.Text, "sex": dialect.Text, "age": dialect.Integer, "cost": dialect.Decimal, "pulse": dialect.Float,
		"admitted": dialect.Date, "seen": dialect.Instant, "noted": dialect.Timestamp, "urgent": dialect.Truth, "code": dialect.Text, "name": dialect.Text,
		"weight": dialect.Text, "born": dialect.Text,
	}[column], nil
}

func field(name string, t relation.Type) relation.Field {
	return relation.Field{Source: name, As: name, Type: t}
}

var (
	patient  = relation.Field{Source: "patient", As: "patient", Type: relation.TextType, Exact: true}
	ward     = field("ward", relation.TextType)
	age      = field("age", relation.NumberType(0, 0, 120))
	cost     = field("cost", relation.NumberType(2, -100_000_00, 1_000_000_000_00))
	pulse    = field("pulse", relation.NumberType(1, 0, 300_0))
	admitted = field("admitted", relation.DateType(10957, 25567))
	seen     = field("seen", relation.TimeType(946_684_800_000_000, 2_208_988_800_000_000))
	urgent   = field("urgent", relation.TruthType)
)

func ref(r relation.Rel, name string) relation.Expr { return must(relation.NewRef(r, name)) }

func number(v int64, places int) relation.Expr { return must(relation.NewNumber(v, places)) }

func text(s string) relation.Expr { return must(relation.NewText(s)) }

// questions are written out in every dialect.
var questions = map[string]func() *relation.Bounded{
	"count": func() *relation.Bounded {
		s := must(relation.NewScan("clinic.stays", patient))
		return &relation.Bounded{In: s, Unit: []string{"patient"}, Rows: 3, Sums: []relation.Sum{{Op: relation.Count, High: 3}, {Op: relation.Units, High: 1}}}
	},
	"groups": func() *relation.Bounded {
		s := must(relation.NewScan("clinic.stays", patient, ward, age, cost, urgent))
		old := must(relation.NewCompare(relation.Ge, ref(s, "age"), number(65, 0)))
		f := must(relation.NewFilter(s, must(relation.NewOr(old, ref(s, "urgent")))))
		return &relation.Bounded{In: f, Unit: []string{"patient"}, Keys: []string{"ward", "urgent"}, Rows: 3, Groups: 2, Sums: []relation.Sum{
			{Op: relation.Units, High: 1}, {Op: relation.Count, Col: "age", High: 3}, {Op: relation.Total, Col: "age", High: 360},
			{Op: relation.Total, Col: "cost", Low: -300_000_00, High: 3_000_000_000_00}, {Op: relation.Share, Col: "age", High: 360},
			{Op: relation.Share, Col: "cost", Low: -300_000_00, High: 3_000_000_000_00},
		}}
	},
	"bins": func() *relation.Bounded {
		s := must(relation.NewScan("clinic.stays", patient, ward, age, pulse))
		return &relation.Bounded{In: s, Unit: []string{"patient"}, Keys: []string{"ward"}, Rows: 2, Groups: 1,
			Sums: []relation.Sum{{Op: relation.Units, High: 1}},
			Bins: []relation.Bins{{Col: "age", Low: 0, Width: 8, Count: 16}, {Col: "pulse", Low: 0, Width: 100, Count: 30}}}
	},
	"reading":     reading,
	"exactly":     exactly,
	"expressions": expressions,
	"relations":   relations,
}

// reading reads every kind of column as every kind of value that it may be.
func reading() *relation.Bounded {
	var fields []relation.Field
	add := func(source string, t relation.Type, exact bool) {
		fields = append(fields, relation.Field{Source: source, As: fmt.Sprintf("c%d", len(fields)+1), Type: t, Exact: exact})
	}
	for _, exact := range []bool{true, false} {
		for _, n := range []string{"age", "cost", "pulse", "weight"} {
			if n == "age" || !exact {
				add(n, relation.NumberType(1, -25, 10_005), exact)
			}
		}
		for _, n := range []string{"admitted", "seen", "noted"} {
			add(n, relation.DateType(-719162, 25567), exact)
			add(n, relation.TimeType(-1, 2_208_988_800_000_000), exact)
		}
	}
	for _, n := range []string{"patient", "age", "urgent"} {
		add(n, relation.TextType, false)
		add(n, relation.TruthType, false)
	}
	s := must(relation.NewScan("clinic.stays", append([]relation.Field{patient}, fields...)...))
	q := &relation.Bounded{In: s, Unit: []string{"patient"}, Rows: 1}
	for _, f := range fields {
		q.Sums = append(q.Sums, relation.Sum{Op: relation.Count, Col: f.As, High: 1})
	}
	return q
}

// exactly reads numbers that are none of 64 bits as what names a unit.
func exactly() *relation.Bounded {
	var fields []relation.Field
	for _, n := range []string{"cost", "pulse", "weight"} {
		fields = append(fields, relation.Field{Source: n, As: n, Type: relation.NumberType(1, -25, 10_005), Exact: true})
	}
	return &relation.Bounded{In: must(relation.NewScan("clinic.stays", fields...)), Unit: []string{"cost", "pulse", "weight"}, Rows: 1, Sums: []relation.Sum{{Op: relation.Units, High: 1}}}
}

// expressions uses every expression.
func expressions() *relation.Bounded {
	s := must(relation.NewScan("clinic.stays", patient, ward, age, cost, admitted, seen, urgent))
	a, c, d, t := ref(s, "age"), ref(s, "cost"), ref(s, "admitted"), ref(s, "seen")
	l, r, err := relation.Align(c, a)
	if err != nil {
		panic(err)
	}
	var cols []relation.Named
	add := func(e relation.Expr) {
		cols = append(cols, relation.Named{Name: fmt.Sprintf("e%d", len(cols)+1), Expr: e})
	}
	add(must(relation.NewArith(relation.Add, l, r)))
	add(must(relation.NewArith(relation.Sub, l, r)))
	add(must(relation.NewArith(relation.Mul, a, a)))
	add(must(relation.NewDiv(c, a, 3)))
	add(must(relation.NewDiv(a, c, 0)))
	add(must(relation.NewArith(relation.Mod, a, number(-7, 0))))
	add(must(relation.NewArith(relation.Least, l, r)))
	add(must(relation.NewArith(relation.Greatest, l, r)))
	add(must(relation.NewScale(c, 0)))
	add(must(relation.NewClamp(must(relation.NewArith(relation.Mul, a, a)), 100, 200)))
	add(must(relation.NewCase([]relation.When{{If: must(relation.NewCompare(relation.Lt, a, number(18, 0))), Then: text("child's")}, {If: ref(s, "urgent"), Then: ref(s, "ward")}}, nil)))
	for _, p := range []relation.DatePart{relation.Year, relation.Quarter, relation.Month, relation.Day, relation.DayOfWeek} {
		add(must(relation.NewPart(p, d)))
	}
	add(must(relation.NewPart(relation.Hour, t)))
	add(must(relation.NewPart(relation.Minute, t)))
	for _, p := range []relation.DatePart{relation.Year, relation.Quarter, relation.Month, relation.Week, relation.Day, relation.Hour, relation.Minute} {
		add(must(relation.NewTrunc(p, t)))
	}
	add(must(relation.NewShift(d, a)))
	add(must(relation.NewBetween(must(relation.NewAsDate(t)), d)))
	add(must(relation.NewAsTime(d)))
	for _, op := range []relation.LettersOp{relation.Lower, relation.Upper, relation.Length} {
		add(must(relation.NewLetters(op, ref(s, "ward"))))
	}
	add(must(relation.NewLike(ref(s, "ward"), `a%b_[*?]\%`+"\\_é'", '\\')))
	add(must(relation.NewIn(ref(s, "ward"), relation.Value{Kind: relation.Text, Text: `x'); DROP TABLE stays; --`}, relation.Value{Kind: relation.Text, Text: `\'`})))
	add(must(relation.NewNot(relation.NewIsNull(a))))
	add(relation.NewNull(relation.TextType))
	cols = append(cols, relation.Named{Name: "patient", Expr: ref(s, "patient")})
	p := must(relation.NewProject(s, cols...))
	q := &relation.Bounded{In: p, Unit: []string{"patient"}, Rows: 1}
	for _, n := range cols[:len(cols)-1] {
		q.Sums = append(q.Sums, relation.Sum{Op: relation.Count, Col: n.Name, High: 1})
	}
	return q
}

// relations uses every relation.
func relations() *relation.Bounded {
	first := must(relation.NewScan("clinic.stays", patient, cost, ward))
	second := must(relation.NewScan("clinic.visits", patient, ward, cost))
	both := must(relation.NewUnion(first, second))
	sum := must(relation.FoldType(relation.SumOf, cost.Type, 1000))
	fold := must(relation.NewFold(both, []string{"patient", "ward"},
		relation.Agg{Name: "n", Op: relation.CountRows, Type: relation.NumberType(0, 0, 100)},
		relation.Agg{Name: "some", Op: relation.CountOf, Col: "cost", Type: relation.NumberType(0, 0, 100)},
		relation.Agg{Name: "total", Op: relation.SumOf, Col: "cost", Type: sum},
		relation.Agg{Name: "least", Op: relation.MinOf, Col: "cost", Type: cost.Type},
		relation.Agg{Name: "most", Op: relation.MaxOf, Col: "cost", Type: cost.Type},
		relation.Agg{Name: "mean", Op: relation.AvgOf, Col: "cost", Type: relation.NumberType(4, -100_000_0000, 1_000_000_000_0000)}))
	wards := must(relation.NewScan("public.wards", relation.Field{Source: "code", As: "code", Type: relation.TextType}, relation.Field{Source: "name", As: "name", Type: relation.TextType}))
	named := must(relation.NewJoin(relation.Left, fold, wards, relation.Equal{Left: "ward", Right: "code"}))
	people := must(relation.NewScan("clinic.patients", relation.Field{Source: "patient", As: "who", Type: relation.TextType, Exact: true}, relation.Field{Source: "sex", As: "sex", Type: relation.TextType}))
	all := must(relation.NewJoin(relation.Inner, named, people, relation.Equal{Left: "patient", Right: "who"}))
	return &relation.Bounded{In: all, Unit: []string{"patient"}, Keys: []string{"name", "sex"}, Rows: 1, Groups: 3, Sums: []relation.Sum{
		{Op: relation.Units, High: 1}, {Op: relation.Total, Col: "total", Low: -1000, High: 1000}, {Op: relation.Total, Col: "mean", High: 100},
	}}
}

// TestGoldenSQL holds what each dialect writes to the files under testdata.
func TestGoldenSQL(t *testing.T) {
	for _, d := range dialects {
		for name, q := range questions {
			t.Run(d.Name()+"/"+name, func(t *testing.T) {
				s, err := dialect.Emit(d, q(), schema)
				if name == "exactly" && d.Name() != "sqlite" && d.Name() != "postgres" {
					if !errors.Is(err, dialect.ErrShape) {
						t.Fatalf("Emit() error = %v, want ErrShape: fractions would be rounded, and units become one", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join("testdata", d.Name(), name+".sql")
				got := s.SQL + "\n"
				if *update {
					if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("the statement is not that of %s; look at what changed, then run with -update", path)
				}
			})
		}
	}
}

// TestNoTextOfAQuestionIsSyntax looks for a constant that would end its literal.
func TestNoTextOfAQuestionIsSyntax(t *testing.T) {
	for _, d := range dialects {
		s, err := dialect.Emit(d, expressions(), schema)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(s.SQL, "x'); DROP") {
			t.Errorf("%s: a quote is written as it is", d.Name())
		}
	}
}
