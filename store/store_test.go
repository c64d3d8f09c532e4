package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// openNew opens a database of SQLite that ends with the test.
func openNew(tb testing.TB, schemas ...store.Schema) *store.SQLite {
	tb.Helper()
	return openDir(tb, tb.TempDir(), schemas...)
}

func openDir(tb testing.TB, dir string, schemas ...store.Schema) *store.SQLite {
	tb.Helper()
	db, err := store.Open(tb.Context(), dir, schemas, store.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

func TestExam(t *testing.T) {
	storetest.Exam(t, func(tb testing.TB, schemas ...store.Schema) store.DB { return openNew(tb, schemas...) })
}

func TestExamWithWindow(t *testing.T) {
	storetest.Exam(t, func(tb testing.TB, schemas ...store.Schema) store.DB {
		db, err := store.Open(tb.Context(), tb.TempDir(), schemas, store.Options{Window: 5 * time.Millisecond, MaxBatch: 3, Readers: 1})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { db.Close() })
		return db
	})
}

func TestDirectoryIsForOneProcess(t *testing.T) {
	dir := t.TempDir()
	first := openDir(t, dir)
	_, err := store.Open(t.Context(), dir, nil, store.Options{})
	if !errors.Is(err, store.ErrLocked) {
		t.Fatalf("second Open() error = %v, want ErrLocked", err)
	}
	for _, want := range []string{dir, fmt.Sprint(os.Getpid()), "admin API"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("second Open() says %q, which does not mention %q", err, want)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	openDir(t, dir)
}

func TestDirectoryIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs Unix permissions")
	}
	dir := filepath.Join(t.TempDir(), "a b?c#d%41", "data") // characters that mean something in a data source name
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	db := openDir(t, dir, storetest.Things())
	if err := db.Update(t.Context(), addThing(1)); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range []string{"", "scrim.db", "scrim.db-wal", "scrim.db-shm", "scrim.lock"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if perm := info.Mode().Perm(); perm&0o077 != 0 {
			t.Errorf("%q has mode %o, want nothing for others", name, perm)
		}
		seen++
	}
	if seen != 5 {
		t.Errorf("looked at %d files, want 5", seen)
	}
	shared := t.TempDir()
	if err := os.Chmod(shared, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if db, err := store.Open(t.Context(), shared, nil, store.Options{}); err == nil {
		db.Close()
		t.Error("Open() of a directory shared by all users: error = nil, want one")
	}
}

func addThing(id int) func(store.Tx) error {
	return func(tx store.Tx) error {
		_, err := tx.Exec("INSERT INTO things (id, name) VALUES (?, ?)", id, "x")
		return err
	}
}

func schema(files ...string) []store.Schema {
	fsys := fstest.MapFS{}
	for i, text := range files {
		fsys[fmt.Sprintf("migrations/%03d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	return []store.Schema{{Name: "test", FS: fsys}}
}

func TestMigrations(t *testing.T) {
	dir := t.TempDir()
	const one = "CREATE TABLE a (id BIGINT PRIMARY KEY); CREATE TABLE b (id BIGINT NOT NULL, x BLOB);"
	const two = "ALTER TABLE a ADD COLUMN name TEXT;\nINSERT INTO a (id, name) VALUES (1, 'one');"
	try := func(files ...string) error {
		db, err := store.Open(t.Context(), dir, schema(files...), store.Options{})
		if err == nil {
			err = db.Close()
		}
		return err
	}
	for _, step := range []struct {
		name  string
		files []string
		want  error
	}{
		{"a new directory", []string{one}, nil},
		{"the same again", []string{one}, nil},
		{"a newer program", []string{one, two}, nil},
		{"the same again", []string{one, two}, nil},
		{"the older program", []string{one}, store.ErrNewer},
		{"the newer program after the refusal", []string{one, two}, nil},
	} {
		if err := try(step.files...); !errors.Is(err, step.want) {
			t.Errorf("%s: Open() error = %v, want %v", step.name, err, step.want)
		}
	}
	if err := try(one, two, "CREATE TABLE c (id BIGINT); CREATE TABLE nonsense ("); err == nil {
		t.Error("a migration that does not parse: Open() error = nil, want one")
	}
	db := openDir(t, dir, schema(one, two, "CREATE TABLE c (id BIGINT);")...) // the half migration left nothing
	err := db.View(t.Context(), func(tx store.Tx) error {
		var id, key int
		err := tx.QueryRow("SELECT a.id, a.rowid FROM a WHERE name = 'one'").Scan(&id, &key)
		if id != 1 || key != 1 {
			t.Errorf("row has id %d, key %d, want 1 and 1", id, key)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestNewerSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	openDir(t, dir, schema("CREATE TABLE a (id BIGINT);", "CREATE TABLE b (id BIGINT);")...).Close()
	_, err := store.Open(t.Context(), dir, schema("CREATE TABLE a (id BIGINT);"), store.Options{})
	for _, want := range []string{dir, "schema test is version 2", "knows 1", "newer program"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open() says %q, which does not mention %q", err, want)
		}
	}
}

func TestSchemasThatAreNotValid(t *testing.T) {
	file := &fstest.MapFile{Data: []byte("CREATE TABLE a (id BIGINT);")}
	for name, schemas := range map[string][]store.Schema{
		"no name":      {{FS: fstest.MapFS{"001_a.sql": file}}},
		"no files":     {{Name: "a"}},
		"empty":        {{Name: "a", FS: fstest.MapFS{}}},
		"a gap":        {{Name: "a", FS: fstest.MapFS{"001_a.sql": file, "003_b.sql": file}}},
		"not from one": {{Name: "a", FS: fstest.MapFS{"002_a.sql": file}}},
		"one twice":    {{Name: "a", FS: fstest.MapFS{"001_a.sql": file, "001_b.sql": file}}},
		"an odd name":  {{Name: "a", FS: fstest.MapFS{"1.sql": file}}},
		"a name twice": {{Name: "a", FS: fstest.MapFS{"001_a.sql": file}}, {Name: "a", FS: fstest.MapFS{"001_a.sql": file}}},
	} {
		if _, err := store.Open(t.Context(), t.TempDir(), schemas, store.Options{}); !errors.Is(err, store.ErrSchema) {
			t.Errorf("%s: Open() error = %v, want ErrSchema", name, err)
		}
	}
}

// A closure that ends its goroutine ends its caller's, its writes are undone and the store goes on.
func TestClosureThatEndsItsGoroutine(t *testing.T) {
	db := openNew(t, storetest.Things())
	ends := func(tx store.Tx) error {
		if err := addThing(1)(tx); err != nil {
			return err
		}
		runtime.Goexit() // as t.FailNow does
		return nil
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = db.Update(t.Context(), ends)
		t.Error("Update() returned, want its goroutine to have ended")
	})
	wg.Wait()
	if err := db.Update(t.Context(), addThing(1)); err != nil {
		t.Errorf("Update() after it: error = %v, want nil", err)
	}
}

func TestPanicDoesNotTellItsValue(t *testing.T) {
	db := openNew(t)
	err := db.Update(t.Context(), func(store.Tx) error { panic("jane@example.org") })
	if err == nil || strings.Contains(err.Error(), "jane") || !strings.Contains(err.Error(), "store_test.go") {
		t.Errorf("Update() error = %v, want one that names the place and not the value", err)
	}
}

func TestViewPanicsInItsCallerAndHarmsNobody(t *testing.T) {
	db := openNew(t, storetest.Things())
	for range 10 { // more often than there are readers
		func() {
			defer func() {
				if recover() == nil {
					t.Error("View() did not panic")
				}
			}()
			_ = db.View(t.Context(), func(store.Tx) error { panic("x") })
		}()
	}
	if err := db.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow("SELECT count(*) FROM things").Scan(new(int)) }); err != nil {
		t.Error(err)
	}
}

func TestViewIsInterrupted(t *testing.T) {
	db := openNew(t, storetest.Things())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	const endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
	err := db.View(ctx, func(tx store.Tx) error { return tx.QueryRow(endless).Scan(new(int)) })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("View() error = %v, want DeadlineExceeded", err)
	}
	if err := db.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow("SELECT count(*) FROM things").Scan(new(int)) }); err != nil {
		t.Errorf("View() after it: error = %v, want nil", err)
	}
}

// Callers come and go with their contexts; whoever was told nil is on disk, whoever was told of the context is not.
func TestCancelledCallersLearnTheTruth(t *testing.T) {
	db := openNew(t, storetest.Things())
	var mu sync.Mutex
	told := map[int]error{}
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			for i := range 25 {
				id := c*25 + i
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(id%7)*200*time.Microsecond)
				err := db.Update(ctx, addThing(id))
				cancel()
				mu.Lock()
				told[id] = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	err := db.View(t.Context(), func(tx store.Tx) error {
		for id, err := range told {
			var n int
			if err := tx.QueryRow("SELECT count(*) FROM things WHERE id = ?", id).Scan(&n); err != nil {
				return err
			}
			if (err == nil) != (n == 1) {
				t.Errorf("thing %d: Update() error = %v, and %d rows are there", id, err, n)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestManyStatements(t *testing.T) {
	db := openNew(t, storetest.Things())
	for i := range 600 { // more than are cached
		q := fmt.Sprintf("INSERT INTO things (id, name) VALUES (?, 'thing %d')", i)
		if err := db.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Exec(q, i); return err }); err != nil {
			t.Fatal(err)
		}
	}
}
