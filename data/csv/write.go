package csv

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/data/table/file"
)

type target struct {
	path string
	o    Options
}

// Target returns the CSV file of that name as the place where a table goes. It must not be there yet.
func Target(path string, o Options) table.Target { return &target{path, o} }

func (t *target) Name() string { return t.path }

func (t *target) Discard(context.Context) error { return file.Discard(t.path) }

func (t *target) Create(ctx context.Context, columns []table.Column, run table.Run) (table.Writer, error) {
	encoding, err := t.o.check(t.path)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(t.path, ".gz") {
		return nil, &table.Error{Table: t.path, Why: "compressed files are read and not written"}
	}
	w := &writer{name: t.path, o: t.o, columns: columns, encoding: encoding, eol: []byte("\n")}
	if encoding == nil {
		w.encoding = file.UTF8
		if t.o.Encoding != "" {
			w.encoding, _ = file.Named("utf-16le")
			w.mark = true
		}
	}
	if w.delimiter = t.o.Delimiter; w.delimiter == 0 {
		w.delimiter = ','
		if strings.HasSuffix(t.path, ".tsv") {
			w.delimiter = '\t'
		}
	}
	if _, err := w.header(); err != nil {
		return nil, err
	}
	if w.Out, err = file.Create(t.path, columns, run); err != nil {
		return nil, err
	}
	w.Begin = w.begin
	return w, nil
}

type writer struct {
	file.Writer
	name     string
	o        Options
	columns  []table.Column
	encoding *file.Encoding

	// Set by Create and Like.
	delimiter byte
	eol       []byte
	mark      bool
	bare      bool // the header has no line end

	blocks sync.Pool // of *[]byte
}

// Like implements [table.Liker].
func (w *writer) Like(r table.Reader) {
	src, ok := r.(*reader)
	if !ok {
		return
	}
	if w.o.Delimiter == 0 {
		w.delimiter = src.dialect.delimiter
	}
	if src.dialect.crlf {
		w.eol = []byte("\r\n")
	}
	w.bare = src.dialect.bare
	w.mark = w.mark || src.dialect.marked && w.encoding == file.UTF8
}

func (w *writer) fail(row int64, col int, why string) error {
	return &table.Error{Table: w.name, Row: row, Column: w.columns[col].Name, Why: why}
}

// header returns the first row, with the file's mark.
func (w *writer) header() ([]byte, error) {
	var b []byte
	if len(w.columns) == 0 {
		return nil, &table.Error{Table: w.name, Why: "has no columns"}
	}
	for i, c := range w.columns {
		switch {
		case c.Name == "":
			return nil, &table.Error{Table: w.name, Why: "a column has no name"}
		case !utf8.ValidString(c.Name) || strings.IndexByte(c.Name, 0) >= 0:
			return nil, &table.Error{Table: w.name, Why: "a column's name is not valid text"}
		}
		if i > 0 {
			b = append(b, w.delimiter)
		}
		// A name with another delimiter in it could be taken for two when the file is looked at, one with a mark for a mark.
		if strings.ContainsAny(c.Name, delimiters+"\"\r\n") || strings.HasPrefix(c.Name, "\ufeff") {
			b = appendQuoted(b, []byte(c.Name))
		} else {
			b = append(b, c.Name...)
		}
	}
	if !w.bare {
		b = append(b, w.eol...)
	}
	var out []byte
	if w.mark || w.o.Encoding != "" && w.encoding.Name[:3] == "utf" && w.encoding != file.UTF8 {
		out = append(out, w.encoding.Mark()...)
	}
	out, ok := w.encoding.Append(out, b)
	if !ok {
		return nil, &table.Error{Table: w.name, Why: "a column's name has letters that the file's encoding does not have"}
	}
	return out, nil
}

func (w *writer) Encode(b *table.Batch) (table.Encoded, error) {
	e := table.Encoded{First: b.First, Rows: b.Rows}
	if b.Rows > 0 && b.Width != len(w.columns) {
		return e, &table.Error{Table: w.name, Row: b.First, Why: "a batch has not the columns of the table"}
	}
	block, ok := w.blocks.Get().(*[]byte)
	if !ok {
		block = new([]byte)
	}
	t, _ := b.Tape.(*tape)
	if t != nil && (b.Plain || t.delimiter != w.delimiter) {
		t = nil
	}
	out := (*block)[:0]
	for i := range b.Rows {
		if b.Drop != nil && b.Drop[i] {
			continue
		}
		var err error
		start := len(out)
		if out, err = w.row(out, b.Row(i), t != nil, b.First+int64(i)); err != nil {
			return e, err
		}
		eol := w.eol
		if t != nil {
			switch end := t.ends[b.First+int64(i)-t.first]; {
			case end == 1:
				eol = eolLF
			case end == 2:
				eol = eolCRLF
			case len(out) > start: // without a line end an empty row would be none
				eol = nil
			}
		}
		out, _ = w.encoding.Append(out, eol)
	}
	*block = out
	e.Data = block
	return e, nil
}

var eolLF, eolCRLF = []byte("\n"), []byte("\r\n")

// row appends one row without its end. As says that Src is spelled as this writer would.
func (w *writer) row(out []byte, cells []table.Cell, as bool, row int64) ([]byte, error) {
	for c := range cells {
		if c > 0 {
			if w.encoding == file.UTF8 {
				out = append(out, w.delimiter)
			} else {
				out, _ = w.encoding.Append(out, []byte{w.delimiter})
			}
		}
		cell := &cells[c]
		if as && cell.Src != nil && w.encoding == file.UTF8 && !w.o.Guard {
			out = append(out, cell.Src...)
			continue
		}
		if cell.Kind == table.Null {
			continue
		}
		var why string
		if out, why = w.cell(out, cell, as); why != "" {
			return nil, w.fail(row, c, why)
		}
	}
	return out, nil
}

// cell appends a cell that is not null.
func (w *writer) cell(out []byte, cell *table.Cell, as bool) ([]byte, string) {
	guarded := w.o.Guard && cell.Kind == table.Text && formula(cell.Text)
	src := cell.Src
	switch {
	case as && src != nil && !guarded:
	default:
		if !utf8.Valid(cell.Text) || bytes.IndexByte(cell.Text, 0) >= 0 {
			return out, "is not text that a CSV file can hold"
		}
		src = nil
	}
	if w.encoding == file.UTF8 {
		if src != nil {
			return append(out, src...), ""
		}
		return w.spell(out, cell.Text, guarded), ""
	}
	if src == nil {
		src = w.spell(nil, cell.Text, guarded)
	}
	out, ok := w.encoding.Append(out, src)
	if !ok {
		return out, "has letters that the file's encoding does not have"
	}
	return out, ""
}

// spell appends a text as a cell, in quotes if it must be.
func (w *writer) spell(out, text []byte, guarded bool) []byte {
	if guarded {
		text = append([]byte{'\''}, text...)
	}
	if len(text) == 0 || plain(text, 0, uint64(w.delimiter)*ones) < len(text) || bytes.HasPrefix(text, file.UTF8.Mark()) {
		return appendQuoted(out, text)
	}
	return append(out, text...)
}

func appendQuoted(out, text []byte) []byte {
	out = append(out, '"')
	for {
		q := bytes.IndexByte(text, '"')
		if q < 0 {
			break
		}
		out = append(append(out, text[:q+1]...), '"')
		text = text[q+1:]
	}
	return append(append(out, text...), '"')
}

func (w *writer) Write(ctx context.Context, e table.Encoded) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	block, ok := e.Data.(*[]byte)
	if !ok {
		return &table.Error{Table: w.name, Why: "rows were not encoded for a CSV file"}
	}
	if err := w.begin(); err != nil {
		return err
	}
	if w.bare && len(*block) > 0 {
		w.bare = false
		if err := w.Out.Write(w.eol, 0); err != nil {
			return err
		}
	}
	err := w.Out.Write(*block, int64(e.Rows))
	w.blocks.Put(block)
	return err
}

// begin writes the header, if nothing is written yet.
func (w *writer) begin() error {
	if w.Out.Bytes() > 0 {
		return nil
	}
	b, err := w.header()
	if err != nil {
		return err
	}
	return w.Out.Write(b, 0)
}
