package pushdown_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scrimhq/scrim/data/sql/pushdown"
	"github.com/scrimhq/scrim/store/pgtest"
)

// goldenTables are what the statements under dialect/testdata are about, on PostgreSQL.
var goldenTables = []string{
	"CREATE SCHEMA clinic",
	`CREATE TABLE clinic.stays (patient text, ward text, sex text, age int4, cost numeric, pulse float8, admitted date, seen timestamptz, noted timestamp, urgent bool, weight text)`,
	"CREATE TABLE clinic.visits (patient text, ward text, cost numeric)", "CREATE TABLE clinic.patients (patient text, sex text)", "CREATE TABLE public.wards (code text, name text)",
}

// TestGoldenSQLRunsOnPostgres has the server plan and run what is held by dialect's TestGoldenSQL.
func TestGoldenSQLRunsOnPostgres(t *testing.T) {
	url := pgtest.Common(t).Database(t)
	pgtest.Exec(t, url, append(goldenTables[:len(goldenTables):len(goldenTables)], `INSERT INTO clinic.stays VALUES ('p', 'w', 'f', 70, 1.5, 60.5, '2020-01-01', '2020-01-01', '2020-01-01', true, '12')`)...)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for name, statement := range golden(t, "postgres") {
		var args []any
		if strings.Contains(statement, "$1") {
			args = []any{int64(1), int64(2)}
		}
		rows, err := conn.Query(t.Context(), statement, args...)
		if err == nil {
			rows.Close()
			err = rows.Err()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGoldenSQLRunsOnSQLite does it with SQLite.
func TestGoldenSQLRunsOnSQLite(t *testing.T) {
	db, err := pushdown.LiteMemory()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range goldenTables[1:] {
		before, after, _ := strings.Cut(s, " (")
		if _, err := db.Exec(`CREATE TABLE "` + strings.TrimPrefix(before, "CREATE TABLE ") + `" (` + after); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec(`INSERT INTO "clinic.stays" VALUES ('p', 'w', 'f', 70, 1.5, 60.5, '2020-01-01', '2020-01-01', '2020-01-01', true, '12')`); err != nil {
		t.Fatal(err)
	}
	for name, statement := range golden(t, "sqlite") {
		var args []any
		if strings.Contains(statement, "?1") {
			args = []any{seed[:]}
		}
		rows, err := db.Query(statement, args...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for rows.Next() {
		}
		if err := rows.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func golden(t *testing.T, dialect string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "dialect", "testdata", dialect, "*.sql"))
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	out := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(f)] = string(b)
	}
	return out
}
