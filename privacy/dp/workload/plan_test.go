package workload

import (
	"math/big"
	"testing"
)

// A unit moves as many cells as it is said to move, also where a table has more of them than are ever measured.
func TestGroupsBeyondWhatIsMeasuredCount(t *testing.T) {
	t.Parallel()
	w := Workload{Domain: []int{2000, 2000}, Queries: []Query{{By: []int{0}, Weight: 1}, {By: []int{1}, Weight: 1}}}
	variance := func(groups int64) *big.Rat {
		s, err := Plan(w, Unit{Groups: groups, Most: 1}, big.NewRat(1, 1))
		if err != nil {
			t.Fatal(err)
		}
		return s.Objective()
	}
	if few, many := variance(MostNumbers+1), variance(4_000_000); many.Cmp(new(big.Rat).Mul(few, big.NewRat(3, 1))) < 0 {
		t.Errorf("of a unit of 4,000,000 cells the variance is %s, of one of a quarter of them %s", many.FloatString(0), few.FloatString(0))
	}
}
