package noise

import (
	"errors"
	"math"
	"math/big"
	"math/bits"
	"sync"
)

// ErrSpent says that a [Sparse] has given all the positive answers it was made for.
var ErrSpent = errors.New("noise: all positive answers of this sparse vector are given")

// SparseOptions are the parameters of a sparse vector. Nothing may be left out except Monotone.
type SparseOptions struct {
	Sensitivity    int64 // Δ: by how much one unit moves each query's value
	Positives      int64 // c: how many answers may be positive
	Threshold      int64
	ThresholdScale Ratio // scale of the noise on the threshold
	QueryScale     Ratio // scale of the noise on each value
	Monotone       bool  // one unit moves all values the same way (for counts: it is added or removed)
}

// Sparse answers a stream of questions "is this value at least the threshold?" and stops after c positive answers; negative ones are free
// (Lyu, Su, Li 2017, algorithm 7 without its third phase: the threshold is made noisy once, and every value anew).
//
// It is ε-differentially private for ε = Δ/ThresholdScale + 2cΔ/QueryScale, or Δ/ThresholdScale + cΔ/QueryScale if monotone; the proof for
// discrete noise is on the page docs/spec/dp-noise.md. Several published variants of this mechanism are not private at all: those that reuse a
// value's noise, release the noisy value, or let the noise of the values shrink as c grows.
type Sparse struct {
	options   SparseOptions
	law       DiscreteLaplace
	threshold int64 // the noise on it
	src       *Source

	mu   sync.Mutex // guards left: goroutines that ask at once get c positive answers together
	left int64
}

// NewSparse draws the threshold's noise and returns the sparse vector, or [ErrParams].
func NewSparse(s *Source, o SparseOptions) (*Sparse, error) {
	if o.Sensitivity <= 0 {
		return nil, refuse("sensitivity", "must be positive")
	}
	if o.Positives <= 0 {
		return nil, refuse("positives", "must be at least 1")
	}
	threshold, err := checkScale("threshold scale", o.ThresholdScale)
	if err != nil {
		return nil, err
	}
	query, err := checkScale("query scale", o.QueryScale)
	if err != nil {
		return nil, err
	}
	o.ThresholdScale, o.QueryScale = threshold, query
	return &Sparse{options: o, law: DiscreteLaplace{query}, left: o.Positives, src: s,
		threshold: DiscreteLaplace{threshold}.Sample(s)}, nil
}

// SparseFor fills in the scales so that a sparse vector costs at most epsilonNano/10^9: a share of 1/(1+m^(2/3)) goes to the threshold, with m = 2c, or c if monotone, which makes the comparison's
// variance least (Lyu, Su, Li 2017, section 4.2).
func SparseFor(epsilonNano int64, o SparseOptions) (SparseOptions, error) {
	if err := checkCost("epsilon", epsilonNano, o.Sensitivity); err != nil {
		return SparseOptions{}, err
	}
	if o.Positives <= 0 || o.Positives > 1<<30 || o.Sensitivity > 1<<30 {
		return SparseOptions{}, refuse("positives and sensitivity", "must be between 1 and 2^30")
	}
	m := o.Positives
	if !o.Monotone {
		m *= 2
	}
	// The share decides no privacy, only error: a float may choose it.
	first := max(int64(float64(epsilonNano)/(1+math.Pow(float64(m), 2.0/3))), 1)
	var err error
	if o.ThresholdScale, err = ratioFor("epsilon", first, o.Sensitivity); err != nil {
		return SparseOptions{}, err
	}
	if o.QueryScale, err = ratioFor("epsilon", epsilonNano-first, m*o.Sensitivity); err != nil {
		return SparseOptions{}, err
	}
	return o, nil
}

// EpsilonNano is what the whole stream costs, however long: in units of 10^−9, each of the two parts rounded up.
func (o SparseOptions) EpsilonNano() int64 {
	m := big.NewInt(o.Positives)
	if !o.Monotone {
		m.Lsh(m, 1)
	}
	a := nanoUp(big.NewInt(o.Sensitivity), o.ThresholdScale, 1)
	b := nanoUp(m.Mul(m, big.NewInt(o.Sensitivity)), o.QueryScale, 1)
	return addSaturating(a, b)
}

// Left is how many positive answers may still come.
func (v *Sparse) Left() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.left
}

// Above says whether value plus fresh noise is at least the noisy threshold, or [ErrSpent] once c answers were positive.
func (v *Sparse) Above(value int64) (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.left <= 0 {
		return false, ErrSpent
	}
	above := sumAtLeast(value, v.law.Sample(v.src), v.options.Threshold, v.threshold)
	if above {
		v.left--
	}
	return above, nil
}

// sumAtLeast is a+b ≥ c+d without overflow: both sums need 65 bits, their difference 66; it is computed in 128.
func sumAtLeast(a, b, c, d int64) bool {
	lo, hi := uint64(0), uint64(0)
	var carry uint64
	for _, v := range [...]int64{a, b, ^c, ^d} { // −c = ^c + 1
		lo, carry = bits.Add64(lo, uint64(v), 0)
		hi, _ = bits.Add64(hi, uint64(v>>63), carry)
	}
	_, carry = bits.Add64(lo, 2, 0)
	return int64(hi+carry) >= 0
}
