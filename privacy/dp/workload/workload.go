package workload

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// Bounds of one workload: what keeps its computation within seconds.
const (
	// MostAttributes bounds how many attributes the queries of a workload are by, together.
	MostAttributes = 12
	// MostNumbers bounds how many numbers are measured.
	MostNumbers = 1 << 20
)

// ErrTooMuch is matched by refusals of a workload that is too large.
var ErrTooMuch = errors.New("the questions are by too many attributes or values together")

// ErrBudget is matched where a budget is too small or too large for noise that can be drawn.
var ErrBudget = errors.New("the budget is too small or too large for these questions")

// Query asks for one marginal.
type Query struct {
	By     []int // attributes, in the order of the answer's cells; none: the total
	Weight int64 // above 0: how much the variance of one of its numbers counts
}

// Workload is what is asked for.
type Workload struct {
	Domain  []int // how many values each attribute has
	Queries []Query
}

// Unit bounds how far one unit moves the table of all cells.
type Unit struct {
	Groups int64 // cells that it moves at most
	Most   int64 // how far it moves one
}

// set is a set of attributes of the workload.
type set uint32

func (s set) has(i int) bool { return s>>i&1 == 1 }

func setOf(by []int) set {
	var s set
	for _, i := range by {
		s |= 1 << i
	}
	return s
}

// check refuses what is no workload, and returns the sets that have to be measured: all subsets of a query's, each once, the smaller ones first.
func (w *Workload) check() ([]set, error) {
	if len(w.Queries) == 0 || len(w.Queries) > 1000 || len(w.Domain) > MostAttributes {
		return nil, fmt.Errorf("1 to 1000 questions by at most %d attributes: %w", MostAttributes, ErrTooMuch)
	}
	for _, n := range w.Domain {
		if n < 1 || n > MostNumbers {
			return nil, fmt.Errorf("an attribute without values, or with too many: %w", ErrTooMuch)
		}
	}
	needed := make([]bool, 1<<len(w.Domain))
	for _, q := range w.Queries {
		if q.Weight < 1 || q.Weight > 1<<30 {
			return nil, errors.New("a weight is at least 1 and at most 2^30")
		}
		for _, i := range q.By {
			if i < 0 || i >= len(w.Domain) {
				return nil, errors.New("an attribute that is not there")
			}
		}
		s := setOf(q.By)
		if bits.OnesCount32(uint32(s)) != len(q.By) {
			return nil, errors.New("an attribute twice in one question")
		}
		for a := s; ; a = (a - 1) & s {
			needed[a] = true
			if a == 0 {
				break
			}
		}
	}
	var sets []set
	total := 0
	for a := range needed {
		if !needed[a] || w.flat(set(a)) {
			continue
		}
		n := w.cells(set(a))
		if total += n; n > MostNumbers || total > MostNumbers {
			return nil, fmt.Errorf("more than %d numbers: %w", MostNumbers, ErrTooMuch)
		}
		sets = append(sets, set(a))
	}
	return sets, nil
}

// flat is whether a set has an attribute with one value: its residual is 0.
func (w *Workload) flat(a set) bool {
	for i, n := range w.Domain {
		if a.has(i) && n == 1 {
			return true
		}
	}
	return false
}

// cells is n_A, or MostNumbers+1 beyond that.
func (w *Workload) cells(a set) int {
	n := 1
	for i, d := range w.Domain {
		if a.has(i) {
			if n *= d; n > MostNumbers {
				return MostNumbers + 1
			}
		}
	}
	return n
}

// Strategy is what is measured for a workload and with which noise. It is immutable.
type Strategy struct {
	w    Workload
	unit Unit
	sets []set
	laws []noise.RoundedGaussian
	at   map[set]int
	mu2  *big.Rat
}

// Measure describes one measurement.
type Measure struct {
	By    []int       // the residual of these attributes
	Cells int         // how many numbers
	Sigma noise.Ratio // of each, in numbers that are Cells times those of the table
}

// Measures are the measurements, in the order in which they are made.
func (s *Strategy) Measures() []Measure {
	out := make([]Measure, len(s.sets))
	for i, a := range s.sets {
		out[i] = Measure{Cells: s.w.cells(a), Sigma: s.laws[i].Sigma()}
		for j := range s.w.Domain {
			if a.has(j) {
				out[i].By = append(out[i].By, j)
			}
		}
	}
	return out
}

// Numbers is how many numbers are measured, at most [MostNumbers].
func (s *Strategy) Numbers() int {
	n := 0
	for _, a := range s.sets {
		n += s.w.cells(a)
	}
	return n
}

// Mu2 is the μ² that all measurements together have at most: they are μ-GDP.
func (s *Strategy) Mu2() *big.Rat { return new(big.Rat).Set(s.mu2) }

// Variance is the variance of each number of a query's answer, by the formula of the package comment.
func (s *Strategy) Variance(query int) *big.Rat {
	of := setOf(s.w.Queries[query].By)
	sum := new(big.Rat)
	for i, a := range s.sets {
		if a&^of != 0 {
			continue
		}
		v := s.laws[i].Sigma().Rat()
		v.Mul(v, v).Add(v, big.NewRat(1, 12))
		for j, n := range s.w.Domain {
			d := int64(n)
			switch {
			case a.has(j): // (n−1)/n³
				v.Mul(v, big.NewRat(d-1, d)).Mul(v, big.NewRat(1, d)).Mul(v, big.NewRat(1, d))
			case of.has(j):
				v.Mul(v, big.NewRat(1, d)).Mul(v, big.NewRat(1, d))
			}
		}
		sum.Add(sum, v)
	}
	return sum
}

// Rounding bounds the part of an answer's error that comes of rounding noise to whole numbers: the rest is exactly normal, with the variance less
// what of it is 1/12 each. Each of a measurement's numbers is off by ½ at most, and the row of P_A that a number is made by has entries that add up to
// Π 2(1 − 1/n_i) in magnitude.
func (s *Strategy) Rounding(query int) *big.Rat {
	of := setOf(s.w.Queries[query].By)
	sum := new(big.Rat)
	for _, a := range s.sets {
		if a&^of != 0 {
			continue
		}
		x := big.NewRat(1, 2)
		for j, n := range s.w.Domain {
			d := int64(n)
			switch {
			case a.has(j):
				x.Mul(x, big.NewRat(2*(d-1), d)).Mul(x, big.NewRat(1, d))
			case of.has(j):
				x.Mul(x, big.NewRat(1, d))
			}
		}
		sum.Add(sum, x)
	}
	return sum
}

// Objective is the weighted sum of the queries' variances.
func (s *Strategy) Objective() *big.Rat {
	sum := new(big.Rat)
	for i, q := range s.w.Queries {
		sum.Add(sum, new(big.Rat).Mul(s.Variance(i), big.NewRat(q.Weight, 1)))
	}
	return sum
}
