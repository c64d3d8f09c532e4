package duckdb_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/scrimhq/scrim/data/sql/duckdb"
	"github.com/scrimhq/scrim/data/sql/process"
	"github.com/scrimhq/scrim/data/sql/relation"
)

// The test's own binary is the program when it is started with this name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "scrim-duckdb" {
		duckdb.Harden()
		if err := duckdb.Serve(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func program(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "scrim-duckdb")
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, o process.Options) *process.Engine {
	t.Helper()
	o.Program = program(t)
	e, err := process.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// make runs statements in a DuckDB without any limits, such as those that write a file.
func prepare(t testing.TB, statements ...string) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func ask(e *process.Engine, text string, kinds ...relation.Kind) ([]string, error) {
	var rows []string
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := e.Ask(ctx, process.Statement{SQL: text, Columns: kinds}, func(row []relation.Value) error {
		var cells []string
		for _, v := range row {
			switch {
			case v.Null:
				cells = append(cells, "NULL")
			case v.Kind == relation.Text:
				cells = append(cells, v.Text)
			default:
				cells = append(cells, fmt.Sprint(v.Int))
			}
		}
		rows = append(rows, strings.Join(cells, "|"))
		return nil
	})
	slices.Sort(rows)
	return rows, err
}

const text, number = relation.Text, relation.Number

func TestFilesOfEveryFormatAndADatabase(t *testing.T) {
	dir := t.TempDir()
	prepare(t, "COPY (SELECT * FROM (VALUES ('a', 1), ('b', NULL)) t(k, n)) TO '"+dir+"/t.parquet' (FORMAT parquet)",
		"ATTACH '"+dir+"/t.duckdb' AS d", "CREATE TABLE d.t AS SELECT * FROM '"+dir+"/t.parquet'", "DETACH d")
	write(t, dir+"/t.csv", "\ufeffk,n\r\na,1\r\nb,\r\nbad row\r\n")
	write(t, dir+"/t.jsonl", `{"n": 1, "k": "a", "more": {"x": 1}}`+"\nno object\n"+`{"k": "b", "n": null}`+"\n")
	for name, o := range map[string]process.Options{
		"parquet":  {Tables: []process.Table{{Name: "t", Format: process.Parquet, Files: []string{dir + "/t.parquet"}}}},
		"csv":      {Tables: []process.Table{{Name: "t", Format: process.CSV, Files: []string{dir + "/*.csv"}}}},
		"json":     {Tables: []process.Table{{Name: "t", Format: process.JSON, Files: []string{dir + "/t.jsonl"}, Columns: []string{"k", "n"}}}},
		"database": {Database: dir + "/t.duckdb"},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, o)
			rows, err := ask(e, `SELECT "k", TRY_CAST("n" AS BIGINT) FROM "t"`, text, number)
			if name == "json" { // a line that is no object is a row without anything, which belongs to nobody
				rows = slices.DeleteFunc(rows, func(r string) bool { return r == "NULL|NULL" })
			}
			if err != nil || !slices.Equal(rows, []string{"a|1", "b|NULL"}) {
				t.Errorf("rows %q, error %v", rows, err)
			}
			scan := func(table, column string) []relation.Scan {
				return []relation.Scan{{Table: table, Fields: []relation.Field{{Source: column}}}}
			}
			if err := e.Check(context.Background(), scan("t", "k")); err != nil {
				t.Error(err)
			}
			for what, scans := range map[string][]relation.Scan{`no table "u"`: scan("u", "k"), `no column "z"`: scan("t", "z")} {
				if err := e.Check(context.Background(), scans); err == nil || !strings.Contains(err.Error(), what) {
					t.Errorf("Check() error = %v, want %s", err, what)
				}
			}
		})
	}
}

func TestTypesOfColumns(t *testing.T) {
	dir := t.TempDir()
	all := []string{"1::TINYINT", "1::BIGINT", "1::UBIGINT", "1::HUGEINT", "1.5::DECIMAL(9,2)", "1::DOUBLE", "'a'", "uuid()", "true", "DATE '2020-01-01'",
		"TIMESTAMP '2020-01-01'", "TIMESTAMP '2020-01-01'::TIMESTAMPTZ", "[1]", "{'a': 1}", "TIME '10:00'", "'x'::BLOB", "'a'::ENUM('a','b')", "INTERVAL 1 DAY"}
	want := "integer integer decimal decimal decimal float text text truth date timestamp instant other other other other text other"
	var list []string
	for i, x := range all {
		list = append(list, fmt.Sprintf("%s AS c%02d", x, i))
	}
	prepare(t, "ATTACH '"+dir+"/t.duckdb' AS d", "CREATE TABLE d.t AS SELECT "+strings.Join(list, ", "), "DETACH d")
	var out strings.Builder
	in, lines := io.Pipe()
	go func() {
		_ = process.WriteLine(lines, process.Request{Version: process.Version, Source: process.Source{Database: dir + "/t.duckdb", Memory: 1 << 28, Threads: 1}})
	}()
	answers, w := io.Pipe()
	go func() { _ = duckdb.Serve(in, w) }()
	var r process.Response
	if err := process.ReadLine(bufio.NewReader(answers), &r); err != nil || len(r.Tables) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, n := range r.Tables[0].Types {
		out.WriteString(string(n) + " ")
	}
	if got := strings.TrimSpace(out.String()); got != want {
		t.Errorf("types %s\nwant  %s", got, want)
	}
	_ = lines.Close()
}

// What is read is what the patterns match when a question is asked, and links are followed to where they point then.
func TestFilesAreLookedUpForEveryQuestion(t *testing.T) {
	dir := t.TempDir()
	e := open(t, process.Options{Tables: []process.Table{{Name: "t", Format: process.CSV, Files: []string{dir + "/day-*.csv"}}}})
	count := func() string {
		rows, err := ask(e, `SELECT count(*) FROM "t"`, number)
		if err != nil {
			return err.Error()
		}
		return rows[0]
	}
	if got := count(); got != process.ErrSource.Error() {
		t.Errorf("without files: %s, want ErrSource", got)
	}
	write(t, dir+"/day-1.csv", "k\na\n")
	if got := count(); got != "1" {
		t.Errorf("one file: %s rows, want 1", got)
	}
	write(t, dir+"/other.csv", "k\na\nb\n")
	if err := os.Symlink(dir+"/other.csv", dir+"/day-2.csv"); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != "3" {
		t.Errorf("two files: %s rows, want 3", got)
	}
	write(t, dir+"/day-3.csv", "another\na\n")
	if got := count(); got != process.ErrSource.Error() {
		t.Errorf("a file with other columns: %s, want ErrSource", got)
	}
}

// A statement comes from a dialect and is made of what the owner declares. Were one hostile all the same, it would reach nothing.
func TestNothingButTheDeclaredFilesCanBeReached(t *testing.T) {
	dir := t.TempDir()
	secret := write(t, dir+"/secret.csv", "k\nthe secret\n")
	prepare(t, "ATTACH '"+dir+"/other.duckdb' AS d", "CREATE TABLE d.t AS SELECT 'the secret' AS k", "DETACH d")
	declared := write(t, dir+"/t.csv", "k\na\n")
	before, _ := filepath.Glob(dir + "/*")
	e := open(t, process.Options{Tables: []process.Table{{Name: "t", Format: process.CSV, Files: []string{declared}}}})
	for _, s := range []string{
		"SELECT k FROM '" + secret + "'",
		"SELECT k FROM read_csv('" + secret + "')",
		"SELECT content FROM read_text('" + dir + "/*')",
		"SELECT content FROM read_text('" + dir + "/../" + filepath.Base(dir) + "/secret.csv')",
		"SELECT content FROM read_text('" + declared + "/../secret.csv')",
		"SELECT content::VARCHAR FROM read_blob('" + secret + "')",
		"SELECT Delimiter FROM sniff_csv('" + secret + "')",
		"SELECT file FROM glob('" + dir + "/*')",
		"SELECT k FROM read_csv('https://127.0.0.1:1/x.csv')",
		"SELECT k FROM read_csv('s3://bucket/x.csv')",
		"SELECT k FROM read_parquet('file://" + secret + "')",
		"SELECT getenv('HOME')",
		"SELECT k FROM query('COPY t TO ''" + dir + "/out.csv''')",
		"COPY t TO '" + dir + "/out.csv'",
		"COPY (SELECT 'x' AS k) TO '" + declared + "'",
		"ATTACH '" + dir + "/other.duckdb' AS d",
		"ATTACH '" + dir + "/new.duckdb' AS d",
		"INSTALL httpfs", "LOAD httpfs", "LOAD '" + dir + "/x.duckdb_extension'",
		"SET lock_configuration = false", "SET enable_external_access = true", "RESET allowed_paths", "PRAGMA threads = 1", "SET VARIABLE x = 1",
		"CREATE TABLE x AS SELECT 1", "DROP VIEW t", "CREATE MACRO t() AS 1", "EXPORT DATABASE '" + dir + "/out'", "CALL enable_logging()",
		"SELECT k FROM t; SELECT k FROM t", "DROP VIEW t; SELECT 'x' AS k", "SELECT k FROM t; COPY t TO '" + dir + "/out.csv'", "",
		"EXPLAIN SELECT k FROM t", "PREPARE p AS SELECT 1", "INSERT INTO t VALUES ('x')", "WITH x AS (INSERT INTO t VALUES ('x') RETURNING k) SELECT k FROM x",
	} {
		rows, err := ask(e, s, text)
		if !errors.Is(err, process.ErrFailed) && !errors.Is(err, process.ErrStatement) || len(rows) > 0 {
			t.Errorf("%s: rows %q, error %v", s, rows, err)
		}
	}
	after, _ := filepath.Glob(dir + "/*")
	if !slices.Equal(before, after) {
		t.Errorf("files %q, want %q", after, before)
	}
	if rows, err := ask(e, "SELECT k FROM t", text); err != nil || !slices.Equal(rows, []string{"a"}) {
		t.Errorf("after all of that: rows %q, error %v", rows, err)
	}
	// What the checks above hold on to: without the parser's check the driver runs every statement but the last while it prepares one.
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if _, err := db.Prepare("CREATE TABLE planted (k INT); SELECT 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("SELECT k FROM planted"); err != nil {
		t.Error("the driver no longer runs statements while it prepares: is the check still needed?")
	}
}

func TestErrorsSayNothingOfValues(t *testing.T) {
	dir := t.TempDir()
	e := open(t, process.Options{Tables: []process.Table{{Name: "t", Format: process.CSV, Files: []string{write(t, dir+"/t.csv", "k\nMarie Curie\n")}}}})
	for _, s := range []string{
		`SELECT CAST("k" AS BIGINT) FROM "t"`, `SELECT error("k") FROM "t"`, `SELECT "k" || 1/0 FROM "none"`, `SELECT count(*) FROM "t" WHERE ("k" = CAST('2020-99-99' AS DATE)::VARCHAR)`,
		`SELECT 170141183460469231731687303715884105727`, `SELECT sum(x) FROM (SELECT 9223372036854775807 AS x FROM range(3))`,
	} {
		_, err := ask(e, s, number)
		if err == nil || err.Error() != process.ErrFailed.Error() {
			t.Errorf("%s: error %v, want exactly ErrFailed", s, err)
		}
	}
	if rows, err := ask(e, `SELECT "k" FROM "t"`, text); err != nil || !slices.Equal(rows, []string{"Marie Curie"}) {
		t.Errorf("afterwards: rows %q, error %v", rows, err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	dir := t.TempDir()
	o := process.Options{Memory: 32 << 20, Threads: 2, Tables: []process.Table{{Name: "t", Format: process.CSV, Files: []string{write(t, dir+"/t.csv", "k\na\n")}}}}
	const big = `SELECT count(*) FROM (SELECT x FROM range(3000000) t(x) GROUP BY hash(x), x)`
	if _, err := ask(open(t, o), big, number); !errors.Is(err, process.ErrFailed) {
		t.Errorf("error %v, want ErrFailed", err)
	}
	o.Memory = 4 << 30
	if rows, err := ask(open(t, o), big, number); err != nil || rows[0] != "3000000" {
		t.Errorf("with enough memory: rows %q, error %v", rows, err)
	}
}

// A statement that would run for hours ends with its question, and the next is answered.
func TestCancelledQuestions(t *testing.T) {
	dir := t.TempDir()
	e := open(t, process.Options{Tables: []process.Table{{Name: "t", Format: process.CSV, Files: []string{write(t, dir+"/t.csv", "k\na\n")}}}})
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	err := e.Ask(ctx, process.Statement{SQL: endless, Columns: []relation.Kind{number}}, func([]relation.Value) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want DeadlineExceeded", err)
	}
	if rows, err := ask(e, `SELECT "k" FROM "t"`, text); err != nil || len(rows) != 1 {
		t.Errorf("afterwards: rows %q, error %v", rows, err)
	}
}

const endless = `SELECT count(*) FROM range(10000000) a(x), range(10000000) b(y) WHERE hash(x, y) = 1`

// A gateway that is killed closes its ends of the pipes and does nothing else.
func TestProgramEndsWithTheGateway(t *testing.T) {
	cmd := exec.Command(program(t))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	line, err := json.Marshal(process.Request{Version: process.Version, SQL: endless, Columns: []string{"number"}, Source: process.Source{
		Memory: 1 << 30, Threads: 1, Tables: []process.Table{{Name: "t", Format: process.CSV, Files: []string{write(t, dir+"/t.csv", "k\na\n")}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // it is at work
	_ = in.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		t.Error("the program outlives the gateway")
	}
}

func TestLinesThatAreNotOfTheProtocol(t *testing.T) {
	for _, line := range []string{"", "{}", `{"version":2}`, "null", "[]", `{"version":1,"source":{"memory":1,"threads":1},"sql":"SELECT 1","columns":["number"]}`,
		`{"version":1,"more":1}`, `{"version":1,"args":[1.5]}`, strings.Repeat("x", 100), `{"version":1,"source":{"tables":[{"name":"t","format":"csv","files":["/[" ]}],"memory":1,"threads":1}}`} {
		in, lines := io.Pipe() // it stays open until there is an answer
		answers, out := io.Pipe()
		go func() { _ = duckdb.Serve(in, out) }()
		go func() { _, _ = io.WriteString(lines, line+"\n") }()
		var r process.Response
		if err := process.ReadLine(bufio.NewReader(answers), &r); err != nil || r.Failed != process.FailedRequest && r.Failed != process.FailedSource {
			t.Errorf("%q: answer %+v, error %v", line, r, err)
		}
		_ = lines.Close()
	}
	if err := duckdb.Serve(strings.NewReader(""), io.Discard); err != nil {
		t.Errorf("no request at all: %v", err)
	}
}
