package store

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

func open(t *testing.T) *SQLite {
	t.Helper()
	things := Schema{Name: "things", FS: fstest.MapFS{"001_a.sql": {Data: []byte("CREATE TABLE things (id BIGINT PRIMARY KEY, data BLOB);")}}}
	s, err := Open(t.Context(), t.TempDir(), []Schema{things}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestAssertDurableRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		pragmas []string
		want    error
	}{
		"what Open sets":     {writerPragmas(false), nil},
		"without sync":       {writerPragmas(true), ErrNotDurable},
		"NORMAL, the trap":   {[]string{"journal_mode = WAL", "synchronous = NORMAL"}, ErrNotDurable},
		"no write-ahead log": {[]string{"journal_mode = DELETE", "synchronous = FULL"}, ErrNotDurable},
		"a misspelt pragma":  {[]string{"jurnal_mode = WAL", "synchronous = FULL"}, ErrNotDurable},
	} {
		db, err := sql.Open("sqlite", dataSource(filepath.Join(t.TempDir(), "x.db")))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.pragmas {
			if _, err := conn.ExecContext(t.Context(), "PRAGMA "+p); err != nil {
				t.Fatal(err)
			}
		}
		if err := assertDurable(t.Context(), conn); !errors.Is(err, c.want) {
			t.Errorf("%s: assertDurable() error = %v, want %v", name, err, c.want)
		}
		conn.Close()
		db.Close()
	}
}

// On a full disk SQLite may roll back the whole transaction by itself. Then nobody in the group may be told that all is well,
// not even a closure that looked away.
func TestFullDiskFailsTheGroup(t *testing.T) {
	s := open(t)
	limit := func(pages string) {
		if err := s.writer.session.control("PRAGMA max_page_count = " + pages); err != nil {
			t.Fatal(err)
		}
	}
	limit("20")
	hold, held := make(chan struct{}), make(chan struct{})
	small := func(id int) func(Tx) error {
		return func(tx Tx) error { _, err := tx.Exec("INSERT INTO things (id) VALUES (?)", id); return err }
	}
	errs := make([]error, 3)
	var wg sync.WaitGroup
	wg.Go(func() {
		errs[2] = s.Update(t.Context(), func(Tx) error { close(held); <-hold; return nil })
	})
	<-held
	queued := func(n int) { // until so many are sure to share a transaction
		for len(s.writer.queue) < n {
			time.Sleep(time.Millisecond)
		}
	}
	wg.Go(func() { errs[0] = s.Update(t.Context(), small(1)) })
	queued(1)
	wg.Go(func() {
		errs[1] = s.Update(t.Context(), func(tx Tx) error {
			_, _ = tx.Exec("INSERT INTO things (id, data) VALUES (2, ?)", make([]byte, 1<<20))
			_, _ = tx.Exec("INSERT INTO things (id) VALUES (3)") // must not commit on its own
			return nil
		})
	})
	queued(2)
	close(hold)
	wg.Wait()
	if errs[0] == nil || errs[1] == nil || errs[2] != nil {
		t.Errorf("Update() errors = %v and %v, want two, and %v, want none", errs[0], errs[1], errs[2])
	}
	limit("1000")
	if err := s.Update(t.Context(), small(4)); err != nil {
		t.Errorf("Update() when there is room again: error = %v, want nil", err)
	}
	var n int
	err := s.View(t.Context(), func(tx Tx) error { return tx.QueryRow("SELECT count(*) FROM things").Scan(&n) })
	if err != nil || n != 1 {
		t.Errorf("there are %d things (error %v), want 1", n, err)
	}
}

// Nobody is told that all is well before the transaction is committed: here that fails, on a constraint checked only then.
func TestCommitThatFails(t *testing.T) {
	s := open(t)
	const parted = "CREATE TABLE parts (thing BIGINT REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED)"
	if err := s.writer.session.control(parted); err != nil {
		t.Fatal(err)
	}
	part := func(tx Tx) error { _, err := tx.Exec("INSERT INTO parts (thing) VALUES (7)"); return err }
	if err := s.Update(t.Context(), part); err == nil {
		t.Error("Update() whose commit fails: error = nil, want one")
	}
	if err := s.Update(t.Context(), func(tx Tx) error { _, err := tx.Exec("INSERT INTO things (id) VALUES (7)"); return err }); err != nil {
		t.Errorf("the next Update() error = %v, want nil", err)
	}
	if err := s.Update(t.Context(), part); err != nil {
		t.Errorf("Update() whose commit succeeds: error = %v, want nil", err)
	}
}

func TestStoreStopsWhenItsConnectionIsGone(t *testing.T) {
	s := open(t)
	s.writer.session.conn.Close()
	nothing := func(Tx) error { return nil }
	if err := s.Update(t.Context(), nothing); err == nil {
		t.Error("Update() without a connection: error = nil, want one")
	}
	if err := s.Update(t.Context(), nothing); !errors.Is(err, ErrBroken) {
		t.Errorf("the next Update() error = %v, want ErrBroken", err)
	}
}

func TestReadersAreReplaced(t *testing.T) {
	s := open(t)
	for range cap(s.readers.free) {
		r, err := s.connect(context.Background(), readerPragmas())
		if err != nil {
			t.Fatal(err)
		}
		<-s.readers.free
		r.conn.Close()
		s.readers.free <- r
	}
	look := func(tx Tx) error { return tx.QueryRow("SELECT count(*) FROM things").Scan(new(int)) }
	for range cap(s.readers.free) {
		if err := s.View(t.Context(), look); err == nil {
			t.Error("View() on a lost connection: error = nil, want one")
		}
	}
	for range cap(s.readers.free) {
		if err := s.View(t.Context(), look); err != nil {
			t.Errorf("View() after that: error = %v, want nil", err)
		}
	}
}

// A request that waits behind one that fails the transaction is not forgotten: it runs in the next one.
func TestRequestBehindAFailureIsNotLost(t *testing.T) {
	s := open(t)
	if err := s.writer.session.control("PRAGMA max_page_count = 20"); err != nil {
		t.Fatal(err)
	}
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Update(t.Context(), func(Tx) error { close(held); <-hold; return nil }) })
	<-held
	errs := make([]error, 2)
	for i, fn := range []func(Tx) error{
		func(tx Tx) error {
			_, err := tx.Exec("INSERT INTO things (id, data) VALUES (2, ?)", make([]byte, 1<<20))
			return err
		},
		func(tx Tx) error { _, err := tx.Exec("INSERT INTO things (id) VALUES (3)"); return err },
	} {
		wg.Go(func() { errs[i] = s.Update(t.Context(), fn) })
		for len(s.writer.queue) <= i {
			time.Sleep(time.Millisecond)
		}
	}
	close(hold)
	wg.Wait()
	if errs[0] == nil || errs[1] != nil {
		t.Errorf("Update() errors = %v and %v, want a full disk and none", errs[0], errs[1])
	}
}

// A database of before has smaller pages; it is opened and written as it is.
func TestPagesOfAnEarlierDatabaseStay(t *testing.T) {
	things := Schema{Name: "things", FS: fstest.MapFS{"001_a.sql": {Data: []byte("CREATE TABLE things (id BIGINT PRIMARY KEY, data BLOB);")}}}
	for name, want := range map[string]int{"new": 8192, "earlier": 4096} {
		dir := t.TempDir()
		if name == "earlier" {
			db, err := sql.Open("sqlite", dataSource(filepath.Join(dir, databaseFile)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; CREATE TABLE there (id INTEGER)"); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Open(t.Context(), dir, []Schema{things}, Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		err = s.Update(t.Context(), func(tx Tx) error {
			_, err := tx.Exec("INSERT INTO things (id, data) VALUES (1, ?)", make([]byte, 20_000))
			return err
		})
		var got int
		if err == nil {
			err = s.writer.session.conn.QueryRowContext(t.Context(), "PRAGMA page_size").Scan(&got)
		}
		if err != nil || got != want {
			t.Errorf("%s: pages of %d bytes, %v; want %d", name, got, err, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestStatementsAreWrittenForPostgres(t *testing.T) {
	for in, want := range map[string]string{
		"SELECT a FROM t WHERE b = ? AND c IN (?, ?)":                  "SELECT a FROM t WHERE b = $1 AND c IN ($2, $3)",
		`SELECT '?', "a?", 'it''s ?' FROM t -- ? '` + "\nWHERE b = ?":  `SELECT '?', "a?", 'it''s ?' FROM t -- ? '` + "\nWHERE b = $1",
		"SELECT /* ? */ x'00fF', X'', max FROM t":                      `SELECT /* ? */ '\x00fF'::bytea, '\x'::bytea, max FROM t`,
		"UPDATE t SET a = CAST(? AS BLOB), blob = 'BLOB'":              "UPDATE t SET a = CAST($1 AS BYTEA), blob = 'BLOB'",
		"CREATE TABLE t (id BIGINT PRIMARY KEY, text TEXT, blob BLOB)": `CREATE TABLE t (id BIGINT PRIMARY KEY, text TEXT COLLATE "C", blob BYTEA)`,
		"CREATE TABLE t (a INTEGER NOT NULL, b REAL) WITHOUT ROWID;\nALTER TABLE t ADD COLUMN c BLOB; CREATE INDEX i ON t (a) WHERE c <> 'TEXT';": "CREATE TABLE t (a BIGINT NOT NULL, b DOUBLE PRECISION)  ;\nALTER TABLE t ADD COLUMN c BYTEA; CREATE INDEX i ON t (a) WHERE c <> 'TEXT';",
		"-- a TEXT; of a comment\nCREATE TABLE t (a TEXT DEFAULT 'x TEXT; y?')":                                                                   "-- a TEXT; of a comment\nCREATE TABLE t (a TEXT COLLATE \"C\" DEFAULT 'x TEXT; y?')",
		"INSERT INTO t (text, integer) VALUES (1, 2)":                                                                                             "INSERT INTO t (text, integer) VALUES (1, 2)",
	} {
		if got, err := pgDialect(in); err != nil || got != want {
			t.Errorf("pgDialect(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"SELECT 'a", `SELECT "a''`, "SELECT /* a", "SELECT 'a''"} {
		if _, err := rebind(in); !errors.Is(err, ErrStatement) {
			t.Errorf("rebind(%q) error = %v, want ErrStatement", in, err)
		}
	}
}

// A closure that ends its goroutine is a PanicError where it shares a transaction with others, or could have.
func TestClosureInTheQueueThatEndsItsGoroutine(t *testing.T) {
	s := open(t)
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Update(t.Context(), func(Tx) error { close(held); <-hold; return nil }) })
	<-held
	var err error
	wg.Go(func() {
		err = s.Update(t.Context(), func(tx Tx) error {
			if _, err := tx.Exec("INSERT INTO things (id) VALUES (1)"); err != nil {
				return err
			}
			runtime.Goexit() // as t.FailNow does
			return nil
		})
	})
	for len(s.writer.queue) == 0 {
		time.Sleep(time.Millisecond)
	}
	close(hold)
	wg.Wait()
	if _, ok := errors.AsType[*PanicError](err); !ok {
		t.Errorf("Update() in the queue: error = %v, want a PanicError", err)
	}
	if err := s.Update(t.Context(), func(tx Tx) error { _, err := tx.Exec("INSERT INTO things (id) VALUES (1)"); return err }); err != nil {
		t.Errorf("Update() after it: error = %v, want nil", err)
	}
}
