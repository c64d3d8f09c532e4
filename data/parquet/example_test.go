package parquet_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/scrimhq/scrim/data/parquet"
	"github.com/scrimhq/scrim/data/table"
)

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx, path := context.Background(), filepath.Join(dir, "patients.parquet")

	w, err := parquet.Target(path, parquet.Options{}).Create(ctx, []table.Column{{Name: "zip", Type: table.String}, {Name: "age", Type: table.Integer}}, table.Run{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	rows := &table.Batch{First: 1, Rows: 1, Width: 2, Cells: []table.Cell{{Kind: table.Text, Text: []byte("02139")}, {Kind: table.Number, Text: []byte("41")}}}
	encoded, err := w.Encode(rows)
	if err == nil {
		err = w.Write(ctx, encoded)
	}
	if err == nil {
		_, err = w.Finish(ctx)
	}
	if err == nil {
		err = w.Commit(ctx) // before this there is no file of that name
	}
	if err != nil {
		panic(err)
	}

	src, err := parquet.File(path)
	if err != nil {
		panic(err)
	}
	defer src.Close()
	r, err := src.Open(ctx)
	if err != nil {
		panic(err)
	}
	defer r.Close()
	err = table.Each(ctx, r, func(_ int, b *table.Batch) error {
		for i := range b.Rows {
			fmt.Printf("%s %s\n", b.Row(i)[0].Text, b.Row(i)[1].Text)
		}
		return nil
	}, table.Options{})
	if err != nil {
		panic(err)
	}
	// Output: 02139 41
}
