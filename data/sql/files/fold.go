package files

import (
	"context"
	"math/big"
	"math/bits"
	"sync/atomic"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// sum is a number of 128 bits.
type sum struct {
	hi int64
	lo uint64
}

func (s *sum) add(v int64) {
	lo, carry := bits.Add64(s.lo, uint64(v), 0)
	s.lo = lo
	s.hi += v>>63 + int64(carry)
}

func (s *sum) plus(o sum) {
	lo, carry := bits.Add64(s.lo, o.lo, 0)
	s.lo = lo
	s.hi += o.hi + int64(carry)
}

// narrow clamps the sum.
func (s sum) narrow(low, high int64) int64 {
	if s.hi == int64(s.lo)>>63 { // it fits 64 bits
		return min(max(int64(s.lo), low), high)
	}
	if s.hi < 0 {
		return low
	}
	return high
}

// ratio is s·m/n, rounded towards zero and clamped.
func (s sum) ratio(m, n, low, high int64) int64 {
	if s.hi == int64(s.lo)>>63 {
		v := int64(s.lo)
		h, l := bits.Mul64(magnitude(v), uint64(m))
		if h < uint64(n) {
			q, _ := bits.Div64(h, l, uint64(n))
			if q <= 1<<62 {
				if v < 0 {
					return min(max(-int64(q), low), high)
				}
				return min(max(int64(q), low), high)
			}
		}
	}
	b := new(big.Int).SetInt64(s.hi)
	b.Lsh(b, 64).Add(b, new(big.Int).SetUint64(s.lo))
	b.Mul(b, big.NewInt(m)).Quo(b, big.NewInt(n))
	switch {
	case b.Cmp(big.NewInt(low)) < 0:
		return low
	case b.Cmp(big.NewInt(high)) > 0:
		return high
	}
	return b.Int64()
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// accumulator is an aggregate of a fold for one combination of keys.
type accumulator struct {
	n     int64
	least int64
	most  int64
	sum   sum
}

// folder computes a fold.
type folder struct {
	f     *relation.Fold
	rows  *parts
	keys  int
	col   []int   // by aggregate: its place in a kept row, or −1
	scale []int64 // of a mean: 10 to the places it has more than its column
}

// fold keeps the rows by hash of their keys, and aggregates part by part.
func (x *exec) fold(ctx context.Context, f *relation.Fold, to sink) error {
	cols := f.In.Columns()
	at := places(cols, f.Keys)
	g := &folder{f: f, keys: len(f.Keys)}
	for _, a := range f.Aggs {
		scale, col := int64(1), -1
		if a.Op != relation.CountRows {
			c := place(cols, a.Col)
			for j, have := range at {
				if have == c {
					col = j
				}
			}
			if col < 0 {
				col = len(at)
				at = append(at, c)
			}
			for range max(a.Type.Places-cols[c].Type.Places, 0) {
				scale *= 10
			}
		}
		g.col, g.scale = append(g.col, col), append(g.scale, scale)
	}
	g.rows = newParts(x, len(at), true)
	l := g.rows.layout
	err := x.run(ctx, f.In, func(w *worker, b *batch) error {
		picked := make([]vec, len(at))
		for i, c := range at {
			picked[i] = b.cols[c]
		}
		to, row := g.rows.writers[w.id], make([]int64, l.words)
		for i := range b.n {
			l.put(row, picked, i)
			kept, err := to.row(partOf(l.hashRow(row, g.keys)))
			if err != nil {
				return err
			}
			copy(kept, row)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var next atomic.Int64
	return x.workers(ctx, func(ctx context.Context, w *worker) error {
		for {
			part := int(next.Add(1)) - 1
			if part >= partCount {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := g.part(w, part, to); err != nil {
				return err
			}
		}
	})
}

// part aggregates one part and sends what comes of it.
func (g *folder) part(w *worker, part int, to sink) error {
	l, n := g.rows.layout, g.rows.count(part)
	if n == 0 {
		return nil
	}
	var idx index
	idx.reset(n)
	out := newLayout(g.keys + len(g.f.Aggs))
	var heads [][]int64 // of each combination: its first row
	var accs []accumulator
	g.rows.each(part, func(rows []int64) {
		for ; len(rows) > 0; rows = rows[l.words:] {
			row := rows[:l.words:l.words]
			at, slot := idx.find(l.hashRow(row, g.keys), func(p int) bool { return g.same(heads[p], row) })
			if at < 0 {
				at = len(heads)
				heads = append(heads, row)
				accs = append(accs, make([]accumulator, len(g.f.Aggs))...)
				idx.put(slot, at, func(p int) uint64 { return l.hashRow(heads[p], g.keys) })
			}
			g.add(accs[at*len(g.f.Aggs):(at+1)*len(g.f.Aggs)], row)
		}
	})
	room := make([]int64, 0, mostPairs*out.words)
	send := func() error {
		defer w.release(w.mark())
		b := &batch{n: len(room) / out.words, cols: out.vecs(w, room, out.cols)}
		room = room[:0]
		return to(w, b)
	}
	for i, head := range heads {
		room = room[:len(room)+out.words]
		g.finish(out, room[len(room)-out.words:], head, accs[i*len(g.f.Aggs):])
		if len(room) == cap(room) {
			if err := send(); err != nil {
				return err
			}
		}
	}
	g.rows.release(part)
	if len(room) > 0 {
		return send()
	}
	return nil
}

func (g *folder) same(a, b []int64) bool {
	l := g.rows.layout
	for j := range g.keys {
		if a[j] != b[j] || l.null(a, j) != l.null(b, j) {
			return false
		}
	}
	return true
}

func (g *folder) add(accs []accumulator, row []int64) {
	l := g.rows.layout
	for i := range accs {
		a, c := &accs[i], g.col[i]
		if c < 0 {
			a.n++
			continue
		}
		if l.null(row, c) {
			continue
		}
		v := row[c]
		if a.n == 0 {
			a.least, a.most = v, v
		}
		a.n++
		a.least, a.most = min(a.least, v), max(a.most, v)
		a.sum.add(v)
	}
}

// finish writes a row of the result.
func (g *folder) finish(out layout, to, head []int64, accs []accumulator) {
	l := g.rows.layout
	clear(to)
	null := func(j int) { to[out.cols+j/64] |= 1 << (j % 64) }
	for j := range g.keys {
		if to[j] = head[j]; l.null(head, j) {
			null(j)
		}
	}
	for i, a := range g.f.Aggs {
		acc, j := &accs[i], g.keys+i
		lo, hi := a.Type.Min, a.Type.Max
		if acc.n == 0 && a.Op > relation.CountOf {
			null(j)
			continue
		}
		switch a.Op {
		case relation.CountRows, relation.CountOf:
			to[j] = min(max(acc.n, lo), hi)
		case relation.MinOf:
			to[j] = min(max(acc.least, lo), hi)
		case relation.MaxOf:
			to[j] = min(max(acc.most, lo), hi)
		case relation.SumOf:
			to[j] = acc.sum.narrow(lo, hi)
		case relation.AvgOf:
			to[j] = acc.sum.ratio(g.scale[i], acc.n, lo, hi)
		}
	}
}
