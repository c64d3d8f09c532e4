package pld

import (
	"math"
	"testing"
)

// direct is a distribution of losses on offset + spacing·integer, composed the slow way: by the definition of a convolution.
type direct struct {
	offset, spacing float64
	first           int
	mass            []float64
	infinite        float64
}

func (d direct) plus(e direct) direct {
	out := direct{
		offset: d.offset + e.offset, spacing: d.spacing, first: d.first + e.first,
		mass:     make([]float64, len(d.mass)+len(e.mass)-1),
		infinite: 1 - (1-d.infinite)*(1-e.infinite),
	}
	for i, x := range d.mass {
		for j, y := range e.mass {
			out.mass[i+j] += x * y
		}
	}
	return out
}

func (d direct) times(k int) direct {
	out := direct{spacing: d.spacing, mass: []float64{1}}
	for range k {
		out = out.plus(d)
	}
	return out
}

func (d direct) delta(epsilon float64) float64 {
	sum := d.infinite
	for i, m := range d.mass {
		if x := d.offset + d.spacing*float64(d.first+i); x > epsilon {
			sum += m * -math.Expm1(epsilon-x)
		}
	}
	return sum
}

func (d direct) epsilon(delta float64) float64 {
	lo, hi := 0.0, 1e4
	for range 100 {
		if mid := (lo + hi) / 2; d.delta(mid) > delta {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// discrete is a mechanism with noise of the given weights on integers, sensitivity whole: straight from the definition of the loss.
func discreteNoise(weight func(int) float64, reach, sensitivity int, offset, spacing float64) direct {
	d := direct{offset: offset, spacing: spacing}
	var norm float64
	for x := -reach; x <= reach; x++ {
		norm += weight(x)
	}
	at := map[int]float64{}
	lo, hi := math.MaxInt, math.MinInt
	for x := -reach; x <= reach; x++ {
		loss := math.Log(weight(x)) - math.Log(weight(x-sensitivity))
		i := int(math.Round((loss - offset) / spacing))
		at[i] += weight(x) / norm
		lo, hi = min(lo, i), max(hi, i)
	}
	d.first, d.mass = lo, make([]float64, hi-lo+1)
	for i, m := range at {
		d.mass[i-lo] = m
	}
	return d
}

func TestTransformAgreesWithDirectConvolution(t *testing.T) {
	type one struct {
		name string
		pld  PLD
		slow direct
		k    int
	}
	must := func(p PLD, err error) PLD {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	gauss := func(sigma float64, delta int) direct {
		r := float64(delta) / sigma
		return discreteNoise(func(x int) float64 { return math.Exp(-float64(x) * float64(x) / 2 / sigma / sigma) }, int(12*sigma)+3, delta, r*r/2, r/sigma)
	}
	laplace := func(a float64, delta int) direct {
		return discreteNoise(func(x int) float64 { return math.Exp(-a * math.Abs(float64(x))) }, int(40/a), delta, a*float64(delta), 2*a)
	}
	rr := func(noise float64, k float64) direct {
		truth, other := 1-noise+noise/k, noise/k
		return direct{spacing: math.Log(truth / other), first: -1, mass: []float64{other, (k - 2) * other, truth}}
	}
	box := direct{spacing: 0.3, first: -1, mass: []float64{0.999 / (1 + math.Exp(0.3)), 0, 0.999 / (1 + math.Exp(-0.3))}, infinite: 0.001}
	for _, c := range []one{
		{"discrete Gaussian 10, 100 times", must(DiscreteGaussian(10, 1)), gauss(10, 1), 100},
		{"discrete Gaussian 1.5 at sensitivity 2, 7 times", must(DiscreteGaussian(1.5, 2)), gauss(1.5, 2), 7},
		{"discrete Gaussian 0.4, 3 times", must(DiscreteGaussian(0.4, 1)), gauss(0.4, 1), 3},
		{"discrete Laplace 0.3, 50 times", must(DiscreteLaplace(0.3, 1)), laplace(0.3, 1), 50},
		{"discrete Laplace 0.05 at sensitivity 7, 20 times", must(DiscreteLaplace(0.05, 7)), laplace(0.05, 7), 20},
		{"randomised response of 5, 40 times", must(RandomizedResponse(0.4, 5)), rr(0.4, 5), 40},
		{"boxes, 90 times", must(EpsilonDelta(0.3, 0.001)), box, 90},
	} {
		slow := c.slow.times(c.k)
		fast, err := Compose([]Term{{c.pld, int64(c.k)}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, delta := range []float64{0.2, 1e-2, 1e-5, 1e-9, 1e-12} {
			if slow.infinite >= delta {
				continue
			}
			got, err := fast.Epsilon(delta)
			if want := slow.epsilon(delta); err != nil || !(got.Value >= want*(1-1e-10)-1e-12 && got.Value <= want*(1+1e-8)+1e-12) {
				t.Errorf("%s: ε at δ = %g is %.15g (%v), want %.15g", c.name, delta, got.Value, err, want)
			}
		}
		for _, epsilon := range []float64{0, 0.1, 0.7, 2, 5, 9} {
			got, err := fast.Delta(epsilon)
			if want := slow.delta(epsilon); err != nil || !(got.Value >= want*(1-1e-9)-1e-17 && got.Value <= want*(1+1e-7)+1e-16) {
				t.Errorf("%s: δ at ε = %g is %.15g (%v), want %.15g", c.name, epsilon, got.Value, err, want)
			}
		}
	}
}
