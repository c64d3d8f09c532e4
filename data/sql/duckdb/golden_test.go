package duckdb_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGoldenSQLRuns has DuckDB run the statements of its dialect.
func TestGoldenSQLRuns(t *testing.T) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range []string{
		"CREATE SCHEMA clinic", "CREATE SCHEMA IF NOT EXISTS public",
		"CREATE TABLE clinic.stays (patient VARCHAR, ward VARCHAR, sex VARCHAR, age INTEGER, cost DECIMAL(20,4), pulse DOUBLE, admitted DATE, seen TIMESTAMPTZ, noted TIMESTAMP, urgent BOOLEAN, weight VARCHAR)",
		"CREATE TABLE clinic.visits (patient VARCHAR, ward VARCHAR, cost DECIMAL(20,4))", "CREATE TABLE clinic.patients (patient VARCHAR, sex VARCHAR)", "CREATE TABLE public.wards (code VARCHAR, name VARCHAR)",
		`INSERT INTO clinic.stays VALUES ('p', 'w', 'f', 70, 1.5, 60.5, '2020-01-01', '2020-01-01', '2020-01-01', true, '12'), ('p', 'w', 'f', -70, -99999.99, 'nan', 'infinity', 'infinity', 'infinity', false, '1e999'),
			('q', NULL, NULL, NULL, NULL, '-inf', '-infinity', '-infinity', '-infinity', NULL, 'x')`,
	} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join("..", "dialect", "testdata", "duckdb", "*.sql"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var args []any
		if strings.Contains(string(b), "$1") {
			args = []any{int64(1), int64(2)}
		}
		rows, err := db.Query(string(b), args...)
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		for rows.Next() {
		}
		if err := rows.Err(); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}
