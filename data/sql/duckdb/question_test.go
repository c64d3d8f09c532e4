package duckdb_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/sql/dialect"
	"github.com/scrimhq/scrim/data/sql/process"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
)

var questionSeed = relation.Seed{1, 2, 3, 31: 7}

// stored puts tables into a database file, of typed columns or of text, and opens it twice: for the engine, and for the hashes.
func stored(t *testing.T, tables relationtest.Tables, typed bool) (*process.Engine, *sql.DB) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.duckdb")
	db, err := sql.Open("duckdb", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		columns := make([]string, len(table.Fields))
		for i, f := range table.Fields {
			typ := map[relation.Kind]string{relation.Number: "BIGINT", relation.Text: "VARCHAR", relation.Truth: "BOOLEAN", relation.Date: "DATE", relation.Time: "TIMESTAMP"}[f.Type.Kind]
			switch {
			case !typed && !f.Exact:
				typ = "VARCHAR"
			case f.Type.Places > 0:
				typ = "DECIMAL(18,3)"
			}
			columns[i] = f.Source + " " + typ
		}
		statements := []string{"CREATE TABLE " + table.Name + " (" + strings.Join(columns, ", ") + ")"}
		for _, row := range table.Rows {
			cells := make([]string, len(row))
			for i, c := range row {
				if cells[i] = "NULL"; c != nil {
					cells[i] = "'" + strings.ReplaceAll(fmt.Sprint(c), "'", "''") + "'"
				}
			}
			statements = append(statements, "INSERT INTO "+table.Name+" VALUES ("+strings.Join(cells, ", ")+")")
		}
		if _, err := db.Exec(strings.Join(statements, ";\n")); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	hashes, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hashes.Close() })
	return open(t, process.Options{Database: path}), hashes
}

// ownRanks has DuckDB compute its own hashes, value by value.
type ownRanks struct {
	t    *testing.T
	db   *sql.DB
	seen map[string]string
}

func (r ownRanks) rank(unit, group, cell []relation.Value) []byte {
	d := dialect.DuckDB()
	hashed := func(of []relation.Value) (out []dialect.Hashed) {
		for _, v := range of {
			literal := d.Number(v.Int)
			switch {
			case v.Null:
				literal = d.Null(v.Kind)
			case v.Kind == relation.Text:
				literal = d.Text(v.Text)
			case v.Kind == relation.Truth:
				literal = d.Truth(v.Int == 1)
			}
			out = append(out, dialect.Hashed{SQL: literal, Kind: v.Kind})
		}
		return out
	}
	words := dialect.Seeds(questionSeed)
	text := d.Hash([]string{d.Number(words[0]), d.Number(words[1])}, hashed(unit), hashed(group), hashed(cell))
	if r.seen[text] == "" {
		var h string
		if err := r.db.QueryRow("SELECT CAST(" + text + " AS VARCHAR)").Scan(&h); err != nil {
			r.t.Fatal(err)
		}
		r.seen[text] = fmt.Sprintf("%020s", h)
	}
	return []byte(r.seen[text])
}

func (r ownRanks) Group(unit, group []relation.Value) []byte { return r.rank(unit, group, nil) }

func (r ownRanks) Bin(unit, group []relation.Value, cell int, number int64) []byte {
	return r.rank(unit, group, []relation.Value{{Int: int64(cell)}, {Int: number}})
}

// TestQuestionsEqualTheReference compares random questions over random tables with relation.Evaluate; where groups and rows are chosen, by DuckDB's
// own hashes.
func TestQuestionsEqualTheReference(t *testing.T) {
	for round := range 2 {
		rng := rand.New(rand.NewPCG(uint64(round), 3))
		tables := relationtest.Random(rng, 40)
		e, hashes := stored(t, tables, round%2 == 0)
		ranks := ownRanks{t, hashes, map[string]string{}}
		for range 12 {
			q := relationtest.Question(rng, tables)
			want, err := relation.Evaluate(t.Context(), q, questionSeed, tables.Open(), ranks)
			if err != nil {
				t.Fatal(err)
			}
			var got []relation.Group
			err = e.Run(context.Background(), q, questionSeed, func(g relation.Group) error { got = append(got, g); return nil })
			if err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(got, func(a, b relation.Group) int {
				return strings.Compare(string(relation.Encode(nil, a.Keys...)), string(relation.Encode(nil, b.Keys...)))
			})
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("round %d:\n got %v\nwant %v", round, got, want)
			}
		}
	}
}
