package account

import "math"

// DefaultOrders are the Rényi orders that dp_accounting 0.6.0 tries where none are named: 1.1 to 10.9 by tenths, 11 to 63, and
// 128, 256, 512 and 1024.
func DefaultOrders() []float64 {
	var all []float64
	for i := 1; i < 100; i++ {
		all = append(all, 1+float64(i)/10)
	}
	for i := 11; i < 64; i++ {
		all = append(all, float64(i))
	}
	return append(all, 128, 256, 512, 1024)
}

// curve is the Rényi divergence of a composition by order, and ln of the probability that no slack event happens.
type curve struct {
	spec []Mechanism
	keep float64
}

func curveOf(spec []Mechanism) curve {
	c := curve{spec: spec}
	for i := range spec {
		slack, _ := spec[i].slackExact().Float64()
		c.keep += float64(spec[i].count()) * math.Log1p(-slack)
	}
	return c
}

func (c curve) at(alpha float64) float64 {
	sum := 0.0
	for i := range c.spec {
		sum += c.spec[i].rdp(alpha) * float64(c.spec[i].count())
	}
	return sum
}

// named is at for an order that the asker named.
func (c curve) named(alpha float64) float64 {
	sum := 0.0
	for i := range c.spec {
		sum += c.spec[i].rdpNamed(alpha) * float64(c.spec[i].count())
	}
	return sum
}

// left is what remains of δ after the slack: with probability at most s = 1 − e^keep one of the events happens, and otherwise the
// conditional divergence holds, so that δ = s + (1 − s)·δ' (Bun and Steinke 2016, lemma 8.8 as a bound by s + δ').
func (c curve) left(delta float64) float64 {
	if c.keep == 0 {
		return delta
	}
	return down(delta + math.Expm1(c.keep)*(1+1e-12))
}

// epsilonAt converts the divergence r of one order to ε: Canonne, Kamath and Steinke 2020, proposition 12; and 0 where δ² > 1 − e^{−r}, since
// the total variation is at most √(1 − e^{−KL}) (Bretagnolle and Huber 1979).
func epsilonAt(alpha, r, delta float64) float64 {
	switch {
	case delta*delta+math.Expm1(-r) > 1e-15:
		return 0
	case alpha > 1.01:
		return math.Max(0, r+rdpPrice(alpha, delta))
	}
	return math.Inf(1)
}

func deltaAt(alpha, r, epsilon float64) float64 {
	d := math.Sqrt(-math.Expm1(-r))
	if alpha > 1.01 {
		d = math.Min(d, math.Exp((alpha-1)*(r-epsilon+math.Log1p(-1/alpha))-math.Log(alpha)))
	}
	return math.Min(1, d)
}

// epsilon is the least ε that one of the orders proves, and that order. With no orders named it is the best of all real ones above 1.
func (c curve) epsilon(delta float64, orders []float64) (epsilon, order float64) {
	delta = c.left(delta)
	if !(delta > 0) {
		return math.Inf(1), 0
	}
	at := func(a float64) float64 { return epsilonAt(a, c.named(a), delta) }
	if orders == nil {
		at = func(a float64) float64 { return epsilonAt(a, c.at(a), delta) }
		a := 1 + math.Exp(argmax(func(t float64) float64 { return -at(1 + math.Exp(t)) }, -4, 12))
		orders = []float64{a}
	}
	epsilon = math.Inf(1)
	for _, a := range orders {
		if e := at(a); e < epsilon {
			epsilon, order = e, a
		}
	}
	return epsilon * (1 + 1e-13), order
}

// delta is the least δ that one of the orders proves, and that order.
func (c curve) delta(epsilon float64, orders []float64) (delta, order float64) {
	at := func(a float64) float64 { return deltaAt(a, c.named(a), epsilon) }
	if orders == nil {
		at = func(a float64) float64 { return deltaAt(a, c.at(a), epsilon) }
		a := 1 + math.Exp(argmax(func(t float64) float64 { return -at(1 + math.Exp(t)) }, -4, 12))
		orders = []float64{a}
	}
	delta = math.Inf(1)
	for _, a := range orders {
		if d := at(a); d < delta {
			delta, order = d, a
		}
	}
	return math.Min(1, up(-math.Expm1(c.keep)+delta)), order
}
