package risk

import "math"

// estimateSNB fits the slide negative binomial model (Chen and Keller-McNulty 1998, "Estimation of identification disclosure risk in
// microdata", Journal of Official Statistics 14): the size of a class in the population is one more than a negative binomial
// number with α > 0 and 0 < β < 1, each person came into the table with chance π. With K classes in the population and w = (1-β)(1-π)
//
//	E(s₁) = K π (β/(1-w))ᵅ (1 + αw/(1-w))
//	E(s₂) = K α βᵅ π² (1-β) (2-(1-α)w) / (2 (1-w)ᵅ⁺²)
//	E(S₁) = K βᵅ
//
// K is estimated by Shlosser's estimator in the form of Haas and Stokes 1998 ("Estimating the number of classes in a finite population",
// their D̂_Sh3), as Dankar et al. 2012 do. The equations for s₁ and s₂ are then solved: their quotient gives α as the one positive root of
// a quadratic equation for each β, and the equation for s₁ is looked through in β and bisected where its sign changes. Of several solutions the one
// that best expects how many classes the table has is taken; where there is none, the model does not fit, and the estimate says so.
func estimateSNB(s Sizes, persons float64) Estimate {
	n := float64(s.Rows())
	m := snb{fraction: n / persons, s1: float64(s[1]), s2: float64(s[2]), seen: float64(s.Classes())}
	if m.s2 == 0 {
		return Estimate{By: SNB, Note: "no class has two rows, which the model needs"}
	}
	m.classes = shlosser(s, m.fraction)
	if !(m.classes >= m.seen) || math.IsInf(m.classes, 0) {
		return Estimate{By: SNB, Note: "the number of classes in the population cannot be estimated"}
	}
	m.classes = min(m.classes, persons)
	// β is looked through on the scale of its odds, which is where solutions near 0 and 1 lie apart.
	const from, to, steps = -30.0, 30.0, 1200
	best, found := 0.0, false
	least := math.Inf(1)
	last := m.miss(from)
	for i := 1; i <= steps; i++ {
		x := from + (to-from)*float64(i)/steps
		now := m.miss(x)
		if (last <= 0) != (now <= 0) && !math.IsNaN(last) && !math.IsNaN(now) {
			beta, alpha := m.bisect(x-(to-from)/steps, x)
			if off := math.Abs(m.expectSeen(alpha, beta) - m.seen); off < least {
				least, found = off, true
				best = m.classes * math.Exp(alpha*math.Log(beta))
			}
		}
		last = now
	}
	if !found {
		return Estimate{By: SNB, Note: "the model's equations have no solution for this table"}
	}
	return share(SNB, best, persons, "")
}

type snb struct {
	fraction, classes, s1, s2, seen float64
}

// alpha solves E(s₂)/E(s₁) = s₂/s₁, which is α(2-w+αw) π(1-β) = 2 (s₂/s₁)(1-w)(1-w+αw), for the positive root.
func (m snb) alpha(beta float64) float64 {
	w := (1 - beta) * (1 - m.fraction)
	r := 2 * (1 - w) * m.s2 / (m.s1 * m.fraction * (1 - beta))
	b, c := (2-w)-r*w, -r*(1-w)
	if w < 1e-300 {
		return -c / b
	}
	root := math.Sqrt(b*b - 4*w*c) // c is negative
	if b > 0 {
		return -2 * c / (b + root)
	}
	return (root - b) / (2 * w)
}

// miss is the logarithm of E(s₁) over s₁, at the β whose odds have this logarithm.
func (m snb) miss(x float64) float64 {
	beta := 1 / (1 + math.Exp(-x))
	a := m.alpha(beta)
	w := (1 - beta) * (1 - m.fraction)
	return math.Log(m.classes*m.fraction) - a*math.Log((1-w)/beta) + math.Log1p(a*w/(1-w)) - math.Log(m.s1)
}

func (m snb) bisect(low, high float64) (beta, alpha float64) {
	up := m.miss(low) <= 0
	for range 80 {
		mid := (low + high) / 2
		if (m.miss(mid) <= 0) == up {
			low = mid
		} else {
			high = mid
		}
	}
	beta = 1 / (1 + math.Exp(-(low+high)/2))
	return beta, m.alpha(beta)
}

// expectSeen is how many classes of the population the table is expected to have: K (1 - (1-π)(β/(1-w))ᵅ).
func (m snb) expectSeen(alpha, beta float64) float64 {
	w := (1 - beta) * (1 - m.fraction)
	return m.classes * (1 - (1-m.fraction)*math.Exp(-alpha*math.Log((1-w)/beta)))
}

// shlosser estimates how many classes the population has: with q the sampling fraction
//
//	K = u + s₁ · Σ i q²(1-q²)ⁱ⁻¹ sᵢ / Σ (1-q)ⁱ((1+q)ⁱ-1) sᵢ · (Σ (1-q)ⁱ sᵢ / Σ i q (1-q)ⁱ⁻¹ sᵢ)²
func shlosser(s Sizes, q float64) float64 {
	var a, b, c, d float64
	for size, count := range s {
		i, k := float64(size), float64(count)
		gone := math.Exp(i * math.Log1p(-q))
		a += k * i * q * q * math.Exp((i-1)*math.Log1p(-q*q))
		b += k * (math.Exp(i*math.Log1p(-q*q)) - gone)
		c += k * gone
		d += k * i * q * math.Exp((i-1)*math.Log1p(-q))
	}
	return float64(s.Classes()) + float64(s[1])*(a/b)*(c/d)*(c/d)
}
