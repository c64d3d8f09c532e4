package querytest_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/scrimhq/scrim/data/sql/files"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// BenchmarkQuestion compares a whole question over a CSV file, from its text to its answer, with the GROUP BY that bounds
// contributions alone. SCRIM_BENCH_ROWS says how many rows, a tenth as many units; 100 groups; SCRIM_BENCH_DIR keeps the file.
func BenchmarkQuestion(b *testing.B) {
	rows, err := strconv.Atoi(os.Getenv("SCRIM_BENCH_ROWS"))
	if err != nil {
		rows = 200_000
	}
	dir := os.Getenv("SCRIM_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	path := filepath.Join(dir, fmt.Sprintf("dp-%d.csv", rows))
	if _, err := os.Stat(path); err != nil {
		f, err := os.Create(path)
		if err != nil {
			b.Fatal(err)
		}
		w, rng := bufio.NewWriter(f), rand.New(rand.NewPCG(1, 1))
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
	}
	var groups []relation.Value
	for i := range int64(100) {
		groups = append(groups, relation.Value{Kind: relation.Number, Int: i})
	}
	d := &query.Dataset{Name: "dp", Unit: "person", Formal: true, Limits: query.Limits{Rows: 4, MostRows: 10, Groups: 5, MostGroups: 100, MostCells: 1000},
		Tables: []query.Table{{Name: "dp", Source: "dp", Unit: []string{"unit"}, Columns: []query.Column{
			{Name: "unit", Type: relation.Widest(relation.Number, 0)}, {Name: "grp", Type: relation.NumberType(0, 0, 99), Bounded: true, Values: groups},
			{Name: "value", Type: relation.NumberType(0, 0, 1000), Bounded: true}}}}}
	q := query.Question{Dataset: "dp", SQL: "SELECT grp, count(*) AS n, sum(value) AS s FROM dp GROUP BY grp"}
	e, err := files.New(files.Options{Tables: map[string]files.Table{"dp": {Paths: []string{path}}}})
	if err != nil {
		b.Fatal(err)
	}
	p, err := query.Compile(d, q)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("bounded GROUP BY", func(b *testing.B) {
		for b.Loop() {
			if err := e.Run(b.Context(), &p.Relation, seed, func(relation.Group) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("whole question", func(b *testing.B) {
		for b.Loop() {
			p, err := query.Compile(d, q)
			if err != nil {
				b.Fatal(err)
			}
			pr, err := p.Price(query.Terms{Epsilon: 1_000_000_000})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := pr.Answer(b.Context(), e, seed, noise.NewSource()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
