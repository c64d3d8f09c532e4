// Package storetest helps to test what keeps state, and examines implementations of [store.DB].
//
// With SCRIM_TEST_STORE=postgres the tests of all that is opened by it run on PostgreSQL, on a server of their own.
package storetest

import (
	"context"
	"os"
	"testing"

	"github.com/scrimhq/scrim/store"
)

// Open returns a database of its own that ends with the test.
func Open(tb testing.TB, schemas ...store.Schema) store.DB {
	tb.Helper()
	return OpenDir(tb, tb.TempDir(), schemas...)
}

// OpenDir returns the database of dir, so that a test can close it and open it again. It is closed with the test. On PostgreSQL
// a schema stands for the directory.
func OpenDir(tb testing.TB, dir string, schemas ...store.Schema) store.DB {
	tb.Helper()
	db, err := Try(tb, dir, store.Options{}, schemas...)
	if err != nil {
		tb.Fatalf("opening the store: %v", err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("closing the store: %v", err)
		}
	})
	return db
}

// Try opens the database of dir and leaves the error, and the closing, to the test. On PostgreSQL nothing is durable.
func Try(tb testing.TB, dir string, opt store.Options, schemas ...store.Schema) (store.DB, error) {
	tb.Helper()
	Prepare(tb)
	return Dir(context.Background(), dir, opt, schemas...)
}

// Prepare starts the server that the process shares, if the tests run on PostgreSQL. A test calls it before it starts processes that call [Dir].
func Prepare(tb testing.TB) {
	tb.Helper()
	if OnPostgres() {
		prepare(tb)
	}
}

// Dir is [Try] for a process that a test started.
func Dir(ctx context.Context, dir string, opt store.Options, schemas ...store.Schema) (store.DB, error) {
	if OnPostgres() {
		return postgres(ctx, dir, opt, schemas)
	}
	db, err := store.Open(ctx, dir, schemas, opt)
	if err != nil {
		return nil, err
	}
	return db, nil
}

// OnPostgres reports whether the tests run on PostgreSQL.
func OnPostgres() bool { return os.Getenv("SCRIM_TEST_STORE") == "postgres" }

// NeedsDirectory skips a test that looks into SQLite's files if the tests run on PostgreSQL.
func NeedsDirectory(tb testing.TB) {
	tb.Helper()
	if OnPostgres() {
		tb.Skip("looks into the files of a data directory")
	}
}
