package duckdb_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/process"
	"github.com/scrimhq/scrim/data/sql/relation"
)

// dpTable is 10 million rows of 1 million units in 100 groups with one value, as Parquet.
func dpTable(b *testing.B, rows int) string {
	path := b.TempDir() + "/dp.parquet"
	prepare(b, fmt.Sprintf("COPY (SELECT (hash(i*2+1) %% %d)::BIGINT AS u, (hash(i*3+7) %% 100)::BIGINT AS g, (hash(i*5+11) %% 1000)::BIGINT AS v FROM range(%d) t(i)) TO '%s' (FORMAT parquet)", rows/10, rows, path))
	return path
}

// The relation SELECT g, count(*), sum(v) GROUP BY g, a unit counting with 5 rows in one group and in 3 groups at most.
func dpQuestion() *relation.Bounded {
	return &relation.Bounded{
		In: &relation.Scan{Table: "t", Fields: []relation.Field{
			{Source: "u", As: "u", Type: relation.NumberType(0, 0, 1<<40), Exact: true}, {Source: "g", As: "g", Type: relation.NumberType(0, 0, 99)},
			{Source: "v", As: "v", Type: relation.NumberType(0, 0, 1000)}}},
		Unit: []string{"u"}, Keys: []string{"g"}, Rows: 5, Groups: 3,
		Sums: []relation.Sum{{Op: relation.Count, High: 5}, {Op: relation.Total, Col: "v", High: 5000}},
	}
}

// BenchmarkDPTable: bounded is end to end, from the question to its groups; plain is a statement by hand that clamps for each unit and group, and bounds
// no groups; unbounded groups and nothing else.
func BenchmarkDPTable(b *testing.B) {
	const rows = 10_000_000
	o := process.Options{Tables: []process.Table{{Name: "t", Format: process.Parquet, Files: []string{dpTable(b, rows)}}}}
	e := open(b, o)
	statement := func(text string) func() int {
		return func() int {
			n := 0
			err := e.Ask(context.Background(), process.Statement{SQL: text, Columns: []relation.Kind{number, number, number}}, func([]relation.Value) error { n++; return nil })
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	for name, run := range map[string]func() int{
		"bounded": func() int {
			n := 0
			if err := e.Run(context.Background(), dpQuestion(), seed, func(relation.Group) error { n++; return nil }); err != nil {
				b.Fatal(err)
			}
			return n
		},
		"plain":     statement(`SELECT g, sum(c), sum(s) FROM (SELECT g, least(count(*), 5) AS c, greatest(least(sum(v), 5000), 0)::BIGINT AS s FROM t GROUP BY u, g) GROUP BY g`),
		"unbounded": statement(`SELECT g, count(*), sum(v) FROM t GROUP BY g`),
	} {
		b.Run(name, func(b *testing.B) {
			start := time.Now()
			for b.Loop() {
				if n := run(); n != 100 {
					b.Fatalf("%d groups", n)
				}
			}
			b.ReportMetric(time.Since(start).Seconds()/float64(b.N), "s/op")
		})
	}
}

// BenchmarkSmall is what a question takes that computes next to nothing: a database that is opened, and thrown away.
func BenchmarkSmall(b *testing.B) {
	e := open(b, process.Options{Tables: []process.Table{{Name: "t", Format: process.Parquet, Files: []string{dpTable(b, 1000)}}}})
	for b.Loop() {
		if err := e.Run(context.Background(), dpQuestion(), seed, func(relation.Group) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
