package account

import (
	"math"
	"math/big"
	"slices"
)

// Filter names a rule by which charges that are chosen step by step, parameters included, are admitted.
type Filter string

// The filters. Each is a guarantee (ε, δ) of whatever it admits.
const (
	// FilterPure sums ε (Rogers, Roth, Ullman and Vadhan 2016, theorem 3.6 with δ = 0).
	FilterPure Filter = "pure"
	// FilterBasic sums ε and δ (the same theorem).
	FilterBasic Filter = "basic"
	// FilterAdvanced stops before √(2·ln(1/δ′)·Σε²) + ½Σε² passes ε or Σδ passes δ″, where δ = δ′ + δ″ (Whitehouse, Ramdas, Rogers and
	// Wu 2023, theorem 1; derived anew in docs/spec/dp-accounting.md). δ′ is half of δ unless it is said otherwise.
	FilterAdvanced Filter = "advanced"
	// FilterZCDP sums ρ (Whitehouse et al. 2023, for approximate zCDP).
	FilterZCDP Filter = "zcdp"
	// FilterRDP sums Rényi divergences of one order (Feldman and Zrnic 2021).
	FilterRDP Filter = "rdp"
	// FilterGDP sums μ² (Smith and Thakurta 2022, of Gaussian mechanisms).
	FilterGDP Filter = "gdp"
	// FilterBatch is no filter: what it counts must all be declared before the first one runs.
	FilterBatch Filter = "batch"
)

var filters = []Filter{FilterPure, FilterBasic, FilterAdvanced, FilterZCDP, FilterRDP, FilterGDP}

// filterOrders are tried where no order is named; one of them is fixed before the first charge.
var filterOrders = []float64{2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256}

// limit is what a filter counts up to.
type limit struct {
	epsilon, delta float64
	orders         []float64 // of FilterRDP, the best of which is taken; nil: filterOrders
	prime          float64   // δ′ of FilterAdvanced; 0: half of δ
	rho            float64   // the cap of FilterZCDP, in place of ε and δ
}

// maxCount is how many times the whole list is admitted, rounded down: 0 if not once.
func maxCount(spec []Mechanism, f Filter, l limit) (int64, string, error) {
	spec, err := prepared(spec)
	if err != nil {
		return 0, "", err
	}
	switch {
	case l.rho != 0 && f == FilterZCDP:
		n, err := countRho(spec, l.rho)
		return n, "filter: zcdp", err
	case !(l.epsilon > 0 && l.epsilon <= maxE):
		return 0, "", refuse("target_epsilon", "must be above 0"+rules)
	case !(l.delta >= 0 && l.delta < 1):
		return 0, "", refuse("target_delta", "must be at least 0 and below 1")
	case !(l.prime >= 0 && l.prime <= l.delta):
		return 0, "", refuse("delta_prime", "must be at least 0 and at most target_delta")
	}
	if f != "" {
		n, err := countBy(spec, f, l)
		return n, "filter: " + string(f), err
	}
	var best int64
	by := Filter("")
	for _, f := range filters {
		if n, err := countBy(spec, f, l); err == nil && (by == "" || n > best) {
			best, by = n, f
		}
	}
	if by == "" {
		return 0, "", unsupported("spec", "is admitted by no filter")
	}
	return best, "filter: " + string(by), nil
}

func countBy(spec []Mechanism, f Filter, l limit) (int64, error) {
	slack := new(big.Rat)
	for i := range spec {
		slack.Add(slack, mul(spec[i].slackExact(), ratInt(spec[i].count())))
	}
	switch f {
	case FilterPure, FilterBasic:
		return countBasic(spec, f, l, slack)
	case FilterAdvanced:
		return countAdvanced(spec, l, slack)
	case FilterBatch:
		return countBatch(spec, l)
	}
	// The others take their δ whole, or share it with slack in halves.
	if l.delta == 0 {
		return 0, refuse("target_delta", "must be above 0 for this filter")
	}
	n := int64(maxN)
	if slack.Sign() > 0 {
		n = floorInt(quo(mul(ratOf(l.delta), half), slack), maxN)
		l.delta /= 2
	}
	rho := new(big.Rat)
	gaussian := true
	for i := range spec {
		rho.Add(rho, mul(spec[i].rhoExact(), ratInt(spec[i].count())))
		gaussian = gaussian && spec[i].gaussian()
	}
	switch f {
	case FilterZCDP:
		return min(n, floorInt(quo(ratOf(down(rhoOf(l.epsilon, l.delta))), rho), maxN)), nil
	case FilterGDP:
		if !gaussian {
			return 0, unsupported("spec", "must be Gaussian noise alone for this filter")
		}
		mu := muGaussian(l.epsilon, l.delta)
		return min(n, floorInt(quo(ratOf(down(mu*mu)), mul(rho, ratInt(2))), maxN)), nil
	case FilterRDP:
		return min(n, countRDP(curveOf(spec), l)), nil
	}
	return 0, refuse("filter", "must be one of the known filters")
}

// countRho counts up to a cap that is given in ρ; slack would need a δ beside it.
func countRho(spec []Mechanism, cap float64) (int64, error) {
	rho := new(big.Rat)
	for i := range spec {
		if spec[i].slackExact().Sign() > 0 {
			return 0, unsupported("spec", "has a mechanism with a δ")
		}
		rho.Add(rho, mul(spec[i].rhoExact(), ratInt(spec[i].count())))
	}
	return floorInt(quo(ratOf(cap), rho), maxN), nil
}

func countBasic(spec []Mechanism, f Filter, l limit, slack *big.Rat) (int64, error) {
	sum := new(big.Rat)
	for i := range spec {
		e := spec[i].pureExact()
		if e == nil {
			return 0, unsupported("spec", "has a mechanism without an ε of its own")
		}
		sum.Add(sum, mul(e, ratInt(spec[i].count())))
	}
	n := floorInt(quo(ratOf(l.epsilon), sum), maxN)
	switch {
	case slack.Sign() == 0:
	case f == FilterPure:
		return 0, unsupported("spec", "has a mechanism with a δ")
	default:
		n = min(n, floorInt(quo(ratOf(l.delta), slack), maxN))
	}
	return n, nil
}

func countAdvanced(spec []Mechanism, l limit, slack *big.Rat) (int64, error) {
	if l.delta == 0 {
		return 0, refuse("target_delta", "must be above 0 for this filter")
	}
	prime := l.prime
	if prime == 0 {
		prime = l.delta / 2
	}
	sum := new(big.Rat) // of ε²
	for i := range spec {
		e := spec[i].pureExact()
		if e == nil {
			return 0, unsupported("spec", "has a mechanism without an ε of its own")
		}
		sum.Add(sum, mul(e, e, ratInt(spec[i].count())))
	}
	// With v = √Σε² the rule is ½v² + √(2L)·v ≤ ε, hence v ≤ √(2L + 2ε) − √(2L) = 2ε/(√(2L + 2ε) + √(2L)).
	two := -2 * math.Log(prime)
	v := 2 * l.epsilon / (math.Sqrt(two+2*l.epsilon) + math.Sqrt(two))
	n := floorInt(quo(ratOf(down(v*v)), sum), maxN)
	if slack.Sign() > 0 {
		rest := new(big.Rat).Sub(ratOf(l.delta), ratOf(prime))
		n = min(n, floorInt(quo(rest, slack), maxN))
	}
	return n, nil
}

func countRDP(c curve, l limit) int64 {
	c.keep = 0
	orders := l.orders
	if orders == nil {
		orders = filterOrders
	}
	var best int64
	for _, a := range orders {
		room, each := l.epsilon-rdpPrice(a, l.delta), c.at(a)
		if a <= 1.01 || !(room > 0) || !(each > 0) || math.IsInf(each, 1) {
			continue
		}
		best = max(best, floorInt(ratOf(down(room/each)), maxN))
	}
	return best
}

// countBatch is the greatest n for which the n-fold composition, declared beforehand, is (ε, δ)-differentially private.
func countBatch(spec []Mechanism, l limit) (int64, error) {
	fits := func(n int64) (bool, error) {
		scaled := slices.Clone(spec)
		for i := range scaled {
			if scaled[i].count() > maxN/n {
				return false, nil
			}
			scaled[i].Count = scaled[i].count() * n
		}
		if l.delta == 0 {
			return pureSum(scaled) <= l.epsilon, nil
		}
		d, _, err := Delta(scaled, l.epsilon)
		return err == nil && d <= l.delta, err
	}
	var lo, hi int64 = 0, 1
	for {
		ok, err := fits(hi)
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		if lo, hi = hi, 2*hi; hi > maxN {
			return lo, nil
		}
	}
	for hi-lo > 1 {
		mid := lo + (hi-lo)/2
		ok, err := fits(mid)
		if err != nil {
			return 0, err
		}
		if ok {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo, nil
}
