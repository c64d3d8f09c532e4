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

// inFiles puts a database into files, CSV or JSON lines, two a table.
func inFiles(t *testing.T, db querytest.Database, asLines bool) relation.Engine {
	t.Helper()
	o := files.Options{Tables: map[string]files.Table{}}
	for _, table := range db {
		dir := t.TempDir()
		for half := range 2 {
			rows := table.Rows[len(table.Rows)*half/2 : len(table.Rows)*(half+1)/2]
			name, b := "part%d.csv", csvOf(table, rows)
			if asLines {
				name, b = "part%d.jsonl", linesOf(t, table, rows)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf(name, half)), []byte(b), 0o600); err != nil {
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
	for round := range rounds(2, 60) {
		rng := rand.New(rand.NewPCG(uint64(round), 4))
		db := querytest.Random(rng, d, querytest.Options{})
		with, want := inFiles(t, db, round%2 == 1), db.Engine()
		without := inFiles(t, db.Neighbours(rng, 1)[0], round%2 == 1)
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
