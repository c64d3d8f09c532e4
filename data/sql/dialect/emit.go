package dialect

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// What a relation is refused for. All depend on the question and on what is declared alone.
var (
	ErrLong  = errors.New("the statement would be too long")
	ErrShape = errors.New("no such relation can be written out")
)

const (
	maxSQL    = 1 << 20
	maxFenced = 4000    // how long an expression may become by what it is made of, before it is computed on its own
	maxRows   = 1 << 20 // rows of a unit that count in a group
)

// Emit writes q out for a dialect. Its errors tell of the question and of the schema, never of data.
func Emit(d Dialect, q *relation.Bounded, schema Schema) (*Statement, error) {
	if err := relation.Check(q); err != nil {
		return nil, err
	}
	if q.Rows < 1 || q.Rows > maxRows || q.Groups < 0 {
		return nil, fmt.Errorf("bounds of rows and groups: %w", ErrShape)
	}
	e := &emitter{d: d, schema: schema}
	s := &Statement{Sums: len(q.Sums)}
	if err := e.bounded(q, s); err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString(d.Prologue())
	for i, c := range e.ctes {
		b.WriteString([]string{"WITH ", ",\n"}[min(i, 1)])
		before, after := d.With(c.keep, c.fence)
		b.WriteString(c.name + " AS " + before + "(" + c.text + after + ")")
	}
	b.WriteString("\n" + e.last + d.Epilogue())
	if s.SQL = b.String(); len(s.SQL) > maxSQL {
		return nil, ErrLong
	}
	s.Words = e.words
	return s, nil
}

type emitter struct {
	d      Dialect
	schema Schema
	ctes   []cte
	last   string
	words  []int
}

// cte is one subquery.
type cte struct {
	name, text  string
	keep, fence bool
}

// rel is a relation that was written out.
type rel struct {
	at      int // of its subquery
	name    string
	columns []relation.Column
	sql     map[string]string // quoted names
	weight  map[string]int    // how long a column's expression is, with all that it is made of
}

func (e *emitter) add(prefix, text string) int {
	e.ctes = append(e.ctes, cte{name: fmt.Sprintf("scrim__%s%d", prefix, len(e.ctes)+1), text: text})
	return len(e.ctes) - 1
}

// column is one column of a subquery that is being written.
type column struct {
	relation.Column
	sql string
	in  *rel // what sql's names are of; nil: a table
}

// relation writes a subquery of computed columns.
func (e *emitter) relation(from string, columns []column) (*rel, error) {
	r := &rel{sql: map[string]string{}, weight: map[string]int{}}
	list := make([]string, 0, len(columns))
	heavy := false
	for _, c := range columns {
		name, err := e.d.Identifier(c.Name)
		if err != nil {
			return nil, err
		}
		if _, twice := r.sql[c.Name]; twice {
			return nil, fmt.Errorf("two columns of one name: %w", ErrShape)
		}
		list = append(list, c.sql+" AS "+name)
		r.columns = append(r.columns, c.Column)
		r.sql[c.Name] = name
		w := len(c.sql)
		if c.in != nil {
			for n, q := range c.in.sql {
				if c.in.weight[n] > len(q) {
					w += strings.Count(c.sql, q) * c.in.weight[n]
				}
			}
		}
		r.weight[c.Name] = w
		heavy = heavy || w > maxFenced
		if len(c.sql) > maxSQL {
			return nil, ErrLong
		}
	}
	if len(list) == 0 {
		list = append(list, "1 AS nothing")
	}
	r.at = e.add("r", "SELECT "+strings.Join(list, ", ")+" FROM "+from)
	r.name = e.ctes[r.at].name
	if heavy {
		e.ctes[r.at].fence = true
		clear(r.weight)
	}
	return r, nil
}

// rel writes out a relation.
func (e *emitter) rel(of relation.Rel) (*rel, error) {
	switch of := of.(type) {
	case *relation.Scan:
		return e.scan(of)
	case *relation.Filter:
		in, err := e.rel(of.In)
		if err != nil {
			return nil, err
		}
		where, err := e.expr(in, of.Where)
		if err != nil {
			return nil, err
		}
		return e.relation(in.name+" WHERE "+where, e.all(in, ""))
	case *relation.Project:
		in, err := e.rel(of.In)
		if err != nil {
			return nil, err
		}
		columns := make([]column, len(of.Cols))
		for i, c := range of.Cols {
			sql, err := e.expr(in, c.Expr)
			if err != nil {
				return nil, err
			}
			columns[i] = column{relation.Column{Name: c.Name, Type: c.Expr.Type()}, sql, in}
		}
		return e.relation(in.name, columns)
	case *relation.Join:
		return e.join(of)
	case *relation.Union:
		return e.union(of)
	case *relation.Fold:
		return e.fold(of)
	}
	return nil, fmt.Errorf("a relation of unknown form: %w", ErrShape)
}

// all are the columns of a relation as they are.
func (e *emitter) all(in *rel, alias string) []column {
	columns := make([]column, len(in.columns))
	for i, c := range in.columns {
		columns[i] = column{c, alias + in.sql[c.Name], in}
	}
	return columns
}

func (e *emitter) scan(s *relation.Scan) (*rel, error) {
	table, err := e.d.Table(s.Table)
	if err != nil {
		return nil, err
	}
	columns := make([]column, len(s.Fields))
	for i, f := range s.Fields {
		native, err := e.schema(s.Table, f.Source)
		if err != nil {
			return nil, err
		}
		source, err := e.d.Identifier(f.Source)
		if err != nil {
			return nil, err
		}
		sql, err := e.d.Read("t."+source, native, f)
		if err != nil {
			return nil, err
		}
		columns[i] = column{relation.Column{Name: f.As, Type: f.Type}, sql, nil}
	}
	return e.relation(table+" AS t", columns)
}

func (e *emitter) join(j *relation.Join) (*rel, error) {
	l, err := e.rel(j.Left)
	if err != nil {
		return nil, err
	}
	r, err := e.rel(j.Right)
	if err != nil {
		return nil, err
	}
	e.ctes[l.at].keep, e.ctes[r.at].keep = true, true
	on := make([]string, len(j.On))
	for i, p := range j.On {
		a, ok1 := l.sql[p.Left]
		b, ok2 := r.sql[p.Right]
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("a join on a column that is not there: %w", ErrShape)
		}
		on[i] = "l." + a + " = r." + b
	}
	from := l.name + " AS l CROSS JOIN " + r.name + " AS r"
	switch {
	case j.Kind == relation.Left && len(on) == 0:
		from = l.name + " AS l LEFT JOIN " + r.name + " AS r ON 1 = 1"
	case j.Kind == relation.Left:
		from = l.name + " AS l LEFT JOIN " + r.name + " AS r ON " + strings.Join(on, " AND ")
	case len(on) > 0:
		from = l.name + " AS l INNER JOIN " + r.name + " AS r ON " + strings.Join(on, " AND ")
	}
	return e.relation(from, append(e.all(l, "l."), e.all(r, "r.")...))
}

func (e *emitter) union(u *relation.Union) (*rel, error) {
	columns := u.Columns()
	r := &rel{columns: columns, sql: map[string]string{}, weight: map[string]int{}}
	var arms []string
	for _, a := range u.Arms {
		in, err := e.rel(a)
		if err != nil {
			return nil, err
		}
		list := make([]string, len(columns))
		for i, c := range columns {
			name, ok := in.sql[c.Name]
			if !ok {
				return nil, fmt.Errorf("arms of a union with different columns: %w", ErrShape)
			}
			list[i], r.sql[c.Name] = name, name
			r.weight[c.Name] = max(r.weight[c.Name], in.weight[c.Name])
		}
		if len(list) == 0 {
			list = []string{"1 AS nothing"}
		}
		arms = append(arms, "SELECT "+strings.Join(list, ", ")+" FROM "+in.name)
	}
	r.at = e.add("r", strings.Join(arms, " UNION ALL "))
	r.name = e.ctes[r.at].name
	return r, nil
}

func (e *emitter) fold(f *relation.Fold) (*rel, error) {
	in, err := e.rel(f.In)
	if err != nil {
		return nil, err
	}
	types := map[string]relation.Type{}
	for _, c := range in.columns {
		types[c.Name] = c.Type
	}
	var columns []column
	var keys []string
	for _, k := range f.Keys {
		keys = append(keys, in.sql[k])
		columns = append(columns, column{relation.Column{Name: k, Type: types[k]}, in.sql[k], in})
	}
	for _, a := range f.Aggs {
		sql, err := e.agg(a, in.sql[a.Col], types[a.Col])
		if err != nil {
			return nil, err
		}
		columns = append(columns, column{relation.Column{Name: a.Name, Type: a.Type}, sql, in})
	}
	from := in.name
	if len(keys) > 0 {
		from += " GROUP BY " + strings.Join(keys, ", ")
	}
	r, err := e.relation(from, columns)
	if err != nil {
		return nil, err
	}
	clear(r.weight) // what groups is a fence
	return r, nil
}

// agg writes one exact aggregate.
func (e *emitter) agg(a relation.Agg, x string, t relation.Type) (string, error) {
	low, high := a.Type.Min, a.Type.Max
	some := func(sql string) string { return "CASE WHEN COUNT(" + x + ") > 0 THEN " + sql + " END" }
	switch a.Op {
	case relation.CountRows:
		return e.d.Clamp("COUNT(*)", low, high, false), nil
	case relation.CountOf:
		return e.d.Clamp("COUNT("+x+")", low, high, false), nil
	case relation.SumOf:
		return some(e.d.Sum(x, most(t), low, high)), nil
	case relation.MinOf, relation.MaxOf:
		sql := e.d.Least(t.Kind, x)
		if a.Op == relation.MaxOf {
			sql = e.d.Most(t.Kind, x)
		}
		if t.Kind == relation.Text || t.Kind == relation.Truth || low <= t.Min && high >= t.Max {
			return sql, nil
		}
		return e.d.Clamp(sql, low, high, true), nil
	case relation.AvgOf:
		up, down := int64(1), int64(1)
		for i := t.Places; i < a.Type.Places; i++ {
			up *= 10
		}
		for i := a.Type.Places; i < t.Places; i++ {
			down *= 10
		}
		return e.d.Average(x, most(t), up, down, low, high), nil
	}
	return "", fmt.Errorf("an aggregate of unknown form: %w", ErrShape)
}

// most is the greatest magnitude of a type.
func most(t relation.Type) int64 { return max(t.Max, -t.Min, 0) }
