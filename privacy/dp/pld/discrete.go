package pld

import (
	"math"
	"slices"
)

// discreteLaplace is the loss of noise with P(x) ∝ exp(-a|x|) at integer sensitivity Δ = steps: a(|x-Δ| - |x|) has Δ+1 values, 2a apart.
type discreteLaplace struct {
	a     float64
	steps int64
}

func (l discreteLaplace) eps() float64                        { return l.a * float64(l.steps) }
func (l discreteLaplace) bounds() (float64, float64)          { return -l.eps(), l.eps() }
func (l discreteLaplace) infinite() float64                   { return 0 }
func (l discreteLaplace) massError(lo, hi float64) float64    { return (64 + 4*l.eps()) * unit }
func (l discreteLaplace) lossError(lo, hi float64) float64    { return 16 * unit * l.eps() }
func (l discreteLaplace) pitch() (float64, float64, bool)     { return l.eps(), 2 * l.a, true }
func (l discreteLaplace) reach(_, _ float64) (lo, hi float64) { return -l.eps(), l.eps() }

// logs returns the logarithms of the masses of x ≤ 0, of x ≥ Δ, and of x = 0 alone.
func (l discreteLaplace) logs() (top, bottom, zero float64) {
	top = -math.Log1p(math.Exp(-l.a))
	return top, top - l.eps(), top + math.Log(-math.Expm1(-l.a))
}

func (l discreteLaplace) cumulant(theta, _ float64) float64 {
	top, bottom, zero := l.logs()
	all := addExp(top+theta*l.eps(), bottom-theta*l.eps())
	if l.steps == 1 {
		return all
	}
	// between: a geometric sum of Δ-1 terms exp(-x·r), r = a(1+2θ)
	r, n := l.a*(1+2*theta), float64(l.steps-1)
	sum := math.Log(n)
	if math.Abs(r)*n > 1e-9 {
		if r > 0 {
			sum = -r + math.Log(math.Expm1(-r*n)/math.Expm1(-r))
		} else {
			sum = n*-r + math.Log(math.Expm1(r*n)/math.Expm1(r))
		}
	}
	return addExp(all, zero+theta*l.eps()+sum)
}

func (l discreteLaplace) fill(_, _ float64, to *sink) {
	top, bottom, zero := l.logs()
	to.lattice(l, 0, top)
	to.lattice(l, -l.steps, bottom)
	for x := int64(1); x < l.steps; x++ {
		to.lattice(l, -x, zero-l.a*float64(x))
	}
}

// lattice puts an atom of an exact law, n spacings from its offset: on the grid if the grid keeps to the law, else around.
func (k *sink) lattice(l law, n int64, logMass float64) {
	offset, spacing, _ := l.pitch()
	if k.step == 0 {
		k.atom(offset+spacing*float64(n), logMass)
		return
	}
	i := n * k.step
	k.put(i, math.Exp(logMass+k.theta*k.at(i)-k.lambda))
}

// discreteGaussian is the loss of noise with P(x) ∝ exp(-x²/2σ²) at integer sensitivity Δ: Δ(Δ-2x)/2σ² (Canonne, Kamath, Steinke 2020).
type discreteGaussian struct {
	sigma, delta float64
	logNorm      float64 // ln of a lower bound of Σ exp(-x²/2σ²)
}

func newDiscreteGaussian(sigma float64, sensitivity int64) law {
	// By Poisson's summation the sum is σ√2π·(1 + 2exp(-2π²σ²) + …), all terms positive; small sigmas are summed.
	norm := sigma * sqrt2Pi
	if sigma < 4 {
		norm = 1
		for x := 1.0; x < 40*sigma; x++ {
			norm += 2 * math.Exp(-x*x/2/sigma/sigma)
		}
	}
	return discreteGaussian{sigma: sigma, delta: float64(sensitivity), logNorm: math.Log(norm) - 32*unit}
}

func (g discreteGaussian) bounds() (float64, float64) { return math.Inf(-1), math.Inf(1) }
func (g discreteGaussian) infinite() float64          { return 0 }
func (g discreteGaussian) lossError(lo, hi float64) float64 {
	return 8 * unit * (math.Abs(lo) + math.Abs(hi))
}

func (g discreteGaussian) massError(lo, hi float64) float64 {
	x := max(math.Abs(g.x(lo)), math.Abs(g.x(hi))) / g.sigma
	return (64 + 8*x*x) * unit
}

// x is where the loss is the given one.
func (g discreteGaussian) x(loss float64) float64 {
	return (g.delta - loss/g.delta*2*g.sigma*g.sigma) / 2
}

func (g discreteGaussian) pitch() (float64, float64, bool) {
	r := g.delta / g.sigma
	return r * r / 2, g.delta / g.sigma / g.sigma, true
}

// reach: P(X ≥ σ√2t + 1) ≤ exp(-t) for t ≥ 1, since the tail beyond m is at most exp(-(m-1)²/2σ²): CKS 2020, proposition 25.
func (g discreteGaussian) reach(down, up float64) (lo, hi float64) {
	off, spacing, _ := g.pitch()
	far := math.Ceil(g.sigma*math.Sqrt(2*max(1, down))) + 1
	near := math.Ceil(g.sigma*math.Sqrt(2*max(1, up))) + 1
	return off - spacing*far, off + spacing*near
}

func (g discreteGaussian) cumulant(theta, _ float64) float64 {
	r := g.delta / g.sigma
	if g.sigma > 4 {
		return theta * (theta + 1) / 2 * r * r
	}
	centre := math.Round(-theta * g.delta)
	sum, top := 0.0, math.Inf(-1)
	for x := centre - math.Ceil(12*g.sigma) - 1; x <= centre+math.Ceil(12*g.sigma)+1; x++ {
		e := theta*(r*r/2-x*r/g.sigma) - x*x/2/g.sigma/g.sigma
		if e > top {
			sum, top = sum*math.Exp(top-e), e
		}
		sum += math.Exp(e - top)
	}
	return top + math.Log(sum) - g.logNorm
}

func (g discreteGaussian) fill(lo, hi float64, to *sink) {
	off, spacing, _ := g.pitch()
	first, last := -math.Round((hi-off)/spacing), math.Round((off-lo)/spacing)
	for x := first; x <= last; x++ {
		z := x / g.sigma
		to.lattice(g, -int64(x), -z*z/2-g.logNorm)
	}
	// what lies beyond last, at most P(X > last) ≤ exp(-last²/2σ²)
	z := last / g.sigma
	to.lattice(g, -int64(last), -z*z/2)
}

// few is a law of up to four atoms at losses that are multiples of one spacing: randomised response and (ε, δ) boxes.
type few struct {
	spacing float64
	logMass [3]float64 // at spacing, 0 and -spacing
	inf     float64
}

func newRandomizedResponse(noise, buckets float64) law {
	other := noise / buckets
	truth := 1 - noise + other
	// ln(truth/other) without cancellation
	spacing := math.Log1p((1 - noise) / other)
	middle := math.Inf(-1)
	if buckets > 2 {
		middle = math.Log(noise * (buckets - 2) / buckets)
	}
	return few{spacing: spacing, logMass: [3]float64{math.Log(truth), middle, math.Log(other)}}
}

func newBox(eps, delta float64) law {
	if eps == 0 {
		if delta == 0 {
			return nil
		}
		return few{spacing: 1, logMass: [3]float64{math.Inf(-1), math.Log1p(-delta), math.Inf(-1)}, inf: delta}
	}
	rest := math.Log1p(-delta) - math.Log1p(math.Exp(-eps))
	return few{spacing: eps, logMass: [3]float64{rest, math.Inf(-1), rest - eps}, inf: delta}
}

func (f few) bounds() (float64, float64) {
	lo, hi := f.spacing, -f.spacing
	for i, m := range f.logMass {
		if !math.IsInf(m, -1) {
			loss := f.spacing * float64(1-i)
			lo, hi = min(lo, loss), max(hi, loss)
		}
	}
	return lo, hi
}

func (f few) infinite() float64                   { return f.inf }
func (f few) pitch() (float64, float64, bool)     { return 0, f.spacing, true }
func (f few) reach(_, _ float64) (lo, hi float64) { return f.bounds() }
func (f few) massError(lo, hi float64) float64    { return 32*unit + 4*unit*f.spacing }
func (f few) lossError(lo, hi float64) float64    { return 16 * unit * f.spacing }

func (f few) cumulant(theta, _ float64) float64 {
	sum := math.Inf(-1)
	for i, m := range f.logMass {
		sum = addExp(sum, m+theta*f.spacing*float64(1-i))
	}
	return sum
}

func (f few) fill(_, _ float64, to *sink) {
	for i, m := range f.logMass {
		if !math.IsInf(m, -1) {
			to.lattice(f, int64(1-i), m)
		}
	}
}

// atoms is a law of any losses. It is a pointer wherever it is a law, so that laws are comparable.
type atoms struct {
	loss, logMass []float64 // ascending
	inf           float64
	rough         [][2]float64 // at most 4,096 atoms much like these
}

func newAtoms(p, q []float64) law {
	type atom struct{ loss, mass float64 }
	var list []atom
	a := &atoms{}
	for i := range p {
		switch {
		case p[i] == 0:
		case q[i] == 0:
			a.inf += p[i]
		default:
			loss := math.Log(p[i] / q[i])
			if math.IsInf(loss, 0) {
				loss = math.Log(p[i]) - math.Log(q[i])
			}
			list = append(list, atom{loss, p[i]})
		}
	}
	slices.SortFunc(list, func(x, y atom) int {
		switch {
		case x.loss < y.loss:
			return -1
		case x.loss > y.loss:
			return 1
		}
		return 0
	})
	every := len(list)/4096 + 1
	for i, x := range list {
		a.loss, a.logMass = append(a.loss, x.loss), append(a.logMass, math.Log(x.mass))
		if i%every == 0 {
			a.rough = append(a.rough, [2]float64{x.loss, 0})
		}
		a.rough[len(a.rough)-1][1] += x.mass
	}
	if len(list) == 0 && a.inf == 0 {
		return nil
	}
	return a
}

func (a *atoms) bounds() (float64, float64) {
	if len(a.loss) == 0 {
		return 0, 0
	}
	return a.loss[0], a.loss[len(a.loss)-1]
}

func (a *atoms) infinite() float64                   { return a.inf }
func (a *atoms) pitch() (float64, float64, bool)     { return 0, 0, false }
func (a *atoms) reach(_, _ float64) (lo, hi float64) { return a.bounds() }
func (a *atoms) massError(lo, hi float64) float64    { return 1024 * unit }
func (a *atoms) lossError(lo, hi float64) float64 {
	return 8 * unit * (1 + math.Abs(lo) + math.Abs(hi))
}

func (a *atoms) cumulant(theta, _ float64) float64 {
	sum := math.Inf(-1)
	for _, x := range a.rough {
		sum = addExp(sum, math.Log(x[1])+theta*x[0])
	}
	return sum
}

func (a *atoms) fill(_, _ float64, to *sink) {
	for i, x := range a.loss {
		to.atom(x, a.logMass[i])
	}
}
