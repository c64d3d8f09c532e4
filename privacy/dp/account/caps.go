package account

import "math"

// BasicCap returns how much of Epsilon and of Delta basic composition admits within the guarantee: all of it (Rogers, Roth,
// Ullman and Vadhan 2016, theorem 3.6: the sum of adaptively chosen parameters is a filter). It refuses what the others refuse,
// except that δ may be 0.
func BasicCap(epsilonNano, deltaFemto int64) (epsilon, delta int64, err error) {
	if deltaFemto == 0 {
		deltaFemto = 1
		defer func() { delta = 0 }()
	}
	if _, _, err := target(epsilonNano, deltaFemto); err != nil {
		return 0, 0, err
	}
	return epsilonNano, deltaFemto, nil
}

// RhoCap returns the greatest nano-ρ, rounded down, such that ρ-zCDP implies (ε, δ), by Canonne, Kamath and Steinke 2020,
// proposition 12. It is 0 if there is none: that filter then admits nothing.
func RhoCap(epsilonNano, deltaFemto int64) (nano int64, err error) {
	e, d, err := target(epsilonNano, deltaFemto)
	if err != nil {
		return 0, err
	}
	return floorNano(rhoOf(e, d)), nil
}

// RDPCap returns the greatest nano-ε of Rényi differential privacy at that order, rounded down, that implies (ε, δ), by the same
// conversion (Canonne, Kamath and Steinke 2020, proposition 12 with one order). It is 0 if there is none.
func RDPCap(order int, epsilonNano, deltaFemto int64) (nano int64, err error) {
	e, d, err := target(epsilonNano, deltaFemto)
	if err != nil {
		return 0, err
	}
	if order < 2 || order > 1<<20 {
		return 0, refuse("order", "must be an integer of at least 2, and not absurdly large")
	}
	return floorNano(e - rdpPrice(float64(order), d)), nil
}

// Mu2Cap returns the greatest nano-μ², rounded down, such that μ-GDP implies (ε, δ), which is exact for Gaussian mechanisms
// (Dong, Roth and Su 2022, corollary 2.13). It is 0 if there is none.
func Mu2Cap(epsilonNano, deltaFemto int64) (nano int64, err error) {
	e, d, err := target(epsilonNano, deltaFemto)
	if err != nil {
		return 0, err
	}
	mu := muGaussian(e, d)
	return floorNano(mu * mu), nil
}

// target checks a guarantee and returns it as floats, δ rounded down.
func target(epsilonNano, deltaFemto int64) (epsilon, delta float64, err error) {
	switch {
	case epsilonNano <= 0:
		return 0, 0, refuse("epsilon", "must be above 0")
	case epsilonNano > 1e15:
		return 0, 0, refuse("epsilon", "must not be above a million")
	case deltaFemto <= 0:
		return 0, 0, refuse("delta", "must be above 0 for this conversion")
	case deltaFemto >= 1e15:
		return 0, 0, refuse("delta", "must be below 1")
	}
	return float64(epsilonNano) / 1e9, down(float64(deltaFemto) / 1e15), nil
}

// rdpPrice is what converting a Rényi bound of that order above 1 into (ε, δ) adds to it: ε = ρ_α + rdpPrice(α, δ).
//
//	ln(1 − 1/α) − ln(αδ)/(α − 1)    (Canonne, Kamath and Steinke 2020, proposition 12)
func rdpPrice(alpha, delta float64) float64 {
	return math.Log1p(-1/alpha) - (math.Log(delta)+math.Log(alpha))/(alpha-1)
}

// rhoOf is the greatest ρ for which some order proves (ε, δ), within a relative 1e-12; every order is a proof, so a search that stops early
// errs to the safe side.
func rhoOf(epsilon, delta float64) float64 {
	f := func(t float64) float64 { // t = ln(α − 1)
		alpha := 1 + math.Exp(t)
		return (epsilon - rdpPrice(alpha, delta)) / alpha
	}
	return math.Max(0, f(argmax(f, -20, 40)))
}

// argmax looks for the maximum of f over [lo, hi] on a grid and then by golden sections about its best point.
func argmax(f func(float64) float64, lo, hi float64) float64 {
	const steps = 240
	best, at := math.Inf(-1), lo
	for i := range steps + 1 {
		x := lo + (hi-lo)*float64(i)/steps
		if y := f(x); y > best {
			best, at = y, x
		}
	}
	w := (hi - lo) / steps
	a, b := at-w, at+w
	const g = 0.6180339887498949
	for range 80 {
		c, d := b-g*(b-a), a+g*(b-a)
		if f(c) >= f(d) {
			b = d
		} else {
			a = c
		}
	}
	if x := (a + b) / 2; f(x) >= best {
		return x
	}
	return at
}
