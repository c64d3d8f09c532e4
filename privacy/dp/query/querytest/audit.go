package querytest

import (
	"context"
	"fmt"
	"math/big"
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Moved is how far two databases that differ in one unit are apart in the sums of a plan, before noise.
type Moved struct {
	Groups   int       // in how many groups anything differs
	Measures []Measure // as the plan's
}

// Measure is how far one measure moved.
type Measure struct {
	Largest *big.Int // in one group: of a sum the difference, of bins the sum of the differences of cells
	Sum     *big.Int // over all groups
}

// Groups is how many groups one unit may move by the plan.
func Groups(p *query.Plan) int64 {
	if len(p.Keys) == 0 {
		return 1
	}
	cells := int64(1)
	for _, k := range p.Keys {
		if k.Values == nil {
			return p.Relation.Groups
		}
		if cells *= int64(len(k.Values)); cells > 1<<40 {
			break
		}
	}
	if p.Relation.Groups > 0 {
		return min(cells, p.Relation.Groups)
	}
	return cells
}

// Run is what an engine answers, by group.
func Run(ctx context.Context, e relation.Engine, p *query.Plan, seed relation.Seed) (map[string]relation.Group, error) {
	return run(ctx, e, single(p), seed)
}

// subject is a plan under audit.
type subject struct {
	plan   *query.Plan
	groups int64                              // that one unit may move
	place  func(keys []relation.Value) string // where a group is measured
	shared bool                               // groups of one place are added up
}

func single(p *query.Plan) subject {
	return subject{p, Groups(p), func(keys []relation.Value) string { return string(relation.Encode(nil, keys...)) }, false}
}

func run(ctx context.Context, e relation.Engine, s subject, seed relation.Seed) (map[string]relation.Group, error) {
	out, r := map[string]relation.Group{}, &s.plan.Relation
	err := e.Run(ctx, r, seed, func(g relation.Group) error {
		if len(g.Sums) != len(r.Sums) || len(g.Bins) != len(r.Bins) || len(g.Keys) != len(s.plan.Keys) {
			return fmt.Errorf("a group is of another shape than the plan")
		}
		id := s.place(g.Keys)
		before, twice := out[id]
		g = relation.Group{Keys: slices.Clone(g.Keys), Units: g.Units, Sums: slices.Clone(g.Sums), Bins: slices.Clone(g.Bins)}
		switch {
		case twice && !s.shared:
			return fmt.Errorf("a group came twice")
		case twice:
			g.Units += before.Units
			for i := range g.Sums {
				g.Sums[i] += before.Sums[i]
			}
		}
		out[id] = g
		return nil
	})
	return out, err
}

// Audit asks two engines over neighbouring databases the same question, without noise, and says what differs by more than one unit may. Each
// engine is asked twice: what changes by itself is no function of the rows.
func Audit(ctx context.Context, p *query.Plan, seed relation.Seed, with, without relation.Engine) (Moved, []string) {
	return compared(ctx, single(p), seed, with, without)
}

func compared(ctx context.Context, s subject, seed relation.Seed, with, without relation.Engine) (Moved, []string) {
	var sides [2]map[string]relation.Group
	var failed [2]bool
	for i, e := range []relation.Engine{with, without} {
		one, err := run(ctx, e, s, seed)
		other, errAgain := run(ctx, e, s, seed)
		failed[i] = err != nil
		if (err == nil) != (errAgain == nil) || err == nil && compare(s.plan, one, other).Groups > 0 {
			return Moved{}, []string{"the same question of the same rows is answered in two ways"}
		}
		sides[i] = one
	}
	switch {
	case failed[0] != failed[1]:
		return Moved{}, []string{"whether the question fails depends on one unit"}
	case failed[0]:
		return Moved{}, []string{"the question fails"}
	}
	m := compare(s.plan, sides[0], sides[1])
	return m, m.exceeds(s)
}

func compare(p *query.Plan, a, b map[string]relation.Group) Moved {
	m := Moved{Measures: make([]Measure, len(p.Measures)+1)}
	for i := range m.Measures {
		m.Measures[i] = Measure{new(big.Int), new(big.Int)}
	}
	all := map[string]bool{}
	for id := range a {
		all[id] = true
	}
	for id := range b {
		all[id] = true
	}
	for id := range all {
		moved := false
		x, y := a[id], b[id]
		for i, measure := range p.Measures {
			moved = m.Measures[i].add(difference(measure, x, y)) || moved
		}
		// The last is of distinct units, by which private groups are selected.
		units := new(big.Int).Sub(big.NewInt(x.Units), big.NewInt(y.Units))
		moved = m.Measures[len(p.Measures)].add(units.Abs(units)) || moved
		if moved {
			m.Groups++
		}
	}
	return m
}

func (m *Measure) add(d *big.Int) bool {
	if d.Sign() == 0 {
		return false
	}
	if d.Cmp(m.Largest) > 0 {
		m.Largest.Set(d)
	}
	m.Sum.Add(m.Sum, d)
	return true
}

func difference(m query.Measure, a, b relation.Group) *big.Int {
	if m.Bins < 0 {
		d := new(big.Int).Sub(at(a.Sums, m.Sum), at(b.Sums, m.Sum))
		return d.Abs(d)
	}
	sum := new(big.Int)
	cells := map[int]bool{}
	var x, y map[int]int64
	if a.Bins != nil {
		x = a.Bins[m.Bins]
	}
	if b.Bins != nil {
		y = b.Bins[m.Bins]
	}
	for c := range x {
		cells[c] = true
	}
	for c := range y {
		cells[c] = true
	}
	for c := range cells {
		d := big.NewInt(x[c])
		d.Sub(d, big.NewInt(y[c]))
		sum.Add(sum, d.Abs(d))
	}
	return sum
}

func at(sums []int64, i int) *big.Int {
	if sums == nil {
		return new(big.Int)
	}
	return big.NewInt(sums[i])
}

// exceeds says in words what is more than the plan declares.
func (m Moved) exceeds(s subject) []string {
	var out []string
	p, groups := s.plan, s.groups
	if int64(m.Groups) > groups {
		out = append(out, fmt.Sprintf("one unit moves %d groups, declared %d", m.Groups, groups))
	}
	for i, moved := range m.Measures {
		most, name := int64(1), "distinct units"
		if i < len(p.Measures) {
			most, name = p.Measures[i].Most, fmt.Sprintf("number %d", i+1)
		}
		if moved.Largest.Cmp(big.NewInt(most)) > 0 {
			out = append(out, fmt.Sprintf("one unit moves %s by %v in one group, declared %d", name, moved.Largest, most))
		}
		all := new(big.Int).Mul(big.NewInt(most), big.NewInt(groups))
		if moved.Sum.Cmp(all) > 0 {
			out = append(out, fmt.Sprintf("one unit moves %s by %v in all, declared %v", name, moved.Sum, all))
		}
	}
	return out
}
