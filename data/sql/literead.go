package sql

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/table"
)

const (
	liteRows  = 2000      // in a chunk, at most
	liteChunk = 512 << 10 // bytes of a chunk, about
)

// liteReader takes rows from the one cursor; there is little left to do when a chunk is read.
type liteReader struct {
	source  *liteSource
	columns []table.Column // those selected

	rows *sql.Rows
	stop context.CancelFunc
	at   int64
	sum  hash.Hash
}

// Columns implements [table.Reader].
func (r *liteReader) Columns() []table.Column { return r.columns }

// Select implements [table.Selector].
func (r *liteReader) Select(names []string) error {
	columns := make([]table.Column, 0, len(names))
	for _, name := range names {
		i := slices.IndexFunc(r.source.columns, func(c table.Column) bool { return c.Name == name })
		if i < 0 {
			return &table.Error{Table: r.source.name, Column: name, Why: "is not a column of the table"}
		}
		columns = append(columns, r.source.columns[i])
	}
	r.columns = columns
	return nil
}

// start runs the query. The sign before each name keeps the driver from making times of what is declared a date.
func (r *liteReader) start() error {
	var list []string
	for _, c := range r.columns {
		list = append(list, "+"+quoteName(c.Name))
	}
	if len(list) == 0 {
		return &table.Error{Table: r.source.name, Why: "has no columns to read"}
	}
	r.sum.Write(heading(r.columns))
	ctx, stop := context.WithCancel(context.Background()) // the query outlives the call that starts it
	rows, err := r.source.conn.QueryContext(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+quoteName(r.source.table)+" ORDER BY "+r.source.order)
	if err != nil {
		stop()
		return r.source.fault("reading", err)
	}
	r.rows, r.stop = rows, stop
	return nil
}

// piece is the rows of a chunk.
type piece struct {
	cells []table.Cell
	rows  int
}

// Next implements [table.Reader].
func (r *liteReader) Next(ctx context.Context) (table.Chunk, error) {
	if err := ctx.Err(); err != nil {
		return table.Chunk{}, err
	}
	if r.rows == nil {
		if err := r.start(); err != nil {
			return table.Chunk{}, err
		}
	}
	values, into := make([]any, len(r.columns)), make([]any, len(r.columns))
	for i := range values {
		into[i] = &values[i]
	}
	var p piece
	var arena []byte
	for p.rows < liteRows && len(arena) < liteChunk && r.rows.Next() {
		if err := r.rows.Scan(into...); err != nil {
			return table.Chunk{}, r.source.fault("reading", err)
		}
		p.rows++
		for i, v := range values {
			from := len(arena)
			kind, text, why := liteCell(arena, v, r.columns[i].Type)
			if why != "" {
				return table.Chunk{}, &table.Error{Table: r.source.name, Row: r.at + int64(p.rows), Column: r.columns[i].Name, Why: why}
			}
			arena = text
			p.cells = append(p.cells, table.Cell{Kind: kind, Text: arena[from:len(arena):len(arena)]})
		}
	}
	if err := r.rows.Err(); err != nil {
		return table.Chunk{}, r.source.fault("reading", err)
	}
	if p.rows == 0 {
		r.source.ended(r.sum.Sum(nil))
		return table.Chunk{}, io.EOF
	}
	digestCells(r.sum, p.cells)
	c := table.Chunk{First: r.at + 1, Rows: p.rows, Bytes: int64(len(arena)), Data: p}
	r.at += int64(p.rows)
	return c, nil
}

// digestCells adds cells to a digest so that no two lists of cells are alike in it.
func digestCells(sum hash.Hash, cells []table.Cell) {
	var head [9]byte
	for _, c := range cells {
		head[0] = byte(c.Kind)
		binary.BigEndian.PutUint64(head[1:], uint64(len(c.Text)))
		sum.Write(head[:])
		sum.Write(c.Text)
	}
}

// liteCell appends what a value is to the arena, or says why it is none.
func liteCell(arena []byte, v any, t table.Type) (table.Kind, []byte, string) {
	switch v := v.(type) {
	case nil:
		return table.Null, arena, ""
	case int64:
		if t == table.Truth {
			return table.Bool, strconv.AppendBool(arena, v == 1), ""
		}
		return table.Number, strconv.AppendInt(arena, v, 10), ""
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return 0, nil, "holds a number that is not finite"
		}
		return table.Number, strconv.AppendFloat(arena, v, 'g', -1, 64), ""
	case string:
		if !utf8.ValidString(v) {
			return 0, nil, "holds bytes that are no UTF-8"
		}
		return table.Text, append(arena, v...), ""
	case []byte:
		return table.Text, base64.StdEncoding.AppendEncode(arena, v), ""
	}
	return 0, nil, "holds something that is no value"
}

// Read implements [table.Reader].
func (r *liteReader) Read(_ context.Context, c table.Chunk, b *table.Batch) error {
	p := c.Data.(piece)
	b.First, b.Rows, b.Width, b.Drop, b.Arena, b.Tape = c.First, p.rows, len(r.columns), nil, b.Arena[:0], nil
	b.Cells = append(b.Cells[:0], p.cells...)
	return nil
}

// Close implements [table.Reader].
func (r *liteReader) Close() error {
	if r.rows != nil {
		r.stop()
		_ = r.rows.Close()
	}
	r.source.mu.Lock()
	defer r.source.mu.Unlock()
	r.source.reading = false
	return nil
}
