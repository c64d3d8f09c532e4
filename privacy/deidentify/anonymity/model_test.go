package anonymity

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

// rowsOf returns a table of one quasi-identifier, the class, and one sensitive attribute: classes[c][v] rows have value v.
func rowsOf(t testing.TB, classes [][]int, h *Hierarchy) *Table {
	t.Helper()
	b := NewBuilder(1, 1)
	for c, values := range classes {
		for v, n := range values {
			for range n {
				b.Add([]uint32{uint32(c)}, []uint32{uint32(v)})
			}
		}
	}
	up := make([]uint32, len(classes))
	own := make([]uint32, len(classes))
	for c := range own {
		own[c] = uint32(c)
	}
	qi, err := NewHierarchy([][]uint32{own, up})
	if err != nil {
		t.Fatal(err)
	}
	table, err := b.Table([]Attribute{{Name: "class", Hierarchy: qi}}, []Sensitive{{Name: "s", Values: len(classes[0]), Hierarchy: h}})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// within reports which classes of the table itself meet a model, by the search's check, and holds them to the definition.
func within(t testing.TB, table *Table, m Model) (met []bool) {
	t.Helper()
	c, err := m.prepare(table, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &problem{prepared: &prepared{of: []int{0}}}
	own := &classes{rows: table.counts, held: table.held}
	seen := class{values: make([]counts, 1)}
	for i := range table.Len() {
		show(&seen, p, own, i)
		g := group{rows: seen.rows, values: map[uint32]int64{}, table: map[uint32]int64{}, tableRows: table.rows, sensitive: table.sensitive[0]}
		table.Held(0, i, func(v uint32, rows int) { g.values[v] += int64(rows) })
		for j := range table.Len() {
			table.Held(0, j, func(v uint32, rows int) { g.table[v] += int64(rows) })
		}
		ok := c.meets(&seen)
		if ok != m.holds(g) {
			t.Errorf("%v: class %d: the search says %v, the definition %v", m, i, ok, !ok)
		}
		if ok && !c.may(&seen) {
			t.Errorf("%v: class %d meets the model and yet may not", m, i)
		}
		met = append(met, ok)
	}
	return met
}

// The salaries 3K to 11K of Li et al. 2007, section 5.1: {3K,4K,5K} is .375 from the table, {6K,8K,11K} is .167.
func TestOrderedDistanceOfThePaper(t *testing.T) {
	table := rowsOf(t, [][]int{{1, 1, 1, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 1, 0, 1, 0, 0, 1}, {0, 0, 0, 0, 1, 0, 1, 1, 0}}, nil)
	for _, c := range []struct {
		t    float64
		want string
	}{{.375, "[true true true]"}, {.374, "[false true true]"}, {.1667, "[false true false]"}, {.166, "[false false false]"}} {
		if got := fmt.Sprint(within(t, table, OrderedTCloseness{"s", c.t})); got != c.want {
			t.Errorf("t=%v: classes meet %v, want %v", c.t, got, c.want)
		}
	}
}

// The diseases of Li et al. 2007, section 5.2, in the hierarchy of figure 1: {ulcer, gastritis, stomach cancer} is .5 from six
// equally frequent ones, {ulcer, stomach cancer, pneumonia} is 5/18.
func TestHierarchicalDistanceOfThePaper(t *testing.T) {
	// ulcer, gastritis, stomach cancer; flu, pneumonia, bronchitis. Stomach and respiratory infection, digestive and respiratory, root.
	h, err := NewHierarchy([][]uint32{{0, 1, 2, 3, 4, 5}, {0, 0, 0, 1, 1, 1}, {0, 0, 0, 1, 1, 1}, {0, 0, 0, 0, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		classes [][]int
		far     float64
	}{
		{[][]int{{1, 1, 1, 0, 0, 0}, {0, 0, 0, 1, 1, 1}}, .5},
		{[][]int{{1, 0, 1, 0, 1, 0}, {0, 1, 0, 1, 0, 1}}, 5. / 18},
	} {
		table := rowsOf(t, c.classes, h)
		if got := within(t, table, HierarchicalTCloseness{"s", c.far}); !got[0] {
			t.Errorf("a class at distance %v does not meet t=%v", c.far, c.far)
		}
		if got := within(t, table, HierarchicalTCloseness{"s", c.far - .001}); got[0] {
			t.Errorf("a class at distance %v meets t=%v", c.far, c.far-.001)
		}
	}
	if got := within(t, rowsOf(t, [][]int{{1, 0, 1, 0, 1, 0}, {0, 1, 0, 1, 0, 1}}, h), EqualTCloseness{"s", .499}); got[0] {
		t.Error("by equal distance half of the class's share is elsewhere, and yet it is within .499")
	}
}

// The patients of Machanavajjhala et al. 2007: figure 2 is 4-anonymous with a class of cancer only, figure 3 is 3-diverse.
func TestDiversityOfThePaper(t *testing.T) {
	four := rowsOf(t, [][]int{{2, 2, 0}, {1, 2, 1}, {0, 0, 4}}, nil) // heart disease, viral infection, cancer
	three := rowsOf(t, [][]int{{1, 1, 2}, {1, 2, 1}, {1, 1, 2}}, nil)
	for _, c := range []struct {
		table *Table
		model Model
		want  string
	}{
		{four, KAnonymity{4}, "[true true true]"},
		{four, DistinctLDiversity{"s", 2}, "[true true false]"},
		{three, DistinctLDiversity{"s", 3}, "[true true true]"},
		{three, DistinctLDiversity{"s", 4}, "[false false false]"},
		{three, EntropyLDiversity{"s", math.Pow(2, 1.5)}, "[true true true]"}, // ½ log 2 + 2 · ¼ log 4
		{three, EntropyLDiversity{"s", 2.83}, "[false false false]"},
		{four, EntropyLDiversity{"s", 2}, "[true true false]"},          // two values alike are exactly log 2
		{three, RecursiveCLDiversity{"s", 1, 2}, "[false false false]"}, // 2 < c · (1+1)
		{three, RecursiveCLDiversity{"s", 1.1, 2}, "[true true true]"},
		{three, RecursiveCLDiversity{"s", 2, 3}, "[false false false]"}, // 2 < c · 1
		{three, RecursiveCLDiversity{"s", 2.1, 3}, "[true true true]"},
		{four, RecursiveCLDiversity{"s", 9, 2}, "[true true false]"},
	} {
		if got := fmt.Sprint(within(t, c.table, c.model)); got != c.want {
			t.Errorf("%v: classes meet %v, want %v", c.model, got, c.want)
		}
	}
}

// Half of a class's people in the table is allowed, three quarters are not; and with a least share nobody may be left out.
func TestDeltaPresenceAsksThePopulation(t *testing.T) {
	research := rowsOf(t, [][]int{{2}, {3}, {1}}, nil)
	people := rowsOf(t, [][]int{{4}, {4}, {8}}, nil)
	for _, c := range []struct {
		model  Model
		levels int
		none   bool
	}{
		{DeltaPresence{0, .75, people}, 0, false},
		{DeltaPresence{0, .5, people}, 1, false},   // together 6 of 16
		{DeltaPresence{.2, .75, people}, 1, false}, // the last class is 1 of 8
		{DeltaPresence{0, .3, people}, 0, true},
		{DeltaPresence{.5, .75, people}, 0, true},
		{KMap{4, people}, 0, false},
		{KMap{5, people}, 1, false},
		{KMap{17, people}, 0, true},
	} {
		o := Options{Models: []Model{c.model}}
		s, err := Search(t.Context(), research, o)
		if c.none != errors.Is(err, ErrNone) {
			t.Errorf("%v: Search() error = %v", c.model, err)
		} else if !c.none && s.Levels[0] != c.levels {
			t.Errorf("%v: level %d, want %d", c.model, s.Levels[0], c.levels)
		}
	}
}

// Whoever knows that a neighbour is in a class learns the diagnosis that all of it share: k-anonymity allows that, diversity does not.
func TestAttackOnAClassWithOneValue(t *testing.T) {
	table := rowsOf(t, [][]int{{5, 0, 0}, {2, 2, 2}}, nil)
	learnt := func(o Options) (rows int) {
		s, err := Search(t.Context(), table, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, values := range heldBy(table, s) {
			if len(values) == 1 {
				for _, n := range values {
					rows += n
				}
			}
		}
		return rows
	}
	if got := learnt(Options{Models: []Model{KAnonymity{5}}}); got != 5 {
		t.Errorf("under k-anonymity alone the attack names the diagnosis of %d rows, want 5: it no longer shows why", got)
	}
	if got := learnt(Options{Models: []Model{KAnonymity{5}, DistinctLDiversity{"s", 2}}}); got != 0 {
		t.Errorf("under diversity the attack still names the diagnosis of %d rows", got)
	}
}

// Where one row in fifty is positive, a class of which half is tells much of its members: diversity allows that, closeness does not.
func TestAttackOnASkewedClass(t *testing.T) {
	table := rowsOf(t, [][]int{{5, 5}, {485, 5}}, nil)
	raised := func(o Options) (most float64) {
		s, err := Search(t.Context(), table, o)
		if err != nil {
			t.Fatal(err)
		}
		for class, values := range heldBy(table, s) {
			most = max(most, float64(values[1])/float64(s.Size(class))/.02)
		}
		return most
	}
	if got := raised(Options{Models: []Model{DistinctLDiversity{"s", 2}, EntropyLDiversity{"s", 1.05}}}); got < 20 {
		t.Errorf("under diversity belief grows %v times, want 25: the attack no longer shows why", got)
	}
	if got := raised(Options{Models: []Model{DistinctLDiversity{"s", 2}, EqualTCloseness{"s", .1}}}); got > 6 {
		t.Errorf("under closeness belief still grows %v times", got)
	}
}

// heldBy returns the rows by sensitive value of each class.
func heldBy(t *Table, s *Solution) []map[uint32]int {
	held := make([]map[uint32]int, s.Classes)
	for i := range t.Len() {
		if class, ok := s.Class(i); ok {
			if held[class] == nil {
				held[class] = map[uint32]int{}
			}
			t.Held(0, i, func(v uint32, rows int) { held[class][v] += rows })
		}
	}
	return held
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	table := rowsOf(t, [][]int{{1, 1}, {2, 2}}, nil)
	other := rowsOf(t, [][]int{{1, 1}, {1, 1}, {1, 1}}, nil)
	nan := math.NaN()
	for _, c := range []struct {
		o    Options
		want error
	}{
		{Options{}, ErrOptions},
		{Options{Models: []Model{nil}}, ErrOptions},
		{Options{Models: []Model{KAnonymity{}}}, ErrOptions},
		{Options{Models: []Model{KAnonymity{2}}, Suppression: nan}, ErrOptions},
		{Options{Models: []Model{KAnonymity{2}}, Suppression: 1.5}, ErrOptions},
		{Options{Models: []Model{KAnonymity{2}}, Metric: 9}, ErrOptions},
		{Options{Models: []Model{KMap{K: 2}}}, ErrOptions},
		{Options{Models: []Model{KMap{2, other}}}, ErrTable},
		{Options{Models: []Model{DeltaPresence{.5, .2, table}}}, ErrOptions},
		{Options{Models: []Model{DistinctLDiversity{"s", 0}}}, ErrOptions},
		{Options{Models: []Model{DistinctLDiversity{"t", 2}}}, ErrOptions},
		{Options{Models: []Model{EntropyLDiversity{"s", nan}}}, ErrOptions},
		{Options{Models: []Model{RecursiveCLDiversity{"s", 0, 2}}}, ErrOptions},
		{Options{Models: []Model{EqualTCloseness{"s", nan}}}, ErrOptions},
		{Options{Models: []Model{OrderedTCloseness{"s", 1.1}}}, ErrOptions},
		{Options{Models: []Model{HierarchicalTCloseness{"s", .5}}}, ErrOptions},
	} {
		if _, err := Search(t.Context(), table, c.o); !errors.Is(err, c.want) {
			t.Errorf("%v: Search() error = %v, want %v", c.o.Models, err, c.want)
		}
		if _, err := Mondrian(t.Context(), table, c.o); !errors.Is(err, c.want) {
			t.Errorf("%v: Mondrian() error = %v, want %v", c.o.Models, err, c.want)
		}
	}
}
