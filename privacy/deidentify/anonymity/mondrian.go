package anonymity

import (
	"context"
	"math"
	"slices"
)

// Mondrian finds a local recoding by cutting the table's space into ever smaller boxes, each of which meets the models (LeFevre,
// DeWitt and Ramakrishnan 2006, the strict kind).
//
// An attribute with an order is cut at the median of its values, and what is released of it is a range; any other, and one of which
// Least forbids the values themselves, is cut into the children of its hierarchy's node, down to Least. Of the cuts that all models allow the one is taken whose attribute is spread
// widest beside its whole domain. Boxes do not overlap. Attribute.Most does not bound anything here.
//
// Where a cut into children leaves some that do not meet the models, their rows are suppressed if the box's own share of
// Options.Suppression allows and the rest gains more than they lose. It returns [ErrNone] if the uncut table does not meet the models,
// and errors that wrap [ErrOptions] or [ErrTable]. Options.Metric says only which score is told. The result is the same every time,
// and not an optimum: finding one is NP-hard.
func Mondrian(ctx context.Context, t *Table, o Options) (*Solution, error) {
	p, err := newProblem(t, o)
	if err != nil {
		return nil, err
	}
	m := newCutter(p, o)
	n := p.base.len()
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	whole := make([]Cell, len(t.attributes))
	for a, at := range t.attributes {
		h := at.Hierarchy
		if at.Ordered && at.Least == 0 {
			whole[a] = Cell{Code: 0, Last: uint32(h.Codes(0) - 1), Range: true}
		} else if whole[a] = (Cell{Level: h.Levels() - 1}); h.Codes(whole[a].Level) > 1 {
			whole[a].Level++ // above the trees of the hierarchy: cut before anything else
		}
	}
	root := box{cells: whole, members: all}
	m.shrink(&root)
	parts, allowed, err := m.forest([]box{root}, p.allowed)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		share := int64(float64(allowed) * float64(m.rows(part.members)) / float64(t.rows))
		if err := m.cut(ctx, part, share); err != nil {
			return nil, err
		}
	}
	return m.solution(o)
}

// box is a part of the table's space and the combinations in it.
type box struct {
	cells   []Cell
	members []int32 // of the problem's base
}

// cutter is one run.
type cutter struct {
	p       *problem
	codes   []uint32 // of all combinations, by combination and attribute
	class   class
	tally   []tally
	gain    *costs
	done    []box // released
	dropped int64
}

func newCutter(p *problem, o Options) *cutter {
	n := len(p.table.attributes)
	m := &cutter{p: p, codes: make([]uint32, p.base.len()*n), gain: newCosts(p.table, Loss)}
	for i := range p.base.len() {
		p.pack.get(m.codes[i*n:(i+1)*n], p.base.keys[i*p.pack.words:])
	}
	m.class.values = make([]counts, len(p.table.sensitive))
	for _, s := range p.of {
		m.tally = append(m.tally, newTally(p.table.sensitive[s].Values))
	}
	return m
}

func (m *cutter) code(member int32, a int) uint32 {
	return m.codes[int(member)*len(m.p.table.attributes)+a]
}

func (m *cutter) rows(members []int32) (n int64) {
	for _, i := range members {
		n += int64(m.p.base.rows[i])
	}
	return n
}

// see makes m.class the class of some combinations.
func (m *cutter) see(members []int32) {
	m.class.rows, m.class.people = m.rows(members), 0
	if m.p.base.people != nil {
		for _, i := range members {
			m.class.people += int64(m.p.base.people[i])
		}
	}
	for n, s := range m.p.of {
		h := &m.p.base.held[n]
		for _, i := range members {
			for e := h.start[i]; e < h.start[i+1]; e++ {
				m.tally[n].add(h.values[e], h.rows[e])
			}
		}
		c := &m.class.values[s]
		c.values, c.rows = m.tally[n].flush(c.values[:0], c.rows[:0])
	}
}

func (m *cutter) meets(members []int32) bool {
	m.see(members)
	return m.class.rows > 0 && m.p.meets(&m.class)
}

// forest cuts a hierarchy of several trees into them, wherever there is one, and drops those that fail.
func (m *cutter) forest(parts []box, allowed int64) ([]box, int64, error) {
	for a := range m.p.table.attributes {
		var next []box
		for _, b := range parts {
			if b.cells[a].Range || b.cells[a].Level < m.p.table.attributes[a].Hierarchy.Levels() {
				next = append(next, b)
				continue
			}
			next = append(next, m.children(b, a)...)
		}
		parts = next
	}
	kept := parts[:0]
	for _, b := range parts {
		if m.meets(b.members) {
			kept = append(kept, b)
			continue
		}
		if !m.p.absent(&m.class) || m.class.rows > allowed {
			return nil, 0, ErrNone
		}
		allowed -= m.class.rows
		m.dropped += m.class.rows
	}
	if len(kept) == 0 {
		return nil, 0, ErrNone
	}
	return kept, allowed, nil
}

// shrink makes the ranges of a box as small as its members allow. With a population they stay: what no row has may be somebody's.
func (m *cutter) shrink(b *box) {
	if m.p.population != nil {
		return
	}
	for a := range b.cells {
		if !b.cells[a].Range {
			continue
		}
		low, high := uint32(math.MaxUint32), uint32(0)
		for _, i := range b.members {
			v := m.code(i, a)
			low, high = min(low, v), max(high, v)
		}
		b.cells[a].Code, b.cells[a].Last = low, high
	}
}

// cut cuts a box that meets the models as far as they allow. Of its rows so many may be suppressed.
func (m *cutter) cut(ctx context.Context, b box, allowed int64) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.lower(&b)
		parts, lost := m.best(b, allowed)
		if parts == nil {
			m.done = append(m.done, b)
			return nil
		}
		m.dropped += lost
		allowed -= lost
		rows := int64(0)
		for _, part := range parts {
			rows += m.rows(part.members)
		}
		for _, part := range parts[1:] {
			share := int64(float64(allowed) * float64(m.rows(part.members)) / float64(rows))
			if err := m.cut(ctx, part, share); err != nil {
				return err
			}
			allowed -= share
			rows -= m.rows(part.members)
		}
		b = parts[0]
	}
}

// lower takes each hierarchy's node down as long as all members are under one child: nothing is told by it that classes must hide,
// and cells lose less. With a population nodes stay, as ranges do.
func (m *cutter) lower(b *box) {
	if m.p.population != nil {
		return
	}
	for a := range b.cells {
		c, at := &b.cells[a], &m.p.table.attributes[a]
		for !c.Range && c.Level > at.Least {
			below := at.Hierarchy.levels[c.Level-1]
			first := below[m.code(b.members[0], a)]
			if slices.ContainsFunc(b.members, func(i int32) bool { return below[m.code(i, a)] != first }) {
				break
			}
			c.Level, c.Code = c.Level-1, first
		}
	}
}

// best returns the parts of the first cut that is allowed, attributes that are spread widest first, and the rows it suppresses.
func (m *cutter) best(b box, allowed int64) ([]box, int64) {
	type spread struct {
		a     int
		share float64
	}
	var order []spread
	for a, c := range b.cells {
		at := &m.p.table.attributes[a]
		share := at.Weight * float64(m.lost(a, c)) / float64(max(1, at.Hierarchy.Codes(0)-1))
		if c.Range && c.Code < c.Last || !c.Range && c.Level > at.Least {
			order = append(order, spread{a, share})
		}
	}
	slices.SortStableFunc(order, func(x, y spread) int {
		switch {
		case x.share > y.share:
			return -1
		case x.share < y.share:
			return 1
		}
		return 0
	})
	for _, s := range order {
		if b.cells[s.a].Range {
			if parts := m.halve(b, s.a); parts != nil {
				return parts, 0
			}
		} else if parts, lost := m.split(b, s.a, allowed); parts != nil {
			return parts, lost
		}
	}
	return nil, 0
}

// lost is how many other values a cell stands for.
func (m *cutter) lost(a int, c Cell) int64 {
	if c.Range {
		return int64(c.Last - c.Code)
	}
	return int64(m.p.table.attributes[a].Hierarchy.Leaves(c.Level, c.Code) - 1)
}

// halve cuts a range at the median of its rows, or as near to it as leaves rows on both sides.
func (m *cutter) halve(b box, a int) []box {
	sorted := slices.Clone(b.members)
	slices.SortStableFunc(sorted, func(i, j int32) int { return int(m.code(i, a)) - int(m.code(j, a)) })
	total, below := m.rows(sorted), int64(0)
	at, near := 0, int64(math.MaxInt64)
	for i := range sorted {
		if i > 0 && m.code(sorted[i-1], a) != m.code(sorted[i], a) {
			if off := max(2*below-total, total-2*below); off < near && below > 0 && below < total {
				at, near = i, off
			}
		}
		below += int64(m.p.base.rows[sorted[i]])
	}
	if at == 0 || !m.meets(sorted[:at]) || !m.meets(sorted[at:]) {
		return nil
	}
	parts := []box{{slices.Clone(b.cells), sorted[:at:at]}, {slices.Clone(b.cells), sorted[at:]}}
	parts[0].cells[a].Last = m.code(sorted[at], a) - 1
	parts[1].cells[a].Code = m.code(sorted[at], a)
	m.shrink(&parts[0])
	m.shrink(&parts[1])
	return parts
}

// children returns the parts of a box below the node of one attribute, in the order of codes.
func (m *cutter) children(b box, a int) []box {
	level := b.cells[a].Level - 1
	below := m.p.table.attributes[a].Hierarchy.levels[level]
	sorted := slices.Clone(b.members)
	slices.SortStableFunc(sorted, func(i, j int32) int { return int(below[m.code(i, a)]) - int(below[m.code(j, a)]) })
	var parts []box
	for from, i := 0, 1; i <= len(sorted); i++ {
		if i < len(sorted) && below[m.code(sorted[i], a)] == below[m.code(sorted[from], a)] {
			continue
		}
		part := box{slices.Clone(b.cells), sorted[from:i:i]}
		part.cells[a] = Cell{Level: level, Code: below[m.code(sorted[from], a)]}
		m.shrink(&part)
		parts, from = append(parts, part), i
	}
	return parts
}

// split cuts a box into the children of a node. Those that fail are suppressed if that is allowed and worth it.
func (m *cutter) split(b box, a int, allowed int64) ([]box, int64) {
	var parts []box
	lost, kept := int64(0), int64(0)
	for _, part := range m.children(b, a) {
		if m.meets(part.members) {
			parts, kept = append(parts, part), kept+m.class.rows
			continue
		}
		lost += m.class.rows
		if lost > allowed || !m.p.absent(&m.class) {
			return nil, 0
		}
	}
	if len(parts) == 0 {
		return nil, 0
	}
	if lost > 0 { // what the kept rows gain at once, beside what the suppressed ones lose in all attributes
		gain, price := 0.0, 0.0
		for _, part := range parts {
			width := float64(max(1, m.p.table.attributes[a].Hierarchy.Codes(0)-1))
			gain += float64(m.rows(part.members)) * float64(m.lost(a, b.cells[a])-m.lost(a, part.cells[a])) / width
		}
		for i, c := range b.cells {
			width := float64(max(1, m.p.table.attributes[i].Hierarchy.Codes(0)-1))
			price += float64(lost) * (1 - float64(m.lost(i, c))/width)
		}
		if gain <= price {
			return nil, 0
		}
	}
	return parts, lost
}

// solution numbers the boxes by their first combination in the table.
func (m *cutter) solution(o Options) (*Solution, error) {
	t := m.p.table
	of := make([]int32, m.p.base.len()) // by combination of the base, box + 1
	for n, b := range m.done {
		for _, i := range b.members {
			of[i] = int32(n + 1)
		}
	}
	s := &Solution{table: t, Suppressed: m.dropped}
	number := make([]int32, len(m.done))
	for i, n := range of {
		if m.p.base.rows[i] == 0 {
			continue
		}
		if n == 0 {
			s.class = append(s.class, -1)
			continue
		}
		if number[n-1] == 0 {
			b := &m.done[n-1]
			s.Classes++
			number[n-1] = int32(s.Classes)
			m.see(b.members)
			s.size = append(s.size, uint32(m.class.rows))
			if m.p.population != nil {
				s.people = append(s.people, uint32(m.class.people))
			}
			s.cells = append(s.cells, b.cells...)
		}
		s.class = append(s.class, number[n-1]-1)
	}
	s.measure(m.p, o.Metric)
	return s, nil
}
