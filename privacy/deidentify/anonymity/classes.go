package anonymity

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// classes is the classes of one node of the lattice. It is immutable once it is shared.
type classes struct {
	levels []uint8
	keys   []uint64 // packed codes at the node's levels; words for each class
	rows   []uint32
	people []uint32 // nil without a population
	held   []held   // by sensitive attribute that a model looks at; nil: not worked out
	used   int      // when it was last of use, for the cache
}

func (c *classes) len() int { return len(c.rows) }

// climber makes the classes of one node from those of a finer one. It belongs to one goroutine.
type climber struct {
	p     *problem
	slots []uint32 // class number + 1, by hash
	out   classes  // what was made last; its memory is used again
	into  []uint32 // class of the new node, by class of the old
	step  []move
	key   []uint64
	// for the sensitive values
	order []uint32
	place []uint32
	tally []tally
}

// move is what happens to one attribute between two nodes.
type move struct {
	word  int
	shift uint8
	mask  uint64
	to    []uint32
}

func newClimber(p *problem) *climber {
	c := &climber{p: p, key: make([]uint64, p.pack.words), slots: make([]uint32, 1<<10)}
	for _, s := range p.of {
		c.tally = append(c.tally, newTally(p.table.sensitive[s].Values))
	}
	return c
}

// climb makes c.out the classes of a node, without sensitive values, and c.into which class each one of from went to. It gives up
// and reports false when there are more classes than most.
func (c *climber) climb(from *classes, levels []uint8, most int) bool {
	p := c.p
	c.step = c.step[:0]
	for a, l := range levels {
		if below := from.levels[a]; below != l {
			c.step = append(c.step, move{word: int(p.pack.word[a]), shift: p.pack.shift[a], mask: 1<<p.pack.widths[a] - 1, to: p.between(a, int(below), int(l))})
		}
	}
	c.out.levels = append(c.out.levels[:0], levels...)
	c.out.keys, c.out.rows, c.out.people = c.out.keys[:0], c.out.rows[:0], c.out.people[:0]
	c.out.held = nil
	c.into = slices.Grow(c.into[:0], from.len())[:from.len()]
	clear(c.slots)
	if p.pack.words == 1 {
		c.climbOne(from, most)
	} else {
		c.climbMany(from, most)
	}
	if c.out.len() > most {
		return false
	}
	if from.people == nil {
		c.out.people = nil
		return true
	}
	c.out.people = slices.Grow(c.out.people, c.out.len())[:c.out.len()]
	clear(c.out.people)
	for i, to := range c.into {
		c.out.people[to] += from.people[i]
	}
	return true
}

// climbOne is for combinations of one word.
func (c *climber) climbOne(from *classes, most int) {
	keys, rows := c.out.keys, c.out.rows
	slots, mask := c.slots, uint64(len(c.slots)-1)
	shift := shiftOf(len(slots))
	for i, key := range from.keys {
		for s := range c.step {
			m := &c.step[s]
			code := m.to[key>>m.shift&m.mask]
			key = key&^(m.mask<<m.shift) | uint64(code)<<m.shift
		}
		at := (key * 0x9e3779b97f4a7c15) >> shift
		for {
			s := slots[at&mask]
			if s == 0 {
				keys, rows = append(keys, key), append(rows, from.rows[i])
				slots[at&mask] = uint32(len(keys))
				c.into[i] = uint32(len(keys) - 1)
				if len(keys) > most {
					c.out.keys, c.out.rows = keys, rows
					return
				}
				if len(keys)*2 > len(slots) {
					c.out.keys, c.out.rows = keys, rows
					c.grow()
					slots, mask, shift = c.slots, uint64(len(c.slots)-1), shiftOf(len(c.slots))
				}
				break
			}
			if keys[s-1] == key {
				rows[s-1] += from.rows[i]
				c.into[i] = s - 1
				break
			}
			at++
		}
	}
	c.out.keys, c.out.rows = keys, rows
}

// climbMany is the same for combinations of several words.
func (c *climber) climbMany(from *classes, most int) {
	n := c.p.pack.words
	mask, shift := uint64(len(c.slots)-1), shiftOf(len(c.slots))
	for i := range from.len() {
		copy(c.key, from.keys[i*n:])
		for _, m := range c.step {
			w := c.key[m.word]
			c.key[m.word] = w&^(m.mask<<m.shift) | uint64(m.to[w>>m.shift&m.mask])<<m.shift
		}
		for at := hash(c.key) >> shift; ; at++ {
			s := int(c.slots[at&mask])
			if s == 0 {
				c.out.keys, c.out.rows = append(c.out.keys, c.key...), append(c.out.rows, from.rows[i])
				c.into[i] = uint32(c.out.len() - 1)
				c.slots[at&mask] = uint32(c.out.len())
				if c.out.len() > most {
					return
				}
				if c.out.len()*2 > len(c.slots) {
					c.grow()
					mask, shift = uint64(len(c.slots)-1), shiftOf(len(c.slots))
				}
				break
			}
			if equal(c.out.keys[(s-1)*n:s*n], c.key) {
				c.out.rows[s-1] += from.rows[i]
				c.into[i] = uint32(s - 1)
				break
			}
		}
	}
}

func shiftOf(slots int) uint8 {
	shift := uint8(64)
	for ; slots > 1; slots >>= 1 {
		shift--
	}
	return shift
}

// grow makes the table of slots four times as large.
func (c *climber) grow() {
	c.slots = make([]uint32, 4*len(c.slots))
	mask, shift, n := uint64(len(c.slots)-1), shiftOf(len(c.slots)), c.p.pack.words
	for i := range c.out.len() {
		key := c.out.keys[i*n : i*n+n]
		at := hash(key) >> shift
		if n == 1 {
			at = (key[0] * 0x9e3779b97f4a7c15) >> shift
		}
		for c.slots[at&mask] != 0 {
			at++
		}
		c.slots[at&mask] = uint32(i + 1)
	}
}

// hold works out which sensitive values the classes hold that were made last.
func (c *climber) hold(from *classes) {
	// the old classes in the order of the new ones: counting sort
	c.place = slices.Grow(c.place[:0], c.out.len()+1)[:c.out.len()+1]
	clear(c.place)
	for _, to := range c.into {
		c.place[to+1]++
	}
	for i := range c.out.len() {
		c.place[i+1] += c.place[i]
	}
	c.order = slices.Grow(c.order[:0], len(c.into))[:len(c.into)]
	for i, to := range c.into {
		c.order[c.place[to]] = uint32(i)
		c.place[to]++ // in the end it is where the next class begins
	}
	c.out.held = make([]held, len(c.tally))
	for s := range c.tally {
		f, h, y := &from.held[s], &c.out.held[s], &c.tally[s]
		h.start = make([]uint32, 1, c.out.len()+1)
		h.values, h.rows = make([]uint32, 0, len(f.values)/2), make([]uint32, 0, len(f.values)/2)
		begin := uint32(0)
		for n := range c.out.len() {
			for _, i := range c.order[begin:c.place[n]] {
				for e := f.start[i]; e < f.start[i+1]; e++ {
					y.add(f.values[e], f.rows[e])
				}
			}
			begin = c.place[n]
			h.values, h.rows = y.flush(h.values, h.rows)
			h.start = append(h.start, uint32(len(h.values)))
		}
	}
}

// clone returns a copy of what was made last, to be shared.
func (c *climber) clone() *classes {
	o := &c.out
	return &classes{levels: slices.Clone(o.levels), keys: slices.Clone(o.keys), rows: slices.Clone(o.rows), people: slices.Clone(o.people), held: o.held}
}

// problem is a table with what is asked of it.
type problem struct {
	*prepared
	table *Table
	pack  packing
	costs *costs // of the metric, or of Loss where the metric does not add up cell by cell
	up    func(a, from, to int) []uint32
	base  *classes // of the least levels
	most  int      // a node with more classes loses too many rows
}

// between returns, by code of one level, the code of a higher one.
func (p *problem) between(a, from, to int) []uint32 { return p.up(a, from, to) }

func newProblem(t *Table, o Options) (*problem, error) {
	ready, err := prepare(t, o)
	if err != nil {
		return nil, err
	}
	p := &problem{prepared: ready, table: t, pack: t.pack, up: lifts(t)}
	m := o.Metric
	if m != NonUniformEntropy {
		m = Loss
	}
	p.costs = newCosts(t, m)
	leaf := &classes{levels: make([]uint8, len(t.attributes)), keys: t.keys, rows: t.counts}
	for _, s := range p.of {
		leaf.held = append(leaf.held, t.held[s])
	}
	if p.population != nil {
		if leaf, err = p.populate(leaf); err != nil {
			return nil, err
		}
	}
	p.base, p.most = leaf, math.MaxInt
	if p.population == nil {
		// Classes that are large enough have k rows each, and every other one loses at least one row.
		p.most = int(p.allowed + t.rows/p.k)
	}
	return p, nil
}

// lifts returns a function that composes the levels of a hierarchy, once for each pair.
func lifts(t *Table) func(a, from, to int) []uint32 {
	var mu sync.Mutex
	known := map[[3]int][]uint32{}
	return func(a, from, to int) []uint32 {
		h := t.attributes[a].Hierarchy
		if from == 0 {
			return h.levels[to]
		}
		mu.Lock()
		defer mu.Unlock()
		up, ok := known[[3]int{a, from, to}]
		if !ok {
			up = slices.Clone(h.up[from])
			for l := from + 1; l < to; l++ {
				for c := range up {
					up[c] = h.up[l][up[c]]
				}
			}
			known[[3]int{a, from, to}] = up
		}
		return up
	}
}

// populate merges the population's combinations into the table's, both being sorted.
func (p *problem) populate(t *classes) (*classes, error) {
	o := p.population
	if len(o.attributes) != len(p.table.attributes) || o.rows > math.MaxUint32 {
		return nil, fmt.Errorf("%w: the population has other attributes, or too many rows", ErrTable)
	}
	for a, at := range p.table.attributes {
		if !at.Hierarchy.same(o.attributes[a].Hierarchy) {
			return nil, fmt.Errorf("%w: attribute %s of the population has another hierarchy", ErrTable, at.Name)
		}
	}
	w := p.pack.words
	out := &classes{levels: t.levels}
	for range t.held {
		out.held = append(out.held, held{})
	}
	for i, j := 0, 0; i < len(t.rows) || j < len(o.counts); {
		order := 0
		switch {
		case i == len(t.rows):
			order = 1
		case j == len(o.counts):
			order = -1
		default:
			order = slices.Compare(t.keys[i*w:i*w+w], o.keys[j*w:j*w+w])
		}
		rows, people := uint32(0), uint32(0)
		for s := range out.held {
			f, h := &t.held[s], &out.held[s]
			h.start = append(h.start, uint32(len(h.values)))
			if order <= 0 {
				h.values = append(h.values, f.values[f.start[i]:f.start[i+1]]...)
				h.rows = append(h.rows, f.rows[f.start[i]:f.start[i+1]]...)
			}
		}
		if order >= 0 {
			out.keys = append(out.keys, o.keys[j*w:j*w+w]...)
		} else {
			out.keys = append(out.keys, t.keys[i*w:i*w+w]...)
		}
		if order <= 0 {
			rows = t.rows[i]
			i++
		}
		if order >= 0 {
			people = o.counts[j]
			j++
		}
		out.rows, out.people = append(out.rows, rows), append(out.people, people)
	}
	for s := range out.held {
		out.held[s].start = append(out.held[s].start, uint32(len(out.held[s].values)))
	}
	return out, nil
}

func (h *Hierarchy) same(o *Hierarchy) bool {
	return h == o || slices.EqualFunc(h.levels, o.levels, slices.Equal[[]uint32])
}
