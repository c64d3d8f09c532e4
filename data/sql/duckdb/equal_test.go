package duckdb_test

import (
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/sql/dialect"
	"github.com/scrimhq/scrim/data/sql/process"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
)

var seed = relation.Seed{1, 2, 3, 5: 9, 31: 7}

func rounds(short, long int) int {
	if os.Getenv("SCRIM_LONG") == "1" {
		return long
	}
	return short
}

// sources writes tables as a database, Parquet, CSV and JSON lines.
func sources(t testing.TB, tables relationtest.Tables) map[string]process.Options {
	t.Helper()
	dir := t.TempDir()
	statements := []string{"ATTACH '" + dir + "/data.duckdb' AS d"}
	out := map[string]process.Options{"database": {Database: dir + "/data.duckdb"}}
	add := func(format process.Format, table relationtest.Table, path string) {
		o := out[string(format)]
		x := process.Table{Name: table.Name, Format: format, Files: []string{path}}
		for _, f := range table.Fields {
			x.Columns = append(x.Columns, f.Source)
		}
		o.Tables = append(o.Tables, x)
		out[string(format)] = o
	}
	for _, table := range tables {
		statements = append(statements, create(table), "COPY d."+table.Name+" TO '"+dir+"/"+table.Name+".parquet' (FORMAT parquet)")
		add(process.Parquet, table, dir+"/"+table.Name+".parquet")
		add(process.CSV, table, dir+"/"+table.Name+".csv")
		add(process.JSON, table, dir+"/"+table.Name+".jsonl")
		writeText(t, dir+"/"+table.Name, table)
	}
	prepare(t, append(statements, "DETACH d")...)
	return out
}

func create(table relationtest.Table) string {
	var columns, rows []string
	for _, f := range table.Fields {
		typ := map[relation.Kind]string{relation.Number: "BIGINT", relation.Text: "VARCHAR", relation.Truth: "BOOLEAN", relation.Date: "DATE", relation.Time: "TIMESTAMP"}[f.Type.Kind]
		if f.Type.Places > 0 {
			typ = "DECIMAL(18,5)"
		}
		columns = append(columns, f.Source+" "+typ)
	}
	for _, row := range table.Rows {
		cells := make([]string, len(row))
		for i, c := range row {
			if cells[i] = "NULL"; c != nil {
				cells[i] = "'" + strings.ReplaceAll(fmt.Sprint(c), "'", "''") + "'"
			}
		}
		rows = append(rows, "("+strings.Join(cells, ", ")+")")
	}
	return "CREATE TABLE d." + table.Name + " (" + strings.Join(columns, ", ") + "); INSERT INTO d." + table.Name + " VALUES " + strings.Join(rows, ", ")
}

func writeText(t testing.TB, path string, table relationtest.Table) {
	t.Helper()
	var lines, jsons strings.Builder
	w := csv.NewWriter(&lines)
	header := make([]string, len(table.Fields))
	for i, f := range table.Fields {
		header[i] = f.Source
	}
	_ = w.Write(header)
	for _, row := range table.Rows {
		cells, object := make([]string, len(row)), map[string]any{}
		for i, c := range row {
			if c != nil {
				cells[i], object[header[i]] = fmt.Sprint(c), c
			}
		}
		_ = w.Write(cells)
		b, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		jsons.Write(append(b, '\n'))
	}
	w.Flush()
	write(t, path+".csv", lines.String())
	write(t, path+".jsonl", jsons.String())
}

// ranks has DuckDB compute its own hashes, value by value.
type ranks struct {
	t    testing.TB
	db   *sql.DB
	seen map[string]uint64
}

func (r ranks) rank(unit, group, cell []relation.Value) []byte {
	d := dialect.DuckDB()
	hashed := func(of []relation.Value, nullable bool) (out []dialect.Hashed) {
		for _, v := range of {
			text := d.Number(v.Int)
			switch {
			case v.Null:
				text = d.Null(v.Kind)
			case v.Kind == relation.Text:
				text = d.Text(v.Text)
			case v.Kind == relation.Truth:
				text = d.Truth(v.Int == 1)
			}
			out = append(out, dialect.Hashed{SQL: text, Kind: v.Kind, Nullable: nullable})
		}
		return out
	}
	words := dialect.Seeds(seed)
	text := d.Hash([]string{d.Number(words[0]), d.Number(words[1])}, hashed(unit, false), hashed(group, true), hashed(cell, false))
	n, ok := r.seen[text]
	if !ok {
		if err := r.db.QueryRow("SELECT " + text).Scan(&n); err != nil {
			r.t.Fatal(err)
		}
		r.seen[text] = n
	}
	return fmt.Appendf(nil, "%020d", n)
}

func (r ranks) Group(unit, group []relation.Value) []byte { return r.rank(unit, group, nil) }

func (r ranks) Bin(unit, group []relation.Value, cell int, number int64) []byte {
	return r.rank(unit, group, []relation.Value{{Int: int64(cell)}, {Int: number}})
}

// TestEqualsTheReference compares random questions over random tables in every format; where groups and rows are chosen, by DuckDB's own hashes.
func TestEqualsTheReference(t *testing.T) {
	for round := range rounds(1, 4) {
		rng := rand.New(rand.NewPCG(uint64(round), 3))
		tables := relationtest.Random(rng, 40)
		for _, table := range tables { // CSV does not tell empty text from none
			for _, row := range table.Rows {
				for i, c := range row {
					if c == "" {
						row[i] = nil
					}
				}
			}
		}
		db, err := sql.Open("duckdb", "")
		if err != nil {
			t.Fatal(err)
		}
		r := ranks{t, db, map[string]uint64{}}
		var questions []*relation.Bounded
		var want [][]relation.Group
		for range rounds(15, 40) {
			q := relationtest.Question(rng, tables)
			groups, err := relation.Evaluate(t.Context(), q, seed, tables.Open(), r)
			if err != nil {
				t.Fatal(err)
			}
			questions, want = append(questions, q), append(want, groups)
		}
		_ = db.Close()
		for name, o := range sources(t, tables) {
			e := open(t, o)
			for i, q := range questions {
				got := groupsOf(t, e, q)
				if fmt.Sprint(got) != fmt.Sprint(want[i]) {
					t.Fatalf("round %d, %s:\n got %v\nwant %v\n%s", round, name, got, want[i], statement(q))
				}
			}
		}
	}
}

// statement is what a question became, for looking at.
func statement(q *relation.Bounded) string {
	s, err := dialect.Emit(dialect.DuckDB(), q, func(string, string) (dialect.Native, error) { return dialect.Text, nil })
	if err != nil {
		return err.Error()
	}
	return s.SQL
}

func groupsOf(t testing.TB, e relation.Engine, q *relation.Bounded) []relation.Group {
	t.Helper()
	var out []relation.Group
	if err := e.Run(context.Background(), q, seed, func(g relation.Group) error { out = append(out, g); return nil }); err != nil {
		t.Errorf("Run: %v\n%s", err, statement(q))
	}
	slices.SortFunc(out, func(a, b relation.Group) int {
		return strings.Compare(string(relation.Encode(nil, a.Keys...)), string(relation.Encode(nil, b.Keys...)))
	})
	return out
}
