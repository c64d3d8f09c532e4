package account

import (
	"math"
	"math/big"
	"slices"
)

// Epsilon is the least ε ≥ 0 known for the composition at that δ, rounded up, and how it was found. It returns an [*Error] that is
// [ErrUnsupported] where no finite ε is known.
func Epsilon(spec []Mechanism, delta float64) (float64, string, error) {
	spec, err := prepared(spec)
	if err != nil {
		return 0, "", err
	}
	if !(delta >= 0 && delta < 1) {
		return 0, "", refuse("delta", "must be at least 0 and below 1")
	}
	e, by, err := epsilonBest(spec, delta)
	if err == nil && math.IsInf(e, 1) {
		return 0, "", unsupported("delta", "is too small for any finite ε of these mechanisms")
	}
	return e, by, err
}

func epsilonBest(spec []Mechanism, delta float64) (float64, string, error) {
	pure := pureSum(spec)
	if delta == 0 {
		return pure, "exact: pure", nil
	}
	if !abstract(spec) {
		if p, ok := profileOf(spec); ok {
			e, by := math.Min(p.epsilon(delta), orInf(pure, p.keep == 0)), p.method(spec)
			if ranged(spec) {
				if r, _ := curveOf(spec).epsilon(delta, nil); r < e {
					e, by = r, "rdp"
				}
			}
			return e, by, nil
		}
	}
	c := curveOf(spec)
	best, by := math.Inf(1), ""
	if c.keep == 0 {
		best, by = pure, "pure"
	}
	if !abstract(spec) {
		// What lies beyond the reach of a discretised distribution still has its Rényi bound.
		if b, err := epsilonPLD(spec, delta); err == nil {
			if b.Value <= best {
				best, by = b.Value, "pld"
			}
			if b.Excess <= 0.01*b.Value && !math.IsInf(b.Value, 1) {
				return best, by, nil
			}
		}
	}
	if e, _ := c.epsilon(delta, nil); e < best {
		best, by = e, renyi(spec)
	}
	return best, by, nil
}

// renyi names the conversion from Rényi divergences.
func renyi(spec []Mechanism) string {
	if abstract(spec) && len(spec) == 1 {
		return "zcdp: canonne-kamath-steinke"
	}
	return "rdp"
}

// Delta is the least δ known for the composition at that ε, rounded up, and how it was found.
func Delta(spec []Mechanism, epsilon float64) (float64, string, error) {
	spec, err := prepared(spec)
	if err != nil {
		return 0, "", err
	}
	if !(epsilon >= 0 && epsilon <= maxE) {
		return 0, "", refuse("epsilon", "must be at least 0"+rules)
	}
	c := curveOf(spec)
	slack := up(-math.Expm1(c.keep))
	if !abstract(spec) {
		if p, ok := profileOf(spec); ok {
			if pureSum(spec) <= epsilon {
				return slack, p.method(spec), nil
			}
			d, by := p.delta(epsilon), p.method(spec)
			if ranged(spec) {
				if r, _ := curveOf(spec).delta(epsilon, nil); r < d {
					d, by = r, "rdp"
				}
			}
			return d, by, nil
		}
	}
	if pureSum(spec) <= epsilon {
		return slack, "exact: pure", nil
	}
	best, by := 1.0, "trivial"
	if !abstract(spec) {
		if b, err := deltaPLD(spec, epsilon); err == nil {
			if b.Value <= best {
				best, by = b.Value, "pld"
			}
			if b.Excess <= 0.01*b.Value {
				return best, by, nil
			}
		}
	}
	if d, _ := c.delta(epsilon, nil); d < best {
		best, by = d, renyi(spec)
	}
	return best, by, nil
}

// abstract says whether a mechanism is known by a Rényi bound alone, so that there is no pair of distributions to compose.
func abstract(spec []Mechanism) bool {
	return slices.ContainsFunc(spec, func(m Mechanism) bool { return m.Kind == ZCDP })
}

// ranged says whether a mechanism has more than its ε to it, so that its profile as an ε-differentially private one is not the best known.
func ranged(spec []Mechanism) bool {
	return slices.ContainsFunc(spec, func(m Mechanism) bool { return m.Kind == Exponential })
}

// pureSum is Σε where every mechanism is ε-differentially private but for slack, +Inf otherwise. It is exact where each reaches its
// greatest loss, which the mechanisms of this package do.
func pureSum(spec []Mechanism) float64 {
	sum := new(big.Rat)
	for i := range spec {
		e := spec[i].pureExact()
		if e == nil {
			return math.Inf(1)
		}
		sum.Add(sum, mul(e, ratInt(spec[i].count())))
	}
	return floatUp(sum)
}

// floatUp is the least float64 that is not below x.
func floatUp(x *big.Rat) float64 {
	f, _ := x.Float64()
	if !math.IsInf(f, 0) && new(big.Rat).SetFloat64(f).Cmp(x) < 0 && ratOf(f).Cmp(x) < 0 {
		return math.Nextafter(f, math.Inf(1))
	}
	return f
}

func orInf(x float64, ok bool) float64 {
	if ok {
		return x
	}
	return math.Inf(1)
}
