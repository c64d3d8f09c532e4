package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite", in Go, without cgo

	"github.com/scrimhq/scrim/store/durable"
)

const (
	databaseFile = "scrim.db"
	lockFile     = "scrim.lock"

	defaultBatch   = 256
	defaultReaders = 4
	queueLength    = 1024

	writerCacheKiB = 2048
	readerCacheKiB = 512

	busyTimeout = 5 * time.Second // somebody may look with the sqlite3 shell

	longestWindow = time.Second // so that a mistake in units does not stop the store
)

// SQLite is the embedded database of one data directory. It implements [DB].
type SQLite struct {
	dir     string // all up to readers are fixed by Open
	path    string
	lock    *os.File
	failing *sql.DB // hands errors to rows, see failRow
	pool    *sql.DB
	writer  *writer
	readers *views

	closing   chan struct{} // closed when Close begins
	closeOnce sync.Once
	closeErr  error // set by closeOnce
}

// Open opens the data directory, creating it (0700, files 0600) at first use, and migrates the schemas.
//
// It returns [ErrLocked] if another process holds the directory, [ErrNewer] if any schema there is newer than the
// program's, [ErrNotDurable] if SQLite does not confirm its write-ahead log and synchronous=FULL, and [ErrSchema] if a schema's
// files are not numbered from 001 on. A directory that others may read is closed to them first, unless it is shared
// on purpose or not ours: that is an error.
//
// Deleted rows are overwritten in the database; copies may stay in the write-ahead log until its next checkpoint, and in gaps of pages: see [SQLite.Scrub].
func Open(ctx context.Context, dir string, schemas []Schema, opt Options) (_ *SQLite, err error) {
	opt = opt.withDefaults()
	plans, err := plan(schemas)
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the data directory: %w", err)
	}
	if err := prepareDir(dir); err != nil {
		return nil, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &SQLite{dir: dir, path: filepath.Join(dir, databaseFile), lock: lock, closing: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if err := s.openWriter(ctx, plans, opt); err != nil {
		return nil, fmt.Errorf("opening the store in %s: %w", dir, named(err, s.path))
	}
	s.readers = newViews(opt.Readers, s.closing, func(ctx context.Context) (*session, error) { return s.connect(ctx, readerPragmas()) })
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.MaxBatch <= 0 {
		o.MaxBatch = defaultBatch
	}
	if o.Readers <= 0 {
		o.Readers = defaultReaders
	}
	o.Window = min(o.Window, longestWindow)
	return o
}

// openWriter opens the one connection that writes, checks what it promises, and migrates.
func (s *SQLite) openWriter(ctx context.Context, plans []migrations, opt Options) error {
	if err := createPrivate(s.path); err != nil {
		return err
	}
	s.failing = sql.OpenDB(failingConnector{})
	pool, err := sql.Open("sqlite", dataSource(s.path))
	if err != nil {
		return err
	}
	s.pool = pool
	pool.SetMaxOpenConns(opt.Readers + 2) // one that writes, and one that copies
	w, err := s.connect(ctx, writerPragmas(opt.NoSync))
	if err != nil {
		return err
	}
	if !opt.NoSync {
		if err := assertDurable(ctx, w.conn); err != nil {
			return errors.Join(err, w.close())
		}
	}
	if err := migrate(ctx, w.conn, plans); err != nil {
		return errors.Join(err, w.close())
	}
	if err := durable.SyncDir(s.dir); err != nil {
		return errors.Join(fmt.Errorf("syncing the data directory: %w", err), w.close())
	}
	s.writer = startWriter(w, opt, s.path)
	return nil
}

// connect opens a connection that belongs to one session until it is closed.
// Connections are never handed back to the pool: a fresh one would not have our pragmas.
func (s *SQLite) connect(ctx context.Context, pragmas []string) (*session, error) {
	conn, err := s.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range pragmas {
		if _, err := conn.ExecContext(ctx, "PRAGMA "+p); err != nil {
			return nil, errors.Join(fmt.Errorf("pragma %s: %w", p, err), conn.Close())
		}
	}
	return &session{conn: conn, failing: s.failing, stmts: make(map[string]*prepared)}, nil
}

// Update implements [DB].
func (s *SQLite) Update(ctx context.Context, fn func(Tx) error) error {
	return s.writer.submit(ctx, fn)
}

// View implements [DB].
func (s *SQLite) View(ctx context.Context, fn func(Tx) error) error {
	err := s.readers.view(ctx, fn)
	if damaged(err) { // nothing is decided on what is left
		s.writer.check(err)
	}
	return named(err, s.path)
}

// Close implements [DB]. It may be called again, and gives the same answer.
func (s *SQLite) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		s.closeErr = errors.Join(s.writer.drain(), s.readers.drain(), s.writer.session.close(), s.release())
	})
	return s.closeErr
}

// Stopped implements [Stopper].
func (s *SQLite) Stopped() <-chan struct{} { return s.writer.broken.gone }

// Dir returns the data directory.
func (s *SQLite) Dir() string { return s.dir }

// release closes what Open opened, the lock last.
func (s *SQLite) release() error {
	var errs []error
	for _, db := range []*sql.DB{s.pool, s.failing} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(append(errs, durable.Release(s.lock))...)
}

func writerPragmas(noSync bool) []string {
	sync := "synchronous = FULL"
	if noSync {
		sync = "synchronous = OFF"
	}
	return append([]string{
		"page_size = 8192", // of a database that is new
		"journal_mode = WAL",
		sync,
		"fullfsync = ON", // on macOS a plain fsync stops at the disk's cache
		"checkpoint_fullfsync = ON",
		"wal_autocheckpoint = 500",      // pages: 4 MB
		"journal_size_limit = 16777216", // a log that grew under a long view shrinks again
		"secure_delete = ON",            // what is erased is gone from the file
		"foreign_keys = ON",
	}, commonPragmas(writerCacheKiB)...)
}

func readerPragmas() []string {
	return append([]string{"query_only = ON"}, commonPragmas(readerCacheKiB)...)
}

func commonPragmas(cacheKiB int) []string {
	return []string{
		fmt.Sprintf("busy_timeout = %d", busyTimeout.Milliseconds()),
		fmt.Sprintf("cache_size = -%d", cacheKiB),
		"mmap_size = 0",
		"temp_store = MEMORY", // sorting must not leave rows in a temporary file
		"trusted_schema = OFF",
		"cell_size_check = ON",
	}
}

// assertDurable asks SQLite what it does, because a pragma that is misspelt or not possible is not an error.
func assertDurable(ctx context.Context, conn *sql.Conn) error {
	for _, want := range []struct{ pragma, value string }{{"journal_mode", "wal"}, {"synchronous", "2"}} {
		var got string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+want.pragma).Scan(&got); err != nil {
			return fmt.Errorf("%w: reading %s: %w", ErrNotDurable, want.pragma, err)
		}
		if got != want.value {
			return fmt.Errorf("%w: %s is %s, want %s; use a local file system", ErrNotDurable, want.pragma, got, want.value)
		}
	}
	return nil
}

var (
	_ DB      = (*SQLite)(nil)
	_ Stopper = (*SQLite)(nil)
)
