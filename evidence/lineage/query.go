package lineage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scrimhq/scrim/store"
)

// ErrUnknown is the error of a question about a dataset or column that nobody told of.
var ErrUnknown = errors.New("nobody told of such a dataset or column")

// Upstream returns what a column was made of, step by step, and who received what it was made of. Without a field it is about
// all columns of the dataset. It returns [ErrUnknown].
func (g *Graph) Upstream(ctx context.Context, c Column, r Reach) (*Picture, error) {
	return g.picture(ctx, c, true, r)
}

// Downstream returns what was made of a column, and who received any of it. It returns [ErrUnknown].
func (g *Graph) Downstream(ctx context.Context, c Column, r Reach) (*Picture, error) {
	return g.picture(ctx, c, false, r)
}

func (g *Graph) picture(ctx context.Context, c Column, up bool, r Reach) (out *Picture, err error) {
	err = g.db.View(ctx, func(tx store.Tx) error {
		start := key(c.Dataset.id())
		p, err := load(tx, []key{start}, up, r)
		if err != nil {
			return err
		}
		s := p.sets[start]
		if s.row.Namespace == "" || c.Field != "" && !s.has(c.Field) {
			return ErrUnknown
		}
		w := &walk{part: p, seen: map[node]bool{}}
		w.from(node{start, c.Field})
		out, err = w.picture()
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *set) has(field string) bool {
	for _, f := range s.columns {
		if same(f, field) {
			return true
		}
	}
	return false
}

// node is a column of a dataset in a part; without a field, the dataset as a whole.
type node struct {
	set   key
	field string
}

// step is a link of a part.
type step struct {
	from, to    node
	job         key
	how         string
	masking     bool
	since, seen int64
}

// walk finds what belongs to one column, in either direction.
type walk struct {
	*part
	seen  map[node]bool
	order []node
	steps []step
}

func (w *walk) from(start node) {
	w.visit(start)
	for i := 0; i < len(w.order); i++ {
		n := w.order[i]
		s := w.sets[n.set]
		if w.up {
			w.into(s, n)
		} else {
			w.outOf(s, n)
		}
		for _, other := range s.names {
			w.visit(node{other, n.field})
		}
	}
}

func (w *walk) visit(n node) {
	if w.sets[n.set] != nil && !w.seen[n] {
		w.seen[n] = true
		w.order = append(w.order, n)
	}
}

func (w *walk) take(next node, s step) {
	w.steps = append(w.steps, s)
	w.visit(next)
}

// ends are the columns of an edge.
func (p *part) ends(e *edge) (from, to node) {
	from, to = node{set: e.origin}, node{set: e.inside}
	if e.whole&2 == 0 {
		from.field = p.sets[e.origin].columns[e.source]
	}
	if e.whole&1 == 0 {
		to.field = p.sets[e.inside].columns[e.target]
	}
	return from, to
}

func (w *walk) into(s *set, n node) {
	for i := range s.edges {
		e := &s.edges[i]
		if from, to := w.ends(e); same(to.field, n.field) {
			w.take(from, step{from, to, e.job, e.how, e.masking, e.since, e.seen})
		}
	}
	for _, m := range s.made {
		if !s.tellsOf(m.job, n.field) {
			from := node{set: m.source}
			w.take(from, step{from: from, to: n, job: m.job, since: m.since, seen: m.seen})
		}
	}
}

func (w *walk) outOf(s *set, n node) {
	for i := range s.edges {
		e := &s.edges[i]
		if from, to := w.ends(e); same(from.field, n.field) {
			w.take(to, step{from, to, e.job, e.how, e.masking, e.since, e.seen})
		}
	}
	for _, m := range s.made {
		t := w.sets[m.target]
		if !t.explained[m.job] {
			to := node{set: m.target}
			w.take(to, step{from: n, to: to, job: m.job, since: m.since, seen: m.seen})
			continue
		}
		for _, u := range t.untold {
			if u.job == m.job {
				to := node{m.target, u.field}
				w.take(to, step{from: n, to: to, job: m.job, since: m.since, seen: m.seen})
			}
		}
	}
}

func (w *walk) picture() (*Picture, error) {
	out := &Picture{Datasets: []Seen{}, Links: []Link{}, Deliveries: []Delivery{}, Cut: w.cut}
	columns := map[key][]string{}
	note := func(n node) {
		if _, ok := columns[n.set]; !ok {
			columns[n.set] = []string{}
		}
		if n.field != "" && !slices.Contains(columns[n.set], n.field) {
			columns[n.set] = append(columns[n.set], n.field)
		}
	}
	for _, n := range w.order {
		note(n)
	}
	had := map[step]bool{}
	for _, s := range w.steps {
		note(s.from)
		note(s.to)
		if once := (step{from: s.from, to: s.to, job: s.job}); had[once] {
			continue
		} else {
			had[once] = true
		}
		j := w.jobs[s.job]
		out.Links = append(out.Links, Link{
			From: w.column(s.from), To: w.column(s.to), Job: j.name, Teller: j.teller, Run: j.run, How: s.how, Masking: s.masking,
			First: time.UnixMilli(s.since).UTC(), Last: time.UnixMilli(s.seen).UTC(),
		})
	}
	var ids []key
	for _, k := range w.within(columns) {
		one := w.sets[k].row
		one.Columns = slices.Sorted(slices.Values(columns[k]))
		for _, o := range w.sets[k].names {
			if s := w.sets[o]; s != nil {
				one.Others = append(one.Others, s.row.Name)
			}
		}
		out.Datasets, ids = append(out.Datasets, one), append(ids, k)
	}
	slices.SortFunc(out.Datasets, func(a, b Seen) int { return compareNames(a.Name, b.Name) })
	slices.SortStableFunc(out.Links, func(a, b Link) int {
		return cmp.Or(compareColumns(a.To, b.To), compareColumns(a.From, b.From), compareNames(a.Job, b.Job), cmp.Compare(a.Teller, b.Teller))
	})
	if err := w.deliveries(ids, out); err != nil {
		return nil, fmt.Errorf("reading who received data: %w", err)
	}
	return out, nil
}

// within are the datasets that are in the picture, as they were found.
func (w *walk) within(in map[key][]string) (ids []key) {
	for _, k := range w.part.order {
		if _, ok := in[k]; ok {
			ids = append(ids, k)
		}
	}
	return ids
}

func (p *part) column(n node) Column { return Column{Dataset: p.sets[n.set].row.Name, Field: n.field} }

func compareNames(a, b Name) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

func compareColumns(a, b Column) int {
	return cmp.Or(compareNames(a.Dataset, b.Dataset), cmp.Compare(a.Field, b.Field))
}

// mostDeliveries is how many a picture has at most.
const mostDeliveries = 10_000

func (w *walk) deliveries(ids []key, out *Picture) error {
	err := w.each(`SELECT dataset, agent, domain, purpose, policy, level, flow, times, since, seen FROM lineage_deliveries WHERE dataset IN (?) ORDER BY seen, id`, ids, func(scan func(...any) error) error {
		var k key
		var d Delivery
		var since, seen int64
		if err := scan(&k, &d.Agent, &d.Domain, &d.Purpose, &d.Policy, &d.Level, &d.Flow, &d.Count, &since, &seen); err != nil {
			return err
		}
		if len(out.Deliveries) == mostDeliveries {
			out.Cut = true
			return nil
		}
		d.Dataset, d.First, d.Last = w.sets[k].row.Name, time.UnixMilli(since).UTC(), time.UnixMilli(seen).UTC()
		out.Deliveries = append(out.Deliveries, d)
		return nil
	})
	slices.SortStableFunc(out.Deliveries, func(a, b Delivery) int {
		return cmp.Or(compareNames(a.Dataset, b.Dataset), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Agent, b.Agent), a.Last.Compare(b.Last))
	})
	return err
}
