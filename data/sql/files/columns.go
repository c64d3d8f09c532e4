package files

import (
	"context"
	"math/bits"

	"github.com/scrimhq/scrim/data/parquet"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/table"
)

// columns reads a chunk column by column, as Parquet files are kept. At says which of the reader's columns a field is.
func (c *cells) columns(ctx context.Context, w *worker, from parquet.Columns, chunk table.Chunk, rows *table.Batch) (*batch, error) {
	b := &batch{n: chunk.Rows, cols: make([]vec, len(c.fields))}
	single := cells{fields: c.fields, at: make([]int, len(c.fields)), float: c.float}
	for i := range c.fields {
		f, place := &c.fields[i], c.at[i]
		read := wholeReader(f, from.Whole(place))
		if read == nil {
			if err := from.Cells(ctx, chunk, place, rows); err != nil {
				return nil, err
			}
			b.cols[i] = single.column(w, rows, i)
			continue
		}
		v, null := w.ints.get(b.n), w.falses(b.n)
		some, err := from.Numbers(ctx, chunk, place, v, null)
		if err != nil {
			return nil, err
		}
		for row := range v {
			if some && null[row] {
				continue
			}
			n, ok := read(v[row])
			if v[row] = n; !ok {
				null[row], some = true, true
			}
		}
		if b.cols[i].v = v; some {
			b.cols[i].null = null
		}
	}
	return b, nil
}

// wholeReader reads a whole number of a file as a field, as [relation.Field.Read] reads the text that stands for it; not ok is NULL. It
// is nil where only the text will do.
func wholeReader(f *relation.Field, is parquet.Whole) func(int64) (int64, bool) {
	t := f.Type
	bounded := func(v int64) (int64, bool) {
		n := min(max(v, t.Min), t.Max)
		return n, n == v || !f.Exact
	}
	switch {
	case is.Kind == parquet.Scaled && t.Kind == relation.Number:
		return scaled(t.Places-is.Places, bounded, f.Exact)
	case is.Kind == parquet.Days && t.Kind == relation.Date:
		return func(v int64) (int64, bool) {
			if v < relation.MinDate || v > relation.MaxDate {
				return 0, false
			}
			return bounded(v)
		}
	case is.Kind == parquet.Moments && (t.Kind == relation.Time || t.Kind == relation.Date):
		return moments(is.Per, t.Kind, bounded)
	case is.Kind == parquet.Flag && t.Kind == relation.Truth:
		return func(v int64) (int64, bool) { return v & 1, true }
	}
	return nil
}

// scaled gives a number so many more decimal places.
func scaled(more int, bounded func(int64) (int64, bool), exact bool) func(int64) (int64, bool) {
	if more == 0 {
		return bounded
	}
	factor := int64(1)
	for range max(more, -more) {
		if factor > 1<<60/10 {
			return nil
		}
		factor *= 10
	}
	if more < 0 {
		return func(v int64) (int64, bool) {
			if exact && v%factor != 0 {
				return 0, false
			}
			return bounded(floorDiv(v, factor))
		}
	}
	return func(v int64) (int64, bool) {
		h, l := bits.Mul64(magnitude(v), uint64(factor))
		switch {
		case h == 0 && l <= uint64(relation.MaxNumber):
			return bounded(v * factor)
		case exact:
			return 0, false
		case v < 0:
			return bounded(relation.MinNumber)
		}
		return bounded(relation.MaxNumber)
	}
}

// moments reads units of a second as microseconds or days.
func moments(per int64, k relation.Kind, bounded func(int64) (int64, bool)) func(int64) (int64, bool) {
	if per < 1 {
		return nil
	}
	return func(v int64) (int64, bool) {
		seconds := floorDiv(v, per)
		if seconds < relation.MinDate*86400 || seconds >= (relation.MaxDate+1)*86400 {
			return 0, false
		}
		if k == relation.Date {
			return bounded(floorDiv(seconds, 86400))
		}
		rest := v - seconds*per // below per
		if per > 1_000_000 {
			rest /= per / 1_000_000
		} else {
			rest *= 1_000_000 / per
		}
		return bounded(seconds*1_000_000 + rest)
	}
}
