package files_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/parquet"
	"github.com/scrimhq/scrim/data/sql/files"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
	"github.com/scrimhq/scrim/data/table"
)

// TestSameAsReference compares with relation.Evaluate on random tables and trees, the tables being in files of each format.
func TestSameAsReference(t *testing.T) {
	n := 60
	if os.Getenv("SCRIM_LONG") != "" {
		n = 1000
	}
	groups, chosen := 0, 0
	for i := range n {
		rng := rand.New(rand.NewPCG(11, uint64(i)))
		tables := relationtest.Random(rng, 1+rng.IntN(60))
		q := relationtest.Question(rng, tables)
		seed := relation.Seed{byte(i), 9}
		want, err := relation.Evaluate(t.Context(), q, seed, tables.Open(), nil)
		if err != nil {
			t.Fatal(err)
		}
		free := *q
		free.Groups = 0
		if all, _ := relation.Evaluate(t.Context(), &free, seed, tables.Open(), nil); !reflect.DeepEqual(all, want) {
			chosen++
		}
		o := files.Options{Tables: write(t, tables, files.Format(1+i%3), 1+rng.IntN(3)), Workers: 1 + rng.IntN(3)}
		got := run(t, o, q, seed)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: Run() =\n%v, want\n%v", i, got, want)
		}
		groups += len(want)
	}
	if groups < 2*n || chosen < n/10 {
		t.Errorf("%d groups, and units had to choose in %d questions: the questions try too little", groups, chosen)
	}
}

// run is the groups of a question in the order of Encode.
func run(t *testing.T, o files.Options, q *relation.Bounded, seed relation.Seed) []relation.Group {
	t.Helper()
	e, err := files.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var out []relation.Group
	if err := e.Run(t.Context(), q, seed, func(g relation.Group) error { out = append(out, g); return nil }); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(out, func(a, b relation.Group) int {
		return strings.Compare(string(relation.Encode(nil, a.Keys...)), string(relation.Encode(nil, b.Keys...)))
	})
	return out
}

// write puts tables into files of a format, each into so many.
func write(t *testing.T, tables relationtest.Tables, f files.Format, each int) map[string]files.Table {
	t.Helper()
	out := map[string]files.Table{}
	for i := range tables {
		dir := t.TempDir()
		for k := range each {
			part := tables[i]
			part.Rows = part.Rows[len(part.Rows)*k/each : len(part.Rows)*(k+1)/each]
			path := filepath.Join(dir, fmt.Sprintf("part-%d", k))
			var err error
			switch f {
			case files.CSV:
				err = writeCSV(path+".csv", &part)
			case files.Lines:
				err = writeLines(path+".jsonl", &part)
			case files.Parquet:
				err = writeParquet(path+".parquet", &part)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		out[tables[i].Name] = files.Table{Paths: []string{filepath.Join(dir, "part-*")}}
	}
	return out
}

func writeCSV(path string, tb *relationtest.Table) error {
	var b strings.Builder
	for i, f := range tb.Fields {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(f.Source)
	}
	b.WriteByte('\n')
	for _, row := range tb.Rows {
		for i, c := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			switch c := c.(type) {
			case nil:
			case string:
				b.WriteString(`"` + strings.ReplaceAll(c, `"`, `""`) + `"`)
			default:
				fmt.Fprint(&b, c)
			}
		}
		b.WriteByte('\n')
	}
	if _, err := csv.NewReader(strings.NewReader(b.String())).ReadAll(); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

func writeLines(path string, tb *relationtest.Table) error {
	var b strings.Builder
	for n, row := range tb.Rows {
		m := map[string]any{}
		for i, f := range tb.Fields {
			if row[i] != nil || n%2 == 0 { // what is not there is as what is null
				m[f.Source] = row[i]
			}
			if s, ok := row[i].(string); ok && f.Type.Kind == relation.Number && n%3 == 0 {
				m[f.Source] = json.Number(s)
			}
		}
		if n%5 == 0 {
			m["more"] = []int{1}
		}
		line, err := json.Marshal(m)
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

func writeParquet(path string, tb *relationtest.Table) error {
	ctx := context.Background()
	var cols []table.Column
	for _, f := range tb.Fields {
		c := table.Column{Name: f.Source, Type: table.String}
		switch f.Type.Kind {
		case relation.Number:
			if c.Type = table.Integer; f.Type.Places > 0 {
				c.Type = table.Float
			}
		case relation.Truth:
			c.Type = table.Truth
		case relation.Date:
			c.Type = table.Date
		case relation.Time:
			c.Type = table.Timestamp
		}
		cols = append(cols, c)
	}
	w, err := parquet.Target(path, parquet.Options{}).Create(ctx, cols, table.Run{Tag: "t"})
	if err != nil {
		return err
	}
	b := table.Batch{First: 1, Width: len(cols)}
	for _, row := range tb.Rows {
		b.Rows++
		for i, c := range row {
			cell := table.Cell{}
			if c != nil {
				cell = table.Cell{Kind: table.Text, Text: fmt.Append(nil, c)}
				switch {
				case cols[i].Type == table.Integer || cols[i].Type == table.Float:
					cell.Kind = table.Number
				case cols[i].Type == table.Truth:
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
	if err := w.Write(ctx, e); err != nil {
		return err
	}
	if _, err := w.Finish(ctx); err != nil {
		return err
	}
	if err := w.Commit(ctx); err != nil {
		return err
	}
	return w.Close()
}
