package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
)

// migrations are one schema's, in order: the first is version 1.
type migrations struct {
	name  string
	files []migration
}

type migration struct {
	version int
	file    string
	text    string // as it is in the file
	sql     string // as the database takes it
}

var migrationName = regexp.MustCompile(`^([0-9]{3})_[a-z0-9_]+\.sql$`)

// plan reads the schemas and returns their migrations, or [ErrSchema].
func plan(schemas []Schema) ([]migrations, error) {
	var plans []migrations
	for _, s := range schemas {
		if s.Name == "" || s.FS == nil {
			return nil, fmt.Errorf("%w: it has no name or no files", ErrSchema)
		}
		if slices.ContainsFunc(plans, func(m migrations) bool { return m.name == s.Name }) {
			return nil, fmt.Errorf("%w: %s is given twice", ErrSchema, s.Name)
		}
		files, err := readMigrations(s.FS)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrSchema, s.Name, err)
		}
		plans = append(plans, migrations{s.Name, files})
	}
	return plans, nil
}

func readMigrations(fsys fs.FS) ([]migration, error) {
	var files []migration
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(p) != ".sql" {
			return err
		}
		m := migrationName.FindStringSubmatch(path.Base(p))
		if m == nil {
			return fmt.Errorf("file %s is not named NNN_name.sql", p)
		}
		text, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		version, _ := strconv.Atoi(m[1]) // three digits
		files = append(files, migration{version, p, string(text), dialect(string(text))})
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b migration) int { return a.version - b.version })
	for i, f := range files {
		if f.version != i+1 {
			return nil, fmt.Errorf("file %s has number %d, want %d", f.file, f.version, i+1)
		}
	}
	if len(files) == 0 {
		return nil, errors.New("it has no migrations")
	}
	return files, nil
}

var rowKey = regexp.MustCompile(`(?i)\bBIGINT(\s+(?:NOT\s+NULL\s+)?PRIMARY\s+KEY)`)

// dialect turns the portable statements into SQLite's. Only INTEGER PRIMARY KEY is the row's own key there; any other type would cost
// a second index.
func dialect(text string) string { return rowKey.ReplaceAllString(text, "INTEGER$1") }

const versionsTable = `CREATE TABLE IF NOT EXISTS store_schemas (name TEXT PRIMARY KEY NOT NULL, version BIGINT NOT NULL)`

// migrate brings every schema to the program's version in one transaction.
func migrate(ctx context.Context, conn *sql.Conn, plans []migrations) (err error) {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("beginning the migration: %w", err)
	}
	end := "ROLLBACK"
	defer func() {
		if _, e := conn.ExecContext(context.WithoutCancel(ctx), end); err == nil && e != nil {
			err = fmt.Errorf("ending the migration: %w", e)
		}
	}()
	if _, err := conn.ExecContext(ctx, versionsTable); err != nil {
		return fmt.Errorf("preparing the migration: %w", err)
	}
	for _, p := range plans {
		if err := migrateOne(ctx, conn, p); err != nil {
			return err
		}
	}
	end = "COMMIT"
	return nil
}

func migrateOne(ctx context.Context, conn *sql.Conn, p migrations) error {
	var have int
	err := conn.QueryRowContext(ctx, "SELECT version FROM store_schemas WHERE name = ?", p.name).Scan(&have)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("reading the version of %s: %w", p.name, err)
	}
	want := len(p.files)
	switch {
	case have > want:
		return newer(p.name, have, want)
	case have == want:
		return nil
	}
	for _, m := range p.files[have:] {
		if _, err := conn.ExecContext(ctx, m.sql); err != nil {
			return fmt.Errorf("migrating %s by %s: %w", p.name, m.file, err)
		}
	}
	const set = "INSERT INTO store_schemas (name, version) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET version = excluded.version"
	if _, err := conn.ExecContext(ctx, set, p.name, want); err != nil {
		return fmt.Errorf("writing the version of %s: %w", p.name, err)
	}
	return nil
}

func newer(name string, have, want int) error {
	return fmt.Errorf("%w: schema %s is version %d there, this program knows %d; run the newer program, or restore the backup made before it",
		ErrNewer, name, have, want)
}
