package noise

import (
	"fmt"
	"math"
	"testing"
)

// falseAlarm is how often one fit would refuse a right sampler, at most: fits below draw fresh randomness at each run, and fewer than a
// hundred of them run, so the suite cries wolf less than once in ten million runs.
const falseAlarm = 1e-9

// fit draws n samples into the ranges between edges and returns a word about the first of two tests that refuses them:
//
//   - each range, and everything below each edge: Chernoff's bound P(n·KL(p̂‖p) ≥ t) ≤ 2·exp(−t) holds exactly, for any n; divided among
//     all of these events it refuses with probability at most falseAlarm/2;
//   - Pearson's χ², whose expected counts are at least 100 here, at falseAlarm/2 of its limit law.
func fit(sample func() int64, law Law, edges []int64, n int) string {
	counts := make([]int, len(edges)+1)
	for range n {
		x := sample()
		i := 0
		for i < len(edges) && x >= edges[i] {
			i++
		}
		counts[i]++
	}
	above := make([]float64, len(edges)+2) // P(X ≥ edge)
	above[0] = 1
	for i, e := range edges {
		above[i+1], _ = law.Tail(e).Float64()
	}
	limit := math.Log(4 * float64(2*len(counts)) / falseAlarm)
	chi, below := 0.0, 0
	for i, c := range counts {
		p := above[i] - above[i+1]
		if want := p * float64(n); want < 100 {
			return fmt.Sprintf("range %d expects %g samples: too few to judge", i, want)
		} else {
			chi += (float64(c) - want) * (float64(c) - want) / want
		}
		if t := kl(c, n, p); t > limit {
			return fmt.Sprintf("%d of %d in range %d, expected %.1f (Chernoff %.1f > %.1f)", c, n, i, p*float64(n), t, limit)
		}
		below += c
		if t := kl(below, n, 1-above[i+1]); t > limit {
			return fmt.Sprintf("%d of %d up to range %d, expected %.1f", below, n, i, (1-above[i+1])*float64(n))
		}
	}
	if q := chiSquareTail(chi, float64(len(counts)-1)); q < falseAlarm/2 {
		return fmt.Sprintf("χ² = %.1f with %d ranges: probability %.2g", chi, len(counts), q)
	}
	return ""
}

// kl is n times the relative entropy of the observed frequency c/n and p.
func kl(c, n int, p float64) float64 {
	f := float64(c) / float64(n)
	t := 0.0
	if c > 0 {
		t += f * math.Log(f/p)
	}
	if c < n {
		t += (1 - f) * math.Log((1-f)/(1-p))
	}
	return t * float64(n)
}

// chiSquareTail is P(χ² ≥ x) with k degrees of freedom, by the incomplete gamma function's series or continued fraction.
func chiSquareTail(x, k float64) float64 {
	a, z := k/2, x/2
	g, _ := math.Lgamma(a)
	front := math.Exp(a*math.Log(z) - z - g)
	if z < a+1 {
		sum, term := 1/a, 1/a
		for i := 1.0; i < 10000 && term > sum*1e-15; i++ {
			term *= z / (a + i)
			sum += term
		}
		return 1 - front*sum
	}
	b := z + 1 - a
	c, d := math.MaxFloat64, 1/b
	h := d
	for i := 1.0; i < 10000; i++ {
		an := -i * (i - a)
		b += 2
		d = 1 / (an*d + b)
		c = b + an/c
		h *= c * d
		if math.Abs(c*d-1) < 1e-14 {
			break
		}
	}
	return front * h
}

// edgesFor cuts a law at steps of about a tenth of its width, as far as ranges keep 100 expected samples of n.
func edgesFor(law Law, step int64, n int) []int64 {
	tail := func(x int64) float64 { f, _ := law.Tail(x).Float64(); return f }
	var edges []int64
	for x := step; tail(x)*float64(n) > 110 && (tail(x-step)-tail(x))*float64(n) > 110 && len(edges) < 40; x += step {
		edges = append(edges, x)
	}
	var both []int64
	for i := len(edges) - 1; i >= 0; i-- {
		both = append(both, 1-edges[i])
	}
	return append(both, edges...)
}

func TestChiSquareTailMatchesTables(t *testing.T) {
	for _, row := range []struct{ x, k, q float64 }{{3.841458820694124, 1, 0.05}, {18.307038053275146, 10, 0.05}, {83.67526074272100, 40, 6.5e-5}, {5, 10, 0.8911780189141512}} {
		if q := chiSquareTail(row.x, row.k); math.Abs(q-row.q) > 0.05*row.q {
			t.Errorf("P(χ²_%g ≥ %g) = %g, want %g", row.k, row.x, q, row.q)
		}
	}
}
