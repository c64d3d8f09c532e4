package query

import (
	"errors"
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
)

// expr binds an expression over the columns of one row.
func (b *binder) expr(sc *scope, e syntax.Expr) (value, error) {
	if sc.group != nil {
		if v, ok, err := sc.group(e); ok || err != nil {
			return v, err
		}
	}
	v, err := b.bind(sc, e)
	if err != nil {
		return value{}, err
	}
	if v.size > maxSize {
		return value{}, b.refuse(e.At(), ruleSize, "", "this expression is too large")
	}
	return v, nil
}

func (b *binder) bind(sc *scope, e syntax.Expr) (value, error) {
	switch e := e.(type) {
	case *syntax.Column:
		return b.lookup(sc, e)
	case *syntax.Number:
		n, places, ok := parseDecimal(e.Text)
		if !ok {
			return value{}, b.refuse(e.At(), ruleLiteral, "", "a number has nine decimal places at most and fits 64 bits with them")
		}
		return b.number(e.At(), n, places)
	case *syntax.Text:
		v, err := b.constant(e.At(), relation.Value{Kind: relation.Text, Text: e.Value}, 0)
		v.literal = true
		return v, err
	case *syntax.Truth:
		n := int64(0)
		if e.Value {
			n = 1
		}
		return b.constant(e.At(), relation.Value{Kind: relation.Truth, Int: n}, 0)
	case *syntax.Null:
		return value{expr: relation.NewNull(relation.TextType), low: true, high: true, null: true, size: 1}, nil
	case *syntax.Interval:
		v, err := b.span(e.At(), e.Days, e.Micros)
		v.months = e.Months
		return v, err
	case *syntax.Unary:
		return b.unary(sc, e)
	case *syntax.Binary:
		return b.binary(sc, e)
	case *syntax.Call:
		return b.call(sc, e)
	case *syntax.Case:
		return b.caseOf(sc, e)
	case *syntax.Cast:
		return b.cast(sc, e)
	case *syntax.In:
		return b.in(sc, e)
	case *syntax.Between:
		return b.between(sc, e)
	case *syntax.Like:
		return b.like(sc, e)
	case *syntax.IsNull:
		v, err := b.expr(sc, e.X)
		if err != nil {
			return value{}, err
		}
		return b.negated(e.At(), truthOf(relation.NewIsNull(v.expr), v), e.Not)
	case *syntax.Is:
		return b.is(sc, e)
	}
	return value{}, b.refuse(e.At(), ruleShape, "", "this form of expression is not taken")
}

func truths() []relation.Value {
	return []relation.Value{{Kind: relation.Truth}, {Kind: relation.Truth, Int: 1}}
}

// truthOf is a condition over values: it names nobody, and can be true or false.
func truthOf(e relation.Expr, of ...value) value {
	v := value{expr: e, low: true, high: true, domain: truths(), total: true, size: 1}
	for _, o := range of {
		v.size += o.size
	}
	return v
}

// condition binds an expression that has to be a truth value.
func (b *binder) condition(sc *scope, e syntax.Expr) (value, error) {
	v, err := b.expr(sc, e)
	if err != nil {
		return value{}, err
	}
	return b.truth(e.At(), v)
}

func (b *binder) truth(at syntax.Pos, v value) (value, error) {
	switch {
	case v.null:
		return truthOf(relation.NewNull(relation.TruthType)), nil
	case v.literal:
		return b.as(at, v, relation.Truth)
	case v.kind() != relation.Truth:
		return value{}, b.refuse(at, ruleType, "compare it with something", "a condition is true or false, and this is %v", v.kind())
	}
	return v, nil
}

func (b *binder) negated(at syntax.Pos, v value, not bool) (value, error) {
	if !not {
		return v, nil
	}
	n, err := relation.NewNot(v.expr)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	return truthOf(n, v), nil
}

// settled gives a constant without a type that of text.
func (b *binder) settled(at syntax.Pos, v value) (value, error) {
	if v.span {
		return value{}, b.refuse(at, ruleType, "EXTRACT(epoch FROM …) is its seconds", "a span of time is no column")
	}
	v.literal, v.null = false, false
	return v, nil
}

func (b *binder) unary(sc *scope, e *syntax.Unary) (value, error) {
	if e.Op == "not" {
		v, err := b.condition(sc, e.X)
		if err != nil {
			return value{}, err
		}
		return b.negated(e.At(), v, true)
	}
	v, err := b.expr(sc, e.X)
	if err != nil {
		return value{}, err
	}
	return b.negative(e.At(), v)
}

func (b *binder) binary(sc *scope, e *syntax.Binary) (value, error) {
	if e.Op == "and" || e.Op == "or" {
		l, err := b.condition(sc, e.L)
		if err != nil {
			return value{}, err
		}
		r, err := b.condition(sc, e.R)
		if err != nil {
			return value{}, err
		}
		of := slices.Concat(flat(l.expr, e.Op == "or"), flat(r.expr, e.Op == "or"))
		make := relation.NewAnd
		if e.Op == "or" {
			make = relation.NewOr
		}
		x, err := make(of...)
		if err != nil {
			return value{}, b.wrap(e.At(), err)
		}
		return truthOf(x, l, r), nil
	}
	l, err := b.expr(sc, e.L)
	if err != nil {
		return value{}, err
	}
	r, err := b.expr(sc, e.R)
	if err != nil {
		return value{}, err
	}
	if op, ok := compareOps[e.Op]; ok {
		return b.compare(e.At(), op, l, r)
	}
	return b.arith(e.At(), e.Op, l, r)
}

// flat are the parts of an expression that is already joined by the same operator.
func flat(e relation.Expr, or bool) []relation.Expr {
	if l, ok := e.(*relation.Logic); ok && l.Or == or {
		return l.Of
	}
	return []relation.Expr{e}
}

var compareOps = map[string]relation.CompareOp{
	"=": relation.Eq, "<>": relation.Ne, "!=": relation.Ne, "<": relation.Lt, "<=": relation.Le, ">": relation.Gt, ">=": relation.Ge,
}

// compare is l op r.
func (b *binder) compare(at syntax.Pos, op relation.CompareOp, l, r value) (value, error) {
	if l.kind() == relation.Number && r.kind() == relation.Number && l.span == r.span {
		if c, ok := r.constant(); ok && !c.Null && r.typ().Places > l.typ().Places {
			return b.compareFine(at, op, l, c.Int, r.typ().Places)
		}
		if c, ok := l.constant(); ok && !c.Null && l.typ().Places > r.typ().Places {
			return b.compareFine(at, turned[op], r, c.Int, l.typ().Places)
		}
	}
	l, r, err := b.meet(at, l, r)
	if err != nil {
		return value{}, err
	}
	if l.kind() == relation.Text && op > relation.Ne {
		return value{}, b.refuse(at, ruleType, "use = , <>, IN or LIKE", "text is equal or not, and has no order that all sources share")
	}
	c, err := relation.NewCompare(op, l.expr, r.expr)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	return truthOf(c, l, r), nil
}

var turned = map[relation.CompareOp]relation.CompareOp{
	relation.Eq: relation.Eq, relation.Ne: relation.Ne, relation.Lt: relation.Gt, relation.Le: relation.Ge, relation.Gt: relation.Lt, relation.Ge: relation.Le,
}

// compareFine compares a number with a constant of more places, without giving the number more: x < c is x ≤ ⌊c⌋ where c is not in x's
// places, and so on; x = c is false then, and NULL where x is.
func (b *binder) compareFine(at syntax.Pos, op relation.CompareOp, x value, c int64, places int) (value, error) {
	f := c
	for range places - x.typ().Places {
		f = (f - floorMod(f, 10)) / 10
	}
	// With trailing zeros, or where it was computed, c may be in x's places after all.
	exact, err := relation.NewNumber(c, places)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	low, err := b.number(at, f, x.typ().Places)
	if err != nil {
		return value{}, err
	}
	if back, err := relation.NewScale(low.expr, places); err == nil && back.As.Min == exact.Value.Int {
		return b.compare(at, op, x, low)
	}
	r := low.expr
	switch op {
	case relation.Lt, relation.Le:
		op = relation.Le
	case relation.Gt, relation.Ge:
		op = relation.Gt
	case relation.Eq:
		op, r = relation.Ne, x.expr
	case relation.Ne:
		op, r = relation.Eq, x.expr
	}
	cmp, err := relation.NewCompare(op, x.expr, r)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	return truthOf(cmp, x, x), nil
}

// meet brings two values to one kind and places.
func (b *binder) meet(at syntax.Pos, l, r value) (value, value, error) {
	vs, err := b.unify(at, []value{l, r})
	if err != nil {
		return value{}, value{}, err
	}
	return vs[0], vs[1], nil
}

// unify brings values to one kind and, of numbers, the most places of any. Constants without a type and NULLs take that of the others;
// dates beside times are the beginnings of their days.
func (b *binder) unify(at syntax.Pos, vs []value) ([]value, error) {
	kind, found, span := relation.Text, false, false
	for _, v := range vs {
		if v.literal || v.null {
			continue
		}
		k := v.kind()
		switch {
		case !found:
			kind, span = k, v.span
		case k == kind && v.span == span:
		case !span && !v.span && (k == relation.Date && kind == relation.Time || k == relation.Time && kind == relation.Date):
			kind = relation.Time
		default:
			return nil, b.refuse(at, ruleType, "", "%v does not go together with %v", named(kind, span), named(k, v.span))
		}
		found = true
	}
	out := slices.Clone(vs)
	places := 0
	for i, v := range out {
		var err error
		switch {
		case v.null:
			continue
		case v.literal:
			if span {
				return nil, b.refuse(at, ruleType, "write INTERVAL '…'", "a span of time does not go together with text")
			}
			out[i], err = b.as(at, v, kind)
		case kind == relation.Time && v.kind() == relation.Date:
			out[i], err = b.asTime(at, v)
		}
		if err != nil {
			return nil, err
		}
		places = max(places, out[i].typ().Places)
	}
	for i, v := range out {
		if v.null {
			t := relation.Widest(kind, 0)
			t.Places = places
			if kind != relation.Number {
				t.Places = 0
			}
			out[i].expr = relation.NewNull(t)
			continue
		}
		var err error
		if out[i], err = b.scaled(at, v, places); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func named(k relation.Kind, span bool) string {
	if span {
		return "a span of time"
	}
	return k.String()
}

// caseOf is CASE; its domain is that of its branches, so that one with constant branches has a public domain by nature.
func (b *binder) caseOf(sc *scope, e *syntax.Case) (value, error) {
	var conds []value
	var branches []value
	var of value
	if e.Of != nil {
		var err error
		if of, err = b.expr(sc, e.Of); err != nil {
			return value{}, err
		}
	}
	for _, w := range e.Whens {
		var c value
		var err error
		if e.Of == nil {
			c, err = b.condition(sc, w.If)
		} else if c, err = b.expr(sc, w.If); err == nil {
			c, err = b.compare(w.If.At(), relation.Eq, of, c)
		}
		if err != nil {
			return value{}, err
		}
		t, err := b.expr(sc, w.Then)
		if err != nil {
			return value{}, err
		}
		conds, branches = append(conds, c), append(branches, t)
	}
	last := value{expr: relation.NewNull(relation.TextType), low: true, high: true, null: true, size: 1}
	if e.Else != nil {
		var err error
		if last, err = b.expr(sc, e.Else); err != nil {
			return value{}, err
		}
	}
	return b.choose(e.At(), conds, append(branches, last))
}

// choose is the branch of the first condition that is true, else the last.
func (b *binder) choose(at syntax.Pos, conds, branches []value) (value, error) {
	branches, err := b.unify(at, branches)
	if err != nil {
		return value{}, err
	}
	whens := make([]relation.When, len(conds))
	out := b.merge(branches)
	out.unit, out.origin = 0, nil
	for i, c := range conds {
		whens[i] = relation.When{If: c.expr, Then: branches[i].expr}
		out.size += c.size
	}
	for _, v := range branches {
		out.size += v.size
		if v.null && out.domain != nil {
			null := relation.Value{Kind: branches[0].kind(), Null: true}
			if !slices.Contains(out.domain, null) {
				out.domain = append(out.domain, null)
			}
		}
	}
	if len(whens) == 0 {
		return value{}, b.wrap(at, errors.New("no branch"))
	}
	c, err := relation.NewCase(whens, branches[len(branches)-1].expr)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	out.expr = c
	if len(branches) > 0 && allNull(branches) {
		out.domain, out.null = nil, false
	}
	return out, nil
}

func allNull(vs []value) bool {
	return !slices.ContainsFunc(vs, func(v value) bool { return !v.null })
}
