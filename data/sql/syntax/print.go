package syntax

import (
	"strconv"
	"strings"
)

// String writes a query in one form, whatever the spaces, comments, case of keywords and brackets of the text that it came from. Parse
// reads it back as the same tree but for the places.
func (q *Query) String() string {
	p := &printer{}
	p.query(q)
	return p.b.String()
}

// Canonical writes an expression likewise.
func Canonical(e Expr) string {
	p := &printer{}
	p.expr(e)
	return p.b.String()
}

type printer struct{ b strings.Builder }

func (p *printer) put(parts ...string) {
	for _, s := range parts {
		p.b.WriteString(s)
	}
}

// list writes n parts with commas between them.
func (p *printer) list(n int, each func(i int)) {
	for i := range n {
		if i > 0 {
			p.put(", ")
		}
		each(i)
	}
}

func ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// dotted quotes both parts of schema.name.
func dotted(s string) string {
	if schema, name, ok := strings.Cut(s, "."); ok {
		return ident(schema) + "." + ident(name)
	}
	return ident(s)
}

func (p *printer) names(names []string) {
	p.put("(")
	p.list(len(names), func(i int) { p.put(ident(names[i])) })
	p.put(")")
}

func (p *printer) query(q *Query) {
	if len(q.With) > 0 {
		p.put("WITH ")
		p.list(len(q.With), func(i int) {
			c := q.With[i]
			p.put(ident(c.Name))
			if c.Columns != nil {
				p.put(" ")
				p.names(c.Columns)
			}
			p.put(" AS (")
			p.query(c.Query)
			p.put(")")
		})
		p.put(" ")
	}
	if q.Select != nil {
		p.selects(q.Select)
	}
	for i, arm := range q.Union {
		if i > 0 {
			p.put(" UNION ALL ")
		}
		p.put("(")
		p.query(arm)
		p.put(")")
	}
	if len(q.OrderBy) > 0 {
		p.put(" ORDER BY ")
		p.list(len(q.OrderBy), func(i int) { p.order(q.OrderBy[i]) })
	}
	if q.Limit != nil {
		p.put(" LIMIT ", strconv.FormatInt(*q.Limit, 10))
	}
}

func (p *printer) order(o Order) {
	p.expr(o.Expr)
	if o.Desc {
		p.put(" DESC")
	}
	if o.NullsFirst != nil {
		p.put(map[bool]string{true: " NULLS FIRST", false: " NULLS LAST"}[*o.NullsFirst])
	}
}

func (p *printer) selects(s *Select) {
	p.put("SELECT ")
	if s.Distinct {
		p.put("DISTINCT ")
	}
	p.list(len(s.Items), func(i int) { p.item(s.Items[i]) })
	if s.From != nil {
		p.put(" FROM ")
		p.from(s.From)
	}
	if s.Where != nil {
		p.put(" WHERE ")
		p.expr(s.Where)
	}
	if len(s.GroupBy) > 0 {
		p.put(" GROUP BY ")
		p.list(len(s.GroupBy), func(i int) { p.expr(s.GroupBy[i]) })
	}
	if s.Having != nil {
		p.put(" HAVING ")
		p.expr(s.Having)
	}
}

func (p *printer) item(i Item) {
	switch {
	case i.Star && i.Of != "":
		p.put(dotted(i.Of), ".*")
	case i.Star:
		p.put("*")
	default:
		p.expr(i.Expr)
	}
	if i.As != "" {
		p.put(" AS ", ident(i.As))
	}
}

var joinWords = [...]string{InnerJoin: " JOIN ", LeftJoin: " LEFT JOIN ", RightJoin: " RIGHT JOIN ", FullJoin: " FULL JOIN ", CrossJoin: " CROSS JOIN "}

func (p *printer) from(f From) {
	switch f := f.(type) {
	case *Table:
		p.put(dotted(f.Name))
		p.alias(f.Alias, nil)
	case *Sub:
		p.put("(")
		p.query(f.Query)
		p.put(")")
		p.alias(f.Alias, f.Columns)
	case *Join:
		p.from(f.Left)
		p.put(joinWords[f.Kind])
		if _, ok := f.Right.(*Join); ok {
			p.put("(")
			p.from(f.Right)
			p.put(")")
		} else {
			p.from(f.Right)
		}
		if f.On != nil {
			p.put(" ON ")
			p.expr(f.On)
		}
		if f.Using != nil {
			p.put(" USING ")
			p.names(f.Using)
		}
	}
}

func (p *printer) alias(name string, columns []string) {
	if name == "" {
		return
	}
	p.put(" AS ", ident(name))
	if columns != nil {
		p.put(" ")
		p.names(columns)
	}
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (p *printer) expr(e Expr) {
	switch e := e.(type) {
	case *Column:
		if e.Table != "" {
			p.put(dotted(e.Table), ".")
		}
		p.put(ident(e.Name))
	case *Number:
		p.put(e.Text)
	case *Text:
		p.put(literal(e.Value))
	case *Truth:
		p.put(strings.ToUpper(strconv.FormatBool(e.Value)))
	case *Null:
		p.put("NULL")
	case *Interval:
		p.interval(e)
	case *Unary:
		p.put("(", map[string]string{"not": "NOT ", "-": "- "}[e.Op])
		// A bracket around a number would be folded into it, sign and all.
		p.expr(e.X)
		p.put(")")
	case *Binary:
		p.put("(")
		p.expr(e.L)
		p.put(" ", strings.ToUpper(e.Op), " ")
		p.expr(e.R)
		p.put(")")
	case *Call:
		p.call(e)
	case *Case:
		p.cases(e)
	case *Cast:
		p.put("CAST(")
		p.expr(e.X)
		p.put(" AS ", e.Type)
		if len(e.Mod) > 0 {
			p.put("(")
			p.list(len(e.Mod), func(i int) { p.put(strconv.FormatInt(e.Mod[i], 10)) })
			p.put(")")
		}
		p.put(")")
	default:
		p.predicate(e)
	}
}

// predicate writes what is true or false.
func (p *printer) predicate(e Expr) {
	not := func(n bool) string {
		if n {
			return " NOT"
		}
		return ""
	}
	p.put("(")
	switch e := e.(type) {
	case *In:
		p.expr(e.X)
		p.put(not(e.Not), " IN (")
		p.list(len(e.Of), func(i int) { p.expr(e.Of[i]) })
		p.put(")")
	case *Between:
		p.expr(e.X)
		p.put(not(e.Not), " BETWEEN ")
		p.expr(e.Low)
		p.put(" AND ")
		p.expr(e.High)
	case *Like:
		p.expr(e.X)
		p.put(not(e.Not), " LIKE ")
		p.expr(e.Pattern)
		if e.Escape != "" {
			p.put(" ESCAPE ", literal(e.Escape))
		}
	case *IsNull:
		p.expr(e.X)
		p.put(" IS", not(e.Not), " NULL")
	case *Is:
		p.expr(e.X)
		p.put(" IS", not(e.Not))
		if e.Op == "distinct" {
			p.put(" DISTINCT FROM ")
			p.expr(e.Y)
		} else {
			p.put(" ", strings.ToUpper(e.Op))
		}
	}
	p.put(")")
}

func (p *printer) call(c *Call) {
	switch c.Name {
	case "extract":
		if field, ok := c.Args[0].(*Text); ok && len(c.Args) == 2 {
			p.put("extract(", literal(field.Value), " FROM ")
			p.expr(c.Args[1])
			p.put(")")
			return
		}
	case "coalesce", "nullif", "greatest", "least":
		p.put(strings.ToUpper(c.Name), "(")
	default:
		p.put(c.Name, "(")
	}
	if c.Distinct {
		p.put("DISTINCT ")
	}
	if c.Star {
		p.put("*")
	}
	p.list(len(c.Args), func(i int) { p.expr(c.Args[i]) })
	p.put(")")
	if len(c.Within) > 0 {
		p.put(" WITHIN GROUP (ORDER BY ")
		p.list(len(c.Within), func(i int) { p.expr(c.Within[i]) })
		p.put(")")
	}
	if c.Filter != nil {
		p.put(" FILTER (WHERE ")
		p.expr(c.Filter)
		p.put(")")
	}
}

func (p *printer) cases(c *Case) {
	p.put("CASE")
	if c.Of != nil {
		p.put(" ")
		p.expr(c.Of)
	}
	for _, w := range c.Whens {
		p.put(" WHEN ")
		p.expr(w.If)
		p.put(" THEN ")
		p.expr(w.Then)
	}
	if c.Else != nil {
		p.put(" ELSE ")
		p.expr(c.Else)
	}
	p.put(" END")
}

func (p *printer) interval(v *Interval) {
	n := func(i int64) string { return strconv.FormatInt(i, 10) }
	sign, micros := "", v.Micros%1_000_000
	if v.Micros < 0 {
		sign, micros = "-", -micros
	}
	seconds := v.Micros / 1_000_000
	if seconds < 0 {
		seconds = -seconds
	}
	frac := ""
	if micros != 0 {
		frac = "." + strings.TrimRight(n(1_000_000 + micros)[1:], "0")
	}
	p.put("INTERVAL '", n(v.Months), " months ", n(v.Days), " days ", sign, n(seconds), frac, " seconds'")
}
