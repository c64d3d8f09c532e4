package files

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// bounder computes the bounds: it keeps what is asked of each row by hash of the row's unit, and then looks at each unit as a whole.
type bounder struct {
	x     *exec
	q     *relation.Bounded
	types []relation.Type // of the columns of q.In
	units []int           // places of the unit's columns
	keys  []int
	cols  []int // places of the columns that are measured, each once
	sums  []int // by sum: which of cols; −1: none
	bins  []int // by bins: which of cols

	names  *texts // units that are named by several columns, or by none that is a number or text
	groups *groups
	locals []*local
	rows   *parts
	hashes []uint64 // by group, once rows are kept
	total  *totals
}

func newBounder(x *exec, q *relation.Bounded) *bounder {
	cols := q.In.Columns()
	b := &bounder{x: x, q: q, units: places(cols, q.Unit), keys: places(cols, q.Keys), names: newTexts()}
	b.names.bytes = x.texts.bytes
	for _, c := range cols {
		b.types = append(b.types, c.Type)
	}
	measure := func(name string) int {
		if name == "" {
			return -1
		}
		at := place(cols, name)
		if i := slices.Index(b.cols, at); i >= 0 {
			return i
		}
		b.cols = append(b.cols, at)
		return len(b.cols) - 1
	}
	for _, s := range q.Sums {
		b.sums = append(b.sums, measure(s.Col))
	}
	for _, c := range q.Bins {
		b.bins = append(b.bins, measure(c.Col))
	}
	b.groups = &groups{x: x, layout: newLayout(len(b.keys)), of: map[string]uint32{}}
	for _, k := range b.keys {
		b.groups.types = append(b.groups.types, b.types[k])
	}
	for range x.engine.o.Workers {
		b.locals = append(b.locals, newLocal())
	}
	b.reset()
	return b
}

// reset forgets the rows, and what was made of them.
func (b *bounder) reset() {
	b.x.held.Store(b.x.kept.Load())
	b.x.below.Store(b.x.kept.Load())
	b.rows = newParts(b.x, 0, false)
	b.rows.layout = layout{words: 2 + len(b.cols) + (max(len(b.cols), nullsInHead)-nullsInHead+63)/64}
	b.total = &totals{}
}

// rowsTake is whether kept rows are a good part of the memory taken.
func (b *bounder) rowsTake() bool {
	return b.x.held.Load()-b.x.below.Load() > b.x.engine.o.Memory/4
}

// A kept row is the unit, the group with the NULLs of the first columns above it, the columns, and more NULLs.
const nullsInHead = 31

func (b *bounder) setNull(row []int64, j int) {
	if j < nullsInHead {
		row[1] |= 1 << (32 + j)
		return
	}
	j -= nullsInHead
	row[2+len(b.cols)+j/64] |= 1 << (j % 64)
}

func (b *bounder) isNull(row []int64, j int) bool {
	if j < nullsInHead {
		return row[1]>>(32+j)&1 == 1
	}
	j -= nullsInHead
	return row[2+len(b.cols)+j/64]>>(j%64)&1 == 1
}

// run reads everything so many times, each time for the units of one share.
func (b *bounder) run(ctx context.Context, passes uint64) error {
	for pass := range passes {
		err := b.x.run(ctx, b.q.In, func(w *worker, rows *batch) error { return b.keep(w, rows, passes, pass) })
		if err != nil {
			return err
		}
		if err := b.finish(ctx); err != nil {
			return err
		}
	}
	return nil
}

// keep takes the rows of a batch whose units are of this pass.
func (b *bounder) keep(w *worker, rows *batch, passes, pass uint64) error {
	to, l := b.rows.writers[w.id], b.locals[w.id]
	keys := make([]vec, len(b.keys))
	for i, k := range b.keys {
		keys[i] = rows.cols[k]
	}
	var code []byte
	for i := range rows.n {
		if anyNull(rows, b.units, i) {
			continue
		}
		unit := rows.cols[b.units[0]].v[i]
		if len(b.units) > 1 {
			code = b.encode(code[:0], rows, i)
			unit = b.names.number(code)
		}
		h := mix(uint64(unit))
		if passes > 1 && h%passes != pass {
			continue
		}
		group := uint32(0)
		if len(keys) > 0 {
			var err error
			if group, err = b.groups.number(l, keys, i); err != nil {
				return err
			}
		}
		row, err := to.row(partOf(h))
		if err != nil {
			return err
		}
		row[0], row[1] = unit, int64(group)
		for j, c := range b.cols {
			v := &rows.cols[c]
			row[2+j] = v.v[i]
			if v.null != nil && v.null[i] {
				b.setNull(row, j)
			}
		}
	}
	return nil
}

// encode is the name of a row's unit, as [relation.Encode] has it.
func (b *bounder) encode(to []byte, rows *batch, i int) []byte {
	for _, u := range b.units {
		to = relation.Encode(to, b.x.value(b.types[u].Kind, rows.cols[u].v[i], false))
	}
	return to
}

// unitHash is the hash of a unit by the seed.
func (b *bounder) unitHash(unit int64) uint64 {
	if len(b.units) > 1 {
		return b.x.seed.Hash([]byte(b.names.text(unit)))
	}
	return b.x.seed.Hash(relation.Encode(make([]byte, 0, 64), b.x.value(b.types[b.units[0]].Kind, unit, false)))
}

// finish looks at the units of all parts.
func (b *bounder) finish(ctx context.Context) error {
	n := 1
	if len(b.keys) > 0 {
		n = len(b.groups.of)
	}
	for i := len(b.hashes); i < n; i++ {
		b.hashes = append(b.hashes, b.x.seed.Hash(relation.Encode(nil, b.groups.values(i)...)))
	}
	bytes := int64(n) * int64(8+16*len(b.q.Sums)+16*len(b.q.Bins)) * int64(b.x.engine.o.Workers+1)
	b.x.below.Add(bytes)
	if err := b.x.take(bytes); err != nil {
		return err
	}
	var next atomic.Int64
	all := make([]*totals, b.x.engine.o.Workers)
	err := b.x.workers(ctx, func(ctx context.Context, w *worker) error {
		p := newPart(b, n)
		all[w.id] = p.to
		for {
			part := int(next.Add(1)) - 1
			if part >= partCount {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			p.run(part)
		}
	})
	if err != nil {
		return err
	}
	for _, t := range all {
		b.total = b.total.plus(t)
	}
	b.x.below.Add(-bytes)
	b.x.held.Add(-bytes)
	return nil
}

// give yields the groups that have units; without keys the one that there is.
func (b *bounder) give(yield func(relation.Group) error) error {
	t := b.total
	for g := range t.units {
		if t.units[g] == 0 && len(b.keys) > 0 {
			continue
		}
		out := relation.Group{Keys: b.groups.values(g), Units: t.units[g]}
		for i := range b.q.Sums {
			out.Sums = append(out.Sums, t.sums[g*len(b.q.Sums)+i].narrow(-relation.MaxSum, relation.MaxSum))
		}
		for i := range b.q.Bins {
			out.Bins = append(out.Bins, t.bins[g*len(b.q.Bins)+i].counts())
		}
		if err := yield(out); err != nil {
			return err
		}
	}
	return nil
}
