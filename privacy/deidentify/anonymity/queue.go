package anonymity

// item is a node with its least value.
type item struct {
	node  int64
	value float64
}

func (a item) before(b item) bool { return a.value < b.value || a.value == b.value && a.node < b.node }

// queue gives the item of least value first: a binary heap.
type queue struct{ heap []item }

func (q *queue) push(it item) {
	q.heap = append(q.heap, it)
	i := len(q.heap) - 1
	for i > 0 && it.before(q.heap[(i-1)/2]) {
		q.heap[i] = q.heap[(i-1)/2]
		i = (i - 1) / 2
	}
	q.heap[i] = it
}

func (q *queue) pop() (item, bool) {
	if len(q.heap) == 0 {
		return item{}, false
	}
	top, last := q.heap[0], q.heap[len(q.heap)-1]
	q.heap = q.heap[:len(q.heap)-1]
	if n := len(q.heap); n > 0 {
		i := 0
		for {
			child := 2*i + 1
			if child >= n {
				break
			}
			if child+1 < n && q.heap[child+1].before(q.heap[child]) {
				child++
			}
			if !q.heap[child].before(last) {
				break
			}
			q.heap[i] = q.heap[child]
			i = child
		}
		q.heap[i] = last
	}
	return top, true
}

// cache keeps the classes of some nodes, for coarser ones to be made from. The first is that of the values themselves and stays.
type cache struct {
	kept  []*classes
	size  int // entries
	clock int
}

// What a cache holds: so many nodes, and so many entries beside the first.
const (
	cacheNodes   = 192
	cacheEntries = 8 << 20
)

// below returns the smallest classes that a node's can be made from.
func (c *cache) below(levels []uint8) *classes {
	best := c.kept[0]
	for _, k := range c.kept[1:] {
		if k.entries() < best.entries() && finer(k.levels, levels) {
			best = k
		}
	}
	c.clock++
	best.used = c.clock
	return best
}

func finer(a, b []uint8) bool {
	for i, l := range a {
		if l > b[i] {
			return false
		}
	}
	return true
}

func (c *classes) entries() int {
	n := len(c.rows)
	for _, h := range c.held {
		n += len(h.values)
	}
	return n
}

// put keeps classes, and drops those that were of no use for longest if there are too many.
func (c *cache) put(k *classes) {
	c.clock++
	k.used = c.clock
	c.kept = append(c.kept, k)
	if len(c.kept) > 1 {
		c.size += k.entries()
	}
	for len(c.kept) > cacheNodes || c.size > cacheEntries && len(c.kept) > 1 {
		old := 1
		for i := range c.kept[1:] {
			if c.kept[1+i].used < c.kept[old].used {
				old = 1 + i
			}
		}
		c.size -= c.kept[old].entries()
		c.kept[old] = c.kept[len(c.kept)-1]
		c.kept = c.kept[:len(c.kept)-1]
	}
}
