package anonymity

import "math"

// Solution is a recoding of a table that meets its models. It is immutable and safe for concurrent use.
type Solution struct {
	Levels     []int   // one per attribute; nil for a local recoding
	Score      float64 // by the metric that was asked for
	Suppressed int64   // rows
	Classes    int     // that are released
	Utility    Utility
	Checked    int64 // nodes of the lattice that were looked at
	Nodes      int64 // nodes of the lattice

	table  *Table
	class  []int32  // by combination of the table; -1: suppressed
	size   []uint32 // by class
	people []uint32 // by class; nil without a population
	keys   []uint64 // global recoding: packed codes of the classes at Levels
	index  index    // of keys
	cells  []Cell   // local recoding: one per class and attribute
}

// Utility is what a recoding loses, by every metric.
type Utility struct {
	Loss              float64   // see [Loss]; 0 best, 1 worst
	LossOf            []float64 // mean loss of a cell, by attribute
	NonUniformEntropy float64   // 0 best, 1 worst
	Discernibility    float64
	AverageClassSize  float64
}

// Cell is what becomes of one attribute of a row: a code of a level of its hierarchy, or a range of values.
type Cell struct {
	Level int    // of the hierarchy
	Code  uint32 // at that level; of a range, the first value
	Last  uint32 // of a range, the last value
	Range bool   // local recoding of an ordered attribute: the values from Code to Last, both of level 0
}

// Class returns the class of combination i of the table, from 0, or false if its rows are suppressed.
func (s *Solution) Class(i int) (class int, ok bool) {
	if s.class[i] < 0 {
		return 0, false
	}
	return int(s.class[i]), true
}

// Size returns how many rows a class has.
func (s *Solution) Size(class int) int { return int(s.size[class]) }

// People returns how many members of the population a class has, where a model has one; otherwise 0.
func (s *Solution) People(class int) int64 {
	if s.people == nil {
		return 0
	}
	return int64(s.people[class])
}

// Recode sets cells to what becomes of the values of one row, one per attribute. It reports false if the row is suppressed, and for
// values that the table does not have. Values are those of the hierarchies, as a fixed [Coding] gives them.
func (s *Solution) Recode(cells []Cell, values []uint32) (class int, ok bool) {
	t := s.table
	if len(values) != len(t.attributes) || len(cells) != len(values) {
		return 0, false
	}
	if s.Levels == nil {
		i, ok := t.Find(values)
		if !ok || s.class[i] < 0 {
			return 0, false
		}
		class = int(s.class[i])
		copy(cells, s.cells[class*len(values):(class+1)*len(values)])
		return class, true
	}
	var room [8]uint64
	key := room[:0]
	for range t.pack.words {
		key = append(key, 0)
	}
	for a, v := range values {
		h := t.attributes[a].Hierarchy
		if int(v) >= h.Codes(0) {
			return 0, false
		}
		code := h.levels[s.Levels[a]][v]
		cells[a] = Cell{Level: s.Levels[a], Code: code}
		key[t.pack.word[a]] |= uint64(code) << t.pack.shift[a]
	}
	return s.index.find(s.keys, key)
}

// box sets cells to those of a class.
func (s *Solution) box(cells []Cell, class int) {
	n := len(cells)
	if s.Levels == nil {
		copy(cells, s.cells[class*n:(class+1)*n])
		return
	}
	p := &s.table.pack
	key := s.keys[class*p.words:]
	for a := range cells {
		cells[a] = Cell{Level: s.Levels[a], Code: uint32(key[p.word[a]] >> p.shift[a] & (1<<p.widths[a] - 1))}
	}
}

// global makes the solution of a node. Classes are numbered by their first combination in the table.
func global(p *problem, o Options, levels []uint8) *Solution {
	t := p.table
	s := &Solution{table: t, Levels: make([]int, len(levels)), class: make([]int32, 0, len(t.counts))}
	for a, l := range levels {
		s.Levels[a] = int(l)
	}
	c := newClimber(p)
	c.climb(p.base, levels, math.MaxInt)
	if len(p.of) > 0 {
		c.hold(p.base)
	}
	const unseen, failed = -2, -1
	number := make([]int32, c.out.len())
	seen := class{values: make([]counts, len(t.sensitive))}
	for i := range number {
		show(&seen, p, &c.out, i)
		number[i] = failed
		if seen.rows > 0 && p.meets(&seen) {
			number[i] = unseen
		} else {
			s.Suppressed += seen.rows
		}
	}
	for i, to := range c.into {
		if p.base.rows[i] == 0 {
			continue // of the population only
		}
		if number[to] == unseen {
			number[to] = int32(s.Classes)
			s.Classes++
			s.keys = append(s.keys, c.out.keys[int(to)*p.pack.words:int(to+1)*p.pack.words]...)
			s.size = append(s.size, c.out.rows[to])
			if c.out.people != nil {
				s.people = append(s.people, c.out.people[to])
			}
		}
		s.class = append(s.class, number[to])
	}
	s.index.build(s.keys, p.pack.words, s.Classes)
	s.measure(p, o.Metric)
	return s
}

// measure works out the utility and the score.
func (s *Solution) measure(p *problem, m Metric) {
	t := s.table
	loss, entropy := newCosts(t, Loss), newCosts(t, NonUniformEntropy)
	lossSums, entropySums := make([]int64, len(t.attributes)), make([]int64, len(t.attributes))
	below := make([][]int64, len(t.attributes)) // by attribute: rows with values below
	var codes = make([]uint32, len(t.attributes))
	for a := range below {
		below[a] = make([]int64, t.attributes[a].Hierarchy.Codes(0)+1)
	}
	for i, n := range t.counts {
		t.Tuple(i, codes)
		for a, v := range codes {
			below[a][v+1] += int64(n)
		}
	}
	for a := range below {
		for v, n := range below[a][1:] {
			entropySums[a] -= n * logBits(n) // what values are known by anyway
			below[a][v+1] += below[a][v]
		}
	}
	cells := make([]Cell, len(t.attributes))
	squares := uint64(0)
	for class, size := range s.size {
		s.box(cells, class)
		squares = square(squares, uint64(size))
		for a, c := range cells {
			lost, many := s.costOf(a, c, below[a], entropy)
			lossSums[a] += int64(size) * lost
			entropySums[a] += int64(size) * many
		}
	}
	for a := range cells {
		lossSums[a] += s.Suppressed * int64(max(1, t.attributes[a].Hierarchy.Codes(0)-1))
		entropySums[a] += s.Suppressed * logBits(t.rows)
	}
	u := &s.Utility
	for a, sum := range lossSums {
		u.LossOf = append(u.LossOf, float64(sum)/loss.unit[a])
	}
	u.Loss = loss.score(loss.value(lossSums))
	u.NonUniformEntropy = entropy.score(entropy.value(entropySums))
	u.Discernibility = discernibility(squares, s.Suppressed, t.rows)
	u.AverageClassSize = averageSize(t.rows-s.Suppressed, int64(s.Classes), p.k)
	s.Score = [...]float64{u.Loss, u.NonUniformEntropy, u.Discernibility, u.AverageClassSize}[m]
}

// costOf returns what one row's cell loses, by [Loss] and by [NonUniformEntropy] before what is known anyway.
func (s *Solution) costOf(a int, c Cell, below []int64, entropy *costs) (lost, many int64) {
	if c.Range {
		return int64(c.Last - c.Code), logBits(below[c.Last+1] - below[c.Code])
	}
	h := s.table.attributes[a].Hierarchy
	return int64(h.Leaves(c.Level, c.Code) - 1), logBits(s.table.rows) - entropy.more[a][c.Level][c.Code]
}
