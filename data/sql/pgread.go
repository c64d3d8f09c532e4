package sql

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/scrimhq/scrim/data/table"
)

const (
	pgChunk  = 512 << 10 // bytes of COPY's text in a chunk, about
	pgMaxRow = 64 << 20  // bytes of the longest row
)

// pgReader cuts the text that COPY sends into chunks, and reads these. In that text a line end ends a row, always.
type pgReader struct {
	source  *pgSource
	conn    *pgx.Conn
	columns []pgColumn // those selected

	stop   context.CancelFunc // nil: COPY has not begun
	chunks chan []byte
	failed error // why COPY ended; read once chunks is closed
	rows   int64
	sum    hash.Hash
}

// Columns implements [table.Reader].
func (r *pgReader) Columns() []table.Column {
	out := make([]table.Column, len(r.columns))
	for i, c := range r.columns {
		out[i] = c.Column
	}
	return out
}

// Select implements [table.Selector].
func (r *pgReader) Select(names []string) error {
	columns := make([]pgColumn, 0, len(names))
	for _, name := range names {
		i := slices.IndexFunc(r.source.found.columns, func(c pgColumn) bool { return c.Name == name })
		if i < 0 {
			return &table.Error{Table: r.source.name, Column: name, Why: "is not a column of the table"}
		}
		columns = append(columns, r.source.found.columns[i])
	}
	r.columns = columns
	return nil
}

// start begins COPY in a goroutine that Close waits for.
func (r *pgReader) start() error {
	query, err := r.source.found.query(r.columns)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop, r.chunks = stop, make(chan []byte)
	r.sum.Write(heading(r.Columns()))
	go func() {
		defer close(r.chunks)
		w := &pgCutter{ctx: ctx, to: r.chunks}
		_, err := r.conn.PgConn().CopyTo(ctx, w, "COPY ("+query+") TO STDOUT")
		if err == nil {
			err = w.rest()
		}
		switch {
		case w.err != nil:
			r.failed = &table.Error{Table: r.source.name, Why: w.err.Error()}
		case err != nil:
			r.failed = r.source.fault("reading", err)
		}
	}()
	return nil
}

// Next implements [table.Reader].
func (r *pgReader) Next(ctx context.Context) (table.Chunk, error) {
	if r.stop == nil {
		if err := r.start(); err != nil {
			return table.Chunk{}, err
		}
	}
	select {
	case b, ok := <-r.chunks:
		if !ok {
			if r.failed != nil {
				return table.Chunk{}, r.failed
			}
			if err := r.source.ended(r.sum.Sum(nil)); err != nil {
				return table.Chunk{}, err
			}
			return table.Chunk{}, io.EOF
		}
		r.sum.Write(b)
		c := table.Chunk{First: r.rows + 1, Rows: bytes.Count(b, []byte{'\n'}), Bytes: int64(len(b)), Data: b}
		r.rows += int64(c.Rows)
		return c, nil
	case <-ctx.Done():
		return table.Chunk{}, ctx.Err()
	}
}

// Close implements [table.Reader].
func (r *pgReader) Close() error {
	if r.stop != nil {
		r.stop()
		for range r.chunks { // until COPY has ended
		}
	}
	_ = r.conn.Close(context.Background()) // a transaction that only read has nothing to lose
	return nil
}

// pgCutter sends whole rows on, many at a time.
type pgCutter struct {
	ctx context.Context
	to  chan<- []byte
	buf []byte
	err error
}

// Write implements [io.Writer].
func (w *pgCutter) Write(p []byte) (int, error) {
	if w.buf = append(w.buf, p...); len(w.buf) < pgChunk {
		return len(p), nil
	}
	end := bytes.LastIndexByte(w.buf, '\n') + 1
	if end == 0 {
		if len(w.buf) > pgMaxRow {
			w.err = errors.New("a row is longer than 64 MiB")
			return 0, w.err
		}
		return len(p), nil
	}
	b := w.buf[:end:end]
	w.buf = append(make([]byte, 0, pgChunk+pgChunk/8), w.buf[end:]...)
	return len(p), w.send(b)
}

func (w *pgCutter) send(b []byte) error {
	select {
	case w.to <- b:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

func (w *pgCutter) rest() error {
	if len(w.buf) == 0 {
		return nil
	}
	return w.send(w.buf)
}

// Read implements [table.Reader].
func (r *pgReader) Read(_ context.Context, c table.Chunk, b *table.Batch) error {
	text := c.Data.([]byte)
	b.First, b.Rows, b.Width, b.Cells, b.Drop, b.Arena, b.Tape = c.First, 0, len(r.columns), b.Cells[:0], nil, b.Arena[:0], nil
	for len(text) > 0 {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			return r.broken(c.First+int64(b.Rows), "", "the server sent half a row")
		}
		line := text[:end]
		text = text[end+1:]
		for i := range r.columns {
			field, rest, more := bytes.Cut(line, []byte{'\t'})
			if more != (i < len(r.columns)-1) {
				return r.broken(c.First+int64(b.Rows), "", "the server sent another number of columns")
			}
			line = rest
			cell, why := r.cell(i, field, b)
			if why != "" {
				return r.broken(c.First+int64(b.Rows), r.columns[i].Name, why)
			}
			b.Cells = append(b.Cells, cell)
		}
		b.Rows++
	}
	return nil
}

func (r *pgReader) broken(row int64, column, why string) error {
	return &table.Error{Table: r.source.name, Row: row, Column: column, Why: why}
}

func (r *pgReader) cell(i int, field []byte, b *table.Batch) (table.Cell, string) {
	if string(field) == `\N` {
		return table.Cell{}, ""
	}
	if bytes.IndexByte(field, '\\') >= 0 {
		from := len(b.Arena)
		b.Arena = appendUnescaped(b.Arena, field)
		field = b.Arena[from:len(b.Arena):len(b.Arena)]
	}
	return r.columns[i].form(field, b)
}

// appendUnescaped undoes the escapes of COPY's text form.
func appendUnescaped(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			switch c = s[i]; c {
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'v':
				c = '\v'
			}
		}
		dst = append(dst, c)
	}
	return dst
}

// pgForm makes a cell of what the server writes, or says why it cannot.
type pgForm func(text []byte, b *table.Batch) (table.Cell, string)

func pgText(text []byte, _ *table.Batch) (table.Cell, string) {
	return table.Cell{Kind: table.Text, Text: text}, ""
}

func pgNumber(text []byte, _ *table.Batch) (table.Cell, string) {
	if c := text[len(text)-1]; c < '0' || c > '9' { // NaN, Infinity
		return table.Cell{}, "holds a number that is not finite"
	}
	return table.Cell{Kind: table.Number, Text: text}, ""
}

var pgTrue, pgFalse = []byte("true"), []byte("false")

func pgTruth(text []byte, _ *table.Batch) (table.Cell, string) {
	if text[0] == 't' {
		return table.Cell{Kind: table.Bool, Text: pgTrue}, ""
	}
	return table.Cell{Kind: table.Bool, Text: pgFalse}, ""
}

func pgDate(text []byte, _ *table.Batch) (table.Cell, string) {
	if len(text) != len("2006-01-02") || text[0] < '0' || text[0] > '9' {
		return table.Cell{}, "holds a date outside the years 1 to 9999"
	}
	return table.Cell{Kind: table.Text, Text: text}, ""
}

// pgTimestamp turns "2006-01-02 15:04:05.999999+00", with or without zone, into RFC 3339. The session's zone is UTC.
func pgTimestamp(text []byte, b *table.Batch) (table.Cell, string) {
	text = bytes.TrimSuffix(text, []byte("+00"))
	if len(text) < len("2006-01-02 15:04:05") || text[0] < '0' || text[0] > '9' || text[4] != '-' || text[10] != ' ' || bytes.HasSuffix(text, []byte("BC")) {
		return table.Cell{}, "holds a time outside the years 1 to 9999"
	}
	from := len(b.Arena)
	b.Arena = append(b.Arena, text[:10]...)
	b.Arena = append(b.Arena, 'T')
	b.Arena = append(b.Arena, text[11:]...)
	b.Arena = append(b.Arena, 'Z')
	return table.Cell{Kind: table.Text, Text: b.Arena[from:len(b.Arena):len(b.Arena)]}, ""
}

func pgBytes(text []byte, b *table.Batch) (table.Cell, string) {
	digits, ok := bytes.CutPrefix(text, []byte(`\x`))
	if !ok {
		return table.Cell{}, "the server sent bytes in another form than was asked for"
	}
	raw := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(raw, digits); err != nil {
		return table.Cell{}, "the server sent bytes in another form than was asked for"
	}
	from := len(b.Arena)
	b.Arena = base64.StdEncoding.AppendEncode(b.Arena, raw)
	return table.Cell{Kind: table.Text, Text: b.Arena[from:len(b.Arena):len(b.Arena)]}, ""
}
