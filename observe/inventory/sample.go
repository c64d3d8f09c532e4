package inventory

import (
	"math"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

const (
	maxBytes  = 64 << 20 // of values that a sample holds
	maxJSON   = 16 << 10 // of a value that is JSON, which is taken apart
	cellBytes = 48       // what a kept cell costs beside its text, about
)

// sampler keeps a uniform sample of rows: those whose numbers have the least hashes. Which they are depends on the seed alone, not on
// the order in which goroutines bring them. A table whose rows are so long that they do not fit gets a smaller sample.
type sampler struct {
	seed uint64
	most int

	mu    sync.Mutex // guards the fields below
	rows  []kept     // a heap, the greatest hash first
	bytes int
	seen  int64
}

type kept struct {
	hash  uint64
	bytes int
	cells []cell
}

// cell is a value that was kept: its beginning, or what is needed to take it apart.
type cell struct {
	kind table.Kind
	text string
}

func newSampler(o Options) *sampler { return &sampler{seed: o.Seed, most: o.Sample} }

// hash mixes a row's number with the seed (splitmix64).
func (s *sampler) hash(row int64) uint64 {
	z := uint64(row)*0x9e3779b97f4a7c15 + s.seed
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// bound is the hash below which a row is kept for now.
func (s *sampler) bound() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rows) < s.most {
		return math.MaxUint64
	}
	return s.rows[0].hash
}

// batch takes what belongs to the sample out of a batch. It may be called by many goroutines at once.
func (s *sampler) batch(b *table.Batch) {
	bound := s.bound()
	for i := range b.Rows {
		if h := s.hash(b.First + int64(i)); h < bound {
			s.keep(h, b.Row(i))
			bound = s.bound()
		}
	}
	s.mu.Lock()
	s.seen += int64(b.Rows)
	s.mu.Unlock()
}

// row takes one row by its number.
func (s *sampler) row(number int64, cells []table.Cell) {
	if h := s.hash(number); h < s.bound() {
		s.keep(h, cells)
	}
	s.mu.Lock()
	s.seen++
	s.mu.Unlock()
}

func (s *sampler) keep(hash uint64, cells []table.Cell) {
	k := kept{hash: hash, cells: make([]cell, len(cells))}
	for i, c := range cells {
		k.cells[i] = cell{c.Kind, beginning(c.Text, c.Kind == table.Nested)}
		k.bytes += cellBytes + len(k.cells[i].text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += k.bytes
	s.rows = append(s.rows, k)
	up(s.rows)
	for len(s.rows) > s.most || s.bytes > maxBytes && len(s.rows) > 1 {
		s.bytes -= s.rows[0].bytes
		last := len(s.rows) - 1
		s.rows[0], s.rows[last] = s.rows[last], kept{}
		s.rows = s.rows[:last]
		down(s.rows)
		if s.bytes > maxBytes {
			s.most = max(last-1, 1) // whatever came in its place would not fit either
		}
	}
}

// up and down keep the greatest hash of a heap in front, where up puts the last element in its place and down the first.
func up(h []kept) {
	for i := len(h) - 1; i > 0; {
		p := (i - 1) / 2
		if h[p].hash >= h[i].hash {
			return
		}
		h[p], h[i] = h[i], h[p]
		i = p
	}
}

func down(h []kept) {
	for i := 0; ; {
		big := i
		for _, c := range []int{2*i + 1, 2*i + 2} {
			if c < len(h) && h[c].hash > h[big].hash {
				big = c
			}
		}
		if big == i {
			return
		}
		h[i], h[big] = h[big], h[i]
		i = big
	}
}

// beginning copies as much of a value as is looked at.
func beginning(b []byte, whole bool) string {
	most := column.MaxValue
	if whole {
		most = maxJSON
	}
	if len(b) > most {
		b = b[:most]
		for len(b) > 0 && !utf8.RuneStart(b[len(b)-1]) {
			b = b[:len(b)-1]
		}
		if len(b) > 0 && b[len(b)-1] >= utf8.RuneSelf {
			b = b[:len(b)-1]
		}
	}
	return string(b)
}

// sorted returns the rows that were kept, in an order that depends on nothing but the seed.
func (s *sampler) sorted() []kept {
	slices.SortFunc(s.rows, func(a, b kept) int {
		if a.hash < b.hash {
			return -1
		}
		return 1
	})
	return s.rows
}

// distinct estimates how many different values a column of so many has, from a uniform sample of it: values seen once stand for those
// that were not seen (the guaranteed-error estimator of Charikar, Chaudhuri, Motwani and Narasayya 2000). A sample in which none comes
// twice is taken for a column in which none does.
func distinct(values []string, of int64) int64 {
	if len(values) == 0 {
		return 0
	}
	times := make(map[string]int, len(values))
	for _, v := range values {
		times[v]++
	}
	once := 0
	for _, n := range times {
		if n == 1 {
			once++
		}
	}
	n := int64(len(values))
	switch {
	case of <= n:
		return int64(len(times))
	case once == len(values):
		return of
	}
	scale := math.Sqrt(float64(of) / float64(n))
	return min(of, int64(scale*float64(once))+int64(len(times)-once))
}
