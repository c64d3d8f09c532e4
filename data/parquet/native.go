package parquet

import (
	"context"
	"errors"

	"github.com/parquet-go/parquet-go/format"

	"github.com/scrimhq/scrim/data/table"
)

// Whole says what the whole numbers of a column mean. The zero value is of a column that has none.
type Whole struct {
	Kind   WholeKind
	Places int   // of Scaled: decimal places
	Per    int64 // of Moments: units of a second
}

// WholeKind is what a whole number stands for.
type WholeKind uint8

// The kinds.
const (
	None    WholeKind = iota
	Scaled            // a number
	Days              // since 1970-01-01
	Moments           // since 1970-01-01T00:00:00, UTC where the file says nothing else
	Flag              // 0 or 1
)

// Columns is a reader of this package that gives columns one by one, and whole numbers as such, without text between.
type Columns struct{ r *reader }

// ByColumn is the reader by columns, if it is one of this package's. It is used instead of [table.Reader.Read].
func ByColumn(r table.Reader) (Columns, bool) {
	own, ok := r.(*reader)
	return Columns{own}, ok
}

// Lenient makes values that their column's type does not allow null, where they are otherwise an error: text that is no UTF-8, a day or
// time beyond the calendar. It is called before the first row is read.
func (r *reader) Lenient() { r.lenient = true }

// Whole says what the numbers of a column are, by its place in [table.Reader.Columns].
func (c Columns) Whole(column int) Whole { return c.r.columns[column].whole }

// Numbers reads a column of whole numbers. Both slices are as long as the chunk has rows, and null is false; some says that it no
// longer is everywhere. It may be called by many goroutines at once.
func (c Columns) Numbers(ctx context.Context, chunk table.Chunk, column int, to []int64, null []bool) (some bool, err error) {
	r := c.r
	if err := ctx.Err(); err != nil {
		return false, err
	}
	p, col := chunk.Data.(piece), &r.columns[column]
	if col.whole.Kind == None || len(to) != chunk.Rows || len(null) != chunk.Rows {
		return false, errors.New("parquet: a column that holds no whole numbers, or not so many")
	}
	row, err := r.each(p, column, int64(chunk.Rows), func(pg *page, from, done int64) (int64, error) {
		n, nulls, err := r.numbers(p.g, column, pg, from, to[done:], null[done:])
		some = some || nulls
		return n, err
	})
	if err != nil {
		return false, r.fail(chunk.First+row, col, err)
	}
	return some, nil
}

// Cells fills a batch of one cell a row with a column. It may be called by many goroutines at once, each with its own batch.
func (c Columns) Cells(ctx context.Context, chunk table.Chunk, column int, b *table.Batch) error {
	r := c.r
	if err := ctx.Err(); err != nil {
		return err
	}
	b.First, b.Rows, b.Width, b.Drop, b.Tape = chunk.First, chunk.Rows, 1, nil, nil
	if cap(b.Cells) < chunk.Rows {
		b.Cells = make([]table.Cell, chunk.Rows)
	}
	b.Cells = b.Cells[:chunk.Rows]
	text := arena{b: b.Arena[:0]}
	row, err := r.column(chunk.Data.(piece), column, b, 0, &text)
	b.Arena = text.b
	if err != nil {
		return r.fail(chunk.First+row, &r.columns[column], err)
	}
	return nil
}

// number is a value as a whole number.
func (c *column) number(v raw) int64 {
	switch {
	case c.kind != format.Int32:
		return int64(v.n)
	case c.unsigned:
		return int64(uint32(v.n))
	}
	return int64(int32(v.n))
}

// numbers takes whole numbers from one page, from row `from` of its group on, and returns how many.
func (r *reader) numbers(g *group, i int, p *page, from int64, to []int64, null []bool) (n int64, some bool, err error) {
	c := &r.columns[i]
	o, err := r.openingAt(g, i, p, from)
	if err != nil {
		return 0, false, err
	}
	var entries []int64
	if o.indexed {
		if entries, err = r.numberEntries(g, i); err != nil {
			return 0, false, err
		}
	}
	rows, most := min(p.first+p.values-from, int64(len(to))), uint64(c.levels)
	for ; n < rows; n++ {
		if c.levels > 0 {
			l, err := o.def.next()
			if err != nil || l.n > most {
				return n, some, errPage
			}
			if l.n < most {
				to[n], null[n], some = 0, true, true
				continue
			}
		}
		v, err := o.values.next()
		if err != nil {
			return n, some, err
		}
		if !o.indexed {
			to[n] = c.number(v)
			continue
		}
		if v.n >= uint64(len(entries)) {
			return n, some, errPage
		}
		to[n] = entries[v.n]
	}
	return n, some, nil
}

// numberEntries is the dictionary of a column of whole numbers, which is read once.
func (r *reader) numberEntries(g *group, i int) ([]int64, error) {
	d, c := &g.dicts[i], &r.columns[i]
	if d.page == nil {
		return nil, errPage
	}
	d.onceNumbers.Do(func() {
		d.errNumbers = r.eachEntry(c, d.page, g.codec[i], func(v raw) error {
			d.numbers = append(d.numbers, c.number(v))
			return nil
		})
	})
	return d.numbers, d.errNumbers
}
