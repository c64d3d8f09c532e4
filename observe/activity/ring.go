package activity

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
)

// RingOptions may be left zero.
type RingOptions struct {
	Flows      int           // that are kept; 0: 10,000
	Unrecorded int           // refusals without a row of the journal that are kept besides; 0: 1,000
	Viewers    int           // at once; 0: 64
	Frame      time.Duration // the least time between two frames of a viewer; 0: 250 ms
	Most       int           // flows in a frame, of those since the one before the newest; 0: 40
}

// Ring is the latest flows. It is safe for concurrent use.
type Ring struct {
	opt   RingOptions
	epoch string // of this ring among those of other runs

	head    atomic.Uint64 // as next, for viewers that look whether there is anything
	viewers atomic.Int64

	mu    sync.Mutex // guards the fields below; held for a copy, never while waiting
	next  uint64     // number of the flow to come, from 1
	flows []Flow     // of number n at n modulo its length
	extra []Flow     // refusals that are not on record
	at    int        // of the next of these
	short uint64     // how many there were
}

// Flow is one thing that happened.
type Flow struct {
	Number   uint64 // in the ring, from 1; 0 of what is not on record
	Event    flow.Event
	Recorded bool
}

// NewRing returns an empty ring.
func NewRing(opt RingOptions) *Ring {
	or := func(n *int, d int) {
		if *n <= 0 {
			*n = d
		}
	}
	or(&opt.Flows, 10_000)
	or(&opt.Unrecorded, 1_000)
	or(&opt.Viewers, 64)
	or(&opt.Most, 40)
	if opt.Frame <= 0 {
		opt.Frame = 250 * time.Millisecond
	}
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return &Ring{opt: opt, epoch: hex.EncodeToString(b[:]), next: 1, flows: make([]Flow, opt.Flows), extra: make([]Flow, 0, opt.Unrecorded)}
}

// Add takes in an event. It is quick and waits for no viewer.
func (r *Ring) Add(ev flow.Event, recorded bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !recorded {
		r.unrecorded(ev)
		return
	}
	f := &r.flows[r.next%uint64(len(r.flows))]
	f.Number, f.Event, f.Recorded = r.next, ev, true
	r.next++
	r.head.Store(r.next)
}

// unrecorded keeps what has no row apart, so that whoever sends many cannot wash away the flows.
func (r *Ring) unrecorded(ev flow.Event) {
	r.short++
	f := Flow{Event: ev}
	if len(r.extra) < cap(r.extra) {
		r.extra = append(r.extra, f)
		return
	}
	r.extra[r.at] = f
	r.at = (r.at + 1) % len(r.extra)
}

// Fill takes in the last rows of a journal, so that there is something to see after a start. It is to be called before any Add.
func (r *Ring) Fill(ctx context.Context, rows func(context.Context) (int64, error), entries func(context.Context, audit.Query) iter.Seq2[audit.Entry, error], most int) error {
	n, err := rows(ctx)
	if err != nil {
		return fmt.Errorf("finding the end of the journal: %w", err)
	}
	for e, err := range entries(ctx, audit.Query{From: max(n-int64(min(most, len(r.flows)))+1, 1)}) {
		if err != nil {
			return fmt.Errorf("reading the latest flows: %w", err)
		}
		r.Add(e.Event, true)
	}
	return nil
}

// Unrecorded returns how many refusals there were that are not on record one by one.
func (r *Ring) Unrecorded() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.short
}

// Find returns what is known of a flow: the events of that id, the oldest first.
func (r *Ring) Find(id flow.ID) (all []Flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := r.oldest(); n < r.next; n++ {
		if f := &r.flows[n%uint64(len(r.flows))]; f.Event.Flow.ID == id {
			all = append(all, *f)
		}
	}
	for i := range r.extra {
		if r.extra[i].Event.Flow.ID == id {
			all = append(all, r.extra[i])
		}
	}
	return all
}

func (r *Ring) oldest() uint64 {
	if n := uint64(len(r.flows)); r.next > n {
		return r.next - n
	}
	return 1
}

// pageOf is how many flows are copied under the lock at once: a few microseconds.
const pageOf = 128

// read returns flows from a number on, at most a page, and the oldest number that there still is.
func (r *Ring) read(from uint64, into []Flow) (page []Flow, oldest uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	oldest = r.oldest()
	page = into[:0]
	for n := max(from, oldest); n < r.next && len(page) < pageOf; n++ {
		page = append(page, r.flows[n%uint64(len(r.flows))])
	}
	return page, oldest
}

// Latest returns the newest flows that a filter lets through, the newest first, at most so many.
func (r *Ring) Latest(f Filter, most int) []Flow {
	var all []Flow
	r.mu.Lock()
	end, oldest := r.next, r.oldest()
	r.mu.Unlock()
	for to := end; to > oldest && len(all) < most; {
		from := max(oldest, to-min(to, pageOf))
		page, _ := r.read(from, make([]Flow, 0, pageOf))
		for i := len(page) - 1; i >= 0 && len(all) < most; i-- {
			if page[i].Number < to && f.Match(&page[i].Event) {
				all = append(all, page[i])
			}
		}
		to = from
	}
	return all
}

// Here is a place in the ring, as [Ring.View] takes it: everything up to now was seen.
func (r *Ring) Here() string { return r.place(r.head.Load()) }

func (r *Ring) place(next uint64) string { return r.epoch + "-" + strconv.FormatUint(max(next, 1), 10) }

// ErrViewers is the error of a viewer for whom there is no room.
var ErrViewers = errors.New("as many watch already as can; close another page that does")

// Viewer follows the ring. It is for one goroutine, which must close it.
type Viewer struct {
	ring   *Ring
	filter Filter
	next   uint64
	short  uint64
	last   time.Time // of the frame before
	buf    []Flow
	anew   bool
	closed bool
}

// Frame is what a viewer has not seen yet.
type Frame struct {
	Place   string // where to go on after it
	Flows   []Flow // that the filter lets through, the newest first
	Skipped int    // more of them, that were not worth showing for there being so many
	Lost    uint64 // flows that were gone before this viewer came to look at them
	Refused uint64 // refusals since the frame before that are not on record one by one
	Anew    bool   // the place to begin at was of another run of the gateway
}

// View begins to follow after a place, as [Frame.Place] or [Ring.Here] give them; "" or one of another run is now. The error is [ErrViewers].
func (r *Ring) View(f Filter, after string) (*Viewer, error) {
	if r.viewers.Add(1) > int64(r.opt.Viewers) {
		r.viewers.Add(-1)
		return nil, ErrViewers
	}
	now := max(r.head.Load(), 1)
	v := &Viewer{ring: r, filter: f, next: now, short: r.Unrecorded(), buf: make([]Flow, 0, pageOf)}
	if epoch, n, ok := strings.Cut(after, "-"); ok && epoch == r.epoch {
		if at, err := strconv.ParseUint(n, 10, 64); err == nil && at > 0 && at <= now {
			v.next = at
		}
	} else {
		v.anew = after != ""
	}
	return v, nil
}

// Close ends the view.
func (v *Viewer) Close() {
	if !v.closed {
		v.closed = true
		v.ring.viewers.Add(-1)
	}
}

// Next waits until there is something new, and for the least time between two frames, and returns it. Where nothing comes for so long as idle it returns an
// empty frame. The error is that of ctx.
func (v *Viewer) Next(ctx context.Context, idle time.Duration) (Frame, error) {
	until := time.Now().Add(idle)
	tick := time.NewTicker(v.ring.opt.Frame)
	defer tick.Stop()
	if since := time.Since(v.last); since >= v.ring.opt.Frame && v.ring.head.Load() > v.next {
		return v.take(), nil
	}
	for {
		select {
		case <-ctx.Done():
			return Frame{}, ctx.Err()
		case now := <-tick.C:
			if v.ring.head.Load() > v.next || !now.Before(until) {
				return v.take(), nil
			}
		}
	}
}

func (v *Viewer) take() Frame {
	var f Frame
	end := v.ring.head.Load()
	matched := 0
	for v.next < end {
		page, oldest := v.ring.read(v.next, v.buf)
		if oldest > v.next {
			f.Lost += oldest - v.next
		}
		if len(page) == 0 {
			break
		}
		for i := range page {
			if v.filter.Match(&page[i].Event) {
				matched++
				f.Flows = append(f.Flows, page[i])
			}
		}
		if most := v.ring.opt.Most; len(f.Flows) > 2*most {
			f.Flows = append(f.Flows[:0], f.Flows[len(f.Flows)-most:]...)
		}
		v.next = page[len(page)-1].Number + 1
	}
	if most := v.ring.opt.Most; len(f.Flows) > most {
		f.Flows = f.Flows[len(f.Flows)-most:]
	}
	for i, j := 0, len(f.Flows)-1; i < j; i, j = i+1, j-1 {
		f.Flows[i], f.Flows[j] = f.Flows[j], f.Flows[i]
	}
	short := v.ring.Unrecorded()
	f.Skipped, f.Refused, f.Place = matched-len(f.Flows), short-v.short, v.ring.place(v.next)
	f.Anew = v.anew
	v.short, v.last, v.anew = short, time.Now(), false
	return f
}
