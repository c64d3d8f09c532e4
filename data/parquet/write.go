package parquet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"reflect"
	"slices"
	"sync"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/scrimhq/scrim/data/table"
	tablefile "github.com/scrimhq/scrim/data/table/file"
)

type target struct {
	path string
	o    Options
}

func (t *target) Name() string { return t.path }

func (t *target) Discard(context.Context) error { return tablefile.Discard(t.path) }

func (t *target) Create(_ context.Context, columns []table.Column, run table.Run) (table.Writer, error) {
	if len(columns) == 0 {
		return nil, &table.Error{Table: t.path, Why: "a Parquet file has one column at least"}
	}
	w := &writer{path: t.path, codec: t.o.Codec, columns: make([]target1, len(columns))}
	for i, c := range columns {
		w.columns[i].Column = c
	}
	var err error
	if w.out, err = tablefile.Create(t.path, columns, run); err != nil {
		return nil, err
	}
	if w.out.Bytes() == 0 {
		err = w.out.Write([]byte(magic), 0)
	} else {
		err = w.resume()
	}
	if err != nil {
		w.out.Close()
		return nil, err
	}
	return w, nil
}

// writer appends row groups to a file. Each checkpoint ends with a footer of all row groups so far, which makes what stands there a
// whole file, and is how a run that resumes knows them; later row groups follow behind it, and the last footer counts.
type writer struct {
	path    string
	codec   Codec
	out     *tablefile.Partial
	columns []target1
	groups  []format.RowGroup
	rows    int64 // in the groups
	covered bool  // by a footer

	once   sync.Once // the schema is settled with the first use
	schema *pq.Schema
	like   *reader

	pending  []pq.Row
	counted  int64 // rows given that the pending ones stand for
	held     int   // bytes
	elements []format.SchemaElement
	orders   []format.ColumnOrder
	failed   error
}

const (
	groupRows  = 128 << 10
	groupBytes = 32 << 20
)

// Like implements [table.Liker]: scales of decimals and units of times are those of a Parquet source's columns of the same names.
func (w *writer) Like(r table.Reader) { w.like, _ = r.(*reader) }

func (w *writer) settle() {
	w.once.Do(func() {
		fields := pq.Group{}
		names := make([]string, len(w.columns))
		for i := range w.columns {
			c := &w.columns[i]
			c.settle(w.like)
			names[i] = c.Name
			fields[c.Name] = pq.Compressed(c.node(), w.compression())
		}
		w.schema = pq.NewSchema("schema", ordered{fields, names})
	})
}

func (w *writer) compression() compress.Codec {
	switch w.codec {
	case Snappy:
		return &pq.Snappy
	case Uncompressed:
		return &pq.Uncompressed
	}
	return &pq.Zstd
}

// ordered is a group whose fields keep the table's order.
type ordered struct {
	pq.Group
	names []string
}

func (o ordered) Fields() []pq.Field {
	fields := o.Group.Fields()
	slices.SortFunc(fields, func(a, b pq.Field) int {
		return slices.Index(o.names, a.Name()) - slices.Index(o.names, b.Name())
	})
	return fields
}

func (o ordered) GoType() reflect.Type { return o.Group.GoType() }

func (w *writer) Rows() int64 { return w.out.Rows() }

// encoded is rows as values of their columns' types, and about how many bytes they take.
type encoded struct {
	rows []pq.Row
	size int
}

func (w *writer) Encode(b *table.Batch) (table.Encoded, error) {
	w.settle()
	e := encoded{rows: make([]pq.Row, 0, b.Rows)}
	all := make([]pq.Value, 0, b.Rows*b.Width)
	for i := range b.Rows {
		if b.Drop != nil && b.Drop[i] {
			continue
		}
		at := len(all)
		for j, cell := range b.Row(i) {
			v, err := w.columns[j].value(cell)
			if err != nil {
				return table.Encoded{}, &table.Error{Table: w.path, Row: b.First + int64(i), Column: w.columns[j].Name, Why: err.Error()}
			}
			level := 0
			if !v.IsNull() && !w.columns[j].Required {
				level = 1
			}
			e.size += 24 + len(cell.Text)
			all = append(all, v.Level(0, level, j))
		}
		e.rows = append(e.rows, all[at:len(all):len(all)])
	}
	return table.Encoded{First: b.First, Rows: b.Rows, Data: e}, nil
}

func (w *writer) Write(_ context.Context, e table.Encoded) error {
	data := e.Data.(encoded)
	w.pending = append(w.pending, data.rows...)
	w.counted += int64(e.Rows)
	w.held += data.size
	if len(w.pending) < groupRows && w.held < groupBytes {
		return nil
	}
	return w.flush()
}

// flush writes the pending rows as a row group.
func (w *writer) flush() (err error) {
	if w.failed != nil {
		return w.failed
	}
	defer func() { w.failed = err }()
	w.settle()
	if len(w.pending) == 0 && (w.elements != nil || len(w.groups) > 0) {
		if w.counted > 0 {
			err = w.out.Write(nil, w.counted)
			w.counted = 0
		}
		return err
	}
	var b bytes.Buffer
	one := pq.NewWriter(&b, append(w.options(), w.schema)...)
	if _, err := one.WriteRows(w.pending); err != nil {
		return w.wrong(err)
	}
	if err := one.Close(); err != nil {
		return w.wrong(err)
	}
	whole := b.Bytes()
	meta, err := footer(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		return w.wrong(err)
	}
	w.elements, w.orders = meta.Schema, meta.ColumnOrders
	if len(w.pending) > 0 {
		end := w.adopt(meta)
		if err := w.out.Write(whole[len(magic):end], w.counted); err != nil {
			return err
		}
		w.covered = false
	} else if err := w.out.Write(nil, w.counted); err != nil {
		return err
	}
	clear(w.pending)
	w.pending, w.counted, w.held = w.pending[:0], 0, 0
	return nil
}

// options leave out least and greatest texts: they would stand in the footer at full length.
func (w *writer) options() []pq.WriterOption {
	o := []pq.WriterOption{pq.DataPageVersion(1), pq.CreatedBy("scrim", "1", "")}
	for i := range w.columns {
		switch c := &w.columns[i]; c.Type {
		case table.Integer, table.Float, table.Truth, table.Date, table.Timestamp:
		default:
			o = append(o, pq.SkipPageBounds(c.Name), pq.SkipPageStatistics(c.Name))
		}
	}
	return o
}

func (w *writer) wrong(err error) error {
	return &table.Error{Table: w.path, Why: "writing a row group: " + err.Error(), Err: err}
}

// adopt takes over the row groups of a file whose columns will lie at the end of ours, and returns where they end in it. Indexes of
// pages are left behind: they are for readers that look for single rows.
func (w *writer) adopt(meta *format.FileMetaData) (end int64) {
	move := w.out.Bytes() - int64(len(magic))
	for _, g := range meta.RowGroups {
		g.Ordinal = int16(len(w.groups))
		g.FileOffset += move
		for i := range g.Columns {
			c := &g.Columns[i]
			first := c.MetaData.DataPageOffset
			if d := c.MetaData.DictionaryPageOffset; d > 0 {
				first = min(first, d)
				c.MetaData.DictionaryPageOffset += move
			}
			end = max(end, first+c.MetaData.TotalCompressedSize)
			c.MetaData.DataPageOffset += move
			c.FileOffset = 0
			c.OffsetIndexOffset, c.OffsetIndexLength, c.ColumnIndexOffset, c.ColumnIndexLength = 0, 0, 0, 0
			c.MetaData.BloomFilterOffset, c.MetaData.BloomFilterLength = 0, 0
		}
		w.rows += g.NumRows
		w.groups = append(w.groups, g)
	}
	return end
}

// cover writes a footer for all row groups.
func (w *writer) cover() error {
	if err := w.flush(); err != nil || w.covered {
		return err
	}
	meta := &format.FileMetaData{Version: 1, Schema: w.elements, NumRows: w.rows, RowGroups: w.groups, CreatedBy: "scrim", ColumnOrders: w.orders}
	b, err := thrift.Marshal(new(thrift.CompactProtocol), meta)
	if err != nil {
		return w.wrong(err)
	}
	if len(b) > mostFooter {
		return w.wrong(errors.New("there are too many row groups"))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(b)))
	if err := w.out.Write(append(b, magic...), 0); err != nil {
		return err
	}
	w.covered = true
	return nil
}

func (w *writer) Checkpoint(context.Context) error {
	if err := w.cover(); err != nil {
		return err
	}
	return w.out.Checkpoint()
}

func (w *writer) Finish(context.Context) (string, error) {
	if err := w.cover(); err != nil {
		return "", err
	}
	return w.out.Finish()
}

func (w *writer) Commit(context.Context) error { return w.out.Commit() }

func (w *writer) Close() error { return w.out.Close() }

// resume takes the row groups from the last footer.
func (w *writer) resume() error {
	f, err := os.Open(w.path + tablefile.Passing)
	if err != nil {
		return tablefile.Fail(w.path, "resuming", err)
	}
	defer f.Close()
	if w.out.Bytes() == int64(len(magic)) {
		return nil
	}
	meta, err := footer(f, w.out.Bytes())
	if err != nil {
		return &table.Error{Table: w.path + tablefile.Passing, Why: err.Error(), Err: table.ErrPartial}
	}
	w.groups, w.rows, w.elements, w.orders, w.covered = meta.RowGroups, meta.NumRows, meta.Schema, meta.ColumnOrders, true
	old, _, err := columnsOf(meta)
	if err != nil || len(old) != len(w.columns) {
		return &table.Error{Table: w.path + tablefile.Passing, Why: "was begun with other columns", Err: table.ErrPartial}
	}
	for i := range old {
		w.columns[i].old = &old[i]
	}
	return nil
}
