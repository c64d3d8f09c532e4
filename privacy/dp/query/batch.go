package query

import (
	"fmt"
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
)

// Batch is several questions about the same rows that were understood together. It is immutable.
//
// All of them are answered by one bounded relation, whose groups are the combinations of all of their keys. So a unit counts in at most
// Groups combinations, with at most Rows rows in each, and not in so many groups of each question: that bounds less of it where a unit has
// several rows, and the same where it has one. A key that has none of its declared values counts as one value more, which no answer shows,
// so that a row that is in no group of one question is still in the others.
type Batch struct {
	alone   []*Plan // each by itself
	weights []int64
	merged  *Plan   // what is computed for all
	parts   []*Plan // what is made of that, with all keys and aggregates of merged
	by      [][]int // the keys of each, by their place in merged
	places  []map[string]int
	apart   bool // merged has a key by which it must not be computed
}

const (
	mostQueries = 64
	mostWeight  = 1_000_000
)

// CompileBatch understands the Queries of a question. Each is one SELECT that could be asked alone, counts, sums or averages by public
// keys, from the same FROM and WHERE. Errors are as those of [Compile], and say which query is meant.
func CompileBatch(d *Dataset, q Question) (*Batch, error) {
	if n := len(q.Queries); n < 2 || n > mostQueries {
		return nil, &Error{Rule: ruleLimit, Text: fmt.Sprintf("several questions together are 2 to %d", mostQueries)}
	}
	bt := &Batch{}
	var trees []*syntax.Query
	rows := ""
	for i, part := range q.Queries {
		if part.Weight < 0 || part.Weight > mostWeight {
			return nil, &Error{Rule: ruleLimit, Text: fmt.Sprintf("query %d: a weight is a whole number from 1 to %d", i+1, mostWeight)}
		}
		alone := q
		alone.SQL, alone.Queries = part.SQL, nil
		plan, err := Compile(d, alone)
		if err != nil {
			return nil, numbered(i, err)
		}
		tree, err := syntax.Parse(part.SQL)
		if err != nil {
			return nil, numbered(i, err)
		}
		if err := together(plan, tree); err != nil {
			return nil, numbered(i, err)
		}
		from := rowsText(tree)
		if i == 0 {
			rows = from
		} else if rows != from {
			return nil, numbered(i, &Error{Rule: ruleShape, Text: "it is about other rows than the first", Hint: "give all the same FROM and WHERE, and what differs as FILTER, CASE or GROUP BY"})
		}
		trees = append(trees, tree)
		bt.alone, bt.weights = append(bt.alone, plan), append(bt.weights, max(part.Weight, 1))
	}
	return bt, bt.merge(d, q, trees)
}

// numbered says which query an error is about.
func numbered(i int, err error) error {
	switch e := err.(type) {
	case *Error:
		n := *e
		n.Text = fmt.Sprintf("query %d: %s", i+1, e.Text)
		return &n
	case *syntax.Error:
		n := *e
		n.Text = fmt.Sprintf("query %d: %s", i+1, e.Text)
		return &n
	}
	return err
}

// together refuses what is asked alone only.
func together(p *Plan, q *syntax.Query) error {
	s := q.Select
	switch {
	case s == nil || !hasAggregate(s):
		return &Error{Rule: ruleShape, Text: "it aggregates in a subquery alone", Hint: "write its aggregates into its own SELECT list, or ask it by itself"}
	case p.Private():
		return &Error{Rule: ruleGroup, Text: "its groups have to be selected", Hint: "group by columns with declared values, or ask it by itself"}
	}
	for _, m := range p.Measures {
		if m.Bins >= 0 {
			return &Error{Rule: ruleAggregate, Text: "quantiles and histograms are no sums", Hint: "ask it by itself"}
		}
	}
	return nil
}

// rowsText is what the rows of a query come from, in one form.
func rowsText(q *syntax.Query) string {
	s := *q.Select
	one := syntax.Query{With: q.With, Select: &syntax.Select{Items: []syntax.Item{{Expr: &syntax.Number{Text: "1"}}}, From: s.From, Where: s.Where}}
	return one.String()
}

// merge binds all queries over the rows of the first, which are those of all.
func (bt *Batch) merge(d *Dataset, q Question, trees []*syntax.Query) error {
	b := &binder{d: d, limits: d.Limits.filled(), text: q.Queries[0].SQL, functions: functionTable()}
	if err := b.terms(q); err != nil {
		return err
	}
	s := trees[0].Select
	where := conjuncts(s.Where)
	in, err := b.fromClause(s.Pos, s.From, where, (*ctes)(nil).with(trees[0].With))
	if err != nil {
		return err
	}
	if err := b.where(in, where); err != nil {
		return err
	}
	n := &measuring{b: b, in: in, known: map[string]int{}, aggs: map[string]int{}, g: &grouping{}, open: true}
	n.args = &arguments{b: b, in: in, known: map[string]*argument{}}
	n.plan = &Plan{Dataset: d, Limit: -1, Restricted: b.from != nil || b.until != nil}
	n.plan.Relation.Rows = b.rows
	for i, t := range trees {
		b.text = q.Queries[i].SQL
		g, err := b.groupBy(t.Select, in)
		if err != nil {
			return numbered(i, err)
		}
		bt.by = append(bt.by, n.g.join(g))
	}
	keys, err := n.keys()
	if err != nil {
		return err
	}
	bt.apart = n.apart
	if len(keys) > 0 {
		n.plan.Relation.Groups = b.groups
	}
	for i, t := range trees {
		b.text = q.Queries[i].SQL
		n.plan.Columns, n.plan.Having, n.plan.Order, n.plan.Limit = nil, nil, nil, -1
		if err := n.outputs(t); err != nil {
			return numbered(i, err)
		}
		part := *n.plan
		bt.parts = append(bt.parts, &part)
	}
	n.plan.Columns, n.plan.Having, n.plan.Order, n.plan.Limit = nil, nil, nil, -1
	if err := n.finish(s.Pos, keys); err != nil {
		return err
	}
	m := n.plan
	m.Relation.In = pruned(&m.Relation)
	m.Scans = scansOf(m.Relation.In, nil)
	if err := relation.Check(&m.Relation); err != nil {
		return fmt.Errorf("compiled questions: %w", err)
	}
	for _, p := range bt.parts {
		p.Relation, p.Aggregates, p.Measures, p.Scans = m.Relation, m.Aggregates, m.Measures, m.Scans
	}
	bt.merged, bt.places = m, placesOf(m.Keys)
	return nil
}

// join adds the keys of another grouping and returns where each of them is.
func (g *grouping) join(h *grouping) []int {
	at := []int{}
	for i, text := range h.text {
		j := slices.Index(g.text, text)
		if j < 0 {
			j = len(g.text)
			g.exprs, g.values, g.text, g.names = append(g.exprs, h.exprs[i]), append(g.values, h.values[i]), append(g.text, text), append(g.names, h.names[i])
		}
		at = append(at, j)
	}
	return at
}

// measures are the measures that a part is made of.
func (bt *Batch) measures(part int) []int {
	p := bt.parts[part]
	var used []int
	see := func(x Post) {
		for _, m := range p.Aggregates[x.(PostAggregate).Aggregate].Measures {
			if !slices.Contains(used, m) {
				used = append(used, m)
			}
		}
	}
	for _, c := range p.Columns {
		walk(c.Expr, see)
	}
	if p.Having != nil {
		walk(p.Having, see)
	}
	slices.Sort(used)
	return used
}

// Scans are what is read.
func (bt *Batch) Scans() []relation.Scan { return bt.merged.Scans }

// Restricted is as [Plan.Restricted].
func (bt *Batch) Restricted() bool { return bt.merged.Restricted }
