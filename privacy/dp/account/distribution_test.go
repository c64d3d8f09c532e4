package account

import (
	"math"
	"testing"
)

// lossCDF is P(loss ≤ l) of one mechanism in one direction of neighbours: what a slow oracle needs to know.
type lossCDF func(l float64) float64

func phi(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

func gaussianLoss(mu float64) lossCDF {
	return func(l float64) float64 { return phi((l - mu*mu/2) / mu) }
}

func laplaceLoss(r float64) lossCDF {
	return func(l float64) float64 {
		switch {
		case l < -r:
			return 0
		case l >= r:
			return 1
		}
		return math.Exp((l-r)/2) / 2
	}
}

// sampledLoss is that of the subsampled Gaussian with σ for sensitivity 1, where a unit is removed or added.
func sampledLoss(q, sigma float64, add bool) lossCDF {
	where := func(l float64) float64 { // the x at which ln(1 − q + q·e^{(2x−1)/2σ²}) is l
		if t := (math.Expm1(l) + q) / q; t > 0 {
			return sigma*sigma*math.Log(t) + 0.5
		}
		return math.Inf(-1)
	}
	if add {
		return func(l float64) float64 { return phi(-where(-l) / sigma) }
	}
	return func(l float64) float64 {
		x := where(l)
		return (1-q)*phi(x/sigma) + q*phi((x-1)/sigma)
	}
}

// betweenRoundings returns δ(ε) of the composition with every loss rounded down, and with every loss rounded up, to multiples of h; what is
// beyond 30 counts as nothing in the one and as infinite in the other. The exact value lies between them.
func betweenRoundings(parts []lossCDF, epsilon, h float64) (low, high float64) {
	n := int(30 / h)
	lost := 0.0
	sum := []float64{1} // index 0 is the loss −30·(number of parts so far)
	for _, cdf := range parts {
		mass := make([]float64, 2*n)
		before := cdf(-30)
		lost += before + 1 - cdf(30)
		for i := range mass {
			after := cdf(h * float64(i+1-n))
			mass[i] = after - before // of the losses in (h(i−n), h(i+1−n)]
			before = after
		}
		lo, hi := 0, len(mass)
		for mass[lo] < 1e-17 {
			lo++
		}
		for mass[hi-1] < 1e-17 {
			hi--
		}
		for i, m := range mass {
			if i < lo || i >= hi {
				lost += m
			}
		}
		next := make([]float64, len(sum)+2*n)
		for i, a := range sum {
			if a < 1e-19 {
				lost += a
				continue
			}
			for j := lo; j < hi; j++ {
				next[i+j] += a * mass[j]
			}
		}
		sum = next
	}
	k := len(parts)
	for i, p := range sum {
		l := h * float64(i-k*n)
		if l > epsilon {
			low += p * -math.Expm1(epsilon-l)
		}
		if l += h * float64(k); l > epsilon {
			high += p * -math.Expm1(epsilon-l)
		}
	}
	return low, high + lost
}

// TestDistributionsLieBetweenRoundings compares what has no closed form with both roundings of a plain convolution.
func TestDistributionsLieBetweenRoundings(t *testing.T) {
	for _, c := range []struct {
		name  string
		spec  []Mechanism
		parts [][]lossCDF // one for each direction
	}{
		{"three Laplace", []Mechanism{{Kind: Laplace, Scale: 2, Count: 2}, {Kind: Laplace, Scale: 5}}, [][]lossCDF{{laplaceLoss(0.5), laplaceLoss(0.5), laplaceLoss(0.2)}}},
		{"Laplace and Gaussian", []Mechanism{{Kind: Laplace, Scale: 2}, {Kind: Gaussian, Sigma: 3}}, [][]lossCDF{{laplaceLoss(0.5), gaussianLoss(1.0 / 3)}}},
		{"sampled, with Laplace", []Mechanism{{Kind: PoissonSubsampledGaussian, Sigma: 1, Q: 0.2, Count: 2}, {Kind: Laplace, Scale: 4}}, [][]lossCDF{
			{sampledLoss(0.2, 1, false), sampledLoss(0.2, 1, false), laplaceLoss(0.25)},
			{sampledLoss(0.2, 1, true), sampledLoss(0.2, 1, true), laplaceLoss(0.25)},
		}},
	} {
		for _, e := range []float64{0.1, 0.5, 0.9} {
			var low, high float64
			for _, parts := range c.parts {
				l, h := betweenRoundings(parts, e, 0.002)
				low, high = math.Max(low, l), math.Max(high, h)
			}
			got, by, err := Delta(c.spec, e)
			if err != nil || by != "pld" || got < low || got > high {
				t.Errorf("%s: δ(%v) = %v by %q, %v, want pld between %v and %v", c.name, e, got, by, err, low, high)
			}
			if high > low*1.5+1e-6 {
				t.Errorf("%s: %v and %v are no comparison", c.name, low, high)
			}
		}
	}
}
