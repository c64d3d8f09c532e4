package audit_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/audit"
	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// Sums of package noise on neighbours that somebody made who wants them to fail: numbers at the ends, sums at the bound, many and few.
// With a sum of floats in the same place, the audit finds that one number moves it further than is declared.
func TestSumsAreAsSensitiveAsTheySay(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	extreme := []int64{0, 1, -1, noise.Limit, -noise.Limit, math.MaxInt64, math.MinInt64, 1 << 53, 1<<53 + 1}
	number := func() int64 {
		if r.IntN(2) == 0 {
			return extreme[r.IntN(len(extreme))]
		}
		return r.Int64() >> r.IntN(63)
	}
	for range 200 {
		lower, upper := noise.Clamp(number()), noise.Clamp(number())
		if lower > upper {
			lower, upper = upper, lower
		}
		if lower == 0 && upper == 0 {
			continue
		}
		sum := func(rows []int64) (*noise.Sum, error) {
			s, err := noise.NewSum(lower, upper)
			if err != nil {
				return nil, err
			}
			for _, v := range rows {
				s.Add(v)
			}
			return &s, nil
		}
		empty, err := sum(nil)
		if err != nil {
			t.Fatal(err)
		}
		var added, replaced []audit.Neighbours[[]int64]
		for i := range 10 {
			rows := make([]int64, r.IntN(20)+1)
			for j := range rows {
				rows[j] = number()
			}
			other := append([]int64{}, rows...)
			other[r.IntN(len(other))] = number()
			added = append(added, audit.Neighbours[[]int64]{Name: fmt.Sprint(i), A: rows[1:], B: rows})
			replaced = append(replaced, audit.Neighbours[[]int64]{Name: fmt.Sprint(i), A: rows, B: other})
		}
		exact := func(rows []int64) (map[string]int64, error) {
			s, err := sum(rows)
			if err != nil {
				return nil, err
			}
			return map[string]int64{"sum": s.Value()}, nil
		}
		within := func(what string, declared int64, pairs []audit.Neighbours[[]int64]) {
			d := uint64(declared)
			_, over, err := audit.Sensitivity(exact, audit.Reach{Cells: 1, Largest: d, Sum: d, Squared: math.MaxUint64}, pairs)
			if err != nil || len(over) > 0 {
				t.Errorf("bounds %d and %d, %s: %v, %v; want no pair beyond %d", lower, upper, what, over, err, declared)
			}
		}
		within("one more", empty.Sensitivity(), added)
		within("one replaced", empty.ReplaceSensitivity(), replaced)
	}

	floating := func(rows []int64) (map[string]int64, error) {
		s := 0.0
		for _, v := range rows {
			s += float64(max(0, min(v, 1)))
		}
		return map[string]int64{"sum": int64(s)}, nil
	}
	many := []int64{1, 1}
	_, over, err := audit.Sensitivity(func(rows []int64) (map[string]int64, error) {
		m, err := floating(rows)
		m["sum"] = int64(float64(1<<53) + float64(m["sum"])) // a sum that is great already: ones are lost, or come two at a time
		return m, err
	}, audit.Reach{Cells: 1, Largest: 1, Sum: 1, Squared: 1}, []audit.Neighbours[[]int64]{{Name: "great", A: many[:1], B: many}})
	if err != nil || len(over) != 1 || over[0].Reach.Largest != 2 {
		t.Errorf("a sum of floats: %v, %v; want it moved by 2", over, err)
	}
	broken := errors.New("no rows")
	if _, _, err := audit.Sensitivity(func([]int64) (map[string]int64, error) { return nil, broken }, audit.Reach{}, []audit.Neighbours[[]int64]{{}}); !errors.Is(err, broken) {
		t.Errorf("a question that fails: %v, want its error", err)
	}
}
