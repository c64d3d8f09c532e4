package lines_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/scrimhq/scrim/data/json/lines"
	"github.com/scrimhq/scrim/data/table"
)

// Example copies two columns, one of them further down, and leaves everything else out.
func Example() {
	dir, err := os.MkdirTemp("", "lines")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	in, out := filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "out.jsonl")
	os.WriteFile(in, []byte(`{"id": 1, "who": {"name": "Jane", "city": "Rome"}, "note": "private"}`+"\n"), 0o600)

	src, err := lines.File(in, lines.Options{Columns: []string{"id", "/who/city"}, Sample: -1})
	if err != nil {
		panic(err)
	}
	defer src.Close()
	r, err := src.Open(ctx)
	if err != nil {
		panic(err)
	}
	defer r.Close()
	w, err := lines.Target(out, lines.Options{}).Create(ctx, r.Columns(), table.Run{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	if err := table.Copy(ctx, r, w, nil, table.Options{}); err != nil {
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
	// Output: {"id": 1, "who": { "city": "Rome"}}
}
