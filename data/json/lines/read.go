package lines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/data/table/file"
)

// ends finds line ends: JSON has none within a value that is written on one line.
type ends struct{}

// Scan implements [file.Ends].
func (ends) Scan(b []byte, from int) (end, rows int) {
	last := bytes.LastIndexByte(b[from:], '\n')
	if last < 0 {
		return 0, 0
	}
	return from + last + 1, bytes.Count(b[from:], []byte{'\n'})
}

type reader struct {
	name   string
	stream *file.Stream
	cutter *file.Cutter
	shape  *shape
	most   int
	marked bool
	begun  bool

	lenient bool

	late  atomic.Int64 // rows with members that are no column
	first atomic.Int64 // the first of them
}

// Late returns in how many of the rows read so far there were members that no column names, and the first such row. They are in no
// cell and in nothing that is written.
func Late(r table.Reader) (rows, first int64) {
	if l, ok := r.(*reader); ok {
		return l.late.Load(), l.first.Load()
	}
	return 0, 0
}

// tape is what a batch knows of the lines that its rows come from.
type tape struct {
	shape   *shape
	first   int64
	rows    []span
	members []member
	piece   *file.Piece
	guesses [][]guess // by object: what stood at each position in the row before
}

type span struct {
	line    []byte // without its line end
	from    int    // the line's part of members
	to      int
	lineEnd bool
}

// member is a member that a column is or lies within.
type member struct {
	place      *place
	key        int32 // in the line, where its name begins
	start, end int32 // its value
	next       int32 // index in members behind the last one within it
}

type guess struct {
	key   []byte
	place *place
}

func (r *reader) Columns() []table.Column { return r.shape.columns }

func (r *reader) Close() error { return r.stream.Close() }

// Lenient leaves out lines that are no objects of JSON, where they are otherwise errors, but for lines that are too long. It is called
// before the first row is read.
func (r *reader) Lenient() { r.lenient = true }

// Select implements [table.Selector].
func (r *reader) Select(names []string) (err error) {
	if r.begun {
		return &table.Error{Table: r.name, Why: "columns are selected before the first row"}
	}
	s, err := r.shape.only(r.name, names)
	if err == nil {
		r.shape = s
	}
	return err
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
		return table.Chunk{}, r.broken(err, 0)
	}
	return table.Chunk{First: p.First, Rows: p.Rows, Bytes: p.Bytes, Data: p}, nil
}

// broken says why the file cannot be read on. A row is a line.
func (r *reader) broken(err error, row int64) error {
	if e, ok := errors.AsType[*table.Error](err); ok {
		return e
	}
	why := err.Error()
	if errors.Is(err, file.ErrTooLong) {
		why = fmt.Sprintf("is longer than %d bytes", r.most)
	}
	return &table.Error{Table: r.name, Row: row, Line: row, Why: why, Err: err}
}

// each parses the lines of a piece into d, one after the other.
func (r *reader) each(p *file.Piece, d *json.Doc, look func(row int, line []byte, lineEnd bool) error) error {
	limits := json.Limits{Bytes: r.most}
	data := p.Data
	for row := 0; len(data) > 0; row++ {
		n := bytes.IndexByte(data, '\n')
		whole := n >= 0
		at := p.First + int64(row)
		if !whole {
			if n = len(data); p.Fault != nil {
				return r.broken(p.Fault, at)
			}
		}
		line := data[:n:n]
		if data = data[n:]; whole {
			data = data[1:]
		}
		err := d.Parse(line, nil, limits)
		if r.lenient && (err != nil || d.Nodes[0].Kind != json.Object) && !errors.Is(err, json.ErrTooBig) {
			continue
		}
		if err != nil {
			why := why(err)
			if errors.Is(err, json.ErrTooBig) {
				why = fmt.Sprintf("is longer than %d bytes", r.most)
			} else if len(bytes.TrimSpace(line)) == 0 {
				why = "an empty line is no row"
			}
			return &table.Error{Table: r.name, Row: at, Line: at, Why: why}
		}
		if d.Nodes[0].Kind != json.Object {
			return &table.Error{Table: r.name, Row: at, Line: at, Why: "is not an object"}
		}
		if err := look(row, line, whole); err != nil {
			return err
		}
	}
	if p.Fault != nil {
		return r.broken(p.Fault, p.First+int64(bytes.Count(p.Data, []byte{'\n'})))
	}
	return nil
}

// why says what is wrong with a line, and at which byte of it.
func why(err error) string {
	e, ok := errors.AsType[*json.Error](err)
	if !ok {
		return err.Error()
	}
	what := "is not valid JSON"
	switch {
	case errors.Is(e, json.ErrUTF8):
		what = "has text that is not valid Unicode"
	case errors.Is(e, json.ErrDuplicate):
		what = "has a member's name twice in one object"
	case errors.Is(e, json.ErrTooDeep):
		what = "is nested too deep"
	case errors.Is(e, json.ErrTooMany):
		what = "has too many values"
	case errors.Is(e, json.ErrNumber):
		what = "has a number with too many digits"
	}
	return fmt.Sprintf("%s, at byte %d of the line", what, e.Offset+1)
}

func (r *reader) Read(ctx context.Context, c table.Chunk, b *table.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p, ok := c.Data.(*file.Piece)
	if !ok || !p.Take() {
		return &table.Error{Table: r.name, Why: "a chunk is read once"}
	}
	t, ok := b.Tape.(*tape)
	if !ok || t.shape != r.shape {
		t = &tape{shape: r.shape, guesses: make([][]guess, len(r.shape.objects))}
	}
	if t.piece != nil {
		t.piece.Release()
	}
	t.first, t.piece, t.rows, t.members = p.First, p, t.rows[:0], t.members[:0]
	width := len(r.shape.columns)
	b.First, b.Rows, b.Width, b.Cells, b.Drop, b.Arena, b.Tape = p.First, 0, width, b.Cells[:0], nil, b.Arena[:0], t
	d := json.Borrow()
	defer d.Return()
	return r.each(p, d, func(row int, line []byte, lineEnd bool) error {
		base := len(b.Cells)
		b.Cells = slices.Grow(b.Cells, width)[:base+width]
		clear(b.Cells[base:])
		from := len(t.members)
		if t.object(d, 0, r.shape.root, b, base) {
			r.late.Add(1)
			for at := p.First + int64(row); ; {
				was := r.first.Load()
				if was != 0 && was <= at || r.first.CompareAndSwap(was, at) {
					break
				}
			}
		}
		t.rows = append(t.rows, span{line, from, len(t.members), lineEnd})
		b.Rows++
		return nil
	})
}

// object fills cells from the members of an object, and says whether it has others.
func (t *tape) object(d *json.Doc, obj int, at *place, b *table.Batch, base int) (others bool) {
	guesses := t.guesses[at.id]
	i := 0
	for n := obj + 1; n < int(d.Nodes[obj].Next); n = int(d.Nodes[n].Next) {
		node := &d.Nodes[n]
		key := d.Src[node.KeyStart:node.KeyEnd]
		if i == len(guesses) && i < mostGuesses {
			guesses = append(guesses, guess{})
			t.guesses[at.id] = guesses
		}
		var p *place
		switch {
		case i < len(guesses) && bytes.Equal(guesses[i].key, key):
			p = guesses[i].place
		default:
			p = at.find(string(d.Key(n)))
			if i < len(guesses) {
				guesses[i].key, guesses[i].place = append(guesses[i].key[:0], key...), p
			}
		}
		i++
		if p == nil || p.column == withheld || p.column == within && node.Kind != json.Object {
			others = others || p == nil
			continue
		}
		t.members = append(t.members, member{place: p, key: node.KeyStart, start: node.Start, end: node.End})
		m := len(t.members) - 1
		if p.column == within {
			if t.object(d, n, p, b, base) {
				others = true
			}
			guesses = t.guesses[at.id]
		} else {
			fill(&b.Cells[base+p.column], d, n, b)
		}
		t.members[m].next = int32(len(t.members))
	}
	return others
}

// mostGuesses bounds what is remembered of the row before.
const mostGuesses = 256

// fill makes a cell of a value.
func fill(c *table.Cell, d *json.Doc, n int, b *table.Batch) {
	raw := d.Raw(n)
	c.Src, c.Text = raw, raw
	switch d.Nodes[n].Kind {
	case json.Null:
		c.Kind, c.Text = table.Null, nil
	case json.True, json.False:
		c.Kind = table.Bool
	case json.Number:
		c.Kind = table.Number
	case json.String:
		c.Kind = table.Text
		if c.Text = raw[1 : len(raw)-1]; d.Nodes[n].Escaped {
			from := len(b.Arena)
			b.Arena = d.AppendText(b.Arena, n)
			c.Text = b.Arena[from:len(b.Arena):len(b.Arena)]
		}
	default:
		c.Kind = table.Nested
	}
}
