//go:build unix

package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/pgtest"
	"github.com/scrimhq/scrim/store/storetest"
)

// openPostgres opens the schema that stands for dir; the server is one without fsync.
func openPostgres(tb testing.TB, dir string, opt store.Options, schemas ...store.Schema) *store.Postgres {
	tb.Helper()
	db, err := unlocked(func() (*store.Postgres, error) { return tryPostgres(tb, dir, opt, schemas...) })
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("Close() error = %v", err)
		}
	})
	return db
}

// unlocked opens a store as soon as the backend of an owner that is gone has noticed that.
func unlocked(open func() (*store.Postgres, error)) (*store.Postgres, error) {
	for end := time.Now().Add(time.Minute); ; {
		if db, err := open(); !errors.Is(err, store.ErrLocked) || time.Now().After(end) {
			return db, err
		}
	}
}

func tryPostgres(tb testing.TB, dir string, opt store.Options, schemas ...store.Schema) (*store.Postgres, error) {
	tb.Helper()
	url, schema := storetest.Postgres(tb, dir)
	opt.NoSync, opt.Schema = true, schema
	return store.OpenPostgres(tb.Context(), url, schemas, opt)
}

func TestExamOnPostgres(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]store.Options{
		"exclusive": {}, "exclusive, one reader": {Window: 5 * time.Millisecond, MaxBatch: 3, Readers: 1}, "shared": {Shared: true, Writers: 1},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Exam(t, func(tb testing.TB, schemas ...store.Schema) store.DB {
				return openPostgres(tb, tb.TempDir(), opt, schemas...)
			})
		})
	}
}

func TestSchemaHasOneOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := openPostgres(t, dir, store.Options{}, storetest.Things())
	for name, opt := range map[string]store.Options{"owner": {}, "shared": {Shared: true}} {
		_, err := tryPostgres(t, dir, opt, storetest.Things())
		if !errors.Is(err, store.ErrLocked) {
			t.Fatalf("OpenPostgres() of another %s: error = %v, want ErrLocked", name, err)
		}
		if want := fmt.Sprintf("scrim %d@", os.Getpid()); !strings.Contains(err.Error(), want) {
			t.Errorf("OpenPostgres() says %q, which does not name the holder %q", err, want)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	a := openPostgres(t, dir, store.Options{Shared: true}, storetest.Things())
	b := openPostgres(t, dir, store.Options{Shared: true}, storetest.Things())
	if _, err := tryPostgres(t, dir, store.Options{}, storetest.Things()); !errors.Is(err, store.ErrLocked) {
		t.Errorf("OpenPostgres() of an owner beside others: error = %v, want ErrLocked", err)
	}
	if err := errors.Join(a.Update(t.Context(), addThing(1)), b.Update(t.Context(), addThing(2))); err != nil {
		t.Error(err)
	}
}

// A schema is no other's business.
func TestSchemasOfOneDatabaseAreApart(t *testing.T) {
	t.Parallel()
	a, b := openPostgres(t, t.TempDir(), store.Options{}, storetest.Things()), openPostgres(t, t.TempDir(), store.Options{}, storetest.Things())
	if err := errors.Join(a.Update(t.Context(), addThing(1)), b.Update(t.Context(), addThing(1))); err != nil {
		t.Error(err)
	}
}

func TestMigrationsOnPostgres(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const one = "CREATE TABLE a (id BIGINT PRIMARY KEY, odd TEXT NOT NULL DEFAULT 'a;b?'); CREATE TABLE b (id BIGINT NOT NULL, x BLOB) WITHOUT ROWID;"
	const two = "ALTER TABLE a ADD COLUMN name TEXT; -- a ? in a comment; \nINSERT INTO a (id, name) VALUES (1, 'one'); INSERT INTO b (id, x) VALUES (1, X'00ff');"
	try := func(opt store.Options, files ...string) error {
		db, err := tryPostgres(t, dir, opt, schema(files...)...)
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
		{"a new schema", []string{one}, nil},
		{"the same again", []string{one}, nil},
		{"a newer program", []string{one, two}, nil},
		{"the older program", []string{one}, store.ErrNewer},
		{"the newer program after the refusal", []string{one, two}, nil},
	} {
		for _, shared := range []bool{false, true} {
			if err := try(store.Options{Shared: shared}, step.files...); !errors.Is(err, step.want) {
				t.Errorf("%s (shared %v): OpenPostgres() error = %v, want %v", step.name, shared, err, step.want)
			}
		}
	}
	if err := try(store.Options{}, one, two, "CREATE TABLE c (id BIGINT); CREATE TABLE nonsense ("); err == nil {
		t.Error("a migration that does not parse: OpenPostgres() error = nil, want one")
	}
	db := openPostgres(t, dir, store.Options{}, schema(one, two, "CREATE TABLE c (id BIGINT);")...) // the half migration left nothing
	err := db.View(t.Context(), func(tx store.Tx) error {
		var odd string
		var x []byte
		err := tx.QueryRow("SELECT a.odd, b.x FROM a JOIN b ON a.id = b.id WHERE name = 'one' AND b.x = x'00FF'").Scan(&odd, &x)
		if odd != "a;b?" || !bytes.Equal(x, []byte{0, 255}) {
			t.Errorf("row has %q and %x, want a;b? and 00ff", odd, x)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Many processes start at once on a database that has nothing yet.
func TestManyMigrateAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const slow = "CREATE TABLE a (id BIGINT PRIMARY KEY); INSERT INTO a SELECT 1 FROM (SELECT pg_sleep(0.2)) AS s;"
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			db, err := tryPostgres(t, dir, store.Options{Shared: true}, schema(slow)...)
			if err != nil {
				t.Errorf("OpenPostgres() error = %v, want nil", err)
				return
			}
			defer db.Close()
			var n int
			err = db.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow("SELECT count(*) FROM a").Scan(&n) })
			if err != nil || n != 1 {
				t.Errorf("there are %d rows, %v; want 1: the migration ran once", n, err)
			}
		})
	}
	wg.Wait()
}

// Tables that others have open are not changed under them; tables that nobody has are nobody's hindrance.
func TestSharedTablesAreMigratedAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := schema("CREATE TABLE a (id BIGINT);"), schema("CREATE TABLE a (id BIGINT);", "CREATE TABLE b (id BIGINT);")
	old := openPostgres(t, dir, store.Options{Shared: true}, one...)
	if _, err := tryPostgres(t, dir, store.Options{Shared: true}, two...); !errors.Is(err, store.ErrLocked) {
		t.Errorf("OpenPostgres() by a newer program beside an older: error = %v, want ErrLocked", err)
	}
	openPostgres(t, dir, store.Options{Shared: true}, append(one, storetest.Things())...)
	if err := old.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Exec("INSERT INTO a VALUES (1)"); return err }); err != nil {
		t.Errorf("Update() by the older program: error = %v, want nil", err)
	}
}

// Two transactions that want the same rows in different order: one of them may run again, and none is told that all is well in vain.
func TestConflictsAreSaid(t *testing.T) {
	t.Parallel()
	db := openPostgres(t, t.TempDir(), store.Options{Shared: true}, storetest.Things())
	if err := errors.Join(db.Update(t.Context(), addThing(1)), db.Update(t.Context(), addThing(2))); err != nil {
		t.Fatal(err)
	}
	const mark = "UPDATE things SET name = name || ? WHERE id = ?"
	var both sync.WaitGroup
	both.Add(2)
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i, order := range [][]int{{1, 2}, {2, 1}} {
		wg.Go(func() {
			errs[i] = db.Update(t.Context(), func(tx store.Tx) error {
				if _, err := tx.Exec(mark, "!", order[0]); err != nil {
					return err
				}
				both.Done()
				both.Wait()
				_, err := tx.Exec(mark, "!", order[1])
				return err
			})
		})
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), store.ErrConflict) {
		t.Errorf("Update() errors = %v and %v, want one ErrConflict", errs[0], errs[1])
	}
	var sum int
	err := db.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow("SELECT sum(length(name)) FROM things").Scan(&sum) })
	if err != nil || sum != 4 {
		t.Errorf("names have %d letters, %v; want 4: one of the two is there whole", sum, err)
	}
}

func TestPostgresThatIsNotDurableIsRefused(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, "fsync=on")
	lax := pgtest.Start(t)
	open := func(url string, opt store.Options) error {
		db, err := store.OpenPostgres(t.Context(), flow.NewSecret(url), nil, opt)
		if err == nil {
			err = db.Close()
		}
		return err
	}
	for name, c := range map[string]struct {
		url  string
		opt  store.Options
		want error
	}{
		"a server that syncs":               {server.URL("postgres"), store.Options{}, nil},
		"shared":                            {server.URL("postgres"), store.Options{Shared: true}, nil},
		"without fsync":                     {lax.URL("postgres"), store.Options{}, store.ErrNotDurable},
		"without fsync, shared":             {lax.URL("postgres"), store.Options{Shared: true}, store.ErrNotDurable},
		"without fsync, and said so":        {lax.URL("postgres"), store.Options{NoSync: true}, nil},
		"commits that wait for nothing":     {server.URL("postgres") + "&synchronous_commit=off", store.Options{}, store.ErrNotDurable},
		"commits that wait for the disk":    {server.URL("postgres") + "&synchronous_commit=local", store.Options{}, nil},
		"options that say the same, shared": {server.URL("postgres") + "&options=-c%20synchronous_commit%3Doff", store.Options{Shared: true}, store.ErrNotDurable},
	} {
		c.opt.Schema = "s" + fmt.Sprintf("%x", sha256.Sum256([]byte(name)))[:20]
		if err := open(c.url, c.opt); !errors.Is(err, c.want) {
			t.Errorf("%s: OpenPostgres() error = %v, want %v", name, err, c.want)
		}
	}
	// A server that is told to sync no longer is found out by the next transaction.
	db, err := store.OpenPostgres(t.Context(), flow.NewSecret(server.URL("postgres")), []store.Schema{storetest.Things()}, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	pgtest.Exec(t, server.URL("postgres"), "ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()")
	time.Sleep(100 * time.Millisecond)
	if err := db.Update(t.Context(), addThing(1)); err != nil {
		t.Errorf("Update() after the server's default changed: error = %v, want nil: the session keeps its own", err)
	}
	pgtest.Exec(t, server.URL("postgres"), "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
	id := 2
	for end := time.Now().Add(time.Minute); err == nil && time.Now().Before(end); id++ { // the server needs a moment to read it
		err = db.Update(t.Context(), addThing(id))
	}
	if !errors.Is(err, store.ErrNotDurable) {
		t.Errorf("Update() after the server was told not to sync: error = %v, want ErrNotDurable", err)
	}
	if err := db.Update(t.Context(), addThing(id)); !errors.Is(err, store.ErrBroken) {
		t.Errorf("the next Update() error = %v, want ErrBroken", err)
	}
}

func TestErrorsOfPostgresHoldNoSecrets(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	canary := "jane.doe@example.org"
	db, err := store.OpenPostgres(t.Context(), flow.NewSecret(server.URL("postgres")), []store.Schema{storetest.Things()}, store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	pgtest.Exec(t, server.URL("postgres"), "CREATE UNIQUE INDEX one_name ON scrim.things (name)")
	insert := func(id any, name any) error {
		return db.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Exec(addRow, id, name); return err })
	}
	var errs []error
	if err := insert(1, canary); err != nil {
		t.Fatal(err)
	}
	errs = append(errs, insert(2, canary), insert(canary, "x"), insert(3, canary+"\x00"), insert(4, canary+"\xff"),
		db.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow("SELECT CAST(name AS BIGINT) FROM things").Scan(new(int)) }),
		db.View(t.Context(), func(tx store.Tx) error {
			return tx.QueryRow("SELECT id FROM things WHERE CAST(name AS BIGINT) = 1").Scan(new(int))
		}))
	for _, url := range []string{
		strings.Replace(server.URL("postgres"), "host=", "host=/nowhere", 1), server.URL("nosuch"), server.URL("postgres") + "&port=x",
		"postgres://owner:" + server.Password() + "@127.0.0.1:1/x", "postgres://owner:" + server.Password() + "%zz@h/x", "postgres://owner:" + server.Password() + "@nohost.invalid/x",
		"host=/nowhere password=" + server.Password() + " '", strings.Replace(server.URL("postgres"), server.Password(), "wrong-"+server.Password(), 1),
	} {
		_, err := store.OpenPostgres(t.Context(), flow.NewSecret(url), nil, store.Options{NoSync: true, Schema: "other"})
		errs = append(errs, err)
	}
	for i, err := range errs {
		if err == nil {
			t.Errorf("error %d is nil, want one", i)
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			for _, secret := range []string{canary, "jane", server.Password()} {
				if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, secret) {
					t.Errorf("error %d says %s", i, text)
				}
			}
		}
		t.Log(err)
	}
}

// What a role is told about time must not cost the store its connection, and so its lock.
func TestTimeLimitsOfARoleAreNotTheStores(t *testing.T) {
	t.Parallel()
	url, schema := storetest.Postgres(t, t.TempDir())
	limits := "&idle_session_timeout=60000&statement_timeout=60000&idle_in_transaction_session_timeout=60000&lock_timeout=60000&default_transaction_read_only=on"
	db, err := store.OpenPostgres(t.Context(), flow.NewSecret(url.Expose()+limits), []store.Schema{storetest.Things()}, store.Options{NoSync: true, Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	unlimited := func(tx store.Tx) error { // the session's own word: limits short enough to wait for would strike a slow machine that opens the store
		const held = "SELECT count(*) FROM pg_settings WHERE name IN ('idle_session_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout') AND setting <> '0'"
		var n int
		if err := tx.QueryRow(held).Scan(&n); err != nil || n != 0 {
			return fmt.Errorf("%d limits hold in the session, error %v", n, err)
		}
		return nil
	}
	if err := db.View(t.Context(), unlimited); err != nil {
		t.Error(err)
	}
	err = db.Update(t.Context(), func(tx store.Tx) error {
		if err := unlimited(tx); err != nil {
			return err
		}
		return addThing(1)(tx)
	})
	if err != nil {
		t.Error(err)
	}
}

// A view ends with its caller's context, and the server does not work on for nobody.
func TestAViewOfPostgresIsInterrupted(t *testing.T) {
	t.Parallel()
	db := openPostgres(t, t.TempDir(), store.Options{Readers: 1}, storetest.Things())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	const endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT (x + 1) % 1000 FROM c) SELECT count(*) FROM c"
	err := db.View(ctx, func(tx store.Tx) error { return tx.QueryRow(endless).Scan(new(int)) })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("View() error = %v, want DeadlineExceeded", err)
	}
	working := 1
	err = nil
	for end := time.Now().Add(time.Minute); err == nil && working > 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) { // it takes the server a moment
		err = db.View(t.Context(), func(tx store.Tx) error {
			return tx.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%RECURSIVE c(x)%' AND pid <> pg_backend_pid()").Scan(&working)
		})
	}
	if err != nil || working != 0 {
		t.Errorf("View() after it: error = %v, and %d statements still run; want none", err, working)
	}
}

// A closure that ends its goroutine is undone, and the store goes on.
func TestAClosureOnPostgresThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]store.Options{"owner": {}, "shared": {Shared: true, Writers: 1}} {
		db := openPostgres(t, t.TempDir(), opt, storetest.Things())
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = db.Update(t.Context(), func(tx store.Tx) error {
				if err := addThing(1)(tx); err != nil {
					return err
				}
				if _, err := tx.Query("SELECT id FROM things"); err != nil {
					return err
				}
				runtime.Goexit()
				return nil
			})
			t.Errorf("%s: Update() returned, want its goroutine to have ended", name)
		})
		wg.Wait()
		if err := db.Update(t.Context(), addThing(1)); err != nil {
			t.Errorf("%s: Update() after it: error = %v, want nil", name, err)
		}
	}
}
