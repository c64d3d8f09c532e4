package csv_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/table"
)

// Example masks a column and publishes the result.
func Example() {
	dir, err := os.MkdirTemp("", "csv")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	in, out := filepath.Join(dir, "in.csv"), filepath.Join(dir, "out.csv")
	os.WriteFile(in, []byte("name;city\nJane Roe;\"Berlin\"\nJohn Doe;Rome\n"), 0o600)

	src, err := csv.File(in, csv.Options{})
	if err != nil {
		panic(err)
	}
	defer src.Close()
	r, err := src.Open(ctx)
	if err != nil {
		panic(err)
	}
	defer r.Close()
	w, err := csv.Target(out, csv.Options{}).Create(ctx, r.Columns(), table.Run{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	err = table.Copy(ctx, r, w, func(b *table.Batch) error {
		for i := range b.Rows {
			b.Row(i)[0] = table.Cell{Kind: table.Text, Text: []byte("*")}
		}
		return nil
	}, table.Options{})
	if err != nil {
		panic(err)
	}
	if _, err := w.Finish(ctx); err != nil {
		panic(err)
	}
	if err := w.Commit(ctx); err != nil {
		panic(err)
	}
	got, _ := os.ReadFile(out)
	fmt.Print(string(got))
	// Output:
	// name;city
	// *;"Berlin"
	// *;Rome
}
