package pld

import (
	"math"
	"slices"
	"sync"
)

// Composed is a composition of mechanisms. It is safe for concurrent use. Each question is answered by a computation of its own.
type Composed struct {
	sides   []side // one if both directions are alike
	options Options
}

// Compose prepares the composition of all terms. It returns an [Error] for a count below zero, more than [MaxTerms] terms, or
// more than [MaxCount] runs. Gaussian mechanisms become one: their µ² add, exactly.
func Compose(terms []Term, o Options) (*Composed, error) {
	if len(terms) > MaxTerms {
		return nil, &Error{"terms", "are at most 2^14"}
	}
	if !(o.RelTol >= 0 && o.RelTol <= 1) || o.MaxBuckets < 0 || o.MaxBuckets > 1<<26 {
		return nil, &Error{"options", "have a RelTol of 0 to 1 and MaxBuckets of 0 to 2^26"}
	}
	if o.RelTol == 0 {
		o.RelTol = 1e-5
		if len(terms) > manyParts {
			o.RelTol = 5e-5
		}
	}
	if o.MaxBuckets == 0 {
		o.MaxBuckets = 1 << 20
	}
	for n := minBuckets; ; n *= 2 { // a power of two
		if 2*n > o.MaxBuckets {
			o.MaxBuckets = n
			break
		}
	}
	var total int64
	alike := true
	for _, t := range terms {
		if t.Count < 0 || t.Count > MaxCount-total {
			return nil, &Error{"count", "is at least 0, and at most 2^40 in sum"}
		}
		total += t.Count
		alike = alike && t.PLD.remove == t.PLD.add
	}
	c := &Composed{options: o}
	c.sides = append(c.sides, gather(terms, func(p PLD) law { return p.remove }))
	if !alike {
		c.sides = append(c.sides, gather(terms, func(p PLD) law { return p.add }))
	}
	return c, nil
}

// gather counts equal laws together, in the order of their first.
func gather(terms []Term, of func(PLD) law) side {
	var s side
	at := map[law]int{}
	var mu2 float64
	for _, t := range terms {
		l := of(t.PLD)
		if l == nil || t.Count == 0 {
			continue
		}
		if g, ok := l.(gaussian); ok {
			mu2 += float64(t.Count) * g.mu * g.mu
			continue
		}
		i, ok := at[l]
		if !ok {
			i = len(s.parts)
			at[l] = i
			s.parts = append(s.parts, part{law: l})
		}
		s.parts[i].count += t.Count
	}
	if mu2 > 0 {
		mu := math.Sqrt(mu2) * (1 + unit*float64(len(terms)+8))
		s.parts = slices.Insert(s.parts, 0, part{gaussian{mu}, 1})
	}
	return s
}

// Epsilon returns the least ε that the composition is known to have at this δ: +Inf if there is none, never less than 0.
// A δ of 0 asks for the pure ε. It returns an [Error] unless δ is 0 or between 1e-280 and 1.
func (c *Composed) Epsilon(delta float64) (Bound, error) {
	if !(delta == 0 || delta >= minDelta && delta < 1) {
		return Bound{}, &Error{"delta", "is 0, or at least 1e-280 and below 1"}
	}
	return c.larger(func(s *side) Bound { return s.epsilon(delta, c.options) }), nil
}

// Delta returns the least δ that the composition is known to have at this ε. It returns an [Error] unless 0 ≤ ε ≤ 10^9.
func (c *Composed) Delta(epsilon float64) (Bound, error) {
	if !(epsilon >= 0 && epsilon <= maxTarget) {
		return Bound{}, &Error{"epsilon", "is at least 0 and at most 10^9"}
	}
	return c.larger(func(s *side) Bound { return s.delta(epsilon, c.options) }), nil
}

// larger asks both directions at once and returns the larger answer.
func (c *Composed) larger(ask func(*side) Bound) Bound {
	out := make([]Bound, len(c.sides))
	var wg sync.WaitGroup
	for i := range c.sides {
		wg.Go(func() { out[i] = ask(&c.sides[i]) })
	}
	wg.Wait()
	best := out[0]
	for _, b := range out[1:] {
		if b.Value > best.Value {
			best = b
		}
	}
	return best
}

func (s *side) epsilon(delta float64, o Options) Bound {
	_, sup := s.bounds()
	inf := s.infinite()
	pure := Bound{Value: math.Inf(1)}
	if inf <= delta && (inf == 0 || delta > 0) {
		sup = max(0, sup)
		pure.Value = sup * (1 + 16*unit)
		pure.Excess = pure.Value
	}
	if delta == 0 {
		pure.Excess = 0
		return pure
	}
	if len(s.parts) == 0 {
		return Bound{}
	}
	if inf >= delta {
		return pure
	}
	if g, ok := s.single(); ok {
		return g.epsilon(delta)
	}
	p := s.plan(target{delta: delta})
	found := s.epsilonBy(p, o, delta)
	if !(found.Value >= 0) { // beyond what float64 holds: nothing is known but the pure ε
		found = pure
	}
	if math.IsInf(found.Value, 1) && math.IsInf(pure.Value, 1) {
		return Bound{Value: math.Inf(1)}
	}
	if pure.Value <= found.Value {
		pure.Excess = min(found.Excess+pure.Value-found.Value, pure.Value)
		pure.Excess = max(pure.Excess, found.Excess)
		return pure
	}
	return found
}

func (s *side) delta(epsilon float64, o Options) Bound {
	_, sup := s.bounds()
	if len(s.parts) == 0 {
		return Bound{}
	}
	if epsilon >= sup*(1+16*unit) {
		return Bound{Value: s.infinite()}
	}
	if g, ok := s.single(); ok {
		return g.delta(epsilon)
	}
	p := s.plan(target{epsilon: epsilon})
	b := s.deltaBy(p, o, epsilon)
	if !(b.Value <= 1) { // beyond what float64 holds: nothing is known
		return Bound{Value: 1, Excess: 1}
	}
	return b
}

// epsilonBy and deltaBy compose by the plan, and once more if δ turns out to fall faster than the plan thought: where a law is of two
// parts, such as a sample that holds the unit and one that does not, moments see one part alone.
func (s *side) epsilonBy(p plan, o Options, delta float64) Bound {
	at := func(c *convolved) answer { return c.epsilonAt(delta) }
	a := best(s.ways(p, o, o.RelTol*max(p.epsilon, p.spread/8)), at)
	for range 2 {
		if !(a.Value > 0) || math.IsInf(a.Value, 1) || !(a.rate > 2*p.rate || a.Value < p.epsilon/2) {
			break
		}
		p.rate, p.epsilon = max(a.rate, p.rate), a.Value
		b := best(s.ways(p, o, o.RelTol*max(a.Value, 0.1/a.rate)), at)
		if b.Value < a.Value {
			a = b
		}
	}
	return a.Bound
}

func (s *side) deltaBy(p plan, o Options, epsilon float64) Bound {
	at := func(c *convolved) answer { return c.deltaAt(epsilon) }
	a := best(s.ways(p, o, 10*o.RelTol/max(p.theta, 1/p.spread)), at)
	if a.Value < 1 && a.rate > 2*p.rate {
		p.rate = a.rate
		if b := best(s.ways(p, o, 10*o.RelTol/a.rate), at); b.Value < a.Value {
			a = b
		}
	}
	return a.Bound
}

func (s *side) single() (gaussian, bool) {
	if len(s.parts) != 1 || s.parts[0].count != 1 {
		return gaussian{}, false
	}
	g, ok := s.parts[0].law.(gaussian)
	return g, ok
}

const wide = 1 << 18 // buckets of a stage

// ways composes by the plan such that discretisation moves ε by at most allowed: at once, and where that takes more buckets than
// there may be, in two stages too. Each result is sound, so that the better one may be taken.
func (s *side) ways(p plan, o Options, allowed float64) []*convolved {
	g := s.grid(p, allowed, o.MaxBuckets)
	once := p
	once.t = 0 // only a stage asks what lies below
	out := []*convolved{s.convolve(once, g)}
	if g.exact || g.h <= 1.5*spacingFor(p, s.runs(), allowed) {
		return out
	}
	stages, rest, ok := s.stages(p, allowed/2, min(wide, o.MaxBuckets))
	if !ok {
		return out
	}
	return append(out, s.staged(p, stages, rest, allowed/2, o.MaxBuckets))
}

// staged composes the results of stages and the rest. A second tilt would weigh the stages' floor far out; the first tilt alone
// bounds what lies above, a little farther up.
func (s *side) staged(p plan, stages []stage, rest []part, allowed float64, limit int) *convolved {
	left, moved := evolve(stages, rest)
	p.s, p.t, p.top = 0, 0, max(p.top, (s.cumulant(p.theta, p.up)+25-p.logDelta)/p.theta)
	c := left.convolve(p, left.grid(p, allowed, limit))
	c.moved += moved
	return c
}

// best is the least of what the ways say.
func best(ways []*convolved, ask func(*convolved) answer) answer {
	a := ask(ways[0])
	for _, c := range ways[1:] {
		if b := ask(c); !(a.Value <= b.Value) {
			a = b
		}
	}
	return a
}
