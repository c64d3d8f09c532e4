package continual

import (
	"fmt"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// BenchmarkStep is one step of one value, without the store; it reports the bytes that must be kept between steps, of which the head is written
// in each and of the rest one step's part.
func BenchmarkStep(b *testing.B) {
	for _, p := range []Params{
		params(Tree, 1<<20, 0, 1), params(SquareRoot, 1<<20, 64, 1), params(SquareRoot, 1<<20, 1024, 1), params(SquareRoot, 1<<14, 1<<14, 1),
	} {
		b.Run(fmt.Sprintf("%s/horizon=%d/band=%d", p.Method, p.Horizon, p.Band), func(b *testing.B) {
			e := epochOf(b, p)
			law, err := noise.NewRoundedGaussian(noise.Ratio{Num: e.sigma, Den: 1})
			if err != nil {
				b.Fatal(err)
			}
			source := noise.NewSource()
			draw := func() int64 { return law.Sample(source) }
			s := newState(e, 1, []int64{0})
			values := []int64{1}
			kept := 0
			for b.Loop() {
				if s.t == e.steps {
					s = newState(e, 1, []int64{0})
				}
				if err := s.advance(values, draw); err != nil {
					b.Fatal(err)
				}
			}
			s.t = e.steps - 1 // with every bit set
			kept = len(s.head([digestSize]byte{})) + 16*len(e.c)
			b.ReportMetric(float64(kept), "state-B")
		})
	}
}
