package audit

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Events that use up what (ε, δ) allows, to the last: the share of bounds above ε keeps to the rate, by either method. The
// choice of events is left out, it would not choose the worst ones here.
func TestBoundsKeepTheirRateAtTheEdgeOfDelta(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n, runs, alpha = 500, 500, 0.1
	for _, c := range []struct{ epsilon, delta, q float64 }{{0, 0.05, 0}, {1, 0.05, 0}, {1, 0.05, 0.1}, {2, 0.01, 0.05}, {0.5, 0, 0.3}, {1, 0.3, 0.05}} {
		p := math.Exp(c.epsilon)*c.q + c.delta
		wrong := map[string]int{}
		for range runs {
			var s sighting
			for range 2 * n {
				u := r.Float64()
				if r.IntN(2) == 0 {
					s.nx++
					s.x += int(indicator(u < p))
				} else {
					s.ny++
					s.y += int(indicator(u < c.q))
				}
			}
			for _, method := range []string{byRatio, byClopperPearson} {
				wrong[method] += int(indicator(s.bound(method, c.delta, alpha) > c.epsilon))
			}
		}
		for method, k := range wrong {
			if k > 85 { // Binomial(500, 0.1) is above 85 less than once in a million
				t.Errorf("%+v: %d of %d bounds by %s are above ε, at rate %g", c, k, runs, method, alpha)
			}
		}
	}
}
