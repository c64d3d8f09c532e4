// Package noise draws the noise of differential privacy exactly, and chooses and releases with it, in integers only.
//
// Every law here is a distribution over int64, and every sampler follows its law exactly: no floating-point number is drawn,
// summed or rounded on the way to an answer, so that the attacks on the low bits of floating-point noise (Mironov 2012, Casacuberta
// et al. 2022) have nothing to read. A law's parameters are exact rational numbers ([Ratio]); helpers such as [LaplaceFor]
// round towards more noise and return the very law that will be sampled, so that accounting charges what happens.
//
// # How it stays exact
//
// A decision with an irrational probability p is made by comparing the bits of a uniform number with the bits of p, only as
// many as are needed: 64 bits of p are computed in fixed point with a proven bound on the error, and in the rare case
// (less than once in 2^56 decisions) that the first 64 random bits fall into that bound, both are extended in arbitrary precision
// until the comparison is decided. Laws, algorithms and proofs are on the page docs/spec/dp-noise.md.
//
// # Time
//
// What a caller's clock may learn: each law draws by rejection, and the number of rejected tries is independent of the noise
// that is accepted in the end. The accepted try runs the same instructions whatever its value, apart from the rare extension
// above and from saturation at the end of int64; multiplications take constant time on the usual processors, divisions by [math/bits]
// need not. Nothing is hardened against somebody who shares the processor's caches. [Exponential] and [NoisyMax] look at every
// candidate always. [Sparse] stops when it has answered, which its result tells anyhow. Where a recipient can
// measure time, answers must be padded besides; this package cannot do that.
package noise

import (
	"errors"
	"math/big"
	"math/bits"
)

// ErrParams is matched by every refusal of a parameter; the refusal itself is an [*Error].
var ErrParams = errors.New("noise: parameter refused")

// Error refuses a parameter: it names the member and the rule that it breaks, never data.
type Error struct {
	Member string // which parameter, such as "scale"
	Rule   string // what it must be
}

func (e *Error) Error() string { return "noise: " + e.Member + " " + e.Rule }

// Is matches [ErrParams].
func (e *Error) Is(target error) bool { return target == ErrParams }

func refuse(member, rule string) error { return &Error{Member: member, Rule: rule} }

// Ratio is an exact rational number Num/Den.
type Ratio struct{ Num, Den uint64 }

// Rat returns r in arbitrary precision; the zero Ratio is 0.
func (r Ratio) Rat() *big.Rat {
	if r.Den == 0 {
		return new(big.Rat)
	}
	return new(big.Rat).SetFrac(new(big.Int).SetUint64(r.Num), new(big.Int).SetUint64(r.Den))
}

// lowest returns r in lowest terms.
func (r Ratio) lowest() Ratio {
	a, b := r.Num, r.Den
	for b != 0 {
		a, b = b, a%b
	}
	if a == 0 {
		return r
	}
	return Ratio{r.Num / a, r.Den / a}
}

const (
	// MaxScale bounds the scale of a Laplace law and the σ of a Gaussian one. Noise of that scale leaves int64 with
	// a probability below exp(−2^11).
	MaxScale = 1 << 52
	// maxTerm bounds numerators and denominators, so that sums of two fit 64 bits and products 128.
	maxTerm = 1 << 62
	// leastInverse: a scale below 1/64 would be an ε above 64 for a step of one, which is not privacy but a mistake.
	leastInverse = 64
)

// checkScale holds the rules for a Laplace scale or a σ and returns it in lowest terms.
func checkScale(member string, r Ratio) (Ratio, error) {
	if r.Num == 0 || r.Den == 0 {
		return Ratio{}, refuse(member, "must be a positive ratio of two positive integers")
	}
	r = r.lowest()
	if r.Num >= maxTerm || r.Den >= maxTerm {
		return Ratio{}, refuse(member, "must have terms below 2^62 in lowest terms")
	}
	if hi, lo := bits.Mul64(r.Den, MaxScale); hi == 0 && r.Num > lo {
		return Ratio{}, refuse(member, "must not exceed 2^52")
	}
	if hi, lo := bits.Mul64(r.Num, leastInverse); hi == 0 && lo < r.Den {
		return Ratio{}, refuse(member, "must be at least 1/64")
	}
	return r, nil
}

// Law is a distribution of noise over the integers. All laws here are closed: their zero values hold no law and panic when drawn from,
// so that a forgotten constructor never means "no noise".
//
// A sample outside int64 is given as the nearest end of the symmetric range ±(2^63−1); [Release] shows why that
// changes no released answer.
type Law interface {
	// Sample draws once. Any number of goroutines may do so at once, each with a Source of its own or all with one.
	Sample(*Source) int64
	// Mass is the exact probability of x, as a 256-bit number with a relative error below 2^−120.
	Mass(x int64) *big.Float
	// Tail is the probability of x or more. Its relative error is below 10^−9, below 2^−100 where the law has a closed form.
	Tail(x int64) *big.Float
}

const noLaw = "noise: a law that was not made by its constructor has no distribution"

// Limit is the largest magnitude of a value that is released, 2^62−1. See [Release].
const Limit = 1<<62 - 1

// Clamp returns v, or the nearer of ±[Limit].
func Clamp(v int64) int64 { return min(max(v, -Limit), Limit) }

// Release returns value plus noise drawn from law, both clamped to ±[Limit]: the one way to release a number.
//
// The result is exactly clamp(clamp(value) + N) for the unbounded N of the law, although Sample saturates:
// let |q| ≤ L = 2^62−1 and S = 2^63−1, the bound of Sample. If |N| ≤ S, nothing was saturated in Sample. If N > S, Sample gives S and
// q + S ≥ −L + S = 2^62 > L, so the clamped sum is L, which is also clamp(q + N); the same holds below. The sum q + S itself may leave int64, so
// it is added with saturation, which the clamp then hides. Clamping before and after is data-independent
// post-processing and 1-Lipschitz, so sensitivity does not grow.
func Release(s *Source, value int64, law Law) int64 {
	return Clamp(addSaturating(Clamp(value), law.Sample(s)))
}

// addSaturating returns a+b, or the end of int64 on that side.
func addSaturating(a, b int64) int64 {
	c := a + b
	// Overflow if and only if a and b have one sign and c the other.
	if (a^c)&(b^c) < 0 {
		if a < 0 {
			return -1 << 63
		}
		return 1<<63 - 1
	}
	return c
}
