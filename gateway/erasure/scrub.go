package erasure

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/scrimhq/scrim/store"
)

// Finish scrubs the database's files if an erasure ended before they were: the process was killed in between, or somebody was reading the database all the time. It
// is to be called at the start, and now and then.
func Finish(ctx context.Context, db store.DB) error {
	dirty, err := dirt(ctx, db)
	if err != nil || dirty == 0 {
		return err
	}
	_, err = scrub(ctx, db, dirty, nil)
	return err
}

func dirt(ctx context.Context, db store.DB) (n int64, err error) {
	err = db.View(ctx, func(tx store.Tx) error {
		err := tx.QueryRow("SELECT dirty FROM erasure_state WHERE id = 1").Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return n, err
}

// scrub reports whether no file of the database holds the traces any more. If there is dirt besides that of this erasure, nothing is taken on trust.
func (o *Office) scrub(ctx context.Context, traces [][]byte) (bool, error) {
	dirty, err := dirt(ctx, o.opt.DB)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrScrub, err)
	}
	if dirty > 1 {
		traces = nil
	}
	return scrub(ctx, o.opt.DB, dirty, traces)
}

func scrub(ctx context.Context, db store.DB, dirty int64, traces [][]byte) (bool, error) {
	s, ok := db.(store.Scrubber)
	if ok {
		if err := s.Scrub(ctx, traces); err != nil {
			return false, fmt.Errorf("%w: %w", ErrScrub, err)
		}
	}
	err := db.Update(ctx, func(tx store.Tx) error { // what was erased meanwhile is dirt still
		_, err := tx.Exec("UPDATE erasure_state SET dirty = dirty - ? WHERE id = 1", dirty)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrScrub, err)
	}
	return ok, nil
}
