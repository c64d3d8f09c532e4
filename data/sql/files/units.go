package files

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// totals are what the groups have: so many units, sums and bins, each group's one behind the other's.
type totals struct {
	units []int64
	sums  []sum
	bins  []tally
}

func newTotals(groups int, q *relation.Bounded) *totals {
	return &totals{make([]int64, groups), make([]sum, groups*len(q.Sums)), make([]tally, groups*len(q.Bins))}
}

// plus adds o, which has no fewer groups.
func (t *totals) plus(o *totals) *totals {
	for i, n := range t.units {
		o.units[i] += n
	}
	for i, s := range t.sums {
		o.sums[i].plus(s)
	}
	for i := range t.bins {
		o.bins[i].plus(&t.bins[i])
	}
	return o
}

// tally counts by cell: in a slice, where there are few cells and groups, else in a map.
type tally struct {
	dense  []int64
	sparse map[int]int64
}

func (t *tally) add(cell, cells int, dense bool, n int64) {
	switch {
	case dense && t.dense == nil:
		t.dense = make([]int64, cells)
		fallthrough
	case dense:
		t.dense[cell] += n
	default:
		if t.sparse == nil {
			t.sparse = map[int]int64{}
		}
		t.sparse[cell] += n
	}
}

func (t *tally) plus(o *tally) {
	for c, n := range o.counts() {
		t.add(c, len(t.dense), t.dense != nil, n)
	}
}

// counts are the cells that have any.
func (t *tally) counts() map[int]int64 {
	out := maps.Clone(t.sparse)
	if out == nil {
		out = map[int]int64{}
	}
	for c, n := range t.dense {
		if n != 0 {
			out[c] += n
		}
	}
	return out
}

// mostDense is how many counters are kept in slices.
const mostDense = 8 << 20

// cell is what a unit has in one group.
type cell struct {
	unit  int64
	rows  int64
	group uint32
	next  int32 // cell of the same unit + 1
}

// measured is what a unit has of one column in one group.
type measured struct {
	n   int64
	sum sum
}

// part is one worker's look at parts.
type part struct {
	b     *bounder
	to    *totals
	dense bool

	byUnit, byGroup index

	cells []cell
	accs  []measured
	last  []int32     // of each unit: its last cell
	binOf [][]binning // by bins
	mine  []choice
	kept  []numbered
}

// binning is a value that goes to a bin.
type binning struct{ cell, bin int32 }

// choice is a group that a unit has, by its rank.
type choice struct {
	rank uint64
	cell int32
}

// numbered is a value among those of a unit in a group: its bin and its number there.
type numbered struct {
	rank   uint64
	bin    int32
	number int64
}

func newPart(b *bounder, groups int) *part {
	counters := 0
	for _, c := range b.q.Bins {
		counters += c.Count * groups
	}
	return &part{b: b, to: newTotals(groups, b.q), dense: counters <= mostDense, binOf: make([][]binning, len(b.q.Bins))}
}

// run looks at all units of a part.
func (p *part) run(at int) {
	p.gather(at)
	for i := range p.binOf {
		p.binOf[i] = byCell(p.binOf[i])
	}
	for _, last := range p.last {
		for _, c := range p.choose(last) {
			p.add(int(c.cell))
		}
	}
	p.b.rows.release(at)
}

// gather adds up the rows of a part by unit and group.
func (p *part) gather(at int) {
	b := p.b
	n, m := b.rows.count(at), len(b.cols)
	p.cells, p.accs, p.last = p.cells[:0], p.accs[:0], p.last[:0]
	for i := range p.binOf {
		p.binOf[i] = p.binOf[i][:0]
	}
	p.byGroup.reset(n)
	p.byUnit.reset(n / 8)
	pair := func(unit int64, group uint32) uint64 { return mix(mix(uint64(unit)) ^ uint64(group)) }
	ofCell := func(i int) uint64 { return pair(p.cells[i].unit, p.cells[i].group) }
	ofUnit := func(u int) uint64 { return mix(uint64(p.cells[p.last[u]].unit)) }
	b.rows.each(at, func(rows []int64) {
		for w := b.rows.layout.words; len(rows) > 0; rows = rows[w:] {
			row := rows[:w:w]
			unit, group := row[0], uint32(row[1])
			i, slot := p.byGroup.find(pair(unit, group), func(i int) bool { return p.cells[i].unit == unit && p.cells[i].group == group })
			if i < 0 {
				i = len(p.cells)
				c := cell{unit: unit, group: group}
				u, free := p.byUnit.find(mix(uint64(unit)), func(u int) bool { return p.cells[p.last[u]].unit == unit })
				if u >= 0 {
					c.next, p.last[u] = p.last[u]+1, int32(i)
				} else {
					p.last = append(p.last, int32(i))
				}
				p.cells = append(p.cells, c)
				p.accs = append(p.accs, make([]measured, m)...)
				p.byGroup.put(slot, i, ofCell)
				if u < 0 {
					p.byUnit.put(free, len(p.last)-1, ofUnit)
				}
			}
			p.cells[i].rows++
			for j := range m {
				if !b.isNull(row, j) {
					a := &p.accs[i*m+j]
					a.n++
					a.sum.add(row[2+j])
				}
			}
			for k, j := range b.bins {
				if !b.isNull(row, j) {
					p.binOf[k] = append(p.binOf[k], binning{int32(i), int32(b.q.Bins[k].Cell(row[2+j]))})
				}
			}
		}
	})
}

// byCell sorts by cell, and by bin within it.
func byCell(of []binning) []binning {
	slices.SortFunc(of, func(x, y binning) int { return cmp.Or(cmp.Compare(x.cell, y.cell), cmp.Compare(x.bin, y.bin)) })
	return of
}

// choose are the groups in which a unit counts.
func (p *part) choose(last int32) []choice {
	b := p.b
	p.mine = p.mine[:0]
	for i := last; i >= 0; i = p.cells[i].next - 1 {
		p.mine = append(p.mine, choice{cell: i})
	}
	if len(b.keys) == 0 || b.q.Groups == 0 || int64(len(p.mine)) <= b.q.Groups {
		return p.mine
	}
	h := b.unitHash(p.cells[last].unit)
	for i := range p.mine {
		p.mine[i].rank = b.x.seed.RankGroup(h, b.hashes[p.cells[p.mine[i].cell].group])
	}
	slices.SortFunc(p.mine, func(x, y choice) int {
		if x.rank != y.rank {
			return cmp.Compare(x.rank, y.rank)
		}
		gx, gy := b.groups.values(int(p.cells[x.cell].group)), b.groups.values(int(p.cells[y.cell].group))
		return bytes.Compare(relation.Encode(nil, gx...), relation.Encode(nil, gy...))
	})
	return p.mine[:b.q.Groups]
}

// add adds what a unit has in a group.
func (p *part) add(at int) {
	b, c := p.b, &p.cells[at]
	g, m := int(c.group), len(b.cols)
	p.to.units[g]++
	for i, s := range b.q.Sums {
		var v int64
		switch col := b.sums[i]; {
		case s.Op == relation.Units:
			v = min(max(1, s.Low), s.High)
		case s.Op == relation.Count && col < 0:
			v = min(max(min(c.rows, b.q.Rows), s.Low), s.High)
		case s.Op == relation.Count:
			v = min(max(min(p.accs[at*m+col].n, b.q.Rows), s.Low), s.High)
		default:
			a := &p.accs[at*m+col]
			if s.Op == relation.Share && a.n > b.q.Rows {
				v = a.sum.ratio(b.q.Rows, a.n, s.Low, s.High)
			} else {
				v = a.sum.narrow(s.Low, s.High)
			}
		}
		p.to.sums[g*len(b.q.Sums)+i].add(v)
	}
	for k := range b.q.Bins {
		p.addBins(k, at, &p.to.bins[g*len(b.q.Bins)+k])
	}
}

// addBins counts those of a unit's values in a group that are kept.
func (p *part) addBins(k, at int, to *tally) {
	b, of := p.b, p.binOf[k]
	from, _ := slices.BinarySearchFunc(of, int32(at), func(x binning, c int32) int { return cmp.Compare(x.cell, c) })
	end := from
	for end < len(of) && of[end].cell == int32(at) {
		end++
	}
	of = of[from:end]
	cells := b.q.Bins[k].Count
	if int64(len(of)) <= b.q.Rows {
		for _, x := range of {
			to.add(int(x.bin), cells, p.dense, 1)
		}
		return
	}
	unit, group := b.unitHash(p.cells[at].unit), b.hashes[p.cells[at].group]
	p.kept = p.kept[:0]
	for i, x := range of {
		number := int64(0)
		if i > 0 && of[i-1].bin == x.bin {
			number = p.kept[i-1].number + 1
		}
		p.kept = append(p.kept, numbered{b.x.seed.RankBin(unit, group, int(x.bin), number), x.bin, number})
	}
	slices.SortFunc(p.kept, func(x, y numbered) int {
		return cmp.Or(cmp.Compare(x.rank, y.rank), cmp.Compare(x.bin, y.bin), cmp.Compare(x.number, y.number))
	})
	for _, x := range p.kept[:b.q.Rows] {
		to.add(int(x.bin), cells, p.dense, 1)
	}
}
