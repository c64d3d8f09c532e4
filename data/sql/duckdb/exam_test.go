package duckdb_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/sql/process"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
	"github.com/scrimhq/scrim/privacy/dp/query/querytest"
)

// TestOneUnitMovesNoMoreThanDeclared gives the engine the exam of questions: databases that differ in one unit, in columns of their kinds and in
// columns of text.
func TestOneUnitMovesNoMoreThanDeclared(t *testing.T) {
	id := relation.Widest(relation.Number, 0)
	var wards []relation.Value
	for _, w := range []string{"icu", "a", "it's"} {
		wards = append(wards, relation.Value{Kind: relation.Text, Text: w})
	}
	d := &query.Dataset{Name: "clinic", Unit: "patient", Formal: true,
		Limits: query.Limits{Rows: 3, MostRows: 6, Groups: 2, MostGroups: 4, MostCells: 200},
		Tables: []query.Table{
			{Name: "stays", Source: "stays", Unit: []string{"patient"}, Columns: []query.Column{
				{Name: "stay", Type: id}, {Name: "patient", Type: id}, {Name: "admitted", Type: relation.DateType(18262, 20818), Bounded: true},
				{Name: "ward", Type: relation.TextType, Values: wards}, {Name: "diagnosis", Type: relation.TextType}, {Name: "urgent", Type: relation.TruthType},
				{Name: "age", Type: relation.NumberType(0, 0, 120), Bounded: true}, {Name: "balance", Type: relation.NumberType(2, -50_000, 100_000), Bounded: true}}},
			{Name: "visits", Source: "visits", Via: &query.Reference{Column: "stay_id", Table: "stays", To: "stay"}, Columns: []query.Column{
				{Name: "stay_id", Type: id}, {Name: "minutes", Type: relation.NumberType(0, 0, 600), Bounded: true}}},
			{Name: "codes", Source: "codes", Public: true, Columns: []query.Column{
				{Name: "diagnosis", Type: relation.TextType}, {Name: "level", Type: relation.NumberType(0, 1, 5), Bounded: true}}},
		}}
	for _, typed := range []bool{true, false} {
		make := func(db querytest.Database) (relation.Engine, error) { return filled(t, db, typed), nil }
		r, err := querytest.Exam(t.Context(), d, make, querytest.ExamOptions{Databases: 1, Neighbours: 1, Questions: 12, Typed: typed, Seed: 6, Selection: seed})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Found {
			t.Errorf("typed %t: %s\n%s", typed, strings.Join(c.Found, "; "), c.Plan.Canonical())
		}
		if r.Differed < r.Compared/8 {
			t.Errorf("typed %t: of %d comparisons %d differ: this shows too little", typed, r.Compared, r.Differed)
		}
	}
}

// filled puts a database into a file of DuckDB.
func filled(t *testing.T, tables querytest.Database, typed bool) *process.Engine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.duckdb")
	db, err := sql.Open("duckdb", path)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[relation.Kind]string{relation.Number: "DECIMAL(38,2)", relation.Text: "VARCHAR", relation.Truth: "BOOLEAN", relation.Date: "DATE", relation.Time: "TIMESTAMP"}
	for _, table := range tables {
		var columns []string
		for _, c := range table.Columns {
			kind := kinds[c.Type.Kind]
			switch {
			case c.Type == relation.Widest(relation.Number, 0): // units and what refers to rows have to be of their kind
				kind = "BIGINT"
			case !typed:
				kind = "VARCHAR"
			}
			columns = append(columns, querytest.Name(c)+" "+kind)
		}
		statements := []string{"CREATE TABLE " + table.Source + " (" + strings.Join(columns, ", ") + ")"}
		for _, row := range table.Rows {
			cells := make([]string, len(row))
			for i, c := range row {
				if cells[i] = "NULL"; c != nil {
					cells[i] = "'" + strings.ReplaceAll(fmt.Sprint(c), "'", "''") + "'"
				}
			}
			statements = append(statements, "INSERT INTO "+table.Source+" VALUES ("+strings.Join(cells, ", ")+")")
		}
		if _, err := db.Exec(strings.Join(statements, ";\n")); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, process.Options{Database: path})
}
