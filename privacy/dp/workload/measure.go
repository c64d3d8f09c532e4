package workload

import (
	"errors"
	"iter"
	"math/big"
	"math/bits"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// Answers are measurements that were made. Everything they give is post-processing.
type Answers struct {
	s *Strategy
	u [][]*big.Int // n_A·P_A·y_A by set
}

// ErrTable means that a cell is outside the domain.
var ErrTable = errors.New("a cell that is outside the domain")

// Measuring is a table on its way to being measured. It holds the marginals that are measured and nothing of single cells, so that how large it is
// only the strategy says. One goroutine uses it.
type Measuring struct {
	s    *Strategy
	sums [][]wide // Q_A·x by set
}

// wide is a sum of 128 bits, which no number of values of 64 bits that there could be outgrows.
type wide struct {
	high int64
	low  uint64
}

func (w *wide) add(v int64) {
	var carry uint64
	w.low, carry = bits.Add64(w.low, uint64(v), 0)
	w.high += v>>63 + int64(carry)
}

func (w wide) big() *big.Int {
	x := big.NewInt(w.high)
	return x.Lsh(x, 64).Add(x, new(big.Int).SetUint64(w.low))
}

// Begin begins with a table that is empty.
func (s *Strategy) Begin() *Measuring {
	m := &Measuring{s, make([][]wide, len(s.sets))}
	for i, a := range s.sets {
		m.sums[i] = make([]wide, s.w.cells(a))
	}
	return m
}

// Add adds to a cell, which may come any number of times; what one unit adds to one of them in all is within [Unit], for so many cells. The slice may
// be used again for the next.
func (m *Measuring) Add(cell []int, value int64) error {
	if len(cell) != len(m.s.w.Domain) {
		return ErrTable
	}
	for i, n := range m.s.w.Domain {
		if cell[i] < 0 || cell[i] >= n {
			return ErrTable
		}
	}
	for i, a := range m.s.sets {
		m.sums[i][m.s.index(a, cell)].add(value)
	}
	return nil
}

// Release measures what was added with noise from src, once.
func (m *Measuring) Release(src *noise.Source) *Answers {
	return m.release(func(i int, v int64) int64 { return noise.Release(src, v, m.s.laws[i]) })
}

// Measure measures a table of cells, as [Measuring.Add] takes them, with noise from src.
func (s *Strategy) Measure(table iter.Seq2[[]int, int64], src *noise.Source) (*Answers, error) {
	return s.measure(table, func(i int, v int64) int64 { return noise.Release(src, v, s.laws[i]) })
}

func (s *Strategy) measure(table iter.Seq2[[]int, int64], release func(i int, v int64) int64) (*Answers, error) {
	m := s.Begin()
	for cell, value := range table {
		if err := m.Add(cell, value); err != nil {
			return nil, err
		}
	}
	return m.release(release), nil
}

// limit is [noise.Limit].
var limit = big.NewInt(noise.Limit)

// release releases each number of the i-th measurement by f. Numbers saturate at ±[noise.Limit] before it, each for itself, so that v moves none of
// them further.
func (m *Measuring) release(f func(i int, v int64) int64) *Answers {
	s := m.s
	out := make([][]*big.Int, len(s.sets))
	for i, a := range s.sets {
		out[i] = make([]*big.Int, len(m.sums[i]))
		for j, w := range m.sums[i] {
			out[i][j] = w.big()
		}
		m.sums[i] = nil
		s.project(a, out[i])
		for _, c := range out[i] {
			if c.CmpAbs(limit) > 0 {
				c.Mul(limit, big.NewInt(int64(c.Sign())))
			}
			c.SetInt64(f(i, c.Int64()))
		}
		s.project(a, out[i])
	}
	m.sums = nil // a second time is a mistake: it panics
	return &Answers{s, out}
}

// index is where a cell lies in a vector over A: the last attribute runs fastest.
func (s *Strategy) index(a set, cell []int) int {
	at := 0
	for i, n := range s.w.Domain {
		if a.has(i) {
			at = at*n + cell[i]
		}
	}
	return at
}

// project multiplies a vector over A by n_A·P_A: for each attribute, every number times n_i minus the sum along it.
func (s *Strategy) project(a set, y []*big.Int) {
	stride := 1
	sum, n := new(big.Int), new(big.Int)
	for i := len(s.w.Domain) - 1; i >= 0; i-- {
		if !a.has(i) {
			continue
		}
		d := s.w.Domain[i]
		n.SetInt64(int64(d))
		for from := range y {
			if from/stride%d != 0 {
				continue
			}
			sum.SetInt64(0)
			for j := range d {
				sum.Add(sum, y[from+j*stride])
			}
			for j := range d {
				c := y[from+j*stride]
				c.Mul(c, n).Sub(c, sum)
			}
		}
		stride *= d
	}
}

// Marginal estimates the marginal of a query: a numerator for each cell, the last of the query's attributes running fastest, and the
// denominator of all. It is in lowest terms in no sense.
func (r *Answers) Marginal(query int) ([]*big.Int, *big.Int) {
	s := r.s
	by := s.w.Queries[query].By
	of := setOf(by)
	den, size := big.NewInt(1), 1
	for _, i := range by {
		d := big.NewInt(int64(s.w.Domain[i]))
		den.Mul(den, d).Mul(den, d)
		size *= s.w.Domain[i]
	}
	// Σ u_A/(n_A²·Π_{S∖A} n_j) = Σ u_A·Π_{S∖A} n_j / Π_S n_i²
	out := make([]*big.Int, size)
	for c := range out {
		out[c] = new(big.Int)
	}
	cell, term := make([]int, len(s.w.Domain)), new(big.Int)
	for k, a := range s.sets {
		if a&^of != 0 {
			continue
		}
		factor := big.NewInt(1)
		for _, i := range by {
			if !a.has(i) {
				factor.Mul(factor, big.NewInt(int64(s.w.Domain[i])))
			}
		}
		for c := range out {
			rest := c
			for j := len(by) - 1; j >= 0; j-- {
				d := s.w.Domain[by[j]]
				cell[by[j]] = rest % d
				rest /= d
			}
			out[c].Add(out[c], term.Mul(r.u[k][s.index(a, cell)], factor))
		}
	}
	return out, den
}
