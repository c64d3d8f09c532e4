package querytest_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

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

func TestOneUnitMovesNoMoreThanDeclaredInSQLite(t *testing.T) {
	compareAll(t, lite, false, rounds(2, 60), 40, 2)
}

func TestOneUnitMovesNoMoreThanDeclaredInPostgres(t *testing.T) {
	compareAll(t, postgres, true, rounds(1, 30), 30, 3)
}
