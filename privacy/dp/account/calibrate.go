package account

import (
	"math"
	"slices"
)

// noisy are the parameters that make a mechanism more private as they grow; the others make it less so.
var noisy = []string{"sigma", "scale", "noise_parameter"}

// calibrate finds the parameter called name that a mechanism of the row lacks: the least that gives (ε, δ) where it is noise, the greatest
// otherwise. Every mechanism that lacks it gets the same.
func (r Row) calibrate(name string) (float64, string, error) {
	if r.Input.Epsilon == nil {
		return 0, "", refuse("input.epsilon", "must be given")
	}
	var delta float64
	if r.Input.Delta != nil {
		delta = *r.Input.Delta
	}
	return Calibrate(r.Spec, name, *r.Input.Epsilon, delta)
}

// Calibrate returns what the parameter must be that some of the mechanisms lack (sigma, scale, a, noise_parameter, q, epsilon, rho or mu)
// so that all of them together are (ε, δ)-differentially private: the least noise, rounded up, or the most privacy loss, rounded down, and
// how it was found. Closed forms are within a relative 1e-11 of the best, others within 1e-6 of the best that their method proves.
func Calibrate(spec []Mechanism, name string, epsilon, delta float64) (float64, string, error) {
	missing, err := lacking(spec, name)
	if err != nil {
		return 0, "", err
	}
	switch {
	case !(epsilon > 0 && epsilon <= maxE):
		return 0, "", refuse("epsilon", "must be above 0"+rules)
	case !(delta >= 0 && delta < 1):
		return 0, "", refuse("delta", "must be at least 0 and below 1")
	}
	if x, by, ok := calibrateClosed(spec, missing, name, epsilon, delta); ok {
		if !(x > 0) {
			return 0, "", unsupported("delta", "leaves nothing to calibrate")
		}
		return x, by, nil
	}
	s := search{spec: spec, missing: missing, name: name, epsilon: epsilon, delta: delta, sign: 1}
	if !slices.Contains(noisy, name) {
		s.sign = -1
	}
	return s.run()
}

// lacking lists which mechanisms lack the parameter and checks the rest of each.
func lacking(spec []Mechanism, name string) ([]int, error) {
	if len(spec) == 0 {
		return nil, refuse("spec", "must name at least one mechanism")
	}
	var missing []int
	for i := range spec {
		if err := spec[i].check(name); err != nil {
			return nil, at(i, err)
		}
		if spec[i].lacks(name) {
			missing = append(missing, i)
		}
	}
	if missing == nil {
		return nil, refuse("spec", "must have a mechanism that takes "+name+" and lacks it")
	}
	return missing, nil
}

// calibrateClosed answers the cases that need no search.
func calibrateClosed(spec []Mechanism, missing []int, name string, epsilon, delta float64) (float64, string, bool) {
	if len(missing) != len(spec) {
		return 0, "", false
	}
	all := func(kinds ...Kind) bool {
		return !slices.ContainsFunc(spec, func(m Mechanism) bool { return !slices.Contains(kinds, m.Kind) })
	}
	sum := func(power float64) (s float64) {
		for i := range spec {
			s += math.Pow(spec[i].sensitivity(), power) * float64(spec[i].count())
		}
		return s
	}
	switch {
	case name == "sigma" && delta > 0 && all(Gaussian, RoundedGaussian):
		return up(math.Sqrt(sum(2)) / muGaussian(epsilon, delta)), "exact: balle-wang", true
	case name == "mu" && delta > 0 && all(GDP):
		return down(muGaussian(epsilon, delta) / math.Sqrt(sum(0))), "exact: balle-wang", true
	case name == "rho" && delta > 0 && all(ZCDP):
		return down(rhoOf(epsilon, delta) / sum(0)), "zcdp: canonne-kamath-steinke", true
	case name == "scale" && delta == 0 && all(Laplace):
		return ratio(sum(1), epsilon), "exact: pure", true
	case name == "scale" && all(Laplace) && len(spec) == 1 && spec[0].count() == 1:
		// δ = 1 − e^{(ε − Δ/b)/2}
		return up(spec[0].sensitivity() / (epsilon - 2*math.Log1p(-delta))), "exact: laplace", true
	case name == "a" && delta == 0 && all(DiscreteLaplace):
		return down(epsilon / sum(1)), "exact: pure", true
	case name == "epsilon" && delta == 0 && all(EpsilonDelta, Pure, Exponential):
		for i := range spec {
			if spec[i].Delta > 0 {
				return 0, "", false
			}
		}
		return down(epsilon / sum(0)), "exact: pure", true
	}
	return 0, "", false
}

// ratio is x/y, exact where it divides and rounded up otherwise.
func ratio(x, y float64) float64 { return floatUp(quo(ratOf(x), ratOf(y))) }

// search looks for the parameter by bisection of its logarithm.
type search struct {
	spec           []Mechanism
	missing        []int
	name           string
	epsilon, delta float64
	sign           float64 // 1: more is more private
	by             string
}

// with returns the mechanisms with the parameter filled in.
func (s *search) with(x float64) []Mechanism {
	spec := slices.Clone(s.spec)
	for _, i := range s.missing {
		m := &spec[i]
		switch s.name {
		case "sigma":
			m.Sigma = x
		case "scale":
			m.Scale = x
		case "a":
			m.A = x
		case "noise_parameter":
			m.NoiseParameter = x
		case "q":
			m.Q = x
		case "epsilon":
			m.Epsilon = x
		case "rho":
			m.Rho = x
		case "mu":
			m.Mu = x
		}
	}
	return spec
}

// private says whether x is private enough, by the best method or by the quick one.
func (s *search) private(x float64, quick bool) (bool, error) {
	spec := s.with(x)
	if s.delta == 0 {
		s.by = "exact: pure"
		p, err := prepared(spec)
		return err == nil && pureSum(p) <= s.epsilon && curveOf(p).keep == 0, err
	}
	if quick {
		p, err := prepared(spec)
		if err != nil {
			return false, err
		}
		c := curveOf(p)
		e, _ := c.epsilon(s.delta, DefaultOrders())
		return e <= s.epsilon || c.keep == 0 && pureSum(p) <= s.epsilon, nil
	}
	d, by, err := Delta(spec, s.epsilon)
	s.by = by
	return err == nil && d <= s.delta, err
}

func (s *search) run() (float64, string, error) {
	lo, hi := 1e-9, 1e9 // of what is asked for
	switch {
	case s.name == "noise_parameter" || s.name == "q":
		hi = 1
	case s.sign < 0:
		hi = maxE
	}
	// Rényi orders are quick and give a parameter that is private: the best is not far on the other side of it.
	good, bad, err := s.bisect(lo, hi, 1e-3, true)
	if err != nil {
		return 0, "", err
	}
	if good == 0 {
		good, bad = s.ends(lo, hi)
	}
	if s.delta > 0 {
		for step := 1.5; ; step *= step { // move bad until it is not private by the best method either
			bad = math.Min(hi, math.Max(lo, good*math.Pow(step, -s.sign)))
			ok, err := s.private(bad, false)
			if err != nil {
				return 0, "", err
			}
			if !ok {
				break
			}
			if good = bad; bad == lo || bad == hi {
				return good, s.by, nil
			}
		}
		ok, err := s.private(good, false)
		if err != nil {
			return 0, "", err
		}
		if !ok {
			return 0, "", unsupported("delta", "is not reached by any such parameter")
		}
	}
	best, _, err := s.narrow(good, bad, 1e-7, false)
	if err != nil {
		return 0, "", err
	}
	ok, err := s.private(best, false) // for its name too
	if err == nil && !ok {            // the end of the search was taken for private: no such noise is
		err = unsupported(s.name, "has no value that keeps the guarantee")
	}
	if err != nil {
		return 0, "", err
	}
	return best, s.by, nil
}

// ends returns the most private end first.
func (s *search) ends(lo, hi float64) (good, bad float64) {
	if s.sign > 0 {
		return hi, lo
	}
	return lo, hi
}

// bisect narrows the whole range; good is 0 if not even its private end is private.
func (s *search) bisect(lo, hi, tol float64, quick bool) (good, bad float64, err error) {
	good, bad = s.ends(lo, hi)
	ok, err := s.private(good, quick)
	if err != nil || !ok {
		return 0, 0, err
	}
	if ok, err = s.private(bad, quick); err != nil || ok {
		return bad, bad, err
	}
	return s.narrow(good, bad, tol, quick)
}

// narrow halves the ratio of a private and a not private parameter until it is within 1 + tol.
func (s *search) narrow(good, bad, tol float64, quick bool) (float64, float64, error) {
	for range 200 {
		if math.Abs(math.Log(good/bad)) < tol {
			break
		}
		mid := math.Sqrt(good) * math.Sqrt(bad)
		ok, err := s.private(mid, quick)
		if err != nil {
			return 0, 0, err
		}
		if ok {
			good = mid
		} else {
			bad = mid
		}
	}
	return good, bad, nil
}
