package relation_test

import (
	"context"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
)

func text(s string) relation.Value { return relation.Value{Kind: relation.Text, Text: s} }

// TestEvaluateByHand follows each rule of Bounded on rows that can be counted with the fingers.
func TestEvaluateByHand(t *testing.T) {
	tables := relationtest.Tables{{Name: "t", Fields: []relation.Field{
		{Source: "u", As: "u", Type: relation.NumberType(0, 0, 9), Exact: true},
		{Source: "k", As: "k", Type: relation.TextType},
		{Source: "v", As: "v", Type: relation.NumberType(0, -100, 100)},
	}, Rows: [][]any{
		{int64(1), "a", int64(10)}, {int64(1), "a", int64(20)}, {int64(1), "a", int64(-4)}, {int64(1), "a", nil},
		{int64(2), "a", int64(5)}, {int64(2), "b", int64(500)},
		{int64(10), "a", int64(7)}, {nil, "a", int64(7)}, // of nobody: 10 is beyond the bounds
		{int64(3), nil, int64(1)},
		{int64(4), "c", nil},
	}}}
	scan, err := relation.NewScan("t", tables[0].Fields...)
	if err != nil {
		t.Fatal(err)
	}
	q := &relation.Bounded{In: scan, Unit: []string{"u"}, Keys: []string{"k"}, Rows: 2,
		Sums: []relation.Sum{
			{Op: relation.Units, High: 1}, {Op: relation.Count, High: 9}, {Op: relation.Count, Col: "v", High: 9},
			{Op: relation.Total, Col: "v", Low: -50, High: 50}, {Op: relation.Share, Col: "v", Low: -50, High: 50},
			{Op: relation.Total, Col: "v", Low: 3, High: 50},
		},
		Bins: []relation.Bins{{Col: "v", Low: 0, Width: 10, Count: 3}}}
	got, err := relation.Evaluate(t.Context(), q, relation.Seed{}, tables.Open(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []relation.Group{
		{Keys: []relation.Value{{Kind: relation.Text, Null: true}}, Units: 1, Sums: []int64{1, 1, 1, 1, 1, 3}, Bins: []map[int]int64{{0: 1}}},
		// Unit 1 has four rows, two of which count; its three values make 26, and two thirds of that are 17.
		{Keys: []relation.Value{text("a")}, Units: 2, Sums: []int64{2, 3, 3, 31, 22, 31}, Bins: got[1].Bins},
		// 500 is 100 to the column and 50 to the sum.
		{Keys: []relation.Value{text("b")}, Units: 1, Sums: []int64{1, 1, 1, 50, 50, 50}, Bins: []map[int]int64{{2: 1}}},
		// A unit without a value has the partial 0, clamped.
		{Keys: []relation.Value{text("c")}, Units: 1, Sums: []int64{1, 1, 0, 0, 0, 3}, Bins: []map[int]int64{{}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Evaluate() =\n%v, want\n%v", got, want)
	}
	// Of the cells 1, 2 and 0 of unit 1 two count, whichever, and the one of unit 2.
	n := int64(0)
	for _, c := range got[1].Bins[0] {
		n += c
	}
	if n != 3 {
		t.Errorf("bins of group a hold %d values, want 2 of unit 1 and 1 of unit 2", n)
	}
	q.Groups = 1
	got, err = relation.Evaluate(t.Context(), q, relation.Seed{}, tables.Open(), nil)
	if err != nil {
		t.Fatal(err)
	}
	units := int64(0)
	for _, g := range got {
		units += g.Units
	}
	if units != 4 {
		t.Errorf("with one group for each unit %d of 4 count", units)
	}
	q.Keys, q.In = nil, &relation.Filter{In: scan, Where: relation.NewTruth(false)}
	got, err = relation.Evaluate(t.Context(), q, relation.Seed{}, tables.Open(), nil)
	if err != nil || len(got) != 1 || got[0].Units != 0 || got[0].Sums[5] != 0 {
		t.Errorf("without keys and rows: %v, %v, want one group of zeros", got, err)
	}
}

// TestCompute holds what SQL engines disagree about.
func TestCompute(t *testing.T) {
	n := func(v int64, places int) relation.Expr {
		c, err := relation.NewNumber(v, places)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	arith := func(op relation.ArithOp, l, r relation.Expr) relation.Expr {
		if op == relation.Div {
			e, err := relation.NewDiv(l, r, 1)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		e, err := relation.NewArith(op, l, r)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	scale := func(x relation.Expr, places int) relation.Expr {
		e, err := relation.NewScale(x, places)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	null := relation.NewNull(relation.NumberType(0, 0, 1))
	no, yes, unknown := relation.NewTruth(false), relation.NewTruth(true), relation.NewNull(relation.TruthType)
	logic := func(e relation.Expr, err error) relation.Expr {
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	const none = -1 << 60
	for i, c := range []struct {
		e    relation.Expr
		want int64
	}{
		{arith(relation.Div, n(-7, 0), n(2, 0)), -35}, {arith(relation.Div, n(-2, 0), n(3, 0)), -6}, {arith(relation.Div, n(2, 0), n(-3, 0)), -6},
		{arith(relation.Div, n(1, 0), n(0, 0)), none}, {arith(relation.Div, n(12345, 4), n(1, 1)), 123}, {arith(relation.Mod, n(-7, 0), n(3, 0)), -1},
		{arith(relation.Mod, n(7, 0), n(-3, 0)), 1}, {arith(relation.Mod, n(7, 0), n(0, 0)), none}, {arith(relation.Mul, n(15, 1), n(-15, 1)), -225},
		{arith(relation.Least, n(1, 0), null), none}, {arith(relation.Greatest, n(-1, 0), n(1, 0)), 1}, {arith(relation.Add, n(1, 0), null), none},
		{scale(n(25, 1), 0), 3}, {scale(n(-25, 1), 0), -3}, {scale(n(24, 1), 0), 2}, {scale(n(-2449, 3), 0), -2}, {scale(n(3, 0), 3), 3000},
		{logic(relation.NewAnd(unknown, no)), 0}, {logic(relation.NewAnd(yes, unknown)), none}, {logic(relation.NewOr(unknown, yes)), 1},
		{logic(relation.NewOr(no, unknown)), none}, {logic(relation.NewOr(no, no)), 0}, {relation.NewIsNull(null), 1}, {relation.NewIsNull(n(1, 0)), 0},
		{logic(relation.NewCase([]relation.When{{If: unknown, Then: n(1, 0)}, {If: no, Then: n(2, 0)}}, nil)), none},
		{logic(relation.NewCase([]relation.When{{If: unknown, Then: n(1, 0)}}, n(3, 0))), 3},
	} {
		got := relation.Compute(c.e, nil, nil)
		if got.Null != (c.want == none) || !got.Null && got.Int != c.want {
			t.Errorf("case %d: %+v, want %d", i, got, c.want)
		}
	}
}

// TestShareIsRoundedTowardsZero, also below it.
func TestShareIsRoundedTowardsZero(t *testing.T) {
	tables := relationtest.Tables{{Name: "t", Fields: []relation.Field{
		{Source: "u", As: "u", Type: relation.TextType}, {Source: "v", As: "v", Type: relation.NumberType(0, -100, 100)},
	}, Rows: [][]any{{"x", int64(-5)}, {"x", int64(-5)}, {"x", int64(-3)}}}}
	q := &relation.Bounded{In: &relation.Scan{Table: "t", Fields: tables[0].Fields}, Unit: []string{"u"}, Rows: 2,
		Sums: []relation.Sum{{Op: relation.Share, Col: "v", Low: -50, High: 50}}}
	got, err := relation.Evaluate(t.Context(), q, relation.Seed{}, tables.Open(), nil)
	if err != nil || got[0].Sums[0] != -8 {
		t.Errorf("two thirds of −13 are %v, %v, want −8", got, err)
	}
}

// TestValuesKeepToTheirTypes computes random relations and looks at every value: the intervals that the constructors followed hold.
func TestValuesKeepToTheirTypes(t *testing.T) {
	values := 0
	for i := range 600 {
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		tables := relationtest.Random(rng, 16)
		q := relationtest.Question(rng, tables)
		rows, err := relation.Rows(t.Context(), q.In, tables.Open())
		if err != nil {
			t.Fatal(err)
		}
		cols := q.In.Columns()
		for _, row := range rows {
			for j, v := range row {
				ty := cols[j].Type
				bounded := ty.Kind == relation.Number || ty.Kind == relation.Date || ty.Kind == relation.Time
				if v.Kind != ty.Kind || !v.Null && bounded && (v.Int < ty.Min || v.Int > ty.Max) {
					t.Fatalf("seed %d: column %d of %v holds %v", i, j, ty, v)
				}
				values++
			}
		}
	}
	if values < 10_000 {
		t.Errorf("only %d values were looked at", values)
	}
}

// TestOneUnitMovesNoMoreThanItsBounds takes each unit away from random tables.
func TestOneUnitMovesNoMoreThanItsBounds(t *testing.T) {
	moved, bound := 0, 0
	for i := range 250 {
		rng := rand.New(rand.NewPCG(2, uint64(i)))
		tables := relationtest.Random(rng, 16)
		q := relationtest.Question(rng, tables)
		all := evaluate(t, q, tables)
		for u := range int64(4) {
			m, b := compareNeighbours(t, q, all, evaluate(t, q, without(tables, u)))
			moved, bound = moved+m, bound+b
		}
	}
	if moved < 300 || bound < 30 {
		t.Errorf("%d groups moved, %d as far as they may: the tables try too little", moved, bound)
	}
}

func evaluate(t *testing.T, q *relation.Bounded, tables relationtest.Tables) map[string]relation.Group {
	t.Helper()
	groups, err := relation.Evaluate(context.Background(), q, relation.Seed{7}, tables.Open(), nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]relation.Group{}
	for _, g := range groups {
		out[string(relation.Encode(nil, g.Keys...))] = g
	}
	return out
}

// without is the tables without the rows of a unit.
func without(tables relationtest.Tables, unit int64) relationtest.Tables {
	out := append(relationtest.Tables(nil), tables...)
	for i := range out {
		if out[i].Public {
			continue
		}
		var rows [][]any
		for _, r := range out[i].Rows {
			if r[0] != unit {
				rows = append(rows, r)
			}
		}
		out[i].Rows = rows
	}
	return out
}

func compareNeighbours(t *testing.T, q *relation.Bounded, with, without map[string]relation.Group) (moved, bound int) {
	t.Helper()
	for code, a := range with {
		b, ok := without[code]
		if !ok {
			b = relation.Group{Sums: make([]int64, len(q.Sums)), Bins: make([]map[int]int64, len(q.Bins))}
		}
		if reflect.DeepEqual(a, b) {
			continue
		}
		moved++
		if d := a.Units - b.Units; d != 1 {
			t.Errorf("a unit less is %d units less in a group", d)
		}
		for i, s := range q.Sums {
			d := a.Sums[i] - b.Sums[i]
			if d < min(s.Low, 0) || d > max(s.High, 0) {
				t.Errorf("sum %d moved beyond [Low, High]", i)
			}
			if d == s.High && s.Op != relation.Units {
				bound++
			}
		}
		for i := range q.Bins {
			n := int64(0)
			for c := range q.Bins[i].Count {
				if a.Bins[i][c] < b.Bins[i][c] {
					t.Errorf("a unit less is more in cell %d", c)
				}
				n += a.Bins[i][c] - b.Bins[i][c]
			}
			if n > q.Rows {
				t.Errorf("bins moved by %d rows, at most %d may", n, q.Rows)
			}
		}
	}
	for code := range without {
		if _, ok := with[code]; !ok {
			t.Errorf("a unit less made a group")
		}
	}
	if len(q.Keys) > 0 && q.Groups > 0 && int64(moved) > q.Groups {
		t.Errorf("one unit moved %d groups, at most %d may", moved, q.Groups)
	}
	return moved, bound
}
