package account

import (
	"math"
	"math/rand/v2"
	"testing"
)

// someMechanism is a mechanism with moderate parameters.
func someMechanism(r *rand.Rand) Mechanism {
	log := func(lo, hi float64) float64 { return math.Exp(math.Log(lo) + r.Float64()*math.Log(hi/lo)) }
	m := Mechanism{Count: 1 + int64(r.IntN(5))}
	switch r.IntN(9) {
	case 0:
		m.Kind, m.Sigma, m.Sensitivity = Gaussian, log(0.5, 20), log(0.5, 2)
	case 1:
		m.Kind, m.Scale, m.Count = Laplace, log(0.5, 20), 1
	case 2:
		m.Kind, m.A, m.Sensitivity = DiscreteLaplace, log(0.05, 1), float64(1+r.IntN(3))
	case 3:
		m.Kind, m.Sigma, m.Sensitivity = DiscreteGaussian, log(0.7, 6), float64(1+r.IntN(3))
	case 4:
		m.Kind, m.Epsilon, m.Delta = EpsilonDelta, log(0.02, 2), log(1e-12, 1e-8)
	case 5:
		m.Kind, m.NoiseParameter, m.NumBuckets = RandomizedResponse, 0.2+0.79*r.Float64(), int64(2+r.IntN(6))
	case 6:
		m.Kind, m.Epsilon = Exponential, log(0.02, 2)
	case 7:
		m.Kind, m.Mu = GDP, log(0.05, 2)
	case 8:
		m.Kind, m.Sigma, m.ThresholdDelta, m.L0 = GaussianThreshold, log(1, 20), log(1e-12, 1e-8), int64(1+r.IntN(3))
	}
	return m
}

// TestExactNeverPassesRenyi: an exact profile lies below what Rényi divergences prove of the same mechanisms, which are computed by other
// formulas, and above nothing. One of both being wrong shows here.
func TestExactNeverPassesRenyi(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	exact := 0
	for range 150 {
		spec := []Mechanism{someMechanism(r)}
		if r.IntN(2) == 0 {
			spec = append(spec, someMechanism(r))
		}
		p, ok := profileOf(spec)
		if !ok {
			continue
		}
		exact++
		if ranged(spec) {
			continue // whose Rényi bound knows more than its ε
		}
		e := p.epsilon(1e-6)
		renyi, _ := curveOf(spec).epsilon(1e-6, nil)
		if e > renyi*(1+1e-9)+1e-12 {
			t.Errorf("%+v: exact ε = %v is above the Rényi bound %v", spec, e, renyi)
		}
		if renyi > 3*e+3 {
			t.Errorf("%+v: Rényi bound %v is far above exact ε = %v", spec, renyi, e)
		}
	}
	if exact < 80 {
		t.Errorf("%d compositions had an exact form, want most", exact)
	}
}

// TestProfilesFallAndInvert: δ(ε) falls, ε(δ) falls, and they invert each other from the safe side.
func TestProfilesFallAndInvert(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		spec := []Mechanism{someMechanism(r)}
		before := 1.0
		for e := 0.0; e < 6; e += 0.37 {
			d, _, err := Delta(spec, e)
			if err != nil {
				t.Fatal(err)
			}
			if d > before*(1+1e-12) {
				t.Errorf("%+v: δ(%v) = %v rises from %v", spec, e, d, before)
			}
			before = d
			if d < 1e-9 || d > 0.9 {
				continue
			}
			back, _, err := Epsilon(spec, d)
			if err != nil || back > e*(1+1e-9)+1e-9 {
				t.Errorf("%+v: ε(δ(%v)) = %v, %v, want at most that", spec, e, back, err)
			}
		}
	}
}

// TestMoreCostsMore: another mechanism, a higher count, more sensitivity or less noise never lowers a cost.
func TestMoreCostsMore(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	atLeast := func(what string, less, more []Mechanism) {
		t.Helper()
		a, _, err := Epsilon(less, 1e-7)
		if err != nil {
			t.Fatal(err)
		}
		b, _, err := Epsilon(more, 1e-7)
		if err != nil {
			t.Fatal(err)
		}
		if b < a*(1-1e-6) {
			t.Errorf("%s: ε falls from %v to %v: %+v, %+v", what, a, b, less, more)
		}
		v, err1 := VectorOf(less...)
		w, err2 := VectorOf(more...)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		for i := range v.RDP {
			if w.RDP[i] < v.RDP[i] {
				t.Errorf("%s: Rényi cost of order %d falls: %+v", what, Orders[i], less)
			}
		}
		if w.Rho < v.Rho || w.Epsilon < v.Epsilon || w.Mu2 < v.Mu2 || w.Slack < v.Slack || w.Delta < v.Delta {
			t.Errorf("%s: cost falls from %+v to %+v", what, v, w)
		}
	}
	for range 40 {
		m := someMechanism(r)
		more := m
		more.Count++
		atLeast("count", []Mechanism{m}, []Mechanism{more})
		n := someMechanism(r)
		atLeast("another", []Mechanism{m}, []Mechanism{m, n})
		if m.Sensitivity >= 1 && m.Kind != Gaussian {
			more = m
			more.Sensitivity++
			atLeast("sensitivity", []Mechanism{m}, []Mechanism{more})
		}
		if m.Sigma > 0 {
			more = m
			more.Sigma *= 0.9
			atLeast("sigma", []Mechanism{m}, []Mechanism{more})
		}
	}
}

// TestMixturesAgainstEnumeration composes three unlike finite mechanisms and compares with the sum over all outcomes.
func TestMixturesAgainstEnumeration(t *testing.T) {
	spec := []Mechanism{
		{Kind: Pure, Epsilon: 0.4, Count: 3}, {Kind: RandomizedResponse, NoiseParameter: 0.6, NumBuckets: 5, Count: 2}, {Kind: DiscreteLaplace, A: 0.3, Sensitivity: 2},
	}
	type outcome struct{ p, q float64 }
	all := []outcome{{1, 1}}
	times := func(one []outcome) {
		var next []outcome
		for _, a := range all {
			for _, b := range one {
				next = append(next, outcome{a.p * b.p, a.q * b.q})
			}
		}
		all = next
	}
	keep := math.Exp(0.4) / (1 + math.Exp(0.4))
	for range 3 {
		times([]outcome{{keep, 1 - keep}, {1 - keep, keep}})
	}
	for range 2 {
		times([]outcome{{0.52, 0.12}, {0.12, 0.52}, {0.12, 0.12}, {0.12, 0.12}, {0.12, 0.12}})
	}
	var noise []outcome
	norm := math.Tanh(0.15)
	for x := -150; x <= 150; x++ {
		noise = append(noise, outcome{norm * math.Exp(-0.3*math.Abs(float64(x))), norm * math.Exp(-0.3*math.Abs(float64(x-2)))})
	}
	times(noise)
	for _, e := range []float64{0, 0.3, 1, 2, 3, 4} {
		want := 0.0
		for _, o := range all {
			want += math.Max(0, o.p-math.Exp(e)*o.q)
		}
		got, by, err := Delta(spec, e)
		if err != nil || by != "exact: lattice" || math.Abs(got-want) > 1e-9*want+1e-15 {
			t.Errorf("δ(%v) = %v by %q, %v, want %v", e, got, by, err, want)
		}
	}
	// With Gaussian noise beside them the profile is a mixture of Gaussian ones.
	spec = append(spec[:1:1], Mechanism{Kind: Gaussian, Sigma: 3})
	want := 0.0
	for i := range 4 {
		p := []float64{1, 3, 3, 1}[i] * math.Pow(keep, float64(3-i)) * math.Pow(1-keep, float64(i))
		want += p * deltaGaussian(1-0.4*float64(3-2*i), 1.0/3)
	}
	if got, by, err := Delta(spec, 1); err != nil || by != "exact: mixture" || math.Abs(got/want-1) > 1e-9 {
		t.Errorf("δ of a mixture = %v by %q, %v, want %v", got, by, err, want)
	}
}

func TestKeepProbabilityFollowsItsRecurrence(t *testing.T) {
	for _, c := range []struct {
		e, d float64
		l0   int64
	}{{1, 1e-5, 1}, {1, 1e-5, 2}, {0.1, 1e-9, 1}, {5, 1e-3, 3}, {30, 1e-12, 1}, {0.5, 0.4, 1}, {1e-4, 1e-6, 1}} {
		e, d := c.e/float64(c.l0), c.d/float64(c.l0)
		p := 0.0
		for n := range int64(3000) {
			if got := keepProbability(n, c.l0, c.e, c.d); math.Abs(got-p) > 1e-9*p {
				t.Fatalf("ε = %v, δ = %v, l0 = %d: π(%d) = %v, want %v", c.e, c.d, c.l0, n, got, p)
			}
			p = math.Min(1, math.Min(math.Exp(e)*p+d, 1-math.Exp(-e)*(1-p-d)))
		}
	}
	if got := keepProbability(math.MaxInt64, 1, 1e6, 1e-300); got != 1 {
		t.Errorf("π at the largest parameters = %v, want 1", got)
	}
}

func TestThresholdsInvert(t *testing.T) {
	for _, l0 := range []int64{1, 3, 1000} {
		for _, delta := range []float64{1e-15, 1e-6, 0.3, 0.9, 0.9999} {
			T := laplaceThreshold(l0, 2, 0.5, delta)
			if d := laplaceThresholdDelta(l0, 2, 0.5, T); d > delta*(1+1e-9) || d < delta*(1-1e-6) {
				t.Errorf("Laplace, l0 = %d: δ of the threshold for %v is %v", l0, delta, d)
			}
			T = gaussianThreshold(l0, 2, 7, delta)
			if d := gaussianThresholdDelta(l0, 2, 7, T); d > delta*(1+1e-9) || d < delta*(1-1e-6) {
				t.Errorf("Gaussian, l0 = %d: δ of the threshold for %v is %v", l0, delta, d)
			}
		}
	}
}

// TestRenyiCurvesRise: a divergence grows with its order, from that of Kullback and Leibler on, whatever formula serves an order.
func TestRenyiCurvesRise(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	spec := []Mechanism{{Kind: PoissonSubsampledGaussian, Sigma: 1, Q: 0.01}, {Kind: PoissonSubsampledGaussian, Sigma: 8, Q: 0.5}, {Kind: Laplace, Scale: 3}}
	for range 30 {
		spec = append(spec, someMechanism(r))
	}
	for i := range spec {
		before := 0.0
		for _, alpha := range []float64{1, 1 + 1e-12, 1 + 1e-6, 1.001, 1.01, 1.02, 1.3, 1.9999, 2, 2.0001, 2.5, 3, 7.9999, 8, 8.0001, 30, 64, 200.5, 5000} {
			d := spec[i].rdp(alpha)
			if !(d >= before*(1-1e-9)) || math.IsInf(d, 0) {
				t.Errorf("%+v: D_%v = %v after %v", spec[i], alpha, d, before)
			}
			before = d
		}
	}
}
