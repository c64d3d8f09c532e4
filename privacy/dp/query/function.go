package query

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
	"github.com/scrimhq/scrim/flow"
)

// aggregates are the functions over rows of a group.
var aggregates = map[string]bool{
	"count": true, "sum": true, "avg": true, "mean": true, "min": true, "max": true, "median": true,
	"variance": true, "var_samp": true, "var_pop": true, "stddev": true, "stddev_samp": true, "stddev_pop": true,
	"quantile": true, "percentile_cont": true, "percentile_disc": true, "histogram": true, "var": true,
}

// function is a function of the values of one row.
type function struct {
	least, most int
	bind        func(b *binder, at syntax.Pos, args []value) (value, error)
}

// functionTable is made for each question: its entries call back into the binder that looks them up.
func functionTable() map[string]function {
	lower := func(op relation.LettersOp) function {
		return function{1, 1, func(b *binder, at syntax.Pos, a []value) (value, error) { return b.letters(at, op, a[0]) }}
	}
	extreme := func(op relation.ArithOp) function {
		return function{1, 100, func(b *binder, at syntax.Pos, a []value) (value, error) { return b.extreme(at, op, a) }}
	}
	part := func(name string) function {
		return function{1, 1, func(b *binder, at syntax.Pos, a []value) (value, error) {
			x, err := b.instant(at, a[0])
			if err != nil {
				return value{}, err
			}
			return b.extract(at, name, x)
		}}
	}
	return map[string]function{
		"coalesce": {1, 100, (*binder).coalesce},
		"nullif":   {2, 2, (*binder).nullif},
		"greatest": extreme(relation.Greatest), "least": extreme(relation.Least),
		"abs":   {1, 1, (*binder).abs},
		"sign":  {1, 1, (*binder).sign},
		"floor": {1, 1, (*binder).floor}, "ceil": {1, 1, (*binder).ceil}, "ceiling": {1, 1, (*binder).ceil},
		"round": {1, 2, (*binder).round}, "trunc": {1, 1, (*binder).trunc},
		"mod":          {2, 2, func(b *binder, at syntax.Pos, a []value) (value, error) { return b.arith(at, "%", a[0], a[1]) }},
		"clamp":        {3, 3, (*binder).clamp},
		"bucket":       {2, 2, (*binder).bucket},
		"width_bucket": {4, 4, (*binder).widthBucket},
		"lower":        lower(relation.Lower), "upper": lower(relation.Upper), "length": lower(relation.Length), "char_length": lower(relation.Length),
		"character_length": lower(relation.Length),
		"extract":          {2, 2, (*binder).extractCall}, "date_part": {2, 2, (*binder).extractCall},
		"date_trunc": {2, 2, (*binder).truncCall},
		"year":       part("year"), "quarter": part("quarter"), "month": part("month"), "day": part("day"), "dayofweek": part("isodow"),
		"hour": part("hour"), "minute": part("minute"),
		"div":  {2, 2, (*binder).div},
		"date": {1, 1, func(b *binder, at syntax.Pos, a []value) (value, error) { return b.asDate(at, a[0]) }},
	}
}

func (b *binder) call(sc *scope, e *syntax.Call) (value, error) {
	if aggregates[e.Name] {
		return value{}, b.refuse(e.At(), ruleAggregate, "", "%s has no place here: there is no group", e.Name)
	}
	f, ok := b.functions[e.Name]
	if !ok {
		var known []string
		for n := range b.functions {
			known = append(known, n)
		}
		for n := range aggregates {
			known = append(known, n)
		}
		slices.Sort(known)
		hint := ""
		if near, ok := flow.Nearest(e.Name, known); ok {
			hint = "did you mean " + near + "?"
		}
		return value{}, b.refuse(e.At(), ruleFunction, hint, "there is no function %s", e.Name)
	}
	if e.Star || e.Distinct || e.Filter != nil || e.Within != nil {
		return value{}, b.refuse(e.At(), ruleFunction, "", "%s is no aggregate", e.Name)
	}
	if len(e.Args) < f.least || len(e.Args) > f.most {
		return value{}, b.refuse(e.At(), ruleFunction, "", "%s takes another number of arguments", e.Name)
	}
	args := make([]value, len(e.Args))
	for i, a := range e.Args {
		var err error
		if args[i], err = b.expr(sc, a); err != nil {
			return value{}, err
		}
	}
	return f.bind(b, e.At(), args)
}

func (b *binder) coalesce(at syntax.Pos, vs []value) (value, error) {
	if len(vs) == 1 {
		return vs[0], nil
	}
	vs, err := b.unify(at, vs)
	if err != nil {
		return value{}, err
	}
	var conds []value
	for _, v := range vs[:len(vs)-1] {
		not, err := b.negated(at, truthOf(relation.NewIsNull(v.expr), v), true)
		if err != nil {
			return value{}, err
		}
		conds = append(conds, not)
	}
	out, err := b.choose(at, conds, vs)
	// NULL is a group of the result only if the last can be it.
	if last := vs[len(vs)-1]; err == nil && out.domain != nil {
		if c, ok := last.constant(); ok && !c.Null {
			out.domain = slices.DeleteFunc(slices.Clone(out.domain), func(v relation.Value) bool { return v.Null })
		}
	}
	return out, err
}

func (b *binder) nullif(at syntax.Pos, vs []value) (value, error) {
	eq, err := b.compare(at, relation.Eq, vs[0], vs[1])
	if err != nil {
		return value{}, err
	}
	null := value{expr: relation.NewNull(relation.TextType), null: true, low: true, high: true, size: 1}
	return b.choose(at, []value{eq}, []value{null, vs[0]})
}

func (b *binder) numeric(at syntax.Pos, name string, v value) (value, error) {
	if v.literal {
		return b.as(at, v, relation.Number)
	}
	if v.null {
		v.expr, v.null = relation.NewNull(relation.NumberType(0, 0, 0)), false
	}
	if v.kind() != relation.Number || v.span {
		return value{}, b.refuse(at, ruleType, "", "%s is for numbers, and this is %v", name, named(v.kind(), v.span))
	}
	return v, nil
}

func (b *binder) letters(at syntax.Pos, op relation.LettersOp, v value) (value, error) {
	if v.null {
		v.null = false
	}
	l, err := relation.NewLetters(op, v.expr)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	out := value{expr: l, nokey: v.nokey, size: v.size + 1, low: true, high: op != relation.Length}
	if op != relation.Length && v.domain != nil {
		changed := slices.Clone(v.domain)
		for i := range changed {
			changed[i].Text = ascii(op, changed[i].Text)
		}
		out.domain = b.together(changed)
	}
	out.total = v.total && out.domain != nil
	if c, ok := v.constant(); ok && !c.Null && op != relation.Length {
		return b.constant(at, relation.Value{Kind: relation.Text, Text: ascii(op, c.Text)}, 0)
	}
	return out, nil
}

// ascii changes the case of ASCII letters alone, as sources do.
func ascii(op relation.LettersOp, s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case op == relation.Lower && r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case op == relation.Upper && r >= 'a' && r <= 'z':
			return r + 'A' - 'a'
		}
		return r
	}, s)
}

// partOf is the part that a constant names.
func (b *binder) partOf(at syntax.Pos, v value) (string, error) {
	c, ok := v.constant()
	if !ok || c.Kind != relation.Text || c.Null {
		return "", b.refuse(at, ruleFunction, "", "which part is a constant")
	}
	return strings.ToLower(c.Text), nil
}

func (b *binder) extractCall(at syntax.Pos, vs []value) (value, error) {
	part, err := b.partOf(at, vs[0])
	if err != nil {
		return value{}, err
	}
	x, err := b.instant(at, vs[1])
	if err != nil {
		return value{}, err
	}
	return b.extract(at, part, x)
}

func (b *binder) truncCall(at syntax.Pos, vs []value) (value, error) {
	part, err := b.partOf(at, vs[0])
	if err != nil {
		return value{}, err
	}
	x, err := b.instant(at, vs[1])
	if err != nil {
		return value{}, err
	}
	if x.span {
		return value{}, b.refuse(at, ruleType, "", "DATE_TRUNC is for dates and times")
	}
	return b.truncated(at, part, x)
}

func (b *binder) instant(at syntax.Pos, v value) (value, error) {
	if v.literal {
		return b.as(at, v, relation.Time)
	}
	if !v.span && !moments(v) {
		return value{}, b.refuse(at, ruleType, "declare the column as a date or time", "this is for dates and times, and this is %v", v.kind())
	}
	return v, nil
}

// cast is CAST. None can fail: what depends on each value's form, such as text as a number, is for the column's declaration.
func (b *binder) cast(sc *scope, e *syntax.Cast) (value, error) {
	v, err := b.expr(sc, e.X)
	if err != nil {
		return value{}, err
	}
	kind, places, ok := castTo(e)
	if !ok {
		return value{}, b.refuse(e.At(), ruleType, "there are int, bigint, numeric, real, text, bool, date and timestamp", "there is no type %s here", e.Type)
	}
	switch {
	case v.null:
		v.expr, v.null = relation.NewNull(relation.Widest(kind, max(places, 0))), false
		return v, nil
	case v.literal:
		if v, err = b.as(e.At(), v, kind); err != nil {
			return value{}, err
		}
	case v.span:
		return value{}, b.refuse(e.At(), ruleType, "EXTRACT(epoch FROM …) is its seconds", "a span of time is cast to nothing")
	}
	switch from := v.kind(); {
	case from == relation.Number && kind == relation.Number:
		if places >= 0 && places < v.typ().Places {
			v, err = b.scaled(e.At(), v, places)
		}
		return v, err
	case from == relation.Truth && kind == relation.Number:
		return b.truthNumber(e.At(), v)
	case kind == relation.Date && from == relation.Time:
		return b.asDate(e.At(), v)
	case kind == relation.Time && from == relation.Date:
		return b.asTime(e.At(), v)
	case from == kind:
		return v, nil
	}
	return value{}, b.refuse(e.At(), ruleType, "declare the column as what it is read as", "%v is not cast to %v: it could fail on a value", v.kind(), kind)
}

// castTo is the kind that a type stands for; places −1 keeps those that a number has.
func castTo(e *syntax.Cast) (k relation.Kind, places int, ok bool) {
	switch e.Type {
	case "int2", "int4", "int8", "int", "integer", "bigint", "smallint":
		return relation.Number, 0, true
	case "numeric", "decimal":
		switch {
		case len(e.Mod) == 0:
			return relation.Number, -1, true
		case len(e.Mod) == 1:
			return relation.Number, 0, true
		case e.Mod[1] >= 0 && e.Mod[1] <= relation.MaxPlaces:
			return relation.Number, int(e.Mod[1]), true
		}
	case "float4", "float8", "real", "double precision", "float":
		return relation.Number, -1, true
	case "text", "varchar", "bpchar", "char":
		return relation.Text, 0, len(e.Mod) == 0
	case "bool", "boolean":
		return relation.Truth, 0, true
	case "date":
		return relation.Date, 0, true
	case "timestamp", "timestamptz":
		return relation.Time, 0, true
	}
	return 0, 0, false
}

func (b *binder) truthNumber(at syntax.Pos, v value) (value, error) {
	var branches []value
	for _, n := range []int64{1, 0} {
		c, err := b.number(at, n, 0)
		if err != nil {
			return value{}, err
		}
		branches = append(branches, c)
	}
	not, err := b.negated(at, v, true)
	if err != nil {
		return value{}, err
	}
	null := value{expr: relation.NewNull(relation.TextType), null: true, low: true, high: true, size: 1}
	out, err := b.choose(at, []value{v, not}, append(branches, null))
	out.domain = slices.DeleteFunc(slices.Clone(out.domain), func(d relation.Value) bool { return d.Null })
	return out, err
}
