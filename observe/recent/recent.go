// Package recent counts what the newest entries of the journal say, for whoever looks now and then: refusals for want of budget, what
// was shown to whom at which level and what set it, and tables that left. It is for pages; what somebody has to answer for is counted
// by package report, from all entries.
//
// It reads when it is asked and only what is new then, keeps counts and no entries, and forgets what is older than a number of entries.
package recent

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
)

const (
	chunkSize = 5000 // entries that are forgotten together
	mostKept  = 200  // refusals and tables of a chunk
	mostKeys  = 2000 // different counts of a chunk
	patience  = 20 * time.Millisecond
)

// Options of a window. Entries and Rows are needed.
type Options struct {
	Entries func(context.Context, audit.Query) iter.Seq2[audit.Entry, error]
	Rows    func(context.Context) (int64, error)
	Most    int64 // entries that are looked at; 0: 50,000

	// Begin runs what goes on after an answer, until its context ends. Nil: what is to be read is read before the answer.
	Begin func(func(context.Context))
}

// Window is the newest entries. It is safe for concurrent use.
type Window struct {
	opt Options

	mu     sync.Mutex // guards all below
	busy   bool
	err    error
	at     int64 // the last entry that was read
	chunks []*chunk
}

// New returns a window that has read nothing yet.
func New(opt Options) *Window {
	if opt.Most <= 0 {
		opt.Most = 50_000
	}
	return &Window{opt: opt}
}

// Shown says who was shown a label at a level, and what set the level.
type Shown struct {
	Domain flow.DomainID `json:"domain"`
	Label  flow.Label    `json:"label"`
	Level  flow.Level    `json:"level"`
	By     flow.Limit    `json:"by"`
}

// ShownCount is how many values that was.
type ShownCount struct {
	Shown
	Values int64 `json:"values"`
}

// Refusal is a question that the budget had no room for.
type Refusal struct {
	Flow   flow.ID    `json:"flow"`
	Time   time.Time  `json:"time"`
	From   flow.Party `json:"from"`
	Reason string     `json:"reason"`
}

// Table is a table that left the domain.
type Table struct {
	Entry int64      `json:"entry"`
	Flow  flow.ID    `json:"flow"`
	Time  time.Time  `json:"time"`
	To    flow.Party `json:"to"`
	Of    string     `json:"of"`
	Table flow.Table `json:"table"`
}

// Seen is what the window holds.
type Seen struct {
	First    int64        `json:"first_entry"` // 0: nothing was read
	Last     int64        `json:"last_entry"`
	Since    time.Time    `json:"since,omitzero"`
	Until    time.Time    `json:"until,omitzero"`
	Behind   int64        `json:"behind"` // entries that are still being read
	Shown    []ShownCount `json:"shown"`
	Refusals []Refusal    `json:"refusals"` // for want of budget, the newest first
	Tables   []Table      `json:"tables"`   // the newest first
	Refused  int64        `json:"refused"`  // flows, for whatever reason
	More     bool         `json:"more"`     // there was more than is kept
}

// chunk is what a number of entries say.
type chunk struct {
	first, last  int64
	since, until time.Time
	shown        map[Shown]int64
	refusals     []Refusal
	tables       []Table
	refused      int64
	more         bool
}

// Look reads what is new and tells what the window holds. Where there is much to read it tells what was read so far.
func (w *Window) Look(ctx context.Context) (Seen, error) {
	rows, err := w.opt.Rows(ctx)
	if err != nil {
		return Seen{}, err
	}
	w.mu.Lock()
	start := rows > w.at && !w.busy
	if start {
		w.busy = true
	}
	w.mu.Unlock()
	if start {
		done := make(chan struct{})
		work := func(ctx context.Context) {
			defer close(done)
			err := w.read(ctx, rows)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.busy, w.err = false, err
		}
		if w.opt.Begin == nil {
			work(ctx)
		} else {
			w.opt.Begin(work)
		}
		wait := time.NewTimer(patience)
		defer wait.Stop()
		select {
		case <-done:
		case <-wait.C:
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen(rows), w.err
}

func (w *Window) read(ctx context.Context, rows int64) error {
	w.mu.Lock()
	from := max(w.at+1, rows-w.opt.Most+1, 1)
	w.mu.Unlock()
	for e, err := range w.opt.Entries(ctx, audit.Query{From: from, To: rows}) {
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.take(&e)
		w.mu.Unlock()
	}
	return nil
}

func (w *Window) take(e *audit.Entry) {
	w.at = e.Seq
	n := len(w.chunks)
	if n == 0 || e.Seq-w.chunks[n-1].first >= chunkSize {
		w.chunks = append(w.chunks, &chunk{first: e.Seq, since: e.Event.Time, shown: map[Shown]int64{}})
		for len(w.chunks) > 1 && w.chunks[1].first <= e.Seq-w.opt.Most {
			w.chunks = w.chunks[1:]
		}
		n = len(w.chunks)
	}
	c, ev := w.chunks[n-1], &e.Event
	c.last, c.until = e.Seq, ev.Time
	switch ev.Outcome {
	case flow.Refused:
		c.refused++
		if strings.HasPrefix(ev.Reason, "budget ") {
			c.refusals, c.more = keep(c.refusals, Refusal{ev.Flow.ID, ev.Time, ev.Flow.From, ev.Reason}, c.more)
		}
	case flow.Released, flow.Segment, flow.Replayed:
		for _, l := range ev.Levels {
			k := Shown{ev.Flow.To.Domain, l.Label, l.Level, l.By}
			if _, ok := c.shown[k]; !ok && len(c.shown) >= mostKeys {
				c.more = true
				continue
			}
			c.shown[k] += int64(l.Count)
		}
	}
	if ev.Table != nil && ev.Outcome == flow.Closed {
		c.tables, c.more = keep(c.tables, Table{e.Seq, ev.Flow.ID, ev.Time, ev.Flow.To, ev.Flow.Subject, *ev.Table}, c.more)
	}
}

// keep appends to a list of bounded length, of which the oldest goes.
func keep[T any](list []T, one T, more bool) ([]T, bool) {
	list = append(list, one)
	if len(list) > mostKept {
		return list[1:], true
	}
	return list, more
}

func (w *Window) seen(rows int64) Seen {
	s := Seen{Shown: []ShownCount{}, Refusals: []Refusal{}, Tables: []Table{}, Behind: max(rows-max(w.at, rows-w.opt.Most), 0)}
	all := map[Shown]int64{}
	for i, c := range w.chunks {
		if i == 0 {
			s.First, s.Since = c.first, c.since
		}
		s.Last, s.Until = c.last, c.until
		s.Refused += c.refused
		s.More = s.More || c.more
		for k, n := range c.shown {
			all[k] += n
		}
	}
	for _, c := range slices.Backward(w.chunks) {
		for _, r := range slices.Backward(c.refusals) {
			s.Refusals = append(s.Refusals, r)
		}
		for _, t := range slices.Backward(c.tables) {
			s.Tables = append(s.Tables, t)
		}
	}
	for k, n := range all {
		s.Shown = append(s.Shown, ShownCount{k, n})
	}
	slices.SortFunc(s.Shown, func(a, b ShownCount) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Level, b.Level), cmp.Compare(a.By, b.By))
	})
	return s
}
