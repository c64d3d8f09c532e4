package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// Sizer is what a [DB] also is that knows how much it takes.
type Sizer interface {
	// Bytes is how much the database takes, and whether that is on the volume of its data directory.
	Bytes(ctx context.Context) (n int64, here bool, err error)
}

// Bytes implements [Sizer]: the database with its write-ahead log.
func (s *SQLite) Bytes(context.Context) (n int64, here bool, err error) {
	for _, name := range []string{s.path, s.path + "-wal", s.path + "-shm"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, true, err
		}
		n += info.Size()
	}
	return n, true, nil
}

// Bytes implements [Sizer]: the tables of the schema with their indexes.
func (p *Postgres) Bytes(ctx context.Context) (n int64, here bool, err error) {
	const query = "SELECT CAST(coalesce(sum(pg_total_relation_size(c.oid)), 0) AS BIGINT) FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = ?)"
	err = p.View(ctx, func(tx Tx) error { return tx.QueryRow(query, p.schema).Scan(&n) })
	return n, false, err
}

var (
	_ Sizer = (*SQLite)(nil)
	_ Sizer = (*Postgres)(nil)
)
