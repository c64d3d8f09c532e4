package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// OnRecord is what a request put on record, for whoever wants to tell its caller.
type OnRecord struct {
	mu   sync.Mutex
	last Record
}

// Record is a row of the journal.
type Record struct {
	Receipt flow.Receipt
	Time    time.Time // of the event
}

type onRecordKey struct{}

// WithOnRecord lets what happens under the context say what it put on record.
func WithOnRecord(ctx context.Context) (context.Context, *OnRecord) {
	r := new(OnRecord)
	return context.WithValue(ctx, onRecordKey{}, r), r
}

// Last is the newest record, if there is one.
func (r *OnRecord) Last() (Record, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last, r.last.Receipt.Seq > 0
}

// recorded says that a row is durable.
func recorded(ctx context.Context, rec flow.Receipt, at time.Time) {
	if r, ok := ctx.Value(onRecordKey{}).(*OnRecord); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.last = Record{rec, at}
	}
}
