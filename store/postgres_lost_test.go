//go:build unix

package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/pgtest"
	"github.com/scrimhq/scrim/store/storetest"
)

// own opens a schema on a server that a test may crash.
func own(t *testing.T, server *pgtest.Server, opt store.Options) *store.Postgres {
	t.Helper()
	opt.NoSync = true
	db, err := unlocked(func() (*store.Postgres, error) {
		return store.OpenPostgres(t.Context(), flow.NewSecret(server.URL("postgres")), []store.Schema{storetest.Things()}, opt)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// endBackends ends the connections of all stores, as an operator, a failover or a firewall would.
const endBackends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'scrim %' AND pid <> pg_backend_pid()"

// An owner that lost its connection lost its lock: it writes and reads no more, although the server would answer it, because another owner may be at work.
func TestAnOwnerThatLostItsLockStops(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	old := own(t, server, store.Options{})
	if err := old.Update(t.Context(), addThing(1)); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, server.URL("postgres"), endBackends)
	next := own(t, server, store.Options{}) // the lock is free
	if err := old.Update(t.Context(), addThing(2)); !errors.Is(err, store.ErrBroken) && err == nil {
		t.Errorf("Update() by the old owner: error = %v, want one", err)
	}
	for name, do := range map[string]func() error{
		"Update": func() error { return old.Update(t.Context(), addThing(3)) },
		"View":   func() error { return old.View(t.Context(), func(store.Tx) error { return nil }) },
	} {
		if err := do(); !errors.Is(err, store.ErrBroken) {
			t.Errorf("%s() by the old owner: error = %v, want ErrBroken", name, err)
		}
	}
	select {
	case <-old.Stopped():
	default:
		t.Error("Stopped() is open")
	}
	var n int
	err := next.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow(count).Scan(&n) })
	if err != nil || n != 1 {
		t.Errorf("the new owner sees %d things, %v; want the one that was promised", n, err)
	}
}

const count = "SELECT count(*) FROM things"

// A closure that is at work when the connection is lost changes nothing, and the old owner's views end with its lock even if nobody writes.
func TestAnIdleOwnerLearnsThatItLostItsLock(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	db := own(t, server, store.Options{})
	err := db.Update(t.Context(), func(tx store.Tx) error {
		if err := addThing(1)(tx); err != nil {
			return err
		}
		pgtest.Exec(t, server.URL("postgres"), endBackends)
		return nil // it looks away from what happens
	})
	if err == nil {
		t.Error("Update() whose connection ended: error = nil, want one")
	}
	again := own(t, server, store.Options{Schema: "again"})
	pgtest.Exec(t, server.URL("postgres"), endBackends)
	select {
	case <-again.Stopped():
	case <-time.After(time.Minute):
		t.Error("an idle owner does not learn that it lost its lock")
	}
	var n int
	next := own(t, server, store.Options{})
	if err := next.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow(count).Scan(&n) }); err != nil || n != 0 {
		t.Errorf("there are %d things, %v; want none", n, err)
	}
}

// A shared store outlives its connections: a closure whose connection was lost before the commit may run again, and the others are opened anew.
func TestASharedStoreOutlivesItsConnections(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	db := own(t, server, store.Options{Shared: true})
	err := db.Update(t.Context(), func(tx store.Tx) error {
		if err := addThing(1)(tx); err != nil {
			return err
		}
		pgtest.Exec(t, server.URL("postgres"), endBackends)
		return addThing(2)(tx)
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("Update() whose connection was lost before the commit: error = %v, want ErrConflict", err)
	}
	for id := range 8 {
		if err := db.Update(t.Context(), addThing(id)); err != nil {
			t.Errorf("Update() after it: error = %v, want nil", err)
		}
	}
	var n int
	if err := db.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow(count).Scan(&n) }); err != nil || n != 8 {
		t.Errorf("there are %d things, %v; want 8", n, err)
	}
}

// The server crashes again and again while many write: every update that was promised is there, whoever was told that it may run
// again was undone, and the store says so itself where it cannot know.
func TestACrashOfTheServerLosesNothingPromised(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, "fsync=on")
	open := func() *store.Postgres {
		db, err := store.OpenPostgres(t.Context(), flow.NewSecret(server.URL("postgres")), []store.Schema{storetest.Things()}, store.Options{Shared: true, Writers: 8})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open()
	promised, undone, unknown := map[int]bool{}, map[int]bool{}, 0
	var mu sync.Mutex
	next := 0
	for range 4 {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					mu.Lock()
					next++
					id := next
					mu.Unlock()
					err := db.Update(t.Context(), addThing(id))
					mu.Lock()
					switch {
					case err == nil:
						promised[id] = true
					case errors.Is(err, store.ErrBroken):
						unknown++
					default:
						undone[id] = true
					}
					mu.Unlock()
					if err != nil {
						time.Sleep(10 * time.Millisecond)
					}
				}
			})
		}
		told := func() int { mu.Lock(); defer mu.Unlock(); return len(promised) }
		for before, end := told(), time.Now().Add(time.Minute); told() < before+20 && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		server.Crash()
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		close(stop)
		wg.Wait()
		if errors.Is(db.Update(t.Context(), func(store.Tx) error { return nil }), store.ErrBroken) {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = open()
		}
	}
	defer db.Close()
	there := map[int]bool{}
	err := db.View(t.Context(), func(tx store.Tx) error {
		rows, err := tx.Query("SELECT id FROM things")
		if err != nil {
			return err
		}
		for rows.Next() {
			var id int
			if err := rows.Scan(&id); err != nil {
				return err
			}
			there[id] = true
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	for id := range promised {
		if !there[id] {
			t.Errorf("update %d was promised and is lost", id)
		}
	}
	for id := range undone {
		if there[id] {
			t.Errorf("update %d was said to be undone and is there", id)
		}
	}
	if len(promised) < 50 || len(undone) == 0 {
		t.Errorf("%d updates were promised, %d undone; the test needs more", len(promised), len(undone))
	}
	t.Logf("%d promised, %d undone, %d unknown", len(promised), len(undone), unknown)
}

// Nothing that SQLite takes is taken otherwise: the same values go in and come out.
func TestValuesAreTheSameOnBoth(t *testing.T) {
	t.Parallel()
	kinds := schema("CREATE TABLE v (id BIGINT PRIMARY KEY, n BIGINT, s TEXT, b BLOB, r REAL);")
	type name string
	for on, db := range map[string]store.DB{
		"SQLite": openNew(t, kinds...), "PostgreSQL": openPostgres(t, t.TempDir(), store.Options{}, kinds...), "shared": openPostgres(t, t.TempDir(), store.Options{Shared: true}, kinds...),
	} {
		err := db.Update(t.Context(), func(tx store.Tx) error {
			for i, args := range [][]any{
				{int64(-1 << 63), "é \u2028 'quoted' \\x41 $1 ?", []byte{0, 1, 255, '\\'}, 0.1}, {1<<63 - 1, "", []byte{}, -1e300}, {nil, nil, nil, nil}, {[]byte(nil), (*string)(nil), []byte(nil), nil},
				{true, name("typed"), []byte("text"), 2}, {false, []byte("bytes as text"), "text as bytes", int8(3)},
			} {
				if _, err := tx.Exec("INSERT INTO v (id, n, s, b, r) VALUES (?, ?, ?, ?, ?)", append([]any{i}, args...)...); err != nil {
					return fmt.Errorf("row %d: %w", i, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", on, err)
			continue
		}
		got := ""
		err = db.View(t.Context(), func(tx store.Tx) error {
			rows, err := tx.Query("SELECT n, s, b, r, n IS NULL, length(b), (SELECT sum(id) FROM v) FROM v ORDER BY id")
			if err != nil {
				return err
			}
			for rows.Next() {
				var n, length *int64
				var s *string
				var b []byte
				var r *float64
				var null bool
				var sum int
				if err := rows.Scan(&n, &s, &b, &r, &null, &length, &sum); err != nil {
					return err
				}
				got += fmt.Sprintf("%s %s %#v %s %v %s %d\n", show(n), show(s), b, show(r), null, show(length), sum)
			}
			return rows.Err()
		})
		const want = `-9223372036854775808 "é \u2028 'quoted' \\x41 $1 ?" []byte{0x0, 0x1, 0xff, 0x5c} 0.1 false 4 15
9223372036854775807 "" []byte(nil) -1e+300 false 0 15
nil nil []byte(nil) nil true nil 15
nil nil []byte(nil) nil true nil 15
1 "typed" []byte{0x74, 0x65, 0x78, 0x74} 2 false 4 15
0 "bytes as text" []byte{0x74, 0x65, 0x78, 0x74, 0x20, 0x61, 0x73, 0x20, 0x62, 0x79, 0x74, 0x65, 0x73} 3 false 13 15
`
		if err != nil || got != want {
			t.Errorf("%s: %v\n%swant\n%s", on, err, got, want)
		}
	}
}

func show[T any](v *T) string {
	if v == nil {
		return "nil"
	}
	return fmt.Sprintf("%#v", *v)
}

// Text is ordered by its bytes on both, so that pages by a key of text are the same.
func TestTextIsOrderedByItsBytes(t *testing.T) {
	t.Parallel()
	words := schema("CREATE TABLE w (word TEXT PRIMARY KEY);")
	for on, db := range map[string]store.DB{"SQLite": openNew(t, words...), "PostgreSQL": openPostgres(t, t.TempDir(), store.Options{}, words...)} {
		err := db.Update(t.Context(), func(tx store.Tx) error {
			for _, w := range strings.Fields("b B a A _ ä z Z aB ab") {
				if _, err := tx.Exec("INSERT INTO w (word) VALUES (?)", w); err != nil {
					return err
				}
			}
			got := ""
			rows, err := tx.Query("SELECT word FROM w WHERE word > ? ORDER BY word", "A")
			if err != nil {
				return err
			}
			for rows.Next() {
				var w string
				if err := rows.Scan(&w); err != nil {
					return err
				}
				got += w + " "
			}
			if want := "B Z _ a aB ab b z ä "; got != want {
				t.Errorf("%s: %q, want %q", on, got, want)
			}
			return rows.Err()
		})
		if err != nil {
			t.Error(on, err)
		}
	}
}

// A closure that looks away from a statement that failed keeps nothing, and costs nobody else anything.
func TestALookAwayKeepsNothing(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]store.Options{"owner": {}, "shared": {Shared: true}} {
		db := openPostgres(t, t.TempDir(), opt, storetest.Things())
		away := func(tx store.Tx) error {
			_, err := tx.Exec("INSERT INTO things (id, name) VALUES (100, 'x')")
			if err != nil {
				return err
			}
			_, _ = tx.Exec("INSERT INTO things (id, name) VALUES (1, NULL)")
			return nil
		}
		late := func(tx store.Tx) error { // fails while its rows are read
			rows, err := tx.Query("SELECT 1 / (id - 3) FROM things ORDER BY id")
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return nil
		}
		if err := db.Update(t.Context(), func(tx store.Tx) error { return errors.Join(addThing(1)(tx), addThing(2)(tx), addThing(3)(tx)) }); err != nil {
			t.Fatal(err)
		}
		hold, held := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := db.Update(t.Context(), func(store.Tx) error { close(held); <-hold; return nil }); err != nil {
				t.Error(err)
			}
		})
		<-held
		for i, fn := range []func(store.Tx) error{addThing(4), away, late, addThing(5)} {
			wg.Go(func() {
				if err := db.Update(t.Context(), fn); (err == nil) != (i == 0 || i == 3) {
					t.Errorf("%s: Update() %d error = %v", name, i, err)
				}
			})
		}
		time.Sleep(20 * time.Millisecond)
		close(hold)
		wg.Wait()
		for i, fn := range []func(store.Tx) error{away, late} { // alone
			if err := db.Update(t.Context(), fn); err == nil {
				t.Errorf("%s: Update() %d alone: error = nil, want one", name, i)
			}
		}
		var n int
		if err := db.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow(count).Scan(&n) }); err != nil || n != 5 {
			t.Errorf("%s: there are %d things, %v; want 5", name, n, err)
		}
	}
}

// The same of a process that owns a schema: the lock goes with it, and the next owner finds what was acknowledged.
func TestKilledOwnerLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	pgtest.Common(t) // children find it
	survive(t, 5, "SCRIM_TEST_STORE=postgres", func(dir string) store.DB { return openPostgres(t, dir, store.Options{}, storetest.Things()) })
}

// road is a way to the server on which a commit, or its answer, is lost once.
type road struct {
	addr   string
	socket string
	lose   atomic.Int32 // 0: nothing, 1: the next commit, 2: the answer to it
}

func pave(t *testing.T, server *pgtest.Server) *road {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	r := &road{addr: l.Addr().String(), socket: server.Socket()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.carry(c)
		}
	}()
	return r
}

func (r *road) carry(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("unix", r.socket)
	if err != nil {
		return
	}
	defer s.Close()
	var mute atomic.Bool
	go func() {
		defer c.Close()
		b := make([]byte, 64<<10)
		for {
			n, err := s.Read(b)
			if err != nil || mute.Load() {
				return
			}
			if _, err := c.Write(b[:n]); err != nil {
				return
			}
		}
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if bytes.HasSuffix(b[:n], []byte("COMMIT\x00")) {
			if r.lose.CompareAndSwap(1, 0) {
				return
			}
			if r.lose.CompareAndSwap(2, 0) {
				mute.Store(true)
			}
		}
		if _, err := s.Write(b[:n]); err != nil {
			return
		}
	}
}

// The connection is lost at the commit: before it came to the server, or with the answer. A shared store tells which; an owner stops, because its lock is lost too.
func TestTheOutcomeOfACommitIsFoundOut(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	r := pave(t, server)
	url := fmt.Sprintf("postgres://owner:%s@%s/postgres?sslmode=disable", server.Password(), r.addr)
	for name, shared := range map[string]bool{"owner": false, "shared": true} {
		open := func() *store.Postgres {
			db, err := unlocked(func() (*store.Postgres, error) {
				return store.OpenPostgres(t.Context(), flow.NewSecret(url), []store.Schema{storetest.Things()}, store.Options{NoSync: true, Shared: shared, Schema: name})
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			return db
		}
		db := open()
		for i, lose := range []int32{1, 2} {
			r.lose.Store(lose)
			err := db.Update(t.Context(), addThing(i))
			switch {
			case shared && lose == 1 && !errors.Is(err, store.ErrConflict):
				t.Errorf("Update() whose commit was lost: error = %v, want ErrConflict", err)
			case shared && lose == 2 && err != nil:
				t.Errorf("Update() whose answer was lost: error = %v, want nil: it is there", err)
			case !shared && err == nil:
				t.Error("Update() of an owner that lost its connection: error = nil, want one")
			}
			if err := db.Update(t.Context(), func(store.Tx) error { return nil }); !shared && !errors.Is(err, store.ErrBroken) {
				t.Errorf("the next Update() error = %v, want ErrBroken", err)
			}
			if !shared {
				db = open()
			}
			var n int
			err = db.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow("SELECT count(*) FROM things WHERE id = ?", i).Scan(&n) })
			if err != nil || n != int(lose)-1 {
				t.Errorf("%s: there are %d rows of update %d, %v; want %d", name, n, i, err, lose-1)
			}
		}
	}
}
