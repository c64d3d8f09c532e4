package workload

import "math"

// shape is θ up to a factor.
func (s *Strategy) shape() []float64 {
	v, p := s.coefficients()
	theta := make([]float64, len(s.sets))
	for i := range theta {
		theta[i] = math.Sqrt(v[i] / p[i])
	}
	if s.unit.Groups == 1 {
		return theta
	}
	return s.descend(theta, v)
}

// coefficients are v and p of [Plan].
func (s *Strategy) coefficients() (v, p []float64) {
	v, p = make([]float64, len(s.sets)), make([]float64, len(s.sets))
	for i, a := range s.sets {
		p[i] = 1
		for j, n := range s.w.Domain {
			if a.has(j) {
				p[i] *= 1 - 1/float64(n)
			}
		}
		for _, q := range s.w.Queries {
			of := setOf(q.By)
			if a&^of != 0 {
				continue
			}
			x := float64(q.Weight) * p[i]
			for j, n := range s.w.Domain {
				if of.has(j) && !a.has(j) {
					x /= float64(n) * float64(n)
				}
			}
			v[i] += x
		}
	}
	return v, p
}

// transform turns f over sets A into Σ_A f(A)·Π_{i∈A∩T}(1−1/n_i)·Π_{i∈A∖T}(−1/n_i) over sets T; turned, its transpose.
func (s *Strategy) transform(f []float64, turned bool) {
	for i, d := range s.w.Domain {
		n := float64(d)
		for t := range f {
			if !set(t).has(i) {
				continue
			}
			without := t &^ (1 << i)
			with, none := f[t], f[without]
			if turned {
				f[t], f[without] = (1-1/n)*with-none/n, with+none
			} else {
				f[t], f[without] = none+(1-1/n)*with, none-with/n
			}
		}
	}
}

// kappa is κ by T.
func (s *Strategy) kappa(theta []float64) []float64 {
	f := make([]float64, 1<<len(s.w.Domain))
	for i, a := range s.sets {
		f[a] = theta[i]
	}
	s.transform(f, false)
	return f
}

// worst is the bound on vᵀKv for Most = 1.
func (s *Strategy) worst(theta []float64) float64 {
	k := s.kappa(theta)
	g, off := float64(s.unit.Groups), 0.0
	for t := range len(k) - 1 {
		if s.possible(set(t)) {
			off = max(off, math.Abs(k[t]))
		}
	}
	return g*k[len(k)-1] + g*(g-1)*off
}

// descend lowers Σ v/θ · worst(θ), which does not change with θ's scale, from a start on: gradient steps on logarithms, with the maximum over T
// smoothed by a power that grows. What it finds only decides how exact answers are.
func (s *Strategy) descend(start, v []float64) []float64 {
	value := func(theta []float64) float64 {
		sum := 0.0
		for i := range theta {
			sum += v[i] / theta[i]
		}
		return sum * s.worst(theta)
	}
	best := append([]float64(nil), start...)
	least := value(best)
	theta := append([]float64(nil), start...)
	for _, power := range []float64{4, 16, 64, 256} {
		step := 0.5
		for range 60 {
			g := s.gradient(theta, v, power)
			next := make([]float64, len(theta))
			for i := range next {
				next[i] = theta[i] * math.Exp(-step*g[i])
			}
			if s.smooth(next, v, power) < s.smooth(theta, v, power) {
				theta, step = next, step*1.5
				if x := value(theta); x < least {
					least = x
					copy(best, theta)
				}
			} else if step /= 4; step < 1e-9 {
				break
			}
		}
	}
	return best
}

// parts are Σ v/θ and the worst case smoothed: (Σ_T |κ_T|^power)^(1/power) in place of the maximum.
func (s *Strategy) parts(theta, v []float64, power float64) (variance, worst, off, top float64, k []float64) {
	for i := range theta {
		variance += v[i] / theta[i]
	}
	k = s.kappa(theta)
	for t := range len(k) - 1 {
		if s.possible(set(t)) {
			top = max(top, math.Abs(k[t]))
		}
	}
	if top > 0 {
		for t := range len(k) - 1 {
			if s.possible(set(t)) {
				off += math.Pow(math.Abs(k[t])/top, power)
			}
		}
		off = top * math.Pow(off, 1/power)
	}
	g := float64(s.unit.Groups)
	return variance, g*k[len(k)-1] + g*(g-1)*off, off, top, k
}

func (s *Strategy) smooth(theta, v []float64, power float64) float64 {
	variance, worst, _, _, _ := s.parts(theta, v, power)
	return math.Log(variance) + math.Log(worst)
}

// gradient is that of smooth by log θ.
func (s *Strategy) gradient(theta, v []float64, power float64) []float64 {
	variance, worst, off, _, k := s.parts(theta, v, power)
	g := float64(s.unit.Groups)
	d := make([]float64, len(k))
	d[len(k)-1] = g
	for t := range len(k) - 1 {
		if s.possible(set(t)) && off > 0 {
			d[t] = g * (g - 1) * math.Copysign(math.Pow(math.Abs(k[t])/off, power-1), k[t])
		}
	}
	s.transform(d, true)
	out := make([]float64, len(theta))
	for i, a := range s.sets {
		out[i] = theta[i]*d[a]/worst - v[i]/theta[i]/variance
	}
	return out
}
