package noise

import (
	"fmt"
	"math"
	"testing"
)

// Broken samplers that the fit must refuse, each at the size at which the right ones pass. Were one not caught, a green
// TestSamplesFollowTheLaw would mean little.
func TestFitCatchesBrokenSamplers(t *testing.T) {
	s := NewSource()
	lap, gau, rou := must(NewDiscreteLaplace(Ratio{7, 2})), must(NewDiscreteGaussian(Ratio{7, 2})), must(NewRoundedGaussian(Ratio{7, 2}))
	narrowLap, narrowGau := must(NewDiscreteLaplace(Ratio{21, 8})), must(NewDiscreteGaussian(Ratio{21, 8}))
	truncated := func(r Ratio) uint64 { // V never above 2: a loop that ends too early
		for {
			if x := geometric(s, r); x < 3*r.Num/r.Den {
				return x
			}
		}
	}
	for name, c := range map[string]struct {
		law    Law
		sample func() int64
	}{
		"noise times 0.75, Laplace":  {lap, func() int64 { return narrowLap.Sample(s) }},
		"noise times 0.75, Gaussian": {gau, func() int64 { return narrowGau.Sample(s) }},
		"minus zero counted as zero": {lap, func() int64 { return signed(geometric(s, lap.scale), s.Coin() == 1) }},
		"a biased sign":              {gau, func() int64 { v := gau.Sample(s); return signed(magnitude(v), s.Below(100) < 55) }},
		"the tail cut off":           {lap, func() int64 { return signed(truncated(lap.scale), s.Coin() == 1) }},
		"rounding towards zero": {rou, func() int64 {
			return int64(float64(must(NewRoundedGaussian(Ratio{7 << 20, 2})).Sample(s)) / (1 << 20))
		}},
		"discrete for rounded Gaussian": {must(NewRoundedGaussian(Ratio{1, 2})), func() int64 { return must(NewDiscreteGaussian(Ratio{1, 2})).Sample(s) }},
		"Laplace of the Gaussian's variance": {gau, func() int64 {
			return must(NewDiscreteLaplace(Ratio{5, 2})).Sample(s)
		}},
		"an off-by-one": {lap, func() int64 { return lap.Sample(s) + 1 }},
		"always zero":   {rou, func() int64 { return 0 }},
	} {
		step := int64(1)
		if why := fit(c.sample, c.law, edgesFor(c.law, step, fitSize), fitSize); why == "" {
			t.Errorf("%s: not caught", name)
		}
	}
}

// The false-alarm rate is not only stated: at a rate of one in a hundred, about one right run in a hundred is refused. Chernoff's bound is loose, so
// only the χ² half is judged.
func TestFalseAlarmsAreAsRareAsStated(t *testing.T) {
	s := NewSource()
	law := must(NewDiscreteLaplace(Ratio{2, 1}))
	const n, runs = 3000, 300
	edges := edgesFor(law, 1, n)
	alarms := 0
	for range runs {
		counts := make([]float64, len(edges)+1)
		for range n {
			x, i := law.Sample(s), 0
			for i < len(edges) && x >= edges[i] {
				i++
			}
			counts[i]++
		}
		chi, before := 0.0, 1.0
		for i := range counts {
			after := 0.0
			if i < len(edges) {
				after, _ = law.Tail(edges[i]).Float64()
			}
			want := (before - after) * n
			chi += (counts[i] - want) * (counts[i] - want) / want
			before = after
		}
		if chiSquareTail(chi, float64(len(edges))) < 0.01 {
			alarms++
		}
	}
	// Binomial(300, 1/100): more than 20 happens less than once in ten million runs.
	if alarms > 20 {
		t.Errorf("%d of %d right runs refused at a rate of 1/100", alarms, runs)
	}
}

// Mean, variance and correlation of successive samples, each within six standard errors: wrong once in 10^8 runs.
func TestMoments(t *testing.T) {
	s := NewSource()
	const n = 25_000
	for _, row := range symmetric {
		for _, law := range []Law{must(NewDiscreteLaplace(row.scale)), must(NewDiscreteGaussian(row.scale)), must(NewRoundedGaussian(row.scale))} {
			unit := float64(row.scale.Num) / float64(row.scale.Den)
			variance := unit * unit
			if _, laplace := law.(DiscreteLaplace); laplace {
				b := math.Exp(-1 / unit)
				variance = 2 * b / ((1 - b) * (1 - b))
			} else if unit < 20 {
				variance = 0
				for x := int64(1); x < 200; x++ {
					f, _ := law.Mass(x).Float64()
					variance += 2 * f * float64(x) * float64(x)
				}
			}
			var sum, square, fourth, lag, last float64
			for range n {
				x := float64(law.Sample(s)) / math.Sqrt(variance)
				sum, square, fourth, lag, last = sum+x, square+x*x, fourth+x*x*x*x, lag+x*last, x
			}
			name := fmt.Sprintf("%T at %v", law, row.scale)
			if math.Abs(sum)/math.Sqrt(n) > 6 {
				t.Errorf("%s: mean %g standard deviations", name, sum/n)
			}
			if e := math.Sqrt((fourth/n - 1) / n); math.Abs(square/n-1) > 6*e {
				t.Errorf("%s: variance %g of the exact one, ± %g", name, square/n, e)
			}
			if math.Abs(lag)/math.Sqrt(n) > 6.5 {
				t.Errorf("%s: successive samples correlate by %g", name, lag/n)
			}
		}
	}
}
