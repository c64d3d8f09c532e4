package audit

import (
	"context"
	"iter"
	"math"

	"github.com/scrimhq/scrim/store"
)

// wholePage is how many rows [Pages] reads at once.
const wholePage = 256

// Pages yields rows in order, as [Entries] does, page by page and undecoded: Raw, Sealed and the commitments are as stored, and [Entry.Decode] reads the
// event. Of a pruned row there is no event. It is for who reads very many; pages are not used again.
func Pages(ctx context.Context, db store.DB, q Query) iter.Seq2[[]Entry, error] {
	return func(yield func([]Entry, error) bool) {
		left := q.Limit
		if left <= 0 {
			left = math.MaxInt
		}
		for from := q.From; left > 0; {
			page, err := readPage(ctx, db, q, from, min(left, wholePage))
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page {
				page[i].Pruned = len(page[i].Raw) == 0
			}
			if len(page) > 0 && !yield(page, nil) || len(page) < wholePage {
				return
			}
			left -= len(page)
			from = page[len(page)-1].Seq + 1
		}
	}
}

// Decode reads the event of a row of [Pages] that was not pruned. It does not verify the row.
func (e *Entry) Decode() (err error) {
	e.Event, err = decodeEvent(e.Raw)
	return err
}
