package audit

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/scrimhq/scrim/store"
)

const entriesPage = 64

// Entries yields rows of the journal in db in order, as [Log.Entries] does, without opening it for writing.
// It does not verify them.
func Entries(ctx context.Context, db store.DB, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		left := q.Limit
		if left <= 0 {
			left = math.MaxInt
		}
		for from := q.From; left > 0; {
			page, err := readPage(ctx, db, q, from, min(left, entriesPage))
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			if len(page) < entriesPage {
				return
			}
			left -= len(page)
			from = page[len(page)-1].Seq + 1
		}
	}
}

func readPage(ctx context.Context, db store.DB, q Query, from int64, limit int) ([]Entry, error) {
	where, args := []string{"seq >= ?"}, []any{from}
	for _, c := range []struct {
		cond string
		use  bool
		arg  any
	}{
		{"seq <= ?", q.To > 0, q.To},
		{"flow = ?", q.Flow != "", string(q.Flow)},
		{"parent = ? AND parent <> ''", q.Parent != "", string(q.Parent)},
	} {
		if c.use {
			where, args = append(where, c.cond), append(args, c.arg)
		}
	}
	query := "SELECT seq, event, sealed, hash, payload, subjects FROM audit_entries WHERE " + strings.Join(where, " AND ") + " ORDER BY seq LIMIT ?"
	var page []Entry
	err := db.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query(query, append(args, limit)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var e Entry
			var hash []byte
			if err := rows.Scan(&e.Seq, &e.Raw, &e.Sealed, &hash, &e.Payload, &e.Subjects); err != nil {
				return err
			}
			if len(hash) != len(e.Hash) {
				return &Tampered{e.Seq, "the row has no hash"}
			}
			e.Hash = [32]byte(hash)
			if len(e.Sealed) == 0 {
				e.Sealed = nil
			}
			if e.Event, err = decodeEvent(e.Raw); err != nil {
				return fmt.Errorf("entry %d: %w", e.Seq, err)
			}
			page = append(page, e)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	return page, nil
}
