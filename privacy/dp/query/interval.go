package query

import (
	"math"
	"math/big"
	"sync"
)

// Intervals are about noise alone: the number that would have been released without noise lies within with a probability of at least
// 95 %. What clamping to declared bounds and leaving out rows and groups of a unit did to that number is no part of them.

// alpha is a probability of being wrong, as a part of 1/20: alpha 3 is 1/60. Intervals that hold together share 1/20 among them (union
// bound).
type alpha int

const wholeAlpha alpha = 1

// tails remembers half-widths, which take some thousand operations in arbitrary precision.
type tails struct {
	mu   sync.Mutex
	half map[alpha]int64
}

func newTails() *tails { return &tails{half: map[alpha]int64{}} }

// halfWidth is the least w with P(|N| > w) ≤ 1/(20·a), from the exact tail of the law, in the places of the measure.
func (l *law) halfWidth(a alpha) int64 {
	a = max(a, 1)
	l.tails.mu.Lock()
	defer l.tails.mu.Unlock()
	if w, ok := l.tails.half[a]; ok {
		return w
	}
	limit := new(big.Float).SetPrec(128).Quo(big.NewFloat(1).SetPrec(128), new(big.Float).SetInt64(40*int64(a)))
	enough := func(w int64) bool { return l.Tail(w+1).Cmp(limit) <= 0 } // P(N > w), one side
	w := l.guess(a)
	lo, hi := int64(-1), w // enough(hi) is wanted, enough(lo) is false: P(N > −1) > ½
	for step := int64(1); !enough(hi); step *= 2 {
		lo, hi = hi, hi+step
	}
	for step := int64(1); lo == -1 && hi > 0; step *= 2 { // from above the guess is usually off by one
		if at := max(hi-step, -1); at >= 0 && enough(at) {
			hi = at
		} else {
			lo = at
			break
		}
	}
	for hi-lo > 1 {
		if mid := lo + (hi-lo)/2; enough(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	l.tails.half[a] = hi
	return hi
}

// guess is about the half-width of the continuous law.
func (l *law) guess(a alpha) int64 {
	s := float64(l.scale.Num) / float64(l.scale.Den)
	if l.kind == LaplaceNoise {
		return int64(s * math.Log(20*float64(a)))
	}
	return int64(s * math.Sqrt2 * math.Erfinv(1-1/(20*float64(a))))
}

// deviation is the standard deviation of the law, in the places of the measure.
func (l *law) deviation() float64 {
	s := float64(l.scale.Num) / float64(l.scale.Den)
	if l.kind == LaplaceNoise { // 2b/(1−b)² for b = exp(−1/s)
		return math.Sqrt(2*math.Exp(-1/s)) / -math.Expm1(-1/s)
	}
	if s < 1 { // below, the variance of rounding is no longer that of a uniform error
		v := 0.0
		for x := int64(1); x < 16; x++ {
			m, _ := l.Mass(x).Float64()
			v += 2 * float64(x) * float64(x) * m
		}
		return math.Sqrt(v)
	}
	return math.Sqrt(s*s + 1.0/12)
}

// span is what a number of an answer lies within. The zero value knows nothing; an end that is nil is unbounded.
type span struct {
	lo, hi *big.Rat
}

func point(x *big.Rat) span { return span{x, x} }

func (s span) known() bool { return s.lo != nil && s.hi != nil }

// around is x ± w.
func around(x, w *big.Rat) span {
	return span{new(big.Rat).Sub(x, w), new(big.Rat).Add(x, w)}
}

// within cuts the span to bounds that the number is known to have; one that lies beyond them collapses to the nearer bound.
func (s span) within(lo, hi *big.Rat) span {
	clamp := func(x, none *big.Rat) *big.Rat {
		switch {
		case x == nil:
			return none
		case x.Cmp(lo) < 0:
			return lo
		case x.Cmp(hi) > 0:
			return hi
		}
		return x
	}
	return span{clamp(s.lo, lo), clamp(s.hi, hi)}
}

func (s span) add(t span) span {
	var r span
	if s.lo != nil && t.lo != nil {
		r.lo = new(big.Rat).Add(s.lo, t.lo)
	}
	if s.hi != nil && t.hi != nil {
		r.hi = new(big.Rat).Add(s.hi, t.hi)
	}
	return r
}

func (s span) neg() span {
	var r span
	if s.hi != nil {
		r.lo = new(big.Rat).Neg(s.hi)
	}
	if s.lo != nil {
		r.hi = new(big.Rat).Neg(s.lo)
	}
	return r
}

// mul needs all ends, except where a factor is exactly 0.
func (s span) mul(t span) span {
	if s.isZero() || t.isZero() {
		return point(new(big.Rat))
	}
	if !s.known() || !t.known() {
		return span{}
	}
	var all [4]*big.Rat
	for i, p := range [4][2]*big.Rat{{s.lo, t.lo}, {s.lo, t.hi}, {s.hi, t.lo}, {s.hi, t.hi}} {
		all[i] = new(big.Rat).Mul(p[0], p[1])
	}
	r := point(all[0])
	for _, x := range all[1:] {
		r = r.hull(point(x))
	}
	return r
}

func (s span) isZero() bool { return s.known() && s.lo.Sign() == 0 && s.hi.Sign() == 0 }

// div is unbounded where the divisor may be 0.
func (s span) div(t span) span {
	if !t.known() || t.lo.Sign() <= 0 && t.hi.Sign() >= 0 {
		return span{}
	}
	return s.mul(span{new(big.Rat).Inv(t.hi), new(big.Rat).Inv(t.lo)})
}

// hull holds both.
func (s span) hull(t span) span {
	var r span
	if s.lo != nil && t.lo != nil {
		r.lo = least(s.lo, t.lo)
	}
	if s.hi != nil && t.hi != nil {
		r.hi = greatest(s.hi, t.hi)
	}
	return r
}

func least(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) <= 0 {
		return a
	}
	return b
}

func greatest(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) >= 0 {
		return a
	}
	return b
}

// square is of one number, so that it is not below 0.
func (s span) square() span {
	r := s.mul(s)
	if r.known() && s.lo.Sign() <= 0 && s.hi.Sign() >= 0 {
		r.lo = new(big.Rat)
	}
	return r
}

func sqrt(n int) float64 { return math.Sqrt(float64(n)) }

func pow10Float(n int) float64 { return math.Pow(10, float64(n)) }
