package relationtest

import (
	"github.com/scrimhq/scrim/data/sql/relation"
)

// expr is a random expression of a kind over the columns. What the constructors refuse is tried anew.
func (g *maker) expr(cols []relation.Column, k relation.Kind, depth int) relation.Expr {
	for range 20 {
		if e, err := g.try(cols, k, depth); err == nil {
			return e
		}
	}
	return g.leaf(cols, k)
}

// leaf is a column of the kind or a constant.
func (g *maker) leaf(cols []relation.Column, k relation.Kind) relation.Expr {
	var of []relation.Column
	for _, c := range cols {
		if c.Type.Kind == k {
			of = append(of, c)
		}
	}
	if len(of) > 0 && g.rng.IntN(5) > 0 {
		c := of[g.rng.IntN(len(of))]
		return &relation.Ref{Name: c.Name, As: c.Type}
	}
	if g.rng.IntN(8) == 0 {
		return relation.NewNull(relation.Widest(k, 0))
	}
	v := relation.Value{Kind: k}
	places := 0
	switch k {
	case relation.Number:
		v.Int, places = g.rng.Int64N(2001)-1000, g.rng.IntN(3)
	case relation.Text:
		v.Text = words[g.rng.IntN(len(words))]
	case relation.Truth:
		v.Int = g.rng.Int64N(2)
	case relation.Date:
		v.Int = g.rng.Int64N(25_000)
	case relation.Time:
		v.Int = g.rng.Int64N(2_000_000_000_000_000)
	}
	c, err := relation.NewConst(v, places)
	if err != nil {
		panic(err)
	}
	return c
}

func (g *maker) try(cols []relation.Column, k relation.Kind, depth int) (relation.Expr, error) {
	if depth == 0 || g.rng.IntN(5) == 0 {
		return g.leaf(cols, k), nil
	}
	if g.rng.IntN(6) == 0 {
		return g.cases(cols, k, depth)
	}
	sub := func(k relation.Kind) relation.Expr { return g.expr(cols, k, depth-1) }
	switch k {
	case relation.Number:
		return g.number(cols, depth)
	case relation.Text:
		return wrap(relation.NewLetters(relation.LettersOp(g.rng.IntN(2)), sub(relation.Text)))
	case relation.Truth:
		return g.truth(cols, depth), nil
	}
	switch g.rng.IntN(4) {
	case 0:
		return wrap(relation.NewShift(sub(k), g.whole(sub(relation.Number))))
	case 1:
		return wrap(relation.NewTrunc(relation.DatePart(g.rng.IntN(8)), sub(k)))
	case 2:
		t := relation.Widest(k, 0)
		return wrap(relation.NewClamp(sub(k), t.Min/3, t.Max/2))
	}
	if k == relation.Date {
		return wrap(relation.NewAsDate(sub(relation.Time)))
	}
	return wrap(relation.NewAsTime(sub(relation.Date)))
}

// wrap keeps a pointer that is none out of an interface.
func wrap[E relation.Expr](e E, err error) (relation.Expr, error) {
	if err != nil {
		return nil, err
	}
	return e, nil
}

// whole takes the places away from a number.
func (g *maker) whole(e relation.Expr) relation.Expr {
	if e.Type().Places == 0 {
		return e
	}
	s, err := relation.NewScale(e, 0)
	if err != nil {
		panic(err)
	}
	return s
}

func (g *maker) number(cols []relation.Column, depth int) (relation.Expr, error) {
	sub := func(k relation.Kind) relation.Expr { return g.expr(cols, k, depth-1) }
	switch g.rng.IntN(8) {
	case 0:
		return wrap(relation.NewPart(relation.DatePart(g.rng.IntN(8)), sub(g.momentKind())))
	case 1:
		k := g.momentKind()
		return wrap(relation.NewBetween(sub(k), sub(k)))
	case 2:
		return wrap(relation.NewLetters(relation.Length, sub(relation.Text)))
	case 3:
		return wrap(relation.NewScale(sub(relation.Number), g.rng.IntN(5)))
	case 4:
		return wrap(relation.NewClamp(sub(relation.Number), -g.rng.Int64N(1000), g.rng.Int64N(1000)))
	case 5:
		return wrap(relation.NewDiv(sub(relation.Number), sub(relation.Number), g.rng.IntN(5)))
	}
	op := relation.ArithOp(g.rng.IntN(7))
	l, r := sub(relation.Number), sub(relation.Number)
	if op != relation.Mul {
		var err error
		if l, r, err = relation.Align(l, r); err != nil {
			return nil, err
		}
	}
	return wrap(relation.NewArith(op, l, r))
}

func (g *maker) momentKind() relation.Kind { return relation.Date + relation.Kind(g.rng.IntN(2)) }

func (g *maker) truth(cols []relation.Column, depth int) relation.Expr {
	for depth > 0 {
		e, err := g.condition(cols, depth)
		if err == nil {
			return e
		}
	}
	return g.leaf(cols, relation.Truth)
}

func (g *maker) condition(cols []relation.Column, depth int) (relation.Expr, error) {
	sub := func(k relation.Kind) relation.Expr { return g.expr(cols, k, depth-1) }
	k := relation.Kind(g.rng.IntN(5))
	switch g.rng.IntN(7) {
	case 0:
		of := []relation.Expr{sub(relation.Truth), sub(relation.Truth)}
		if g.rng.IntN(2) == 0 {
			return relation.NewAnd(of...)
		}
		return relation.NewOr(append(of, sub(relation.Truth))...)
	case 1:
		return wrap(relation.NewNot(sub(relation.Truth)))
	case 2:
		return relation.NewIsNull(sub(k)), nil
	case 3:
		return g.in(sub(k))
	case 4:
		patterns := []string{"", "%", "a%", "%b", "_", "__", "%a_%", `a\%`, `%\_c`, "%'%", "ü%", "日_"}
		return wrap(relation.NewLike(sub(relation.Text), patterns[g.rng.IntN(len(patterns))], '\\'))
	}
	l, r, err := relation.Align(sub(k), sub(k))
	if err != nil {
		return nil, err
	}
	op := relation.CompareOp(g.rng.IntN(6))
	if k == relation.Text || k == relation.Truth {
		op %= 2
	}
	return wrap(relation.NewCompare(op, l, r))
}

func (g *maker) in(x relation.Expr) (relation.Expr, error) {
	var of []relation.Value
	for range 1 + g.rng.IntN(3) {
		if c, ok := g.leaf(nil, x.Type().Kind).(*relation.Const); ok && !c.Value.Null {
			of = append(of, c.Value)
		}
	}
	return wrap(relation.NewIn(x, of...))
}

func (g *maker) cases(cols []relation.Column, k relation.Kind, depth int) (relation.Expr, error) {
	branch := func() relation.Expr {
		e := g.expr(cols, k, depth-1)
		if k == relation.Number {
			e = g.whole(e)
		}
		return e
	}
	whens := []relation.When{{If: g.truth(cols, depth-1), Then: branch()}}
	if g.rng.IntN(2) == 0 {
		whens = append(whens, relation.When{If: g.truth(cols, depth-1), Then: branch()})
	}
	if g.rng.IntN(3) == 0 {
		return wrap(relation.NewCase(whens, nil))
	}
	return wrap(relation.NewCase(whens, branch()))
}
