//go:build unix

package sql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/store/pgtest"
)

func source(t *testing.T, url, name string) table.Source {
	t.Helper()
	s, err := Postgres(url, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestPostgres(t *testing.T) {
	server := pgtest.Start(t) // once: starting it takes longer than all that follows
	for name, test := range map[string]func(*testing.T, *pgtest.Server){
		"types": typesAreRead, "snapshot": bothReadingsSeeOneState, "errors": errorsHoldNoValues, "leave": whatIsNoValueIsRefused, "order": theOrderIsStable,
		"back": whatIsWrittenReadsBack, "resume": aRunThatEndedGoesOn, "taken": aTableIsNeverReplaced, "quotes": namesAreOnlyNames, "misfits": cellsThatDoNotFitAreNamed, "close": aReaderCanBeLeft,
	} {
		t.Run(name, func(t *testing.T) { test(t, server) })
	}
}

func typesAreRead(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	pgtest.Exec(t, url, `CREATE DOMAIN plz AS varchar(5)`, `CREATE TYPE mood AS ENUM ('sad', 'glad')`,
		`CREATE TABLE t (id int PRIMARY KEY, big bigint, exact numeric, approx double precision, yes boolean, day date NOT NULL, at timestamptz, local timestamp, raw bytea, text text, plz plz, mood mood, doc jsonb)`,
		`INSERT INTO t VALUES (2, NULL, NULL, NULL, NULL, '1980-03-01', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
		(1, -9223372036854775808, 12345678901234567890.1200, 0.1, true, '2024-02-29', '2024-01-02 03:04:05.5+02', '2024-01-02 03:04:05', '\x00ff5c', E'a\tb\\n\nc\r\\N é', '01234', 'glad', '{"a": [1]}')`)
	columns, rows := rowsOf(t, source(t, url, "t"))
	want := []string{
		`2:1|2:-9223372036854775808|2:12345678901234567890.1200|2:0.1|3:true|1:2024-02-29|1:2024-01-02T01:04:05.5Z|1:2024-01-02T03:04:05Z|1:AP9c|1:` + "a\tb\\n\nc\r\\N é" + `|1:01234|1:glad|1:{"a": [1]}`,
		`2:2|0:|0:|0:|0:|1:1980-03-01|0:|0:|0:|0:|0:|0:|0:`,
	}
	if !slices.Equal(rows, want) {
		t.Errorf("rows are\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
	types := []table.Type{table.Integer, table.Integer, table.Decimal, table.Float, table.Truth, table.Date, table.Timestamp, table.Timestamp, table.Bytes, table.String, table.String, table.String, table.String}
	for i, c := range columns {
		if c.Type != types[i] || c.Required != (c.Name == "id" || c.Name == "day") {
			t.Errorf("column %s has type %d, required %t", c.Name, c.Type, c.Required)
		}
	}
}

func bothReadingsSeeOneState(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	pgtest.Exec(t, url, "CREATE TABLE t (n int)", "INSERT INTO t SELECT generate_series(1, 1000)")
	s := source(t, url, "t")
	_, first := rowsOf(t, s)
	print := s.Fingerprint()
	pgtest.Exec(t, url, "UPDATE t SET n = n + 1", "INSERT INTO t VALUES (7)")
	_, second := rowsOf(t, s)
	if len(first) != 1000 || !slices.Equal(first, second) || s.Fingerprint() != print || print == "" {
		t.Errorf("readings have %d and %d rows, fingerprints %q and %q: want the same", len(first), len(second), print, s.Fingerprint())
	}
	later := source(t, url, "t")
	if _, rows := rowsOf(t, later); len(rows) != 1001 || later.Fingerprint() == print {
		t.Errorf("a later source has %d rows and fingerprint %q: want 1001 and another", len(rows), later.Fingerprint())
	}
}

func errorsHoldNoValues(t *testing.T, server *pgtest.Server) {
	const canary = "canary-value-19"
	url := server.Database(t)
	pgtest.Exec(t, url, "CREATE TABLE t (n text)", "INSERT INTO t VALUES ('"+canary+"')", "CREATE VIEW bad AS SELECT n::int AS n FROM t", "CREATE TABLE nan (a int, n numeric)", "INSERT INTO nan VALUES (1, 2), (1, 'NaN')")
	var all []error
	for _, name := range []string{"bad", "nan", "none", "a.b.c", "no.such"} {
		s := source(t, url, name)
		r, err := s.Open(t.Context())
		for err == nil {
			var c table.Chunk
			if c, err = r.Next(t.Context()); err == nil {
				err = r.Read(t.Context(), c, new(table.Batch))
			}
		}
		if err == io.EOF {
			t.Errorf("%s was read", name)
		}
		if r != nil {
			_ = r.Close()
		}
		all = append(all, err, errors.New(s.Name()))
	}
	for _, bad := range []string{strings.Replace(url, server.Password(), server.Password()+"x", 1), "postgres://u:" + server.Password() + "@127.0.0.1:1/x", "postgres://u:" + server.Password() + "@%zz:x/"} {
		s, err := Postgres(bad, "t")
		if err == nil {
			_, err = s.Open(t.Context())
		}
		if err == nil {
			t.Error("a wrong address was opened")
		}
		all = append(all, err)
	}
	for _, err := range all {
		if text := err.Error(); strings.Contains(text, canary) || strings.Contains(text, server.Password()) {
			t.Errorf("a text holds what it must not: %s", text)
		}
	}
	if text := all[2].Error(); !strings.Contains(text, "row 2") || !strings.Contains(text, "column n") {
		t.Errorf("error = %s, want row and column", text)
	}
}

func whatIsNoValueIsRefused(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	pgtest.Exec(t, url, "CREATE TABLE t (id int, tags text[], span int4range)", "INSERT INTO t VALUES (1, '{a}', '[1,2]')")
	src := source(t, url, "t")
	r, err := src.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(t.Context()); err == nil || !strings.Contains(err.Error(), "column tags") {
		t.Errorf("error = %v, want one that names the column tags", err)
	}
	if _, rows := rowsOf(t, src, "id"); !slices.Equal(rows, []string{"2:1"}) {
		t.Errorf("rows = %q", rows)
	}
	if _, err := table.Select("t", r, []string{"idd"}); err == nil {
		t.Error("a column that is not there was selected")
	}
}

func theOrderIsStable(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	pgtest.Exec(t, url, "CREATE TABLE t (n int PRIMARY KEY)", "INSERT INTO t SELECT 5000 - generate_series(1, 5000)", "CREATE VIEW v AS SELECT n % 10 AS d, n::text AS s FROM t")
	_, rows := rowsOf(t, source(t, url, "t"))
	for i, row := range rows {
		if row != fmt.Sprintf("2:%d", i) {
			t.Fatalf("row %d is %s", i, row)
		}
	}
	if _, rows := rowsOf(t, source(t, url, "v")); len(rows) != 5000 || !slices.IsSorted(rows) {
		t.Errorf("the view's %d rows are in no order", len(rows))
	}
}

func whatIsWrittenReadsBack(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	pgtest.Exec(t, url, "CREATE SCHEMA clinic")
	readsBack(t, PostgresTarget(url, "clinic.t"), func() table.Source { return source(t, url, "clinic.t") },
		`2:1|2:1.50|2:1e-07|3:false|1:2024-02-29|1:2024-02-29T01:02:03Z|1:AP9c|1:\N|1:12`, `0:|0:|0:|0:|0:|0:|0:|0:|0:`)
}

func aRunThatEndedGoesOn(t *testing.T, server *pgtest.Server) {
	whole, broken := server.Database(t), server.Database(t)
	goesOn(t, PostgresTarget(whole, "t"), PostgresTarget(broken, "t"),
		func() table.Source { return source(t, whole, "t") }, func() table.Source { return source(t, broken, "t") })
}

func aTableIsNeverReplaced(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	pgtest.Exec(t, url, "CREATE TABLE old (n int)")
	if _, err := PostgresTarget(url, "old").Create(t.Context(), letters, table.Run{}); !errors.Is(err, table.ErrExists) {
		t.Errorf("error = %v, want ErrExists", err)
	}
	to := PostgresTarget(url, "late")
	w, err := to.Create(t.Context(), letters, table.Run{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, "CREATE TABLE late (n int)")
	if err := w.Commit(t.Context()); !errors.Is(err, table.ErrExists) {
		t.Errorf("Commit() error = %v, want ErrExists", err)
	}
	_ = w.Close()
	if err := to.Discard(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var tables []string
	if err := conn.QueryRow(t.Context(), "SELECT array_agg(relname::text ORDER BY relname::text) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace").Scan(&tables); err != nil || !slices.Equal(tables, []string{"late", "old"}) {
		t.Errorf("tables are %q, %v", tables, err)
	}
}

func namesAreOnlyNames(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	name := `t"; DROP TABLE victim; --`
	pgtest.Exec(t, url, "CREATE TABLE victim (n int)")
	w, err := PostgresTarget(url, name).Create(t.Context(), []table.Column{{Name: `a" int); DROP TABLE victim; --`}}, table.Run{Tag: `'); DROP TABLE victim; --`})
	if err != nil {
		t.Fatal(err)
	}
	if err := write(t.Context(), w, table.Batch{First: 1, Rows: 1, Width: 1, Cells: []table.Cell{text(`\.` + "\n'; DROP TABLE victim")}}); err != nil {
		t.Fatal(err)
	}
	finish(t, w)
	if _, rows := rowsOf(t, source(t, url, name)); !slices.Equal(rows, []string{`1:\.` + "\n'; DROP TABLE victim"}) {
		t.Errorf("rows = %q", rows)
	}
	rowsOf(t, source(t, url, "victim"))
}

func cellsThatDoNotFitAreNamed(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	const canary = "canary-cell-5"
	for i, c := range []struct {
		typ  table.Type
		cell table.Cell
	}{
		{table.Integer, text(canary)}, {table.Integer, num("9223372036854775808")}, {table.Integer, num("1.5")}, {table.Decimal, text(canary)}, {table.Float, num("1e999")},
		{table.Truth, text(canary)}, {table.Date, text(canary)}, {table.Date, text("2023-02-29")}, {table.Timestamp, text(canary)}, {table.Bytes, text(canary + "!")},
		{table.String, text(canary + "\x00")}, {table.String, text(canary + "\xff")},
	} {
		w, err := PostgresTarget(url, fmt.Sprintf("t%d", i)).Create(t.Context(), []table.Column{{Name: "c", Type: c.typ}}, table.Run{})
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

func aReaderCanBeLeft(t *testing.T, server *pgtest.Server) {
	url := server.Database(t)
	pgtest.Exec(t, url, "CREATE TABLE t (n int, s text)", "INSERT INTO t SELECT n, repeat('x', 200) FROM generate_series(1, 100000) n")
	s := source(t, url, "t")
	r, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		if _, err = r.Next(ended); err != nil {
			break
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Next() error = %v, want context.Canceled", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if s.Fingerprint() != "" {
		t.Error("half a reading has a fingerprint")
	}
	if _, rows := rowsOf(t, s); len(rows) != 100000 {
		t.Errorf("read again: %d rows", len(rows))
	}
}
