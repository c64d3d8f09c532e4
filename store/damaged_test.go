package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/store"
)

// Pages of the database that are not what was written: reading them says which file it is and what to do, and stops the store for good, whoever read
// them. A file that is no database at all is not opened.
func TestDamagedFileStopsTheStore(t *testing.T) {
	schema := store.Schema{Name: "sized", FS: fstest.MapFS{"001_sized.sql": {Data: []byte("CREATE TABLE sized (id BIGINT PRIMARY KEY, b BLOB NOT NULL);")}}}
	insert := func(tx store.Tx) error {
		_, err := tx.Exec("INSERT INTO sized (id, b) VALUES (?, ?)", 1000, []byte("x"))
		return err
	}
	count := func(tx store.Tx) error {
		rows, err := tx.Query("SELECT b FROM sized ORDER BY id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
		}
		return rows.Err()
	}
	says := func(t *testing.T, err error, file string) {
		t.Helper()
		if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "keep a copy") {
			t.Errorf("error = %v, want ErrDamaged with %s and what to do", err, file)
		}
	}
	for name, read := range map[string]func(store.DB) error{
		"a view":        func(db store.DB) error { return db.View(t.Context(), count) },
		"a transaction": func(db store.DB) error { return db.Update(t.Context(), count) },
		"a write":       func(db store.DB) error { return db.Update(t.Context(), insert) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db, err := store.Open(t.Context(), dir, []store.Schema{schema}, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(t.Context(), func(tx store.Tx) error {
				for i := range 200 {
					if _, err := tx.Exec("INSERT INTO sized (id, b) VALUES (?, ?)", i, make([]byte, 1000)); err != nil {
						return err
					}
				}
				return nil
			})
			if err = errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "scrim.db")
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i := len(b) / 8; i < len(b); i++ { // the first pages have the schema
				b[i] = 0xff
			}
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if db, err = store.Open(t.Context(), dir, []store.Schema{schema}, store.Options{}); err != nil {
				says(t, err, file)
				return
			}
			defer db.Close()
			says(t, read(db), file)
			err = db.Update(t.Context(), insert)
			if !errors.Is(err, store.ErrBroken) {
				t.Errorf("Update() afterwards: error = %v, want ErrBroken", err)
			}
			says(t, err, file)
			select {
			case <-db.Stopped():
			default:
				t.Error("Stopped() is open")
			}
		})
	}
	t.Run("no database", func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, "scrim.db")
		if err := os.WriteFile(file, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := store.Open(t.Context(), dir, []store.Schema{schema}, store.Options{})
		says(t, err, file)
	})
}
