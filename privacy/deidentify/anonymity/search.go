package anonymity

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
)

// Options say what a recoding must meet and how it is chosen.
type Options struct {
	Models      []Model        // all of them must be met; at least one
	Suppression float64        // share of rows that may be suppressed, 0 to 1; the zero value allows none
	Metric      Metric         // what is made least
	Workers     int            // goroutines; 0: as many as there are processors. The result does not depend on it.
	Progress    func(Progress) // called now and then, by one goroutine at a time; may be nil
}

// Progress tells how far a search has come.
type Progress struct {
	Nodes    int64 // combinations of levels there are
	Resolved int64 // of these, known to be worse than the best, or not to meet the models
	Checked  int64 // of these, looked at
}

// maxNodes is how many combinations of levels are searched: a byte is kept of each.
const maxNodes = 1 << 27

// Search finds the global recoding, one level for each attribute, that meets the models with the least loss.
//
// The result is the optimum among all combinations of levels. Of several with the same score the one whose levels come first is
// taken, the first attribute's level compared first. It returns [ErrNone] if none meets the models, and errors that wrap
// [ErrOptions], [ErrTable] or [ErrLattice].
//
// How it looks: docs/decisions/lattice-search.md. Proof: TestSearchFindsWhatExhaustionFinds.
func Search(ctx context.Context, t *Table, o Options) (*Solution, error) {
	p, err := newProblem(t, o)
	if err != nil {
		return nil, err
	}
	s, err := newSearch(p, o)
	if err != nil {
		return nil, err
	}
	workers := o.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { s.work(ctx) })
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.bestNode < 0 {
		return nil, ErrNone
	}
	sol := global(p, o, s.levels(nil, s.bestNode))
	sol.Nodes, sol.Checked = s.nodes, s.checked
	if sol.Classes == 0 {
		return nil, ErrNone
	}
	return sol, nil
}

// search is the lattice and what is known of it. A node's number orders nodes by their levels, the first attribute's first.
type search struct {
	p        *problem
	metric   Metric
	progress func(Progress)
	stride   []int64
	nodes    int64

	mu       sync.Mutex // guards the rest
	done     []bool     // by node: it was looked at, or need not be
	queue    queue
	best     float64
	bestNode int64
	cache    cache
	bounds   []bound // where the metric does not add up cell by cell
	checked  int64
	resolved int64
}

// bound says that a node and all coarser ones have no smaller value.
type bound struct {
	node  int64
	value float64
	used  bool
}

func newSearch(p *problem, o Options) (*search, error) {
	s := &search{p: p, metric: o.Metric, progress: o.Progress, best: math.Inf(1), bestNode: -1, nodes: 1}
	at := p.table.attributes
	s.stride = make([]int64, len(at))
	for a := len(at) - 1; a >= 0; a-- {
		s.stride[a] = s.nodes
		s.nodes *= int64(at[a].Most - at[a].Least + 1)
		if s.nodes > maxNodes {
			return nil, fmt.Errorf("%w: more than %d; allow fewer levels of some attributes", ErrLattice, maxNodes)
		}
	}
	s.done = make([]bool, s.nodes)
	s.cache.put(p.base)
	s.queue.push(item{node: 0, value: s.least(s.levels(nil, 0))})
	return s, nil
}

// levels sets the levels of a node.
func (s *search) levels(levels []uint8, node int64) []uint8 {
	levels = levels[:0]
	for a := range s.stride {
		l := node / s.stride[a]
		node -= l * s.stride[a]
		levels = append(levels, uint8(l)+uint8(s.p.table.attributes[a].Least))
	}
	return levels
}

// least is what a node's value is if no row is suppressed: by a metric that adds up, its value is at least that.
func (s *search) least(levels []uint8) float64 {
	var room [64]int64
	sums := room[:0]
	for a, l := range levels {
		sums = append(sums, s.p.costs.base[a][l])
	}
	return s.p.costs.value(sums)
}

// beyond reports whether a node with this least value cannot be the best. The margin is for the rounding of weights.
func (s *search) beyond(value float64) bool {
	return s.metric <= NonUniformEntropy && value > s.best*(1+1e-12)
}

// worker is one goroutine of a search.
type worker struct {
	*search
	climber *climber
	class   class
	at      []uint8
	path    []int64
	known   bool // there was a solution when the way was chosen
	sums    []int64
}

// work takes the node of least value that is not resolved, finds on a way up from it where nodes begin to meet the models, and goes
// on until all nodes are resolved. A node that loses too many rows resolves all finer ones.
func (s *search) work(ctx context.Context) {
	w := &worker{search: s, climber: newClimber(s.p), sums: make([]int64, len(s.stride))}
	w.class.values = make([]counts, len(s.p.table.sensitive))
	for ctx.Err() == nil {
		if !w.choose() {
			return
		}
		// The upper end comes first: while there is a solution, most ways end below where nodes begin to meet the models, and what
		// fails there settles all of the way. Without one, the upper end is the top of the lattice and says little.
		low, high := -1, len(w.path)
		for low+1 < high && ctx.Err() == nil {
			mid := (low + high) / 2
			if low < 0 && high == len(w.path) && w.known {
				mid = high - 1
			}
			if w.passes(w.path[mid]) {
				high = mid
			} else {
				low = mid
			}
		}
	}
}

// choose takes the next node and a way up from it. It reports false when there is none.
func (w *worker) choose() bool {
	s := w.search
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		it, ok := s.queue.pop()
		if !ok || s.beyond(it.value) {
			s.queue = queue{}
			return false
		}
		w.at = s.levels(w.at, it.node)
		s.expand(w.at, it.node)
		if s.done[it.node] {
			continue
		}
		w.path = append(w.path[:0], it.node)
		for node := it.node; ; {
			next, least := int64(-1), math.Inf(1)
			for a := range s.stride {
				if int(w.at[a]) == s.p.table.attributes[a].Most || s.done[node+s.stride[a]] {
					continue
				}
				w.at[a]++
				if v := s.least(w.at); v < least && !s.beyond(v) {
					next, least = node+s.stride[a], v
				}
				w.at[a]--
			}
			if next < 0 {
				w.known = s.bestNode >= 0
				return true
			}
			node = next
			w.at = s.levels(w.at, node)
			w.path = append(w.path, node)
		}
	}
}

// expand puts a node's successors into the queue, each node from one predecessor only.
func (s *search) expand(levels []uint8, node int64) {
	first := 0
	for a, l := range levels {
		if int(l) > s.p.table.attributes[a].Least {
			first = a
		}
	}
	for a := first; a < len(levels); a++ {
		if int(levels[a]) == s.p.table.attributes[a].Most {
			continue
		}
		levels[a]++
		if v := s.least(levels); !s.beyond(v) {
			s.queue.push(item{node: node + s.stride[a], value: v})
		}
		levels[a]--
	}
}

// passes looks at a node unless it is resolved, and reports whether finer nodes have to be looked at.
func (w *worker) passes(node int64) bool {
	s := w.search
	s.mu.Lock()
	w.at = s.levels(w.at, node)
	if s.done[node] || s.beyond(s.least(w.at)) {
		// Resolved meanwhile by the other side of the way, or too dear by now. Only the node itself is settled by it.
		s.settle(node)
		s.mu.Unlock()
		return true
	}
	s.settle(node) // the other goroutines need not look at it
	from := s.cache.below(w.at)
	s.mu.Unlock()

	v := w.look(from)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.checked++
	if v.keep != nil {
		s.cache.put(v.keep)
	}
	if v.meets && (v.value < s.best || v.value == s.best && node < s.bestNode) {
		s.best, s.bestNode = v.value, node
		for i := range s.bounds {
			s.apply(&s.bounds[i])
		}
	}
	if s.metric > NonUniformEntropy {
		s.bounds = append(s.bounds, bound{node: node, value: v.bound})
		s.apply(&s.bounds[len(s.bounds)-1])
	}
	if v.lost {
		s.spread(s.levels(w.at, node), node, -1)
	}
	if s.progress != nil && s.checked%64 == 0 {
		s.progress(Progress{Nodes: s.nodes, Resolved: s.resolved, Checked: s.checked})
	}
	return !v.lost
}

func (s *search) settle(node int64) {
	if !s.done[node] {
		s.done[node] = true
		s.resolved++
	}
}

// apply resolves what is coarser than a node that is worse than the best by now.
func (s *search) apply(b *bound) {
	if !b.used && b.value > s.best {
		b.used = true
		s.spread(s.levels(nil, b.node), b.node, 1)
	}
}

// spread resolves all nodes that are finer (-1) or coarser (1) than a node.
func (s *search) spread(levels []uint8, node int64, by int) {
	for a := range levels {
		at := &s.p.table.attributes[a]
		l := int(levels[a]) + by
		next := node + int64(by)*s.stride[a]
		if l < at.Least || l > at.Most || s.done[next] {
			continue
		}
		s.settle(next)
		levels[a] = uint8(l)
		s.spread(levels, next, by)
		levels[a] = uint8(l - by)
	}
}

// verdict is what looking at a node says.
type verdict struct {
	lost  bool // it and all finer nodes fail
	meets bool
	value float64  // if it meets the models
	bound float64  // of its value and of those of all coarser nodes
	keep  *classes // for the cache
}

// look makes a node's classes and checks them.
func (w *worker) look(from *classes) (v verdict) {
	p, c := w.p, w.climber
	if !c.climb(from, w.at, p.most) {
		v.lost = true
		return v
	}
	lost := int64(0)
	for i, rows := range c.out.rows {
		if int64(rows) < p.k || p.k2 > 0 && int64(c.out.people[i]) < p.k2 {
			lost += int64(rows)
		}
	}
	if lost > p.allowed && len(p.checks) > 0 {
		v.lost = true // without the trouble of looking at sensitive values
		return v
	}
	if len(p.of) > 0 {
		c.hold(from)
	}
	if c.out.len()*4 < from.len()*3 || c.out.len() < 64 {
		v.keep = c.clone()
	}
	ok, suppressed, lost := w.tally()
	v.lost = lost > p.allowed || !ok && p.allowed == 0
	v.meets = ok && suppressed <= p.allowed
	w.value(&v)
	return v
}

// tally checks each class, and adds up what suppressing those that fail costs.
func (w *worker) tally() (ok bool, suppressed, lost int64) {
	p, out := w.p, &w.climber.out
	for a, l := range out.levels {
		w.sums[a] = p.costs.base[a][l]
	}
	ok = true
	for i := range out.rows {
		w.see(out, i)
		c := &w.class
		if c.rows > 0 && p.meets(c) {
			continue
		}
		if !p.absent(c) {
			ok = false
		}
		if c.rows == 0 {
			continue
		}
		suppressed += c.rows
		if p.closed || !p.may(c) {
			lost += c.rows
		}
		if suppressed <= p.allowed {
			key := out.keys[i*p.pack.words:]
			for a, l := range out.levels {
				code := key[p.pack.word[a]] >> p.pack.shift[a] & (1<<p.pack.widths[a] - 1)
				w.sums[a] += c.rows * p.costs.more[a][l][code]
			}
		} else if p.allowed == 0 {
			return false, suppressed, lost
		}
	}
	return ok && suppressed <= p.allowed, suppressed, lost
}

// see makes w.class class i.
func (w *worker) see(o *classes, i int) { show(&w.class, w.p, o, i) }

func show(c *class, p *problem, o *classes, i int) {
	c.rows, c.people = int64(o.rows[i]), 0
	if o.people != nil {
		c.people = int64(o.people[i])
	}
	for n, s := range p.of {
		h := &o.held[n]
		from, to := h.start[i], h.start[i+1]
		c.values[s] = counts{h.values[from:to], h.rows[from:to]}
	}
}

// value works out what the node that was looked at is worth.
func (w *worker) value(v *verdict) {
	p, out := w.p, &w.climber.out
	switch w.metric {
	case Loss, NonUniformEntropy:
		v.value = p.costs.value(w.sums)
	case Discernibility, AverageClassSize:
		var all, kept uint64 // sums of squares of class sizes
		var classes, released, rows int64
		for i, n := range out.rows {
			if n == 0 {
				continue
			}
			all, classes = square(all, uint64(n)), classes+1
			w.see(out, i)
			if v.meets && p.meets(&w.class) {
				kept, released, rows = square(kept, uint64(n)), released+1, rows+int64(n)
			}
		}
		total := p.table.rows
		if w.metric == Discernibility {
			v.bound = float64(all) * (1 - slack)
			v.value = discernibility(kept, total-rows, total)
		} else {
			v.bound = float64(total-p.allowed) / float64(classes) / float64(p.k) * (1 - slack)
			v.value = averageSize(rows, released, p.k)
		}
	}
}

func discernibility(squares uint64, suppressed, rows int64) float64 {
	return float64(squares) + float64(suppressed)*float64(rows)
}

// averageSize is infinite if nothing is released.
func averageSize(rows, classes, k int64) float64 {
	if classes == 0 {
		return math.Inf(1)
	}
	return float64(rows) / float64(classes) / float64(k)
}
