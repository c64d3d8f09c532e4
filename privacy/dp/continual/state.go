package continual

import (
	"errors"
	"math/bits"
)

// state is where a stream stands within an epoch. Its sums, nodes and noise are as secret as the data.
type state struct {
	e    *epoch
	keys int
	t    int // steps of the epoch that are done

	base     []int64 // what was released at the end of the epoch before
	sums     []wide  // true, of the epoch alone: below 2²⁴·2⁶³ in magnitude
	released []int64 // after the last step

	// Of the tree: N of the node of level l for value k, at l·keys + k. |N| < 2²⁴·2⁶³·2 as long as no draw leaves 64 bits.
	nodes []wide

	// Of the square root: w_t for value k, at k·band + t mod band, and the running W for each. |W| < 2²⁴·2⁶³.
	recent []int64
	noise  []wide
}

// newState stands before the first step of an epoch.
func newState(e *epoch, keys int, base []int64) *state {
	s := &state{e: e, keys: keys, base: base, sums: make([]wide, keys), released: make([]int64, keys)}
	copy(s.released, base)
	if e.c == nil {
		s.nodes = make([]wide, levels(e.steps)*keys)
	} else {
		s.recent, s.noise = make([]int64, len(e.c)*keys), make([]wide, keys)
	}
	return s
}

// errNoise says that noise left 64 bits, which happens less than once in 2^1000 steps and has nothing to do with the data.
var errNoise = errors.New("noise does not fit 64 bits")

// advance takes one more step. If it fails the state is of no more use.
func (s *state) advance(values []int64, draw func() int64) error {
	s.t++
	half := wide{0, 1 << (s.e.scale - 1)}
	for k, x := range values {
		s.sums[k] = s.sums[k].add(widen(x))
		var w wide
		if s.e.c == nil {
			w = s.climb(k, draw)
		} else if err := s.filter(k, draw()); err != nil {
			return err
		} else {
			w = s.noise[k]
		}
		s.released[k] = s.sums[k].add(w.add(half).shr(s.e.scale)).add(widen(s.base[k])).saturate()
	}
	return nil
}

// climb completes the nodes that end at this step and returns the noise in the running sum.
func (s *state) climb(k int, draw func() int64) wide {
	n := widen(draw())
	l := 0
	for ; (s.t-1)>>l&1 == 1; l++ { // the node of level l to the left was waiting for this one
		n = n.add(s.nodes[l*s.keys+k]).add(widen(draw()).shl(uint(l + 1)))
		s.nodes[l*s.keys+k] = wide{}
	}
	s.nodes[l*s.keys+k] = n
	var sum wide
	for rest := s.t; rest > 0; rest &= rest - 1 {
		l := bits.TrailingZeros(uint(rest))
		sum = sum.add(s.nodes[l*s.keys+k].floorDiv(2<<l - 1))
	}
	return sum
}

// filter makes of the draw z the next w, and adds it to the running W.
//
// No overflow: coefficients are at most 2^40 and |w| < 2⁶³, so that 2²⁰ products stay below 2^123.
func (s *state) filter(k int, z int64) error {
	band := len(s.e.c)
	ring := s.recent[k*band:][:band]
	at := s.t % band
	// w_{t−j} is at (t−j) mod band: c₁ … c_at meet ring[at−1] … ring[0], the rest ring[band−1] … ring[at+1].
	sum := dot(wide{}, s.e.c[1:at+1], ring[:at])
	sum = dot(sum, s.e.c[at+1:], ring[at+1:])
	w, fits := widen(z).sub(sum.shr(s.e.scale)).narrow()
	if !fits {
		return errNoise
	}
	ring[at] = w
	s.noise[k] = s.noise[k].add(widen(w))
	return nil
}

// dot adds c[i]·w[n−1−i] for all i of n; c is not negative.
func dot(sum wide, c, w []int64) wide {
	hi, lo := uint64(sum.hi), sum.lo
	w = w[:len(c)]
	for i, x := range c {
		y := w[len(w)-1-i]
		h, l := bits.Mul64(uint64(x), uint64(y))
		h -= uint64(y>>63) & uint64(x)
		var carry uint64
		lo, carry = bits.Add64(lo, l, 0)
		hi, _ = bits.Add64(hi, h, carry)
	}
	return wide{int64(hi), lo}
}
