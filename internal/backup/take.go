// Package backup takes a copy of all that a gateway needs to start elsewhere, while it runs, and puts one back.
//
// An archive is a tar file, encrypted with age: the database at one moment, the trees of the log and archived checkpoints at an earlier one, the keyset, the
// configuration with the files that it refers to, and last a manifest with a digest of each, signed by the domain's key for backups. What an erasure destroys is
// not in it: a file of its own has that, encrypted to somebody else, and only if it is asked for.
//
// Restoring unpacks into a directory beside the one that is asked for, verifies all of it (signature, digests, each row of the journal against the log) and gives
// it its name in one step, so that there is all of it or nothing. What became of the time between backup and restore the gateway finds out when it starts:
// docs/spec/backup.md says how, and package internal/run does it.
package backup

import (
	"archive/tar"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// Source is what a backup is taken of: the open state of a gateway.
type Source struct {
	DB      store.DB
	Log     *audit.Log
	Keys    *vault.Keyring
	Config  *config.Config // as it is on disk, or by the rules in force
	LogDir  string
	Archive string // of checkpoints
	Program string // version of the program
	ID      string // of the backup; "": a random one
}

// Taken is a backup that was made.
type Taken struct {
	Manifest Manifest `json:"manifest"`
	Key      string   `json:"key"` // that verifies it; to be kept apart from the archive
}

// signerName is that of the keyring's key for backups.
const signerName = "backup"

// Take writes an archive, and a file of subject keys if people is not nil. Both are complete when it returns without an error, and worthless otherwise; making
// them durable is for the caller. The log is read before the database: see docs/spec/backup.md.
func Take(ctx context.Context, s Source, to io.Writer, lock Lock, people io.Writer, peopleLock Lock) (*Taken, error) {
	if err := lock.check(); err != nil {
		return nil, err
	}
	if people != nil {
		if err := peopleLock.check(); err != nil || peopleLock.Plain {
			return nil, cmp.Or(err, errors.New("subject keys are not written without encryption"))
		}
	}
	scratch, err := os.MkdirTemp(s.Config.Path(s.Config.Data), scratchPattern)
	if err != nil {
		return nil, fmt.Errorf("making room for a copy of the database: %w", err)
	}
	t, err := s.take(ctx, scratch, to, lock, people, peopleLock)
	return t, errors.Join(err, os.RemoveAll(scratch))
}

const scratchPattern = ".backup-*"

// Sweep removes what backups left in a data directory whose process was killed. Nobody may be taking one.
func Sweep(data string) error {
	left, err := filepath.Glob(filepath.Join(data, scratchPattern))
	for _, name := range left {
		err = errors.Join(err, os.RemoveAll(name))
	}
	return err
}

func (s *Source) take(ctx context.Context, scratch string, to io.Writer, lock Lock, people io.Writer, peopleLock Lock) (*Taken, error) {
	m := Manifest{
		Backup: Version, Kind: General, ID: cmp.Or(s.ID, rand.Text()), Made: time.Now().UTC().Truncate(time.Second), Domain: s.Config.Domain, Program: s.Program, Store: "sqlite",
		Config: Placed{Main: configName + "scrim.yaml", Hash: s.Config.Hash(), Data: s.Config.Data, Keys: s.Config.Keys.File},
	}
	moment, err := s.Log.Still() // before the database
	if err != nil {
		return nil, fmt.Errorf("copying the log: %w", err)
	}
	db := filepath.Join(scratch, "scrim.db")
	private := ""
	if people != nil {
		private = filepath.Join(scratch, peopleName)
	}
	copier, ok := s.DB.(store.Copier)
	switch {
	case ok:
		if err := copier.CopyTo(ctx, db); err != nil {
			return nil, err
		}
		if err := describe(ctx, db, &m); err != nil {
			return nil, err
		}
		if err := part(ctx, db, private); err != nil {
			return nil, err
		}
	case people != nil:
		return nil, errors.New("subject keys are in the PostgreSQL database: dump the tables that docs/spec/backup.md lists")
	default:
		m.Store = "postgres"
		p, err := audit.PlaceOf(ctx, s.DB)
		if err != nil {
			return nil, err
		}
		m.Log.Rows = p.Rows
	}
	if err := s.standing(&m, moment); err != nil {
		return nil, err
	}
	if err := s.write(ctx, &m, moment, db, to, lock); err != nil {
		return nil, err
	}
	if people != nil {
		if err := s.people(m, private, people, peopleLock); err != nil {
			return nil, err
		}
	}
	key, err := VerifierKey(m.Domain, s.Keys.Signer(signerName).Public().(ed25519.PublicKey))
	return &Taken{Manifest: m, Key: key}, err
}

// describe reads what a copy of the database is, and checks that it makes a pair with the log.
func describe(ctx context.Context, file string, m *Manifest) (err error) {
	c, closed, err := open(ctx, file)
	if err != nil {
		return fmt.Errorf("opening the copy: %w", err)
	}
	defer func() { err = errors.Join(err, closed()) }()
	rows, err := c.QueryContext(ctx, "SELECT name, version FROM store_schemas ORDER BY name")
	if err != nil {
		return fmt.Errorf("reading the copy: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var one Schema
		if err := rows.Scan(&one.Name, &one.Version); err != nil {
			return fmt.Errorf("reading the copy: %w", err)
		}
		m.Schemas = append(m.Schemas, one)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading the copy: %w", err)
	}
	err = c.QueryRowContext(ctx, "SELECT size FROM audit_head WHERE id = 1").Scan(&m.Log.Rows)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil // nothing was ever recorded
	}
	return err
}

func (s *Source) standing(m *Manifest, at audit.Moment) (err error) {
	if m.Log.Rows < at.Rows {
		return fmt.Errorf("the copy of the database has %d rows and the log %d: nobody may set the database back while it is copied", m.Log.Rows, at.Rows)
	}
	m.Log.Origin, m.Log.Published = s.Log.Origin(), at.Rows
	if m.Log.Key, err = tile.VerifierKey(s.Log.Origin(), s.Log.Key()); err != nil {
		return err
	}
	if at.Newest.Note == nil {
		return nil
	}
	m.Log.Tree, m.Log.Size, m.Log.Root = at.Newest.Origin, at.Newest.Size, fmt.Sprintf("%x", at.Newest.Root[:])
	for _, p := range at.Trees {
		if filepath.Base(p.Path) != "checkpoint" {
			continue
		}
		if c, err := tile.ReadCheckpoint(p.Data); err == nil && c.Origin == at.Newest.Origin {
			m.Log.Checkpoint = string(p.Data)
		}
	}
	return nil
}

func (s *Source) write(ctx context.Context, m *Manifest, at audit.Moment, db string, to io.Writer, lock Lock) error {
	sealed, err := lock.seal(to)
	if err != nil {
		return err
	}
	w := &writer{t: tar.NewWriter(sealed)}
	if m.Store == "sqlite" {
		if err := w.file(databaseName, db); err != nil {
			return err
		}
	}
	if err := w.file(keysetName, s.Config.Path(s.Config.Keys.File)); err != nil {
		return err
	}
	for _, group := range []struct {
		prefix, dir string
		parts       []tile.Part
	}{{logName, s.LogDir, at.Trees}, {archiveName, s.Archive, at.Archive}} {
		for _, p := range group.parts {
			if err := ctx.Err(); err != nil {
				return err
			}
			if p.Data != nil {
				err = w.bytes(group.prefix+p.Path, p.Data)
			} else {
				err = w.file(group.prefix+p.Path, filepath.Join(group.dir, filepath.FromSlash(p.Path)))
			}
			if err != nil {
				return err
			}
		}
	}
	if err := s.rules(m, w); err != nil {
		return err
	}
	if err := w.finish(m, func(b []byte) ([]byte, error) { return sign(m.Domain, s.Keys.Signer(signerName), b) }); err != nil {
		return err
	}
	return sealed.Close()
}

// rules writes the configuration and what it refers to. Secrets are not among that, and what lies elsewhere is named.
func (s *Source) rules(m *Manifest, w *writer) error {
	files, err := s.Config.RuleFiles()
	if err != nil {
		return err
	}
	home, err := filepath.Abs(filepath.Dir(s.Config.File()))
	if err != nil {
		return err
	}
	for _, name := range s.Config.Files() { // what is watched besides: public keys and the like
		rel, err := filepath.Rel(home, absolute(name))
		info, e := os.Stat(name)
		if err != nil || e != nil || !info.Mode().IsRegular() || info.Size() > 8<<20 {
			continue
		}
		if _, there := files[filepath.ToSlash(rel)]; there || !filepath.IsLocal(rel) || name == s.Config.File() {
			if !filepath.IsLocal(rel) && !slices.Contains(m.Config.Skipped, name) {
				m.Config.Skipped = append(m.Config.Skipped, name)
			}
			continue
		}
		if files[filepath.ToSlash(rel)], err = os.ReadFile(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	names := make([]string, 0, len(files))
	for name := range files {
		if !goodName(configName + name) {
			if !slices.Contains(m.Config.Skipped, name) {
				m.Config.Skipped = append(m.Config.Skipped, name)
			}
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	slices.Sort(m.Config.Skipped)
	for _, name := range names {
		if err := w.bytes(configName+name, files[name]); err != nil {
			return err
		}
	}
	return nil
}

func absolute(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

// people writes the file of subject keys.
func (s *Source) people(m Manifest, file string, to io.Writer, lock Lock) error {
	m.Kind, m.Config = SubjectKeys, Placed{}
	sealed, err := lock.seal(to)
	if err != nil {
		return err
	}
	w := &writer{t: tar.NewWriter(sealed)}
	if err := w.file(peopleName, file); err != nil {
		return err
	}
	if err := w.finish(&m, func(b []byte) ([]byte, error) { return sign(m.Domain, s.Keys.Signer(signerName), b) }); err != nil {
		return err
	}
	return sealed.Close()
}
