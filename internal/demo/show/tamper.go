package show

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // copies a database that is in use

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

// broken is what became of a copy of a journal in which one byte was changed.
type broken struct {
	domain flow.DomainID
	entry  int64 // that was changed
	offset int   // of the byte in the file
	found  *audit.Tampered
}

const database = "scrim.db"

// tamper copies a domain's database, changes one byte of one row of the journal in the copy, and verifies that.
func (s *system) tamper(ctx context.Context, d flow.DomainID, entry int64) (b broken, err error) {
	g := s.gateways[d]
	dir := filepath.Join(s.dir, "tampered")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	copied := filepath.Join(dir, database)
	if err := copyDatabase(ctx, filepath.Join(g.Config().Path(g.Config().Data), database), copied); err != nil {
		return b, fmt.Errorf("copying the journal of %s: %w", d, err)
	}
	b = broken{domain: d, entry: entry}
	if b.offset, err = flip(ctx, g.Log, copied, entry); err != nil {
		return b, err
	}
	db, err := store.Open(ctx, dir, run.Schemas(), store.Options{})
	if err != nil {
		return b, fmt.Errorf("opening the copy: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, verr := audit.Verify(ctx, db, run.LogDir(g.Config()), run.Origin(d), g.Log.Key())
	if !errors.As(verr, &b.found) {
		return b, fmt.Errorf("the changed copy was not found out: %w", verr)
	}
	return b, nil
}

func copyDatabase(ctx context.Context, from, to string) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(from)+"?mode=ro")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	return err
}

// flip changes the first letter of the outcome of a row: a refusal reads "sefused" from then on.
func flip(ctx context.Context, log *audit.Log, file string, entry int64) (int, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for e, err := range log.Entries(ctx, audit.Query{From: entry, To: entry}) {
		if err != nil {
			return 0, err
		}
		at := bytes.Index(e.Raw, []byte(`"outcome":"`))
		if at < 0 {
			break
		}
		piece := e.Raw[max(0, at-200) : at+len(`"outcome":"`)+1]
		i := bytes.Index(raw, piece)
		if i < 0 {
			break
		}
		i += len(piece) - 1
		raw[i] ^= 1
		return i, os.WriteFile(file, raw, 0o600)
	}
	return 0, fmt.Errorf("entry %d is not in the copy", entry)
}
