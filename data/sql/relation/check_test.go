package relation

import (
	"errors"
	"testing"
)

func visits(t *testing.T) *Scan {
	t.Helper()
	s, err := NewScan("visits",
		Field{Source: "Person", As: "person", Type: NumberType(0, 0, 1<<40), Exact: true},
		Field{Source: "Cost", As: "cost", Type: NumberType(2, 0, 100_000_00)},
		Field{Source: "Ward", As: "ward", Type: TextType},
		Field{Source: "Day", As: "day", Type: DateType(0, 30000)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ref(t *testing.T, r Rel, name string) *Ref {
	t.Helper()
	e, err := NewRef(r, name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestConstructorsRefuse(t *testing.T) {
	s := visits(t)
	cost, ward, day := ref(t, s, "cost"), ref(t, s, "ward"), ref(t, s, "day")
	person := ref(t, s, "person")
	big, _ := NewNumber(1<<62, 2)
	err2 := func(_ any, err error) error { return err }
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"a sum beyond 64 bits", err2(NewArith(Add, big, big)), ErrOverflow},
		{"a product beyond 64 bits", err2(NewArith(Mul, cost, big)), ErrOverflow},
		{"a quotient whose numerator is scaled beyond 64 bits", err2(NewDiv(big, cost, 9)), ErrOverflow},
		{"more places than there are", err2(NewScale(cost, 10)), ErrKind},
		{"places beyond 64 bits", err2(NewScale(big, 9)), ErrOverflow},
		{"a sum of different places", err2(NewArith(Add, cost, person)), ErrShape},
		{"a sum of text", err2(NewArith(Add, ward, ward)), ErrKind},
		{"a division without places", err2(NewArith(Div, cost, cost)), ErrShape},
		{"numbers against text", err2(NewCompare(Eq, cost, ward)), ErrKind},
		{"text in order", err2(NewCompare(Lt, ward, ward)), ErrKind},
		{"a condition that is a number", err2(NewFilter(s, cost)), ErrKind},
		{"the hour of a day", err2(NewPart(Hour, day)), ErrKind},
		{"the week as a number", err2(NewPart(Week, day)), ErrShape},
		{"a pattern that ends in its escape", err2(NewLike(ward, `a\`, '\\')), ErrShape},
		{"text with NUL", err2(NewText("a\x00")), ErrShape},
		{"no such column", err2(NewRef(s, "name")), ErrShape},
		{"columns of one name", err2(NewProject(s, Named{"a", cost}, Named{"a", day})), ErrShape},
		{"a name that is none", err2(NewProject(s, Named{"a b", cost})), ErrShape},
		{"a join of different places", err2(NewJoin(Inner, s, must(NewProject(s, Named{"p", cost})), Equal{"person", "p"})), ErrKind},
		{"sides with common names", err2(NewJoin(Inner, s, s, Equal{"person", "person"})), ErrShape},
		{"arms of different columns", err2(NewUnion(s, must(NewProject(s, Named{"p", cost})))), ErrShape},
		{"a mean of days", err2(NewFold(s, []string{"person"}, Agg{"m", AvgOf, "day", DateType(0, 1)})), ErrKind},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: error = %v, want %v", c.name, c.err, c.want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestCheckRefuses(t *testing.T) {
	s := visits(t)
	cost := ref(t, s, "cost")
	good := Bounded{In: s, Unit: []string{"person"}, Keys: []string{"ward"}, Rows: 1, Groups: 1,
		Sums: []Sum{{Units, "", 0, 1}, {Total, "cost", 0, 100}}, Bins: []Bins{{"cost", 0, 10, 4}}}
	if err := Check(&good); err != nil {
		t.Fatalf("Check() of a sound tree = %v", err)
	}
	inexact := visits(t)
	inexact.Fields[0].Exact = false
	for name, change := range map[string]func(*Bounded){
		"no unit":                           func(q *Bounded) { q.Unit = nil },
		"a unit that is no column":          func(q *Bounded) { q.Unit = []string{"x"} },
		"no rows":                           func(q *Bounded) { q.Rows = 0 },
		"a sum of text":                     func(q *Bounded) { q.Sums[1].Col = "ward" },
		"bounds the wrong way round":        func(q *Bounded) { q.Sums[1].Low = 101 },
		"bounds beyond where sums saturate": func(q *Bounded) { q.Sums[1].High = 1 << 62 },
		"bins without width":                func(q *Bounded) { q.Bins[0].Width = 0 },
		"bins beyond 64 bits":               func(q *Bounded) { q.Bins[0].Width = 1 << 62 },
		"a unit that is clamped":            func(q *Bounded) { q.In = inexact },
		"a unit that is clamped below": func(q *Bounded) {
			q.In = must(NewProject(inexact, Named{"person", ref(t, inexact, "person")}, Named{"ward", ref(t, s, "ward")}, Named{"cost", cost}))
		},
		"a fold over units": func(q *Bounded) {
			f := must(NewFold(s, []string{"ward"}, Agg{"person", MaxOf, "person", NumberType(0, 0, 1<<40)}, Agg{"cost", SumOf, "cost", cost.As}))
			q.In = f
		},
		"a type narrower than its operands": func(q *Bounded) {
			a := must(NewArith(Add, cost, cost))
			a.As.Max--
			q.In = &Filter{s, must(NewCompare(Eq, a, a))}
		},
		"a column as another type": func(q *Bounded) {
			q.In = &Filter{s, must(NewCompare(Eq, &Ref{"cost", NumberType(2, 0, 1)}, cost))}
		},
		"logic that is empty":     func(q *Bounded) { q.In = &Filter{s, &Logic{}} },
		"no expression":           func(q *Bounded) { q.In = &Filter{s, (*Not)(nil)} },
		"an operand too few":      func(q *Bounded) { q.In = &Filter{s, &Not{}} },
		"an arm that is none":     func(q *Bounded) { q.In = &Union{} },
		"a relation that is none": func(q *Bounded) { q.In = &Filter{nil, NewTruth(true)} },
	} {
		q := good
		q.Sums = append([]Sum(nil), good.Sums...)
		q.Bins = append([]Bins(nil), good.Bins...)
		change(&q)
		if Check(&q) == nil {
			t.Errorf("Check() of %s = nil", name)
		}
	}
}
