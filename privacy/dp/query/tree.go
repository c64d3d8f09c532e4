package query

import (
	"math/bits"
)

// A vector of bins is released as a tree of counts: level 0 are the cells, a node of level i sums Fanout nodes of level i−1 (the last of a
// level fewer), and Levels levels get noise. The uppermost has one node or several; nothing above it is released.

// shape is a tree without its counts.
type shape struct {
	leaves, fanout int
	sizes          []int    // nodes of each level, the cells first
	starts         []int    // where a level begins among all nodes
	nodes          int      // of all levels
	variance       []uint64 // of a node's estimate from itself and below, in 2^−30 of the noise's
	prefix, suffix []int    // least number of nodes that make the cells before k, and from k on
}

func shapeOf(leaves, fanout, levels int) (*shape, error) {
	if leaves < 1 || leaves > MostBins || levels < 1 || levels > 16 || levels > 1 && (fanout < 2 || fanout > mostFanout) {
		return nil, &TermsError{"question", "has more bins than one answer may have, or none"}
	}
	s := &shape{leaves: leaves, fanout: fanout}
	for size, i := leaves, 0; i < levels; i++ {
		s.sizes, s.starts = append(s.sizes, size), append(s.starts, s.nodes)
		s.nodes += size
		if i+1 < levels {
			size = (size + fanout - 1) / fanout
		}
	}
	s.variances()
	s.prefix, s.suffix = make([]int, leaves+1), make([]int, leaves+1)
	for k := range leaves + 1 {
		s.prefix[k], s.suffix[k] = s.cover(0, k), s.cover(k, leaves)
	}
	return s, nil
}

// children are the nodes below node n of a level above 0, as a range of all nodes.
func (s *shape) children(level, n int) (from, to int) {
	from = n * s.fanout
	to = min(from+s.fanout, s.sizes[level-1])
	return s.starts[level-1] + from, s.starts[level-1] + to
}

// cover is with how few nodes the cells [from, to) can be summed: at each level the nodes at either end that do not fill a parent.
func (s *shape) cover(from, to int) int {
	n := 0
	for level := range s.sizes {
		if level == len(s.sizes)-1 {
			return n + to - from
		}
		for from < to && from%s.fanout != 0 {
			from++
			n++
		}
		for from < to && to%s.fanout != 0 && to != s.sizes[level] {
			to--
			n++
		}
		if from == to {
			return n
		}
		from, to = from/s.fanout, (to+s.fanout-1)/s.fanout
	}
	return n
}

const unit = 1 << 30 // of variances

// variances: a cell's own count has variance 1; that of a node above combines its own with the sum of its children by inverse variance,
// V = Vc/(1+Vc).
func (s *shape) variances() {
	s.variance = make([]uint64, s.nodes)
	for level := range s.sizes {
		for n := range s.sizes[level] {
			v := uint64(unit)
			if level > 0 {
				vc := s.below(level, n)
				hi, lo := bits.Mul64(vc, unit)
				v, _ = bits.Div64(hi, lo, vc+unit)
			}
			s.variance[s.starts[level]+n] = v
		}
	}
}

func (s *shape) below(level, n int) (v uint64) {
	from, to := s.children(level, n)
	for i := from; i < to; i++ {
		v += s.variance[i]
	}
	return v
}

// Estimates are fixed-point numbers with fine fraction bits. A node is clamped to ±2^38, so that it takes 50 bits, the sum of 64
// children 56, and that of 2^12 cells 62.
const (
	fine      = 12
	mostCount = 1 << 38
)

// fit returns the estimates of all nodes that agree with one another and are, among the linear unbiased ones, those of least variance:
// upwards each node is combined with the sum of its children by inverse variance, downwards what a node then has more than its children is
// given to them in proportion to their variances (Hay, Rastogi, Miklau and Suciu 2010, theorem 3, here for any tree; it is the
// two passes of Gaussian belief on a tree). Noise was added before: this is post-processing, and rounding in it costs less
// than 2^−8 of a row.
func (s *shape) fit(noisy []int64) []int64 {
	z := make([]int64, s.nodes)
	for i, v := range noisy {
		z[i] = min(max(v, -mostCount), mostCount) << fine
	}
	for level := 1; level < len(s.sizes); level++ {
		for n := range s.sizes[level] {
			i := s.starts[level] + n
			sum, vc := s.sum(z, level, n), s.below(level, n)
			z[i] = sum + portion(z[i]-sum, vc, vc+unit)
		}
	}
	for level := len(s.sizes) - 1; level > 0; level-- {
		for n := range s.sizes[level] {
			rest := z[s.starts[level]+n] - s.sum(z, level, n)
			vc := s.below(level, n)
			from, to := s.children(level, n)
			for i := from; i < to; i++ { // each takes its part of what is left, so that nothing is lost
				part := portion(rest, s.variance[i], vc)
				z[i] += part
				rest, vc = rest-part, vc-s.variance[i]
			}
		}
	}
	return z
}

func (s *shape) sum(z []int64, level, n int) (sum int64) {
	from, to := s.children(level, n)
	for i := from; i < to; i++ {
		sum += z[i]
	}
	return sum
}

// portion is x·part/whole for part ≤ whole, rounded towards 0, in 128 bits.
func portion(x int64, part, whole uint64) int64 {
	if whole == 0 {
		return 0
	}
	u := uint64(x)
	if x < 0 {
		u = -u
	}
	hi, lo := bits.Mul64(u, part)
	q, _ := bits.Div64(hi, lo, whole) // hi < whole, because part ≤ whole and u < 2^63
	if x < 0 {
		return -int64(q)
	}
	return int64(q)
}

// place is where a quantile lies: in which cell, and how far into it, in 2^−30.
type place struct {
	cell int
	part uint64
}

// quantile walks down from the top, at each level into the child in which the num/den-th part of the (non-negative) rows before lies;
// false where there seems to be no row at all.
func (s *shape) quantile(z []int64, num, den uint64) (place, bool) {
	top := len(s.sizes) - 1
	from, to := s.starts[top], s.starts[top]+s.sizes[top]
	at, whole := num, den
	for level := top; ; level-- {
		total := int64(0)
		for i := from; i < to; i++ {
			total += max(z[i], 0)
		}
		if total == 0 {
			if level == top {
				return place{}, false
			}
			z, total = even(z, from, to), int64(to-from)
		}
		rank := portion(total, at, whole)
		i := from
		for ; i < to-1 && (rank > max(z[i], 0) || z[i] <= 0); i++ {
			rank -= max(z[i], 0)
		}
		if z[i] <= 0 { // the last cells are empty: back to one that is not
			for ; i > from && z[i] <= 0; i-- {
			}
			rank = z[i]
		}
		at, whole = uint64(min(rank, z[i])), uint64(z[i])
		if level == 0 {
			return place{i - s.starts[0], uint64(portion(unit, at, whole))}, true
		}
		from, to = s.children(level, i-s.starts[level])
	}
}

// even is z with one row in each node of a range, for a node whose children all seem empty.
func even(z []int64, from, to int) []int64 {
	z = append([]int64(nil), z...)
	for i := from; i < to; i++ {
		z[i] = 1
	}
	return z
}
