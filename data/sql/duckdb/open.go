package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/csv"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	driverduckdb "github.com/duckdb/duckdb-go/v2"

	"github.com/scrimhq/scrim/data/sql/process"
)

// open makes a database in memory with one view for each table, which can open the declared files and nothing else, and whose settings
// cannot be changed any more. It also lists the tables with their columns.
func open(ctx context.Context, src *process.Source) (*sql.DB, []process.Table, error) {
	tables, paths, err := find(src)
	if err != nil {
		return nil, nil, err
	}
	c, err := driverduckdb.NewConnector("", func(driver.ExecerContext) error { return nil })
	if err != nil {
		return nil, nil, err
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	if err := set(ctx, db, src, paths); err != nil {
		_ = db.Close()
		return nil, nil, err
	}
	if src.Database != "" {
		tables, err = attached(ctx, db)
	} else {
		err = views(ctx, db, tables)
	}
	if err == nil {
		_, err = db.ExecContext(ctx, "SET lock_configuration = true")
	}
	if err != nil {
		_ = db.Close()
		return nil, nil, err
	}
	return db, tables, nil
}

// set closes all that is open in DuckDB by default. Paths that it may open have to be listed while external access is still on; once it
// is off it cannot be turned on again.
func set(ctx context.Context, db *sql.DB, src *process.Source, paths []string) error {
	statements := []string{
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET allow_community_extensions = false",
		"SET allow_persistent_secrets = false",
		"SET enable_progress_bar = false",
		fmt.Sprintf("SET memory_limit = '%dKiB'", max(src.Memory>>10, 1)),
		fmt.Sprintf("SET threads = %d", src.Threads),
		"SET temp_directory = " + quote(src.Temp),
		"SET preserve_insertion_order = false",
		"SET allowed_paths = " + list(paths),
	}
	if src.Database != "" { // while it may be: DuckDB also looks for its log
		statements = append(statements, "ATTACH "+quote(paths[0])+" AS source (READ_ONLY)", "USE source")
	}
	statements = append(statements, "SET enable_external_access = false")
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return failed(process.FailedSource)
		}
	}
	return nil
}

// find looks up the files that are there now. The paths are what the patterns resolve to, without links.
func find(src *process.Source) ([]process.Table, []string, error) {
	if (src.Database == "") == (len(src.Tables) == 0) {
		return nil, nil, failed(process.FailedRequest)
	}
	if src.Database != "" {
		path, err := resolve(src.Database)
		return nil, []string{path}, err
	}
	var paths []string
	tables := slices.Clone(src.Tables)
	for i := range tables {
		var files []string
		for _, pattern := range tables[i].Files {
			found, err := filepath.Glob(pattern)
			if err != nil || len(found) == 0 {
				return nil, nil, failed(process.FailedSource)
			}
			for _, f := range found {
				path, err := resolve(f)
				if err != nil {
					return nil, nil, err
				}
				if !slices.Contains(files, path) { // a file that two patterns match is read once
					files = append(files, path)
				}
			}
		}
		slices.Sort(files)
		tables[i].Files = files
		paths = append(paths, files...)
	}
	return tables, paths, nil
}

// resolve is the path of a regular file without links. DuckDB would take it for a pattern if it had such a character.
func resolve(path string) (string, error) {
	p, err := filepath.EvalSymlinks(path)
	if err != nil || !filepath.IsAbs(p) || strings.ContainsAny(p, `*?[]{}`) {
		return "", failed(process.FailedSource)
	}
	if info, err := os.Stat(p); err != nil || info.Mode().Type() != fs.FileMode(0) {
		return "", failed(process.FailedSource)
	}
	return p, nil
}

// views makes a view of each table and fills in its columns. Of text files every column is text: the statement says what is read of it.
func views(ctx context.Context, db *sql.DB, tables []process.Table) error {
	for i := range tables {
		t := &tables[i]
		var from string
		switch t.Format {
		case process.Parquet:
			from = "read_parquet(" + list(t.Files) + ", hive_partitioning = false)"
		case process.CSV:
			header, err := header(t.Files)
			if err != nil {
				return err
			}
			from = "read_csv(" + list(t.Files) + ", auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"'," +
				" compression = 'none', ignore_errors = true, columns = " + varchars(header) + ")"
		case process.JSON:
			from = "read_json(" + list(t.Files) + ", format = 'newline_delimited', compression = 'uncompressed', ignore_errors = true, columns = " +
				varchars(t.Columns) + ")"
		default:
			return failed(process.FailedRequest)
		}
		view := name(t.Name)
		if schema, table, ok := strings.Cut(t.Name, "."); ok { // as the dialect writes it
			view = name(schema) + "." + name(table)
			if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+name(schema)); err != nil {
				return failed(process.FailedSource)
			}
		}
		if _, err := db.ExecContext(ctx, "CREATE VIEW "+view+" AS SELECT *"+integers(t.Integers)+" FROM "+from); err != nil {
			return failed(process.FailedSource)
		}
		rows, err := db.QueryContext(ctx, "SELECT * FROM "+view+" LIMIT 0")
		if err != nil {
			return failed(process.FailedSource)
		}
		t.Columns, t.Types = nil, nil
		columns, err := rows.ColumnTypes()
		for _, c := range columns {
			t.Columns, t.Types = append(t.Columns, c.Name()), append(t.Types, native(c.DatabaseTypeName()))
		}
		if closed := rows.Close(); err != nil || closed != nil {
			return failed(process.FailedSource)
		}
		t.Format, t.Files, t.Integers = "", nil, nil // an answer says nothing of where they lie
	}
	return nil
}

// integers replaces columns of text by the whole numbers that they write, with nothing but zeros behind a point.
func integers(columns []string) string {
	if len(columns) == 0 {
		return ""
	}
	parts := make([]string, len(columns))
	for i, c := range columns {
		c = name(c)
		parts[i] = "CASE WHEN regexp_full_match(" + c + `, '\s*[+-]?[0-9]+(\.0*)?\s*') THEN TRY_CAST(regexp_extract(` + c + ", '[+-]?[0-9]+') AS BIGINT) END AS " + c
	}
	return " REPLACE (" + strings.Join(parts, ", ") + ")"
}

// header is the column names of CSV files, which all have the same.
func header(files []string) ([]string, error) {
	var header []string
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return nil, failed(process.FailedSource)
		}
		got, err := csv.NewReader(f).Read()
		if closed := f.Close(); err != nil || closed != nil {
			return nil, failed(process.FailedSource)
		}
		if len(got) > 0 {
			got[0] = strings.TrimPrefix(got[0], "\ufeff")
		}
		if header != nil && !slices.Equal(header, got) {
			return nil, failed(process.FailedSource)
		}
		header = got
	}
	seen := map[string]bool{}
	for _, h := range header {
		if folded := strings.ToLower(h); h == "" || seen[folded] {
			return nil, failed(process.FailedSource)
		}
		seen[strings.ToLower(h)] = true
	}
	return header, nil
}

// attached lists the tables of the database, which is where names without one are looked up.
func attached(ctx context.Context, db *sql.DB) ([]process.Table, error) {
	rows, err := db.QueryContext(ctx, "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = 'source' ORDER BY ALL")
	if err != nil {
		return nil, failed(process.FailedSource)
	}
	defer func() { _ = rows.Close() }()
	var tables []process.Table
	for rows.Next() {
		var schema, table, column, kind string
		if err := rows.Scan(&schema, &table, &column, &kind); err != nil {
			return nil, err
		}
		if schema != "main" {
			table = schema + "." + table
		}
		if n := len(tables); n == 0 || tables[n-1].Name != table {
			tables = append(tables, process.Table{Name: table})
		}
		last := &tables[len(tables)-1]
		last.Columns, last.Types = append(last.Columns, column), append(last.Types, native(kind))
	}
	return tables, rows.Err()
}

// native is what the protocol calls a type of DuckDB.
func native(kind string) process.Native {
	name, _, _ := strings.Cut(kind, "(")
	if strings.HasSuffix(kind, "]") {
		return process.NativeOther
	}
	switch name {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER":
		return process.NativeInteger
	case "UBIGINT", "HUGEINT", "UHUGEINT", "DECIMAL":
		return process.NativeDecimal
	case "FLOAT", "DOUBLE":
		return process.NativeFloat
	case "VARCHAR", "UUID", "ENUM":
		return process.NativeText
	case "BOOLEAN":
		return process.NativeTruth
	case "DATE":
		return process.NativeDate
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		return process.NativeTimestamp
	case "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		return process.NativeInstant
	}
	return process.NativeOther
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func name(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func list(of []string) string {
	quoted := make([]string, len(of))
	for i, s := range of {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func varchars(columns []string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = quote(c) + ": 'VARCHAR'"
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
