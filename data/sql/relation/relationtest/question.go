package relationtest

import (
	"fmt"
	"math/rand/v2"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// Question is a random bounded relation over the tables.
func Question(rng *rand.Rand, ts Tables) *relation.Bounded {
	for {
		g := &maker{rng: rng, ts: ts}
		r, unit := g.private(1 + rng.IntN(4))
		q := &relation.Bounded{In: r, Unit: []string{unit}, Rows: 1 + rng.Int64N(4), Groups: rng.Int64N(4)}
		cols := r.Columns()
		for _, i := range rng.Perm(len(cols))[:min(rng.IntN(3), len(cols))] {
			if cols[i].Name != unit {
				q.Keys = append(q.Keys, cols[i].Name)
			}
		}
		q.Sums = append(q.Sums, relation.Sum{Op: relation.Units, Low: 0, High: 1}, relation.Sum{Op: relation.Count, Low: 0, High: q.Rows})
		for _, c := range cols {
			g.measure(q, c)
		}
		if relation.Check(q) == nil {
			return q
		}
	}
}

func (g *maker) measure(q *relation.Bounded, c relation.Column) {
	if g.rng.IntN(3) == 0 {
		q.Sums = append(q.Sums, relation.Sum{Op: relation.Count, Col: c.Name, Low: 0, High: q.Rows})
	}
	if c.Type.Kind == relation.Number && g.rng.IntN(2) == 0 {
		// Bounds that hold, so that not every partial is clamped, and bounds that do not.
		low, high := max(min(c.Type.Min, 0), -relation.MaxSum/8), min(max(c.Type.Max, 0), relation.MaxSum/8)
		if g.rng.IntN(2) == 0 {
			low, high = low/3-1, high/3+1
		}
		op := relation.Total + relation.SumOp(g.rng.IntN(2))
		q.Sums = append(q.Sums, relation.Sum{Op: op, Col: c.Name, Low: low, High: high})
	}
	if c.Type.Kind != relation.Text && c.Type.Kind != relation.Truth && len(q.Bins) < 2 && g.rng.IntN(4) == 0 {
		n := 1 + g.rng.IntN(16)
		q.Bins = append(q.Bins, relation.Bins{Col: c.Name, Low: c.Type.Min, Width: max((c.Type.Max/2-c.Type.Min/2)/int64(n)*2, 1), Count: n})
	}
}

// maker makes trees with names of their own.
type maker struct {
	rng  *rand.Rand
	ts   Tables
	next int
}

func (g *maker) name() string {
	g.next++
	return fmt.Sprintf("c%d", g.next)
}

func (g *maker) table(public bool) (*relation.Scan, string) {
	for {
		t := g.ts[g.rng.IntN(len(g.ts))]
		if t.Public != public {
			continue
		}
		fields := make([]relation.Field, len(t.Fields))
		unit := ""
		for i, f := range t.Fields {
			old := f.As
			f.As = g.name()
			if old == t.Unit {
				unit = f.As
			}
			fields[i] = f
		}
		return &relation.Scan{Table: t.Name, Fields: fields}, unit
	}
}

// private is a relation whose rows belong to units.
func (g *maker) private(depth int) (relation.Rel, string) {
	if depth == 0 {
		return g.table(false)
	}
	switch g.rng.IntN(11) {
	case 0, 1:
		in, unit := g.private(depth - 1)
		return &relation.Filter{In: in, Where: g.truth(in.Columns(), 3)}, unit
	case 2, 3, 4:
		in, unit := g.private(depth - 1)
		return g.project(in, unit)
	case 5:
		return g.together(depth)
	case 6:
		return g.public(depth)
	case 7:
		return g.union(depth)
	}
	in, unit := g.private(depth - 1)
	return g.fold(in, unit), unit
}

// project keeps the unit under a new name, and some columns.
func (g *maker) project(in relation.Rel, unit string) (relation.Rel, string) {
	cols := in.Columns()
	p := &relation.Project{In: in}
	var to string
	for _, c := range cols {
		switch {
		case c.Name == unit:
			to = g.name()
			p.Cols = append(p.Cols, relation.Named{Name: to, Expr: &relation.Ref{Name: unit, As: c.Type}})
		case g.rng.IntN(4) > 0:
			p.Cols = append(p.Cols, relation.Named{Name: g.name(), Expr: g.expr(cols, c.Type.Kind, 3)})
		default:
			p.Cols = append(p.Cols, relation.Named{Name: g.name(), Expr: &relation.Ref{Name: c.Name, As: c.Type}})
		}
	}
	return p, to
}

// together joins two private relations on the unit.
func (g *maker) together(depth int) (relation.Rel, string) {
	l, unit := g.private(min(depth-1, 1))
	r, other := g.private(min(depth-1, 1))
	j := &relation.Join{Kind: g.kind(), Left: l, Right: r, On: []relation.Equal{{Left: unit, Right: other}}}
	if e, ok := g.pair(l, r, unit, other); ok && g.rng.IntN(2) == 0 {
		j.On = append(j.On, e)
	}
	return j, unit
}

func (g *maker) kind() relation.JoinKind { return relation.JoinKind(g.rng.IntN(2)) }

// pair is a random pair of columns that can be joined.
func (g *maker) pair(l, r relation.Rel, unit, other string) (relation.Equal, bool) {
	var all []relation.Equal
	for _, a := range l.Columns() {
		for _, b := range r.Columns() {
			if a.Name != unit && b.Name != other && a.Type.Kind == b.Type.Kind && a.Type.Places == b.Type.Places {
				all = append(all, relation.Equal{Left: a.Name, Right: b.Name})
			}
		}
	}
	if len(all) == 0 {
		return relation.Equal{}, false
	}
	return all[g.rng.IntN(len(all))], true
}

func (g *maker) public(depth int) (relation.Rel, string) {
	l, unit := g.private(depth - 1)
	r, _ := g.table(true)
	j := &relation.Join{Kind: g.kind(), Left: l, Right: r}
	if e, ok := g.pair(l, r, unit, ""); ok && g.rng.IntN(6) > 0 {
		j.On = append(j.On, e)
	}
	return j, unit
}

// union brings both arms to the columns of one shape.
func (g *maker) union(depth int) (relation.Rel, string) {
	var kinds []relation.Kind
	for range 1 + g.rng.IntN(4) {
		kinds = append(kinds, relation.Kind(g.rng.IntN(5)))
	}
	unit := g.name()
	names := make([]string, len(kinds))
	for i := range names {
		names[i] = g.name()
	}
	u := &relation.Union{}
	for range 2 {
		in, from := g.private(min(depth-1, 1))
		cols := in.Columns()
		p := &relation.Project{In: in}
		for _, c := range cols {
			if c.Name == from {
				p.Cols = append(p.Cols, relation.Named{Name: unit, Expr: &relation.Ref{Name: from, As: c.Type}})
			}
		}
		for i, k := range kinds {
			e := g.expr(cols, k, 2)
			if k == relation.Number {
				e = g.whole(e)
			}
			p.Cols = append(p.Cols, relation.Named{Name: names[i], Expr: e})
		}
		if len(u.Arms) > 0 { // arms agree by name, not by place
			g.rng.Shuffle(len(p.Cols), func(i, j int) { p.Cols[i], p.Cols[j] = p.Cols[j], p.Cols[i] })
		}
		u.Arms = append(u.Arms, p)
	}
	return u, unit
}

// fold keeps the unit, and sometimes one key more.
func (g *maker) fold(in relation.Rel, unit string) relation.Rel {
	cols := in.Columns()
	f := &relation.Fold{In: in, Keys: []string{unit}}
	if c := cols[g.rng.IntN(len(cols))]; c.Name != unit && g.rng.IntN(2) == 0 {
		f.Keys = append(f.Keys, c.Name)
	}
	f.Aggs = append(f.Aggs, relation.Agg{Name: g.name(), Op: relation.CountRows, Type: relation.NumberType(0, 0, 3+g.rng.Int64N(10))})
	for _, c := range cols {
		op := relation.AggOp(1 + g.rng.IntN(5))
		t, err := relation.FoldType(op, c.Type, 1+g.rng.Int64N(9))
		if err != nil || g.rng.IntN(3) == 0 {
			continue
		}
		if op == relation.AvgOf && t.Places < 4 {
			t.Places++
			t.Min, t.Max = t.Min/2, t.Max/2
		}
		f.Aggs = append(f.Aggs, relation.Agg{Name: g.name(), Op: op, Col: c.Name, Type: t})
	}
	return f
}
