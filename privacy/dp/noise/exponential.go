package noise

import (
	"math"
	"math/big"
	"math/bits"
)

// Exponential chooses one of several candidates by their scores with the exponential mechanism in base 2 (McSherry, Talwar 2007; Ilvento 2020): candidate i
// with probability exactly proportional to b^(best−scoreᵢ), for a base b = x/2^y < 1 whose powers are dyadic numbers, so that nothing
// irrational is left to round.
//
// If one unit moves each score by at most Δ, the choice is ε-differentially private for ε = 2Δ·ln(1/b): shifting all scores alike changes no probability, so weigh them by b^(−score);
// the weight moves by a factor between b^Δ and b^−Δ, and so does the sum of all weights. If all scores move the same way (counts, when a unit is added or removed),
// both factors lie between 1 and b^−Δ or both between b^Δ and 1, and ε = Δ·ln(1/b) suffices. Either way the sum's factor is the same for all candidates, so that
// the losses lie within an interval of length ε (bounded range), which costs ε²/8 of zCDP (Cesar, Rogers 2021).
type Exponential struct {
	x uint64
	y uint
	// powers[i] is ⌊2^64·b^(2^i)⌋.
	powers [64]uint64
}

// MaxCandidates bounds the candidates of one choice.
const MaxCandidates = 1 << 20

// NewExponential returns the mechanism of base x/2^y, or [ErrParams] unless 1 ≤ y ≤ 62 and 0 < x < 2^y.
func NewExponential(x uint64, y uint) (Exponential, error) {
	if y < 1 || y > 62 || x == 0 || x >= 1<<y {
		return Exponential{}, refuse("base", "must be x/2^y with 1 <= y <= 62 and 0 < x < 2^y")
	}
	e := Exponential{x: x, y: y}
	for i := range e.powers {
		lo, _ := e.power(1<<i, 64)
		e.powers[i] = lo.Uint64()
	}
	return e, nil
}

// ExponentialFor returns the mechanism with the least base whose ε at that score sensitivity is at most epsilonNano/10^9, for scores
// that may move in any direction: x = ⌈2^62·exp(−ε/(2Δ))⌉, y = 62.
func ExponentialFor(epsilonNano, sensitivity int64) (Exponential, error) {
	if err := checkCost("epsilon", epsilonNano, sensitivity); err != nil {
		return Exponential{}, err
	}
	n, d := big.NewInt(epsilonNano), big.NewInt(2*nano)
	_, hi := expNegBounds(n, d.Mul(d, big.NewInt(sensitivity)), 62)
	if hi.BitLen() > 62 {
		return Exponential{}, refuse("epsilon", "is too small for this sensitivity")
	}
	return NewExponential(hi.Uint64(), 62)
}

// Base is b as x/2^y.
func (e Exponential) Base() (x uint64, y uint) { return e.x, e.y }

// EpsilonNano is what a choice costs at that score sensitivity: the least n for which n/10^9 ≥ 2Δ·ln(1/b), proven by a lower bound of b; math.MaxInt64 if there is none.
func (e Exponential) EpsilonNano(sensitivity int64) int64 {
	if e.x == 0 || sensitivity < 0 {
		return math.MaxInt64
	}
	d := new(big.Int).Mul(big.NewInt(2*nano), big.NewInt(sensitivity))
	base := new(big.Int).Lsh(new(big.Int).SetUint64(e.x), 256-e.y)
	low, high := int64(0), int64(math.MaxInt64)
	for low < high { // exp(−n/(2Δ·10^9)) ≤ b holds from some n on
		n := low + (high-low)/2
		enough := sensitivity == 0
		if !enough {
			_, hi := expNegBounds(big.NewInt(n), d, 256)
			enough = hi.Cmp(base) <= 0
		}
		if enough {
			high = n
		} else {
			low = n + 1
		}
	}
	return low
}

// power bounds 2^prec·b^g, by squaring with outward rounding in w = prec + 160 bits. A squaring of a number in [0, 1] at most doubles its error and adds a unit, a product with b adds another, so after
// 64 of them it is below 2^66 units of 2^−w, far below one of 2^−prec.
func (e Exponential) power(g uint64, prec uint) (lo, hi *big.Int) {
	w := prec + 160
	base := new(big.Int).Lsh(new(big.Int).SetUint64(e.x), w-e.y)
	lo, hi = new(big.Int).Lsh(one, w), new(big.Int).Lsh(one, w)
	for i := bits.Len64(g) - 1; i >= 0; i-- {
		lo.Mul(lo, lo).Rsh(lo, w)
		hi.Mul(hi, hi)
		ceilShift(hi, w)
		if g>>i&1 == 1 {
			lo.Mul(lo, base).Rsh(lo, w)
			hi.Mul(hi, base)
			ceilShift(hi, w)
		}
	}
	lo.Rsh(lo, w-prec)
	ceilShift(hi, w-prec)
	return lo, hi
}

// weightSlack bounds what weight leaves out: each of 64 factors is below the truth by less than one unit, and each product is cut by less than one. Where a bit of g is 0, the
// factor 1 is represented by 1−2^−64.
const weightSlack = 192

// weight is below 2^64·b^g by at most weightSlack units, for g > 0; the same instructions run for every g.
func (e *Exponential) weight(g uint64) uint64 {
	w := uint64(math.MaxUint64)
	for i := range e.powers {
		use := -(g >> i & 1) // all ones or none
		w, _ = bits.Mul64(w, e.powers[i]|^use)
	}
	return w
}

// Choose returns the place of the chosen candidate; scores must be between 1 and [MaxCandidates] many, else [ErrParams].
//
// Each candidate gets weight+slack consecutive integers, one of all these is drawn uniformly, and its candidate taken if the integer lies in the part that is certainly below 2^64·b^g; if
// it lies in the slack (less than once in 2^36 draws), the exact weight decides, and a miss starts again. So candidate i is
// taken with probability exactly proportional to its weight. Every candidate is looked at, whichever is chosen.
//
// Overflow: at most 2^20 candidates of at most 2^64 + 192 each sum to less than 2^85.
func (e *Exponential) Choose(s *Source, scores []int64) (int, error) {
	if e.x == 0 {
		panic(noLaw)
	}
	if len(scores) == 0 || len(scores) > MaxCandidates {
		return 0, refuse("scores", "must be between 1 and 2^20 many")
	}
	best := scores[0]
	for _, v := range scores {
		best = max(best, v)
	}
	var hi, lo, carry uint64
	for _, v := range scores {
		lo, carry = bits.Add64(lo, e.weight(uint64(best)-uint64(v)), 0)
		hi += carry
		lo, carry = bits.Add64(lo, weightSlack, 0)
		hi += carry
	}
	for {
		at, offset, over := e.find(scores, best, s.below128(hi, lo))
		g := uint64(best) - uint64(scores[at])
		switch {
		case over: // 2^64 or more is above every weight
		case offset < e.weight(g), g == 0: // the weight of the best is 2^64
			return at, nil
		case below(s, s.Uint64(), e.within(g, offset)):
			return at, nil
		}
	}
}

// within bounds the probability that a uniform point of the unit that starts at offset is below 2^64·b^g.
func (e *Exponential) within(g, offset uint64) func(prec uint) (lo, hi *big.Int) {
	return func(prec uint) (lo, hi *big.Int) {
		lo, hi = e.power(g, prec+64)
		start := new(big.Int).Lsh(new(big.Int).SetUint64(offset), prec)
		full := new(big.Int).Lsh(one, prec)
		for _, v := range []*big.Int{lo, hi} {
			if v.Sub(v, start).Sign() < 0 {
				v.SetInt64(0)
			} else if v.Cmp(full) > 0 {
				v.Set(full)
			}
		}
		return lo, hi
	}
}

// find returns whose integers r falls among, and how far into them, after a walk over all candidates; over says that it is 2^64 or more.
func (e *Exponential) find(scores []int64, best int64, r [2]uint64) (at int, offset uint64, over bool) {
	hi, lo := r[0], r[1]
	done := uint64(0)
	for i, v := range scores {
		w, c := bits.Add64(e.weight(uint64(best)-uint64(v)), weightSlack, 0) // c = 1: 2^64 and more
		nextLo, borrow := bits.Sub64(lo, w, 0)
		nextHi, under := bits.Sub64(hi, c, borrow)
		if under&^done == 1 { // hi:lo < weight + slack: here
			at, offset, over, done = i, lo, hi != 0, 1
		}
		hi, lo = nextHi, nextLo
	}
	return at, offset, over
}

// below128 returns a uniform integer below n = hi·2^64+lo, by the same algorithm as Below in twice the width: high half of a product, rejected where the low half
// is under 2^128 mod n.
func (s *Source) below128(hi, lo uint64) [2]uint64 {
	for {
		u1, u0 := s.Uint64(), s.Uint64()
		h00, p0 := bits.Mul64(u0, lo)
		h01, l01 := bits.Mul64(u0, hi)
		h10, l10 := bits.Mul64(u1, lo)
		h11, l11 := bits.Mul64(u1, hi)
		p1, c1 := bits.Add64(h00, l01, 0)
		p1, c2 := bits.Add64(p1, l10, 0)
		p2, c3 := bits.Add64(l11, h01, c1)
		p2, c4 := bits.Add64(p2, h10, c2)
		p3 := h11 + c3 + c4
		if p1 > hi || p1 == hi && p0 >= lo || !lowHalfUneven(p1, p0, hi, lo) {
			return [2]uint64{p3, p2}
		}
	}
}

// lowHalfUneven says whether the low half p1:p0 is under 2^128 mod n, which is possible only for p1:p0 < n.
func lowHalfUneven(p1, p0, hi, lo uint64) bool {
	n := new(big.Int).SetUint64(hi)
	n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(lo))
	p := new(big.Int).SetUint64(p1)
	p.Lsh(p, 64).Or(p, new(big.Int).SetUint64(p0))
	return p.Cmp(new(big.Int).Mod(new(big.Int).Lsh(one, 128), n)) < 0
}

// Probabilities are the exact probabilities of the candidates, for auditors.
func (e *Exponential) Probabilities(scores []int64) []*big.Float {
	if len(scores) == 0 {
		return nil
	}
	best := scores[0]
	for _, v := range scores {
		best = max(best, v)
	}
	all := make([]*big.Float, len(scores))
	sum := new(big.Float).SetPrec(massBits)
	for i, v := range scores {
		lo, _ := e.power(uint64(best)-uint64(v), massBits)
		all[i] = new(big.Float).SetPrec(massBits).SetInt(lo)
		sum.Add(sum, all[i])
	}
	for i := range all {
		all[i].Quo(all[i], sum)
	}
	return all
}
