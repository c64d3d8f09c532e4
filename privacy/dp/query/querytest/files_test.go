package querytest_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/sql/files"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query/querytest"
)

// inFiles puts a database into files, CSV, JSON lines or Parquet, two a table.
func inFiles(t *testing.T, db querytest.Database, format files.Format) relation.Engine {
	t.Helper()
	o := files.Options{Tables: map[string]files.Table{}}
	for _, table := range db {
		dir := t.TempDir()
		for half := range 2 {
			rows := table.Rows[len(table.Rows)*half/2 : len(table.Rows)*(half+1)/2]
			path := filepath.Join(dir, fmt.Sprint("part", half))
			var err error
			switch format {
			case files.CSV:
				err = os.WriteFile(path+".csv", []byte(csvOf(table, rows)), 0o600)
			case files.Lines:
				err = os.WriteFile(path+".jsonl", []byte(linesOf(t, table, rows)), 0o600)
			case files.Parquet:
				err = writeParquet(t, path+".parquet", table.Columns, rows)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		o.Tables[table.Source] = files.Table{Paths: []string{filepath.Join(dir, "part*")}}
	}
	e, err := files.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func csvOf(table *querytest.Table, rows [][]any) string {
	cell := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	var b strings.Builder
	for i, c := range table.Columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(cell(querytest.Name(c)))
	}
	for _, row := range rows {
		b.WriteByte('\n')
		for i, c := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			if c != nil {
				b.WriteString(cell(fmt.Sprint(c)))
			}
		}
	}
	return b.String() + "\n"
}

func linesOf(t *testing.T, table *querytest.Table, rows [][]any) string {
	t.Helper()
	var b strings.Builder
	for _, row := range rows {
		m := map[string]any{}
		for i, c := range row {
			m[querytest.Name(table.Columns[i])] = c
		}
		line, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}

// TestQuestionsOverFiles holds the engine over files to both: it computes what the reference computes, and one unit moves it no more than
// declared.
func TestQuestionsOverFiles(t *testing.T) {
	d := clinic()
	moved, questions := 0, 30
	for round := range rounds(3, 20) {
		rng := rand.New(rand.NewPCG(uint64(round), 4))
		format := []files.Format{files.CSV, files.Lines, files.Parquet}[round%3]
		db := querytest.Random(rng, d, querytest.Options{Typed: format == files.Parquet})
		with, want := inFiles(t, db, format), db.Engine()
		without := inFiles(t, db.Neighbours(rng, 1)[0], format)
		for _, p := range plans(t, rng, d, questions) {
			a, err := querytest.Run(t.Context(), with, p, seed)
			if err != nil {
				t.Fatal(err)
			}
			b, err := querytest.Run(t.Context(), want, p, seed)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(a, b) {
				t.Errorf("round %d: over files\n%v, want\n%v\n%s", round, a, b, p.Canonical())
			}
			m, found := querytest.Audit(t.Context(), p, seed, with, without)
			if len(found) > 0 {
				t.Errorf("round %d: %s\n%s", round, strings.Join(found, "; "), p.Canonical())
			}
			if m.Groups > 0 {
				moved++
			}
		}
	}
	if moved < questions/4 {
		t.Errorf("%d questions saw a difference: this shows nothing", moved)
	}
}
