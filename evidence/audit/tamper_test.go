package audit_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// journal has ten rows, the first eight under two checkpoints.
func journal(t *testing.T) store.DB {
	t.Helper()
	db := storetest.Open(t, audit.Schema())
	l := openLog(t, db, audit.Options{})
	write(t, db, l, 1, 4)
	checkpoint(t, l)
	write(t, db, l, 5, 8)
	checkpoint(t, l)
	write(t, db, l, 9, 10)
	return db
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

// Each line is one way to falsify a journal, and the first row that Verify must name.
func TestVerifyFinds(t *testing.T) {
	flipped := "UPDATE audit_entries SET event = CAST(replace(CAST(event AS TEXT), 'billing', 'bilming') AS BLOB) WHERE seq = 3"
	if storetest.OnPostgres() { // bytes are no text there
		flipped = "UPDATE audit_entries SET event = convert_to(replace(convert_from(event, 'UTF8'), 'billing', 'bilming'), 'UTF8') WHERE seq = 3"
	}
	for name, c := range map[string]struct {
		do   []string
		seq  int64
		what string
	}{
		"a flipped bit in an event":        {[]string{flipped}, 3, "follow"},
		"a flipped bit in sealed bytes":    {[]string{"UPDATE audit_entries SET sealed = CAST('sealed 7' AS BLOB) WHERE seq = 6"}, 6, "follow"},
		"sealed bytes taken away":          {[]string{"UPDATE audit_entries SET sealed = NULL WHERE seq = 6"}, 6, "follow"},
		"sealed bytes added":               {[]string{"UPDATE audit_entries SET sealed = CAST('x' AS BLOB) WHERE seq = 5"}, 5, "follow"},
		"a flipped bit in a hash":          {[]string{"UPDATE audit_entries SET hash = CAST(substr(hash, 1, 31) || x'00' AS BLOB) WHERE seq = 2"}, 2, "follow"},
		"a row hidden from its flow":       {[]string{"UPDATE audit_entries SET flow = 'f99' WHERE seq = 4"}, 4, "index"},
		"a row hidden from its parent":     {[]string{"UPDATE audit_entries SET parent = '' WHERE seq = 4"}, 4, "index"},
		"a removed row":                    {[]string{"DELETE FROM audit_entries WHERE seq = 5"}, 5, "missing"},
		"the first row removed":            {[]string{"DELETE FROM audit_entries WHERE seq = 1"}, 1, "missing"},
		"the last row removed":             {[]string{"DELETE FROM audit_entries WHERE seq = 10"}, 10, "missing"},
		"a removed row, the rest moved up": {[]string{"DELETE FROM audit_entries WHERE seq = 9", "UPDATE audit_entries SET seq = 9 WHERE seq = 10"}, 9, "follow"},
		"two rows in another order":        {[]string{"UPDATE audit_entries SET seq = 1000 WHERE seq = 6", "UPDATE audit_entries SET seq = 6 WHERE seq = 7", "UPDATE audit_entries SET seq = 7 WHERE seq = 1000"}, 6, "follow"},
		"a tail cut below the checkpoint": {[]string{"DELETE FROM audit_entries WHERE seq > 6",
			"UPDATE audit_head SET size = 6, hash = (SELECT hash FROM audit_entries WHERE seq = 6)"}, 7, "checkpoint covers 8"},
		"a row beyond the head":   {[]string{"INSERT INTO audit_entries (seq, flow, parent, event, hash) SELECT 11, flow, parent, event, hash FROM audit_entries WHERE seq = 10"}, 11, "beyond"},
		"a row before the first":  {[]string{"INSERT INTO audit_entries (seq, flow, parent, event, hash) SELECT 0, flow, parent, event, hash FROM audit_entries WHERE seq = 10"}, 0, "before"},
		"another head":            {[]string{"UPDATE audit_head SET hash = (SELECT hash FROM audit_entries WHERE seq = 9)"}, 10, "head"},
		"no head":                 {[]string{"DELETE FROM audit_head"}, 1, "beyond the head"},
		"everything removed":      {[]string{"DELETE FROM audit_entries", "DELETE FROM audit_head"}, 1, "checkpoint covers 8"},
		"a forged checkpoint":     {[]string{"UPDATE audit_checkpoints SET note = replace(note, '2026', '2027') WHERE size = 4"}, 4, "forged"},
		"a checkpoint elsewhere":  {[]string{"UPDATE audit_checkpoints SET size = 3 WHERE size = 4"}, 3, "another size"},
		"a checkpoint not a note": {[]string{"UPDATE audit_checkpoints SET note = 'x' WHERE size = 8"}, 8, "forged"},
	} {
		t.Run(name, func(t *testing.T) {
			db := journal(t)
			if report, err := audit.Verify(t.Context(), db, origin, public(key(1))); err != nil || report.Entries != 10 {
				t.Fatalf("Verify() before = %+v, %v, want 10 entries", report, err)
			}
			exec(t, db, c.do...)
			report, err := audit.Verify(t.Context(), db, origin, public(key(1)))
			wantTampered(t, err, c.seq, c.what)
			if bad, ok := errors.AsType[*audit.Tampered](err); ok && bad.Seq > 0 && report.Entries != bad.Seq-1 {
				t.Errorf("Verify() names entry %d, yet says that %d entries fit", bad.Seq, report.Entries)
			}
		})
	}
}

// Somebody writes another history whose chain is whole, and puts it under the signed checkpoints.
func TestRewrittenHistory(t *testing.T) {
	db, other := journal(t), storetest.Open(t, audit.Schema())
	write(t, other, openLog(t, other, audit.Options{}), 101, 110)
	err := db.Update(t.Context(), func(tx store.Tx) error {
		for e, err := range audit.Entries(t.Context(), other, audit.Query{}) {
			if err != nil {
				return err
			}
			const put = "UPDATE audit_entries SET flow = ?, parent = ?, event = ?, sealed = ?, hash = ? WHERE seq = ?"
			if _, err := tx.Exec(put, string(e.Event.Flow.ID), string(e.Event.Flow.Parent), e.Raw, e.Sealed, e.Hash[:], e.Seq); err != nil {
				return err
			}
			if _, err := tx.Exec("UPDATE audit_head SET hash = ?", e.Hash[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = audit.Verify(t.Context(), db, origin, public(key(1)))
	wantTampered(t, err, 4, "the checkpoint has another")
	exec(t, db, "DELETE FROM audit_checkpoints")
	if _, err := audit.Verify(t.Context(), db, origin, public(key(1))); err != nil {
		t.Errorf("Verify() without any checkpoint: error = %v, want nil: nothing is left to tell", err)
	}
}

// What the newest checkpoint and the rows after it show, Open notices; it does not look at older rows.
func TestOpenFinds(t *testing.T) {
	for name, c := range map[string]struct {
		do   []string
		seq  int64
		what string
	}{
		"a cut tail":             {[]string{"DELETE FROM audit_entries WHERE seq > 6", "UPDATE audit_head SET size = 6"}, 8, "missing"},
		"a changed row after it": {[]string{"UPDATE audit_entries SET sealed = NULL WHERE seq = 10"}, 10, "follow"},
		"a changed row under it": {[]string{"UPDATE audit_entries SET hash = x'00' WHERE seq = 8"}, 8, "hash of its checkpoint"},
		"a forged checkpoint":    {[]string{"UPDATE audit_checkpoints SET note = 'x' WHERE size = 8"}, 8, "forged"},
		"another head":           {[]string{"UPDATE audit_head SET hash = x'00'"}, 10, "head"},
	} {
		t.Run(name, func(t *testing.T) {
			db := journal(t)
			exec(t, db, c.do...)
			_, err := audit.Open(t.Context(), db, origin, key(1), audit.Options{})
			wantTampered(t, err, c.seq, c.what)
		})
	}
}

// A journal changed while it is open gets no signature.
func TestCheckpointDoesNotSignWhatWasChanged(t *testing.T) {
	for name, c := range map[string]struct {
		do  []string
		seq int64
	}{
		"a row":        {[]string{"UPDATE audit_entries SET sealed = NULL WHERE seq = 6"}, 6},
		"rows cut off": {[]string{"DELETE FROM audit_entries WHERE seq > 2", "UPDATE audit_head SET size = 2, hash = (SELECT hash FROM audit_entries WHERE seq = 2)"}, 4},
	} {
		db := storetest.Open(t, audit.Schema())
		l := openLog(t, db, audit.Options{})
		write(t, db, l, 1, 4)
		checkpoint(t, l)
		write(t, db, l, 5, 8)
		exec(t, db, c.do...)
		_, err := l.Checkpoint(t.Context())
		t.Log(name)
		wantTampered(t, err, c.seq, "")
	}
}

func TestVerifyWithAnotherKey(t *testing.T) {
	db := journal(t)
	_, err := audit.Verify(t.Context(), db, origin, public(key(2)))
	wantTampered(t, err, 4, "none of the journal's keys")
	_, err = audit.Verify(t.Context(), db, "another.example", public(key(1)))
	wantTampered(t, err, 1, "follow")
	if _, err := audit.Verify(t.Context(), db, origin, nil); !errors.Is(err, audit.ErrSigner) {
		t.Errorf("Verify() without a key: error = %v, want ErrSigner", err)
	}
}

// A key can be changed: what the earlier one signed stays good for those who name it.
func TestEarlierKey(t *testing.T) {
	db := journal(t)
	if _, err := audit.Open(t.Context(), db, origin, key(2), audit.Options{}); !errors.Is(err, audit.ErrTampered) {
		t.Errorf("Open() with a new key alone: error = %v, want ErrTampered", err)
	}
	l, err := audit.Open(t.Context(), db, origin, key(2), audit.Options{Earlier: []ed25519.PublicKey{public(key(1))}})
	if err != nil {
		t.Fatal(err)
	}
	checkpoint(t, l)
	if report, err := l.Verify(t.Context()); err != nil || report.Checkpoints != 3 {
		t.Errorf("Verify() = %+v, %v, want 3 checkpoints", report, err)
	}
}

// copyDir stands for a backup.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// The whole database is set back to an older copy, whose chain and checkpoints are all in order.
func TestSetBackDatabase(t *testing.T) {
	storetest.NeedsDirectory(t)
	dir, backup, kept := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "kept")
	db := storetest.OpenDir(t, dir, audit.Schema())
	l := openLog(t, db, audit.Options{Archive: kept})
	write(t, db, l, 1, 4)
	if err := errors.Join(l.Close(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	copyDir(t, dir, backup)
	db = storetest.OpenDir(t, dir, audit.Schema())
	l = openLog(t, db, audit.Options{Archive: kept})
	write(t, db, l, 5, 8)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	notes, err := audit.ReadArchive(kept)
	if err != nil {
		t.Fatal(err)
	}
	against := audit.Against{Checkpoints: notes}
	if report, err := audit.Verify(t.Context(), db, origin, public(key(1)), against); err != nil || report.Archived != 2 {
		t.Errorf("Verify() of the journal itself = %+v, %v, want 2 archived checkpoints", report, err)
	}
	old := storetest.OpenDir(t, backup, audit.Schema())
	if _, err := audit.Verify(t.Context(), old, origin, public(key(1))); err != nil {
		t.Errorf("Verify() of the backup alone: error = %v, want nil", err)
	}
	_, err = audit.Verify(t.Context(), old, origin, public(key(1)), against)
	wantTampered(t, err, 5, "set back")
	_, err = audit.Open(t.Context(), old, origin, key(1), audit.Options{Archive: kept})
	wantTampered(t, err, 5, "set back")

	// The backup goes on by itself, and grows past the archived checkpoint: another history of the same length.
	fork := openLog(t, old, audit.Options{})
	write(t, old, fork, 101, 108)
	checkpoint(t, fork)
	_, err = audit.Verify(t.Context(), old, origin, public(key(1)), against)
	wantTampered(t, err, 8, "archived checkpoint has another hash")
	_, err = audit.Open(t.Context(), old, origin, key(1), audit.Options{Archive: kept})
	wantTampered(t, err, 8, "hash of its checkpoint")
}

func TestArchivedCheckpointMustBeSigned(t *testing.T) {
	db := journal(t)
	for name, n := range map[string][]byte{
		"nothing":       nil,
		"not a note":    []byte("x\n"),
		"by a stranger": signed(t, key(2), fmt.Sprintf("%s\n4\n%s\ntime 2026-11-22T19:30:00Z\n", origin, strings.Repeat("A", 43)+"=")),
	} {
		_, err := audit.Verify(t.Context(), db, origin, public(key(1)), audit.Against{Checkpoints: [][]byte{n}})
		if !errors.Is(err, audit.ErrCheckpoint) {
			t.Errorf("%s: Verify() error = %v, want ErrCheckpoint", name, err)
		}
	}
}

// signed signs any text as a note, as a key's owner could.
func signed(t testing.TB, k ed25519.PrivateKey, text string) []byte {
	t.Helper()
	vkey, err := audit.VerifierKey(origin, public(k))
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	b, err := note.Sign(&note.Note{Text: text}, plainSigner{v, k})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type plainSigner struct {
	note.Verifier
	key ed25519.PrivateKey
}

func (s plainSigner) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

func TestParseCheckpoint(t *testing.T) {
	hash := strings.Repeat("A", 43) + "="
	good := origin + "\n4\n" + hash + "\ntime 2026-11-22T19:30:00Z\n"
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"as it should be":       {good, true},
		"another origin":        {"x" + good, false},
		"a line more":           {good + "more\n", false},
		"a line less":           {origin + "\n4\n" + hash + "\n", false},
		"a size with a zero":    {strings.Replace(good, "\n4\n", "\n04\n", 1), false},
		"a size with a sign":    {strings.Replace(good, "\n4\n", "\n+4\n", 1), false},
		"a size below zero":     {strings.Replace(good, "\n4\n", "\n-4\n", 1), false},
		"a size too large":      {strings.Replace(good, "\n4\n", "\n9223372036854775808\n", 1), false},
		"a hash too short":      {strings.Replace(good, hash, "AAAA", 1), false},
		"a hash with loose end": {strings.Replace(good, "A=", "B=", 1), false},
		"a local time":          {strings.Replace(good, "00Z", "00+01:00", 1), false},
		"a fraction of seconds": {strings.Replace(good, "00Z", "00.5Z", 1), false},
		"no word before time":   {strings.Replace(good, "time ", "", 1), false},
	} {
		got, err := audit.ParseCheckpoint(signed(t, key(1), c.text), origin, public(key(1)))
		if (err == nil) != c.ok || err != nil && !errors.Is(err, audit.ErrCheckpoint) {
			t.Errorf("%s: ParseCheckpoint() error = %v", name, err)
		}
		if c.ok && got.Size != 4 || !c.ok && got.Size != 0 {
			t.Errorf("%s: ParseCheckpoint() gave size %d", name, got.Size)
		}
	}
}
