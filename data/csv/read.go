package csv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/data/table/file"
)

type reader struct {
	name    string
	stream  *file.Stream
	cutter  *file.Cutter
	dialect dialect
	most    int
	all     []table.Column
	columns []table.Column // those that are given
	given   []int          // by column: its place in a row, or -1
	begun   bool
	lenient bool
}

// Lenient makes null of cells with bytes that are no text or NUL, and leaves out rows that have other numbers of cells than the header,
// where both are otherwise errors. Quotes where none may stand stay one: nobody knows what they were to enclose. It is called before the
// first row is read.
func (r *reader) Lenient() { r.lenient = true }

// tape is what a batch knows of the file that its rows come from.
type tape struct {
	delimiter byte
	first     int64
	ends      []uint8 // by row: length of its line end
	piece     *file.Piece
}

func (r *reader) Columns() []table.Column { return r.columns }

func (r *reader) Close() error { return r.stream.Close() }

// Select implements [table.Selector].
func (r *reader) Select(names []string) error {
	if r.begun {
		return &table.Error{Table: r.name, Why: "columns are selected before the first row"}
	}
	r.columns, r.given = nil, make([]int, len(r.all))
	for i := range r.given {
		r.given[i] = -1
	}
	for _, name := range names {
		at := slices.IndexFunc(r.all, func(c table.Column) bool { return c.Name == name })
		if at < 0 || r.given[at] >= 0 {
			return &table.Error{Table: r.name, Column: name, Why: "is not a column of the table, or is named twice"}
		}
		r.given[at] = len(r.columns)
		r.columns = append(r.columns, r.all[at])
	}
	return nil
}

func (r *reader) Next(ctx context.Context) (table.Chunk, error) {
	if err := ctx.Err(); err != nil {
		return table.Chunk{}, err
	}
	r.begun = true
	p, err := r.cutter.Next()
	if err == io.EOF {
		return table.Chunk{}, err
	}
	if err != nil {
		return table.Chunk{}, r.broken(err, 0, 0)
	}
	return table.Chunk{First: p.First, Rows: p.Rows, Bytes: p.Bytes, Data: p}, nil
}

// broken says why the file cannot be read on.
func (r *reader) broken(err error, row, line int64) error {
	if e, ok := errors.AsType[*table.Error](err); ok {
		return e
	}
	why := err.Error()
	switch {
	case errors.Is(err, file.ErrTooLong):
		why = tooLong(r.most)
	case errors.Is(err, file.ErrEncoding):
		why = wrongText
	}
	return &table.Error{Table: r.name, Row: row, Line: line, Why: why, Err: err}
}

func tooLong(most int) string { return fmt.Sprintf("is longer than %d bytes", most) }

func (r *reader) Read(ctx context.Context, c table.Chunk, b *table.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p, ok := c.Data.(*file.Piece)
	if !ok || !p.Take() {
		return &table.Error{Table: r.name, Why: "a chunk is read once"}
	}
	t, ok := b.Tape.(*tape)
	if !ok {
		t = new(tape)
	}
	if t.piece != nil {
		t.piece.Release()
	}
	*t = tape{delimiter: r.dialect.delimiter, first: p.First, ends: t.ends[:0], piece: p}
	b.First, b.Rows, b.Width, b.Cells, b.Drop, b.Arena, b.Tape = p.First, 0, len(r.columns), b.Cells[:0], nil, b.Arena[:0], t
	if len(p.Data) == 0 && p.Fault != nil {
		return r.broken(p.Fault, p.First, p.Line)
	}
	return r.rows(p, t, b)
}

// wrong returns the index of the first byte of b that is no text, or one behind its end.
func wrong(b []byte) int {
	at := len(b) + 1
	if i := bytes.IndexByte(b, 0); i >= 0 {
		at = i
	}
	if utf8.Valid(b) {
		return at
	}
	for i := 0; i < at && i < len(b); {
		c, size := utf8.DecodeRune(b[i:])
		if c == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return at
}

// rows reads all rows of a piece.
func (r *reader) rows(p *file.Piece, t *tape, b *table.Batch) error {
	ps := parser{data: p.Data, delimiter: r.dialect.delimiter, bad: wrong(p.Data)}
	doubtful := r.lenient && ps.bad < len(p.Data)
	if doubtful {
		ps.bad = len(p.Data) + 1
	}
	width := len(r.columns)
	for ps.at < len(p.Data) {
		start := ps.at
		base := len(b.Cells)
		b.Cells = slices.Grow(b.Cells, width)[:base+width]
		col := 0
		for last := false; !last; col++ {
			f, end, why := ps.field()
			if p.Fault != nil && (why == "" && end && ps.end == 0 || why != "" && ps.cutShort) {
				return r.cut(p, b, start, col)
			}
			if why != "" {
				return r.fail(p, b, ps.fault, col, why)
			}
			last = end
			if col >= len(r.given) || r.given[col] < 0 {
				continue
			}
			cell := &b.Cells[base+r.given[col]]
			cell.Src = f.src
			switch {
			case !f.quoted && len(f.src) == 0:
				cell.Kind, cell.Text = table.Null, nil
			case !f.doubled:
				cell.Kind, cell.Text = table.Text, f.text(nil)
			default:
				from := len(b.Arena)
				b.Arena = undouble(b.Arena, f.src[1:len(f.src)-1])
				cell.Kind, cell.Text = table.Text, b.Arena[from:len(b.Arena):len(b.Arena)]
			}
			if doubtful && wrong(cell.Text) < len(cell.Text) {
				*cell = table.Cell{}
			}
		}
		if size := ps.at - start - int(ps.end); size > r.most {
			return r.fail(p, b, start, len(r.given), tooLong(r.most))
		}
		if col != len(r.given) && r.lenient {
			b.Cells = b.Cells[:base]
			continue
		}
		if col != len(r.given) {
			why := fmt.Sprintf("has %s, the header has %d", cells(col), len(r.given))
			return r.fail(p, b, start, len(r.given), why)
		}
		t.ends = append(t.ends, ps.end)
		b.Rows++
	}
	if p.Fault != nil {
		return r.broken(p.Fault, b.First+int64(b.Rows), p.Line+int64(count(p.Data, '\n')))
	}
	return nil
}

func cells(n int) string {
	if n == 1 {
		return "1 cell"
	}
	return fmt.Sprintf("%d cells", n)
}

// fail says what is wrong at a place in a piece. Col is behind the last column if it is wrong with the row.
func (r *reader) fail(p *file.Piece, b *table.Batch, at, col int, why string) error {
	e := &table.Error{Table: r.name, Row: b.First + int64(b.Rows), Line: p.Line + int64(count(p.Data[:at], '\n')), Why: why}
	if col < len(r.all) {
		e.Column = r.all[col].Name
	}
	return e
}

// cut says why the file ends within a row.
func (r *reader) cut(p *file.Piece, b *table.Batch, start, col int) error {
	err := r.broken(p.Fault, b.First+int64(b.Rows), p.Line+int64(count(p.Data[:start], '\n')))
	if e, ok := err.(*table.Error); ok && errors.Is(p.Fault, file.ErrEncoding) && col < len(r.all) {
		e.Line, e.Column = p.Line+int64(count(p.Data, '\n')), r.all[col].Name
	}
	return err
}
