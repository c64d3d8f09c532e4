package files_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/parquet"
	"github.com/scrimhq/scrim/data/sql/files"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/table"
)

// rowsFor is how many rows the table of the benchmarks has, with a tenth as many units: 200,000, or what SCRIM_BENCH_ROWS says (the DP
// table of the benchmarks' page has ten million).
func rowsFor(b *testing.B) int {
	if n, err := strconv.Atoi(os.Getenv("SCRIM_BENCH_ROWS")); err == nil && n > 0 {
		return n
	}
	return 200_000
}

// dpTable writes the table: units, 100 groups, one value, each drawn uniformly.
func dpTable(b *testing.B, rows int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "dp.csv")
	if dir := os.Getenv("SCRIM_BENCH_DIR"); dir != "" {
		path = filepath.Join(dir, fmt.Sprintf("dp-%d.csv", rows))
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	rng := rand.New(rand.NewPCG(1, 1))
	fmt.Fprintln(w, "unit,grp,value")
	for range rows {
		fmt.Fprintf(w, "%d,%d,%d\n", rng.IntN(max(rows/10, 1)), rng.IntN(100), rng.IntN(1000))
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

// asParquet copies the table.
func asParquet(b *testing.B, path string) string {
	b.Helper()
	to := path[:len(path)-len(".csv")] + ".parquet"
	if _, err := os.Stat(to); err == nil {
		return to
	}
	ctx := context.Background()
	src, err := csv.File(path, csv.Options{})
	if err != nil {
		b.Fatal(err)
	}
	r, err := src.Open(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	var cols []table.Column
	for _, c := range r.Columns() {
		cols = append(cols, table.Column{Name: c.Name, Type: table.Integer})
	}
	w, err := parquet.Target(to, parquet.Options{}).Create(ctx, cols, table.Run{Tag: "t"})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	var rows table.Batch
	for {
		c, err := r.Next(ctx)
		if err != nil {
			break
		}
		if err := r.Read(ctx, c, &rows); err != nil {
			b.Fatal(err)
		}
		e, err := w.Encode(&rows)
		if err == nil {
			err = w.Write(ctx, e)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if _, err := w.Finish(ctx); err != nil {
		b.Fatal(err)
	}
	if err := w.Commit(ctx); err != nil {
		b.Fatal(err)
	}
	return to
}

// dpQuestion is count and sum by group. A unit counts in at most so many groups; 0: in all.
func dpQuestion(groups int64) *relation.Bounded {
	return &relation.Bounded{
		In: &relation.Scan{Table: "dp", Fields: []relation.Field{
			{Source: "unit", As: "unit", Type: relation.NumberType(0, 0, 1<<40), Exact: true},
			{Source: "grp", As: "grp", Type: relation.NumberType(0, 0, 99)},
			{Source: "value", As: "value", Type: relation.NumberType(0, 0, 1000)},
		}},
		Unit: []string{"unit"}, Keys: []string{"grp"}, Rows: 4, Groups: groups,
		Sums: []relation.Sum{{Op: relation.Count, High: 4}, {Op: relation.Total, Col: "value", High: 4000}},
	}
}

func BenchmarkBounded(b *testing.B) {
	rows := rowsFor(b)
	path := dpTable(b, rows)
	units := dpQuestion(5)
	units.In.(*relation.Scan).Fields[0] = relation.Field{Source: "unit", As: "unit", Type: relation.TextType}
	// Count and sum by group alone, as if each group were a unit: what bounding is compared with.
	plain := dpQuestion(0)
	plain.In.(*relation.Scan).Fields = plain.In.(*relation.Scan).Fields[1:]
	plain.In.(*relation.Scan).Fields[0].Exact = true
	plain.Unit, plain.Rows = plain.Keys, int64(rows)
	plain.Sums = []relation.Sum{{Op: relation.Count, High: relation.MaxSum}, {Op: relation.Total, Col: "value", High: relation.MaxSum}}
	bins := dpQuestion(5)
	bins.Bins = []relation.Bins{{Col: "value", Width: 1, Count: 1024}}
	for _, c := range []struct {
		name, path string
		q          *relation.Bounded
	}{
		{"csv", path, dpQuestion(5)}, {"csv without a choice of groups", path, dpQuestion(0)}, {"csv, plain GROUP BY", path, plain}, {"csv, units that are text", path, units},
		{"csv, with bins", path, bins}, {"parquet", asParquet(b, path), dpQuestion(5)},
	} {
		b.Run(c.name, func(b *testing.B) {
			e, err := files.New(files.Options{Tables: map[string]files.Table{"dp": {Paths: []string{c.path}}}, Memory: 4 << 30})
			if err != nil {
				b.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				if err := e.Run(b.Context(), c.q, relation.Seed{}, func(relation.Group) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/(1<<20), "MB-alloc/op")
		})
	}
}
