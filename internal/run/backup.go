package run

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/backup"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/durable"
)

// Backups takes backups of an open state, one at a time. It implements [api.Backups].
type Backups struct {
	State   *State
	Config  func() *config.Config
	Program string // version of the program

	mu sync.Mutex
}

var errBackupBusy = errors.New("a backup is being taken already")

// Files of a backup in its directory, and the note that the last one leaves in the data directory.
const (
	BackupFile   = "archive"
	SubjectsFile = "subjects"
	lastBackup   = "last-backup.json"
)

// Backup implements [api.Backups].
func (b *Backups) Backup(ctx context.Context, q api.BackupRequest) (out api.Backup, err error) {
	if !b.mu.TryLock() {
		return out, errBackupBusy
	}
	defer b.mu.Unlock()
	c := b.Config()
	id := rand.Text()
	if out.Reference, err = b.record(ctx, c, id, q.Subjects != nil); err != nil { // before the copy, so that the row is in it: after a restore it is nothing that was lost
		return out, err
	}
	dir, err := os.MkdirTemp(c.Path(c.Data), ".backup-*")
	if err != nil {
		return out, fmt.Errorf("making room for the backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	files, closed, err := create(dir, q.Subjects != nil)
	if err != nil {
		return out, err
	}
	var people io.Writer
	var peopleLock backup.Lock
	if q.Subjects != nil {
		people, peopleLock = files[1], lockOf(q.Subjects)
	}
	source := b.State.BackupSource(c, b.Program)
	source.ID = id
	taken, err := backup.Take(ctx, source, files[0], lockOf(&q.BackupLock), people, peopleLock)
	if err := errors.Join(err, closed()); err != nil {
		return out, err
	}
	m := &taken.Manifest
	out = api.Backup{Reference: out.Reference, Directory: dir, ID: m.ID, Made: m.Made, Key: taken.Key, Rows: m.Log.Rows, Files: len(m.Files), Store: m.Store, Skipped: m.Config.Skipped}
	for _, f := range m.Files {
		out.Bytes += f.Size
	}
	out.Cosigned = max(strings.Count(m.Log.Checkpoint, "\n— ")-1, 0)
	return out, b.note(c, m)
}

func lockOf(q *api.BackupLock) backup.Lock {
	return backup.Lock{Passphrase: flow.NewSecret(q.Passphrase), Recipients: q.Recipients, Plain: q.Plain}
}

// create makes the files of a backup. What closes them makes them durable.
func create(dir string, subjects bool) (files []*os.File, closed func() error, err error) {
	names := []string{BackupFile}
	if subjects {
		names = append(names, SubjectsFile)
	}
	closed = func() (err error) {
		for _, f := range files {
			err = errors.Join(err, f.Sync(), f.Close())
		}
		return errors.Join(err, durable.SyncDir(dir))
	}
	for _, name := range names {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, nil, errors.Join(err, closed())
		}
		files = append(files, f)
	}
	return files, closed, nil
}

// record puts on record that all of the state was copied: whoever has the copy and opens it has everything.
func (b *Backups) record(ctx context.Context, c *config.Config, id string, subjects bool) (string, error) {
	own := flow.Party{Domain: c.Domain}
	what := "a backup is taken: " + id
	if subjects {
		what += ", and the keys of subjects beside it"
	}
	f := flow.Flow{ID: gateway.NewFlowID(), From: own, To: own, Protocol: "admin", Method: "backup"}
	err := b.State.DB.Update(ctx, func(tx store.Tx) error {
		_, err := b.State.Log.Append(tx, flow.Event{Time: time.Now().UTC(), Outcome: flow.Changed, Reason: what, Flow: f}, audit.Private{})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("putting the backup on record: %w", err)
	}
	return string(f.ID), nil
}

// LastBackup is what is known of the last backup of a data directory.
type LastBackup struct {
	ID   string    `json:"id"`
	Made time.Time `json:"made"`
	Rows int64     `json:"rows"`
}

// note leaves word of the last backup for scrim doctor.
func (b *Backups) note(c *config.Config, m *backup.Manifest) error {
	text, err := json.Marshal(LastBackup{m.ID, m.Made, m.Log.Rows})
	if err != nil {
		return err
	}
	name := filepath.Join(c.Path(c.Data), lastBackup)
	err = os.WriteFile(name+".new", text, 0o600)
	if err == nil {
		err = durable.Rename(name+".new", name)
	}
	if err != nil {
		return fmt.Errorf("noting the backup: %w", err)
	}
	return nil
}

// ReadLastBackup returns what is known of the last backup; nil: there was none.
func ReadLastBackup(c *config.Config) (*LastBackup, error) {
	text, err := os.ReadFile(filepath.Join(c.Path(c.Data), lastBackup))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var l LastBackup
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		return nil, fmt.Errorf("reading when the last backup was taken: %w", err)
	}
	return &l, nil
}

// OpenDatabase opens the PostgreSQL database that a configuration names, for a data directory that is being restored.
func OpenDatabase(ctx context.Context, c *config.Config, dir string) (store.DB, error) {
	if c.Store.Postgres == nil {
		return nil, errors.New("the configuration names no PostgreSQL database")
	}
	url, err := c.StoreURL()
	if err != nil {
		return nil, err
	}
	return store.OpenPostgres(ctx, url, Schemas(), store.Options{Dir: dir, Schema: c.Store.Schema})
}
