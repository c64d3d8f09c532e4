package pld

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func tenTo(rng *rand.Rand, lo, hi float64) float64 { return math.Pow(10, lo+(hi-lo)*rng.Float64()) }

// TestGaussiansThroughTheTransform takes k Gaussians through discretisation and convolution, which Compose never does, and holds the result
// against the closed form: never below it, and above by no more than Excess says and the tolerance allows.
func TestGaussiansThroughTheTransform(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	o := Options{RelTol: 1e-5, MaxBuckets: 1 << 18}
	for range 60 {
		sigma, k, delta := tenTo(rng, -1, 3), int64(tenTo(rng, 0, 6)), tenTo(rng, -15, -1.5)
		exact := gaussian{math.Sqrt(float64(k)) / sigma}
		want := exact.epsilon(delta).Value
		if want < 1e-3*exact.mu {
			continue
		}
		s := &side{parts: []part{{gaussian{1 / sigma}, k}}}
		p := s.plan(target{delta: delta})
		got := s.epsilonBy(p, o, delta)
		if !(got.Value >= want*(1-1e-12) && got.Value <= want*(1+1e-4) && got.Value-1.1*got.Excess <= want) {
			t.Errorf("σ %g, %d times: ε at δ = %g is %.12g less %.3g, want %.12g", sigma, k, delta, got.Value, got.Excess, want)
		}
		if want > 500 {
			continue
		}
		epsilon := want * (0.5 + rng.Float64())
		truth := exact.delta(epsilon).Value
		if truth < 1e-100 {
			continue
		}
		p = s.plan(target{epsilon: epsilon})
		got = s.deltaBy(p, o, epsilon)
		if !(got.Value >= truth*(1-1e-10) && got.Value <= truth*(1+2e-2) && got.Value-1.1*got.Excess <= truth*(1+1e-9)) {
			t.Errorf("σ %g, %d times: δ at ε = %g is %.12g less %.3g, want %.12g", sigma, k, epsilon, got.Value, got.Excess, truth)
		}
	}
}

// once is the exact δ of one run of the subsampled Gaussian, both directions.
func (g subsampled) once(epsilon float64) float64 {
	if g.add {
		z := g.z(-epsilon)
		if math.IsInf(z, -1) {
			return 0
		}
		// P(Z < z) - e^ε·mixture(Z < z)
		return max(0, 0.5*math.Erfc(-z/math.Sqrt2)-math.Exp(epsilon)*((1-g.q)*0.5*math.Erfc(-z/math.Sqrt2)+g.q*0.5*math.Erfc((g.mu-z)/math.Sqrt2)))
	}
	z := g.z(epsilon)
	one, two := 0.5*math.Erfc(z/math.Sqrt2), 0.5*math.Erfc((z-g.mu)/math.Sqrt2)
	return max(0, (1-g.q)*one+g.q*two-math.Exp(epsilon)*one)
}

func TestOneRunAgainstClosedForms(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for range 60 {
		sigma, q := tenTo(rng, -0.5, 2), tenTo(rng, -4, -0.01)
		p, err := SubsampledGaussian(sigma, q, 1)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Compose([]Term{{p, 1}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		remove, add := subsampled{mu: 1 / sigma, q: q}, subsampled{mu: 1 / sigma, q: q, add: true}
		top := math.Log1p(q * math.Expm1(4/sigma))
		epsilon := top * rng.Float64()
		want := max(remove.once(epsilon), add.once(epsilon))
		got, err := c.Delta(epsilon)
		if err != nil || !(got.Value >= want-1e-14 && got.Value <= want*(1+1e-3)+1e-14) {
			t.Errorf("subsampled σ %g, q %g: δ at ε = %g is %.12g (%v), want %.12g", sigma, q, epsilon, got.Value, err, want)
		}
		if want > 1e-6 {
			back, err := c.Epsilon(want)
			if err != nil || !(back.Value >= epsilon*(1-1e-6)-1e-12 && back.Value <= epsilon*(1+1e-4)+1e-12) {
				t.Errorf("subsampled σ %g, q %g: ε at δ = %g is %.12g (%v), want %.12g", sigma, q, want, back.Value, err, epsilon)
			}
		}
		scale := tenTo(rng, -1, 3)
		l, err := Laplace(scale, 1)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = Compose([]Term{{l, 1}}, Options{}); err != nil {
			t.Fatal(err)
		}
		epsilon = rng.Float64() / scale
		want = -math.Expm1((epsilon - 1/scale) / 2)
		got, err = c.Delta(epsilon)
		if err != nil || !(got.Value >= want*(1-1e-12) && got.Value <= want*(1+1e-6)) {
			t.Errorf("Laplace scale %g: δ at ε = %g is %.12g (%v), want %.12g", scale, epsilon, got.Value, err, want)
		}
	}
}

// TestStagesAgreeWithOneConvolution composes in two stages and at once. In the first stage, what falls below the window must stay a mass
// of its full weight: a sample that seldom holds the unit loses it otherwise, and δ came out fifty times too small.
func TestStagesAgreeWithOneConvolution(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	type run struct {
		sigma, q, delta float64
		count           int64
	}
	runs := []run{{0.2518, 0.000113, 1.07e-5, 6516}, {0.3, 0.001, 1e-6, 3000}}
	for range 8 {
		runs = append(runs, run{tenTo(rng, -0.5, 1), tenTo(rng, -4, -0.5), tenTo(rng, -12, -4), int64(tenTo(rng, 2.5, 5))})
	}
	compared := 0
	for _, r := range runs {
		for _, add := range []bool{false, true} {
			s := &side{parts: []part{{law: subsampled{mu: 1 / r.sigma, q: r.q, add: add}, count: r.count}, {law: laplace{0.01}, count: r.count / 30}}}
			p := s.plan(target{delta: r.delta})
			allowed := 1e-5 * max(p.epsilon, p.spread/8)
			stages, rest, ok := s.stages(p, allowed, 1<<18)
			if !ok {
				continue
			}
			compared++
			whole := s.convolve(p, s.grid(p, allowed, 1<<20)).epsilonAt(r.delta)
			two := s.staged(p, stages, rest, allowed, 1<<18).epsilonAt(r.delta)
			if two.Value < whole.Value-1.1*whole.Excess || !math.IsInf(two.Value, 1) && two.Value > whole.Value+1.1*two.Excess {
				t.Errorf("%+v, add %v: two stages say ε = %.10g less %.2g, one %.10g less %.2g", r, add, two.Value, two.Excess, whole.Value, whole.Excess)
			}
		}
	}
	if compared < 10 {
		t.Errorf("%d runs were composed both ways, want at least 10", compared)
	}
}

func TestCurvesFallAndCompositionsGrow(t *testing.T) {
	terms := mixed(t, 7)
	epsilon := func(terms []Term, delta float64) Bound {
		t.Helper()
		c, err := Compose(terms, Options{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Epsilon(delta)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	prev := Bound{}
	for _, delta := range []float64{1e-2, 1e-4, 1e-7, 1e-10, 1e-12, 1e-15, 1e-40} {
		b := epsilon(terms, delta)
		if !(b.Value > prev.Value) || math.IsInf(b.Value, 1) || b.Excess > 1e-3*b.Value {
			t.Errorf("ε at δ = %g is %g less %g, want more than %g and close", delta, b.Value, b.Excess, prev.Value)
		}
		prev = b
	}
	prev = Bound{}
	for k := int64(1); k <= 1<<12; k *= 8 {
		more := append(mixed(t, 7), Term{terms[2].PLD, k})
		b := epsilon(more, 1e-6)
		if !(b.Value > prev.Value) {
			t.Errorf("with %d more runs ε is %g, want more than %g", k, b.Value, prev.Value)
		}
		prev = b
	}
	silent := append(mixed(t, 7), Term{PLD{}, 1000}, Term{terms[1].PLD, 0})
	if a, b := epsilon(terms, 1e-6), epsilon(silent, 1e-6); a != b {
		t.Errorf("with mechanisms that tell nothing ε is %v, want %v", b, a)
	}
	same := append(mixed(t, 7), terms...)
	twice := mixed(t, 7)
	for i := range twice {
		twice[i].Count *= 2
	}
	if a, b := epsilon(same, 1e-6), epsilon(twice, 1e-6); math.Abs(a.Value-b.Value) > 1e-12 {
		t.Errorf("each term twice is ε = %v, each count doubled %v", a, b)
	}
}

func TestPairIsTheMechanismItTabulates(t *testing.T) {
	p, q := []float64{0.7, 0.2, 0.1, 0}, []float64{0.5, 0.3, 0.19, 0.01}
	l, err := Pair(p, q)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compose([]Term{{l, 1}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, epsilon := range []float64{0, 0.1, 0.3, 0.5, 0.7} {
		var one, two float64
		for i := range p {
			one += max(0, p[i]-math.Exp(epsilon)*q[i])
			two += max(0, q[i]-math.Exp(epsilon)*p[i])
		}
		got, err := c.Delta(epsilon)
		if want := max(one, two); err != nil || !(got.Value >= want*(1-1e-12) && got.Value <= want*(1+1e-4)) {
			t.Errorf("δ at ε = %g is %.12g (%v), want %.12g", epsilon, got.Value, err, want)
		}
	}
	if b, err := c.Epsilon(0.001); err != nil || !math.IsInf(b.Value, 1) {
		t.Errorf("ε below the mass of an outcome that one neighbour never has = %v, %v, want +Inf", b, err)
	}
	if b, err := c.Epsilon(0); err != nil || !math.IsInf(b.Value, 1) {
		t.Errorf("pure ε = %v, %v, want +Inf", b, err)
	}
}

func TestParametersThatAreRefused(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, err := range map[string]error{
		"sigma zero":          second(Gaussian(0, 1)),
		"sigma NaN":           second(Gaussian(nan, 1)),
		"sensitivity -1":      second(Gaussian(1, -1)),
		"sensitivity Inf":     second(Laplace(1, inf)),
		"scale tiny":          second(Laplace(1e-200, 1)),
		"a zero":              second(DiscreteLaplace(0, 1)),
		"sensitivity 0":       second(DiscreteLaplace(1, 0)),
		"sigma absurd":        second(DiscreteGaussian(1e9, 1)),
		"q zero":              second(SubsampledGaussian(1, 0, 1)),
		"q above one":         second(SubsampledGaussian(1, 1.1, 1)),
		"one bucket":          second(RandomizedResponse(0.5, 1)),
		"noise zero":          second(RandomizedResponse(0, 2)),
		"epsilon negative":    second(EpsilonDelta(-1, 0)),
		"delta one":           second(EpsilonDelta(1, 1)),
		"pair of two lengths": second(Pair([]float64{1}, []float64{0.5, 0.5})),
		"pair beyond one":     second(Pair([]float64{1.5, -0.5}, []float64{0.5, 0.5})),
		"pair of NaN":         second(Pair([]float64{nan}, []float64{1})),
		"count negative":      second(Compose([]Term{{PLD{}, -1}}, Options{})),
		"counts overflow":     second(Compose([]Term{{PLD{}, MaxCount}, {PLD{}, 1}}, Options{})),
		"RelTol NaN":          second(Compose(nil, Options{RelTol: nan})),
		"terms":               second(Compose(make([]Term, MaxTerms+1), Options{})),
	} {
		var e *Error
		if !errors.Is(err, ErrParams) || !errors.As(err, &e) || e.Member == "" || e.Rule == "" {
			t.Errorf("%s: error is %v, want one that names member and rule", name, err)
		}
	}
	c, err := Compose(nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, delta := range []float64{-1, 1, nan, 1e-300} {
		if _, err := c.Epsilon(delta); !errors.Is(err, ErrParams) {
			t.Errorf("Epsilon(%g) error is %v", delta, err)
		}
	}
	for _, epsilon := range []float64{-1, inf, nan} {
		if _, err := c.Delta(epsilon); !errors.Is(err, ErrParams) {
			t.Errorf("Delta(%g) error is %v", epsilon, err)
		}
	}
	if b, err := c.Epsilon(0); err != nil || b != (Bound{}) {
		t.Errorf("nothing costs ε = %v, %v", b, err)
	}
}

func second[T any](_ T, err error) error { return err }

// FuzzCompose looks for parameters that are taken and then lead to NaN, to an answer below what one of the terms costs alone, or to a long computation.
func FuzzCompose(f *testing.F) {
	f.Add(uint8(0), 1.0, 0.01, int64(1), int64(1000), 1e-5)
	f.Add(uint8(1), 1.0, 0.5, int64(4), int64(1)<<39, 1e-12)
	f.Add(uint8(2), 0.01, 0.5, int64(100), int64(7), 1e-200)
	f.Add(uint8(3), 2.0, 1e-9, int64(1), int64(1)<<30, 0.9)
	f.Add(uint8(4), 1000.0, 1e-5, int64(2), int64(1e6), 1e-9)
	f.Add(uint8(5), 700.0, 0.5, int64(3), int64(12), 1e-3)
	f.Fuzz(func(t *testing.T, kind uint8, a, b float64, n, count int64, delta float64) {
		var p PLD
		var err error
		switch kind % 7 {
		case 0:
			p, err = SubsampledGaussian(a, b, 1)
		case 1:
			p, err = Laplace(a, b)
		case 2:
			p, err = DiscreteLaplace(a, n%100000)
		case 3:
			p, err = DiscreteGaussian(min(a, 5000), n)
		case 4:
			p, err = RandomizedResponse(b, n)
		case 5:
			p, err = EpsilonDelta(a, b)
		default:
			p, err = Gaussian(a, b)
		}
		if err != nil {
			if !errors.Is(err, ErrParams) {
				t.Fatal(err)
			}
			return
		}
		l, err := Laplace(10, 1)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for _, terms := range [][]Term{{{p, count}}, {{p, count}, {l, 3}}} {
			c, err := Compose(terms, Options{MaxBuckets: 1 << 14})
			if err != nil {
				return
			}
			e, err := c.Epsilon(delta)
			if err != nil {
				return
			}
			if !(e.Value >= 0) || !(e.Excess >= 0) {
				t.Fatalf("ε = %v", e)
			}
			if e.Value > maxTarget {
				continue
			}
			d, err := c.Delta(e.Value)
			if err != nil || !(d.Value >= 0 && d.Value <= 1) || !(d.Excess >= 0) {
				t.Fatalf("δ = %v, %v", d, err)
			}
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Fatalf("took %v", took)
		}
	})
}

// TestWorkedExample is the example of docs/spec/dp-pld.md.
func TestWorkedExample(t *testing.T) {
	p, err := RandomizedResponse(0.5, 2)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compose([]Term{{p, 2}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Delta(math.Log(3))
	if err != nil || !(d.Value >= 0.375*(1-1e-12) && d.Value <= 0.375*(1+1e-12)) {
		t.Errorf("δ(ln 3) = %.17g, %v, want 3/8", d.Value, err)
	}
	e, err := c.Epsilon(0.375)
	if err != nil || !(e.Value >= math.Log(3)*(1-1e-12) && e.Value <= math.Log(3)*(1+1e-12)) {
		t.Errorf("ε(3/8) = %.17g, %v, want ln 3", e.Value, err)
	}
}

// TestNarrowNoiseBesideABox composes noise of a narrow loss with a box of a wide one: the tilt that shows the window's top, e^18000 at the box's
// loss, is beyond float64. The truth lies between the boxes that lose what the narrow part loses at most less or more.
func TestNarrowNoiseBesideABox(t *testing.T) {
	for _, delta := range []float64{1e-4, 1e-3, 1e-2} {
		g, err := SubsampledGaussian(11, 1e-3, 1)
		if err != nil {
			t.Fatal(err)
		}
		b, err := EpsilonDelta(0.07, 0)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Compose([]Term{{g, 14}, {b, 1}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Epsilon(delta)
		if err != nil {
			t.Fatal(err)
		}
		// The box alone has δ = (1 − e^{ε−0.07})·e^0.07/(1 + e^0.07); the narrow part moves losses by less than 1e-3.
		alone := 0.07 + math.Log1p(-delta*(1+math.Exp(-0.07)))
		if !(got.Value >= alone && got.Value <= alone+1e-3) {
			t.Errorf("δ = %g: ε is %v, want a little above %v", delta, got.Value, alone)
		}
	}
}
