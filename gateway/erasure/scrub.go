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
	erased, clean, err := counts(ctx, db)
	if err != nil || erased == clean {
		return err
	}
	_, err = scrub(ctx, db, 0, nil)
	return err
}

// counts returns how many erasures there were, and up to which of them the files were scrubbed.
func counts(ctx context.Context, db store.DB) (erased, clean int64, err error) {
	err = db.View(ctx, func(tx store.Tx) error {
		err := tx.QueryRow("SELECT erased, clean FROM erasure_state WHERE id = 1").Scan(&erased, &clean)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return erased, clean, err
}

// scrub reports whether no file of the database holds the traces of an erasure any more. Only if it is the one after those that were scrubbed for are its
// traces all that there may be: else, and for number 0, nothing is taken on trust.
func scrub(ctx context.Context, db store.DB, number int64, traces [][]byte) (bool, error) {
	erased, clean, err := counts(ctx, db)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrScrub, err)
	}
	upTo := number
	if number != clean+1 {
		upTo, traces = erased, nil
	}
	s, ok := db.(store.Scrubber)
	if ok {
		if err := s.Scrub(ctx, traces); err != nil {
			return false, fmt.Errorf("%w: %w", ErrScrub, err)
		}
	}
	err = db.Update(ctx, func(tx store.Tx) error { // what was erased meanwhile is not scrubbed for, and others may have come further
		_, err := tx.Exec("UPDATE erasure_state SET clean = ? WHERE id = 1 AND clean < ?", upTo, upTo)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrScrub, err)
	}
	return ok, nil
}
