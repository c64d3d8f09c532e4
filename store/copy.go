package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Copier is what a [DB] also is that can copy itself to a file while others read and write.
type Copier interface {
	// CopyTo writes all that is committed at one moment to a new file, durable and for its owner alone. The file must not be there.
	CopyTo(ctx context.Context, file string) error
}

// CopyTo implements [Copier]: SQLite's VACUUM INTO. What was deleted is not in the copy, not even in gaps of pages.
func (s *SQLite) CopyTo(ctx context.Context, file string) (err error) {
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("copying the database: %w", fs.ErrExist)
	}
	if err := createPrivate(file); err != nil {
		return fmt.Errorf("copying the database: %w", err)
	}
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	c, err := s.connect(ctx, commonPragmas(readerCacheKiB))
	if err != nil {
		return fmt.Errorf("copying the database: %w", err)
	}
	_, err = c.conn.ExecContext(ctx, "VACUUM INTO ?", file) // an empty file is taken as none
	err = errors.Join(err, c.close())
	if err == nil {
		err = syncFile(file)
	}
	if err != nil {
		return fmt.Errorf("copying the database: %w", errors.Join(named(err, s.path), os.Remove(file)))
	}
	return nil
}

func syncFile(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
