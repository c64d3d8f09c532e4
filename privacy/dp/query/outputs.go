package query

import (
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
)

// output is an expression over keys and noisy aggregates, with what is known of it.
type output struct {
	post    Post
	kind    relation.Kind
	list    bool // a histogram: it is shown and nothing else
	literal bool // a text constant without a type
	null    bool
	text    string         // of a literal
	number  relation.Value // of a constant
	places  int
	isConst bool
}

// outputs binds expressions of the SELECT list, HAVING and ORDER BY: leaf tells what keys and aggregates are.
type outputs struct {
	b    *binder
	leaf func(e syntax.Expr) (output, bool, error)
}

func (o *outputs) expr(e syntax.Expr) (output, error) {
	if out, ok, err := o.leaf(e); ok || err != nil {
		return out, err
	}
	out, err := o.bind(e)
	if err == nil && postSize(out.post) > maxSize {
		err = o.b.refuse(e.At(), ruleSize, "", "this expression is too large")
	}
	return out, err
}

func (o *outputs) bind(e syntax.Expr) (output, error) {
	b := o.b
	switch e := e.(type) {
	case *syntax.Number, *syntax.Text, *syntax.Truth, *syntax.Null, *syntax.Cast:
		return o.constantOf(e)
	case *syntax.Unary:
		return o.unary(e)
	case *syntax.Binary:
		return o.binary(e)
	case *syntax.Call:
		return o.call(e)
	case *syntax.Case:
		return o.caseOf(e)
	case *syntax.Between:
		return o.between(e)
	case *syntax.In:
		return o.in(e)
	case *syntax.IsNull:
		x, err := o.single(e.X)
		if err != nil {
			return output{}, err
		}
		return negatedPost(PostIsNull{x.post}, e.Not), nil
	}
	return output{}, b.refuse(e.At(), ruleShape, "compute it of each row, before the aggregate", "this is not taken of noisy numbers")
}

// single is an expression that is one value.
func (o *outputs) single(e syntax.Expr) (output, error) {
	x, err := o.expr(e)
	if err == nil && x.list {
		err = o.b.refuse(e.At(), ruleType, "", "a histogram is many numbers, and is selected alone")
	}
	return x, err
}

func negatedPost(p Post, not bool) output {
	if not {
		p = PostNot{p}
	}
	return output{post: p, kind: relation.Truth}
}

// constantOf is a constant, or a cast of an expression.
func (o *outputs) constantOf(e syntax.Expr) (output, error) {
	if c, ok := e.(*syntax.Cast); ok && (aggregateIn(c.X) != nil || !isConstant(c.X)) {
		return o.cast(c)
	}
	v, err := o.b.expr(&scope{rows: &rowset{}}, e)
	if err != nil {
		return output{}, err
	}
	return o.constant(e, v)
}

func (o *outputs) constant(e syntax.Expr, v value) (output, error) {
	c, ok := v.constant()
	if !ok || v.span {
		return output{}, o.b.refuse(e.At(), ruleShape, "", "this is no constant")
	}
	return output{post: PostConst{c, v.typ()}, kind: v.kind(), literal: v.literal, null: c.Null, text: c.Text, number: c, places: v.typ().Places, isConst: true}, nil
}

// isConstant is whether an expression reads nothing.
func isConstant(e syntax.Expr) bool {
	if _, ok := e.(*syntax.Column); ok {
		return false
	}
	return aggregateIn(e) == nil && !slices.ContainsFunc(parts(e), func(x syntax.Expr) bool { return !isConstant(x) })
}

// meet brings two to one kind.
func (o *outputs) meet(at syntax.Pos, l, r output) (output, output, error) {
	b := o.b
	for _, p := range []struct{ x, y *output }{{&l, &r}, {&r, &l}} {
		if p.x.literal && !p.y.literal && !p.y.null {
			v, err := b.constant(at, relation.Value{Kind: relation.Text, Text: p.x.text}, 0)
			if err != nil {
				return l, r, err
			}
			v.literal = true
			if v, err = b.as(at, v, p.y.kind); err != nil {
				return l, r, err
			}
			c, _ := v.constant()
			*p.x = output{post: PostConst{c, v.typ()}, kind: v.kind(), number: c, places: v.typ().Places, isConst: true}
		}
		if p.x.null {
			p.x.kind = p.y.kind
			p.x.post = PostConst{relation.Value{Kind: p.y.kind, Null: true}, relation.Type{Kind: p.y.kind}}
		}
	}
	if l.kind != r.kind {
		return l, r, b.refuse(at, ruleType, "", "%v does not go together with %v", l.kind, r.kind)
	}
	return l, r, nil
}

func (o *outputs) unary(e *syntax.Unary) (output, error) {
	x, err := o.single(e.X)
	if err != nil {
		return output{}, err
	}
	if e.Op == "not" {
		if x.kind != relation.Truth && !x.null {
			return output{}, o.b.refuse(e.At(), ruleType, "", "NOT is for truth values, and this is %v", x.kind)
		}
		return output{post: PostNot{x.post}, kind: relation.Truth}, nil
	}
	zero := output{post: zeroPost(), kind: relation.Number}
	return o.arith(e.At(), "-", zero, x)
}

func zeroPost() Post {
	return PostConst{relation.Value{Kind: relation.Number}, relation.NumberType(0, 0, 0)}
}

func (o *outputs) binary(e *syntax.Binary) (output, error) {
	l, err := o.single(e.L)
	if err != nil {
		return output{}, err
	}
	r, err := o.single(e.R)
	if err != nil {
		return output{}, err
	}
	if e.Op == "and" || e.Op == "or" {
		for _, x := range []output{l, r} {
			if x.kind != relation.Truth && !x.null {
				return output{}, o.b.refuse(e.At(), ruleType, "", "AND and OR are for truth values, and this is %v", x.kind)
			}
		}
		return output{post: PostLogic{Or: e.Op == "or", Of: []Post{l.post, r.post}}, kind: relation.Truth}, nil
	}
	if op, ok := compareOps[e.Op]; ok {
		return o.compare(e.At(), op, l, r)
	}
	return o.arith(e.At(), e.Op, l, r)
}

func (o *outputs) compare(at syntax.Pos, op relation.CompareOp, l, r output) (output, error) {
	l, r, err := o.meet(at, l, r)
	if err != nil {
		return output{}, err
	}
	if l.kind == relation.Text && op > relation.Ne {
		return output{}, o.b.refuse(at, ruleType, "use = or <>", "text is equal or not, and has no order that all sources share")
	}
	return output{post: PostCompare{op, l.post, r.post}, kind: relation.Truth}, nil
}

var postOps = map[string]relation.ArithOp{"+": relation.Add, "-": relation.Sub, "*": relation.Mul, "/": relation.Div, "%": relation.Mod}

func (o *outputs) arith(at syntax.Pos, op string, l, r output) (output, error) {
	code, ok := postOps[op]
	if !ok {
		return output{}, o.b.refuse(at, ruleShape, "", "this operator is not taken")
	}
	return o.arithOf(at, op, code, l, r)
}

func (o *outputs) arithOf(at syntax.Pos, name string, code relation.ArithOp, l, r output) (output, error) {
	l, r, err := o.meet(at, l, r)
	if err != nil {
		return output{}, err
	}
	if l.kind != relation.Number && !(l.null && r.null) {
		return output{}, o.b.refuse(at, ruleType, "", "%s is for numbers, and this is %v", name, l.kind)
	}
	return output{post: PostArith{code, l.post, r.post}, kind: relation.Number}, nil
}

// call is a function of noisy numbers.
func (o *outputs) call(e *syntax.Call) (output, error) {
	b := o.b
	f, ok := o.b.functions[e.Name]
	if !ok {
		return output{}, b.refuse(e.At(), ruleFunction, "", "there is no function %s", e.Name)
	}
	if len(e.Args) < f.least || len(e.Args) > f.most {
		return output{}, b.refuse(e.At(), ruleFunction, "", "%s takes another number of arguments", e.Name)
	}
	args := make([]output, len(e.Args))
	for i, a := range e.Args {
		var err error
		if args[i], err = o.single(a); err != nil {
			return output{}, err
		}
	}
	at := e.At()
	switch e.Name {
	case "coalesce", "greatest", "least":
		return o.several(e, args)
	case "nullif":
		eq, err := o.compare(at, relation.Eq, args[0], args[1])
		if err != nil {
			return output{}, err
		}
		null := PostConst{relation.Value{Kind: args[0].kind, Null: true}, relation.Type{Kind: args[0].kind}}
		return output{post: PostCase{[]PostWhen{{eq.post, null}}, args[0].post}, kind: args[0].kind}, nil
	case "abs":
		minus, err := o.arith(at, "-", output{post: zeroPost(), kind: relation.Number}, args[0])
		if err != nil {
			return output{}, err
		}
		return o.arithOf(at, "abs", relation.Greatest, args[0], minus)
	case "mod":
		return o.arith(at, "%", args[0], args[1])
	case "round":
		places := int64(0)
		if len(args) == 2 {
			if !args[1].isConst || args[1].kind != relation.Number || args[1].places != 0 || args[1].number.Int < 0 || args[1].number.Int > 12 {
				return output{}, b.refuse(at, ruleFunction, "", "round takes a constant number of decimal places, from 0 to 12")
			}
			places = args[1].number.Int
		}
		if args[0].kind != relation.Number {
			return output{}, b.refuse(at, ruleType, "", "round is for numbers, and this is %v", args[0].kind)
		}
		return output{post: PostRound{args[0].post, int(places)}, kind: relation.Number}, nil
	}
	return output{}, b.refuse(at, ruleFunction, "there are round, abs, coalesce, nullif, greatest, least and mod", "%s is not taken of noisy numbers", e.Name)
}

// several are COALESCE, and GREATEST and LEAST, which pass over NULLs.
func (o *outputs) several(e *syntax.Call, args []output) (output, error) {
	out := args[0]
	for _, a := range args[1:] {
		l, r, err := o.meet(e.At(), out, a)
		if err != nil {
			return output{}, err
		}
		both := l.post
		whens := []PostWhen{{PostIsNull{l.post}, r.post}}
		if e.Name != "coalesce" {
			op := relation.Greatest
			if e.Name == "least" {
				op = relation.Least
			}
			x, err := o.arithOf(e.At(), e.Name, op, l, r)
			if err != nil {
				return output{}, err
			}
			both = x.post
			whens = append(whens, PostWhen{PostIsNull{r.post}, l.post})
		}
		out = output{post: PostCase{whens, both}, kind: l.kind}
		if postSize(out.post) > maxSize {
			break // expr refuses it
		}
	}
	return out, nil
}

func (o *outputs) caseOf(e *syntax.Case) (output, error) {
	var of output
	if e.Of != nil {
		var err error
		if of, err = o.single(e.Of); err != nil {
			return output{}, err
		}
	}
	last := output{post: PostConst{relation.Value{Null: true}, relation.Type{}}, null: true}
	if e.Else != nil {
		var err error
		if last, err = o.single(e.Else); err != nil {
			return output{}, err
		}
	}
	var whens []PostWhen
	out := last
	var branches []output
	for _, w := range e.Whens {
		c, err := o.single(w.If)
		if err != nil {
			return output{}, err
		}
		if e.Of != nil {
			if c, err = o.compare(w.If.At(), relation.Eq, of, c); err != nil {
				return output{}, err
			}
		}
		if c.kind != relation.Truth && !c.null {
			return output{}, o.b.refuse(w.If.At(), ruleType, "", "a condition is true or false, and this is %v", c.kind)
		}
		t, err := o.single(w.Then)
		if err != nil {
			return output{}, err
		}
		if !out.null && !t.null {
			if t, out, err = o.meet(w.Then.At(), t, out); err != nil {
				return output{}, err
			}
		} else if out.null {
			out = t
		}
		branches = append(branches, t)
		whens = append(whens, PostWhen{c.post, t.post})
	}
	kind := out.kind
	for i, t := range branches {
		if t.null {
			whens[i].Then = PostConst{relation.Value{Kind: kind, Null: true}, relation.Type{Kind: kind}}
		} else if t.kind != kind {
			return output{}, o.b.refuse(e.At(), ruleType, "", "%v does not go together with %v", t.kind, kind)
		}
	}
	if last.null {
		last.post = PostConst{relation.Value{Kind: kind, Null: true}, relation.Type{Kind: kind}}
	} else if last.literal {
		var err error
		if last, _, err = o.meet(e.At(), last, output{kind: kind}); err != nil {
			return output{}, err
		}
	}
	return output{post: PostCase{whens, last.post}, kind: kind}, nil
}

func (o *outputs) between(e *syntax.Between) (output, error) {
	x, err := o.single(e.X)
	if err != nil {
		return output{}, err
	}
	var of []Post
	for i, end := range []syntax.Expr{e.Low, e.High} {
		v, err := o.single(end)
		if err != nil {
			return output{}, err
		}
		c, err := o.compare(e.At(), []relation.CompareOp{relation.Ge, relation.Le}[i], x, v)
		if err != nil {
			return output{}, err
		}
		of = append(of, c.post)
	}
	return negatedPost(PostLogic{Of: of}, e.Not), nil
}

func (o *outputs) in(e *syntax.In) (output, error) {
	x, err := o.single(e.X)
	if err != nil {
		return output{}, err
	}
	var of []Post
	for _, v := range e.Of {
		y, err := o.single(v)
		if err != nil {
			return output{}, err
		}
		c, err := o.compare(v.At(), relation.Eq, x, y)
		if err != nil {
			return output{}, err
		}
		of = append(of, c.post)
	}
	if len(of) == 1 {
		return negatedPost(of[0], e.Not), nil
	}
	return negatedPost(PostLogic{Or: true, Of: of}, e.Not), nil
}

// cast of a noisy number rounds it, or leaves it as it is.
func (o *outputs) cast(e *syntax.Cast) (output, error) {
	x, err := o.single(e.X)
	if err != nil {
		return output{}, err
	}
	kind, places, ok := castTo(e)
	if !ok || kind != x.kind {
		return output{}, o.b.refuse(e.At(), ruleType, "", "%v is not cast to %s here", x.kind, e.Type)
	}
	if kind == relation.Number && places >= 0 {
		return output{post: PostRound{x.post, places}, kind: kind}, nil
	}
	return x, nil
}

// postSize counts the nodes of an expression, up to about [maxSize].
func postSize(p Post) int {
	n := 1
	add := func(ps ...Post) {
		for _, x := range ps {
			if n <= maxSize {
				n += postSize(x)
			}
		}
	}
	switch p := p.(type) {
	case PostArith:
		add(p.L, p.R)
	case PostCompare:
		add(p.L, p.R)
	case PostLogic:
		add(p.Of...)
	case PostNot:
		add(p.X)
	case PostIsNull:
		add(p.X)
	case PostRound:
		add(p.X)
	case PostCase:
		for _, w := range p.Whens {
			add(w.If, w.Then)
		}
		add(p.Else)
	}
	return n
}
