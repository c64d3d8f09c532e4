package query_test

import (
	"testing"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

func number(n int64, places int) query.Post {
	t := relation.Type{Kind: relation.Number, Places: places}
	return query.PostConst{Value: relation.Value{Kind: relation.Number, Int: n}, Type: t}
}

// evaluate computes an expression over the keys of one group and an exact count.
func evaluate(t *testing.T, e query.Post, keys ...relation.Value) query.Cell {
	t.Helper()
	p := planOf(domain("a"), 1)
	p.Keys, p.Relation.Keys = nil, nil
	for _, k := range keys {
		p.Keys = append(p.Keys, query.Key{Type: relation.Type{Kind: k.Kind}, Values: []relation.Value{k}})
		p.Relation.Keys = append(p.Relation.Keys, "k")
	}
	p.Columns = []query.Output{{Name: "x", Expr: e}}
	pr := priced(t, p, query.Terms{Epsilon: 60 * eps})
	return answered(t, pr, groups{}).Rows[0][0]
}

// Expressions after noise are SQL's, exact: three values of truth, division by zero and NULL, rounding of halves away from zero.
func TestExpressionsAfterNoise(t *testing.T) {
	t.Parallel()
	null := query.PostConst{Value: relation.Value{Null: true}, Type: relation.Type{Kind: relation.Number}}
	yes := query.PostConst{Value: relation.Value{Kind: relation.Truth, Int: 1}, Type: relation.Type{Kind: relation.Truth}}
	maybe := query.PostConst{Value: relation.Value{Null: true}, Type: relation.Type{Kind: relation.Truth}}
	arith := func(op relation.ArithOp, l, r query.Post) query.Post { return query.PostArith{Op: op, L: l, R: r} }
	compare := func(op relation.CompareOp, l, r query.Post) query.Post { return query.PostCompare{Op: op, L: l, R: r} }
	big := number(1<<62-1, 0)
	for _, c := range []struct {
		name string
		e    query.Post
		want string // "NULL"
	}{
		{"third", arith(relation.Div, number(1, 0), number(3, 0)), "0.333333333"},
		{"places", arith(relation.Add, number(150, 2), number(1, 1)), "1.6"},
		{"remainder of the sign of the first", arith(relation.Mod, number(-75, 1), number(2, 0)), "-1.5"},
		{"by zero", arith(relation.Div, number(1, 0), number(0, 0)), "NULL"},
		{"remainder by zero", arith(relation.Mod, number(1, 0), number(0, 0)), "NULL"},
		{"NULL in a sum", arith(relation.Add, number(1, 0), null), "NULL"},
		{"greatest", arith(relation.Greatest, number(1, 0), number(25, 1)), "2.5"},
		{"saturation", arith(relation.Mul, arith(relation.Mul, big, big), arith(relation.Mul, big, big)), "1000000000000000000000000000000"},
		{"half up", query.PostRound{X: number(25, 1)}, "3"},
		{"half down", query.PostRound{X: number(-25, 1)}, "-3"},
		{"to tens", query.PostRound{X: number(1549, 1), Places: -1}, "150"},
		{"round NULL", query.PostRound{X: null}, "NULL"},
		{"less", compare(relation.Lt, number(10, 1), number(11, 1)), "true"},
		{"equal in other places", compare(relation.Eq, number(10, 1), number(100, 2)), "true"},
		{"compare NULL", compare(relation.Eq, null, null), "NULL"},
		{"or", query.PostLogic{Or: true, Of: []query.Post{maybe, yes}}, "true"},
		{"and", query.PostLogic{Of: []query.Post{maybe, yes}}, "NULL"},
		{"and false", query.PostLogic{Of: []query.Post{maybe, query.PostNot{X: yes}}}, "false"},
		{"not NULL", query.PostNot{X: maybe}, "NULL"},
		{"is null", query.PostIsNull{X: null}, "true"},
		{"case", query.PostCase{Whens: []query.PostWhen{{If: maybe, Then: number(1, 0)}, {If: yes, Then: number(2, 0)}}, Else: number(3, 0)}, "2"},
		{"case else", query.PostCase{Whens: []query.PostWhen{{If: maybe, Then: number(1, 0)}}, Else: number(3, 0)}, "3"},
		{"case without else", query.PostCase{Whens: []query.PostWhen{{If: maybe, Then: number(1, 0)}}}, "NULL"},
	} {
		got := "NULL"
		if v := evaluate(t, c.e).Value; v != nil {
			got = *v
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// Keys are shown as they are.
func TestKeysAsText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    relation.Value
		want string
	}{
		{relation.Value{Kind: relation.Text, Text: "a \"b\""}, "a \"b\""},
		{relation.Value{Kind: relation.Truth}, "false"},
		{relation.Value{Kind: relation.Date, Int: 20454}, "2026-01-01"},
		{relation.Value{Kind: relation.Date, Int: -1}, "1969-12-31"},
		{relation.Value{Kind: relation.Time, Int: 1_500_000}, "1970-01-01T00:00:01.5Z"},
		{relation.Value{Kind: relation.Number, Int: -7}, "-7"},
	} {
		if got := evaluate(t, query.PostKey{}, c.v); got.Value == nil || *got.Value != c.want || got.Low != "" {
			t.Errorf("%+v is shown as %+v, want %s", c.v, got, c.want)
		}
	}
	if got := evaluate(t, query.PostKey{}, relation.Value{Null: true}); got.Value != nil {
		t.Errorf("NULL is shown as %s", *got.Value)
	}
}

// HAVING, ORDER BY and LIMIT work on what is noisy.
func TestRowsAreChosenAfterNoise(t *testing.T) {
	t.Parallel()
	p := planOf(domain("a", "b", "c", "d"), 1)
	p.Having = query.PostCompare{Op: relation.Gt, L: query.PostAggregate{}, R: number(500, 0)}
	p.Order, p.Limit = []query.Order{{Column: 1, Desc: true}}, 2
	var e groups
	for i, n := range []int64{1000, 100, 3000, 2000} {
		e = append(e, relation.Group{Keys: domain(string(rune('a' + i))), Units: n, Sums: []int64{n, 0}})
	}
	a := answered(t, priced(t, p, query.Terms{Epsilon: 10 * eps}), e)
	if len(a.Rows) != 2 || *a.Rows[0][0].Value != "c" || *a.Rows[1][0].Value != "d" {
		t.Errorf("rows %+v", a.Rows)
	}
	// A group that there is no row of is not in the answer if its noise does not say so.
	p.Limit = -1
	if a = answered(t, priced(t, p, query.Terms{Epsilon: 10 * eps}), e); len(a.Rows) != 3 || *a.Rows[2][0].Value != "a" {
		t.Errorf("rows %+v", a.Rows)
	}
}

// Averages of nobody are NULL, and so is what is computed of them; averages are within declared bounds.
func TestAggregatesOfFewRows(t *testing.T) {
	t.Parallel()
	pr := priced(t, everyAggregate(2), query.Terms{Epsilon: 5 * eps})
	nulls := 0
	for range 60 {
		a := answered(t, pr, groups{})
		for i, c := range a.Rows[0][2:7] {
			if c.Value == nil {
				nulls++
				if c.Low != "" {
					t.Fatal("NULL has an interval")
				}
				continue
			}
			most := 100.0
			if i == 1 {
				most = 5000 // of a sample: half of the square of the range
			}
			if v := float(t, *c.Value); v < 0 || v > most || float(t, c.Low) < -1e-9 || float(t, c.High) > most+1e-6 {
				t.Fatalf("%s is %+v", a.Columns[2+i].Name, c)
			}
		}
	}
	if nulls == 0 {
		t.Error("no average of nobody was NULL")
	}
}
