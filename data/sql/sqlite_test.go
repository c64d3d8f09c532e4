package sql

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/table"
)

// lite makes a database file with these statements.
func lite(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a b%20?.db")
	change(t, path, statements...)
	return path
}

func change(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", " ", "%20").Replace(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func liteFrom(t *testing.T, path, name string) table.Source {
	t.Helper()
	s, err := SQLite(path, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSQLiteColumnsHaveTheTypeOfAllTheirValues(t *testing.T) {
	path := lite(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, i INT, d, f REAL, b BOOLEAN, day DATE, s TEXT NOT NULL, raw BLOB, m)",
		"INSERT INTO t VALUES (2, NULL, 1, NULL, NULL, NULL, 'é', NULL, 'x'), (1, -9223372036854775808, 0.1, 2.5, 1, '2024-02-29', '', x'00ff5c', 7)")
	columns, rows := rowsOf(t, liteFrom(t, path, "t"))
	want := []string{"2:1|2:-9223372036854775808|2:0.1|2:2.5|3:true|1:2024-02-29|1:|1:AP9c|2:7", "2:2|0:|2:1|0:|0:|0:|1:é|0:|1:x"}
	if !slices.Equal(rows, want) {
		t.Errorf("rows are %q", rows)
	}
	types := []table.Type{table.Integer, table.Integer, table.Decimal, table.Float, table.Truth, table.String, table.String, table.Bytes, table.Mixed}
	for i, c := range columns {
		if c.Type != types[i] || c.Required != (c.Name == "s") {
			t.Errorf("column %s has type %d, required %t", c.Name, c.Type, c.Required)
		}
	}
	if _, rows := rowsOf(t, liteFrom(t, path, "t"), "s", "id"); !slices.Equal(rows, []string{"1:|2:1", "1:é|2:2"}) {
		t.Errorf("selected: %q", rows)
	}
}

func TestSQLiteReadingsSeeOneState(t *testing.T) {
	path := lite(t, "PRAGMA journal_mode = WAL", "CREATE TABLE t (n INT)", "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5001) INSERT INTO t SELECT n FROM c")
	s := liteFrom(t, path, "t")
	_, first := rowsOf(t, s)
	print := s.Fingerprint()
	change(t, path, "UPDATE t SET n = n + 1", "INSERT INTO t VALUES (7)")
	_, second := rowsOf(t, s)
	if len(first) != 5001 || !slices.Equal(first, second) || print == "" || s.Fingerprint() != print {
		t.Errorf("readings have %d and %d rows, want the same", len(first), len(second))
	}
	later := liteFrom(t, path, "t")
	if _, rows := rowsOf(t, later); len(rows) != 5002 || later.Fingerprint() == print {
		t.Errorf("a later source has %d rows and fingerprint %q", len(rows), later.Fingerprint())
	}
}

func TestSQLiteOrders(t *testing.T) {
	path := lite(t, "CREATE TABLE keyed (k TEXT PRIMARY KEY, n INT) WITHOUT ROWID", "INSERT INTO keyed VALUES ('b', 1), ('a', 2)",
		"CREATE TABLE hidden (rowid INT, _rowid_ INT, oid INT)", "INSERT INTO hidden VALUES (2, 0, 0), (1, 0, 0)", "CREATE VIEW v AS SELECT n, k FROM keyed ORDER BY n DESC")
	for name, want := range map[string][]string{"keyed": {"1:a|2:2", "1:b|2:1"}, "hidden": {"2:1|2:0|2:0", "2:2|2:0|2:0"}, "v": {"2:1|1:b", "2:2|1:a"}} {
		if _, rows := rowsOf(t, liteFrom(t, path, name)); !slices.Equal(rows, want) {
			t.Errorf("%s: rows are %q, want %q", name, rows, want)
		}
	}
}

func TestSQLiteErrorsHoldNoValues(t *testing.T) {
	const canary = "canary-value-23"
	path := lite(t, "CREATE TABLE bad (a INT, n)", "INSERT INTO bad VALUES (1, 2), (1, 9e999)", "CREATE TABLE text (n)", "INSERT INTO text VALUES (CAST(x'ff' || '"+canary+"' AS TEXT))",
		"CREATE TABLE big (n)", "INSERT INTO big VALUES (zeroblob(70000000))")
	noise := filepath.Join(t.TempDir(), "noise.db")
	if err := os.WriteFile(noise, []byte(strings.Repeat(canary, 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, at := range [][2]string{{path, "bad"}, {path, "text"}, {path, "big"}, {path, "none"}, {path, "sqlite_nothing"}, {noise, "t"}} {
		s := liteFrom(t, at[0], at[1])
		r, err := s.Open(t.Context())
		for err == nil {
			_, err = r.Next(t.Context())
		}
		if err == io.EOF || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: error = %v", at[1], err)
		}
		if at[1] == "bad" && !strings.Contains(err.Error(), "row 2, column n") {
			t.Errorf("error = %v, want row and column", err)
		}
		if r != nil {
			_ = r.Close()
		}
	}
	if _, err := SQLite(filepath.Join(t.TempDir(), "none.db"), "t"); err == nil {
		t.Error("a file that is not there was opened")
	}
}

func TestSQLiteWritesWhatItReads(t *testing.T) {
	dir := t.TempDir()
	one := filepath.Join(dir, "one.db")
	readsBack(t, SQLiteTarget(one, "t"), func() table.Source { return liteFrom(t, one, "t") },
		`2:1|1:1.50|2:1e-07|3:false|1:2024-02-29|1:2024-02-29T01:02:03Z|1:AP9c|1:\N|2:12`, `0:|0:|0:|0:|0:|0:|0:|0:|0:`)
	if at, err := os.Stat(one); err != nil || at.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v", at.Mode())
	}
	whole, broken := filepath.Join(dir, "whole.db"), filepath.Join(dir, "broken.db")
	goesOn(t, SQLiteTarget(whole, "t"), SQLiteTarget(broken, "t"),
		func() table.Source { return liteFrom(t, whole, "t") }, func() table.Source { return liteFrom(t, broken, "t") })
}

func TestSQLiteReplacesNothing(t *testing.T) {
	path := lite(t, "CREATE TABLE old (n INT)")
	if _, err := SQLiteTarget(path, "OLD").Create(t.Context(), letters, table.Run{}); !errors.Is(err, table.ErrExists) {
		t.Errorf("error = %v, want ErrExists", err)
	}
	to := SQLiteTarget(path, "late")
	w, err := to.Create(t.Context(), letters, table.Run{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil { // between Create and Finish somebody makes the table
		t.Fatal(err)
	}
	change(t, path, "CREATE TABLE late (n INT)")
	if _, err := to.Create(t.Context(), letters, table.Run{Resume: true}); !errors.Is(err, table.ErrExists) {
		t.Errorf("error = %v, want ErrExists", err)
	}
	if err := to.Discard(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, names := rowsOf(t, liteFrom(t, lite2(t, path), "names"))
	if !slices.Equal(names, []string{"1:late", "1:old"}) {
		t.Errorf("tables are %q", names)
	}
}

// lite2 adds a view of the names of all tables.
func lite2(t *testing.T, path string) string {
	t.Helper()
	change(t, path, "CREATE VIEW names AS SELECT name FROM sqlite_schema WHERE type = 'table'")
	return path
}

func TestSQLiteNamesAreOnlyNames(t *testing.T) {
	path := lite(t, "CREATE TABLE victim (n INT)")
	name := `t"; DROP TABLE victim; --`
	w, err := SQLiteTarget(path, name).Create(t.Context(), []table.Column{{Name: `a" INT); DROP TABLE victim; --`}}, table.Run{Tag: `'); DROP TABLE victim; --`})
	if err != nil {
		t.Fatal(err)
	}
	if err := write(t.Context(), w, table.Batch{First: 1, Rows: 1, Width: 1, Cells: []table.Cell{text("'; DROP TABLE victim")}}); err != nil {
		t.Fatal(err)
	}
	finish(t, w)
	if _, rows := rowsOf(t, liteFrom(t, path, name)); !slices.Equal(rows, []string{"1:'; DROP TABLE victim"}) {
		t.Errorf("rows = %q", rows)
	}
	rowsOf(t, liteFrom(t, path, "victim"))
}

func TestSQLiteCellsThatDoNotFitAreNamed(t *testing.T) {
	const canary = "canary-cell-6"
	path := lite(t)
	for i, c := range []struct {
		typ  table.Type
		cell table.Cell
	}{
		{table.Integer, text(canary)}, {table.Float, num("1e999")}, {table.Truth, text(canary)}, {table.Date, text(canary)}, {table.Bytes, text(canary + "!")}, {table.String, text(canary + "\xff")},
	} {
		w, err := SQLiteTarget(path, fmt.Sprintf("t%d", i)).Create(t.Context(), []table.Column{{Name: "c", Type: c.typ}}, table.Run{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Encode(&table.Batch{First: 41, Rows: 1, Width: 1, Cells: []table.Cell{c.cell}})
		if err == nil || strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), "row 41, column c") {
			t.Errorf("case %d: error = %v", i, err)
		}
		_ = w.Close()
	}
}
