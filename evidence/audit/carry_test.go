package audit_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const oldOrigin = "hospital.example/journal"

// version1 returns the data directory that a program of version 1 left: 310 rows, of which two checkpoints cover 300.
func version1(t *testing.T) string {
	t.Helper()
	f, err := os.Open("testdata/version1.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		if strings.HasSuffix(h.Name, "/") {
			continue
		}
		b, err := io.ReadAll(r)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(name), 0o700)
		}
		if err == nil {
			err = os.WriteFile(name, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// before is the journal's schema as version 1 had it.
func before(t *testing.T) store.Schema {
	t.Helper()
	old := fstest.MapFS{}
	for _, name := range []string{"migrations/001_journal.sql", "migrations/002_private.sql"} {
		b, err := fs.ReadFile(audit.Schema().FS, name)
		if err != nil {
			t.Fatal(err)
		}
		old[name] = &fstest.MapFile{Data: b}
	}
	return store.Schema{Name: audit.Schema().Name, FS: old}
}

// openVersion1 opens what version 1 left, falsified before as told. On PostgreSQL its rows are put there first.
func openVersion1(t *testing.T, falsify ...string) (store.DB, audit.Options) {
	t.Helper()
	dir := version1(t)
	opt := audit.Options{Chain: oldOrigin, Archive: filepath.Join(dir, "checkpoints"), Dir: filepath.Join(dir, "log")}
	old, err := store.Open(t.Context(), dir, []store.Schema{before(t)}, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if storetest.OnPostgres() {
		schema := t.TempDir()
		db, err := storetest.Try(t, schema, store.Options{}, before(t))
		if err != nil {
			t.Fatal(err)
		}
		copyTables(t, old, db)
		exec(t, db, falsify...)
		if err := errors.Join(old.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
		return storetest.OpenDir(t, schema, audit.Schema()), opt
	}
	exec(t, old, falsify...)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	return storetest.OpenDir(t, dir, audit.Schema()), opt
}

// What version 1 wrote goes on: its rows are leaves of the tree, and new rows follow them.
func TestVersion1IsCarriedIntoTheTree(t *testing.T) {
	db, opt := openVersion1(t)
	l := openLog(t, db, opt)
	if l.Sequenced() != 310 {
		t.Fatalf("%d rows are in the tree, want all 310", l.Sequenced())
	}
	if r := write(t, db, l, 311, 312); r[1].Seq != 312 || r[1].Index != 312 {
		t.Errorf("the rows after it have receipts %+v", r)
	}
	report, err := l.Verify(t.Context())
	if err != nil || report.Entries != 312 || report.Covered != 312 {
		t.Errorf("Verify() = %+v, %v, want 312 rows in the tree", report, err)
	}
	i := 0
	for e, err := range l.Entries(t.Context(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		i++
		want := event(i)
		want.Time = want.Time.UTC()
		if got := mustJSON(t, e.Event); got != mustJSON(t, want) || (e.Sealed != nil) != (i%2 == 0) {
			t.Errorf("entry %d is %s, want %s", i, got, mustJSON(t, want))
		}
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, db, opt) // nothing is carried twice
	if report, err := l.Verify(t.Context()); err != nil || report.Covered != 312 {
		t.Errorf("Verify() when it was opened again = %+v, %v", report, err)
	}
}

// A chain that was falsified is not given a signature by the way.
func TestFalsifiedVersion1IsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		do   string
		seq  int64
		what string
	}{
		"a flipped bit":                  {flipped("3"), 3, "follow"},
		"a flipped bit below the end":    {flipped("309"), 309, "follow"},
		"a removed row":                  {"DELETE FROM audit_entries WHERE seq = 200", 200, "missing"},
		"a row hidden from its flow":     {"UPDATE audit_entries SET flow = 'f99' WHERE seq = 4", 4, "index"},
		"a forged checkpoint":            {"UPDATE audit_checkpoints SET note = replace(note, '2026', '2027') WHERE size = 100", 100, "forged"},
		"a tail cut below the archive's": {"UPDATE audit_head SET size = 299", 300, "beyond"},
	} {
		t.Run(name, func(t *testing.T) {
			db, opt := openVersion1(t, c.do)
			_, err := audit.Open(t.Context(), db, origin, key(1), opt)
			wantTampered(t, err, c.seq, c.what)
			if files, err := os.ReadDir(opt.Dir); err == nil && len(files) > 0 {
				t.Errorf("the log was begun all the same: %v", files)
			}
		})
	}
	db, opt := openVersion1(t)
	_, err := audit.Open(t.Context(), db, origin, key(2), opt)
	wantTampered(t, err, 100, "forged")
}

// A cut that takes rows and checkpoints along shows against the archive alone.
func TestCutVersion1IsRefused(t *testing.T) {
	db, opt := openVersion1(t, "DELETE FROM audit_entries WHERE seq > 150", "UPDATE audit_head SET size = 150, hash = (SELECT hash FROM audit_entries WHERE seq = 150)", "DELETE FROM audit_checkpoints WHERE size = 300")
	_, err := audit.Open(t.Context(), db, origin, key(1), opt)
	wantTampered(t, err, 151, "set back")
}

// The program ends on the way: what is in the tree stays, the rest follows.
func TestCarryingIsGoneOnWith(t *testing.T) {
	db, opt := openVersion1(t)
	for i := 1; i < 400; i++ {
		var left atomic.Int64 // files are written at once
		left.Store(int64(i))
		opt := opt
		audit.SetFault(&opt, func(op, path string) error {
			if left.Add(-1) < 0 {
				return os.ErrDeadlineExceeded
			}
			return nil
		})
		l, err := audit.Open(t.Context(), db, origin, key(1), opt)
		if err != nil {
			continue
		}
		left.Store(1 << 30)
		defer l.Close(context.Background())
		if i < 5 {
			t.Fatalf("only %d attempts failed", i)
		}
		if report, err := l.Verify(t.Context()); err != nil || report.Covered != 310 {
			t.Errorf("after %d attempts Verify() = %+v, %v, want 310 rows in the tree", i, report, err)
		}
		return
	}
	t.Fatal("it never succeeded")
}
