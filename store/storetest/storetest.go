// Package storetest helps to test what keeps state, and examines implementations of [store.DB].
package storetest

import (
	"testing"

	"github.com/scrimhq/scrim/store"
)

// Open returns a database in a directory of its own that ends with the test.
func Open(tb testing.TB, schemas ...store.Schema) *store.SQLite {
	tb.Helper()
	return OpenDir(tb, tb.TempDir(), schemas...)
}

// OpenDir returns the database of dir, so that a test can close it and open it again. It is closed with the test.
func OpenDir(tb testing.TB, dir string, schemas ...store.Schema) *store.SQLite {
	tb.Helper()
	db, err := store.Open(tb.Context(), dir, schemas, store.Options{})
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
