package query

import (
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
)

const dayMicros = 24 * 60 * 60 * 1_000_000

// made is a number that was computed of others: what its bounds follow from is the caller's to say. One that can be a single thing
// is a constant.
func (b *binder) made(e relation.Expr, of ...value) value {
	v := value{expr: e, low: true, high: true, size: 1}
	constant := true
	for _, o := range of {
		v.size += o.size
		v.low, v.high = v.low && o.bounded(), v.high && o.bounded()
		v.nokey = v.nokey || o.nokey
		c, ok := o.constant()
		constant = constant && ok && !c.Null
	}
	// The bounds of an operation on single values are exact; that of a division by zero is NULL, and stays.
	if t := e.Type(); constant && ordered(t.Kind) && t.Min == t.Max {
		if a, ok := e.(*relation.Arith); !ok || (a.Op != relation.Div && a.Op != relation.Mod) || a.R.Type().Min != 0 {
			if c, err := relation.NewConst(relation.Value{Kind: t.Kind, Int: t.Min}, t.Places); err == nil {
				v.expr, v.domain, v.total, v.size = c, []relation.Value{c.Value}, true, 1
			}
		}
	}
	return v
}

// scaled gives a number so many places; other kinds stay as they are.
func (b *binder) scaled(at syntax.Pos, v value, places int) (value, error) {
	if v.kind() != relation.Number || v.typ().Places == places {
		return v, nil
	}
	s, err := relation.NewScale(v.expr, places)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	out := b.made(s, v)
	out.low, out.high, out.origin = v.low, v.high, nil
	if out.domain == nil {
		out.domain = b.image(v, out, func(n int64) (int64, bool) { return through(s, v, n) })
		out.total = v.total && out.domain != nil
	}
	return out, nil
}

// through computes an expression of one number by making it anew over the constant: bounds of single values are exact.
func through(e relation.Expr, of value, n int64) (int64, bool) {
	c, err := relation.NewConst(relation.Value{Kind: of.kind(), Int: n}, of.typ().Places)
	if err != nil {
		return 0, false
	}
	var t relation.Type
	switch e := e.(type) {
	case *relation.Scale:
		s, err := relation.NewScale(c, e.As.Places)
		if err != nil {
			return 0, false
		}
		t = s.As
	case *relation.Arith:
		l, r := e.L, e.R
		if l == of.expr {
			l = c
		} else if r == of.expr {
			r = c
		} else {
			return 0, false
		}
		var a *relation.Arith
		var err error
		if e.Op == relation.Div {
			a, err = relation.NewDiv(l, r, e.As.Places)
		} else {
			a, err = relation.NewArith(e.Op, l, r)
		}
		if err != nil {
			return 0, false
		}
		t = a.As
	default:
		return 0, false
	}
	return t.Min, t.Min == t.Max
}

// image is the public domain of out, which is f of v's values; nil if v has none.
func (b *binder) image(v, out value, f func(int64) (int64, bool)) []relation.Value {
	if v.domain == nil {
		return nil
	}
	if b.domains += len(v.domain); b.domains > maxMade {
		return nil
	}
	seen := map[relation.Value]bool{}
	var list []relation.Value
	for _, d := range v.domain {
		n := relation.Value{Kind: out.kind(), Null: d.Null}
		if !d.Null {
			var ok bool
			if n.Int, ok = f(d.Int); !ok {
				return nil
			}
		}
		if !seen[n] {
			seen[n] = true
			list = append(list, n)
		}
	}
	return list
}

// natural gives a whole number that was computed and is bounded its public domain: all whole numbers between its bounds, step apart.
func (b *binder) natural(v value, step int64) value {
	t := v.typ()
	if v.domain != nil || !v.bounded() || t.Places != 0 || step <= 0 {
		return v
	}
	if n := t.Max/step - t.Min/step; n < 0 || n >= int64(b.limits.MostCells) {
		return v
	}
	if b.domains += int(t.Max/step-t.Min/step) + 1; b.domains > maxMade {
		return v
	}
	for n := t.Min; n <= t.Max; n += step {
		v.domain = append(v.domain, relation.Value{Kind: t.Kind, Int: n})
		if n > t.Max-step {
			break
		}
	}
	// Names of groups come from the bounds, not from rows: they name nobody.
	v.total, v.nokey = true, false
	return v
}

func (b *binder) negative(at syntax.Pos, v value) (value, error) {
	if v.literal {
		var err error
		if v, err = b.as(at, v, relation.Number); err != nil {
			return value{}, err
		}
	}
	zero, err := b.number(at, 0, 0)
	if err != nil {
		return value{}, err
	}
	months := v.months
	v.months = 0
	zero.span = v.span
	out, err := b.arith(at, "-", zero, v)
	out.months = -months
	return out, err
}

// arith is l op r of numbers, dates, times and spans.
func (b *binder) arith(at syntax.Pos, op string, l, r value) (value, error) {
	if l.span || r.span || moments(l) || moments(r) {
		return b.arithTime(at, op, l, r)
	}
	l, r, err := b.numbers(at, op, l, r)
	if err != nil || l.null || r.null {
		return l, err
	}
	switch op {
	case "+", "-", "%":
		if l, r, err = b.meet(at, l, r); err != nil {
			return value{}, err
		}
	case "*":
		if over := l.typ().Places + r.typ().Places - relation.MaxPlaces; over > 0 {
			if l.typ().Places >= r.typ().Places {
				l, err = b.scaled(at, l, max(l.typ().Places-over, 0))
			} else {
				r, err = b.scaled(at, r, max(r.typ().Places-over, 0))
			}
			if err != nil {
				return value{}, err
			}
		}
	case "/":
		return b.divide(at, l, r)
	}
	code, ok := map[string]relation.ArithOp{"+": relation.Add, "-": relation.Sub, "*": relation.Mul, "%": relation.Mod}[op]
	if !ok {
		return value{}, b.refuse(at, ruleShape, "", "this operator is not taken")
	}
	a, err := relation.NewArith(code, l.expr, r.expr)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	out := b.made(a, l, r)
	switch code {
	case relation.Add:
		out.low, out.high = l.low && r.low, l.high && r.high
	case relation.Sub:
		out.low, out.high = l.low && r.high, l.high && r.low
	case relation.Mod:
		out.low, out.high = r.bounded(), r.bounded()
		return b.natural(out, 1), nil
	}
	return b.mapped(out, a, l, r), nil
}

// mapped gives an operation with a constant the image of the other side's public domain.
func (b *binder) mapped(out value, e relation.Expr, l, r value) value {
	x := l
	if _, ok := l.constant(); ok {
		x = r
	} else if _, ok := r.constant(); !ok {
		return out
	}
	if out.domain == nil && x.domain != nil {
		out.domain = b.image(x, out, func(n int64) (int64, bool) { return through(e, x, n) })
		if out.domain != nil {
			out.total = x.total
		}
	}
	return out
}

// numbers are both sides as numbers. If either is a bare NULL, so is the first that is returned.
func (b *binder) numbers(at syntax.Pos, op string, l, r value) (value, value, error) {
	for _, v := range []*value{&l, &r} {
		if v.literal {
			var err error
			if *v, err = b.as(at, *v, relation.Number); err != nil {
				return value{}, value{}, err
			}
		}
		if !v.null && v.kind() != relation.Number {
			hint := ""
			if v.kind() == relation.Truth {
				hint = "CASE WHEN … THEN 1 ELSE 0 END is a number"
			}
			return value{}, value{}, b.refuse(at, ruleType, hint, "%v is for numbers, and this is %v", op, v.kind())
		}
	}
	if r.null {
		l, r = r, l
	}
	if l.null {
		l.expr = relation.NewNull(relation.NumberType(0, 0, 0))
	}
	return l, r, nil
}

// divide is a quotient: of two whole numbers a whole one, rounded towards zero, as in PostgreSQL; else with four places more than the
// sides have, or as many as fit.
func (b *binder) divide(at syntax.Pos, l, r value) (value, error) {
	least := max(l.typ().Places, r.typ().Places)
	places := least
	if least > 0 {
		places = min(least+4, relation.MaxPlaces)
	}
	d, err := relation.NewDiv(l.expr, r.expr, places)
	for err != nil && places > 1 {
		places--
		d, err = relation.NewDiv(l.expr, r.expr, places)
	}
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	return b.natural(b.quotient(d, l, r), 1), nil
}

// quotient is what is known of a division: by a constant it has the bounds of what is divided.
func (b *binder) quotient(d *relation.Arith, l, r value) value {
	out := b.made(d, l, r)
	if c, ok := r.constant(); ok && !c.Null && c.Int != 0 {
		out.low, out.high = l.low, l.high
		if c.Int < 0 {
			out.low, out.high = l.high, l.low
		}
	}
	return b.mapped(out, d, l, r)
}

// extreme is the least or greatest of several, passing over NULLs, as PostgreSQL does.
func (b *binder) extreme(at syntax.Pos, op relation.ArithOp, vs []value) (value, error) {
	vs, err := b.unify(at, vs)
	if err != nil {
		return value{}, err
	}
	out := vs[0]
	for _, v := range vs[1:] {
		if out.null || v.null {
			if out.null {
				out = v
			}
			continue
		}
		if out, err = b.extremeOf(at, op, out, v); err != nil {
			return value{}, err
		}
	}
	return out, nil
}

func (b *binder) extremeOf(at syntax.Pos, op relation.ArithOp, l, r value) (value, error) {
	both, err := b.exactly(at, op, l, r)
	if err != nil {
		return value{}, err
	}
	conds, branches := []value(nil), []value(nil)
	if _, ok := l.constant(); !ok {
		conds, branches = append(conds, truthOf(relation.NewIsNull(l.expr), l)), append(branches, r)
	}
	if _, ok := r.constant(); !ok {
		conds, branches = append(conds, truthOf(relation.NewIsNull(r.expr), r)), append(branches, l)
	}
	if len(conds) == 0 {
		return both, nil
	}
	// What stands in for the missing one has to keep within what is known of both.
	out, err := b.choose(at, conds, append(branches, both))
	if err != nil {
		return value{}, err
	}
	if _, ok := r.constant(); ok && len(conds) == 1 {
		out.low, out.high = both.low, both.high
	}
	if _, ok := l.constant(); ok && len(conds) == 1 {
		out.low, out.high = both.low, both.high
	}
	out.span = l.span
	return out, nil
}

// exactly is the least or greatest of two, NULL where either is.
func (b *binder) exactly(at syntax.Pos, op relation.ArithOp, l, r value) (value, error) {
	if l.kind() != relation.Number {
		// Of dates and times: by comparing.
		cmp := relation.Le
		if op == relation.Greatest {
			cmp = relation.Ge
		}
		c, err := b.compare(at, cmp, l, r)
		if err != nil {
			return value{}, err
		}
		v, err := b.choose(at, []value{c}, []value{l, r})
		v.low, v.high = sides(op, l, r)
		return v, err
	}
	a, err := relation.NewArith(op, l.expr, r.expr)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	out := b.made(a, l, r)
	out.low, out.high = sides(op, l, r)
	out.span = l.span
	return b.mapped(out, a, l, r), nil
}

// sides are which bounds of the least or greatest of two are known.
func sides(op relation.ArithOp, l, r value) (low, high bool) {
	if op == relation.Least {
		return l.low && r.low, l.high || r.high
	}
	return l.low || r.low, l.high && r.high
}
