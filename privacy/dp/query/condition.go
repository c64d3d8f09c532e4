package query

import (
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
	"slices"
	"unicode/utf8"
)

func (b *binder) between(sc *scope, e *syntax.Between) (value, error) {
	x, err := b.expr(sc, e.X)
	if err != nil {
		return value{}, err
	}
	var ends [2]value
	for i, end := range []syntax.Expr{e.Low, e.High} {
		v, err := b.expr(sc, end)
		if err != nil {
			return value{}, err
		}
		if ends[i], err = b.compare(e.At(), []relation.CompareOp{relation.Ge, relation.Le}[i], x, v); err != nil {
			return value{}, err
		}
	}
	and, err := relation.NewAnd(ends[0].expr, ends[1].expr)
	if err != nil {
		return value{}, b.wrap(e.At(), err)
	}
	return b.negated(e.At(), truthOf(and, ends[0], ends[1]), e.Not)
}

// in is X IN (…): constants as one list, what is none as equalities.
func (b *binder) in(sc *scope, e *syntax.In) (value, error) {
	x, err := b.expr(sc, e.X)
	if err != nil {
		return value{}, err
	}
	var list []relation.Value
	var alternatives []relation.Expr
	size := x.size
	for _, o := range e.Of {
		v, err := b.expr(sc, o)
		if err != nil {
			return value{}, err
		}
		if v.literal && !x.literal && !x.null {
			if v, err = b.as(o.At(), v, x.kind()); err != nil {
				return value{}, err
			}
		}
		c, isConst := v.constant()
		if isConst && !c.Null && c.Kind == x.kind() && v.typ().Places <= x.typ().Places && !x.span {
			if v, err = b.scaled(o.At(), v, x.typ().Places); err != nil {
				return value{}, err
			}
			if c, isConst = v.constant(); isConst {
				if !slices.Contains(list, c) {
					list = append(list, c)
				}
				size++
				continue
			}
		}
		eq, err := b.compare(o.At(), relation.Eq, x, v)
		if err != nil {
			return value{}, err
		}
		alternatives = append(alternatives, eq.expr)
		size += eq.size
	}
	if len(list) > 0 {
		in, err := relation.NewIn(x.expr, list...)
		if err != nil {
			return value{}, b.wrap(e.At(), err)
		}
		alternatives = append([]relation.Expr{in}, alternatives...)
	}
	or, err := relation.NewOr(alternatives...)
	if err != nil {
		return value{}, b.wrap(e.At(), err)
	}
	v := truthOf(or)
	v.size += size
	return b.negated(e.At(), v, e.Not)
}

func (b *binder) like(sc *scope, e *syntax.Like) (value, error) {
	x, err := b.expr(sc, e.X)
	if err != nil {
		return value{}, err
	}
	p, err := b.expr(sc, e.Pattern)
	if err != nil {
		return value{}, err
	}
	pattern, ok := p.constant()
	if !ok || pattern.Kind != relation.Text || pattern.Null {
		return value{}, b.refuse(e.Pattern.At(), ruleLiteral, "", "a pattern of LIKE is a constant text")
	}
	if x.kind() != relation.Text {
		return value{}, b.refuse(e.At(), ruleType, "", "LIKE is for text, and this is %v", x.kind())
	}
	escape := '\\'
	if e.Escape != "" {
		if utf8.RuneCountInString(e.Escape) != 1 {
			return value{}, b.refuse(e.At(), ruleLiteral, "", "an escape is one character")
		}
		escape, _ = utf8.DecodeRuneInString(e.Escape)
	}
	l, err := relation.NewLike(x.expr, pattern.Text, escape)
	if err != nil {
		return value{}, b.refuse(e.Pattern.At(), ruleLiteral, "", "this is no pattern of LIKE")
	}
	return b.negated(e.At(), truthOf(l, x), e.Not)
}

// is is IS TRUE, IS FALSE and IS DISTINCT FROM, which are never NULL.
func (b *binder) is(sc *scope, e *syntax.Is) (value, error) {
	x, err := b.expr(sc, e.X)
	if err != nil {
		return value{}, err
	}
	switch e.Op {
	case "true", "false":
		if x, err = b.truth(e.At(), x); err != nil {
			return value{}, err
		}
		if x, err = b.negated(e.At(), x, e.Op == "false"); err != nil {
			return value{}, err
		}
		sure, err := relation.NewCase([]relation.When{{If: x.expr, Then: relation.NewTruth(!e.Not)}}, relation.NewTruth(e.Not))
		return truthOf(sure, x), b.wrap(e.At(), err)
	case "distinct":
		y, err := b.expr(sc, e.Y)
		if err != nil {
			return value{}, err
		}
		// Distinct: if x is NULL whether y is not; if y is NULL, true; else x <> y, which is not NULL then.
		ne, err := b.compare(e.At(), relation.Ne, x, y)
		if err != nil {
			return value{}, err
		}
		yIs := relation.NewIsNull(y.expr)
		notY, err := relation.NewNot(yIs)
		if err != nil {
			return value{}, b.wrap(e.At(), err)
		}
		c, err := relation.NewCase([]relation.When{{If: relation.NewIsNull(x.expr), Then: notY}, {If: yIs, Then: relation.NewTruth(true)}}, ne.expr)
		if err != nil {
			return value{}, b.wrap(e.At(), err)
		}
		return b.negated(e.At(), truthOf(c, x, y, y, ne), e.Not)
	}
	return value{}, b.refuse(e.At(), ruleShape, "", "this form of IS is not taken")
}
