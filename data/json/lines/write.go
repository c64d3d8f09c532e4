package lines

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/data/table/file"
)

type target struct {
	path string
	o    Options
}

// Target returns the file of that name as the place where a table goes as JSON lines. It must not be there yet.
func Target(path string, o Options) table.Target { return &target{path, o} }

func (t *target) Name() string { return t.path }

func (t *target) Discard(context.Context) error { return file.Discard(t.path) }

func (t *target) Create(ctx context.Context, columns []table.Column, run table.Run) (table.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if strings.HasSuffix(t.path, ".gz") {
		return nil, &table.Error{Table: t.path, Why: "compressed files are read and not written"}
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	s, err := newShape(t.path, names)
	if err != nil {
		return nil, err
	}
	out, err := file.Create(t.path, columns, run)
	if err != nil {
		return nil, err
	}
	w := &writer{Writer: file.Writer{Out: out}, name: t.path, shape: s}
	w.Begin = w.begin
	return w, nil
}

type writer struct {
	file.Writer
	name   string
	shape  *shape
	mark   bool
	same   atomic.Pointer[same]
	blocks sync.Pool // of *[]byte
}

// same says which places of a reader's shape are which of the writer's.
type same struct {
	of      *shape
	columns []*place // by the reader's column; nil: not written
	objects []*place // by the reader's object
}

// Like implements [table.Liker].
func (w *writer) Like(r table.Reader) {
	src, ok := r.(*reader)
	w.mark = ok && src.marked
}

// match finds the places of a reader's shape.
func (w *writer) match(of *shape) *same {
	if s := w.same.Load(); s != nil && s.of == of {
		return s
	}
	s := &same{of: of, columns: make([]*place, len(of.columns)), objects: make([]*place, len(of.objects))}
	for i, path := range of.paths {
		if p := w.shape.at(path); p != nil && p.column >= 0 {
			s.columns[i] = p
		}
	}
	var walk func(from, to *place)
	walk = func(from, to *place) {
		s.objects[from.id] = to
		for _, k := range from.kids {
			if k.column != within {
				continue
			}
			if p := to.find(k.name); p != nil && p.column == within {
				walk(k, p)
			}
		}
	}
	walk(of.root, w.shape.root)
	w.same.Store(s)
	return s
}

func (w *writer) Encode(b *table.Batch) (table.Encoded, error) {
	e := table.Encoded{First: b.First, Rows: b.Rows}
	if b.Rows > 0 && b.Width != len(w.shape.columns) {
		return e, &table.Error{Table: w.name, Row: b.First, Why: "a batch has not the columns of the table"}
	}
	block, ok := w.blocks.Get().(*[]byte)
	if !ok {
		block = new([]byte)
	}
	x := encoder{out: (*block)[:0], seen: make([]int, len(w.shape.columns)), objects: make([]int, len(w.shape.objects))}
	t, _ := b.Tape.(*tape)
	if b.Plain {
		t = nil
	}
	if t != nil {
		x.same = w.match(t.shape)
	}
	for i := range b.Rows {
		if b.Drop != nil && b.Drop[i] {
			continue
		}
		x.cells = b.Row(i)
		x.row++
		if t == nil {
			x.made(w.shape.root)
			x.out = append(x.out, '\n')
		} else {
			s := &t.rows[b.First+int64(i)-t.first]
			x.spliced(s, t.members, w.shape.root)
			if s.lineEnd {
				x.out = append(x.out, '\n')
			}
		}
		if x.why != "" {
			return e, &table.Error{Table: w.name, Row: b.First + int64(i), Column: w.shape.columns[x.column].Name, Why: x.why}
		}
	}
	*block = x.out
	e.Data = block
	return e, nil
}

func (w *writer) Write(ctx context.Context, e table.Encoded) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	block, ok := e.Data.(*[]byte)
	if !ok {
		return &table.Error{Table: w.name, Why: "rows were not encoded for JSON lines"}
	}
	if err := w.begin(); err != nil {
		return err
	}
	err := w.Out.Write(*block, int64(e.Rows))
	w.blocks.Put(block)
	return err
}

// begin writes the source's byte order mark, if it has one and nothing is written yet.
func (w *writer) begin() error {
	if !w.mark || w.Out.Bytes() > 0 {
		return nil
	}
	w.mark = false
	return w.Out.Write(file.UTF8.Mark(), 0)
}
