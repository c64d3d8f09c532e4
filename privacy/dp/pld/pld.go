package pld

import (
	"errors"
	"math"
)

// ErrParams is what every [Error] of this package is: a parameter that has no meaning or lies beyond what can be accounted for.
var ErrParams = errors.New("parameters of a privacy loss distribution")

// Error refuses a parameter. It names the member and the rule that it breaks, never its value.
type Error struct {
	Member string // as in the mechanism's spec: "sigma", "count"
	Rule   string
}

func (e *Error) Error() string { return e.Member + " " + e.Rule }

// Is makes errors.Is(err, ErrParams) true.
func (e *Error) Is(target error) bool { return target == ErrParams }

// PLD is one mechanism's privacy loss, in both directions of neighbours. The zero value is the mechanism that tells nothing.
type PLD struct {
	remove, add law // nil: no loss
}

// Term is a mechanism that runs Count times. A Count of zero runs it never.
type Term struct {
	PLD   PLD
	Count int64
}

// Options steer how finely a composition is computed. They never change that a bound is sound.
type Options struct {
	// RelTol is the part of the answer by which discretisation may overstate it: 0 means 1e-5, or 5e-5 for more than 16 terms.
	RelTol float64
	// MaxBuckets bounds the length of a Fourier transform and so memory, about 100 bytes each: 0 means 2^20.
	// Where it forbids RelTol, the answer is coarser and says so.
	MaxBuckets int
}

// Bound is an answer. The exact value is at most Value, always; Excess says how much lower it may be.
type Bound struct {
	Value float64
	// Excess is the leading term of what discretisation, truncation and rounding may have added to Value.
	Excess float64
}

// Limits of parameters. What lies beyond is refused.
const (
	MaxCount  = int64(1) << 40 // of one term, and of all together
	MaxTerms  = 1 << 14
	maxRatio  = 1e3  // largest loss scale of one mechanism: sensitivity over sigma or scale, or ε
	minRatio  = 1e-9 // smallest
	maxAtoms  = 1 << 22
	minDelta  = 1e-280
	maxTarget = 1e9 // ε that one may ask about
)

// Gaussian is the law of the Gaussian mechanism: noise of standard deviation sigma on an answer of the given L2 sensitivity, both in the answer's unit.
func Gaussian(sigma, sensitivity float64) (PLD, error) {
	mu, err := ratio("sigma", sigma, sensitivity)
	if err != nil {
		return PLD{}, err
	}
	l := gaussian{mu: mu}
	return PLD{l, l}, nil
}

// Laplace is the Laplace mechanism of the given scale and L1 sensitivity, both in the answer's unit.
func Laplace(scale, sensitivity float64) (PLD, error) {
	e, err := ratio("scale", scale, sensitivity)
	if err != nil {
		return PLD{}, err
	}
	l := laplace{eps: e}
	return PLD{l, l}, nil
}

// DiscreteLaplace adds an integer x with probability proportional to exp(-a|x|) to an integer of the given sensitivity.
func DiscreteLaplace(a float64, sensitivity int64) (PLD, error) {
	if err := within("sensitivity", float64(sensitivity), 1, maxAtoms); err != nil {
		return PLD{}, err
	}
	if err := within("a", a, minRatio, maxRatio); err != nil {
		return PLD{}, err
	}
	if err := within("a", a*float64(sensitivity), minRatio, maxRatio); err != nil {
		return PLD{}, err
	}
	l := discreteLaplace{a: a, steps: sensitivity}
	return PLD{l, l}, nil
}

// DiscreteGaussian adds an integer x with probability proportional to exp(-x²/2σ²) to an integer of the given sensitivity
// (Canonne, Kamath, Steinke 2020). It takes time in proportion to sigma, which is at most 2^20.
func DiscreteGaussian(sigma float64, sensitivity int64) (PLD, error) {
	if err := within("sensitivity", float64(sensitivity), 1, 1<<40); err != nil {
		return PLD{}, err
	}
	if err := within("sigma", sigma, 1e-2, 1<<20); err != nil {
		return PLD{}, err
	}
	if err := within("sigma", float64(sensitivity)/sigma, minRatio, maxRatio); err != nil {
		return PLD{}, err
	}
	l := newDiscreteGaussian(sigma, sensitivity)
	return PLD{l, l}, nil
}

// SubsampledGaussian is the Gaussian mechanism on a Poisson sample that takes each unit with probability q, for neighbours by
// adding or removing one unit. Dominating pairs: Zhu, Dong, Wang 2022, theorem 11.
func SubsampledGaussian(sigma, q, sensitivity float64) (PLD, error) {
	mu, err := ratio("sigma", sigma, sensitivity)
	if err != nil {
		return PLD{}, err
	}
	if err := within("q", q, 1e-9, 1); err != nil {
		return PLD{}, err
	}
	if q == 1 {
		l := gaussian{mu: mu}
		return PLD{l, l}, nil
	}
	return PLD{remove: subsampled{mu: mu, q: q}, add: subsampled{mu: mu, q: q, add: true}}, nil
}

// RandomizedResponse tells one of buckets values: the true one, or with probability noise one drawn uniformly from all
// (which may be the true one again). Neighbours replace a unit's value.
func RandomizedResponse(noise float64, buckets int64) (PLD, error) {
	if err := within("buckets", float64(buckets), 2, 1<<40); err != nil {
		return PLD{}, err
	}
	if err := within("noise_parameter", noise, 1e-300, 1); err != nil {
		return PLD{}, err
	}
	if noise == 1 {
		return PLD{}, nil
	}
	l := newRandomizedResponse(noise, float64(buckets))
	return PLD{l, l}, nil
}

// EpsilonDelta is the worst mechanism that is (eps, delta)-differentially private (Kairouz, Oh, Viswanath 2015, theorem 3.4 and its proof).
func EpsilonDelta(eps, delta float64) (PLD, error) {
	if !(eps == 0) {
		if err := within("epsilon", eps, minRatio, maxRatio); err != nil {
			return PLD{}, err
		}
	}
	if !(delta >= 0 && delta < 1) {
		return PLD{}, &Error{"delta", "is at least 0 and below 1"}
	}
	l := newBox(eps, delta)
	return PLD{l, l}, nil
}

// Pair is a mechanism on a finite range: p and q are the probabilities of each outcome with and without the unit. Both
// orders are composed. Masses count as they stand, so sums of p and of q are within 1e-9 of one.
func Pair(p, q []float64) (PLD, error) {
	if len(p) == 0 || len(p) != len(q) || len(p) > maxAtoms {
		return PLD{}, &Error{"p", "and q are equally long, of at least one and at most 2^22 outcomes"}
	}
	for _, s := range [][]float64{p, q} {
		var sum float64
		for _, x := range s {
			if !(x >= 0 && x <= 1) {
				return PLD{}, &Error{"p", "and q hold probabilities"}
			}
			sum += x
		}
		if math.Abs(sum-1) > 1e-9 {
			return PLD{}, &Error{"p", "and q each sum to one"}
		}
	}
	return PLD{remove: newAtoms(p, q), add: newAtoms(q, p)}, nil
}

func ratio(member string, scale, sensitivity float64) (float64, error) {
	if err := within("sensitivity", sensitivity, 1e-100, 1e100); err != nil {
		return 0, err
	}
	if err := within(member, scale, 1e-100, 1e100); err != nil {
		return 0, err
	}
	r := sensitivity / scale
	if !(r >= minRatio && r <= maxRatio) {
		return 0, &Error{member, "is between a thousandth and 10^9 times the sensitivity"}
	}
	return r, nil
}

func within(member string, x, lo, hi float64) error {
	if !(x >= lo && x <= hi) { // NaN too
		return &Error{member, "lies outside what can be accounted for"}
	}
	return nil
}
