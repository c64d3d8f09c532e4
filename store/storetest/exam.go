package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/store"
)

// Things is a schema to test with: one table things(id, name) with unique ids.
func Things() store.Schema {
	return store.Schema{Name: "storetest", FS: fstest.MapFS{
		"001_things.sql": {Data: []byte("CREATE TABLE things (id BIGINT PRIMARY KEY, name TEXT NOT NULL);")},
	}}
}

// Exam tests the promises of [store.DB] on databases that open makes, each fresh, with [Things] in it, and closed by the exam.
func Exam(t *testing.T, open func(testing.TB, ...store.Schema) store.DB) {
	for name, ask := range map[string]func(*testing.T, store.DB){
		"an update is seen by a view":                  seen,
		"an error undoes its own closure alone":        undone,
		"a panic undoes its own closure alone":         contained,
		"a cancelled caller is skipped":                skipped,
		"a caller cancelled too late learns the truth": truth,
		"updates at once all count":                    counted,
		"transaction control is refused":               refused,
		"a view cannot write":                          readOnly,
		"a view keeps its snapshot":                    snapshot,
		"rows may nest and may be left open":           nested,
		"a transaction ends with its closure":          ended,
		"close drains and then refuses":                drained,
	} {
		t.Run(name, func(t *testing.T) { ask(t, open(t, Things())) })
	}
}

const (
	add   = "INSERT INTO things (id, name) VALUES (?, ?)"
	count = "SELECT count(*) FROM things"
	names = "SELECT name FROM things WHERE id >= ? ORDER BY id"
)

func put(ids ...int) func(store.Tx) error {
	return func(tx store.Tx) error {
		for _, id := range ids {
			if _, err := tx.Exec(add, id, fmt.Sprint("thing ", id)); err != nil {
				return err
			}
		}
		return nil
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

func wantCount(t *testing.T, db store.DB, want int) {
	t.Helper()
	got := -1
	must(t, db.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow(count).Scan(&got) }))
	if got != want {
		t.Errorf("there are %d things, want %d", got, want)
	}
}

func seen(t *testing.T, db store.DB) {
	must(t, db.Update(t.Context(), func(tx store.Tx) error {
		n, err := tx.Exec(add, 1, "one")
		if n != 1 {
			t.Errorf("Exec changed %d rows, want 1", n)
		}
		return err
	}))
	wantCount(t, db, 1)
}

func undone(t *testing.T, db store.DB) {
	boom := errors.New("boom")
	together(t, db,
		member{put(1), nil},
		member{func(tx store.Tx) error { return errors.Join(put(2)(tx), boom) }, boom},
		member{put(3), nil},
		member{put(4, 4), errAny}, // the second breaks the primary key
		member{put(4), nil},
	)
	wantCount(t, db, 3)
}

func contained(t *testing.T, db store.DB) {
	together(t, db,
		member{put(1), nil},
		member{func(tx store.Tx) error {
			if err := put(2)(tx); err != nil {
				return err
			}
			panic("the value of this panic is not for logs")
		}, errPanic},
		member{put(3), nil},
	)
	wantCount(t, db, 2)
}

type member struct {
	fn   func(store.Tx) error
	want error
}

var (
	errAny   = errors.New("some error")
	errPanic = errors.New("a panic")
)

// together holds the writer until all members are queued, so that they can share a transaction.
func together(t *testing.T, db store.DB, members ...member) {
	t.Helper()
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := db.Update(t.Context(), func(store.Tx) error { close(held); <-hold; return nil }); err != nil {
			t.Errorf("Update() error = %v, want nil", err)
		}
	})
	<-held
	for _, m := range members {
		queued := make(chan struct{})
		wg.Go(func() {
			close(queued)
			check(t, db.Update(t.Context(), m.fn), m.want)
		})
		<-queued
	}
	close(hold)
	wg.Wait()
}

func check(t *testing.T, err, want error) {
	t.Helper()
	switch want {
	case errAny:
		if err == nil {
			t.Error("Update() error = nil, want one")
		}
	case errPanic:
		if p, ok := errors.AsType[*store.PanicError](err); !ok {
			t.Errorf("Update() error = %v, want a PanicError", err)
		} else if p.Type != "string" || p.Place == "" {
			t.Errorf("Update() panicked with a %s at %q, want a string at some place", p.Type, p.Place)
		}
	default:
		if !errors.Is(err, want) {
			t.Errorf("Update() error = %v, want %v", err, want)
		}
	}
}

func skipped(t *testing.T, db store.DB) {
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		check(t, db.Update(t.Context(), func(store.Tx) error { close(held); <-hold; return nil }), nil)
	})
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() { check(t, db.Update(ctx, put(1)), context.Canceled) })
	cancel()
	wg.Go(func() { check(t, db.Update(ctx, put(2)), context.Canceled) })
	close(hold)
	wg.Wait()
	wantCount(t, db, 0)
}

func truth(t *testing.T, db store.DB) {
	ctx, cancel := context.WithCancel(t.Context())
	must(t, db.Update(ctx, func(tx store.Tx) error { cancel(); return put(1)(tx) }))
	wantCount(t, db, 1)
}

func counted(t *testing.T, db store.DB) {
	const callers, each = 16, 20
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				check(t, db.Update(t.Context(), put(c*each+i)), nil)
			}
		})
	}
	wg.Wait()
	wantCount(t, db, callers*each)
}

func refused(t *testing.T, db store.DB) {
	for _, q := range []string{"COMMIT", "rollback", "BEGIN", "SAVEPOINT closure", "RELEASE closure", "PRAGMA synchronous = OFF",
		"DROP TABLE things", "INSERT OR ROLLBACK INTO things (id, name) VALUES (1, 'x')", "/* x */ COMMIT"} {
		check(t, db.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Exec(q); return err }), store.ErrStatement)
		check(t, db.Update(t.Context(), func(tx store.Tx) error { return tx.QueryRow(q).Scan(new(int)) }), store.ErrStatement)
	}
	check(t, db.Update(t.Context(), put(1)), nil)
	wantCount(t, db, 1)
}

func readOnly(t *testing.T, db store.DB) {
	check(t, db.View(t.Context(), put(1)), errAny)
	wantCount(t, db, 0)
}

func snapshot(t *testing.T, db store.DB) {
	must(t, db.Update(t.Context(), put(1)))
	must(t, db.View(t.Context(), func(tx store.Tx) error {
		var before, after int
		err := tx.QueryRow(count).Scan(&before)
		must(t, db.Update(t.Context(), put(2)))
		err = errors.Join(err, tx.QueryRow(count).Scan(&after))
		if before != 1 || after != 1 {
			t.Errorf("one view counted %d, then %d things, want 1 and 1", before, after)
		}
		return err
	}))
	wantCount(t, db, 2)
}

func nested(t *testing.T, db store.DB) {
	read := func(tx store.Tx) error {
		outer, err := tx.Query(names, 1)
		if err != nil {
			return err
		}
		seen := ""
		for outer.Next() {
			var a, b string
			inner, err := tx.Query(names, 2) // the same statement, still open
			if err != nil {
				return err
			}
			if !inner.Next() || inner.Scan(&b) != nil || outer.Scan(&a) != nil {
				return errors.New("a row is missing")
			}
			seen += a + "/" + b + " "
		}
		if want := "thing 1/thing 2 thing 2/thing 2 thing 3/thing 2 "; seen != want {
			t.Errorf("nested rows gave %q, want %q", seen, want)
		}
		return outer.Err()
	}
	must(t, db.Update(t.Context(), put(1, 2, 3)))
	for range 3 { // leaving rows open must not harm the next
		must(t, db.Update(t.Context(), read))
		must(t, db.View(t.Context(), read))
	}
}

func ended(t *testing.T, db store.DB) {
	var kept store.Tx
	must(t, db.Update(t.Context(), func(tx store.Tx) error { kept = tx; return nil }))
	check(t, put(1)(kept), errAny)
	check(t, kept.QueryRow(count).Scan(new(int)), errAny)
	wantCount(t, db, 0)
}

func drained(t *testing.T, db store.DB) {
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		check(t, db.Update(t.Context(), func(tx store.Tx) error { close(held); <-hold; return put(1)(tx) }), nil)
	})
	<-held
	closing := make(chan error)
	go func() { closing <- db.Close() }()
	close(hold)
	check(t, <-closing, nil)
	wg.Wait()
	check(t, db.Update(t.Context(), put(2)), store.ErrClosed)
	check(t, db.View(t.Context(), put(2)), store.ErrClosed)
	check(t, db.Close(), nil)
}
