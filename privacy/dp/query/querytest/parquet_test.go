package querytest_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/data/parquet"
	"github.com/scrimhq/scrim/data/sql/files"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/privacy/dp/query"
	"github.com/scrimhq/scrim/privacy/dp/query/querytest"
)

// parquetFiles puts a database into Parquet files, each table in one and each column of its kind.
func parquetFiles(t *testing.T, db querytest.Database) relation.Engine {
	t.Helper()
	tables := map[string]files.Table{}
	for _, tb := range db {
		path := filepath.Join(t.TempDir(), "rows.parquet")
		if err := writeParquet(t, path, tb.Columns, tb.Rows); err != nil {
			t.Fatal(err)
		}
		tables[tb.Source] = files.Table{Paths: []string{path}}
	}
	return fileEngine(t, tables)
}

// writeParquet writes rows whose cells are of their columns' kinds. Numbers with places are floats.
func writeParquet(t *testing.T, path string, columns []query.Column, rows [][]any) error {
	t.Helper()
	var cols []table.Column
	for _, c := range columns {
		kind := map[relation.Kind]table.Type{
			relation.Number: table.Integer, relation.Text: table.String, relation.Truth: table.Truth, relation.Date: table.Date, relation.Time: table.Timestamp,
		}[c.Type.Kind]
		if c.Type.Kind == relation.Number && c.Type.Places > 0 {
			kind = table.Float
		}
		cols = append(cols, table.Column{Name: querytest.Name(c), Type: kind})
	}
	w, err := parquet.Target(path, parquet.Options{}).Create(t.Context(), cols, table.Run{Tag: "t"})
	if err != nil {
		return err
	}
	defer w.Close()
	b := table.Batch{First: 1, Width: len(cols), Rows: len(rows)}
	for _, row := range rows {
		for i, v := range row {
			cell := table.Cell{}
			if v != nil {
				cell = table.Cell{Kind: table.Text, Text: fmt.Append(nil, v)}
				switch cols[i].Type {
				case table.Integer, table.Float:
					cell.Kind = table.Number
				case table.Truth:
					cell.Kind = table.Bool
				}
			}
			b.Cells = append(b.Cells, cell)
		}
	}
	e, err := w.Encode(&b)
	if err != nil {
		return err
	}
	if err := w.Write(t.Context(), e); err != nil {
		return err
	}
	if _, err := w.Finish(t.Context()); err != nil {
		return err
	}
	return w.Commit(t.Context())
}
