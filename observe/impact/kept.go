package impact

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is this package's table.
func Schema() store.Schema { return store.Schema{Name: "observe/impact", FS: migrations} }

// Bounds of what is kept of earlier rules.
const (
	mostKept  = 1000
	keptBytes = 64 << 20 // of one, as JSON
)

// Keep keeps the rules of a set, by which decisions are made from now on, so that they can be made again later. Rules that came into force longest ago go
// when there are more than a thousand.
func Keep(ctx context.Context, db store.DB, s *policy.Set, now time.Time) error {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := errors.Join(json.NewEncoder(z).Encode(s.Keep()), z.Close()); err != nil {
		return fmt.Errorf("keeping the rules in force: %w", err)
	}
	err := db.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Exec("INSERT INTO impact_rules (hash, used, kept) VALUES (?, ?, ?) ON CONFLICT (hash) DO UPDATE SET used = excluded.used", s.Hash(), now.UnixMilli(), packed.Bytes()); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM impact_rules WHERE hash NOT IN (SELECT hash FROM impact_rules ORDER BY used DESC LIMIT ?)", mostKept)
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping the rules in force: %w", err)
	}
	return nil
}

// Kept returns the rules of a hash, nil if they are not kept. It is a [policy.ErrKept] if they decide otherwise now.
func Kept(ctx context.Context, db store.DB, hash string) (*policy.Set, error) {
	var packed []byte
	err := db.View(ctx, func(tx store.Tx) error {
		err := tx.QueryRow("SELECT kept FROM impact_rules WHERE hash = ?", hash).Scan(&packed)
		if errors.Is(err, sql.ErrNoRows) {
			packed, err = nil, nil
		}
		return err
	})
	if err != nil || packed == nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, policy.ErrKept
	}
	raw, err := io.ReadAll(io.LimitReader(z, keptBytes+1))
	var k policy.Kept
	if err != nil || len(raw) > keptBytes || json.Unmarshal(raw, &k) != nil || k.Hash != hash {
		return nil, policy.ErrKept
	}
	s, err := policy.Restore(k, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", policy.ErrKept, err)
	}
	return s, nil
}
