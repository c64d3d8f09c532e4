package query

import (
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
)

// grouping is what GROUP BY says: expressions over the rows.
type grouping struct {
	exprs  []syntax.Expr // as written
	values []value
	text   []string // canonical, by which a part of the SELECT list is known to be a key
	names  []string
}

// groupBy binds GROUP BY, whose elements may be places in the SELECT list or names that it gives.
func (b *binder) groupBy(s *syntax.Select, in *rowset) (*grouping, error) {
	g := &grouping{}
	for _, e := range s.GroupBy {
		name := ""
		switch x := e.(type) {
		case *syntax.Number:
			n, places, ok := parseDecimal(x.Text)
			if !ok || places != 0 || n < 1 || n > int64(len(s.Items)) || s.Items[n-1].Star {
				return nil, b.refuse(e.At(), ruleGroup, "", "GROUP BY names no place of the SELECT list")
			}
			e, name = s.Items[n-1].Expr, itemName(s.Items[n-1])
		case *syntax.Column:
			name = x.Name
			if _, err := b.lookup(&scope{rows: in}, x); err != nil && x.Table == "" {
				if i := slices.IndexFunc(s.Items, func(it syntax.Item) bool { return it.As != "" && alike(it.As, x.Name) }); i >= 0 {
					e = s.Items[i].Expr
				}
			}
		}
		if call := aggregateIn(e); call != nil {
			return nil, b.refuse(call.At(), ruleAggregate, "", "rows are not grouped by an aggregate")
		}
		v, err := b.expr(&scope{rows: in}, e)
		if err != nil {
			return nil, err
		}
		if v, err = b.settled(e.At(), v); err != nil {
			return nil, err
		}
		if text := canonicalExpr(v.expr); !slices.Contains(g.text, text) {
			g.exprs, g.values, g.text, g.names = append(g.exprs, e), append(g.values, v), append(g.text, text), append(g.names, name)
		}
	}
	return g, nil
}

// find is which key an expression is, or −1. The expression holds no aggregate.
func (g *grouping) find(b *binder, in *rowset, e syntax.Expr) int {
	if len(g.values) == 0 {
		return -1
	}
	v, err := b.expr(&scope{rows: in}, e)
	if err != nil {
		return -1
	}
	return slices.Index(g.text, canonicalExpr(v.expr))
}

// argument is one column that an aggregate reads, computed for each row.
type argument struct {
	name string
	value
}

// arguments computes the columns that aggregates read, each once.
type arguments struct {
	b     *binder
	in    *rowset
	known map[string]*argument
	list  []*argument
}

func (a *arguments) add(v value) *argument {
	text := canonicalExpr(v.expr)
	if got := a.known[text]; got != nil {
		return got
	}
	arg := &argument{a.b.name(), v}
	a.known[text] = arg
	a.list = append(a.list, arg)
	return arg
}

// value binds the argument of an aggregate, NULL where FILTER is not true.
func (a *arguments) value(c *syntax.Call, e syntax.Expr) (value, error) {
	if call := aggregateIn(e); call != nil {
		return value{}, a.b.refuse(call.At(), ruleAggregate, "fold in a subquery first", "an aggregate of an aggregate")
	}
	v, err := a.b.expr(&scope{rows: a.in}, e)
	if err != nil {
		return value{}, err
	}
	if v, err = a.b.settled(e.At(), v); err != nil {
		return value{}, err
	}
	return a.filtered(c, v)
}

func (a *arguments) filtered(c *syntax.Call, v value) (value, error) {
	if c.Filter == nil {
		return v, nil
	}
	if call := aggregateIn(c.Filter); call != nil {
		return value{}, a.b.refuse(call.At(), ruleAggregate, "", "FILTER is about rows")
	}
	cond, err := a.b.condition(&scope{rows: a.in}, c.Filter)
	if err != nil {
		return value{}, err
	}
	unit, origin := v.unit, v.origin
	v.null = false
	v, err = a.b.choose(c.At(), []value{cond}, []value{v, {expr: relation.NewNull(relation.TextType), null: true, low: true, high: true, size: 1}})
	v.unit, v.origin = unit, origin
	return v, err
}

// columns are the named expressions of a projection that has the unit, keys and arguments.
func (a *arguments) columns(keys []relation.Named) ([]relation.Named, error) {
	var out []relation.Named
	for _, n := range a.in.unit {
		ref, err := relation.NewRef(a.in.rel, n)
		if err != nil {
			return nil, err
		}
		out = append(out, relation.Named{Name: n, Expr: ref})
	}
	out = append(out, keys...)
	for _, arg := range a.list {
		out = append(out, relation.Named{Name: arg.name, Expr: arg.expr})
	}
	return out, nil
}
