package risk

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"
)

func ExampleMeasure() {
	r, err := Measure(Input{
		Table: "patients", Columns: []string{"age", "postcode"},
		Before: State{Sizes: Sizes{1: 3, 2: 1, 5: 1}},
		After:  &State{Sizes: Sizes{5: 1, 4: 1}, Suppressed: 1},
	})
	if err != nil {
		panic(err)
	}
	fmt.Printf("highest %.2f, then %.2f\n", r.Before.Prosecutor.Highest, r.After.Prosecutor.Highest)
	fmt.Printf("average %.2f, then %.2f\n", r.Before.Prosecutor.Average, r.After.Prosecutor.Average)
	// Output:
	// highest 1.00, then 0.25
	// average 0.50, then 0.22
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > within {
		t.Errorf("%s = %v, want %v ± %v", what, got, want, within)
	}
}

// The example of three attackers: 10 rows in classes of 1, 1, 3 and 5, whose classes in a register have 1, 4, 3 and 50 persons.
func TestAttackersByHand(t *testing.T) {
	s := State{Sizes: Sizes{1: 2, 3: 1, 5: 1}, Matches: map[Match]int64{{1, 1}: 1, {1, 4}: 1, {3, 3}: 1, {5, 50}: 1}}
	r, err := Measure(Input{Before: s, Thresholds: []float64{0.2, 0.25, 0.5}})
	if err != nil {
		t.Fatal(err)
	}
	f := r.Before
	near(t, "prosecutor highest", f.Prosecutor.Highest, 1, 0)
	near(t, "prosecutor average", f.Prosecutor.Average, 0.4, 1e-12)
	near(t, "rows over 0.2", f.Prosecutor.AtRisk[0].Share, 0.5, 1e-12)
	near(t, "rows over 0.5", f.Prosecutor.AtRisk[2].Share, 0.2, 1e-12)
	near(t, "journalist highest", f.Journalist.Highest, 1, 0)
	near(t, "journalist average", f.Journalist.Average, (1+0.25+3./3+5./50)/10, 1e-12)
	near(t, "journalist over 0.25", f.Journalist.AtRisk[1].Share, 0.4, 1e-12)
	near(t, "marketer", f.Marketer.Share, 0.235, 1e-12)
	near(t, "unique rows", f.Unique, 0.2, 1e-12)
	if f.Journalist.Basis != FromRegister {
		t.Errorf("basis = %s, want register", f.Journalist.Basis)
	}
}

func TestKeptSuppressedRowsAreAClass(t *testing.T) {
	gone, _ := Measure(Input{Before: State{Sizes: Sizes{10: 2}, Suppressed: 1}})
	kept, _ := Measure(Input{Before: State{Sizes: Sizes{10: 2}, Suppressed: 1, Kept: true}})
	near(t, "highest without the row", gone.Before.Prosecutor.Highest, 0.1, 0)
	near(t, "highest with the one suppressed row in the table", kept.Before.Prosecutor.Highest, 1, 0)
}

func TestMeasureRefusesWhatCannotBe(t *testing.T) {
	for name, in := range map[string]Input{
		"a size of zero":             {Before: State{Sizes: Sizes{0: 1}}},
		"negative classes":           {Before: State{Sizes: Sizes{3: -1}}},
		"overflow":                   {Before: State{Sizes: Sizes{math.MaxInt64: 2}}},
		"overflow of the sum":        {Before: State{Sizes: Sizes{1 << 49: 1, 1<<49 + 1: 1, 1<<49 + 2: 1}}},
		"population too small":       {Before: State{Sizes: Sizes{5: 2}}, Population: Population{Persons: 9}},
		"fraction above one":         {Before: State{Sizes: Sizes{5: 2}}, Population: Population{Fraction: 1.5}},
		"fraction that is no number": {Before: State{Sizes: Sizes{5: 2}}, Population: Population{Fraction: math.NaN()}},
		"threshold":                  {Before: State{Sizes: Sizes{5: 2}}, Thresholds: []float64{math.NaN()}},
		"register smaller":           {Before: State{Sizes: Sizes{5: 1}, Matches: map[Match]int64{{5, 4}: 1}}},
		"register of others":         {Before: State{Sizes: Sizes{5: 1}, Matches: map[Match]int64{{4, 4}: 1}}},
		"register with more":         {Before: State{Sizes: Sizes{5: 1}, Matches: map[Match]int64{{5, 5}: 1, {4, 4}: 1}}},
		"suppressed below zero":      {Before: State{Suppressed: -1}},
		"utility":                    {Utility: &Utility{Loss: math.Inf(1)}},
	} {
		if r, err := Measure(in); !errors.Is(err, ErrInput) || r != nil {
			t.Errorf("%s: Measure() = %v, %v, want nil, ErrInput", name, r, err)
		}
	}
}

// Merging two classes never raises any attacker's risk: the property by which coarser tables are safer.
func TestMergingClassesNeverRaisesRisk(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		s := Sizes{}
		for range 1 + rng.IntN(12) {
			s.Add(1 + rng.Int64N(1+rng.Int64N(40)))
		}
		persons := s.Rows() + rng.Int64N(500)
		merged := maps.Clone(s)
		sizes := s.sorted()
		a, b := sizes[rng.IntN(len(sizes))], sizes[rng.IntN(len(sizes))]
		merged[a]--
		if merged[b] == 0 {
			continue
		}
		merged[b]--
		merged.Add(a + b)
		r, err := Measure(Input{Before: State{Sizes: s}, After: &State{Sizes: merged}, Population: Population{Persons: persons}})
		if err != nil {
			t.Fatal(err)
		}
		for name, of := range map[string]func(Figures) Attacker{"prosecutor": func(f Figures) Attacker { return f.Prosecutor }, "journalist": func(f Figures) Attacker { return f.Journalist }} {
			x, y := of(r.Before), of(*r.After)
			if y.Highest > x.Highest+1e-9 || y.Average > x.Average+1e-9 {
				t.Fatalf("%s: %v to %v raises the risk from %+v to %+v (%d persons)", name, s, merged, x, y, persons)
			}
			if x.Average > x.Highest+1e-12 || x.Highest > 1 {
				t.Fatalf("%s of %v: average %v, highest %v", name, s, x.Average, x.Highest)
			}
		}
		// Nobody is easier to find for one who does not know who is in the table.
		if r.Before.Journalist.Highest > r.Before.Prosecutor.Highest || r.Before.Journalist.Average > r.Before.Prosecutor.Average+1e-12 {
			t.Fatalf("journalist above prosecutor for %v of %d persons", s, persons)
		}
	}
}

// expectedChances against the integral it is the solution of.
func TestExpectedChancesMatchTheIntegral(t *testing.T) {
	for _, p := range []float64{0.0001, 0.01, 0.1, 0.49, 0.5, 0.51, 0.9, 0.999} {
		sizes := []int64{1, 2, 3, 7, 50, 1000, 5000}
		got := expectedChances(p, sizes)
		for i, f := range sizes {
			var sum float64
			const steps = 200_000
			for j := range steps { // s = 1 - u², so that what happens near s = 1 is resolved
				u := (float64(j) + 0.5) / steps
				s := 1 - u*u
				sum += math.Exp(float64(f)*math.Log(p)+float64(f-1)*math.Log(s)-float64(f)*math.Log(1-(1-p)*s)) * 2 * u / steps
			}
			near(t, fmt.Sprintf("E(1/F) for f = %d, p = %v", f, p), got[i]/sum, 1, 2e-4)
		}
	}
}

func testRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }
