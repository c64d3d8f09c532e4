package lineage

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Declared is a dataset whose columns its owner labelled.
type Declared struct {
	Name    Name                  // a name that ends in "*" stands for all datasets whose names begin like it
	Of      string                // what the owner calls it; several may be called the same
	Columns map[string]flow.Label // by the names that events give them
}

// Masked is the owner's word that masking does what it promises: whatever reaches the column by masking alone has this label,
// in place of those of what was masked.
type Masked struct {
	Column Column // its dataset's name may end in "*"; without a field: every column
	Teller string // "agent@domain" whose word on masking is taken; "": of all
	Label  flow.Label
}

// Rules are what labels are carried by.
type Rules struct {
	Taxonomy *flow.Taxonomy
	Declared []Declared
	Masked   []Masked
	Also     []Name // datasets of no owner, about which one wants to know
	// Reach bounds how much of the graph is followed; zero fields: 1,000 steps, 20,000 datasets, 500,000 edges. What lies beyond counts as
	// [flow.Unlabelled].
	Reach Reach
}

// Labelled is a column with the labels that reached it.
type Labelled struct {
	Of      string       `json:"of,omitempty"` // as declared; "": nobody declared it
	Column  Column       `json:"column"`
	Own     flow.Label   `json:"own,omitempty"`
	Label   flow.Label   `json:"label"`          // in force
	More    []flow.Label `json:"more,omitempty"` // in force beside it, because none of them says what the others do
	Carried []Carried    `json:"carried,omitempty"`
}

// Carried is a label that reached a column.
type Carried struct {
	Label flow.Label `json:"label"`
	Trail []Column   `json:"trail"` // from the column that has it of its own to the one before this; the longest are cut in their middle
	Job   Name       `json:"job"`   // that carried it here
	// Teller is whose word it is: "agent@domain"; "": the own journal.
	Teller string `json:"teller,omitempty"`
}

// Labels are the labels of columns by what is known at one time.
type Labels struct {
	Columns []Labelled `json:"columns"` // in the order of Of, dataset and field
	Cut     bool       `json:"cut"`     // the graph reaches further than was followed
}

// Labels carries the labels of declared columns to whatever was made of them, and returns what reached the declared columns.
//
// A column has the labels of all columns that some job made it of, directly or by filters and joins; if for any run nothing says how
// it was made, it has the labels of all that the job read. Public labels are not carried. A declared dataset's column that its owner does not name is
// [flow.Unlabelled].
func (g *Graph) Labels(ctx context.Context, r Rules) (out *Labels, err error) {
	err = g.db.View(ctx, func(tx store.Tx) (err error) {
		out, err = labels(tx, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("carrying labels: %w", err)
	}
	return out, nil
}

// Turn is a number that grows whenever labels may have changed.
func (g *Graph) Turn(ctx context.Context) (turn int64, err error) {
	err = g.db.View(ctx, func(tx store.Tx) error {
		var n sql.NullInt64
		err := tx.QueryRow(`SELECT CAST(SUM(turn) AS BIGINT) FROM lineage_tellers`).Scan(&n)
		turn = n.Int64
		return err
	})
	return turn, err
}

func labels(tx store.Tx, r Rules) (*Labels, error) {
	if r.Reach == (Reach{}) {
		r.Reach = Reach{Steps: 1_000, Datasets: 20_000, Edges: 500_000}
	}
	c := &carrying{rules: r, owners: map[key][]*Declared{}, nodes: map[node]*mark{}, number: map[flow.Label]int{}}
	starts, err := c.starts(tx)
	if err != nil {
		return nil, err
	}
	if c.part, err = load(tx, starts, true, r.Reach); err != nil {
		return nil, err
	}
	c.index()
	shown := c.shown(starts)
	for i := 0; i < len(c.order); i++ {
		c.expand(c.order[i])
	}
	c.spread()
	out := &Labels{Columns: []Labelled{}, Cut: c.cut}
	for _, s := range shown {
		out.Columns = append(out.Columns, c.labelled(s))
	}
	slices.SortStableFunc(out.Columns, func(a, b Labelled) int {
		return cmp.Or(cmp.Compare(a.Of, b.Of), compareColumns(a.Column, b.Column))
	})
	return out, nil
}

// carrying is labels on their way through a part of the graph.
type carrying struct {
	*part
	rules   Rules
	owners  map[key][]*Declared // by dataset
	byRoot  map[key]map[string][]int
	wholes  map[key][]int
	nodes   map[node]*mark
	order   []node
	labels  []flow.Label
	number  map[flow.Label]int
	waiting []node
}

// mark is what is known of a node.
type mark struct {
	has map[int]origin // by the number of the label
	to  []node
	by  []key // the job of each of to; none: it is a name of the same data, or a column of its own dataset
}

// origin is where a label came to a node from. Without a node it is the node's own.
type origin struct {
	from node
	job  key
}

// Nodes that are no columns. A field's name holds no control character.
const (
	readBy = "\x00" // and the job: all that the job read that made the dataset
	wholly = "\x01" // what all columns depend on
)

// starts finds the datasets that are declared or asked about, in the order of their names.
func (c *carrying) starts(tx store.Tx) (all []key, err error) {
	add := func(k key, d *Declared) {
		if _, here := c.owners[k]; !here {
			all = append(all, k)
			c.owners[k] = nil
		}
		if d != nil {
			c.owners[k] = append(c.owners[k], d)
		}
	}
	for i := range c.rules.Declared {
		d := &c.rules.Declared[i]
		found, err := named(tx, d.Name, c.rules.Reach.Datasets)
		if err != nil {
			return nil, err
		}
		for _, k := range found {
			add(k, d)
		}
	}
	for _, n := range c.rules.Also {
		add(key(n.id()), nil)
	}
	return all, nil
}

// named returns the datasets of a name that may end in "*".
func named(tx store.Tx, n Name, most int) (all []key, err error) {
	prefix, some := strings.CutSuffix(n.Name, "*")
	if !some {
		return []key{key(n.id())}, nil
	}
	rows, err := tx.Query(`SELECT id FROM lineage_datasets WHERE namespace = ? AND name >= ? AND name < ? ORDER BY name LIMIT ?`, n.Namespace, prefix, prefix+"\U0010ffff", most+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // what it would say is said by Err
	for rows.Next() {
		var k key
		if err := rows.Scan(&k); err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, rows.Err()
}

// root is the first part of a column's name, without regard to case: columns of different roots have nothing to do with each other.
func root(field string) string {
	field, _, _ = strings.Cut(field, ".")
	return strings.ToLower(field)
}

// index sorts the edges of each dataset by the roots of their targets.
func (c *carrying) index() {
	c.byRoot, c.wholes = map[key]map[string][]int{}, map[key][]int{}
	for k, s := range c.sets {
		c.byRoot[k] = map[string][]int{}
		for i := range s.edges {
			if e := &s.edges[i]; e.whole&1 != 0 {
				c.wholes[k] = append(c.wholes[k], i)
			} else {
				r := root(s.columns[e.target])
				c.byRoot[k][r] = append(c.byRoot[k][r], i)
			}
		}
	}
}

// wanted is a column that the result has.
type wanted struct {
	node node
	of   *Declared
}

// shown makes the nodes of the columns that the result has: those that are declared, and all of datasets asked about.
func (c *carrying) shown(starts []key) (all []wanted) {
	for _, k := range starts {
		s := c.sets[k]
		for _, d := range c.owners[k] {
			for f := range d.Columns {
				all = append(all, wanted{node{k, f}, d})
			}
		}
		if c.owners[k] == nil && s.row.Namespace != "" {
			for _, f := range s.columns {
				all = append(all, wanted{node{k, f}, nil})
			}
		}
		if s.row.Namespace == "" { // nobody told of it; it is declared all the same
			for _, d := range c.owners[k] {
				s.row.Name = d.Name
			}
		}
	}
	for _, w := range all {
		c.node(w.node)
	}
	return all
}

func (c *carrying) node(n node) *mark {
	m := c.nodes[n]
	if m == nil {
		m = &mark{has: map[int]origin{}}
		c.nodes[n] = m
		c.order = append(c.order, n)
		c.base(n)
	}
	return m
}

// give gives a node a label, unless it has it.
func (c *carrying) give(n node, l flow.Label, from origin) {
	if class, _ := c.rules.Taxonomy.Class(l); class.Tier == flow.Public {
		return
	}
	i, ok := c.number[l]
	if !ok {
		i = len(c.labels)
		c.number[l], c.labels = i, append(c.labels, l)
	}
	c.pass(n, i, from)
}

func (c *carrying) pass(n node, label int, from origin) {
	if m := c.nodes[n]; m != nil {
		if _, here := m.has[label]; !here {
			m.has[label] = from
			c.waiting = append(c.waiting, n)
		}
	}
}

// base gives a node the labels that its owners give it.
func (c *carrying) base(n node) {
	s := c.sets[n.set]
	if s.cut {
		c.give(n, flow.Unlabelled, origin{})
	}
	if strings.HasPrefix(n.field, readBy) || n.field == wholly {
		return
	}
	owners := c.owners[n.set]
	if len(owners) == 0 {
		return
	}
	known := n.field == "" && s.within(owners)
	for _, d := range owners {
		for f, l := range d.Columns {
			if same(f, n.field) {
				known = known || n.field != ""
				c.give(n, cmp.Or(l, flow.Unlabelled), origin{})
			}
		}
	}
	if !known {
		c.give(n, flow.Unlabelled, origin{})
	}
}

// within reports whether the owners of a dataset name all columns that were ever told of.
func (s *set) within(owners []*Declared) bool {
	for _, f := range s.columns {
		known := false
		for _, d := range owners {
			for name := range d.Columns {
				known = known || same(name, f)
			}
		}
		if !known {
			return false
		}
	}
	return true
}

// link has labels go from one node to another.
func (c *carrying) link(from, to node, job key) {
	if c.sets[from.set] == nil {
		c.give(to, flow.Unlabelled, origin{}) // not read
		return
	}
	m := c.node(from)
	m.to, m.by = append(m.to, to), append(m.by, job)
}

// expand finds what a node was made of.
func (c *carrying) expand(n node) {
	s := c.sets[n.set]
	switch {
	case strings.HasPrefix(n.field, readBy):
		for _, m := range s.made {
			if string(m.job[:]) == n.field[1:] {
				c.link(node{set: m.source}, n, m.job)
			}
		}
		return
	case n.field == wholly:
		for _, i := range c.wholes[n.set] {
			c.edge(&s.edges[i], n)
		}
		return
	case n.field == "":
		for _, f := range s.columns {
			c.link(node{n.set, f}, n, key{})
		}
	default:
		for _, i := range c.byRoot[n.set][root(n.field)] {
			if e := &s.edges[i]; same(s.columns[e.target], n.field) {
				c.edge(e, n)
			}
		}
	}
	if len(c.wholes[n.set]) > 0 {
		c.link(node{n.set, wholly}, n, key{})
	}
	var last key
	for _, m := range s.made { // in the order of jobs
		if m.job != last && !c.told(s, m.job, n.field) {
			c.link(node{n.set, readBy + string(m.job[:])}, n, key{})
		}
		last = m.job
	}
	for _, other := range s.names {
		c.link(node{other, n.field}, n, key{})
	}
}

// told is as [set.tellsOf], by the index.
func (c *carrying) told(s *set, job key, field string) bool {
	for _, u := range s.untold {
		if u.job == job && (u.field == "" || same(u.field, field)) {
			return false
		}
	}
	if field == "" {
		return s.explained[job]
	}
	for _, i := range c.byRoot[s.id][root(field)] {
		if e := &s.edges[i]; e.job == job && same(s.columns[e.target], field) {
			return true
		}
	}
	return false
}

// edge has labels go along an edge, or the owner's label in their place where it masks and the owner takes that word.
func (c *carrying) edge(e *edge, to node) {
	if e.masking {
		for i := range c.rules.Masked {
			if m := &c.rules.Masked[i]; c.masks(m, e, to) {
				c.give(to, m.Label, origin{})
				return
			}
		}
	}
	from, _ := c.ends(e)
	c.link(from, to, e.job)
}

func (c *carrying) masks(m *Masked, e *edge, to node) bool {
	at := c.sets[to.set].row.Name
	return at.Namespace == m.Column.Dataset.Namespace && inside(at.Name, []string{m.Column.Dataset.Name}) && e.whole&1 == 0 &&
		(m.Column.Field == "" || strings.EqualFold(m.Column.Field, c.sets[to.set].columns[e.target])) &&
		(m.Teller == "" || m.Teller == c.jobs[e.job].teller)
}

// spread carries labels until nothing changes: a label reaches each node once, whatever circles there are.
func (c *carrying) spread() {
	c.waiting = append(c.waiting, c.order...)
	for len(c.waiting) > 0 {
		n := c.waiting[len(c.waiting)-1]
		c.waiting = c.waiting[:len(c.waiting)-1]
		m := c.nodes[n]
		for i, to := range m.to {
			for label := range m.has {
				c.pass(to, label, origin{from: n, job: m.by[i]})
			}
		}
	}
}

func (c *carrying) labelled(w wanted) Labelled {
	out := Labelled{Column: c.column(w.node)}
	if w.of != nil {
		out.Of, out.Own = w.of.Of, cmp.Or(w.of.Columns[w.node.field], flow.Unlabelled)
	}
	var carried []flow.Label
	for i, from := range c.nodes[w.node].has {
		if l := c.labels[i]; l != out.Own {
			one := Carried{Label: l}
			c.trail(&one, i, from)
			out.Carried, carried = append(out.Carried, one), append(carried, l)
		}
	}
	slices.SortFunc(out.Carried, func(a, b Carried) int { return cmp.Compare(a.Label, b.Label) })
	out.Label, out.More = Strictest(c.rules.Taxonomy, out.Own, carried)
	return out
}

// longTrail is how many columns a trail has at most.
const longTrail = 32

// trail follows a label back to the column that has it of its own.
func (c *carrying) trail(out *Carried, label int, from origin) {
	out.Trail = []Column{}
	for from.from != (node{}) {
		if out.Job == (Name{}) && from.job != (key{}) {
			out.Job, out.Teller = c.jobs[from.job].name, c.jobs[from.job].teller
		}
		if n := from.from; !strings.HasPrefix(n.field, readBy) && n.field != wholly {
			out.Trail = append(out.Trail, c.column(n))
		}
		from = c.nodes[from.from].has[label]
	}
	slices.Reverse(out.Trail)
	if n := len(out.Trail); n > longTrail {
		out.Trail = append(out.Trail[:longTrail/2], out.Trail[n-longTrail/2:]...)
	}
}

// Strictest returns the label in force of a column that has all of these: the strictest by the taxonomy, and beside it those that say
// what it does not. A label that lies within another, and is no less sensitive, says all that the other does.
func Strictest(tax *flow.Taxonomy, own flow.Label, carried []flow.Label) (label flow.Label, more []flow.Label) {
	all := slices.Clone(carried)
	slices.Sort(all)
	if own != "" {
		all = append([]flow.Label{own}, all...)
	}
	implied := func(l flow.Label) bool {
		cl, _ := tax.Class(l)
		return slices.ContainsFunc(all, func(b flow.Label) bool {
			cb, _ := tax.Class(b)
			return b != l && b.Within(l) && cb.Tier <= cl.Tier
		})
	}
	for _, l := range all {
		if class, _ := tax.Class(l); !implied(l) && !(class.Tier == flow.Public && len(all) > 1 && l == own) && !slices.Contains(more, l) {
			more = append(more, l)
			label = tax.Stricter(label, l)
		}
	}
	return label, slices.DeleteFunc(more, func(l flow.Label) bool { return l == label })
}
