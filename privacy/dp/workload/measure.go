package workload

import (
	"errors"
	"iter"
	"math/big"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// Answers are measurements that were made. Everything they give is post-processing.
type Answers struct {
	s *Strategy
	u [][]*big.Int // n_A·P_A·y_A by set
}

// ErrTable means that a cell is outside the domain.
var ErrTable = errors.New("a cell that is outside the domain")

// Measure measures a table with noise from src. Table yields cells with what is in them, each cell any number of times; what one unit adds to
// one of them in all is within [Unit], for so many cells. The slice of a cell may be used again for the next.
func (s *Strategy) Measure(table iter.Seq2[[]int, int64], src *noise.Source) (*Answers, error) {
	return s.measure(table, func(i int, v int64) int64 { return noise.Release(src, v, s.laws[i]) })
}

// limit is [noise.Limit].
var limit = big.NewInt(noise.Limit)

// measure releases each number of the i-th measurement by release. Numbers saturate at ±[noise.Limit] before it, each for itself, so that v moves none of
// them further.
func (s *Strategy) measure(table iter.Seq2[[]int, int64], release func(i int, v int64) int64) (*Answers, error) {
	sums := make([][]*big.Int, len(s.sets))
	for i, a := range s.sets {
		sums[i] = make([]*big.Int, s.w.cells(a))
		for j := range sums[i] {
			sums[i][j] = new(big.Int)
		}
	}
	x := new(big.Int)
	for cell, value := range table {
		if len(cell) != len(s.w.Domain) {
			return nil, ErrTable
		}
		for i, n := range s.w.Domain {
			if cell[i] < 0 || cell[i] >= n {
				return nil, ErrTable
			}
		}
		x.SetInt64(value)
		for i, a := range s.sets {
			c := sums[i][s.index(a, cell)]
			c.Add(c, x)
		}
	}
	for i, a := range s.sets {
		s.project(a, sums[i])
		for _, c := range sums[i] {
			if c.CmpAbs(limit) > 0 {
				c.Mul(limit, big.NewInt(int64(c.Sign())))
			}
			c.SetInt64(release(i, c.Int64()))
		}
		s.project(a, sums[i])
	}
	return &Answers{s, sums}, nil
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
