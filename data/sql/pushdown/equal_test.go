package pushdown_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

	"github.com/scrimhq/scrim/data/sql/dialect"
	"github.com/scrimhq/scrim/data/sql/pushdown"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
	"github.com/scrimhq/scrim/store/pgtest"
)

var seed = relation.Seed{1, 2, 3, 5: 9, 31: 7}

// rounds is how many random tables, and questions of each, are compared.
func rounds(short, long int) int {
	if os.Getenv("SCRIM_LONG") == "1" {
		return long
	}
	return short
}

// quote is an identifier of the tests.
func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// lite puts tables into a new database file and opens it.
func lite(t testing.TB, tables relationtest.Tables) *pushdown.Lite {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		names, marks := make([]string, len(table.Fields)), make([]string, len(table.Fields))
		for i, f := range table.Fields {
			names[i], marks[i] = quote(f.Source)+" COLLATE NOCASE", "?"
		}
		if _, err := tx.Exec("CREATE TABLE " + quote(table.Name) + " (" + strings.Join(names, ", ") + ")"); err != nil {
			t.Fatal(err)
		}
		for _, row := range table.Rows {
			if _, err := tx.Exec("INSERT INTO "+quote(table.Name)+" VALUES ("+strings.Join(marks, ", ")+")", row...); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	l, err := pushdown.SQLite(path, pushdown.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// pg puts tables into a new database and opens it.
func pg(t testing.TB, tables relationtest.Tables) (*pushdown.PG, *pgx.Conn) {
	t.Helper()
	url := pgtest.Common(t).Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	for _, table := range tables {
		var columns []string
		for _, f := range table.Fields {
			typ := map[relation.Kind]string{relation.Number: "int8", relation.Text: "text", relation.Truth: "bool", relation.Date: "date", relation.Time: "timestamptz"}[f.Type.Kind]
			if f.Type.Places > 0 {
				typ = "numeric"
			}
			columns = append(columns, quote(f.Source)+" "+typ)
		}
		sql := "CREATE TABLE " + quote(table.Name) + " (" + strings.Join(columns, ", ") + ");\n"
		for _, row := range table.Rows {
			cells := make([]string, len(row))
			for i, c := range row {
				if cells[i] = "NULL"; c != nil {
					cells[i] = "'" + strings.ReplaceAll(fmt.Sprint(c), "'", "''") + "'"
				}
			}
			sql += "INSERT INTO " + quote(table.Name) + " VALUES (" + strings.Join(cells, ", ") + ");\n"
		}
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	p, err := pushdown.Postgres(url, pushdown.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, conn
}

// serverRanks has the server compute its own hashes, value by value.
type serverRanks struct {
	t    testing.TB
	conn *pgx.Conn
	seen map[string]int64
}

func (r serverRanks) rank(unit, group, cell []relation.Value) []byte {
	d := dialect.Postgres{}
	hashed := func(of []relation.Value, nullable bool) (out []dialect.Hashed) {
		for _, v := range of {
			sql := d.Number(v.Int)
			switch {
			case v.Null:
				sql = d.Null(v.Kind)
			case v.Kind == relation.Text:
				sql = d.Text(v.Text)
			case v.Kind == relation.Truth:
				sql = d.Truth(v.Int == 1)
			}
			out = append(out, dialect.Hashed{SQL: sql, Kind: v.Kind, Nullable: nullable})
		}
		return out
	}
	words := dialect.Seeds(seed)
	sql := d.Hash([]string{d.Number(words[0]), d.Number(words[1])}, hashed(unit, false), hashed(group, true), hashed(cell, false))
	n, ok := r.seen[sql]
	if !ok {
		if err := r.conn.QueryRow(context.Background(), "SELECT "+sql, pgx.QueryExecModeExec).Scan(&n); err != nil {
			r.t.Fatal(err)
		}
		r.seen[sql] = n
	}
	return fmt.Appendf(nil, "%020d", uint64(n)^1<<63)
}

func (r serverRanks) Group(unit, group []relation.Value) []byte { return r.rank(unit, group, nil) }

func (r serverRanks) Bin(unit, group []relation.Value, cell int, number int64) []byte {
	return r.rank(unit, group, []relation.Value{{Int: int64(cell)}, {Int: number}})
}

// run is what an engine answers, in the order of [relation.Encode].
func run(t testing.TB, e relation.Engine, q *relation.Bounded) []relation.Group {
	t.Helper()
	var out []relation.Group
	if err := e.Run(t.Context(), q, seed, func(g relation.Group) error { out = append(out, g); return nil }); err != nil {
		t.Errorf("Run: %v\n%s", err, statement(q))
		return nil
	}
	slices.SortFunc(out, func(a, b relation.Group) int {
		return strings.Compare(string(relation.Encode(nil, a.Keys...)), string(relation.Encode(nil, b.Keys...)))
	})
	return out
}

// statement is what a question became, for looking at.
func statement(q *relation.Bounded) string {
	s, err := dialect.Emit(dialect.SQLite{}, q, func(string, string) (dialect.Native, error) { return dialect.Dynamic, nil })
	if err != nil {
		return err.Error()
	}
	return s.SQL
}

func same(a, b []relation.Group) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// TestSQLiteEqualsTheReference compares random questions over random tables, the hash included.
func TestSQLiteEqualsTheReference(t *testing.T) {
	for round := range rounds(6, 50) {
		rng := rand.New(rand.NewPCG(uint64(round), 1))
		tables := relationtest.Random(rng, 40)
		e := lite(t, tables)
		for range rounds(40, 100) {
			q := relationtest.Question(rng, tables)
			want, err := relation.Evaluate(t.Context(), q, seed, tables.Open(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := run(t, e, q); !same(got, want) {
				t.Fatalf("round %d:\n got %v\nwant %v\n%s", round, got, want, statement(q))
			}
		}
	}
}

// TestPostgresEqualsTheReference compares random questions over random tables; where groups and rows are chosen, by the server's own hashes.
func TestPostgresEqualsTheReference(t *testing.T) {
	for round := range rounds(2, 15) {
		rng := rand.New(rand.NewPCG(uint64(round), 2))
		tables := relationtest.Random(rng, 40)
		e, conn := pg(t, tables)
		ranks := serverRanks{t, conn, map[string]int64{}}
		for range rounds(40, 100) {
			q := relationtest.Question(rng, tables)
			want, err := relation.Evaluate(t.Context(), q, seed, tables.Open(), ranks)
			if err != nil {
				t.Fatal(err)
			}
			if got := run(t, e, q); !same(got, want) {
				t.Fatalf("round %d:\n got %v\nwant %v\n%s", round, got, want, statement(q))
			}
		}
	}
}

// postgres opens a database that is there.
func postgres(t testing.TB, url string) *pushdown.PG {
	t.Helper()
	p, err := pushdown.Postgres(url, pushdown.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}
