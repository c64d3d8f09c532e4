package stream

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// ZOptions say what a [Z] passes.
type ZOptions struct {
	Z          int           // distinct subjects that must have shown a combination, the one of the record itself included; at least 2
	Window     time.Duration // how long a showing counts: one at s counts at t while t - s < Window
	Attributes []string      // names of the quasi-identifiers

	// Each decides every attribute by itself and suppresses cells; false: the combination of all is decided, and whole records are
	// suppressed. Cells that pass one by one may be unique side by side.
	Each bool

	Capacity int              // combinations held at most; 0: 65536
	Now      func() time.Time // the clock; nil: time.Now
}

// Z passes a combination of quasi-identifiers of a record if at least z distinct subjects, its own included, showed the same within
// the window that ends with the record, and suppresses it otherwise. It answers at once.
//
// It is exact, neither sketch nor sample: of a combination it holds the z subjects that showed it last, which is enough to tell
// whether there are z. When [ZOptions.Capacity] combinations are within the window, one that is not held is suppressed with
// [Full] and not remembered. So what passes always had its z subjects, and what does not may have had them only after a [Full].
// Memory stays below [Z.Bound].
//
// A record whose time lies before that of an earlier record, or after the clock's, is suppressed with [Clock] and not remembered;
// nothing passes until the times are in order again. All methods are safe for concurrent use.
//
// Definition: Jha and others, z-anonymity: Zero-Delay Anonymization for Data Streams, 2020; checked by TestZAgreesWithTheDefinition.
type Z struct {
	o ZOptions // fixed

	mu     sync.Mutex // guards the fields below
	key    *keyed
	shown  map[digest]*combination
	newest *combination // by last showing; nil: none
	oldest *combination
	latest int64 // time of the last record that was in order, in ns since 1970
	began  bool  // there was one
	closed bool
	stats  Stats
}

// combination holds the last subjects that showed it, the latest at the end.
type combination struct {
	key          digest
	by           []showing
	newer, older *combination
}

type showing struct {
	subject digest
	at      int64
}

const defaultCapacity = 1 << 16

// NewZ returns a stream that has seen nothing. Errors wrap [ErrOptions].
func NewZ(o ZOptions) (*Z, error) {
	switch {
	case o.Z < 2:
		return nil, fmt.Errorf("%w: z is %d, and must be at least 2", ErrOptions, o.Z)
	case o.Window <= 0:
		return nil, fmt.Errorf("%w: the window must be positive", ErrOptions)
	case o.Capacity < 0:
		return nil, fmt.Errorf("%w: the capacity is negative", ErrOptions)
	}
	if err := names(o.Attributes); err != nil {
		return nil, err
	}
	o.Attributes = slices.Clone(o.Attributes)
	if o.Capacity == 0 {
		o.Capacity = defaultCapacity
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Z{o: o, key: newKeyed(), shown: make(map[digest]*combination)}, nil
}

// names returns an error unless there are attributes, each with a name of its own.
func names(attributes []string) error {
	if len(attributes) == 0 {
		return fmt.Errorf("%w: there is no attribute", ErrOptions)
	}
	for i, n := range attributes {
		if n == "" {
			return fmt.Errorf("%w: attribute %d has no name", ErrOptions, i+1)
		}
		if slices.Contains(attributes[:i], n) {
			return fmt.Errorf("%w: attribute %q is there twice", ErrOptions, n)
		}
	}
	return nil
}

// Bound returns a number of bytes that what is held never exceeds: for each combination z showings, itself, and its part of the index.
func (z *Z) Bound() int64 {
	const showing, combination, index = 24 + 3, 80, 64 // what the allocator rounds up to included
	return int64(z.o.Capacity) * (int64(z.o.Z)*showing + combination + index)
}

// Stats returns the numbers so far.
func (z *Z) Stats() Stats {
	z.mu.Lock()
	defer z.mu.Unlock()
	s := z.stats
	s.Held = len(z.shown)
	return s
}

// Push takes a record and returns its only output. Errors wrap [ErrRecord] or are [ErrClosed]; the record is then not taken.
func (z *Z) Push(r Record) ([]Output, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.closed {
		return nil, ErrClosed
	}
	if err := r.fits(len(z.o.Attributes), z.stats.Pushed+z.stats.Refused+1); err != nil {
		z.stats.Refused++
		return nil, err
	}
	z.stats.Pushed++
	out := Output{Record: z.stats.Pushed, Carry: r.Carry}
	if at, ok := z.advance(r.Time); !ok {
		out.Why = Clock
	} else {
		out.Cells, out.Why = z.decide(&r, at)
	}
	if out.Why == Published {
		z.stats.Published++
	} else {
		z.stats.Suppressed++
	}
	return []Output{out}, nil
}

// decide returns the cells that pass; all nulls are a suppressed record.
func (z *Z) decide(r *Record, at int64) ([]Value, Reason) {
	subject := z.key.bytes(ofSubject, r.Subject)
	if !z.o.Each {
		if why := z.show(z.key.values(0, r.Values), subject, at); why != Published {
			return nil, why
		}
		return slices.Clone(r.Values), Published
	}
	cells := make([]Value, len(r.Values))
	passed, last := false, Few
	for i := range r.Values {
		why := z.show(z.key.values(i, r.Values[i:i+1]), subject, at)
		if why != Published {
			cells[i] = Value{Null: true}
			last = why
			continue
		}
		cells[i], passed = r.Values[i], true
	}
	if !passed {
		return nil, last
	}
	return cells, Published
}

// advance moves the stream's time to the record's and forgets what left the window. It returns false, and moves nothing, if that
// would be backwards or ahead of the clock.
func (z *Z) advance(at time.Time) (int64, bool) {
	now, ok := nanos(z.o.Now())
	if !ok {
		return 0, false
	}
	t := now
	if !at.IsZero() {
		if t, ok = nanos(at); !ok || t > now {
			return 0, false
		}
	}
	if z.began && t < z.latest {
		return 0, false
	}
	z.latest, z.began = t, true
	z.forget(t)
	return t, true
}

// nanos returns false for times that do not fit.
func nanos(t time.Time) (int64, bool) {
	y := t.UTC().Year()
	return t.UnixNano(), 1970 <= y && y < 2200
}

// forget drops combinations that nobody showed within the window that ends at t.
func (z *Z) forget(t int64) {
	for c := z.oldest; c != nil && !z.counts(c.by[len(c.by)-1].at, t); c = z.oldest {
		z.unlink(c)
		delete(z.shown, c.key)
	}
}

func (z *Z) counts(shown, now int64) bool { return now-shown < int64(z.o.Window) }

// show notes that the subject showed the combination and says whether it passes.
func (z *Z) show(key, subject digest, at int64) Reason {
	c := z.shown[key]
	switch {
	case c != nil:
		z.unlink(c)
	case len(z.shown) >= z.o.Capacity:
		return Full
	default:
		c = &combination{key: key}
		z.shown[key] = c
	}
	z.link(c)
	c.show(subject, at, z.o.Z)
	// The z subjects that showed it last are within the window if the earliest of them is.
	if len(c.by) < z.o.Z || !z.counts(c.by[0].at, at) {
		return Few
	}
	return Published
}

// show puts the subject last and keeps at most z.
func (c *combination) show(subject digest, at int64, z int) {
	for i := range c.by {
		if c.by[i].subject == subject {
			copy(c.by[i:], c.by[i+1:])
			c.by[len(c.by)-1] = showing{subject, at}
			return
		}
	}
	if len(c.by) == z {
		copy(c.by, c.by[1:])
		c.by[z-1] = showing{subject, at}
		return
	}
	if len(c.by) == cap(c.by) { // never room for more than z
		grown := make([]showing, len(c.by), min(z, 2*len(c.by)+1))
		copy(grown, c.by)
		c.by = grown
	}
	c.by = append(c.by, showing{subject, at})
}

// link makes a combination the newest.
func (z *Z) link(c *combination) {
	c.newer, c.older = nil, z.newest
	if z.newest != nil {
		z.newest.newer = c
	} else {
		z.oldest = c
	}
	z.newest = c
}

func (z *Z) unlink(c *combination) {
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		z.newest = c.older
	}
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		z.oldest = c.newer
	}
	c.newer, c.older = nil, nil
}

// Tick moves the stream's time as a record would, forgets what left the window, and returns nothing: a record was answered when it came.
// A time before that of the last record, or after the clock's, changes nothing.
func (z *Z) Tick(now time.Time) []Output {
	z.mu.Lock()
	defer z.mu.Unlock()
	if !now.IsZero() {
		z.advance(now)
	}
	return nil
}

// Flush closes the stream and forgets everything. It returns nothing.
func (z *Z) Flush() []Output {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.closed = true
	z.shown, z.newest, z.oldest = nil, nil, nil
	return nil
}
