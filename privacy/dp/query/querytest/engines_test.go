package querytest_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

	"github.com/scrimhq/scrim/data/sql/files"
	"github.com/scrimhq/scrim/data/sql/pushdown"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query/querytest"
	"github.com/scrimhq/scrim/store/pgtest"
)

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// lite puts a database into a SQLite file: columns without a kind, so that cells of any stay as they are.
func lite(t *testing.T, db querytest.Database) relation.Engine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.db")
	conn, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tx, err := conn.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range db {
		var names, marks []string
		for _, c := range table.Columns {
			names, marks = append(names, quote(querytest.Name(c))), append(marks, "?")
		}
		if _, err := tx.Exec("CREATE TABLE " + quote(table.Source) + " (" + strings.Join(names, ", ") + ")"); err != nil {
			t.Fatal(err)
		}
		for _, row := range table.Rows {
			if _, err := tx.Exec("INSERT INTO "+quote(table.Source)+" VALUES ("+strings.Join(marks, ", ")+")", row...); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	e, err := pushdown.SQLite(path, pushdown.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// postgres puts a database into PostgreSQL, each column of its kind.
func postgres(t *testing.T, db querytest.Database) relation.Engine {
	t.Helper()
	url := pgtest.Common(t).Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	kinds := map[relation.Kind]string{relation.Number: "numeric", relation.Text: "text", relation.Truth: "bool", relation.Date: "date", relation.Time: "timestamptz"}
	var script strings.Builder
	for _, table := range db {
		var columns []string
		for _, c := range table.Columns {
			columns = append(columns, quote(querytest.Name(c))+" "+kinds[c.Type.Kind])
		}
		fmt.Fprintf(&script, "CREATE TABLE %s (%s);\n", quote(table.Source), strings.Join(columns, ", "))
		for _, row := range table.Rows {
			cells := make([]string, len(row))
			for i, c := range row {
				if cells[i] = "NULL"; c != nil {
					cells[i] = "'" + strings.ReplaceAll(fmt.Sprint(c), "'", "''") + "'"
				}
			}
			fmt.Fprintf(&script, "INSERT INTO %s VALUES (%s);\n", quote(table.Source), strings.Join(cells, ", "))
		}
	}
	if _, err := conn.Exec(t.Context(), script.String()); err != nil {
		t.Fatal(err)
	}
	e, err := pushdown.Postgres(url, pushdown.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// csvFiles puts a database into files, each table in two.
func csvFiles(t *testing.T, db querytest.Database) relation.Engine {
	t.Helper()
	tables := map[string]files.Table{}
	for _, table := range db {
		dir := t.TempDir()
		for part := range 2 {
			var b strings.Builder
			for i, c := range table.Columns {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(quote(querytest.Name(c)))
			}
			b.WriteByte('\n')
			for i, row := range table.Rows {
				if i%2 != part {
					continue
				}
				for j, c := range row {
					if j > 0 {
						b.WriteByte(',')
					}
					if c != nil {
						b.WriteString(quote(fmt.Sprint(c)))
					}
				}
				b.WriteByte('\n')
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.csv", part)), []byte(b.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		tables[table.Source] = files.Table{Paths: []string{filepath.Join(dir, "*.csv")}}
	}
	return fileEngine(t, tables)
}

// jsonFiles puts a database into JSON lines, NULL as null or as no member.
func jsonFiles(t *testing.T, db querytest.Database) relation.Engine {
	t.Helper()
	tables := map[string]files.Table{}
	for _, table := range db {
		var b strings.Builder
		for i, row := range table.Rows {
			object := map[string]any{}
			for j, c := range row {
				if c != nil || i%2 == 0 {
					object[querytest.Name(table.Columns[j])] = c
				}
			}
			line, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(line, '\n'))
		}
		path := filepath.Join(t.TempDir(), "rows.jsonl")
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		tables[table.Source] = files.Table{Paths: []string{path}}
	}
	return fileEngine(t, tables)
}

func fileEngine(t *testing.T, tables map[string]files.Table) relation.Engine {
	t.Helper()
	e, err := files.New(files.Options{Tables: tables})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestOneUnitMovesNoMoreThanDeclaredInEveryEngine(t *testing.T) {
	for _, e := range []struct {
		name  string
		open  func(*testing.T, querytest.Database) relation.Engine
		typed bool
		short int
	}{{"SQLite", lite, false, 1}, {"PostgreSQL", postgres, true, 1}, {"CSV", csvFiles, false, 1}, {"JSON lines", jsonFiles, false, 1}, {"Parquet", parquetFiles, true, 1}} {
		t.Run(e.name, func(t *testing.T) {
			open := func(db querytest.Database) (relation.Engine, error) { return e.open(t, db), nil }
			exam(t, open, querytest.ExamOptions{Databases: rounds(e.short, 5), Questions: 25, Seed: 2, Typed: e.typed})
		})
	}
}
