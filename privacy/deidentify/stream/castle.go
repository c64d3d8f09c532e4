package stream

import (
	crand "crypto/rand"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// CastleOptions say what a [Castle] publishes and when.
type CastleOptions struct {
	K          int           // distinct subjects in every class; at least 2
	L          int           // distinct sensitive values in every class; 0 and 1: none are asked for
	Delay      int           // records held at most: one is answered at the latest with the Delay-th that is held after it; at least K
	Within     time.Duration // and, if Tick is called, so long after it came; 0: no limit of time
	Attributes []Attribute   // the quasi-identifiers

	Clusters int // that records are gathered in at once, β; 0: 50
	Recent   int // classes whose mean loss is the bar for new ones, µ; 0: 100

	// Reuse is how many published generalisations are kept, so that a record that comes too late for its class is published with one
	// that covers it; 0: none. Such a record appears alone: who knows when it came knows which one it is.
	Reuse int

	SuppressUncovered bool // suppress records with values that have no place; false: they are errors of Push

	Now func() time.Time // the clock, for Within; nil: time.Now
}

// Castle holds records in clusters and publishes them, generalised, in classes of at least K distinct subjects and L distinct
// sensitive values. A record that is in no such class when its delay ends is suppressed.
//
// It follows Cao, Carminati, Ferrari and Tan, CASTLE: Continuously Anonymizing Data Streams, 2011, and departs from it where that would
// publish more: what the paper publishes with everything suppressed is not published; subjects are counted, never records; published
// generalisations are used again only on demand; ends of ranges are never those of a suppressed record. Big clusters are cut in halves
// by loss rather than by nearest neighbours.
//
// What one call returns is in random order, suppressed records last. It holds at most Delay records. All methods are safe for
// concurrent use.
type Castle struct {
	o    CastleOptions
	dims []dimension

	mu       sync.Mutex // guards the fields below
	key      *keyed
	random   *rand.Rand
	queue    []*held // in the order they came, with some that are out; the oldest first
	count    int     // those that are held
	clusters []*cluster
	all      [2]tally // subjects and sensitive values held
	losses   []float64
	next     int // of losses, to be replaced
	reusable []generalisation
	place    uint64
	now      int64
	closed   bool
	stats    Stats

	published, suppressed []Output // of the call that is under way
}

// generalisation is one that was published.
type generalisation struct {
	class uint64
	spans []span
	loss  float64
}

const (
	defaultClusters = 50
	defaultRecent   = 100
)

// NewCastle returns a stream that holds nothing. Errors wrap [ErrOptions].
func NewCastle(o CastleOptions) (*Castle, error) {
	switch {
	case o.K < 2:
		return nil, fmt.Errorf("%w: k is %d, and must be at least 2", ErrOptions, o.K)
	case o.Delay < o.K || o.Delay > math.MaxInt32:
		return nil, fmt.Errorf("%w: the delay is %d records, and must be at least k", ErrOptions, o.Delay)
	case o.L < 0 || o.L > o.Delay:
		return nil, fmt.Errorf("%w: l is %d, and must lie between 0 and the delay", ErrOptions, o.L)
	case o.Within < 0:
		return nil, fmt.Errorf("%w: the limit of time is negative", ErrOptions)
	case o.Clusters < 0 || o.Recent < 0 || o.Reuse < 0:
		return nil, fmt.Errorf("%w: clusters, recent and reuse must not be negative", ErrOptions)
	}
	dims, err := dimensions(o.Attributes)
	if err != nil {
		return nil, err
	}
	o.Attributes = nil
	if o.Clusters == 0 {
		o.Clusters = defaultClusters
	}
	if o.Recent == 0 {
		o.Recent = defaultRecent
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	var seed [32]byte
	crand.Read(seed[:])
	return &Castle{o: o, dims: dims, key: newKeyed(), random: rand.New(rand.NewChaCha8(seed)), all: [2]tally{{}, {}}}, nil
}

// Stats returns the numbers so far. Published, suppressed and held are together those pushed.
func (c *Castle) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Held = c.count
	return s
}

// Push takes a record and returns what is decided by it: often nothing, sometimes many. Errors wrap [ErrRecord] or [ErrUncovered], or
// are [ErrClosed]; the record is then not taken and nothing else has happened.
func (c *Castle) Push(r Record) ([]Output, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	number := c.stats.Pushed + c.stats.Refused + 1
	if err := r.fits(len(c.dims), number); err != nil {
		c.stats.Refused++
		return nil, err
	}
	spans := make([]span, len(c.dims))
	uncovered := -1
	for i := range c.dims {
		var ok bool
		if spans[i], ok = c.dims[i].point(r.Values[i]); !ok && uncovered < 0 {
			uncovered = i
		}
	}
	if uncovered >= 0 && !c.o.SuppressUncovered {
		c.stats.Refused++
		return nil, fmt.Errorf("record %d: attribute %q: %w", number, c.dims[uncovered].name, ErrUncovered)
	}
	c.stats.Pushed++
	c.tick(c.o.Now())
	if uncovered >= 0 {
		c.suppressed = append(c.suppressed, Output{Record: c.stats.Pushed, Why: Uncovered, Carry: r.Carry})
		return c.answer(), nil
	}
	c.place++
	h := &held{record: c.stats.Pushed, place: c.place, arrived: c.now, spans: spans, carry: r.Carry, subject: c.key.bytes(ofSubject, r.Subject)}
	if len(r.Sensitive) > 0 {
		h.sensitive = c.key.bytes(ofSensitive, r.Sensitive)
	}
	c.hold(h)
	for h := c.oldest(); h != nil && c.place-h.place >= uint64(c.o.Delay); h = c.oldest() {
		c.expire(h)
	}
	return c.answer(), nil
}

// Tick returns what is decided because it is now so late. A time before that of an earlier call or record changes nothing.
func (c *Castle) Tick(now time.Time) []Output {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.tick(now)
	return c.answer()
}

// Flush closes the stream: it decides about everything that is held as if the delay of each ended now, the oldest first.
func (c *Castle) Flush() []Output {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for h := c.oldest(); h != nil; h = c.oldest() {
		c.expire(h)
	}
	c.reusable, c.losses = nil, nil
	return c.answer()
}

// answer returns what the call decided. The order in which published records came is not to be seen.
func (c *Castle) answer() []Output {
	out, n := c.published, len(c.published)
	c.random.Shuffle(n, func(i, j int) { out[i], out[j] = out[j], out[i] })
	out = append(out, c.suppressed...)
	c.stats.Published += uint64(n)
	c.stats.Suppressed += uint64(len(c.suppressed))
	c.published, c.suppressed = nil, nil
	return out
}

// tick lets time pass and ends the delay of what came too long ago. Time that goes backwards stands still.
func (c *Castle) tick(now time.Time) {
	t, ok := nanos(now)
	if !ok || t < c.now {
		return
	}
	c.now = t
	if c.o.Within == 0 {
		return
	}
	for h := c.oldest(); h != nil && c.now-h.arrived >= int64(c.o.Within); h = c.oldest() {
		c.expire(h)
	}
}

// oldest returns the record that has been held longest; nil if there is none.
func (c *Castle) oldest() *held {
	for len(c.queue) > 0 && c.queue[0].in == nil {
		c.queue[0] = nil
		c.queue = c.queue[1:]
	}
	if len(c.queue) == 0 {
		return nil
	}
	return c.queue[0]
}

// hold puts a record into the cluster that grows least by it, among those the smallest whose loss stays below the bar or that does not
// grow at all. If there is none it gets a cluster of its own, unless there are as many as may be.
func (c *Castle) hold(h *held) {
	c.queue = append(c.queue, h)
	c.count++
	c.all[0].add(h.subject)
	c.all[1].add(h.sensitive)
	const tie = 1e-12
	bar := c.bar()
	var near, good *cluster
	least := math.Inf(1)
	for _, cl := range c.clusters {
		loss := lossWith(c.dims, cl.spans, h.spans, cl.loss+least+tie)
		grows := loss - cl.loss
		switch {
		case grows < least-tie:
			least, near, good = grows, cl, nil
		case !(grows <= least+tie):
			continue
		case len(cl.members) < len(near.members):
			near = cl
		}
		if (loss <= bar+tie || grows <= tie) && (good == nil || len(cl.members) < len(good.members)) {
			good = cl
		}
	}
	switch {
	case good != nil:
		good.add(c.dims, h)
	case near != nil && len(c.clusters) >= c.o.Clusters:
		near.add(c.dims, h)
	default:
		c.clusters = append(c.clusters, newCluster(c.dims, h))
	}
}

// bar returns τ: the mean loss of the classes published last; 0 before there are any.
func (c *Castle) bar() float64 {
	sum := 0.0
	for _, l := range c.losses {
		sum += l
	}
	return sum / float64(max(1, len(c.losses)))
}

func (c *Castle) meets(subjects, sensitive int) bool {
	return subjects >= c.o.K && (c.o.L <= 1 || sensitive >= c.o.L)
}

// expire decides about a record whose delay ended. It is out afterwards.
func (c *Castle) expire(h *held) {
	cl := h.in
	if c.meets(len(cl.subjects), len(cl.sensitive)) {
		c.publish(cl)
		return
	}
	if g := c.cover(h); g != nil {
		c.release(h)
		c.published = append(c.published, c.output(h, g.class, g.spans))
		return
	}
	bigger := 0
	for _, other := range c.clusters {
		if len(other.subjects) > len(cl.subjects) {
			bigger++
		}
	}
	switch {
	case bigger > len(c.clusters)/2:
		c.suppress(h, Outlier)
	case !c.meets(len(c.all[0]), len(c.all[1])) || !c.merge(cl):
		c.suppress(h, Expired)
	default:
		c.publish(cl)
	}
}

// cover returns the published generalisation that covers a record and loses least; nil if there is none.
func (c *Castle) cover(h *held) *generalisation {
	var best *generalisation
	for i := range c.reusable {
		if g := &c.reusable[i]; (best == nil || g.loss < best.loss) && coversAll(c.dims, g.spans, h.spans) {
			best = g
		}
	}
	return best
}

// merge joins the clusters to one that it grows least by until it meets k and l, and reports whether it does.
func (c *Castle) merge(cl *cluster) bool {
	for !c.meets(len(cl.subjects), len(cl.sensitive)) {
		var near *cluster
		least := math.Inf(1)
		for _, other := range c.clusters {
			if other == cl {
				continue
			}
			if loss := lossWith(c.dims, cl.spans, other.spans, math.Inf(1)); near == nil || loss < least {
				least, near = loss, other
			}
		}
		if near == nil {
			return false
		}
		for _, h := range near.members {
			cl.add(c.dims, h)
		}
		near.members = nil
		c.drop(near)
	}
	return true
}

// publish publishes a cluster's records in as many classes as it can be cut into.
func (c *Castle) publish(cl *cluster) {
	s := splitter{dims: c.dims, k: c.o.K, l: c.o.L}
	s.cut(buckets(c.dims, cl.members))
	for _, members := range s.out {
		c.publishClass(members)
	}
}

// publishClass counts once more, by itself, before it lets anything out.
func (c *Castle) publishClass(members []*held) {
	subjects, sensitive := tally{}, tally{}
	spans, covered := exact(c.dims, members), true
	for _, h := range members {
		subjects.add(h.subject)
		sensitive.add(h.sensitive)
		covered = covered && coversAll(c.dims, spans, h.spans) // unless a hierarchy's levels are not functions of each other
	}
	if !covered || !c.meets(len(subjects), len(sensitive)) {
		for _, h := range members {
			c.suppress(h, Expired)
		}
		return
	}
	c.stats.Classes++
	for _, h := range members {
		c.release(h)
		c.published = append(c.published, c.output(h, c.stats.Classes, spans))
	}
	loss := lossOf(c.dims, spans)
	if len(c.losses) < c.o.Recent {
		c.losses = append(c.losses, loss)
	} else {
		c.losses[c.next] = loss
		c.next = (c.next + 1) % c.o.Recent
	}
	if c.o.Reuse > 0 && loss <= c.bar() {
		if len(c.reusable) == c.o.Reuse {
			copy(c.reusable, c.reusable[1:])
			c.reusable = c.reusable[:c.o.Reuse-1]
		}
		c.reusable = append(c.reusable, generalisation{c.stats.Classes, spans, loss})
	}
}

// output returns a record as it is published with a generalisation.
func (c *Castle) output(h *held, class uint64, spans []span) Output {
	cells := make([]Value, len(spans))
	for i := range spans {
		cells[i] = c.dims[i].cell(spans[i])
	}
	return Output{Record: h.record, Class: class, Cells: cells, Carry: h.carry}
}

func (c *Castle) suppress(h *held, why Reason) {
	c.release(h)
	c.suppressed = append(c.suppressed, Output{Record: h.record, Why: why, Carry: h.carry})
}

// release takes a record out of its cluster and of all counts.
func (c *Castle) release(h *held) {
	cl := h.in
	cl.remove(c.dims, h)
	if len(cl.members) == 0 {
		c.drop(cl)
	}
	c.count--
	c.all[0].remove(h.subject)
	c.all[1].remove(h.sensitive)
}

// drop forgets an empty cluster.
func (c *Castle) drop(cl *cluster) {
	for i, other := range c.clusters {
		if other == cl {
			last := len(c.clusters) - 1
			c.clusters[i] = c.clusters[last]
			c.clusters[last] = nil
			c.clusters = c.clusters[:last]
			return
		}
	}
}
