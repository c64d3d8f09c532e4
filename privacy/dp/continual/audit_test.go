package continual

import (
	"context"
	"math"
	"os"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/audit"
	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// question are the weights of eight releases in the number that tells best whether a unit was in steps 1, 4 and 7.
//
// For the square root it is the logarithm of the ratio of likelihoods: the releases determine y = C·x + z, whose mean the unit moves by C·d, and y is
// C times the differences of the releases. For the tree it is the last release, which is one node, and nearly all there is to know.
func question(e *epoch) (w [8]float64) {
	if e.c == nil {
		w[7] = 1
		return w
	}
	c, d := floats(e.c, e.scale), [8]float64{1, 0, 0, 1, 0, 0, 1, 0}
	for t := range 8 {
		moved := 0.0
		for j, x := range c[:min(t+1, len(c))] {
			moved += x * d[t-j]
		}
		for j, x := range c[:min(t+1, len(c))] {
			w[t-j] += moved * x
			if t-j > 0 {
				w[t-j-1] -= moved * x
			}
		}
	}
	return w
}

// eight runs a stream of eight steps with or without the unit, with less noise or more than once.
func eight(e *epoch, unit int64, sigma uint64, again int) func() audit.Draw {
	law, err := noise.NewRoundedGaussian(noise.Ratio{Num: sigma, Den: 1})
	if err != nil {
		panic(err)
	}
	ask := question(e)
	return func() audit.Draw {
		source := noise.NewSource()
		draw := func() int64 { return law.Sample(source) }
		return func(_ context.Context, dst []int64) error {
			for i := range dst {
				sum := 0.0
				for range again {
					s := newState(e, 1, []int64{0})
					for t, w := range ask {
						x := int64(5)
						if t%3 == 0 {
							x += unit
						}
						if err := s.advance([]int64{x}, draw); err != nil {
							return err
						}
						sum += w * float64(s.released[0])
					}
				}
				dst[i] = int64(sum)
			}
			return nil
		}
	}
}

// Streams at ½-zCDP, where μ is 1 and so δ is 0.127 at ε = 1, as black boxes with the attacker's best question. A bound is wrong once in a million
// audits. Bugs that were planted are found: less noise, noise for one step of a unit that has three, and a step that is drawn anew when it is
// asked for again.
func TestAuditOfStreams(t *testing.T) {
	const most = 1000
	normal := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	claim := audit.Claim{Epsilon: 1, Delta: normal(-0.5) - math.E*normal(-1.5) + 1e-9}
	kinds := []Params{params(Tree, 8, 0, most), params(SquareRoot, 8, 3, most)}
	if os.Getenv("SCRIM_LONG") == "1" {
		kinds = append(kinds, params(SquareRoot, 8, 8, most))
	}
	for _, p := range kinds {
		one := epochOf(t, p)
		p.Contribution.Steps, p.Contribution.Apart = 3, 3
		e := epochOf(t, p)
		for name, run := range map[string]struct {
			e     *epoch
			sigma uint64
			again int
			wrong bool
		}{
			"as it is":           {e, e.sigma, 1, false},
			"noise × 0.75":       {e, e.sigma / 4 * 3, 1, true},
			"noise for one step": {one, one.sigma, 1, true},
			"drawn anew":         {e, e.sigma, 2, true},
		} {
			pair := audit.Pair{Name: name, A: eight(run.e, 0, run.sigma, run.again), B: eight(run.e, most, run.sigma, run.again)}
			f, err := audit.Threshold(t.Context(), pair, claim, audit.ThresholdOptions{Samples: 40_000})
			if err != nil {
				t.Fatal(err)
			}
			if f.Refuted != run.wrong || !run.wrong && f.Lower < 0.4 {
				t.Errorf("%s, band %d, %s: ε is at least %.3f where 1 is claimed, refuted %v, want %v", p.Method, p.Band, name, f.Lower, f.Refuted, run.wrong)
			}
			t.Logf("%s, band %d, %s: ε ≥ %.3f", p.Method, p.Band, name, f.Lower)
		}
	}
}
