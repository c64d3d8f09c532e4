package files

import (
	"math/bits"
)

// layout is how a row is kept: a word for each column, and behind them one bit for each that is NULL.
type layout struct {
	cols  int
	words int
}

func newLayout(cols int) layout { return layout{cols, cols + (cols+63)/64} }

func (l layout) null(row []int64, col int) bool {
	return row[l.cols+col/64]>>(col%64)&1 == 1
}

// put writes row i of the columns.
func (l layout) put(to []int64, cols []vec, i int) {
	clear(to[l.cols:])
	for j := range cols {
		c := &cols[j]
		if c.null != nil && c.null[i] {
			to[j] = 0
			to[l.cols+j/64] |= 1 << (j % 64)
			continue
		}
		to[j] = c.v[i]
	}
}

// vecs makes columns of rows again.
func (l layout) vecs(w *worker, rows []int64, cols int) []vec {
	n := len(rows) / l.words
	out := make([]vec, cols)
	for j := range out {
		v, null, some := w.ints.get(n), w.falses(n), false
		for i := range n {
			row := rows[i*l.words : (i+1)*l.words]
			v[i] = row[j]
			if l.null(row, j) {
				null[i], some = true, true
			}
		}
		if out[j].v = v; some {
			out[j].null = null
		}
	}
	return out
}

// parts keeps rows by a hash. Each worker writes to its own; once all are done, any may take a part.
type parts struct {
	x       *exec
	layout  layout
	below   bool // what is kept here is below the bounds: several readings do not help
	writers []*partWriter
}

// partCount is how many parts there are; a part is to fit a processor's cache, about, where there are ten million rows.
const (
	partBits  = 10
	partCount = 1 << partBits
)

// partOf is the part of a hash: its first bits, for an [index] goes by the last ones.
func partOf(h uint64) int { return int(h >> (64 - partBits)) }

const blockRows = 512

type partWriter struct {
	p      *parts
	blocks [partCount][][]int64
}

func newParts(x *exec, cols int, below bool) *parts {
	p := &parts{x: x, layout: newLayout(cols), below: below}
	for range x.engine.o.Workers {
		p.writers = append(p.writers, &partWriter{p: p})
	}
	return p
}

// row is room for one more row of a part.
func (w *partWriter) row(part int) ([]int64, error) {
	n := w.p.layout.words
	list := w.blocks[part]
	if len(list) == 0 || len(list[len(list)-1]) == cap(list[len(list)-1]) {
		// Blocks grow, so that few rows take little.
		size := blockRows
		if len(list) < 5 {
			size = 16 << len(list)
		}
		if err := w.p.take(int64(size * n * 8)); err != nil {
			return nil, err
		}
		list = append(list, make([]int64, 0, size*n))
		w.blocks[part] = list
	}
	last := &list[len(list)-1]
	from := len(*last)
	*last = (*last)[:from+n]
	return (*last)[from : from+n : from+n], nil
}

func (p *parts) take(n int64) error {
	if p.below {
		p.x.below.Add(n)
	}
	return p.x.take(n)
}

// each calls f with the rows of a part, block by block.
func (p *parts) each(part int, f func(rows []int64)) {
	for _, w := range p.writers {
		for _, b := range w.blocks[part] {
			f(b)
		}
	}
}

// count is how many rows a part has.
func (p *parts) count(part int) int {
	n := 0
	p.each(part, func(rows []int64) { n += len(rows) / p.layout.words })
	return n
}

// release gives a part back.
func (p *parts) release(part int) {
	n := int64(0)
	for _, w := range p.writers {
		for _, b := range w.blocks[part] {
			n += int64(cap(b)) * 8
		}
		w.blocks[part] = nil
	}
	p.x.held.Add(-n)
	if p.below {
		p.x.below.Add(-n)
	}
}

// mix spreads the bits of a word (the finalizer of MurmurHash3).
func mix(v uint64) uint64 {
	v ^= v >> 33
	v *= 0xff51afd7ed558ccd
	v ^= v >> 33
	v *= 0xc4ceb9fe1a85ec53
	return v ^ v>>33
}

// hashRow is a hash of the first columns of a row, NULLs among them.
func (l layout) hashRow(row []int64, cols int) uint64 {
	h := uint64(cols)
	for j := range cols {
		h = mix(h ^ uint64(row[j]))
		if l.null(row, j) {
			h = mix(h + 1)
		}
	}
	return h
}

// index finds places by hash: open addressing, no deletions, and more slots as there are more places.
type index struct {
	slots []int32 // place + 1
	mask  uint64
	used  int
}

const fewSlots = 1 << 10

// reset forgets all places; about n are to come, though there may be more or fewer.
func (t *index) reset(n int) {
	size := 1 << bits.Len(uint(min(max(2*n, fewSlots), 1<<20)-1))
	if cap(t.slots) < size {
		t.slots = make([]int32, size)
	} else {
		t.slots = t.slots[:size]
		clear(t.slots)
	}
	t.mask, t.used = uint64(size-1), 0
}

// find is the place that same accepts, or −1 and a free slot.
func (t *index) find(h uint64, same func(place int) bool) (place int, slot uint64) {
	for i := h & t.mask; ; i = (i + 1) & t.mask {
		s := t.slots[i]
		if s == 0 {
			return -1, i
		}
		if same(int(s - 1)) {
			return int(s - 1), i
		}
	}
}

// put fills a free slot. Hash is that of any place.
func (t *index) put(slot uint64, place int, hash func(place int) uint64) {
	t.slots[slot] = int32(place + 1)
	if t.used++; 3*t.used < 2*len(t.slots) {
		return
	}
	old := t.slots
	t.slots = make([]int32, 2*len(old))
	t.mask = uint64(len(t.slots) - 1)
	for _, s := range old {
		if s == 0 {
			continue
		}
		i := hash(int(s-1)) & t.mask
		for t.slots[i] != 0 {
			i = (i + 1) & t.mask
		}
		t.slots[i] = s
	}
}
