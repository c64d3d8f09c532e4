package flow_test

import (
	"math"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

func TestPercentIsNeverBelowTheScore(t *testing.T) {
	for score, want := range map[float64]uint8{
		.6: 60, .596: 60, .601: 61, .07: 7, .29: 29, .0001: 1, 1e-300: 1, .999: 100, 1: 100, // what is no score is certain
		0: 100, -.5: 100, 1.5: 100, math.NaN(): 100, math.Inf(1): 100, math.Inf(-1): 100,
	} {
		if got := flow.Percent(score); got != want {
			t.Errorf("Percent(%g) = %d, want %d", score, got, want)
		}
	}
	for n := 1; n <= 100; n++ {
		if got := flow.Percent(float64(n) / 100); int(got) != n {
			t.Errorf("Percent(%d/100) = %d", n, got)
		}
	}
}
