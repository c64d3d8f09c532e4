package audit_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// journal has ten rows, all in the log in dir.
func journal(t *testing.T) (db store.DB, dir string) {
	t.Helper()
	db, dir = storetest.Open(t, audit.Schema()), t.TempDir()
	l := openLog(t, db, audit.Options{Dir: dir})
	write(t, db, l, 1, 10)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, dir
}

func wantTampered(t *testing.T, err error, seq int64, what string) {
	t.Helper()
	bad, ok := errors.AsType[*audit.Tampered](err)
	if !ok || !errors.Is(err, audit.ErrTampered) {
		t.Errorf("error = %v, want a Tampered", err)
		return
	}
	if bad.Seq != seq || !strings.Contains(bad.What, what) {
		t.Errorf("tampered at %d: %q, want at %d something about %q", bad.Seq, bad.What, seq, what)
	}
}

func flipped(seq string) string {
	if storetest.OnPostgres() { // bytes are no text there
		return "UPDATE audit_entries SET event = convert_to(replace(convert_from(event, 'UTF8'), 'billing', 'bilming'), 'UTF8') WHERE seq = " + seq
	}
	return "UPDATE audit_entries SET event = CAST(replace(CAST(event AS TEXT), 'billing', 'bilming') AS BLOB) WHERE seq = " + seq
}

// Each line is one way to falsify a journal's rows, and the first row that Verify must name.
func TestVerifyFinds(t *testing.T) {
	for name, c := range map[string]struct {
		do   []string
		seq  int64
		what string
	}{
		"a flipped bit in an event":        {[]string{flipped("3")}, 3, "not the one in the log"},
		"a flipped bit in sealed bytes":    {[]string{"UPDATE audit_entries SET sealed = CAST('sealed 7' AS BLOB) WHERE seq = 6"}, 6, "not the one"},
		"sealed bytes taken away":          {[]string{"UPDATE audit_entries SET sealed = NULL WHERE seq = 6"}, 6, "not the one"},
		"sealed bytes added":               {[]string{"UPDATE audit_entries SET sealed = CAST('x' AS BLOB) WHERE seq = 5"}, 5, "not the one"},
		"a commitment added":               {[]string{"UPDATE audit_entries SET payload = CAST('x' AS BLOB) WHERE seq = 5"}, 5, "not the one"},
		"a row hidden from its flow":       {[]string{"UPDATE audit_entries SET flow = 'f99' WHERE seq = 4"}, 4, "index"},
		"a row hidden from its parent":     {[]string{"UPDATE audit_entries SET parent = '' WHERE seq = 4"}, 4, "index"},
		"an event taken away":              {[]string{"UPDATE audit_entries SET event = CAST('' AS BLOB) WHERE seq = 4"}, 4, "lost its event"},
		"a removed row":                    {[]string{"DELETE FROM audit_entries WHERE seq = 5"}, 5, "missing"},
		"the first row removed":            {[]string{"DELETE FROM audit_entries WHERE seq = 1"}, 1, "missing"},
		"the last row removed":             {[]string{"DELETE FROM audit_entries WHERE seq = 10"}, 10, "missing"},
		"a removed row, the rest moved up": {[]string{"DELETE FROM audit_entries WHERE seq = 9", "UPDATE audit_entries SET seq = 9 WHERE seq = 10"}, 9, "not the one"},
		"two rows in another order":        {[]string{"UPDATE audit_entries SET seq = 1000 WHERE seq = 6", "UPDATE audit_entries SET seq = 6 WHERE seq = 7", "UPDATE audit_entries SET seq = 7 WHERE seq = 1000"}, 6, "not the one"},
		"a tail that was cut":              {[]string{"DELETE FROM audit_entries WHERE seq > 6", "UPDATE audit_head SET size = 6"}, 7, "missing"},
		"a row beyond the head":            {[]string{"INSERT INTO audit_entries (seq, flow, parent, event, proof) SELECT 11, flow, parent, event, proof FROM audit_entries WHERE seq = 10"}, 11, "beyond"},
		"a row before the first":           {[]string{"INSERT INTO audit_entries (seq, flow, parent, event, proof) SELECT 0, flow, parent, event, proof FROM audit_entries WHERE seq = 10"}, 0, "before"},
		"no head":                          {[]string{"DELETE FROM audit_head"}, 1, "beyond the head"},
		"everything removed":               {[]string{"DELETE FROM audit_entries", "DELETE FROM audit_head"}, 1, "missing"},
		"another beginning of the tree":    {[]string{"UPDATE audit_trees SET tree_first = 2"}, 2, "header"},
	} {
		t.Run(name, func(t *testing.T) {
			db, dir := journal(t)
			if report, err := audit.Verify(t.Context(), db, dir, origin, public(key(1))); err != nil || report.Entries != 10 {
				t.Fatalf("Verify() before = %+v, %v, want 10 entries", report, err)
			}
			exec(t, db, c.do...)
			report, err := audit.Verify(t.Context(), db, dir, origin, public(key(1)))
			wantTampered(t, err, c.seq, c.what)
			if bad, ok := errors.AsType[*audit.Tampered](err); ok && report.Entries > max(bad.Seq-1, 0) {
				t.Errorf("Verify() names entry %d, yet says that %d entries fit", bad.Seq, report.Entries)
			}
		})
	}
}

// Each line is one way to falsify the log's files.
func TestVerifyFindsInFiles(t *testing.T) {
	flip := func(at int) func(b []byte) []byte {
		return func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 1; return b }
	}
	for name, c := range map[string]struct {
		file   string
		change func([]byte) []byte // nil: it is removed
		seq    int64
		what   string
	}{
		"a flipped bit in an entry":      {"tile/entries/000.p/11", flip(300), 1, "entry is damaged"},
		"a flipped bit in the last":      {"tile/entries/000.p/11", flip(-20), 10, "entry is damaged"},
		"a flipped bit in the header":    {"tile/entries/000.p/11", flip(30), 1, "header"},
		"entries that are not whole":     {"tile/entries/000.p/11", func(b []byte) []byte { return b[:len(b)-1] }, 1, "damaged"},
		"no entries":                     {"tile/entries/000.p/11", nil, 1, "damaged"},
		"a flipped bit in a hash":        {"tile/0/000.p/11", flip(40), 1, "hashes"},
		"no hashes":                      {"tile/0/000.p/11", nil, 1, "hashes"},
		"a flipped bit in the root":      {"checkpoint", flip(len(origin) + 8), 1, "forged"},
		"a flipped bit in the signature": {"checkpoint", flip(-10), 1, "forged"},
	} {
		t.Run(name, func(t *testing.T) {
			db, dir := journal(t)
			file := filepath.Join(dir, "all", filepath.FromSlash(c.file))
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if c.change == nil {
				err = os.Remove(file)
			} else {
				err = os.WriteFile(file, c.change(b), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = audit.Verify(t.Context(), db, dir, origin, public(key(1)))
			wantTampered(t, err, c.seq, c.what)
		})
	}
}

// Somebody writes another history and has no key: the rows do not have the proofs, and the tree is another one.
func TestRewrittenHistory(t *testing.T) {
	db, dir := journal(t)
	other := storetest.Open(t, audit.Schema())
	write(t, other, openLog(t, other, audit.Options{Dir: t.TempDir()}), 101, 110)
	err := db.Update(t.Context(), func(tx store.Tx) error {
		for e, err := range audit.Entries(t.Context(), other, audit.Query{}) {
			if err != nil {
				return err
			}
			const put = "UPDATE audit_entries SET flow = ?, parent = ?, event = ?, sealed = ? WHERE seq = ?"
			if _, err := tx.Exec(put, string(e.Event.Flow.ID), string(e.Event.Flow.Parent), e.Raw, e.Sealed, e.Seq); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = audit.Verify(t.Context(), db, dir, origin, public(key(1)))
	wantTampered(t, err, 1, "not the one in the log")
	_, err = audit.Open(t.Context(), db, origin, key(1), audit.Options{Dir: dir})
	wantTampered(t, err, 1, "not the one in the log")
}

// What the newest rows and the tree show, Open notices; it does not look at older rows.
func TestOpenFinds(t *testing.T) {
	for name, c := range map[string]struct {
		do   []string
		seq  int64
		what string
	}{
		"a cut tail":          {[]string{"DELETE FROM audit_entries WHERE seq > 6", "UPDATE audit_head SET size = 6"}, 7, "set back or cut"},
		"a cut tail alone":    {[]string{"DELETE FROM audit_entries WHERE seq > 6"}, 7, "missing"},
		"a changed row":       {[]string{"UPDATE audit_entries SET sealed = NULL WHERE seq = 10"}, 10, "not the one"},
		"a removed row":       {[]string{"DELETE FROM audit_entries WHERE seq = 8"}, 8, "missing"},
		"a row that we wrote": {[]string{"INSERT INTO audit_entries (seq, flow, parent, event, proof) SELECT 11, flow, parent, event, proof FROM audit_entries WHERE seq = 9", "UPDATE audit_head SET size = 11"}, 11, "not as this log's key wrote it"},
		"everything removed":  {[]string{"DELETE FROM audit_entries", "DELETE FROM audit_head", "DELETE FROM audit_trees"}, 1, "does not know"},
		"rows of version 1":   {[]string{"UPDATE audit_head SET chained = 10"}, 1, "claims"},
	} {
		t.Run(name, func(t *testing.T) {
			db, dir := journal(t)
			exec(t, db, c.do...)
			_, err := audit.Open(t.Context(), db, origin, key(1), audit.Options{Dir: dir})
			wantTampered(t, err, c.seq, c.what)
		})
	}
}

// Rows that were changed after a crash and before they reached the tree get no signature; rows as they were written get there.
func TestRowsOfACrashNeedTheirProof(t *testing.T) {
	for name, c := range map[string]struct {
		do  []string
		seq int64
	}{
		"as they were":        {nil, 0},
		"an event":            {[]string{flipped("6")}, 6},
		"sealed bytes":        {[]string{"UPDATE audit_entries SET sealed = NULL WHERE seq = 6"}, 6},
		"a row taken out":     {[]string{"DELETE FROM audit_entries WHERE seq = 5", "UPDATE audit_entries SET seq = seq - 1 WHERE seq > 5", "UPDATE audit_head SET size = size - 1"}, 5},
		"another row's proof": {[]string{"UPDATE audit_entries SET proof = (SELECT proof FROM audit_entries WHERE seq = 3) WHERE seq = 6"}, 6},
		"another period":      {[]string{"UPDATE audit_trees SET name = 'more'", "UPDATE audit_head SET tree = 'more'"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			db, _ := journal(t)
			exec(t, db, c.do...)
			fresh := t.TempDir() // as if the program had ended before the first row reached the tree
			l, err := audit.Open(t.Context(), db, origin, key(1), audit.Options{Dir: fresh})
			if c.seq > 0 {
				wantTampered(t, err, c.seq, "not as this log's key wrote it")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close(context.Background())
			if report, err := l.Verify(t.Context()); err != nil || report.Covered != 10 {
				t.Errorf("Verify() = %+v, %v, want 10 rows in the tree", report, err)
			}
		})
	}
	db, _ := journal(t)
	_, err := audit.Open(t.Context(), db, origin, key(2), audit.Options{Dir: t.TempDir()})
	wantTampered(t, err, 1, "not as this log's key wrote it")
}

// A row that is changed while the journal is open does not change what the tree gets; the next verification finds the row.
func TestTheTreeGetsWhatWasAppended(t *testing.T) {
	db, dir := storetest.Open(t, audit.Schema()), t.TempDir()
	l := openLog(t, db, audit.Options{Dir: dir})
	var hash [32]byte
	err := db.Update(t.Context(), func(tx store.Tx) error {
		r, err := l.Append(tx, event(1), audit.Private{})
		if err != nil {
			return err
		}
		hash = r.Hash
		_, err = tx.Exec(flipped("1")) // in the same transaction, so that nobody can have read it before
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c := checkpoint(t, l)
	if leaf, err := tile.Leaf(t.Context(), l.Tree(""), c, 1); err != nil || leaf != hash {
		t.Errorf("the tree has leaf %x, %v, want that of the receipt, %x", leaf, err, hash)
	}
	_, err = l.Verify(t.Context())
	wantTampered(t, err, 1, "not the one in the log")
}

func TestVerifyWithAnotherKey(t *testing.T) {
	db, dir := journal(t)
	_, err := audit.Verify(t.Context(), db, dir, origin, public(key(2)))
	wantTampered(t, err, 1, "none of the log's keys")
	if _, err := audit.Verify(t.Context(), db, dir, origin, nil); err == nil {
		t.Error("Verify() without a key: error = nil")
	}
}

// A key can be changed: what the earlier one signed stays good for those who name it.
func TestEarlierKey(t *testing.T) {
	db, dir := journal(t)
	if _, err := audit.Open(t.Context(), db, origin, key(2), audit.Options{Dir: dir}); err == nil {
		t.Error("Open() with a new key alone: error = nil")
	}
	l, err := audit.Open(t.Context(), db, origin, key(2), audit.Options{Dir: dir, Earlier: []ed25519.PublicKey{public(key(1))}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background())
	write(t, db, l, 11, 12)
	if report, err := l.Verify(t.Context()); err != nil || report.Covered != 12 {
		t.Errorf("Verify() = %+v, %v, want 12 rows", report, err)
	}
}

// copyDir stands for a backup.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// Database and tree are set back together to an older copy, in which everything is in order.
func TestSetBackDatabase(t *testing.T) {
	storetest.NeedsDirectory(t)
	dir, backup, kept := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "kept")
	db := storetest.OpenDir(t, dir, audit.Schema())
	opt := audit.Options{Archive: kept, Publish: time.Hour} // or else the background archives one between two rows of a slow machine
	l := openLog(t, db, opt)
	write(t, db, l, 1, 4)
	if err := errors.Join(l.Close(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	copyDir(t, dir, backup)
	db = storetest.OpenDir(t, dir, audit.Schema())
	l = openLog(t, db, opt)
	write(t, db, l, 5, 8)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	notes, err := audit.ReadArchive(kept)
	if err != nil {
		t.Fatal(err)
	}
	against := audit.Against{Checkpoints: notes}
	if report, err := audit.Verify(t.Context(), db, filepath.Join(dir, "log"), origin, public(key(1)), against); err != nil || report.Archived != 2 {
		t.Errorf("Verify() of the journal itself = %+v, %v, want 2 archived checkpoints", report, err)
	}
	old, oldLog := storetest.OpenDir(t, backup, audit.Schema()), filepath.Join(backup, "log")
	if _, err := audit.Verify(t.Context(), old, oldLog, origin, public(key(1))); err != nil {
		t.Errorf("Verify() of the backup alone: error = %v, want nil", err)
	}
	_, err = audit.Verify(t.Context(), old, oldLog, origin, public(key(1)), against)
	wantTampered(t, err, 5, "set back")
	_, err = audit.Open(t.Context(), old, origin, key(1), audit.Options{Archive: kept})
	wantTampered(t, err, 5, "set back")

	// The backup goes on by itself, and grows past the archived checkpoint: another history of the same length.
	fork := openLog(t, old, audit.Options{})
	write(t, old, fork, 101, 108)
	checkpoint(t, fork)
	_, err = audit.Verify(t.Context(), old, oldLog, origin, public(key(1)), against)
	wantTampered(t, err, 8, "archived checkpoint has another root")
	if err := fork.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = audit.Open(t.Context(), old, origin, key(1), audit.Options{Archive: kept})
	wantTampered(t, err, 8, "archived checkpoint has another root")
}

// The tree alone is set back, or lost: what the database still has goes there again, if it is what was signed.
func TestSetBackTree(t *testing.T) {
	db, kept := storetest.Open(t, audit.Schema()), t.TempDir()
	l := openLog(t, db, audit.Options{Dir: t.TempDir(), Archive: kept, Publish: time.Hour}) // as above
	write(t, db, l, 1, 8)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := openLog(t, db, audit.Options{Dir: t.TempDir(), Archive: kept})
	if report, err := again.Verify(t.Context()); err != nil || report.Covered != 8 || report.Archived != 1 {
		t.Errorf("Verify() = %+v, %v, want 8 rows that fit the archived checkpoint", report, err)
	}
}

func TestArchivedCheckpointMustBeSigned(t *testing.T) {
	db, dir := journal(t)
	stranger, err := tile.Checkpoint{Origin: origin, Size: 4}.Sign(must(tile.NewSigner(origin, key(2))))
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string][]byte{"nothing": nil, "not a note": []byte("x\n"), "by a stranger": stranger.Note} {
		_, err := audit.Verify(t.Context(), db, dir, origin, public(key(1)), audit.Against{Checkpoints: [][]byte{n}})
		if !errors.Is(err, tile.ErrCheckpoint) {
			t.Errorf("%s: Verify() error = %v, want ErrCheckpoint", name, err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
