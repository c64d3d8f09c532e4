package facade

import (
	"slices"
	"strconv"
	"strings"
)

// dialect is how one engine writes what a statement is made of.
type dialect struct {
	table func(name string) string
	// shown is a column as it is read, compared as it stands in conditions and orders, where an index can be used; neither
	// may fall back to anything where there is no such column.
	shown    func(c Column) string
	compared func(c Column) string
	// fits holds for a column's values of its kind, where the engine lets a column hold others; nil: it does not.
	fits func(c Column) string
	// hash is a hash of the key under a secret, whose placeholder is given.
	hash func(secret string, key []Column) string
	// holder is the n-th placeholder, from 1 on.
	holder func(n int) string
}

// statement is the text of a query with its values in order. Nothing of a caller is in the text.
type statement struct {
	d    *dialect
	q    *Query
	sql  strings.Builder
	args []argument
}

type argument struct {
	text string
	kind Kind
	of   int // which condition it is of, counted from 1; 0: none
}

func compose(d *dialect, q *Query) *statement {
	s := &statement{d: d, q: q}
	s.sql.WriteString("SELECT ")
	for i, c := range q.Columns {
		if i > 0 {
			s.sql.WriteString(", ")
		}
		s.sql.WriteString(d.shown(c))
	}
	for _, o := range q.Order {
		s.sql.WriteString(", ")
		if o.Scattered {
			s.sql.WriteString(s.orderBy(o))
		} else {
			s.sql.WriteString(d.shown(o.Column))
		}
	}
	s.sql.WriteString(" FROM " + d.table(q.Table) + " AS t")
	glue := " WHERE "
	for i := range q.Where {
		s.sql.WriteString(glue)
		s.condition(i)
		glue = " AND "
	}
	if d.fits != nil { // what is of another kind is not shown, and so not found, and no row has a place in an order by it
		for _, c := range q.used() {
			s.sql.WriteString(glue + "(" + d.compared(c) + " IS NULL OR " + d.fits(c) + ")")
			glue = " AND "
		}
	}
	if q.After != nil {
		s.sql.WriteString(glue)
		s.after(0)
	}
	for i, o := range q.Order {
		s.sql.WriteString([]string{" ORDER BY ", ", "}[min(i, 1)])
		expr := s.orderBy(o)
		if !o.Scattered && !o.Given {
			s.sql.WriteString("(" + expr + " IS NULL), ")
		}
		s.sql.WriteString(expr)
		if o.Descending {
			s.sql.WriteString(" DESC")
		}
	}
	s.sql.WriteString(" LIMIT " + strconv.Itoa(q.Limit+1))
	return s
}

// used are the columns by which rows are chosen or put in order.
func (q *Query) used() (all []Column) {
	add := func(c Column) {
		if !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	for i := range q.Where {
		add(q.Where[i].Column)
	}
	for _, o := range q.Order {
		if !o.Scattered {
			add(o.Column)
		}
	}
	return all
}

// bind adds a value and returns its placeholder.
func (s *statement) bind(text string, k Kind) string {
	s.args = append(s.args, argument{text: text, kind: k})
	return s.d.holder(len(s.args))
}

func (s *statement) value(i, j int) string {
	c := &s.q.Where[i]
	s.args = append(s.args, argument{c.Values[j], c.Column.Kind, i + 1})
	return s.d.holder(len(s.args))
}

func (s *statement) orderBy(o Order) string {
	if !o.Scattered {
		return s.d.compared(o.Column)
	}
	return s.d.hash(s.bind(s.q.Secret, Text), s.q.Scatter)
}

var opSigns = [...]string{Equal: "=", Less: "<", AtMost: "<=", Greater: ">", AtLeast: ">="}

func (s *statement) condition(n int) {
	c := &s.q.Where[n]
	expr := s.d.compared(c.Column)
	switch c.Op {
	case IsNull:
		s.sql.WriteString(expr + " IS ")
		if c.Values[0] != "true" {
			s.sql.WriteString("NOT ")
		}
		s.sql.WriteString("NULL")
	case OneOf:
		s.sql.WriteString(expr + " IN (")
		for i := range c.Values {
			if i > 0 {
				s.sql.WriteString(", ")
			}
			s.sql.WriteString(s.value(n, i))
		}
		s.sql.WriteString(")")
	default:
		s.sql.WriteString(expr + " " + opSigns[c.Op] + " " + s.value(n, 0))
	}
}

// after holds for rows that come later in the order than the place, from its i-th step on.
func (s *statement) after(i int) {
	o, at := s.q.Order[i], s.q.After[i]
	kind := o.Column.Kind
	if o.Scattered {
		kind = Text
	}
	s.sql.WriteString("(")
	if at.Null { // nothing comes after rows without a value but others of them
		s.sql.WriteString(s.orderBy(o) + " IS NULL")
		if i+1 < len(s.q.Order) {
			s.sql.WriteString(" AND ")
			s.after(i + 1)
		} else {
			s.sql.WriteString(" AND 1 = 0")
		}
		s.sql.WriteString(")")
		return
	}
	sign := " > "
	if o.Descending {
		sign = " < "
	}
	s.sql.WriteString(s.orderBy(o) + sign + s.bind(at.raw, kind))
	if !o.Scattered && !o.Given {
		s.sql.WriteString(" OR " + s.orderBy(o) + " IS NULL")
	}
	if i+1 < len(s.q.Order) {
		s.sql.WriteString(" OR " + s.orderBy(o) + " = " + s.bind(at.raw, kind) + " AND ")
		s.after(i + 1)
	}
	s.sql.WriteString(")")
}

// quoted writes an identifier so that nothing in it is syntax. Names hold no NUL; see [New].
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
