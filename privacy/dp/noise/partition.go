package noise

import "math/big"

// PartitionOptions are the parameters of [NewPartitions].
type PartitionOptions struct {
	EpsilonNano int64 // for a unit's whole contribution, in 10^−9
	DeltaFemto  int64 // for a unit's whole contribution, in 10^−15
	PerUnit     int64 // l₀: in how many partitions one unit more or less is counted at most; for units that are replaced, twice that
}

// Partitions decides which partitions (groups whose very names come from the data) may be shown, by how many privacy units each has. No
// (ε, δ)-differentially private way to decide this for one partition shows any count more often (Desfontaines, Voss, Gipson, Mandayam 2020; the argument is on the page docs/spec/dp-noise.md).
//
// With ε′ = ε/l₀, δ′ = δ/l₀ (basic composition over a unit's partitions), the probability to keep a partition of n units is π(0) = 0,
// π(n+1) = min{ exp(ε′)·π(n) + δ′, 1 − exp(−ε′)·(1 − π(n) − δ′), 1 }.
type Partitions struct {
	options PartitionOptions
	epsilon Ratio
	delta   *big.Rat
	// table[n] is ⌊2^64·π(n)⌋ or one less; partitions of len(table) units and more are always kept.
	table []uint64
}

const (
	maxPartitionSteps = 1 << 17
	partitionGuard    = 192
)

// NewPartitions returns the decision, or [ErrParams]: ε/l₀ must be positive and at most 64, 0 < δ < 1, and ε/l₀ large enough that π reaches
// 1 within 2^17 units (about 2·ln(1/δ)/2^17).
func NewPartitions(o PartitionOptions) (*Partitions, error) {
	switch {
	case o.EpsilonNano <= 0:
		return nil, refuse("epsilon", "must be positive")
	case o.DeltaFemto <= 0 || o.DeltaFemto >= femto:
		return nil, refuse("delta", "must be between 0 and 1, both excluded")
	case o.PerUnit <= 0 || o.PerUnit > 1<<32:
		return nil, refuse("partitions per unit", "must be between 1 and 2^32")
	}
	perUnit := big.NewInt(o.PerUnit)
	scale := new(big.Rat).SetFrac(new(big.Int).Mul(perUnit, big.NewInt(nano)), big.NewInt(o.EpsilonNano))
	inverse, err := ratioAbove("epsilon", scale)
	if err == nil {
		inverse, err = checkScale("epsilon", inverse)
	}
	if err != nil {
		return nil, refuse("epsilon", "of one partition must be between 2^-52 and 64")
	}
	p := &Partitions{options: o, epsilon: Ratio{inverse.Den, inverse.Num},
		delta: new(big.Rat).SetFrac(big.NewInt(o.DeltaFemto), new(big.Int).Mul(perUnit, big.NewInt(femto)))}
	r := p.start(64 + partitionGuard)
	for !r.certain() {
		if len(p.table) == maxPartitionSteps {
			return nil, refuse("epsilon", "of one partition is so small that no partition below 2^17 units is certain to be kept")
		}
		p.table = append(p.table, new(big.Int).Rsh(r.lo, partitionGuard).Uint64())
		r.step()
	}
	return p, nil
}

// Epsilon is exactly the ε′ of one partition.
func (p *Partitions) Epsilon() Ratio { return p.epsilon }

// Certain is the least number of units that is always kept.
func (p *Partitions) Certain() int64 { return int64(len(p.table)) }

// Keep decides about one partition with that many privacy units, each counted once. The same draw is made whatever the count, except that no units keep nothing and
// [Partitions.Certain] units keep surely.
func (p *Partitions) Keep(s *Source, units int64) bool {
	if p == nil || len(p.table) == 0 {
		panic(noLaw)
	}
	u := s.Uint64()
	if units <= 0 {
		return false
	}
	if units >= int64(len(p.table)) {
		return true
	}
	yes, open := decide(u, p.table[units])
	if open {
		return below(s, u, func(prec uint) (lo, hi *big.Int) { return p.bounds(units, prec) })
	}
	return yes
}

// Probability is π(units), to 2^−190.
func (p *Partitions) Probability(units int64) *big.Float {
	if units >= int64(len(p.table)) {
		return unity()
	}
	lo, _ := p.bounds(max(units, 0), massBits)
	f := new(big.Float).SetPrec(massBits).SetInt(lo)
	return f.SetMantExp(f, -massBits)
}

func (p *Partitions) bounds(units int64, prec uint) (lo, hi *big.Int) {
	r := p.start(prec + partitionGuard)
	for range units {
		r.step()
	}
	lo, hi = r.lo.Rsh(r.lo, partitionGuard), r.hi
	ceilShift(hi, partitionGuard)
	return lo, hi
}

// recursion holds π(n) between lo and hi in units of 2^−w, with outward rounding.
//
// Width: a step of the first kind multiplies it by exp(ε′) and adds less than 4 units of 2^−w (and the uncertainty of exp(ε′) itself, of as much). That kind is taken only while
// π(n) grows by that factor from δ′ to at most 1, so over all steps it multiplies the width by at most 1/δ′ < 2^83 (δ′ ≥ 10^−15/2^32), apart from the sum of what is added, at most
// 2^17 terms; the second kind shrinks it. With 192 bits of guard, less than 2^−80 of a unit of 2^−prec remains.
type recursion struct {
	w                uint
	lo, hi           *big.Int // π(n)
	growLo, growHi   *big.Int // exp(ε′)
	fallLo, fallHi   *big.Int // exp(−ε′)
	deltaLo, deltaHi *big.Int
}

func (p *Partitions) start(w uint) *recursion {
	r := &recursion{w: w, lo: new(big.Int), hi: new(big.Int)}
	lo, hi := expNegBounds(new(big.Int).SetUint64(p.epsilon.Num), new(big.Int).SetUint64(p.epsilon.Den), 2*w+96)
	full := new(big.Int).Lsh(one, 2*(2*w+96))
	r.growLo = new(big.Int).Rsh(new(big.Int).Quo(full, hi), w+96)
	r.growHi = new(big.Int).Quo(full, lo)
	r.growHi.Add(r.growHi, one)
	ceilShift(r.growHi, w+96)
	r.fallLo = new(big.Int).Rsh(lo, w+96)
	r.fallHi = hi
	ceilShift(r.fallHi, w+96)
	r.deltaLo, r.deltaHi = ratioBounds(p.delta.Num(), p.delta.Denom(), p.delta.Num(), p.delta.Denom(), w)
	return r
}

func (r *recursion) certain() bool { return r.lo.Cmp(new(big.Int).Lsh(one, r.w)) >= 0 }

// step goes from π(n) to π(n+1). Minimum and product are monotone, so each end of the interval is computed by itself.
func (r *recursion) step() {
	all := new(big.Int).Lsh(one, r.w)
	next := func(v, grow, fall, delta *big.Int, up bool) *big.Int {
		a := new(big.Int).Mul(v, grow)
		rest := new(big.Int).Sub(all, v)
		rest.Sub(rest, delta)
		if rest.Sign() < 0 {
			rest.SetInt64(0) // π + δ′ ≥ 1: the second bound is at least 1
		}
		rest.Mul(rest, fall)
		if up {
			ceilShift(a, r.w)
			rest.Rsh(rest, r.w)
		} else {
			a.Rsh(a, r.w)
			ceilShift(rest, r.w)
		}
		a.Add(a, delta)
		b := rest.Sub(all, rest)
		if a.Cmp(b) > 0 {
			a = b
		}
		if a.Cmp(all) > 0 {
			a.Set(all)
		}
		return a
	}
	// A larger exp(−ε′) makes the second bound smaller, so the low end takes the high one.
	lo := next(r.lo, r.growLo, r.fallHi, r.deltaLo, false)
	r.hi = next(r.hi, r.growHi, r.fallLo, r.deltaHi, true)
	r.lo = lo
}

// ThresholdFor returns the least T such that showing a noisy count only if it is at least T hides every partition that
// one unit alone made, but for probability δ: P(l∞ + N ≥ T) ≤ δ/l₀ for each of the at most l₀ partitions of that unit, and the union bound over them
// (Korolova, Kenthapadi, Mishra, Ntoulas 2009). The noise is charged besides. T depends on no data, so comparing with
// it is post-processing. Where units are replaced δ is the same, by the proof on the page docs/spec/dp-noise.md, and the noise must be that of 2l₀ partitions. A threshold
// for continuous noise is a little too low for these laws. It returns [ErrParams] where a parameter is out of range.
func ThresholdFor(law Law, largest, partitions, deltaFemto int64) (int64, error) {
	switch {
	case largest <= 0 || largest > 1<<61:
		return 0, refuse("largest contribution", "must be between 1 and 2^61")
	case partitions <= 0 || partitions > 1<<32:
		return 0, refuse("partitions per unit", "must be between 1 and 2^32")
	case deltaFemto <= 0 || deltaFemto >= femto:
		return 0, refuse("delta", "must be between 0 and 1, both excluded")
	}
	limit := new(big.Float).SetPrec(massBits).SetRat(big.NewRat(deltaFemto, femto))
	limit.Quo(limit, new(big.Float).SetInt64(partitions))
	limit.Quo(limit, add(unity(), new(big.Float).SetMantExp(unity(), -29))) // Tail's relative error is below 10^−9
	low, high := int64(0), int64(1)
	for law.Tail(high).Cmp(limit) > 0 {
		if high >= 1<<60 {
			return 0, refuse("scale", "of the noise is too wide for a threshold")
		}
		low, high = high, 2*high
	}
	for high-low > 1 { // Tail(high) ≤ limit, and low = 0 or Tail(low) > limit
		if mid := low + (high-low)/2; law.Tail(mid).Cmp(limit) > 0 {
			low = mid
		} else {
			high = mid
		}
	}
	return largest + high, nil
}
