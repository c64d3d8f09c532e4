package files

// vec is a column of a batch: numbers, days, microseconds, truths, and numbers of texts. Where null is true the value is any.
type vec struct {
	v    []int64
	null []bool // nil: there are none
}

// batch is rows on their way.
type batch struct {
	n    int
	cols []vec
}

// worker is what one goroutine needs. Its memory is used again for each batch.
type worker struct {
	id    int
	texts recent
	ints  pool[int64]
	bools pool[bool]
	bytes []byte
}

// pool gives slices that hold until they are taken back to a mark.
type pool[T any] struct {
	free [][]T
	at   int
}

func (p *pool[T]) get(n int) []T {
	if p.at == len(p.free) {
		p.free = append(p.free, nil)
	}
	if cap(p.free[p.at]) < n {
		p.free[p.at] = make([]T, n)
	}
	p.at++
	return p.free[p.at-1][:n]
}

// mark is a state of the pools.
type mark struct{ ints, bools int }

func (w *worker) mark() mark     { return mark{w.ints.at, w.bools.at} }
func (w *worker) release(m mark) { w.ints.at, w.bools.at = m.ints, m.bools }

// falses are n that are false.
func (w *worker) falses(n int) []bool {
	b := w.bools.get(n)
	clear(b)
	return b
}

// either is where one of both is NULL.
func (w *worker) either(a, b []bool) []bool {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	out := w.bools.get(len(a))
	for i := range out {
		out[i] = a[i] || b[i]
	}
	return out
}

// keep are the rows of a batch whose places are given.
func (w *worker) keep(b *batch, rows []int32) *batch {
	out := &batch{n: len(rows), cols: make([]vec, len(b.cols))}
	for i, c := range b.cols {
		out.cols[i] = w.pick(c, rows)
	}
	return out
}

func (w *worker) pick(c vec, rows []int32) vec {
	to := vec{v: w.ints.get(len(rows))}
	for j, r := range rows {
		to.v[j] = c.v[r]
	}
	if c.null != nil {
		to.null = w.bools.get(len(rows))
		for j, r := range rows {
			to.null[j] = c.null[r]
		}
	}
	return to
}
