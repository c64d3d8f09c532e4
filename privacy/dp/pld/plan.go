package pld

import "math"

// A side is one direction of neighbours: laws and how often each runs.
type side struct {
	parts []part
	blur  float64 // spacing of a grid that cumulant is to allow for
}

type part struct {
	law   law
	count int64
}

// sums over all runs.
func (s *side) cumulant(theta, up float64) float64 {
	var sum float64
	for _, p := range s.parts {
		sum += float64(p.count) * p.law.cumulant(theta, up)
	}
	if s.blur > 0 {
		sum += s.runs() * theta * (theta + 1) * s.blur * s.blur / 8
	}
	return sum
}

func (s *side) bounds() (inf, sup float64) {
	for _, p := range s.parts {
		lo, hi := p.law.bounds()
		inf += float64(p.count) * lo
		sup += float64(p.count) * hi
	}
	return inf, sup
}

func (s *side) runs() (n float64) {
	for _, p := range s.parts {
		n += float64(p.count)
	}
	return n
}

// infinite is the probability that any loss is infinite, rounded up.
func (s *side) infinite() float64 {
	var logNone float64
	for _, p := range s.parts {
		logNone += float64(p.count) * math.Log1p(-p.law.infinite())
	}
	return min(1, -math.Expm1(logNone)*(1+8*unit))
}

// A target is what is asked: ε at a δ, or δ at an ε.
type target struct {
	delta   float64 // above 0 if ε is asked
	epsilon float64
}

// A plan says where to look. Nothing of it needs to be right for the answer to be sound.
type plan struct {
	theta    float64 // the tilt
	epsilon  float64 // about the answer, or the question
	logDelta float64 // likewise
	bottom   float64 // hardly any tilted mass lies below
	top      float64 // hardly any mass lies above
	s        float64 // the tilt that shows it for top
	t        float64 // the tilt downwards that shows it for bottom, at least theta
	up       float64 // see side.cut
	spread   float64 // about the standard deviation of the tilted sum
	rate     float64 // about by what factor, as a logarithm, δ falls for each unit of ε
}

// easy makes the tilt a little less than best. Beyond the best one, a law with a long tail has its tilted mass far out; a little below,
// hardly anything is lost, since the bound is flat there.
const easy = 0.8

// conversion is the logarithm of the factor by which a bound by a moment is better than Markov's (Canonne, Kamath, Steinke 2020, proposition 12).
func conversion(theta float64) float64 { return -math.Log1p(theta) - theta*math.Log1p(1/theta) }

// plan finds the tilt at which the bound by moments is best, and a window that holds what matters there.
func (s *side) plan(t target) plan {
	p := plan{epsilon: t.epsilon, logDelta: -690}
	if t.delta > 0 {
		p.logDelta = math.Log(t.delta)
	}
	p.up = s.cut(p.logDelta)
	epsilonBy := func(x float64) float64 {
		th := math.Exp(x)
		return (s.cumulant(th, p.up) - p.logDelta + conversion(th)) / th
	}
	deltaBy := func(x float64) float64 {
		th := math.Exp(x)
		return s.cumulant(th, p.up) - th*t.epsilon + conversion(th)
	}
	const least7, most10 = -16.1, 23.1 // 1e-7 and 1e10
	if t.delta > 0 {
		x := least(epsilonBy, least7, most10, 28)
		p.theta, p.epsilon = easy*math.Exp(x), max(epsilonBy(x), 0)
	} else {
		// Where laws are cut off depends on δ, which is not known: look twice.
		x := least(deltaBy, least7, most10, 20)
		for range 2 {
			p.logDelta = min(0, max(deltaBy(x), -690))
			p.up = s.cut(p.logDelta - 5)
			x = least(deltaBy, least7, most10, 28)
		}
		p.theta = easy * math.Exp(x)
	}
	if h := s.coarse(); h > 0 {
		p.theta = min(p.theta, 40/h) // more sets one grid point apart from the next and nothing else
	}
	p.rate = p.theta
	s.window(&p, 1)
	return p
}

// cut is how improbable, as -ln, a loss of one run must be to count as infinite.
func (s *side) cut(logDelta float64) float64 { return 28 + math.Log(s.runs()) - logDelta }

// coarse is the least spacing if all laws are exact, else 0.
func (s *side) coarse() float64 {
	h := math.Inf(1)
	for _, q := range s.parts {
		_, spacing, exact := q.law.pitch()
		if !exact {
			return 0
		}
		h = min(h, spacing)
	}
	return h
}

// window sets bottom, top and s such that mass above top, times the given number of repetitions, is a small part of δ, and tilted mass below bottom of all.
func (s *side) window(p *plan, repeats float64) {
	inf, sup := s.bounds()
	at := s.cumulant(p.theta, p.up)
	up := 25 + math.Log(repeats) - p.logDelta
	above := func(x float64) float64 {
		d := math.Exp(x)
		return (s.cumulant(p.theta+d, p.up) + up) / (p.theta + d)
	}
	finest := 1e-3 / (1 + p.theta) // masses of this distance weigh alike
	spread := math.Sqrt(max(s.variance(p.theta, p.up), finest*finest))
	p.spread = spread
	x := least(above, math.Log(1e-3/spread), math.Log(100/spread), 14)
	p.s, p.top = math.Exp(x), above(x)
	far := func(x float64) float64 {
		d := math.Exp(x)
		return (s.cumulant(p.theta+d, p.up) - at + 30 + math.Log(repeats)) / d
	}
	p.top = max(p.top, far(least(far, math.Log(1e-2/spread), math.Log(60/spread), 14)))
	down := 36 + math.Log(repeats)
	below := func(x float64) float64 {
		d := math.Exp(x)
		return -(at - s.cumulant(p.theta-d, p.up) - down) / d
	}
	down1 := least(below, math.Log(1/spread), math.Log(60/spread), 14)
	if below(math.Log(p.theta)) < below(down1) || p.theta > math.Exp(down1) {
		down1 = math.Log(p.theta) // nothing is heavier without a tilt than with
	}
	p.bottom, p.t = -below(down1), math.Exp(down1)
	p.top, p.bottom = min(p.top, sup), max(p.bottom, inf)
	if !(p.top > p.bottom) {
		p.bottom, p.top, p.s = inf, sup, 0
	}
}

// variance is about the variance of the tilted sum.
func (s *side) variance(theta, up float64) float64 {
	d := 0.05 * (1 + theta)
	return (s.cumulant(theta+d, up) - 2*s.cumulant(theta, up) + s.cumulant(theta-d, up)) / d / d
}

// least returns about where f, falling and then rising, is least: by golden section, in n evaluations.
func least(f func(float64) float64, a, b float64, n int) float64 {
	const g = 0.6180339887498949
	c, d := b-g*(b-a), a+g*(b-a)
	fc, fd := f(c), f(d)
	for range n {
		if fc < fd || math.IsNaN(fd) {
			b, d, fd = d, c, fc
			c = b - g*(b-a)
			fc = f(c)
		} else {
			a, c, fc = c, d, fd
			d = a + g*(b-a)
			fd = f(d)
		}
	}
	if fc < fd {
		return c
	}
	return d
}

// A grid is where a convolution is computed.
type grid struct {
	h     float64
	n     int     // buckets, a power of two
	exact bool    // all laws keep to it
	fine  float64 // see sink
}

const (
	minBuckets  = 1 << 5
	freeBuckets = 1 << 16 // precision up to here costs next to nothing
	manyParts   = 16
	manyBuckets = 1 << 14 // likewise, for each of many parts
)

// step returns a law's spacing over h if the law keeps to the grid, else 0.
func (g grid) step(l law) int64 {
	_, spacing, exact := l.pitch()
	if !exact {
		return 0
	}
	r := spacing / g.h
	if n := math.Round(r); n >= 1 && n < 1<<40 && math.Abs(r-n) <= 4*unit*n {
		return int64(n)
	}
	return 0
}

// exactGrid returns a grid that all laws keep to, if there is one of at most limit buckets.
func (s *side) exactGrid(p plan, limit int) (grid, bool) {
	least := s.coarse()
	if least == 0 {
		return grid{}, false
	}
next:
	for m := 1.0; m <= 16; m++ {
		g := grid{h: least / m, exact: true, fine: 1 << 12}
		for _, q := range s.parts {
			if g.step(q.law) == 0 {
				continue next
			}
		}
		want := (p.top-p.bottom)/g.h + 4
		if want > float64(limit) {
			return grid{}, false
		}
		g.n = minBuckets
		for float64(g.n) < want {
			g.n *= 2
		}
		return g, true
	}
	return grid{}, false
}

// grid chooses the spacing such that discretisation moves the answer by at most allowed, if limit buckets are enough.
// A bucket of width h moves the logarithm of the θ-th moment by at most θ(θ+1)h²/8, and so ε by (θ+1)h²/8 a run; θ is how fast δ falls there.
func (s *side) grid(p plan, allowed float64, limit int) grid {
	if g, ok := s.exactGrid(p, limit); ok {
		return g
	}
	g := grid{fine: 1 << 12, n: min(limit, freeBuckets)}
	if len(s.parts) > manyParts {
		g.fine, g.n = 1<<10, min(limit, manyBuckets)
	}
	h := spacingFor(p, s.runs(), allowed)
	width := p.top - p.bottom
	for g.n < limit && width/s.usable(g.n) > h {
		g.n *= 2
	}
	g.h = max(width, 1e-300) / s.usable(g.n)
	// Keep to the pitch of the law that runs most often, which then is exact or has its atoms on the grid.
	var most int64
	h = g.h
	for _, q := range s.parts {
		if _, spacing, _ := q.law.pitch(); spacing >= 2*g.h && q.count > most {
			most, h = q.count, spacing/math.Floor(spacing/g.h)
		}
	}
	g.h = h
	return g
}

// usable is the number of buckets for a window; each run may reach one beyond.
func (s *side) usable(n int) float64 { return float64(n) - 8 - min(s.runs(), float64(n)/16) }

func spacingFor(p plan, runs, allowed float64) float64 {
	return math.Sqrt(8 * allowed / runs / (p.rate + 1))
}
