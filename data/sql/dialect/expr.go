package dialect

import (
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
)

const (
	dayMicros  = 86_400_000_000
	hourMicros = 3_600_000_000
	// A day's number plus origin is never negative, and a multiple of 7 on Mondays: 0001-01-01 was one.
	origin = 719162
)

var compareOps = map[relation.CompareOp]string{
	relation.Eq: "=", relation.Ne: "<>", relation.Lt: "<", relation.Le: "<=", relation.Gt: ">", relation.Ge: ">=",
}

// expr writes an expression over the columns of in: a name, a constant, or something in parentheses.
func (e *emitter) expr(in *rel, x relation.Expr) (string, error) {
	sql, err := e.bare(in, x)
	if err == nil && len(sql) > maxSQL {
		err = ErrLong
	}
	return sql, err
}

func (e *emitter) bare(in *rel, x relation.Expr) (string, error) {
	switch x := x.(type) {
	case *relation.Ref:
		sql, ok := in.sql[x.Name]
		if !ok {
			return "", fmt.Errorf("a column that is not there: %w", ErrShape)
		}
		return sql, nil
	case *relation.Const:
		return e.value(x.Value), nil
	case *relation.Arith:
		return e.arith(in, x)
	case *relation.Compare:
		op, ok := compareOps[x.Op]
		if !ok {
			return "", fmt.Errorf("a comparison of unknown form: %w", ErrShape)
		}
		return e.both(in, x.L, x.R, func(l, r string) string { return "(" + l + " " + op + " " + r + ")" })
	case *relation.Logic:
		word := " AND "
		if x.Or {
			word = " OR "
		}
		of, err := e.list(in, x.Of)
		return "(" + strings.Join(of, word) + ")", err
	case *relation.Not:
		return e.one(in, x.X, func(v string) string { return "(NOT " + v + ")" })
	case *relation.IsNull:
		return e.one(in, x.X, func(v string) string { return "(" + v + " IS NULL)" })
	case *relation.In:
		of := make([]string, len(x.Of))
		for i, v := range x.Of {
			of[i] = e.value(v)
		}
		return e.one(in, x.X, func(v string) string { return "(" + v + " IN (" + strings.Join(of, ", ") + "))" })
	case *relation.Like:
		return e.one(in, x.X, func(v string) string { return "(" + e.d.Like(v, x.Pattern) + ")" })
	case *relation.Case:
		return e.cases(in, x)
	case *relation.Letters:
		return e.one(in, x.X, func(v string) string { return e.d.Letters(x.Op, v) })
	}
	return e.moment(in, x)
}

// moment writes what concerns dates and times, and bounds.
func (e *emitter) moment(in *rel, x relation.Expr) (string, error) {
	switch x := x.(type) {
	case *relation.Scale:
		return e.one(in, x.X, func(v string) string { return e.scale(v, x.X.Type().Places, x.As.Places) })
	case *relation.Clamp:
		return e.one(in, x.X, func(v string) string { return "(" + e.d.Clamp(v, x.As.Min, x.As.Max, true) + ")" })
	case *relation.Part:
		return e.one(in, x.X, func(v string) string { return e.part(x.Of, x.X.Type().Kind, v) })
	case *relation.Trunc:
		return e.one(in, x.X, func(v string) string { return e.trunc(x.To, x.X.Type().Kind, v) })
	case *relation.Shift:
		return e.both(in, x.X, x.By, func(l, r string) string {
			return "(" + e.d.Clamp("("+l+" + "+r+")", x.As.Min, x.As.Max, true) + ")"
		})
	case *relation.Between:
		return e.both(in, x.L, x.R, func(l, r string) string { return "(" + l + " - " + r + ")" })
	case *relation.AsDate:
		return e.one(in, x.X, e.day)
	case *relation.AsTime:
		return e.one(in, x.X, func(v string) string { return "(" + v + " * " + e.d.Number(dayMicros) + ")" })
	}
	return "", fmt.Errorf("an expression of unknown form: %w", ErrShape)
}

func (e *emitter) one(in *rel, x relation.Expr, f func(string) string) (string, error) {
	v, err := e.expr(in, x)
	if err != nil {
		return "", err
	}
	return f(v), nil
}

func (e *emitter) both(in *rel, l, r relation.Expr, f func(l, r string) string) (string, error) {
	of, err := e.list(in, []relation.Expr{l, r})
	if err != nil {
		return "", err
	}
	return f(of[0], of[1]), nil
}

func (e *emitter) list(in *rel, of []relation.Expr) ([]string, error) {
	out := make([]string, len(of))
	for i, x := range of {
		v, err := e.expr(in, x)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (e *emitter) value(v relation.Value) string {
	switch {
	case v.Null:
		return e.d.Null(v.Kind)
	case v.Kind == relation.Text:
		return e.d.Text(v.Text)
	case v.Kind == relation.Truth:
		return e.d.Truth(v.Int != 0)
	}
	return e.d.Number(v.Int)
}

func (e *emitter) arith(in *rel, x *relation.Arith) (string, error) {
	return e.both(in, x.L, x.R, func(l, r string) string {
		switch x.Op {
		case relation.Add:
			return "(" + l + " + " + r + ")"
		case relation.Sub:
			return "(" + l + " - " + r + ")"
		case relation.Mul:
			return "(" + l + " * " + r + ")"
		case relation.Mod:
			return "(" + e.d.Rem(l, r) + ")"
		case relation.Least:
			return "(" + e.d.Lesser(l, r) + ")"
		case relation.Greatest:
			return "(" + e.d.Greater(l, r) + ")"
		}
		// l·10^−a / r·10^−b at c places is l·10^(b+c−a) / r.
		k := x.As.Places + x.R.Type().Places - x.L.Type().Places
		if k > 0 {
			l = "(" + l + " * " + e.d.Number(pow10(k)) + ")"
		}
		if k < 0 {
			r = "(" + r + " * " + e.d.Number(pow10(-k)) + ")"
		}
		return "(" + e.d.Quo(l, r) + ")"
	})
}

// scale rounds halves away from zero: with r = v rem d, |2r| < 2d, so 2r quo d is ±1 from the half on and 0 before.
func (e *emitter) scale(v string, from, to int) string {
	if to == from {
		return v
	}
	if to > from {
		return "(" + v + " * " + e.d.Number(pow10(to-from)) + ")"
	}
	d := e.d.Number(pow10(from - to))
	return e.d.Let(v, func(v string) string {
		return "(" + e.d.Quo(v, d) + " + " + e.d.Quo("("+e.d.Rem(v, d)+" * 2)", d) + ")"
	})
}

func (e *emitter) cases(in *rel, x *relation.Case) (string, error) {
	var b strings.Builder
	b.WriteString("(CASE")
	for _, w := range x.Whens {
		of, err := e.list(in, []relation.Expr{w.If, w.Then})
		if err != nil {
			return "", err
		}
		b.WriteString(" WHEN " + of[0] + " THEN " + of[1])
	}
	otherwise := e.d.Null(x.As.Kind)
	if x.Else != nil {
		var err error
		if otherwise, err = e.expr(in, x.Else); err != nil {
			return "", err
		}
	}
	b.WriteString(" ELSE " + otherwise + " END)")
	return b.String(), nil
}

// day is the day of a time. Times begin in year 1, so that what is divided is not negative.
func (e *emitter) day(v string) string {
	return "(" + e.d.Quo("("+v+" + "+e.d.Number(origin*dayMicros)+")", e.d.Number(dayMicros)) + " - " + e.d.Number(origin) + ")"
}

func (e *emitter) part(of relation.DatePart, k relation.Kind, v string) string {
	switch of {
	case relation.Hour:
		return e.clock(v, hourMicros, 24)
	case relation.Minute:
		return e.clock(v, hourMicros/60, 60)
	}
	if k == relation.Time {
		v = e.day(v)
	}
	if of == relation.DayOfWeek {
		return "(" + e.d.Rem("("+v+" + "+e.d.Number(origin)+")", e.d.Number(7)) + " + 1)"
	}
	return "(" + e.d.Part(of, v) + ")"
}

// clock is which of so many steps of a length a time is in.
func (e *emitter) clock(v string, length, of int64) string {
	n := e.d.Quo("("+v+" + "+e.d.Number(origin*dayMicros)+")", e.d.Number(length))
	return "(" + e.d.Rem("("+n+")", e.d.Number(of)) + ")"
}

func (e *emitter) trunc(to relation.DatePart, k relation.Kind, v string) string {
	down := func(v string, by, step int64) string {
		return "(" + e.d.Quo("("+v+" + "+e.d.Number(by)+")", e.d.Number(step)) + " * " + e.d.Number(step) + " - " + e.d.Number(by) + ")"
	}
	switch to {
	case relation.Hour:
		return down(v, origin*dayMicros, hourMicros)
	case relation.Minute:
		return down(v, origin*dayMicros, hourMicros/60)
	}
	if k == relation.Time {
		v = e.day(v)
	}
	switch to {
	case relation.Week:
		v = down(v, origin, 7)
	case relation.Year, relation.Quarter, relation.Month:
		v = "(" + e.d.First(to, v) + ")"
	}
	if k == relation.Time {
		return "(" + v + " * " + e.d.Number(dayMicros) + ")"
	}
	return v
}

// pow10 is a power of ten of at most 18 digits.
func pow10(k int) int64 {
	p := int64(1)
	for range min(k, 18) {
		p *= 10
	}
	return p
}
