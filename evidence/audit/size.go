package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/scrimhq/scrim/store"
)

const (
	block      = 4096 // what a file takes is rounded up to that
	lookBack   = 7 * 24 * time.Hour
	leastSpan  = time.Hour // of less nothing is forecast
	leastRows  = 1000
	secondsDay = 24 * 60 * 60
)

// Usage is how much journal and log take on disk, and how they grow. Files count in whole blocks of 4 KiB.
type Usage struct {
	Rows     int64 `json:"rows"`
	Pruned   int64 `json:"pruned,omitempty"` // of them, how many keep nothing but numbers and commitments
	Database int64 `json:"database"`         // bytes of the whole database, with what others keep there
	Here     bool  `json:"here"`             // the database is on the volume of the data directory
	Sealed   int64 `json:"sealed"`           // bytes in it that are sealed beside rows
	Tiles    int64 `json:"tiles"`            // bytes of hashes, with the trees' own state
	Bundles  int64 `json:"bundles"`          // bytes of entries
	Archived int64 `json:"archived"`         // bytes of archived checkpoints
	Files    int64 `json:"files"`            // of trees and archive

	Free        *int64   `json:"free,omitempty"`          // bytes that the volume has left; nil: unknown
	RowsPerDay  *float64 `json:"rows_per_day,omitempty"`  // over at most the last week; nil: there are too few
	BytesPerDay *float64 `json:"bytes_per_day,omitempty"` // on the volume
	DaysLeft    *float64 `json:"days_left,omitempty"`     // until it is full; nil: unknown, or nothing grows
}

// Total is what all takes.
func (u Usage) Total() int64 { return u.Database + u.Tiles + u.Bundles + u.Archived }

// Usage measures this log. See the function [Measure].
func (l *Log) Usage(ctx context.Context) (Usage, error) {
	return Measure(ctx, l.db, l.opt.Dir, string(l.archive), l.opt.Clock())
}

// Measure says how much the journal in db, the trees in dir and the archived checkpoints take, and how long the volume of dir lasts if the
// journal grows as the times of its rows say that it did in the week before now. What pruning will give back is not counted on. It
// works on a log that is open or not, and changes nothing.
func Measure(ctx context.Context, db store.DB, dir, archived string, now time.Time) (u Usage, err error) {
	s, ok := db.(store.Sizer)
	if !ok {
		return u, errors.New("the store does not know its size")
	}
	if u.Database, u.Here, err = s.Bytes(ctx); err != nil {
		return u, fmt.Errorf("measuring the database: %w", err)
	}
	if err := u.files(ctx, dir, archived); err != nil {
		return u, fmt.Errorf("measuring the log's files: %w", err)
	}
	if n, ok := freeAbove(dir); ok {
		u.Free = &n
	}
	err = db.View(ctx, func(tx store.Tx) error {
		h, err := readHead(tx)
		if err != nil {
			return err
		}
		u.Rows, u.Pruned = h.size, h.pruned
		const sealed = "SELECT coalesce(sum(length(sealed)), 0) FROM audit_entries WHERE sealed IS NOT NULL"
		if err := tx.QueryRow(sealed).Scan(&u.Sealed); err != nil {
			return err
		}
		return u.rate(tx, now)
	})
	if err != nil {
		return u, fmt.Errorf("measuring the journal: %w", err)
	}
	u.forecast()
	return u, nil
}

// freeAbove looks at the directory, or at the one above that is there.
func freeAbove(dir string) (int64, bool) {
	for {
		if n, ok := store.Free(dir); ok {
			return n, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return 0, false
		}
		dir = up
	}
}

func (u *Usage) files(ctx context.Context, dir, archived string) error {
	entries := filepath.Join("tile", "entries") + string(filepath.Separator)
	err := eachFile(ctx, dir, func(path string, n int64) {
		u.Files++
		if _, below, _ := strings.Cut(path, string(filepath.Separator)); strings.HasPrefix(below, entries) { // below the tree's folder
			u.Bundles += n
		} else {
			u.Tiles += n
		}
	})
	if err != nil || archived == "" {
		return err
	}
	return eachFile(ctx, archived, func(_ string, n int64) { u.Files++; u.Archived += n })
}

// eachFile tells of each file below dir, and what it takes. Files that go meanwhile, as partial tiles do, are none.
func eachFile(ctx context.Context, dir string, tell func(path string, n int64)) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		tell(rel, (info.Size()+block-1)/block*block)
		return nil
	})
}

// rate finds how many rows the last week had, by halving: times go up but for a clock that was set.
func (u *Usage) rate(tx store.Tx, now time.Time) error {
	first, last := u.Pruned+1, u.Rows
	if last < first {
		return nil
	}
	from, to := first, last // the first row that is not older than a week is one of those
	for since := now.Add(-lookBack); from < to; {
		mid := from + (to-from)/2
		at, err := rowTime(tx, mid)
		if err != nil {
			return err
		}
		if at.Before(since) {
			from = mid + 1
		} else {
			to = mid
		}
	}
	began, err := rowTime(tx, from)
	if err != nil {
		return err
	}
	n := last - from + 1
	if span := now.Sub(began); n >= leastRows && span >= leastSpan {
		// A row that is alone in the week before now would be said to come every minute, hence the span to now.
		perDay := float64(n) / span.Seconds() * secondsDay
		u.RowsPerDay = &perDay
	}
	return nil
}

func rowTime(tx store.Tx, seq int64) (time.Time, error) {
	var raw []byte
	if err := tx.QueryRow("SELECT event FROM audit_entries WHERE seq = ?", seq).Scan(&raw); err != nil {
		return time.Time{}, fmt.Errorf("row %d: %w", seq, err)
	}
	var ev struct {
		Time time.Time `json:"time"`
	}
	if err := json.Unmarshal(raw, &ev); err != nil {
		return time.Time{}, fmt.Errorf("row %d has no time", seq)
	}
	return ev.Time, nil
}

// forecast takes it that a row costs what the rows there are cost on average, with what others keep in the database for them.
func (u *Usage) forecast() {
	if u.RowsPerDay == nil {
		return
	}
	perRow := float64(u.Tiles+u.Bundles) / float64(u.Rows)
	if u.Here {
		perRow += float64(u.Database) / float64(u.Rows-u.Pruned) // what pruned rows still take makes it a little too much
	}
	grows := perRow * *u.RowsPerDay
	u.BytesPerDay = &grows
	if u.Free == nil || grows <= 0 {
		return
	}
	if days := float64(*u.Free) / grows; !math.IsInf(days, 0) {
		u.DaysLeft = &days
	}
}

// Waits is how long the oldest row that is not in the tree waits for it; 0 if none does.
func (l *Log) Waits() time.Duration {
	late := l.late.Load()
	if late == 0 {
		return 0
	}
	return max(time.Since(l.began)-time.Duration(late), 0)
}
