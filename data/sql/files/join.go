package files

import (
	"context"
	"sync"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// side is the right side of a join, in memory.
type side struct {
	layout layout
	rows   []int64
	keys   []int   // columns that are compared
	index  *index  // by key: the first row; nil: every row agrees
	next   []int32 // the next row of the same key + 1
}

func (s *side) row(i int) []int64 { return s.rows[i*s.layout.words : (i+1)*s.layout.words] }

// hash is that of a row's keys.
func (s *side) hash(i int) uint64 {
	row, h := s.row(i), uint64(0)
	for _, k := range s.keys {
		h = mix(h ^ uint64(row[k]))
	}
	return h
}

// join reads the right side into memory and sends the left one past it.
func (x *exec) join(ctx context.Context, j *relation.Join, to sink) error {
	lcols, rcols := j.Left.Columns(), j.Right.Columns()
	var left, right []int
	for _, e := range j.On {
		left, right = append(left, place(lcols, e.Left)), append(right, place(rcols, e.Right))
	}
	s, err := x.side(ctx, j.Right, right)
	if err != nil {
		return err
	}
	err = x.run(ctx, j.Left, func(w *worker, b *batch) error {
		p := &pairs{s: s, w: w, left: b, to: to, cols: len(rcols)}
		key := make([]int64, len(left))
		for i := range b.n {
			if err := p.row(ctx, i, left, key, j.Kind == relation.Left); err != nil {
				return err
			}
		}
		return p.flush()
	})
	n := int64(cap(s.rows))*8 + int64(cap(s.next))*12
	x.held.Add(-n)
	x.below.Add(-n)
	return err
}

// side reads a relation into memory. Rows with a NULL among the keys have no partner and are left out.
func (x *exec) side(ctx context.Context, r relation.Rel, keys []int) (*side, error) {
	s := &side{layout: newLayout(len(r.Columns())), keys: keys}
	var mu sync.Mutex
	err := x.run(ctx, r, func(_ *worker, b *batch) error {
		mu.Lock()
		defer mu.Unlock()
		before := cap(s.rows)
		for i := range b.n {
			if anyNull(b, keys, i) {
				continue
			}
			n := len(s.rows)
			if n+s.layout.words > cap(s.rows) {
				s.rows = append(make([]int64, 0, max(1024*s.layout.words, 2*cap(s.rows))), s.rows...)
			}
			s.rows = s.rows[:n+s.layout.words]
			s.layout.put(s.rows[n:], b.cols, i)
		}
		grown := int64(cap(s.rows)-before) * 8
		x.below.Add(grown)
		return x.take(grown)
	})
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return s, nil
	}
	n := len(s.rows) / s.layout.words
	if n >= 1<<31-1 {
		return nil, errFull
	}
	x.below.Add(int64(n) * 12)
	if err := x.take(int64(n) * 12); err != nil {
		return nil, err
	}
	s.index, s.next = new(index), make([]int32, n)
	s.index.reset(n)
	for i := range n {
		row := s.row(i)
		at, slot := s.index.find(s.hash(i), func(p int) bool {
			other := s.row(p)
			for _, k := range keys {
				if other[k] != row[k] {
					return false
				}
			}
			return true
		})
		if s.next[i] = int32(at + 1); at < 0 {
			s.index.put(slot, i, s.hash)
		} else {
			s.index.slots[slot] = int32(i + 1)
		}
	}
	return s, nil
}

func anyNull(b *batch, cols []int, i int) bool {
	for _, c := range cols {
		if b.cols[c].null != nil && b.cols[c].null[i] {
			return true
		}
	}
	return false
}

// pairs collects pairs of rows and sends them on.
type pairs struct {
	s     *side
	w     *worker
	left  *batch
	to    sink
	cols  int // of the right side
	lrows []int32
	rrows []int32 // −1: no partner
}

const mostPairs = 4096

func (p *pairs) row(ctx context.Context, i int, left []int, key []int64, keep bool) error {
	s := p.s
	found := false
	add := func(r int32) error {
		p.lrows, p.rrows = append(p.lrows, int32(i)), append(p.rrows, r)
		if len(p.lrows) < mostPairs {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return p.flush()
	}
	if s.index == nil {
		for r := range len(s.rows) / s.layout.words {
			found = true
			if err := add(int32(r)); err != nil {
				return err
			}
		}
	} else if !anyNull(p.left, left, i) {
		h := uint64(0)
		for j, c := range left {
			key[j] = p.left.cols[c].v[i]
			h = mix(h ^ uint64(key[j]))
		}
		r, _ := s.index.find(h, func(at int) bool {
			row := s.row(at)
			for j, k := range s.keys {
				if row[k] != key[j] {
					return false
				}
			}
			return true
		})
		for ; r >= 0; r = int(s.next[r]) - 1 {
			found = true
			if err := add(int32(r)); err != nil {
				return err
			}
		}
	}
	if !found && keep {
		return add(-1)
	}
	return nil
}

func (p *pairs) flush() error {
	n := len(p.lrows)
	if n == 0 {
		return nil
	}
	defer p.w.release(p.w.mark())
	out := p.w.keep(p.left, p.lrows)
	for c := range p.cols {
		v, null, some := p.w.ints.get(n), p.w.falses(n), false
		for i, r := range p.rrows {
			if r < 0 {
				v[i], null[i], some = 0, true, true
				continue
			}
			row := p.s.row(int(r))
			v[i] = row[c]
			if p.s.layout.null(row, c) {
				null[i], some = true, true
			}
		}
		if !some {
			null = nil
		}
		out.cols = append(out.cols, vec{v, null})
	}
	p.lrows, p.rrows = p.lrows[:0], p.rrows[:0]
	return p.to(p.w, out)
}
