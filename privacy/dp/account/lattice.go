package account

import (
	"math"
	"slices"
)

// atoms are privacy losses with their probabilities under the first of the pair, in falling order of loss. What is missing to 1 is the
// probability of losses that were cut off at the far end of the tail; lost bounds it, and counts as infinite loss.
type atoms struct {
	loss, p []float64
	lost    float64
}

// maxAtoms bounds what is composed exactly. Beyond it a discretised distribution serves.
const maxAtoms = 1 << 20

// lattice returns the exact loss distribution of all Count of a mechanism with finitely many losses, or false for others and for more
// than maxAtoms. Losses are rounded up within a relative 1e-14, probabilities are within a relative 1e-12 (tested against 300 bits).
//
// Each of these has its worst pair given: an ε-differentially private mechanism is post-processing of binary randomised response
// (Kairouz, Oh and Viswanath 2015, theorem 3.1), integer noise of log-concave mass is worst at the full shift.
func (m *Mechanism) lattice() (atoms, bool) {
	n := m.count()
	switch m.Kind {
	case EpsilonDelta, Pure, Exponential, LaplaceThreshold, PartitionSelection:
		if n >= maxAtoms {
			return atoms{}, false
		}
		return binomialAtoms(m.Epsilon, int(n)), true
	case RandomizedResponse:
		return m.responseAtoms()
	case DiscreteLaplace:
		return m.discreteLaplaceAtoms()
	case DiscreteGaussian:
		return m.discreteGaussianAtoms()
	}
	return atoms{}, false
}

// binomialAtoms is n-fold binary randomised response: i of n lose ε and the others gain it.
func binomialAtoms(epsilon float64, n int) atoms {
	var a atoms
	keep, flip := -math.Log1p(math.Exp(-epsilon)), -epsilon-math.Log1p(math.Exp(-epsilon))
	for i := n; i >= 0; i-- {
		p := math.Exp(logChoose(n, i) + float64(i)*keep + float64(n-i)*flip)
		a.add(float64(2*i-n)*epsilon, p)
	}
	return a
}

func (m *Mechanism) responseAtoms() (atoms, bool) {
	n, p, k := int(m.count()), m.NoiseParameter, float64(m.NumBuckets)
	if n >= maxAtoms/2 {
		return atoms{}, false
	}
	c, keep, flip, other := responseLaw(p, k)
	if k == 2 {
		var a atoms
		for i := n; i >= 0; i-- {
			a.add(float64(2*i-n)*c, math.Exp(logChoose(n, i)+float64(i)*keep+float64(n-i)*flip))
		}
		return a, true
	}
	if n > 1<<11 {
		return latticePower([]float64{math.Exp(flip), math.Exp(other), math.Exp(keep)}, n, c, -float64(n)*c)
	}
	// The loss (i − j)c has the trinomial probability n!/(i! j! l!) of i kept, j moved to the one value that tells, l = n − i − j elsewhere.
	sum := make([]float64, 2*n+1)
	for i := range n + 1 {
		for j := range n + 1 - i {
			lp := logChoose(n, i) + logChoose(n-i, j) + float64(i)*keep + float64(j)*flip + float64(n-i-j)*other
			sum[i-j+n] += math.Exp(lp)
		}
	}
	var a atoms
	for d := n; d >= -n; d-- {
		a.add(float64(d)*c, sum[d+n])
	}
	return a, true
}

func (m *Mechanism) discreteLaplaceAtoms() (atoms, bool) {
	s, n := m.sensitivity(), m.count()
	if s > 1<<12 || float64(n)*s > 1<<12 {
		return atoms{}, false
	}
	if s == 1 {
		return binomialAtoms(m.A, int(n)), true // losses ±a alone: P(loss a) = 1/(1 + e^{−a})
	}
	loss, logp := discreteLaplaceLosses(m.A, int(s))
	slices.Reverse(logp)
	pmf := make([]float64, len(loss))
	for i, lp := range logp {
		pmf[i] = math.Exp(lp)
	}
	return latticePower(pmf, int(n), 2*m.A, -float64(n)*s*m.A)
}

// discreteGaussianAtoms composes the noise itself: the loss of a sum of draws x is linear in it, s(ks − 2Σx)/2σ².
func (m *Mechanism) discreteGaussianAtoms() (atoms, bool) {
	s, n, sigma := m.sensitivity(), m.count(), m.Sigma
	if n > 1<<14 || sigma*math.Sqrt(float64(n)) > 400 || s > 1e6 {
		return atoms{}, false
	}
	r := int(math.Ceil(14*sigma)) + 1 // P(|x| > 14σ) < 1e-42
	pmf, total := make([]float64, 2*r+1), 0.0
	for x := -r; x <= r; x++ {
		pmf[x+r] = math.Exp(-float64(x) * float64(x) / (2 * sigma * sigma))
		total += pmf[x+r]
	}
	for i := range pmf {
		pmf[i] /= total
	}
	// The PMF is symmetric, so that index i stands for Σ−x as well as Σx: losses rise with it.
	a, ok := latticePower(pmf, int(n), s/(sigma*sigma), s*(float64(n)*s-2*float64(n)*float64(r))/(2*sigma*sigma))
	a.lost += float64(n) * 1e-40
	return a, ok
}

// latticePower is the n-fold convolution of a PMF on 0, 1, …; index i has the loss base + step·i. All terms are positive, so that the
// relative error is below that of n·(ln n + 2) additions. Ends that fall below 1e-45 of the whole are cut off and counted as lost.
func latticePower(pmf []float64, n int, step, base float64) (atoms, bool) {
	type part struct {
		p    []float64
		from int
		lost float64
	}
	trim := func(x part) part {
		const least = 1e-45
		lo, hi := 0, len(x.p)
		for sum := 0.0; lo < hi-1 && sum+x.p[lo] < least; lo++ {
			sum += x.p[lo]
		}
		for sum := 0.0; hi > lo+1 && sum+x.p[hi-1] < least; hi-- {
			sum += x.p[hi-1]
		}
		if lo > 0 || hi < len(x.p) {
			x.lost += 2 * least
		}
		return part{x.p[lo:hi], x.from + lo, x.lost}
	}
	times := func(x, y part) part {
		z := part{make([]float64, len(x.p)+len(y.p)-1), x.from + y.from, x.lost + y.lost}
		for i, a := range x.p {
			if a == 0 {
				continue
			}
			for j, b := range y.p {
				z.p[i+j] += a * b
			}
		}
		return trim(z)
	}
	power, result := trim(part{p: slices.Clone(pmf)}), part{p: []float64{1}}
	for k := n; k > 0; k >>= 1 {
		if k&1 == 1 {
			result = times(result, power)
		}
		if k > 1 {
			if len(power.p) > 1<<14 {
				return atoms{}, false
			}
			power = times(power, power)
		}
	}
	var a atoms
	a.lost = result.lost * float64(2*n)
	for i, p := range slices.Backward(result.p) {
		a.add(base+step*float64(result.from+i), p)
	}
	return a, true
}

// add appends an atom with its loss rounded up.
func (a *atoms) add(loss, p float64) {
	if p > 0 {
		a.loss = append(a.loss, loss+4e-15*math.Abs(loss))
		a.p = append(a.p, p)
	}
}

// times is the composition of both; false if there are more than limit atoms.
func (a atoms) times(b atoms, limit int) (atoms, bool) {
	if len(a.p)*len(b.p) > limit {
		return atoms{}, false
	}
	type atom struct{ l, p float64 }
	all := make([]atom, 0, len(a.p)*len(b.p))
	for i := range a.p {
		for j := range b.p {
			if p := a.p[i] * b.p[j]; p > 0 {
				all = append(all, atom{a.loss[i] + b.loss[j], p})
			}
		}
	}
	slices.SortFunc(all, func(x, y atom) int {
		switch {
		case x.l > y.l:
			return -1
		case x.l < y.l:
			return 1
		}
		return 0
	})
	r := atoms{lost: a.lost + b.lost}
	for _, x := range all {
		r.loss, r.p = append(r.loss, x.l), append(r.p, x.p)
	}
	return r, true
}

// logChoose is ln C(n, k).
func logChoose(n, k int) float64 {
	if k == 0 || k == n {
		return 0
	}
	return logFactorial(n) - logFactorial(k) - logFactorial(n-k)
}

func logFactorial(n int) float64 {
	l, _ := math.Lgamma(float64(n) + 1)
	return l
}
