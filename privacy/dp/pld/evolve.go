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

func (s *sampled) cumulant(theta, _ float64) float64 {
	var sum float64
	for i := s.c.first; i < s.c.first+int64(s.c.n); i++ {
		sum += s.mass(i) * math.Exp((theta-s.c.theta)*s.c.loss(i))
	}
	return s.c.logScale + math.Log(sum)
}

// mass is at least what lies at an index. What lies below the window was folded into it as a tilted mass, and counts for too little
// there once it is composed further: so it is put on the first index whole.
func (s *sampled) mass(i int64) float64 {
	m := max(0, s.c.mass[i&int64(s.c.n-1)]) + s.c.floor
	if i == s.c.first {
		m += s.c.below
	}
	return m
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

// A stage is a law to be composed with itself first: each of counts times runs runs.
type stage struct {
	side  side
	plan  plan
	grid  grid
	count int64
}

// stages plans to compose each law that runs often with itself first, about √k times on a fine grid and a small window, such that the
// results can be composed on a coarser one: the two-stage algorithm of Ghazi, Kamath, Kumar, Manurangsi 2022, "Faster
// Privacy Accounting via Evolving Discretization", here with one tilt for both stages, so that errors stay relative to what the
// tilt looks at. The rest is what stays as it is. It says no if windows are too wide for that.
func (s *side) stages(p plan, allowed float64, limit int) (out []stage, rest []part, ok bool) {
	h := spacingFor(p, s.runs(), allowed)
	for _, q := range s.parts {
		if q.count < fewRuns {
			rest = append(rest, q)
			continue
		}
		m := int64(math.Exp2(math.Round(math.Log2(float64(q.count)) / 2)))
		for _, n := range []struct{ runs, count int64 }{{m, q.count / m}, {q.count % m, 1}} {
			if n.runs == 0 {
				continue
			}
			st := stage{side: side{parts: []part{{q.law, n.runs}}, blur: h}, plan: p, count: n.count}
			st.side.window(&st.plan, float64(q.count))
			st.grid = st.side.gridAt(st.plan, h, limit)
			if !st.grid.exact && !(st.grid.h <= 1.5*h) {
				return nil, nil, false
			}
			out = append(out, st)
		}
	}
	return out, rest, len(out) > 0
}

// evolve runs the stages and returns what is left to compose, and what discretisation has moved.
func evolve(stages []stage, rest []part) (*side, float64) {
	out := &side{parts: rest}
	var moved float64
	for _, st := range stages {
		c := st.side.convolve(st.plan, st.grid)
		moved += float64(st.count) * c.moved
		out.parts = append(out.parts, part{&sampled{c}, st.count})
	}
	return out, moved
}

// gridAt returns a grid of spacing h or, where limit buckets are too few for that, coarser.
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
