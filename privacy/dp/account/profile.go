package account

import "math"

// profile is an exact privacy profile ε ↦ δ(ε) of a composition: finitely many losses, and beside them either continuous Gaussian noise or
// one Laplace mechanism, each of which has a closed form. For independent parts A and B, δ_{A×B}(ε) = Σ_a P(a)·δ_B(ε − L(a)), which is
// the definition E[(1 − e^{ε−L})₊] taken first over B.
type profile struct {
	atoms   atoms
	mu      float64 // of all Gaussian noise; 0: none
	laplace float64 // ε of the one Laplace mechanism; 0: none
	keep    float64 // ln of the probability that no slack event happens
	margin  float64 // relative error of the atoms' probabilities
}

// profileOf returns false for a composition that has no such form, or too many atoms.
func profileOf(spec []Mechanism) (*profile, bool) {
	if !representable(spec) {
		return nil, false
	}
	p := &profile{atoms: atoms{loss: []float64{0}, p: []float64{1}}, margin: 1e-12}
	var mu2 float64
	for i := range spec {
		m := &spec[i]
		n := float64(m.count())
		slack, _ := m.slackExact().Float64()
		p.keep += n * math.Log1p(-slack)
		switch {
		case m.Kind == GaussianThreshold || m.Kind == Gaussian || m.Kind == RoundedGaussian || m.Kind == GDP || m.Kind == PoissonSubsampledGaussian && m.Q == 1:
			mu2 += 2 * m.rho() * n
			continue
		case m.Kind == Laplace:
			p.laplace = m.sensitivity() / m.Scale
			continue
		}
		a, ok := m.lattice()
		if !ok {
			return nil, false
		}
		p.margin += 1e-15 * n * (math.Log(n) + 4)
		if p.atoms, ok = p.atoms.times(a, maxAtoms); !ok {
			return nil, false
		}
	}
	if mu2 > 0 && len(p.atoms.p) > 1<<15 {
		return nil, false
	}
	p.mu = math.Sqrt(mu2)
	return p, true
}

// representable says, before anything is enumerated, whether the kinds of mechanisms have such a form.
func representable(spec []Mechanism) bool {
	laplace, gaussian := int64(0), false
	for i := range spec {
		switch m := &spec[i]; m.Kind {
		case Laplace:
			laplace += m.count()
		case PoissonSubsampledGaussian:
			if m.Q < 1 {
				return false
			}
			gaussian = true
		case Gaussian, RoundedGaussian, GDP, GaussianThreshold:
			gaussian = true
		case ZCDP:
			return false
		}
	}
	return laplace == 0 || laplace == 1 && !gaussian
}

// method names the closed form.
func (p *profile) method(spec []Mechanism) string {
	boxes := true
	for _, m := range spec {
		switch m.Kind {
		case EpsilonDelta, Pure, Exponential, LaplaceThreshold, PartitionSelection:
		default:
			boxes = false
		}
	}
	switch {
	case ranged(spec):
		return "pure"
	case boxes && len(spec) == 1:
		return "exact: kairouz-oh-viswanath"
	case boxes:
		return "exact: murtagh-vadhan"
	case p.mu > 0 && len(p.atoms.p) == 1:
		return "exact: balle-wang"
	case p.laplace > 0 && len(p.atoms.p) == 1:
		return "exact: laplace"
	case p.mu > 0 || p.laplace > 0:
		return "exact: mixture"
	case len(spec) == 1 && spec[0].Kind == RandomizedResponse:
		return "exact: multinomial"
	}
	return "exact: lattice"
}

// core is δ(ε) without slack events, rounded up.
func (p *profile) core(epsilon float64) float64 {
	sum := 0.0
	for i, l := range p.atoms.loss {
		e := epsilon - l
		switch {
		case p.mu > 0:
			sum += p.atoms.p[i] * deltaGaussian(e, p.mu)
		case p.laplace > 0:
			sum += p.atoms.p[i] * deltaLaplace(e, p.laplace)
		case e < 0:
			sum += p.atoms.p[i] * -math.Expm1(e)
		default:
			return math.Min(1, sum*(1+p.margin)+p.atoms.lost)
		}
	}
	return math.Min(1, sum*(1+p.margin)+p.atoms.lost)
}

// delta is δ(ε), rounded up: a slack event happens, or the rest leaks.
func (p *profile) delta(epsilon float64) float64 {
	core := p.core(epsilon)
	if p.keep == 0 {
		return core
	}
	// 1 − e^keep·(1 − core)
	return math.Min(1, up(-math.Expm1(p.keep)+math.Exp(p.keep)*core))
}

// epsilon is the least ε ≥ 0 with δ(ε) ≤ δ, rounded up; +Inf if there is none.
func (p *profile) epsilon(delta float64) float64 {
	if len(p.atoms.p) == 1 && p.mu > 0 && p.keep == 0 {
		return math.Max(0, epsilonGaussian(p.mu, delta))
	}
	if p.delta(0) <= delta {
		return 0
	}
	top := p.top()
	if delta == 0 {
		if p.keep != 0 {
			return math.Inf(1)
		}
		return top
	}
	if !math.IsInf(top, 1) {
		if p.delta(top) > delta {
			return math.Inf(1) // the slack alone is more
		}
	} else if -math.Expm1(p.keep) >= delta {
		return math.Inf(1)
	}
	return math.Min(top, leastTrue(func(e float64) bool { return p.delta(e) <= delta }, 0, 1))
}

// top is the greatest loss, +Inf with Gaussian noise or losses cut off.
func (p *profile) top() float64 {
	if p.mu > 0 || p.atoms.lost > 0 {
		return math.Inf(1)
	}
	return p.atoms.loss[0] + up(p.laplace)
}

// deltaLaplace is the profile of one Laplace mechanism with r = Δ/b, for any real ε: 1 − e^{(ε−r)/2} between −r and r (Balle, Barthe and
// Gaboardi 2018, theorem 3), 1 − e^ε below and 0 above.
func deltaLaplace(epsilon, r float64) float64 {
	switch {
	case epsilon >= r:
		return 0
	case epsilon <= -r:
		return up(-math.Expm1(epsilon))
	}
	return up(-math.Expm1((epsilon - r) / 2))
}
