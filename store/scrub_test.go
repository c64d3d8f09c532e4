package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/scrimhq/scrim/store"
)

// filled returns a database with fifteen rows of each of many subjects that came in no order, so that pages were split and balanced all the time.
func filled(t *testing.T) (db *store.SQLite, subjects [][]byte) {
	t.Helper()
	db = openNew(t, schema("CREATE TABLE about (subject BLOB NOT NULL, seq BIGINT NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (subject, seq)); CREATE INDEX about_seq ON about (seq);")...)
	for range 1000 {
		s := make([]byte, 16)
		_, _ = rand.Read(s)
		subjects = append(subjects, s)
	}
	sealed := make([]byte, 75)
	order := mathrand.Perm(15 * len(subjects))
	for from := 0; from < len(order); from += 500 {
		err := db.Update(t.Context(), func(tx store.Tx) error {
			for seq := from; seq < from+500; seq++ {
				_, _ = rand.Read(sealed)
				if _, err := tx.Exec("INSERT INTO about (subject, seq, sealed) VALUES (?, ?, ?)", subjects[order[seq]%len(subjects)], seq, sealed); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return db, subjects
}

func drop(t *testing.T, db store.DB, subjects [][]byte) {
	t.Helper()
	for _, s := range subjects {
		if err := db.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Exec("DELETE FROM about WHERE subject = ?", s); return err }); err != nil {
			t.Fatal(err)
		}
	}
}

// heldOf counts the subjects of whom a file of the directory holds anything.
func heldOf(t *testing.T, dir string, subjects [][]byte) (n int) {
	t.Helper()
	var all []byte
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	for _, s := range subjects {
		if bytes.Contains(all, s) {
			n++
		}
	}
	return n
}

func TestScrubbedFilesHoldNothingThatWasDeleted(t *testing.T) {
	db, subjects := filled(t)
	gone, stay := subjects[:300], subjects[300:]
	if n := heldOf(t, db.Dir(), gone); n != len(gone) {
		t.Fatalf("files hold %d of %d before, so the search is no good", n, len(gone))
	}
	drop(t, db, gone)
	if n := heldOf(t, db.Dir(), gone); n == 0 {
		t.Error("files hold nothing before the scrub either, so this test shows nothing")
	}
	if err := db.Scrub(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if n := heldOf(t, db.Dir(), gone); n != 0 {
		t.Errorf("files hold %d of those that were deleted, want 0", n)
	}
	if n := heldOf(t, db.Dir(), stay); n != len(stay) {
		t.Errorf("files hold %d of those that were not deleted, want %d", n, len(stay))
	}
	drop(t, db, stay[:1]) // the store still writes
	if err := db.Scrub(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if n := heldOf(t, db.Dir(), stay[:1]); n != 0 {
		t.Error("a scrub that takes nothing on trust left something")
	}
}

// A long view holds the write-ahead log. The scrub says that it is not done rather than that it is, and can be done later.
func TestScrubDoesNotPassOverALongView(t *testing.T) {
	db, subjects := filled(t)
	begun, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- db.View(context.Background(), func(tx store.Tx) error {
			var n int64
			err := tx.QueryRow("SELECT count(*) FROM about").Scan(&n)
			close(begun)
			<-end
			return err
		})
	}()
	<-begun
	drop(t, db, subjects[:1])
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := db.Scrub(ctx, subjects[:1]); err == nil {
		t.Error("Scrub() under a long view error = nil")
	}
	close(end)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := db.Scrub(t.Context(), subjects[:1]); err != nil {
		t.Fatal(err)
	}
	if n := heldOf(t, db.Dir(), subjects[:1]); n != 0 {
		t.Error("files hold what was deleted")
	}
}

func TestScrubOfAClosedStore(t *testing.T) {
	db := openNew(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Scrub(t.Context(), nil); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Scrub() error = %v, want ErrClosed", err)
	}
}
