package parquet

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/scrimhq/scrim/data/table"
)

const (
	magic      = "PAR1"
	mostFooter = 32 << 20
)

// column is a column of the file that is one of the table, or says why it cannot be.
type column struct {
	table.Column
	leaf   int // its place in a row group; for a list that of its first leaf
	kind   format.Type
	length int // of FIXED_LEN_BYTE_ARRAY
	levels int // highest definition level: 0 if there are no nulls
	show   show
	whole  Whole
	why    string // "" unless it is refused

	unsigned         bool            // of INT32
	scale, precision int             // of decimals
	unit             format.TimeUnit // of timestamps
}

// footer reads and checks the metadata at the end of the first size bytes of a file.
func footer(r io.ReaderAt, size int64) (*format.FileMetaData, error) {
	var tail [8]byte
	if size < 12 {
		return nil, fmt.Errorf("is no Parquet file")
	}
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return nil, fmt.Errorf("reading its footer: %w", err)
	}
	if string(tail[4:]) != magic {
		if string(tail[4:]) == "PARE" {
			return nil, fmt.Errorf("is encrypted")
		}
		return nil, fmt.Errorf("is no Parquet file, or not a whole one")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:4]))
	if n > size-12 || n > mostFooter {
		return nil, fmt.Errorf("is damaged: its footer says it is longer than it can be")
	}
	b := make([]byte, n)
	if _, err := r.ReadAt(b, size-8-n); err != nil {
		return nil, fmt.Errorf("reading its footer: %w", err)
	}
	meta := new(format.FileMetaData)
	if _, err := unmarshal(b, meta); err != nil {
		return nil, err
	}
	return meta, nil
}

// walker goes through the schema, whose tree is spelled depth first.
type walker struct {
	rest    []format.SchemaElement
	leaf    int
	columns []column
}

// columnsOf returns the columns of a file, structs flattened as a/b. Lists and maps are one column each, which says why not.
func columnsOf(meta *format.FileMetaData) ([]column, int, error) {
	if len(meta.Schema) == 0 {
		return nil, 0, fmt.Errorf("is damaged: it has no schema")
	}
	w := walker{rest: meta.Schema[1:]}
	for range meta.Schema[0].NumChildren.V {
		if err := w.node("", 0, "", 0); err != nil {
			return nil, 0, err
		}
	}
	if len(w.rest) > 0 {
		return nil, 0, fmt.Errorf("is damaged: its schema has more than its tree")
	}
	seen := map[string]bool{}
	for _, c := range w.columns {
		if seen[c.Name] {
			return nil, 0, fmt.Errorf("has two columns of the same name")
		}
		seen[c.Name] = true
	}
	return w.columns, w.leaf, nil
}

// node takes one element and all below it. In is the list that it lies in, or "".
func (w *walker) node(path string, levels int, in string, depth int) error {
	if len(w.rest) == 0 || depth > 64 {
		return fmt.Errorf("is damaged: its schema is no tree")
	}
	el := &w.rest[0]
	w.rest = w.rest[1:]
	name := el.Name
	if path != "" {
		name = path + "/" + name
	}
	c := column{leaf: w.leaf}
	c.Name = name
	switch el.RepetitionType.V {
	case format.Required:
	case format.Optional:
		levels++
	default:
		c.why = "is a list"
	}
	if c.why == "" && isList(el) {
		c.why = "is a list or a map"
	}
	if c.why != "" && in == "" {
		c.why += ", and a table has one value in a cell: leave the column out"
		w.columns = append(w.columns, c)
		in = name
	}
	if el.Type.Valid {
		w.leaf++
		if in == "" {
			c.kind, c.length, c.levels = el.Type.V, int(el.TypeLength.V), levels
			c.Required = levels == 0
			c.typed(el)
			w.columns = append(w.columns, c)
		}
		return nil
	}
	for range el.NumChildren.V {
		if err := w.node(name, levels, in, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func isList(el *format.SchemaElement) bool {
	switch el.LogicalType.Value.(type) {
	case *format.ListType, *format.MapType:
		return true
	}
	c := el.ConvertedType
	return c.Valid && (c.V == deprecated.List || c.V == deprecated.Map || c.V == deprecated.MapKeyValue)
}
