package pld

import "math"

// A reading walks down from the window's top and keeps, at loss x,
//
//	tail  = Σ m·exp(-(θ+1)(l-x))                  over masses m at losses l ≥ x
//	delta = Σ m·exp(-θ(l-x))·(1 - exp(-(l-x)))    over the same
//
// so that δ(ε) = exp(logScale - θx)·(delta + tail·(1 - exp(ε-x))) for ε between the next grid point below and x. All terms are
// positive, so nothing cancels. The same is kept for a mass of one everywhere, to tell what the floor adds.
type reading struct {
	c               *convolved
	i               int64
	tail, delta     float64
	ones, onesDelta float64
	decay, decay1   float64 // exp(-θh), exp(-(θ+1)h)
	gain            float64 // 1 - exp(-h)
}

// An answer comes with the rate at which δ falls there.
type answer struct {
	Bound
	rate float64
}

func (c *convolved) read() *reading {
	return &reading{
		c: c, i: c.first + int64(c.n),
		decay: math.Exp(-c.theta * c.h), decay1: math.Exp(-(c.theta + 1) * c.h), gain: -math.Expm1(-c.h),
	}
}

// down goes to the next grid point below; it says whether there is one.
func (r *reading) down() bool {
	if r.i == r.c.first {
		return false
	}
	r.i--
	r.delta = r.decay * (r.delta + r.gain*r.tail)
	r.tail = r.decay1*r.tail + max(0, r.c.mass[r.i&int64(r.c.n-1)]) + r.c.floor
	r.onesDelta = r.decay * (r.onesDelta + r.gain*r.ones)
	r.ones = r.decay1*r.ones + 1
	return true
}

// factor is exp(logScale - θx), rounded up.
func (r *reading) factor() float64 {
	e := r.c.logScale - r.c.theta*r.c.loss(r.i)
	return math.Exp(e + r.c.massErr + 8*unit*(math.Abs(r.c.logScale)+math.Abs(e)) + 64*unit)
}

// heaviest is the largest weight that δ gives to a tilted mass: that of exp(-θd)·(1 - exp(-d)) for any d.
func (c *convolved) heaviest() float64 {
	return math.Exp(-c.theta*math.Log1p(1/c.theta)) / (1 + c.theta)
}

// fixed is the part of δ that no ε takes away.
func (c *convolved) fixed() float64 { return c.infinite + c.above }

// deltaAt returns δ at an ε. Any ε is answered, those near the plan's best.
func (c *convolved) deltaAt(epsilon float64) answer {
	epsilon -= c.lossErr // losses may be that much too low
	r := c.read()
	for r.i > c.first && c.loss(r.i-1) > epsilon {
		r.down()
	}
	x := c.loss(r.i)
	open := -math.Expm1(min(0, epsilon-x))
	f := r.factor()
	value := f*(r.delta+r.tail*open)*(1+64*unit) + c.fixed()
	rounding := f*((r.onesDelta+r.ones*open)*c.floor+c.extra*c.heaviest()) + value*c.massErr
	rate := max(c.theta, f*r.tail*(1-open)/max(value, 1e-300))
	moved := value * math.Expm1(min(700, rate*((rate+1)*c.moved+c.lossErr)))
	if !(value < 1) { // so it is when a factor overflows, too
		return answer{Bound{Value: 1, Excess: 1}, c.theta}
	}
	return answer{Bound{Value: value, Excess: atMost(rounding+c.above+moved, value)}, rate}
}

// epsilonAt returns the least ε that is known to have this δ.
func (c *convolved) epsilonAt(delta float64) answer {
	rest := delta - c.fixed()
	if !(rest > 0) {
		return answer{Bound{Value: math.Inf(1)}, c.theta}
	}
	rest *= 1 - 64*unit
	r := c.read()
	var prev reading
	for {
		prev = *r
		if !r.down() {
			// δ holds down to the window's bottom
			return c.bound(c.loss(c.first), prev)
		}
		if !(r.factor()*r.delta <= rest) || c.loss(r.i) < -c.h {
			break
		}
	}
	if prev.tail == 0 { // nothing lies above
		return c.bound(c.loss(prev.i), prev)
	}
	// Between r and prev: delta + tail·(1 - exp(ε-x)) = rest/factor at prev's x.
	d := min(1, max(0, (rest/prev.factor()-prev.delta)/prev.tail))
	x := c.loss(prev.i) + math.Log1p(-d)
	return c.bound(max(x, c.loss(r.i)), prev)
}

// bound makes x an answer, read from the grid point above.
func (c *convolved) bound(x float64, r reading) answer {
	value := x + c.lossErr + 4*unit*math.Abs(x)
	// what the floor and the masses' error add to δ, over the slope of δ there
	var rounding float64
	rate := c.theta
	if r.tail > 0 {
		d := -math.Expm1(min(0, x-c.loss(r.i)))
		added := (r.onesDelta+r.ones*d)*c.floor + c.extra*c.heaviest() + (r.delta+r.tail*d)*c.massErr
		slope := r.tail * (1 - min(d, 0.99))
		rounding = added / slope
		rate = max(rate, slope/max(r.delta+r.tail*d, 1e-300))
	}
	value = max(0, value)
	return answer{Bound{Value: value, Excess: atMost((rate+1)*c.moved+rounding+2*c.lossErr, value)}, rate}
}

// atMost is the excess, which is never more than the value itself; one that cannot be told is all of it.
func atMost(excess, value float64) float64 {
	if excess >= 0 && excess < value {
		return excess
	}
	return value
}
