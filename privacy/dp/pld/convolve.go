package pld

import (
	"math"
	"sync"
)

// convolved is the distribution of a sum of losses, tilted, on a window of a grid, and what may be wrong with it.
type convolved struct {
	plan
	grid
	offset   float64
	first    int64     // the window's first index: its loss is offset + h·first
	mass     []float64 // by index modulo n
	logScale float64   // mass is exp(θ·loss - logScale) times the probability
	floor    float64   // what each mass may fall short by, absolutely: rounding of the transform
	above    float64   // probability above the window, at most
	below    float64   // likewise below it, as a mass at the first index; 0 if the plan has no t
	infinite float64   // probability that the loss is infinite, at most
	extra    float64   // tilted mass that earlier stages added on the safe side
	massErr  float64   // by what part masses may fall short
	lossErr  float64   // by how much losses may
	moved    float64   // times one more than the rate at which δ falls, about by how much discretisation raised ε
}

// convolve composes all parts of a side on a grid. Rows of the table in docs/spec/dp-pld.md name the terms of each error.
func (s *side) convolve(p plan, g grid) *convolved {
	out := &convolved{plan: p, grid: g}
	tr := newTransform(g.n)
	const workers = 2 // fixed, so that results do not depend on the machine
	all := make([]*product, workers)
	var wg sync.WaitGroup
	for w := range all {
		all[w] = &product{tr: tr}
		wg.Go(func() {
			for i := w; i < len(s.parts); i += workers {
				all[w].times(s.parts[i], p, g, s.runs())
			}
		})
	}
	wg.Wait()
	a, b := all[0], all[1]
	if a.z == nil {
		a.z = make([]complex128, g.n/2)
		for i := range a.z {
			a.z[i] = 1
		}
		a.z[0] = complex(1, 1)
	}
	if b.z != nil {
		multiply(a.z, b.z)
	}
	var norm float64 // of the product's spectrum, over √n: that of the result
	for i, c := range a.z {
		w := 2.0
		if i == 0 {
			w = 1
		}
		norm += w * (real(c)*real(c) + imag(c)*imag(c))
	}
	norm = math.Sqrt(norm / float64(g.n))
	tr.inverse(a.z)
	out.mass = make([]float64, g.n)
	unpack(out.mass, a.z)
	growth := math.Exp(a.growth + b.growth)
	out.floor = growth*(a.floor+b.floor) + (3*unit*float64(len(s.parts)+1)+tr.relError())*norm + 1e-300
	out.offset = a.offset + b.offset
	out.logScale = a.logScale + b.logScale
	out.massErr = a.massErr + b.massErr + 4*unit*(a.scaleSize+b.scaleSize)
	out.lossErr = a.lossErr + b.lossErr + 8*unit*(math.Abs(a.offset)+math.Abs(b.offset)+math.Abs(p.top)+math.Abs(p.bottom))
	out.infinite = min(1, -math.Expm1(a.logFinite+b.logFinite)*(1+16*unit))
	out.moved = a.moved + b.moved
	out.extra = a.extra + b.extra
	out.first = int64(math.Floor((p.bottom-out.offset)/g.h)) - 1
	if last := out.first + int64(g.n) - 1; a.max+b.max > float64(last) {
		top := out.loss(last)
		out.above = math.Exp(a.logS + b.logS + out.logScale + out.massErr - (p.s+p.theta)*top + 4*unit*math.Abs((p.s+p.theta)*top))
	}
	if p.t > 0 {
		// For t ≥ θ, exp(θ(bottom-x)) ≤ exp(t(bottom-x)) for every loss x below bottom: the mass there, moved up to bottom.
		out.below = math.Exp(a.logT + b.logT + p.t*out.loss(out.first))
	}
	return out
}

func (c *convolved) loss(i int64) float64 { return c.offset + c.h*float64(i) }

// product is the product of some parts' spectra, with what belongs to it.
type product struct {
	tr                             *transform
	z                              []complex128
	buf                            []float64
	edges                          []int64
	offset, logScale, scaleSize    float64
	max, floor, growth             float64
	logS, logT, logFinite          float64
	massErr, lossErr, moved, extra float64
}

// tilted is k times the logarithm of a mean of tilts that were all divided by exp(by), rounded up. Tilts that were too small for float64 add less
// than 1e-300 to the mean.
func tilted(k, mean, by float64) float64 {
	l := math.Log(mean + 1e-300)
	return k * (l + by + 8*unit*(math.Abs(l)+math.Abs(by)))
}

// times multiplies by the count-th power of a law's spectrum.
func (x *product) times(q part, p plan, g grid, runs float64) {
	k := float64(q.count)
	up := p.up
	lo, hi := q.law.reach(45+math.Log(runs), up)
	sk := sink{h: g.h, theta: p.theta, lambda: q.law.cumulant(p.theta, up), s: p.s, t: p.t, high: hi, low: lo, fine: g.fine, step: g.step(q.law), max: math.MinInt64, buf: x.buf, edgeBuf: x.edges}
	if sk.step > 0 {
		sk.offset, _, _ = q.law.pitch()
	}
	if sk.buf == nil {
		sk.buf = make([]float64, g.n)
	}
	clear(sk.buf)
	q.law.fill(lo, hi, &sk)
	x.buf, x.edges = sk.buf, sk.edgeBuf
	var sum float64
	for _, m := range sk.buf {
		sum += m
	}
	cut := q.law.infinite()
	if _, sup := q.law.bounds(); hi < sup {
		cut += math.Exp(-up)
	}
	x.logFinite += k * math.Log1p(-min(cut, 1-unit))
	if !(sum > 0) || math.IsInf(sum, 1) { // a law that is infinite always, or beyond what float64 holds: nothing finite is known
		sum, x.logFinite = 1, math.Inf(-1)
		clear(sk.buf)
		sk.buf[0] = 1
		sk.sumS, sk.sumT, sk.max = 1, 1, 0
	}
	var square float64
	for i, m := range sk.buf {
		m /= sum
		sk.buf[i] = m
		square += m * m
	}
	scale := sk.lambda + math.Log(sum)
	x.logScale += k * scale
	x.scaleSize += k * (math.Abs(scale) + math.Abs(sk.lambda) + p.theta*max(math.Abs(lo), math.Abs(hi)) + 8)
	x.offset += k * sk.offset
	x.max += k * float64(sk.max)
	if p.s > 0 {
		x.logS += tilted(k, sk.sumS/sum, p.s*hi)
	}
	if p.t > 0 {
		x.logT += tilted(k, sk.sumT/sum, -p.t*lo)
	}
	if q, ok := q.law.(*sampled); ok {
		x.extra += k * (float64(q.c.n)*q.c.floor + q.c.below + q.c.extra)
	}
	x.massErr += k * q.law.massError(lo, hi)
	x.lossErr += k * (q.law.lossError(lo, hi) + 2*unit*math.Abs(sk.offset))
	x.moved += k * g.h * g.h / 8 * sk.width2 / sum
	z := make([]complex128, g.n/2)
	pack(z, sk.buf)
	x.tr.forward(z)
	norm, e := math.Sqrt(square), x.tr.relError()
	x.floor += power(z, q.count, e*norm, e*norm*math.Sqrt(float64(g.n)))
	x.growth += k * e * norm * math.Sqrt(float64(g.n))
	if x.z == nil {
		x.z = z
		return
	}
	multiply(x.z, z)
}

// multiply takes the product of two spectra into a.
func multiply(a, b []complex128) {
	a0 := complex(real(a[0])*real(b[0]), imag(a[0])*imag(b[0]))
	for i, c := range b {
		a[i] *= c
	}
	a[0] = a0
}

// power raises a spectrum to the count-th power and returns what that and the spectrum's own error may do to any one mass.
//
// spread is the error's 2-norm over √n, peak what any one coefficient may be off by. With ê for the error and f for the
// spectrum, |(f+ê)^k - f^k| ≤ k·|ê|·m^(k-1), m = |f| + peak. The sum over all coefficients over n is at most k·‖ê‖₂·‖m^(k-1)‖₂/n by
// Cauchy and Schwarz. A product of complex numbers is off by √5·u (Brent, Percival, Zimmermann 2007), a k-th power by k times that.
func power(z []complex128, count int64, spread, peak float64) float64 {
	k := float64(count)
	n := float64(2 * len(z))
	if count == 1 {
		return spread
	}
	cut := math.Exp(-69 / k) // smaller ones become less than 1e-30
	var derivative, size float64
	one := func(f complex128, weight float64) complex128 {
		r := real(f)*real(f) + imag(f)*imag(f)
		if r <= cut*cut {
			derivative += weight * math.Exp(-69*2*(k-1)/k)
			return 0
		}
		y := pow(f, count)
		s := real(y)*real(y) + imag(y)*imag(y)
		size += weight * s
		derivative += weight * s / r
		return y
	}
	for i := 1; i < len(z); i++ {
		z[i] = one(z[i], 2)
	}
	z[0] = complex(real(one(complex(real(z[0]), 0), 1)), real(one(complex(imag(z[0]), 0), 1)))
	slope := 1.0 // m ≤ 1 for small powers, where |f| may be as small as the error
	if count >= 16 {
		slope = min(1, math.Sqrt(derivative/n)*math.Exp(min(700, k*peak/cut))*(1+1e-9))
	}
	return k*spread*slope + 3*unit*k*math.Sqrt(size/n) + 1e-30
}

func pow(f complex128, k int64) complex128 {
	y := complex128(1)
	for {
		if k&1 == 1 {
			y *= f
		}
		if k >>= 1; k == 0 {
			return y
		}
		f *= f
	}
}
