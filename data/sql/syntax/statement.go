package syntax

import (
	"slices"
	"strconv"
	"strings"
)

// statements reads the whole text: one SELECT.
func (r *reader) statements(tree map[string]any) *Query {
	top := r.object(tree, "")
	top.take("version")
	list := top.list("stmts")
	top.done()
	if len(list) == 0 {
		r.refuse(0, "empty", "there is no question", shape)
		return nil
	}
	if len(list) > 1 {
		second := r.object(list[1], "")
		r.refuse(r.token(Pos(second.int("stmt_location"))), "several-statements", "a question is one statement", "ask the second one on its own")
		return nil
	}
	s := r.object(list[0], "")
	s.take("stmt_location")
	s.take("stmt_len")
	stmt := s.take("stmt")
	s.done()
	r.last = r.token(0)
	return r.query(stmt)
}

// token is the place of the first byte from at on that is no space; comments count as tokens.
func (r *reader) token(at Pos) Pos {
	rest := r.text[min(max(int(at), 0), len(r.text)):]
	return at + Pos(len(rest)-len(strings.TrimLeft(rest, " \t\r\n;")))
}

// query reads {"SelectStmt": …}.
func (r *reader) query(v any) *Query {
	n := r.node(v)
	if n.kind != "SelectStmt" {
		n.refuseKind()
		return nil
	}
	return r.selectStmt(n)
}

func (r *reader) selectStmt(n *node) *Query {
	if !r.enter(n.at) {
		return nil
	}
	defer r.leave()
	q := &Query{Pos: n.at}
	if w := n.take("withClause"); w != nil {
		q.With = r.with(w)
	}
	switch op := n.str("op"); {
	case op == "SETOP_UNION" && n.truth("all"):
		for _, side := range []string{"larg", "rarg"} {
			arm := r.selectStmt(r.object(n.take(side), "SelectStmt"))
			if arm == nil {
				return nil
			}
			if side == "larg" && arm.Union != nil && arm.With == nil && arm.OrderBy == nil && arm.Limit == nil {
				q.Union = append(q.Union, arm.Union...)
				continue
			}
			q.Union = append(q.Union, arm)
		}
		q.Pos = q.Union[0].Pos
	case op == "SETOP_NONE" || op == "":
		if q.Select = r.selectList(n); q.Select == nil {
			return nil
		}
		q.Pos = q.Select.Pos
	default:
		n.refuseField("op")
		return nil
	}
	for _, v := range n.list("sortClause") {
		q.OrderBy = append(q.OrderBy, r.order(v))
	}
	n.expect("limitOption", "LIMIT_OPTION_DEFAULT", "LIMIT_OPTION_COUNT")
	if v := n.take("limitCount"); v != nil {
		q.Limit = r.limit(v)
	}
	n.done()
	return q
}

func (r *reader) with(v any) []CTE {
	n := r.object(v, "WithClause")
	var out []CTE
	for _, v := range n.list("ctes") {
		c := r.node(v)
		cte := CTE{Pos: c.at, Name: r.name(c.at, c.str("ctename"))}
		if slices.ContainsFunc(out, func(o CTE) bool { return o.Name == cte.Name }) {
			r.refuse(c.at, "with", "two queries of WITH have the same name", "give each a name of its own")
			return nil
		}
		for _, s := range c.names("aliascolnames") {
			cte.Columns = append(cte.Columns, r.name(c.at, s))
		}
		c.expect("ctematerialized", "CTEMaterializeDefault")
		if cte.Query = r.query(c.take("ctequery")); cte.Query == nil {
			return nil
		}
		c.done()
		out = append(out, cte)
	}
	n.done()
	return out
}

func (r *reader) selectList(n *node) *Select {
	s := &Select{Pos: n.at}
	for i, v := range n.list("distinctClause") {
		if m, ok := v.(map[string]any); !ok || len(m) > 0 || i > 0 {
			n.refuseField("distinctClause")
			return nil
		}
		s.Distinct = true
	}
	for i, v := range n.list("targetList") {
		item := r.item(v)
		if i == 0 {
			s.Pos = item.Pos
		}
		s.Items = append(s.Items, item)
	}
	for _, v := range n.list("fromClause") {
		f := r.from(v)
		if s.From == nil {
			s.From = f
			continue
		}
		s.From = &Join{Pos: fromPos(f), Kind: CrossJoin, Left: s.From, Right: f}
	}
	s.Where = r.optional(n.take("whereClause"))
	for _, v := range n.list("groupClause") {
		s.GroupBy = append(s.GroupBy, r.expr(v))
	}
	s.Having = r.optional(n.take("havingClause"))
	if len(s.Items) == 0 && n.fields["valuesLists"] == nil {
		r.refuse(n.at, "empty-select", "the SELECT list is empty", shape)
	}
	if r.err != nil {
		return nil
	}
	return s
}

func (r *reader) item(v any) Item {
	n := r.node(v)
	if n.kind != "ResTarget" {
		n.refuseKind()
		return Item{}
	}
	item := Item{Pos: n.at}
	if s := n.str("name"); s != "" {
		item.As = r.name(n.at, s)
	}
	val := n.take("val")
	n.done()
	if table, ok := r.star(val); ok {
		item.Star, item.Of = true, table
		return item
	}
	item.Expr = r.expr(val)
	return item
}

// star recognises * and t.*.
func (r *reader) star(v any) (table string, ok bool) {
	m, _ := v.(map[string]any)
	ref, _ := m["ColumnRef"].(map[string]any)
	fields, _ := ref["fields"].([]any)
	if len(fields) == 0 {
		return "", false
	}
	last, _ := fields[len(fields)-1].(map[string]any)
	if _, ok := last["A_Star"]; !ok {
		return "", false
	}
	n := r.node(v)
	n.fields["fields"] = fields[:len(fields)-1]
	parts := n.names("fields")
	n.done()
	if len(parts) > 2 {
		r.refuse(n.at, "name", "a star is of a table or schema.table", "use table.*")
	}
	for _, p := range parts {
		r.name(n.at, p)
	}
	return strings.Join(parts, "."), true
}

func (r *reader) order(v any) Order {
	n := r.node(v)
	if n.kind != "SortBy" {
		n.refuseKind()
		return Order{}
	}
	o := Order{Expr: r.expr(n.take("node"))}
	if o.Expr != nil {
		o.Pos = o.Expr.At()
	}
	n.at = o.Pos
	switch dir := n.str("sortby_dir"); dir {
	case "SORTBY_DEFAULT", "SORTBY_ASC", "":
	case "SORTBY_DESC":
		o.Desc = true
	default:
		n.refuseField("sortby_dir")
	}
	switch nulls := n.str("sortby_nulls"); nulls {
	case "SORTBY_NULLS_DEFAULT", "":
	case "SORTBY_NULLS_FIRST", "SORTBY_NULLS_LAST":
		first := nulls == "SORTBY_NULLS_FIRST"
		o.NullsFirst = &first
	default:
		n.refuseField("sortby_nulls")
	}
	n.done()
	return o
}

// limit reads a whole number; NULL is LIMIT ALL, which is none.
func (r *reader) limit(v any) *int64 {
	switch e := r.expr(v).(type) {
	case *Null:
		return nil
	case *Number:
		if l, err := strconv.ParseInt(e.Text, 10, 64); err == nil && l >= 0 {
			return &l
		}
		r.refuse(e.Pos, "limit", "LIMIT takes a whole number from 0", "use LIMIT n")
	case nil:
	default:
		r.refuse(e.At(), "limit", "LIMIT takes a whole number from 0", "use LIMIT n")
	}
	return nil
}

func (r *reader) from(v any) From {
	n := r.node(v)
	if !r.enter(n.at) {
		return nil
	}
	defer r.leave()
	switch n.kind {
	case "RangeVar":
		return r.table(n)
	case "RangeSubselect":
		return r.sub(n)
	case "JoinExpr":
		return r.join(n)
	}
	n.refuseKind()
	return nil
}

func (r *reader) table(n *node) From {
	t := &Table{Pos: n.at, Name: r.name(n.at, n.str("relname"))}
	schema := n.str("schemaname")
	if systemName(schema) || schema == "" && systemName(t.Name) {
		r.refuse(n.at, "system-catalog", "catalogs of a database are not answered", "ask for the tables of the dataset by the door's own list")
		return nil
	}
	if schema != "" {
		t.Name = r.name(n.at, schema) + "." + t.Name
	}
	if !n.truth("inh") {
		n.refuseField("inh")
	}
	n.expect("relpersistence", "p")
	t.Alias, _ = r.alias(n, false)
	n.done()
	return t
}

// systemName is whether a name is of the catalogs of PostgreSQL, SQLite or DuckDB.
func systemName(s string) bool {
	s = strings.ToLower(s)
	return strings.HasPrefix(s, "pg_") || strings.HasPrefix(s, "sqlite_") || strings.HasPrefix(s, "duckdb_") || s == "information_schema"
}

// alias reads an alias, with column names where they may be.
func (r *reader) alias(n *node, columns bool) (string, []string) {
	v := n.take("alias")
	if v == nil {
		return "", nil
	}
	a := r.object(v, "Alias")
	a.at = n.at
	name := r.name(a.at, a.str("aliasname"))
	var names []string
	if columns {
		for _, s := range a.names("colnames") {
			names = append(names, r.name(a.at, s))
		}
	}
	a.done()
	return name, names
}

func (r *reader) sub(n *node) From {
	s := &Sub{Pos: n.at}
	if s.Query = r.query(n.take("subquery")); s.Query == nil {
		return nil
	}
	s.Pos = s.Query.Pos
	s.Alias, s.Columns = r.alias(n, true)
	n.done()
	return s
}

var joinKinds = map[string]JoinKind{"JOIN_INNER": InnerJoin, "JOIN_LEFT": LeftJoin, "JOIN_RIGHT": RightJoin, "JOIN_FULL": FullJoin}

func (r *reader) join(n *node) From {
	j := &Join{Left: r.from(n.take("larg"))}
	j.Right = r.from(n.take("rarg"))
	if r.err != nil {
		return nil
	}
	j.Pos = fromPos(j.Right)
	n.at = j.Pos
	kind, ok := joinKinds[n.str("jointype")]
	if !ok {
		r.refuse(n.at, "join", "this join is not answered", "use JOIN table USING (column)")
	}
	j.Kind = kind
	j.On = r.optional(n.take("quals"))
	for _, s := range n.names("usingClause") {
		j.Using = append(j.Using, r.name(n.at, s))
	}
	n.done()
	if kind == InnerJoin && j.On == nil && j.Using == nil {
		j.Kind = CrossJoin
	}
	return j
}

// fromPos is where a relation is written.
func fromPos(f From) Pos {
	switch f := f.(type) {
	case *Table:
		return f.Pos
	case *Sub:
		return f.Pos
	case *Join:
		return f.Pos
	}
	return 0
}
