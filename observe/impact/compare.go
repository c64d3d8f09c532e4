package impact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// Source is the journal. DB and Inputs are needed.
type Source struct {
	DB      store.DB
	Inputs  *vault.AEAD                                                      // opens what decisions were made of
	Entries func(context.Context, audit.Query) iter.Seq2[audit.Entry, error] // tells when pruned rows were written; nil: nothing does
	Sets    func(ctx context.Context, hash string) (*policy.Set, error)      // the rules of a hash, see [Kept]; nil, or a nil set: they are not known
}

// Options of a comparison; the zero value is fine.
type Options struct {
	Since, Until time.Time // of the decisions; zero: all
	Workers      int       // goroutines that decide; 0: one for each processor
	Examples     int       // flows told by name; 0: 20
	Progress     func(entries int64)
}

// ErrTimes is the error of a time that ends before it begins.
var ErrTimes = errors.New("the time ends before it begins")

// late is how far apart the times of neighbouring entries may lie, by clocks that were set.
const late = 26 * time.Hour

// Compare decides the recorded decisions of a time again, under both sides, and tells what differs.
//
// First each is decided by the rules of its time, which must say what was recorded: one of which they say something else, or that are not known, is
// counted as not decided again. What was held down by more than policy (a capability, contract, hop, memory of exposure, schema or reference) stays within what was
// recorded; what did not hold then is not known to hold now, so what opens is an upper bound.
// It reads page by page and keeps counts alone. After an error, such as that of ctx, nothing is told.
func Compare(ctx context.Context, src Source, old, next Side, opt Options) (*Impact, error) {
	if !opt.Until.IsZero() && opt.Until.Before(opt.Since) {
		return nil, ErrTimes
	}
	if old.Policy == nil || next.Policy == nil || src.Inputs == nil {
		return nil, errors.New("a comparison needs two sets of policies and the key of the journal's inputs")
	}
	if opt.Workers <= 0 {
		opt.Workers = runtime.GOMAXPROCS(0)
	}
	if opt.Examples == 0 {
		opt.Examples = 20
	}
	c := &comparison{src: &src, opt: &opt, old: old, next: next, sets: map[string]*policy.Set{}}
	c.prepare()
	first, last, err := c.bounds(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pages := make(chan []audit.Entry, 2*opt.Workers)
	tallies := make([]*tally, opt.Workers)
	errs := make([]error, opt.Workers)
	var wg sync.WaitGroup
	for i := range tallies {
		tallies[i] = newTally(opt.Examples)
		wg.Go(func() {
			w := &worker{comparison: c, t: tallies[i], plans: map[planKey]*plan{}}
			for page := range pages {
				if errs[i] = w.page(ctx, page); errs[i] != nil {
					cancel()
					return
				}
			}
		})
	}
	err = c.read(ctx, pages, first, last)
	close(pages)
	wg.Wait()
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	for _, t := range tallies[1:] {
		tallies[0].add(t)
	}
	return c.told(tallies[0]), nil
}

// comparison is what all workers share.
type comparison struct {
	src       *Source
	opt       *Options
	old, next Side
	oldFields map[string]flow.Label
	newFields map[string]flow.Label
	schemas   []binding // that differ
	public    bool      // what is declared to be public differs
	beside    []Difference

	mu   sync.Mutex             // guards sets; held while one is loaded
	sets map[string]*policy.Set // by hash; nil: not known
}

// mostSets bounds how many sets of earlier times are kept at once.
const mostSets = 16

// at returns the rules of a hash, nil if they are not known.
func (c *comparison) at(ctx context.Context, hash string) (*policy.Set, error) {
	if hash == c.old.Policy.Hash() {
		return c.old.Policy, nil
	}
	if hash == c.next.Policy.Hash() {
		return c.next.Policy, nil
	}
	if c.src.Sets == nil || hash == "" {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.sets[hash]; ok {
		return s, nil
	}
	s, err := c.src.Sets(ctx, hash)
	if errors.Is(err, policy.ErrKept) {
		s, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the rules of an earlier time: %w", err)
	}
	if len(c.sets) >= mostSets {
		clear(c.sets)
	}
	c.sets[hash] = s
	return s, nil
}

// read sends pages to the workers.
func (c *comparison) read(ctx context.Context, to chan<- []audit.Entry, first, last int64) error {
	if first > last {
		return nil
	}
	var n int64
	for page, err := range audit.Pages(ctx, c.src.DB, audit.Query{From: first, To: last}) {
		if err != nil {
			return err
		}
		select {
		case to <- page:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if n += int64(len(page)); c.opt.Progress != nil {
			c.opt.Progress(n)
		}
	}
	return ctx.Err()
}

// bounds finds the entries of the time: times grow with numbers, but for clocks that were set.
func (c *comparison) bounds(ctx context.Context) (first, last int64, err error) {
	err = c.src.DB.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT COALESCE(MIN(seq), 1), COALESCE(MAX(seq), 0) FROM audit_entries").Scan(&first, &last)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("looking where to begin: %w", err)
	}
	if !c.opt.Since.IsZero() {
		if first, err = c.search(ctx, first, last, c.opt.Since.Add(-late)); err != nil {
			return 0, 0, err
		}
	}
	if !c.opt.Until.IsZero() {
		end, err := c.search(ctx, first, last, c.opt.Until.Add(late))
		if err != nil {
			return 0, 0, err
		}
		last = min(last, end)
	}
	return first, last, nil
}

// search returns the first entry that is not before a time.
func (c *comparison) search(ctx context.Context, first, last int64, at time.Time) (int64, error) {
	for first < last {
		mid := first + (last-first)/2
		before := true
		for e, err := range c.entries(ctx, audit.Query{From: mid, Limit: 1}) {
			if errors.Is(err, audit.ErrPruned) {
				break // what is pruned is old
			}
			if err != nil {
				return 0, err
			}
			before = e.Event.Time.Before(at)
		}
		if before {
			first = mid + 1
		} else {
			last = mid
		}
	}
	return first, nil
}

func (c *comparison) entries(ctx context.Context, q audit.Query) iter.Seq2[audit.Entry, error] {
	if c.src.Entries != nil {
		return c.src.Entries(ctx, q)
	}
	return audit.Entries(ctx, c.src.DB, q)
}

// worker decides. It is for one goroutine.
type worker struct {
	*comparison
	t      *tally
	reader gateway.KindsReader

	plans map[planKey]*plan
}

func (w *worker) page(ctx context.Context, page []audit.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i := range page {
		if err := w.entry(ctx, &page[i]); err != nil {
			return err
		}
	}
	return nil
}

// entry counts one entry, and decides it again if it is a decision and can be.
func (w *worker) entry(ctx context.Context, e *audit.Entry) error {
	if e.Pruned {
		w.t.Entries++
		w.t.not(Pruned)
		return nil
	}
	ev, err := told(e)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	if ev.Time.Before(w.opt.Since) || !w.opt.Until.IsZero() && !ev.Time.Before(w.opt.Until) {
		return nil
	}
	w.t.Entries++
	reason, decision := standing(ev, e.Sealed != nil)
	if !decision {
		return nil
	}
	if reason != "" {
		w.t.not(reason)
		return nil
	}
	plain, err := w.src.Inputs.Open(e.Sealed, []byte(ev.Flow.ID))
	if err != nil {
		w.t.not(Unreadable)
		return nil
	}
	in, err := w.reader.Read(plain)
	if err != nil {
		w.t.not(Unreadable)
		return nil
	}
	set, err := w.at(ctx, ev.PolicyHash)
	if err != nil {
		return err
	}
	if set == nil {
		w.t.not(Unknown)
		return nil
	}
	return w.again(ev, set, &in)
}

// event is the part of an event that a comparison needs.
type event struct {
	seq        int64
	Time       time.Time    `json:"time"`
	Outcome    flow.Outcome `json:"outcome"`
	PolicyHash string       `json:"policy_hash"`
	Flow       struct {
		ID flow.ID `json:"id"`
	} `json:"flow"`
	Table     *struct{} `json:"table"`
	Question  *struct{} `json:"question"`
	Contracts []string  `json:"contracts"`
}

func told(e *audit.Entry) (*event, error) {
	ev := &event{seq: e.Seq}
	if err := json.Unmarshal(e.Raw, ev); err != nil {
		return nil, audit.ErrEvent
	}
	return ev, nil
}

// standing says whether an entry is a decision on what is shown, and why it cannot be decided again.
func standing(ev *event, sealed bool) (Reason, bool) {
	switch {
	case ev.Outcome == flow.Refused:
		return Turned, true
	case ev.Outcome == flow.Replayed:
		return Again, true
	case ev.Outcome == flow.Watched:
		return Watching, true
	case ev.Table != nil:
		return Tables, ev.Outcome == flow.Opened || ev.Outcome == flow.Released
	case ev.Outcome != flow.Released && ev.Outcome != flow.Segment:
		return "", false
	case ev.Question != nil:
		return Questions, true
	case !sealed:
		return Pruned, true
	}
	return "", true
}
