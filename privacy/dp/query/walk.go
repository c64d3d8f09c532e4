package query

import "github.com/scrimhq/scrim/data/sql/syntax"

// aggregateIn is the first aggregate in an expression, or nil.
func aggregateIn(e syntax.Expr) *syntax.Call {
	if c, ok := e.(*syntax.Call); ok && aggregates[c.Name] {
		return c
	}
	for _, x := range parts(e) {
		if c := aggregateIn(x); c != nil {
			return c
		}
	}
	return nil
}

func hasAggregate(s *syntax.Select) bool {
	for _, it := range s.Items {
		if it.Expr != nil && aggregateIn(it.Expr) != nil {
			return true
		}
	}
	return false
}

// parts are the expressions that e is made of.
func parts(e syntax.Expr) []syntax.Expr {
	var out []syntax.Expr
	add := func(es ...syntax.Expr) {
		for _, x := range es {
			if x != nil {
				out = append(out, x)
			}
		}
	}
	whens := func(ws []syntax.When) {
		for _, w := range ws {
			add(w.If, w.Then)
		}
	}
	switch e := e.(type) {
	case *syntax.Unary:
		add(e.X)
	case *syntax.Binary:
		add(e.L, e.R)
	case *syntax.Call:
		add(e.Args...)
		add(e.Filter)
		add(e.Within...)
	case *syntax.Case:
		add(e.Of)
		whens(e.Whens)
		add(e.Else)
	case *syntax.Cast:
		add(e.X)
	case *syntax.In:
		add(e.X)
		add(e.Of...)
	case *syntax.Between:
		add(e.X, e.Low, e.High)
	case *syntax.Like:
		add(e.X, e.Pattern)
	case *syntax.IsNull:
		add(e.X)
	case *syntax.Is:
		add(e.X, e.Y)
	}
	return out
}

// spelled is an expression in words that name columns and functions and no constant.
func spelled(e syntax.Expr) string {
	switch e := e.(type) {
	case *syntax.Column:
		return e.Name
	case *syntax.Call:
		s := e.Name + "("
		if e.Star {
			s += "*"
		}
		if e.Distinct {
			s += "distinct "
		}
		for i, a := range e.Args {
			if i > 0 {
				s += ", "
			}
			s += spelled(a)
		}
		s += ")"
		if e.Filter != nil {
			s += " filter (…)"
		}
		return s
	case *syntax.Cast:
		return spelled(e.X)
	case *syntax.Case:
		return "case …"
	case *syntax.Binary:
		return spelled(e.L) + " " + e.Op + " " + spelled(e.R)
	case *syntax.Unary:
		return e.Op + " " + spelled(e.X)
	}
	return "…"
}
