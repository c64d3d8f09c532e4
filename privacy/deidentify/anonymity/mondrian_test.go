package anonymity

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMondrianMeetsEveryModel(t *testing.T) {
	found, cut := 0, 0
	for seed := range 500 {
		r := rand.New(rand.NewPCG(uint64(seed), 9))
		table, population := randomTable(t, r, seed%50 == 0)
		o := Options{Models: randomModels(r, population), Metric: Metric(r.IntN(4))}
		if r.IntN(2) > 0 {
			o.Suppression = r.Float64() * .3
		}
		s, err := Mondrian(t.Context(), table, o)
		if errors.Is(err, ErrNone) {
			continue
		}
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		found++
		if s.Classes > 1 {
			cut++
		}
		if err := Verify(t.Context(), table, s, o); err != nil {
			t.Fatalf("seed %d: %v: %v", seed, o.Models, err)
		}
		disjoint(t, table, s)
		again, err := Mondrian(t.Context(), table, o)
		if err != nil || !slices.Equal(again.class, s.class) {
			t.Fatalf("seed %d: a second run gives other classes (%v)", seed, err)
		}
	}
	if found < 150 || cut < 80 {
		t.Errorf("only %d tables had a local recoding, %d of them more than one class", found, cut)
	}
}

// No combination lies in two boxes, and no cell is finer than its attribute's least level.
func disjoint(t *testing.T, table *Table, s *Solution) {
	t.Helper()
	codes, box := make([]uint32, len(table.attributes)), make([]Cell, len(table.attributes))
	for class := range s.Classes {
		s.box(box, class)
		for a, c := range box {
			if least := table.attributes[a].Least; c.Level < least {
				t.Fatalf("class %d has %s at level %d, the least is %d", class, table.attributes[a].Name, c.Level, least)
			}
		}
		for i := range table.Len() {
			table.Tuple(i, codes)
			if at, ok := s.Class(i); inside(box, table, codes) && ok && at != class {
				t.Fatalf("combination %d lies in the boxes of two classes", i)
			}
		}
	}
}

// On Adult a local recoding keeps far more than the best global one.
func TestMondrianLosesLessThanTheGlobalOptimum(t *testing.T) {
	table, _ := adult(t)
	for a := range table.attributes {
		table.attributes[a].Ordered = table.attributes[a].Name == "age"
	}
	o := Options{Models: []Model{KAnonymity{5}}, Suppression: .05}
	best, err := Search(t.Context(), table, o)
	if err != nil {
		t.Fatal(err)
	}
	local, err := Mondrian(t.Context(), table, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(t.Context(), table, local, o); err != nil {
		t.Error(err)
	}
	t.Logf("global: loss %.4f, %d classes, %d rows suppressed; local: loss %.4f, %d classes, %d rows suppressed",
		best.Score, best.Classes, best.Suppressed, local.Score, local.Classes, local.Suppressed)
	if local.Score >= best.Score {
		t.Errorf("the local recoding loses %.4f, the global one %.4f", local.Score, best.Score)
	}
}

func TestVerifyRefusesWhatDoesNotMeetItsModels(t *testing.T) {
	table, _ := adult(t, "occupation")
	k := Options{Models: []Model{KAnonymity{5}}, Suppression: .05}
	s, err := Search(t.Context(), table, k)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"a larger k":          {Models: []Model{KAnonymity{6}}, Suppression: .05},
		"less suppression":    {Models: k.Models, Suppression: .001},
		"diversity":           {Models: []Model{DistinctLDiversity{"occupation", 3}}, Suppression: .05},
		"closeness":           {Models: []Model{EqualTCloseness{"occupation", .1}}, Suppression: .05},
		"an unknown column":   {Models: []Model{DistinctLDiversity{"income", 2}}, Suppression: .05},
		"no model":            {Suppression: .05},
		"not a number at all": {Models: k.Models, Suppression: nan()},
	} {
		if err := Verify(t.Context(), table, s, o); !errors.Is(err, ErrUnmet) {
			t.Errorf("%s: Verify() error = %v, want ErrUnmet", name, err)
		}
	}
	moved := *s
	moved.Levels = slices.Clone(s.Levels)
	moved.Levels[1]--
	if err := Verify(t.Context(), table, &moved, k); !errors.Is(err, ErrUnmet) {
		t.Errorf("levels that are not the solution's: Verify() error = %v, want ErrUnmet", err)
	}
}

func nan() float64 { zero := 0.0; return zero / zero }
