package anonymity

import (
	"fmt"
	"math"
	"slices"
)

// EqualTCloseness asks that the distribution of sensitive values in every class is within T of that in the whole table, measured by
// the earth mover's distance with all values equally far from each other (Li, Li and Venkatasubramanian 2007, section 5.2).
//
// It guarantees that knowing a class tells little more of the sensitive value than the table as a whole. The table's own
// distribution is public by it, and identity is not protected: ask for k-anonymity too.
type EqualTCloseness struct {
	Of string
	T  float64
}

// OrderedTCloseness is t-closeness for values in an order, neighbours being 1/(values-1) apart (Li et al. 2007, section 5.1). All
// values of the attribute count, those without rows too. See [EqualTCloseness] for what it guarantees.
type OrderedTCloseness struct {
	Of string
	T  float64
}

// HierarchicalTCloseness is t-closeness with the distance of two values being the level at which they meet in the hierarchy, divided
// by the height (Li et al. 2007, section 5.2). See [EqualTCloseness] for what it guarantees.
type HierarchicalTCloseness struct {
	Of string
	T  float64
}

// String implements [Model].
func (m EqualTCloseness) String() string {
	return fmt.Sprintf("t-closeness of %s (t=%g, equal distance)", m.Of, m.T)
}

// String implements [Model].
func (m OrderedTCloseness) String() string {
	return fmt.Sprintf("t-closeness of %s (t=%g, ordered distance)", m.Of, m.T)
}

// String implements [Model].
func (m HierarchicalTCloseness) String() string {
	return fmt.Sprintf("t-closeness of %s (t=%g, hierarchical distance)", m.Of, m.T)
}

func (m EqualTCloseness) needs() (string, *Table)        { return m.Of, nil }
func (m OrderedTCloseness) needs() (string, *Table)      { return m.Of, nil }
func (m HierarchicalTCloseness) needs() (string, *Table) { return m.Of, nil }

// shares returns the share of each sensitive value among a table's rows.
func shares(t *Table, of int, limit float64) ([]float64, error) {
	if of < 0 || !(limit >= 0 && limit <= 1) {
		return nil, fmt.Errorf("%w: t-closeness wants a sensitive attribute and t from 0 to 1", ErrOptions)
	}
	rows := make([]int64, t.sensitive[of].Values)
	h := &t.held[of]
	for e, v := range h.values {
		rows[v] += int64(h.rows[e])
	}
	q := make([]float64, len(rows))
	for v, n := range rows {
		q[v] = float64(n) / float64(t.rows)
	}
	return q, nil
}

func (m EqualTCloseness) prepare(t *Table, of int) (check, error) {
	q, err := shares(t, of, m.T)
	return equalDistance{of: of, t: m.T + slack, q: q}, err
}

type equalDistance struct {
	of int
	t  float64
	q  []float64
}

// Half of the absolute differences is the sum of those above zero, which only values of the class have.
func (d equalDistance) meets(c *class) bool {
	far, each := 0.0, 1/float64(c.rows)
	v := &c.values[d.of]
	for i, value := range v.values {
		if over := float64(v.rows[i])*each - d.q[value]; over > 0 {
			far += over
		}
	}
	return far <= d.t
}

// A class's distance is at least the table's share of the values that it does not hold, and so is that of every class within.
func (d equalDistance) may(c *class) bool {
	held := 0.0
	for _, value := range c.values[d.of].values {
		held += d.q[value]
	}
	return 1-held <= d.t
}

func (equalDistance) closed() bool       { return false }
func (equalDistance) absent(*class) bool { return true }

func (m OrderedTCloseness) prepare(t *Table, of int) (check, error) {
	q, err := shares(t, of, m.T)
	return orderedDistance{of: of, t: (m.T + slack) * float64(max(1, len(q)-1)), q: q}, err
}

type orderedDistance struct {
	of int
	t  float64 // in steps from one value to the next
	q  []float64
}

func (d orderedDistance) meets(c *class) bool {
	p := c.room(len(d.q))
	v := &c.values[d.of]
	for i, value := range v.values {
		p[value] = float64(v.rows[i]) / float64(c.rows)
	}
	far, carried := 0.0, 0.0
	for i, q := range d.q {
		carried += p[i] - q
		far += math.Abs(carried)
		if far > d.t {
			return false
		}
	}
	return true
}

// What the class does not hold has to travel at least to the nearest value that it holds.
func (d orderedDistance) may(c *class) bool {
	n := len(d.q)
	near := c.room(n)
	for _, value := range c.values[d.of].values {
		near[value] = 1
	}
	last := -n
	for i := range near { // distance to the nearest one below
		if near[i] == 1 {
			last = i
		}
		near[i] = float64(i - last)
	}
	far, next := 0.0, 2*n
	for i := n - 1; i >= 0; i-- {
		if near[i] == 0 {
			next = i
		}
		far += d.q[i] * min(near[i], float64(next-i))
	}
	return far <= d.t
}

func (orderedDistance) closed() bool       { return false }
func (orderedDistance) absent(*class) bool { return true }

func (m HierarchicalTCloseness) prepare(t *Table, of int) (check, error) {
	q, err := shares(t, of, m.T)
	if err != nil {
		return nil, err
	}
	h := t.sensitive[of].Hierarchy
	if h == nil {
		return nil, fmt.Errorf("%w: %s: the attribute has no hierarchy", ErrOptions, m)
	}
	d := treeDistance{of: of, q: q, parent: slices.Clone(h.up)}
	if top := h.Codes(h.Levels() - 1); top > 1 { // several trees meet in one root above
		d.parent = append(d.parent, make([]uint32, top))
	}
	d.t = (m.T + slack) * float64(max(1, len(d.parent)))
	for _, up := range d.parent {
		d.nodes = max(d.nodes, len(up))
	}
	return d, nil
}

type treeDistance struct {
	of     int
	t      float64 // in levels
	q      []float64
	parent [][]uint32 // by level and code
	nodes  int        // of the largest level
}

// Bottom up: at each node, what its children have too much of in sum or too little, whichever is less, meets here.
func (d treeDistance) meets(c *class) bool {
	room := c.room(4 * d.nodes)
	extra, next := room[:d.nodes], room[d.nodes:2*d.nodes]
	more, less := room[2*d.nodes:3*d.nodes], room[3*d.nodes:]
	for i, q := range d.q {
		extra[i] = -q
	}
	v := &c.values[d.of]
	for i, value := range v.values {
		extra[value] += float64(v.rows[i]) / float64(c.rows)
	}
	far := 0.0
	for l, up := range d.parent {
		clear(next)
		clear(more)
		clear(less)
		for node, above := range up {
			if e := extra[node]; e > 0 {
				more[above] += e
			} else {
				less[above] -= e
			}
			next[above] += extra[node]
		}
		for node := range next {
			far += float64(l+1) * min(more[node], less[node])
		}
		if far > d.t {
			return false
		}
		extra, next = next, extra
	}
	return true
}

// What the class does not hold has to climb at least to the first node that has something of the class below it.
func (d treeDistance) may(c *class) bool {
	room := c.room(4 * d.nodes)
	held, next := room[:d.nodes], room[d.nodes:2*d.nodes]
	missing, later := room[2*d.nodes:3*d.nodes], room[3*d.nodes:]
	copy(missing, d.q)
	for _, value := range c.values[d.of].values {
		held[value], missing[value] = 1, 0
	}
	far := 0.0
	for _, up := range d.parent {
		clear(next)
		clear(later)
		for node, above := range up {
			far += missing[node]
			if held[node] != 0 {
				next[above] = 1
			}
		}
		for node, above := range up {
			if next[above] == 0 {
				later[above] += missing[node]
			}
		}
		held, next, missing, later = next, held, later, missing
		if far > d.t {
			return false
		}
	}
	return true
}

func (treeDistance) closed() bool       { return false }
func (treeDistance) absent(*class) bool { return true }
