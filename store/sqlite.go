package store

import "context"

// SQLite is the embedded database of one data directory. It implements [DB].
type SQLite struct{ dir string }

// Open opens the data directory, creating it (0700, files 0600) at first use, and migrates the schemas.
//
// It returns [ErrLocked] if another process holds the directory, [ErrNewer] if any schema there is newer than the
// program's, [ErrNotDurable] if SQLite does not confirm its write-ahead log and synchronous=FULL, and [ErrSchema] if a schema's
// files are not numbered from 001 on.
func Open(ctx context.Context, dir string, schemas []Schema, opt Options) (*SQLite, error) {
	return nil, ErrNotDurable
}

// Update implements [DB].
func (s *SQLite) Update(ctx context.Context, fn func(Tx) error) error { return ErrClosed }

// View implements [DB].
func (s *SQLite) View(ctx context.Context, fn func(Tx) error) error { return ErrClosed }

// Close implements [DB].
func (s *SQLite) Close() error { return nil }
