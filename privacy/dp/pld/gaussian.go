package pld

import "math"

// gaussian is the loss of N(µ, 1) against N(0, 1): normal, with mean µ²/2 and variance µ² (Sommer and others 2019, lemma 11).
type gaussian struct{ mu float64 }

func (g gaussian) bounds() (float64, float64)        { return math.Inf(-1), math.Inf(1) }
func (g gaussian) infinite() float64                 { return 0 }
func (g gaussian) cumulant(theta, _ float64) float64 { return theta * (theta + 1) / 2 * g.mu * g.mu }
func (g gaussian) pitch() (float64, float64, bool)   { return 0, 0, false }
func (g gaussian) massError(lo, hi float64) float64 {
	z := g.farthest(lo, hi)
	return (64 + 8*z*z) * unit
}
func (g gaussian) lossError(lo, hi float64) float64 {
	return 8 * unit * (math.Abs(lo) + math.Abs(hi) + g.mu*g.mu)
}
func (g gaussian) farthest(lo, hi float64) float64 {
	return max(math.Abs(g.z(lo)), math.Abs(g.z(hi))) + g.mu
}
func (g gaussian) z(loss float64) float64 { return loss/g.mu - g.mu/2 }
func (g gaussian) reach(down, up float64) (lo, hi float64) {
	// P(Z > z) ≤ exp(-z²/2)/2
	return g.mu*g.mu/2 - g.mu*math.Sqrt(2*down), g.mu*g.mu/2 + g.mu*math.Sqrt(2*up)
}

func (g gaussian) fill(lo, hi float64, to *sink) {
	edges := to.edges(lo, hi, g.mu*g.mu*(to.theta+0.5))
	to.put(edges[0], tail(-g.z(to.at(edges[0])), to.theta*to.at(edges[0])-to.lambda))
	a := to.at(edges[0])
	za := g.z(a)
	for n, j := range edges[1:] {
		i := edges[n]
		b := to.at(j)
		zb := g.z(b)
		tau := to.theta*a - to.lambda
		p := interval(za, zb, tau)
		if p > 0 {
			q := interval(za+g.mu, zb+g.mu, tau+a)
			to.split(i, j, p, upFrom(p, q, za, a, b-a))
		}
		a, za = b, zb
	}
}

// upFrom is the part of a bucket's mass p that goes to its upper end, q being its mass under the other distribution times
// exp(lower end). The quotient is rounded up by what it may be off, which moves the mean loss by a few u and not more,
// whatever the width.
func upFrom(p, q, z, a, width float64) float64 {
	slack := (64 + 8*z*z + 4*math.Abs(a)) * unit
	return (1 - q/p + slack) / -math.Expm1(-width)
}

// subsampled is the loss of a mixture (1-q)·N(0,1) + q·N(µ,1) against N(0, 1), or with add that of N(0, 1) against the mixture.
type subsampled struct {
	mu, q float64
	add   bool
}

func (g subsampled) bounds() (float64, float64) {
	edge := math.Log1p(-g.q)
	if g.add {
		return math.Inf(-1), -edge
	}
	return edge, math.Inf(1)
}

func (g subsampled) infinite() float64               { return 0 }
func (g subsampled) pitch() (float64, float64, bool) { return 0, 0, false }

// ratio is ln((1-q) + q·exp(µz - µ²/2)), the mixture's density over that of N(0,1) at z.
func (g subsampled) ratio(z float64) float64 {
	e := g.mu*z - g.mu*g.mu/2
	if e > 30 {
		return addExp(math.Log1p(-g.q), math.Log(g.q)+e)
	}
	return math.Log1p(g.q * math.Expm1(e))
}

// z inverts ratio; it is -Inf below the range.
func (g subsampled) z(ratio float64) float64 {
	if ratio > 30 {
		return g.mu/2 + (ratio-math.Log(g.q)+math.Log1p((g.q-1)*math.Exp(-ratio)))/g.mu
	}
	t := math.Expm1(ratio) / g.q
	if t <= -1 {
		return math.Inf(-1)
	}
	return g.mu/2 + math.Log1p(t)/g.mu
}

func (g subsampled) reach(down, up float64) (lo, hi float64) {
	if g.add { // loss falls with z
		_, sup := g.bounds()
		return -g.ratio(math.Sqrt(2 * down)), min(sup, -g.ratio(-math.Sqrt(2*up)))
	}
	inf, _ := g.bounds()
	// Above z, the mixture has at most the mass of N(µ,1); below, at most that of N(0,1).
	return max(inf, g.ratio(-math.Sqrt(2*down))), g.ratio(g.mu + math.Sqrt(2*up))
}

func (g subsampled) fill(lo, hi float64, to *sink) {
	edges := to.edges(lo, hi, g.centre(to.theta))
	a := to.at(edges[0])
	sign := 1.0
	if g.add {
		sign = -1
	}
	za := g.z(sign * a)
	g.below(za, edges[0], to)
	for n, j := range edges[1:] {
		i := edges[n]
		b := to.at(j)
		zb := g.z(sign * b)
		left, right := za, zb
		if g.add {
			left, right = zb, za
		}
		tau := to.theta*a - to.lambda
		if left < right {
			if p, q := g.masses(left, right, tau, a); p > 0 {
				near := min(math.Abs(left), math.Abs(right))
				to.split(i, j, p, upFrom(p, q, near+g.mu, a, b-a))
			}
		}
		a, za = b, zb
	}
}

// masses returns e^τ times the mass between two z, and e^(τ+a) times that under the other distribution.
func (g subsampled) masses(left, right, tau, a float64) (p, q float64) {
	one := interval(left, right, tau)
	two := interval(left-g.mu, right-g.mu, tau)
	if math.Abs(a) < 200 {
		e := math.Exp(a)
		if g.add {
			return one, ((1-g.q)*one + g.q*two) * e
		}
		return (1-g.q)*one + g.q*two, one * e
	}
	if g.add {
		return one, (1-g.q)*interval(left, right, tau+a) + g.q*interval(left-g.mu, right-g.mu, tau+a)
	}
	return (1-g.q)*one + g.q*two, interval(left, right, tau+a)
}

// below puts what lies under the first grid point on that point.
func (g subsampled) below(z float64, first int64, to *sink) {
	tau := to.theta*to.at(first) - to.lambda
	if g.add {
		to.put(first, tail(z, tau))
		return
	}
	if !math.IsInf(z, -1) {
		to.put(first, (1-g.q)*tail(-z, tau)+g.q*tail(g.mu-z, tau))
	}
}

// centre is a loss near which most of the tilted mass lies that is not far out.
func (g subsampled) centre(theta float64) float64 {
	if g.add {
		return -g.ratio(0)
	}
	return g.ratio(0)
}

func (g subsampled) massError(lo, hi float64) float64 {
	z := g.farthest(lo, hi)
	return (80 + 8*z*z) * unit
}

func (g subsampled) farthest(lo, hi float64) float64 {
	if g.add {
		lo, hi = -hi, -lo
	}
	far := math.Abs(g.z(hi)) + g.mu
	if z := g.z(lo); !math.IsInf(z, -1) {
		far = max(far, math.Abs(z)+g.mu)
	} else {
		far = max(far, 40)
	}
	return far
}

// lossError: with t = expm1(ratio)/q, rounding moves ratio by at most u·(4|e^ratio - 1| + q·t)/e^ratio, and the logarithm by u·|µz|.
func (g subsampled) lossError(lo, hi float64) float64 {
	if g.add {
		lo, hi = -hi, -lo
	}
	return 8 * unit * (2 + math.Abs(lo) + math.Abs(hi) + math.Exp(-lo) + g.mu*g.mu)
}

// cumulant integrates over z. Its integrand has up to two bumps of width one; a quarter of that is fine enough for what it is for.
func (g subsampled) cumulant(theta, up float64) float64 {
	power, from, to := theta+1, -9.0, 9.0
	if g.add {
		power = -theta
	}
	if power > 0 {
		to += power * g.mu
	} else {
		from += max(power*g.mu, -31)
	}
	if g.add {
		from, to = -math.Sqrt(2*up), min(to, 40)
	} else {
		to = min(to, g.mu+math.Sqrt(2*up))
	}
	n := min(2000, math.Ceil((to-from)/0.25))
	step := (to - from) / n // so that both ends are looked at: a law that is cut off may have its mass at the cut
	var sum, top float64 = 0, math.Inf(-1)
	for i := 0.0; i <= n; i++ {
		z := from + i*step
		e := power*g.ratio(z) - z*z/2
		if e > top {
			sum, top = sum*math.Exp(top-e), e
		}
		sum += math.Exp(e - top)
	}
	return top + math.Log(sum*step/sqrt2Pi)
}

// delta is Φ(µ/2 - ε/µ) - exp(ε)·Φ(-µ/2 - ε/µ) (Balle and Wang 2018, theorem 8), which is φ(a)·(R(a) - R(a+µ)) for a = ε/µ - µ/2 and Mills' ratio R.
func (g gaussian) delta(epsilon float64) Bound {
	a := epsilon/g.mu - g.mu/2
	b := a + g.mu
	slack := (64 + 8*a*a) * unit
	var value, err float64
	if a < 0 {
		x, y := tail(a, 0), tail(b, epsilon)
		value, err = x-y, (x+y)*slack
	} else {
		scale := 0.5 * math.Exp(-a*a/2)
		x, y := erfcx(a/math.Sqrt2), erfcx(b/math.Sqrt2)
		value, err = scale*(x-y), scale*x*slack
	}
	value = min(1, max(0, value)+err)
	return Bound{Value: value, Excess: min(value, 2*err)}
}

// epsilon inverts delta, from above.
func (g gaussian) epsilon(delta float64) Bound {
	if g.delta(0).Value <= delta {
		return Bound{}
	}
	lo, hi := 0.0, g.mu*g.mu/2+g.mu*math.Sqrt(-2*math.Log(delta))+1e-300
	for range 200 {
		mid := lo + (hi-lo)/2
		if mid <= lo || mid >= hi {
			break
		}
		if g.delta(mid).Value <= delta {
			hi = mid
		} else {
			lo = mid
		}
	}
	at := g.delta(hi)
	// δ falls at least as fast as by a factor exp(-ε/µ²) for each unit, and so by its relative error over that
	return Bound{Value: hi, Excess: min(hi, 4*unit*hi+at.Excess/max(delta, 1e-300)/max(hi/g.mu/g.mu, 1e-3))}
}
