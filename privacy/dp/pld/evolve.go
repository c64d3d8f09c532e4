package pld

import "math"

// sampled is a law that was computed by a convolution: m runs of another law on a grid of their own. It holds for one tilt.
type sampled struct {
	c *convolved
}

func (s *sampled) bounds() (float64, float64) {
	return s.c.loss(s.c.first), s.c.loss(s.c.first + int64(s.c.n) - 1)
}

func (s *sampled) infinite() float64                   { return min(1, s.c.fixed()) }
func (s *sampled) pitch() (float64, float64, bool)     { return s.c.offset, s.c.h, false }
func (s *sampled) reach(_, _ float64) (lo, hi float64) { return s.bounds() }
func (s *sampled) massError(lo, hi float64) float64    { return s.c.massErr }
func (s *sampled) lossError(lo, hi float64) float64    { return s.c.lossErr }

func (s *sampled) cumulant(theta float64) float64 {
	var sum float64
	for i := s.c.first; i < s.c.first+int64(s.c.n); i++ {
		sum += s.mass(i) * math.Exp((theta-s.c.theta)*s.c.loss(i))
	}
	return s.c.logScale + math.Log(sum)
}

func (s *sampled) mass(i int64) float64 {
	return max(0, s.c.mass[i&int64(s.c.n-1)]) + s.c.floor
}

// fill moves masses to the coarser grid. They are tilted already, by the same θ.
func (s *sampled) fill(_, _ float64, to *sink) {
	shift := s.c.logScale - to.lambda
	for i := s.c.first; i < s.c.first+int64(s.c.n); i++ {
		x := s.c.loss(i)
		j := int64(math.Floor((x - to.offset) / to.h))
		a := to.at(j)
		to.split(j, j+1, s.mass(i)*math.Exp(shift-to.theta*(x-a)), upper(x-a, to.h))
	}
}

const fewRuns = 64 // fewer are not worth a stage of their own

// evolve composes each law that runs often with itself first, about √k times on a fine grid and a small window, and takes the result
// to be composed on a coarser one: the two-stage algorithm of Ghazi, Kamath, Kumar, Manurangsi 2022, "Faster Privacy
// Accounting via Evolving Discretization", here with one tilt for both stages, so that errors stay relative to what
// the tilt looks at. It returns what is left to compose and what discretisation has moved.
func (s *side) evolve(p plan, allowed float64, limit int) (*side, float64) {
	var out side
	var moved float64
	h := spacingFor(p, s.runs(), allowed)
	for _, q := range s.parts {
		if q.count < fewRuns {
			out.parts = append(out.parts, q)
			continue
		}
		m := int64(math.Exp2(math.Round(math.Log2(float64(q.count)) / 2)))
		for _, n := range []part{{q.law, q.count / m}, {q.law, 1}} {
			runs := m
			if n.count == 1 {
				runs = q.count % m
			}
			if runs == 0 {
				continue
			}
			one := &side{parts: []part{{q.law, runs}}}
			stage := p
			one.window(&stage, float64(q.count))
			c := one.convolve(stage, one.gridAt(stage, h, limit))
			moved += float64(n.count) * c.moved
			out.parts = append(out.parts, part{&sampled{c}, n.count})
		}
	}
	return &out, moved
}

func (s *side) gridAt(p plan, h float64, limit int) grid {
	if g, ok := s.exactGrid(p, limit); ok {
		return g
	}
	g := grid{fine: 1 << 12, n: 1 << 12}
	width := max(p.top-p.bottom, 1e-300)
	for g.n < limit && width/s.usable(g.n) > h {
		g.n *= 2
	}
	g.h = width / s.usable(g.n)
	return g
}
