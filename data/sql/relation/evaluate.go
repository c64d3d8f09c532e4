package relation

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"math/big"
	"slices"
)

// Opener reads a table: each row has a cell for each field of the scan, as [Field.Read] takes them.
type Opener func(ctx context.Context, s *Scan) iter.Seq2[[]any, error]

// Ranks is an order by which groups and rows of a unit are chosen, for comparing engines that have another hash than [Seed]'s.
type Ranks interface {
	Group(unit, group []Value) []byte
	Bin(unit, group []Value, cell int, number int64) []byte
}

// Evaluate computes q in memory, step by step as it is written down. It is what engines are compared with, and made to be read, not
// to be fast. Ranks may be nil. Groups come in the order of [Encode].
func Evaluate(ctx context.Context, q *Bounded, seed Seed, open Opener, ranks Ranks) ([]Group, error) {
	if err := Check(q); err != nil {
		return nil, err
	}
	if ranks == nil {
		ranks = seedRanks{&seed}
	}
	e := evaluator{ctx, open, ranks}
	rows, err := e.rows(q.In)
	if err != nil {
		return nil, err
	}
	return e.bounded(q, rows), nil
}

// Rows computes a relation in memory, as [Evaluate] does.
func Rows(ctx context.Context, r Rel, open Opener) ([][]Value, error) {
	if err := (&checker{}).rel(r); err != nil {
		return nil, err
	}
	e := evaluator{ctx: ctx, open: open}
	return e.rows(r)
}

type evaluator struct {
	ctx   context.Context
	open  Opener
	ranks Ranks
}

func (e *evaluator) rows(r Rel) ([][]Value, error) {
	switch r := r.(type) {
	case *Scan:
		return e.scan(r)
	case *Filter:
		in, err := e.rows(r.In)
		cols := r.In.Columns()
		return slices.DeleteFunc(in, func(row []Value) bool {
			v := Compute(r.Where, cols, row)
			return v.Null || v.Int == 0
		}), err
	case *Project:
		in, err := e.rows(r.In)
		cols := r.In.Columns()
		for i, row := range in {
			out := make([]Value, len(r.Cols))
			for j, c := range r.Cols {
				out[j] = Compute(c.Expr, cols, row)
			}
			in[i] = out
		}
		return in, err
	case *Join:
		return e.join(r)
	case *Union:
		var out [][]Value
		names := r.Columns()
		for _, a := range r.Arms {
			in, err := e.rows(a)
			if err != nil {
				return nil, err
			}
			cols := a.Columns()
			for _, row := range in {
				out = append(out, pick(cols, row, columnNames(names)))
			}
		}
		return out, nil
	case *Fold:
		in, err := e.rows(r.In)
		return fold(r, in), err
	}
	return nil, fmt.Errorf("no relation: %w", ErrShape)
}

func columnNames(cols []Column) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = c.Name
	}
	return out
}

// pick are the cells of the named columns.
func pick(cols []Column, row []Value, names []string) []Value {
	out := make([]Value, len(names))
	for i, n := range names {
		out[i] = row[find(cols, n)]
	}
	return out
}

func (e *evaluator) scan(s *Scan) ([][]Value, error) {
	var out [][]Value
	for cells, err := range e.open(e.ctx, s) {
		if err != nil {
			return nil, err
		}
		if err := e.ctx.Err(); err != nil {
			return nil, err
		}
		if len(cells) != len(s.Fields) {
			return nil, fmt.Errorf("a row of table %q: %w", s.Table, ErrShape)
		}
		row := make([]Value, len(cells))
		for i, f := range s.Fields {
			row[i] = f.Read(cells[i])
		}
		out = append(out, row)
	}
	return out, nil
}

func (e *evaluator) join(j *Join) ([][]Value, error) {
	left, err := e.rows(j.Left)
	if err != nil {
		return nil, err
	}
	right, err := e.rows(j.Right)
	if err != nil {
		return nil, err
	}
	lcols, rcols := j.Left.Columns(), j.Right.Columns()
	var out [][]Value
	for _, l := range left {
		if err := e.ctx.Err(); err != nil {
			return nil, err
		}
		found := false
		for _, r := range right {
			if agree(j.On, lcols, rcols, l, r) {
				out = append(out, slices.Concat(l, r))
				found = true
			}
		}
		if !found && j.Kind == Left {
			nulls := make([]Value, len(rcols))
			for i, c := range rcols {
				nulls[i] = unknown(c.Type.Kind)
			}
			out = append(out, slices.Concat(l, nulls))
		}
	}
	return out, nil
}

func agree(on []Equal, lcols, rcols []Column, l, r []Value) bool {
	for _, e := range on {
		a, b := l[find(lcols, e.Left)], r[find(rcols, e.Right)]
		if a.Null || b.Null || !same(a, b) {
			return false
		}
	}
	return true
}

// grouped are the rows that share the values of some columns, in the order of first appearance.
func grouped(cols []Column, rows [][]Value, names []string) (keys [][]Value, groups [][][]Value) {
	at := map[string]int{}
	for _, row := range rows {
		key := pick(cols, row, names)
		code := string(Encode(nil, key...))
		i, ok := at[code]
		if !ok {
			i = len(keys)
			at[code] = i
			keys, groups = append(keys, key), append(groups, nil)
		}
		groups[i] = append(groups[i], row)
	}
	return keys, groups
}

func fold(f *Fold, rows [][]Value) [][]Value {
	cols := f.In.Columns()
	keys, groups := grouped(cols, rows, f.Keys)
	out := make([][]Value, len(keys))
	for i, key := range keys {
		out[i] = key
		for _, a := range f.Aggs {
			out[i] = append(out[i], aggregate(a, cols, groups[i]))
		}
	}
	return out
}

func aggregate(a Agg, cols []Column, rows [][]Value) Value {
	if a.Op == CountRows {
		return Value{Kind: Number, Int: a.Type.clamp(int64(len(rows)))}
	}
	vs := values(cols, rows, a.Col)
	if a.Op == CountOf {
		return Value{Kind: Number, Int: a.Type.clamp(int64(len(vs)))}
	}
	if len(vs) == 0 {
		return unknown(a.Type.Kind)
	}
	v := Value{Kind: a.Type.Kind}
	switch a.Op {
	case MinOf:
		v.Int = a.Type.clamp(slices.Min(vs))
	case MaxOf:
		v.Int = a.Type.clamp(slices.Max(vs))
	case SumOf:
		v.Int = Narrow(total(vs), a.Type.Min, a.Type.Max)
	case AvgOf:
		n := total(vs)
		n.Mul(n, big.NewInt(pow10[a.Type.Places-cols[find(cols, a.Col)].Type.Places]))
		v.Int = Narrow(n.Quo(n, big.NewInt(int64(len(vs)))), a.Type.Min, a.Type.Max)
	}
	return v
}

// values are those of a column that are no NULL.
func values(cols []Column, rows [][]Value, name string) []int64 {
	var out []int64
	at := find(cols, name)
	for _, row := range rows {
		if !row[at].Null {
			out = append(out, row[at].Int)
		}
	}
	return out
}

func total(vs []int64) *big.Int {
	n := new(big.Int)
	for _, v := range vs {
		n.Add(n, big.NewInt(v))
	}
	return n
}

// bounded takes the units one after the other, so that what each adds can be seen.
func (e *evaluator) bounded(q *Bounded, rows [][]Value) []Group {
	cols := q.In.Columns()
	totals := map[string]*totals{}
	if len(q.Keys) == 0 {
		totals[""] = newTotals(q, nil)
	}
	units, byUnit := grouped(cols, rows, q.Unit)
	for i, unit := range units {
		if slices.ContainsFunc(unit, func(v Value) bool { return v.Null }) {
			continue
		}
		keys, groups := grouped(cols, byUnit[i], q.Keys)
		for _, g := range e.chosen(q, unit, keys) {
			code := string(Encode(nil, keys[g]...))
			if totals[code] == nil {
				totals[code] = newTotals(q, keys[g])
			}
			totals[code].add(e, q, cols, unit, keys[g], groups[g])
		}
	}
	var out []Group
	for _, code := range slices.Sorted(maps.Keys(totals)) {
		out = append(out, totals[code].group())
	}
	return out
}

// chosen are the groups in which a unit counts.
func (e *evaluator) chosen(q *Bounded, unit []Value, keys [][]Value) []int {
	all := make([]int, len(keys))
	for i := range all {
		all[i] = i
	}
	if len(q.Keys) == 0 || q.Groups == 0 || int64(len(keys)) <= q.Groups {
		return all
	}
	slices.SortFunc(all, func(a, b int) int {
		return cmp.Or(bytes.Compare(e.ranks.Group(unit, keys[a]), e.ranks.Group(unit, keys[b])),
			bytes.Compare(Encode(nil, keys[a]...), Encode(nil, keys[b]...)))
	})
	return all[:q.Groups]
}

// totals are what a group has so far.
type totals struct {
	keys  []Value
	units int64
	sums  []*big.Int
	bins  []map[int]int64
}

func newTotals(q *Bounded, keys []Value) *totals {
	t := &totals{keys: keys}
	for range q.Sums {
		t.sums = append(t.sums, new(big.Int))
	}
	for range q.Bins {
		t.bins = append(t.bins, map[int]int64{})
	}
	return t
}

func (t *totals) add(e *evaluator, q *Bounded, cols []Column, unit, key []Value, rows [][]Value) {
	t.units++
	for i, s := range q.Sums {
		t.sums[i].Add(t.sums[i], big.NewInt(partial(s, q.Rows, cols, rows)))
	}
	for i, b := range q.Bins {
		for _, cell := range e.kept(q, b, unit, key, values(cols, rows, b.Col)) {
			t.bins[i][cell]++
		}
	}
}

// partial is what one unit adds to one sum of one group.
func partial(s Sum, most int64, cols []Column, rows [][]Value) int64 {
	n := new(big.Int)
	switch s.Op {
	case Units:
		n.SetInt64(1)
	case Count:
		have := int64(len(rows))
		if s.Col != "" {
			have = 0
			for _, row := range rows {
				if !row[find(cols, s.Col)].Null {
					have++
				}
			}
		}
		n.SetInt64(min(have, most))
	case Total, Share:
		vs := values(cols, rows, s.Col)
		n = total(vs)
		if have := int64(len(vs)); s.Op == Share && have > most {
			n.Mul(n, big.NewInt(most))
			n.Quo(n, big.NewInt(have)) // towards zero
		}
	}
	return Narrow(n, s.Low, s.High)
}

// kept are the cells of the values of a unit that count in a group.
func (e *evaluator) kept(q *Bounded, b Bins, unit, key []Value, vs []int64) []int {
	type place struct {
		cell   int
		number int64
	}
	var places []place
	have := map[int]int64{}
	for _, v := range vs {
		c := b.Cell(v)
		places = append(places, place{c, have[c]})
		have[c]++
	}
	if int64(len(places)) > q.Rows {
		slices.SortFunc(places, func(x, y place) int {
			return cmp.Or(bytes.Compare(e.ranks.Bin(unit, key, x.cell, x.number), e.ranks.Bin(unit, key, y.cell, y.number)),
				cmp.Compare(x.cell, y.cell), cmp.Compare(x.number, y.number))
		})
		places = places[:q.Rows]
	}
	var out []int
	for _, p := range places {
		out = append(out, p.cell)
	}
	return out
}

// Cell is the bin of a value.
func (b Bins) Cell(v int64) int {
	if v < b.Low {
		return 0
	}
	c := (uint64(v) - uint64(b.Low)) / uint64(b.Width)
	return int(min(c, uint64(b.Count-1)))
}

func (t *totals) group() Group {
	g := Group{Keys: t.keys, Units: t.units, Bins: t.bins}
	for _, s := range t.sums {
		g.Sums = append(g.Sums, Narrow(s, -MaxSum, MaxSum))
	}
	return g
}

// seedRanks is the order of a seed.
type seedRanks struct{ seed *Seed }

func (r seedRanks) Group(unit, group []Value) []byte {
	return bigEndian(r.seed.RankGroup(r.seed.Hash(Encode(nil, unit...)), r.seed.Hash(Encode(nil, group...))))
}

func (r seedRanks) Bin(unit, group []Value, cell int, number int64) []byte {
	return bigEndian(r.seed.RankBin(r.seed.Hash(Encode(nil, unit...)), r.seed.Hash(Encode(nil, group...)), cell, number))
}

func bigEndian(v uint64) []byte {
	return []byte{byte(v >> 56), byte(v >> 48), byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
}
