package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/store"
)

const (
	prunePage  = 200
	pruneEvery = time.Hour
)

// need is somebody who still reads rows.
type need struct {
	name string
	from func() int64
}

// Needs keeps rows from being pruned that somebody has yet to read: from tells the first such row, and 0 that none is needed.
func (l *Log) Needs(name string, from func() int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.needs = append(l.needs, need{name, from})
}

// pruning prunes now and then.
func (l *Log) pruning(ctx context.Context) {
	for sleep(ctx, pruneEvery, l.retire) {
		if _, err := l.Prune(ctx); err != nil && !canceled(ctx, err) && l.opt.OnError != nil {
			l.opt.OnError(err)
		}
	}
}

// Prune takes event and sealed bytes out of rows that are older than the retention and whose leaf is under a published and archived checkpoint. Number,
// flow and commitments stay, so that references resolve and the newest rows of a flow are found; the event is read from the log's
// files from then on, and what was sealed is gone. It returns how many rows it pruned.
func (l *Log) Prune(ctx context.Context) (n int64, err error) {
	if l.opt.Retention <= 0 {
		return 0, nil
	}
	l.retiring.Lock() // two at once would leave rows without an event beyond those that the head says are pruned
	defer l.retiring.Unlock()
	before := l.opt.Clock().Add(-l.opt.Retention)
	limit := l.settled()
	for {
		more, err := l.prunePage(ctx, before, limit)
		if err != nil {
			return n, fmt.Errorf("pruning the journal: %w", err)
		}
		if n += more; more < prunePage {
			return n, nil
		}
	}
}

// settled is the newest row that may be pruned, but for its age.
func (l *Log) settled() int64 {
	l.mu.Lock()
	needs := append([]need(nil), l.needs...)
	limit := int64(0)
	if l.at < len(l.known) {
		t := l.known[l.at]
		limit = t.first - 1 // all trees before it have ended
		if l.archived.Origin == treeOrigin(l.origin, t.name) {
			limit = t.first + l.archived.Size - 2
		}
	}
	limit = min(limit, l.seq)
	l.mu.Unlock()
	for _, need := range needs {
		if from := need.from(); from > 0 {
			limit = min(limit, from-1)
		}
	}
	return limit
}

// prunePage prunes the next rows up to one that is too young. A row without a time, or in disorder, holds back those after it.
func (l *Log) prunePage(ctx context.Context, before time.Time, limit int64) (n int64, err error) {
	var h head
	if err := l.db.View(ctx, func(tx store.Tx) (err error) { h, err = readHead(tx); return err }); err != nil {
		return 0, err
	}
	rows, err := readRows(ctx, l.db, h.pruned+1, min(h.pruned+prunePage, limit))
	if err != nil {
		return 0, err
	}
	to := h.pruned
	for i := range rows {
		ev, err := decodeEvent(rows[i].event)
		if err != nil || !ev.Time.Before(before) || rows[i].seq != to+1 {
			break
		}
		to++
	}
	if to == h.pruned {
		return 0, nil
	}
	err = l.db.Update(ctx, func(tx store.Tx) error {
		const empty = "UPDATE audit_entries SET event = ?, sealed = NULL WHERE seq > ? AND seq <= ?"
		if _, err := tx.Exec(empty, []byte{}, h.pruned, to); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE audit_head SET pruned = ? WHERE id = 1 AND pruned = ?", to, h.pruned)
		return err
	})
	return to - h.pruned, err
}
