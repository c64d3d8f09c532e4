package syntax

import (
	"strings"
	"unicode/utf8"
)

// optional reads an expression that may be missing.
func (r *reader) optional(v any) Expr {
	if v == nil {
		return nil
	}
	return r.expr(v)
}

func (r *reader) exprs(list []any) []Expr {
	var out []Expr
	for _, v := range list {
		out = append(out, r.expr(v))
	}
	return out
}

// expr reads an expression.
func (r *reader) expr(v any) Expr {
	n := r.node(v)
	if !r.enter(n.at) {
		return nil
	}
	defer r.leave()
	e := r.form(n)
	n.done()
	if r.err != nil {
		return nil
	}
	return e
}

func (r *reader) form(n *node) Expr {
	at := Node{Pos: n.at}
	switch n.kind {
	case "ColumnRef":
		return r.column(n)
	case "A_Const":
		return r.constant(n)
	case "A_Expr":
		return r.operator(n)
	case "BoolExpr":
		return r.logic(n)
	case "FuncCall":
		return r.call(n)
	case "CoalesceExpr":
		return &Call{Node: at, Name: "coalesce", Args: r.exprs(n.list("args"))}
	case "MinMaxExpr":
		name := "greatest"
		if op := n.str("op"); op == "IS_LEAST" {
			name = "least"
		}
		return &Call{Node: at, Name: name, Args: r.exprs(n.list("args"))}
	case "CaseExpr":
		return r.cases(n)
	case "TypeCast":
		return r.cast(n)
	case "NullTest":
		x := &IsNull{Node: at, X: r.expr(n.take("arg"))}
		switch n.str("nulltesttype") {
		case "IS_NULL":
		case "IS_NOT_NULL":
			x.Not = true
		default:
			n.refuseField("nulltesttype")
		}
		return x
	case "BooleanTest":
		return r.truthTest(n)
	}
	n.refuseKind()
	clear(n.fields)
	return nil
}

func (r *reader) column(n *node) Expr {
	for _, v := range n.fields["fields"].([]any) {
		if m, ok := v.(map[string]any); ok {
			if _, star := m["A_Star"]; star {
				r.refuse(n.at, "star", "a star stands alone in a SELECT list or in count(*)", "use count(*)")
				return nil
			}
		}
	}
	parts := n.names("fields")
	if len(parts) == 0 || len(parts) > 3 {
		r.refuse(n.at, "name", "a column has at most a schema and a table", "use table.column")
		return nil
	}
	for _, p := range parts {
		r.name(n.at, p)
	}
	last := len(parts) - 1
	return &Column{Node: Node{n.at}, Table: strings.Join(parts[:last], "."), Name: parts[last]}
}

func (r *reader) logic(n *node) Expr {
	op := n.str("boolop")
	args := n.list("args")
	at := Node{n.at}
	switch {
	case op == "NOT_EXPR" && len(args) == 1:
		return &Unary{Node: at, Op: "not", X: r.expr(args[0])}
	case (op == "AND_EXPR" || op == "OR_EXPR") && len(args) >= 2:
		word := strings.ToLower(strings.TrimSuffix(op, "_EXPR"))
		// The arms of a long chain nest to the left in our tree: they count as deep as they will be.
		if r.depth+len(args)-1 > MaxDepth {
			r.refuse(n.at, "too-deep", "the question is nested too deeply", "use IN (…) for several values")
			return nil
		}
		left := r.expr(args[0])
		for _, v := range args[1:] {
			left = &Binary{Node: at, Op: word, L: left, R: r.expr(v)}
		}
		return left
	}
	n.refuseField("boolop")
	return nil
}

var binaryOps = map[string]string{
	"+": "+", "-": "-", "*": "*", "/": "/", "%": "%", "=": "=", "<>": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
}

const operators = "operators are + - * / % = <> < <= > >= AND OR NOT, BETWEEN, IN, LIKE, IS"

func (r *reader) operator(n *node) Expr {
	kind := n.str("kind")
	names := n.names("name")
	at := Node{n.at}
	if len(names) != 1 {
		r.refuse(n.at, "operator", "an operator with a schema is not answered", operators)
		return nil
	}
	op := names[0]
	switch kind {
	case "AEXPR_OP":
		if _, ok := binaryOps[op]; !ok {
			r.refuse(n.at, "operator", "this operator is not answered", operators)
			return nil
		}
		left, right := n.take("lexpr"), n.take("rexpr")
		if left != nil {
			return &Binary{Node: at, Op: op, L: r.expr(left), R: r.expr(right)}
		}
		x := r.expr(right)
		switch op {
		case "-":
			return &Unary{Node: at, Op: "-", X: x}
		case "+":
			return x
		}
	case "AEXPR_NULLIF":
		return &Call{Node: at, Name: "nullif", Args: []Expr{r.expr(n.take("lexpr")), r.expr(n.take("rexpr"))}}
	case "AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT":
		return &Is{Node: at, Op: "distinct", X: r.expr(n.take("lexpr")), Y: r.expr(n.take("rexpr")), Not: kind == "AEXPR_NOT_DISTINCT"}
	case "AEXPR_IN":
		x := &In{Node: at, X: r.expr(n.take("lexpr")), Not: op == "<>"}
		x.Of = r.items(n.take("rexpr"))
		return x
	case "AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN":
		x := &Between{Node: at, X: r.expr(n.take("lexpr")), Not: kind == "AEXPR_NOT_BETWEEN"}
		ends := r.items(n.take("rexpr"))
		if len(ends) != 2 {
			return nil
		}
		x.Low, x.High = ends[0], ends[1]
		return x
	case "AEXPR_LIKE":
		return r.like(n, op)
	}
	r.refuseOperator(n.at, kind)
	return nil
}

func (r *reader) refuseOperator(at Pos, kind string) {
	switch kind {
	case "AEXPR_ILIKE":
		r.refuse(at, "like", "ILIKE is not answered", "use lower(x) LIKE 'pattern'")
	case "AEXPR_SIMILAR":
		r.refuse(at, "like", "SIMILAR TO is not answered", "use LIKE")
	case "AEXPR_OP_ANY", "AEXPR_OP_ALL":
		r.refuse(at, "array", "ANY and ALL are not answered", "use IN (…)")
	case "AEXPR_BETWEEN_SYM", "AEXPR_NOT_BETWEEN_SYM":
		r.refuse(at, "between", "BETWEEN SYMMETRIC is not answered", "use BETWEEN low AND high")
	default:
		r.refuse(at, "operator", "this operator is not answered", operators)
	}
}

// items reads {"List": {"items": […]}}.
func (r *reader) items(v any) []Expr {
	l := r.node(v)
	if l.kind != "List" {
		r.refuse(l.at, "grammar", "this form is not answered", shape)
		return nil
	}
	out := r.exprs(l.list("items"))
	l.done()
	if r.err != nil {
		return nil
	}
	return out
}

// like reads LIKE; its ESCAPE is a call in the grammar's tree.
func (r *reader) like(n *node, op string) Expr {
	x := &Like{Node: Node{n.at}, X: r.expr(n.take("lexpr")), Not: op == "!~~"}
	v := n.take("rexpr")
	if m, ok := v.(map[string]any); ok {
		if call, ok := m["FuncCall"].(map[string]any); ok && isLikeEscape(call) {
			f := r.node(v)
			f.names("funcname")
			f.str("funcformat")
			args := r.exprs(f.list("args"))
			f.done()
			if r.err != nil || len(args) != 2 {
				return nil
			}
			escape, ok := args[1].(*Text)
			if !ok || utf8.RuneCountInString(escape.Value) != 1 {
				r.refuse(args[1].At(), "like", "ESCAPE takes one character", `use ESCAPE '\'`)
				return nil
			}
			x.Pattern, x.Escape = args[0], escape.Value
			return x
		}
	}
	x.Pattern = r.expr(v)
	return x
}

func isLikeEscape(call map[string]any) bool {
	list, _ := call["funcname"].([]any)
	var parts []string
	for _, v := range list {
		m, _ := v.(map[string]any)
		s, _ := m["String"].(map[string]any)
		name, _ := s["sval"].(string)
		parts = append(parts, name)
	}
	return strings.Join(parts, ".") == "pg_catalog.like_escape"
}

func (r *reader) cases(n *node) Expr {
	c := &Case{Node: Node{n.at}, Of: r.optional(n.take("arg"))}
	for _, v := range n.list("args") {
		w := r.node(v)
		if w.kind != "CaseWhen" {
			w.refuseKind()
			return nil
		}
		c.Whens = append(c.Whens, When{If: r.expr(w.take("expr")), Then: r.expr(w.take("result"))})
		w.done()
	}
	c.Else = r.optional(n.take("defresult"))
	return c
}

func (r *reader) truthTest(n *node) Expr {
	x := r.expr(n.take("arg"))
	at := Node{n.at}
	switch n.str("booltesttype") {
	case "IS_TRUE":
		return &Is{Node: at, Op: "true", X: x}
	case "IS_NOT_TRUE":
		return &Is{Node: at, Op: "true", X: x, Not: true}
	case "IS_FALSE":
		return &Is{Node: at, Op: "false", X: x}
	case "IS_NOT_FALSE":
		return &Is{Node: at, Op: "false", X: x, Not: true}
	case "IS_UNKNOWN":
		return &IsNull{Node: at, X: x}
	case "IS_NOT_UNKNOWN":
		return &IsNull{Node: at, X: x, Not: true}
	}
	n.refuseField("booltesttype")
	return nil
}

// call reads a function or aggregate.
func (r *reader) call(n *node) Expr {
	names := n.names("funcname")
	format := n.str("funcformat")
	c := &Call{Node: Node{n.at}}
	switch {
	case len(names) == 1 && format == "COERCE_EXPLICIT_CALL":
		c.Name = names[0]
	case len(names) == 2 && names[0] == "pg_catalog" && names[1] == "extract" && format == "COERCE_SQL_SYNTAX":
		c.Name = "extract"
	case len(names) == 2 && names[1] == "timezone" && format == "COERCE_SQL_SYNTAX":
		r.refuse(n.at, "time-zone", "AT TIME ZONE is not answered: times are in UTC", "leave it out")
		return nil
	default:
		r.refuse(n.at, "function", "this function is not answered", "functions are called by their plain names: "+strings.Join(Functions(), ", "))
		return nil
	}
	if !functions[c.Name] {
		r.unknownFunction(n.at, c.Name)
		return nil
	}
	if n.take("over") != nil {
		n.refuseField("over")
		return nil
	}
	c.Args = r.exprs(n.list("args"))
	if c.Star = n.truth("agg_star"); c.Star && c.Name != "count" {
		r.refuse(n.at, "star", "of functions only count takes a star", "use count(*)")
	}
	c.Distinct = n.truth("agg_distinct")
	c.Filter = r.optional(n.take("agg_filter"))
	if n.truth("agg_within_group") {
		for _, v := range n.list("agg_order") {
			o := r.order(v)
			if o.Desc || o.NullsFirst != nil {
				r.refuse(o.Pos, "order", "WITHIN GROUP takes ORDER BY column alone", "for a descending order take 1 minus the fraction")
				return nil
			}
			c.Within = append(c.Within, o.Expr)
		}
	}
	return c
}

func (r *reader) unknownFunction(at Pos, name string) {
	hint := "functions are " + strings.Join(Functions(), ", ")
	if near := nearest(strings.ToLower(name)); near != "" {
		hint = "perhaps " + near
	}
	r.refuse(at, "function", "there is no function "+quote(name), hint)
}
