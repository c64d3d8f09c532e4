package anonymity

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// grown returns a random hierarchy: each level merges some codes of the one before.
func grown(r *rand.Rand, values, levels int) *Hierarchy {
	rows := [][]uint32{make([]uint32, values)}
	for v := range rows[0] {
		rows[0][v] = uint32(v)
	}
	codes := values
	for l := 1; l < levels; l++ {
		next := max(1, codes/(1+r.IntN(3)))
		if l == levels-1 && r.IntN(4) > 0 {
			next = 1
		}
		to := make([]uint32, codes)
		for c := range to {
			to[c] = uint32(r.IntN(next))
			if c < next {
				to[c] = uint32(c)
			}
		}
		row := make([]uint32, values)
		for v := range row {
			row[v] = to[rows[l-1][v]]
		}
		rows, codes = append(rows, row), next
	}
	h, err := NewHierarchy(rows)
	if err != nil {
		panic(err)
	}
	return h
}

// randomTable returns a table and a population that it is part of, with one sensitive attribute called s.
func randomTable(t testing.TB, r *rand.Rand, wide bool) (table, population *Table) {
	t.Helper()
	var attributes []Attribute
	for a := range 2 + r.IntN(2) {
		values := 2 + r.IntN(9)
		if wide {
			values = 1 << 14 // three of them and more need two words
		}
		at := Attribute{Name: fmt.Sprint("a", a), Hierarchy: grown(r, values, 2+r.IntN(3)), Ordered: r.IntN(2) == 0}
		if r.IntN(5) == 0 {
			at.Weight = .5 + r.Float64()
		}
		if r.IntN(5) == 0 {
			at.Least = 1
		}
		attributes = append(attributes, at)
	}
	if wide {
		for len(attributes) < 5 {
			attributes = append(attributes, Attribute{Name: fmt.Sprint("a", len(attributes)), Hierarchy: grown(r, 1<<14, 2)})
		}
	}
	values := 2 + r.IntN(6)
	sensitive := []Sensitive{{Name: "s", Values: values, Hierarchy: grown(r, values, 2+r.IntN(3))}}
	sample, all := NewBuilder(len(attributes), 1), NewBuilder(len(attributes), 1)
	codes := make([]uint32, len(attributes))
	for range 30 + r.IntN(120) {
		for a, at := range attributes {
			codes[a] = uint32(min(r.IntN(at.Hierarchy.Codes(0)), r.IntN(at.Hierarchy.Codes(0))))
		}
		s := []uint32{uint32(min(r.IntN(values), r.IntN(values)))}
		all.Add(codes, s)
		if r.IntN(2) == 0 {
			sample.Add(codes, s)
		}
	}
	if sample.Rows() == 0 {
		sample.Add(codes, []uint32{0})
	}
	table, err := sample.Table(attributes, sensitive)
	if err != nil {
		t.Fatal(err)
	}
	if population, err = all.Table(attributes, sensitive); err != nil {
		t.Fatal(err)
	}
	return table, population
}

func randomModels(r *rand.Rand, population *Table) []Model {
	all := []Model{
		KAnonymity{2 + r.IntN(5)},
		KMap{2 + r.IntN(6), population},
		DistinctLDiversity{"s", 2 + r.IntN(2)},
		EntropyLDiversity{"s", 1 + 2*r.Float64()},
		RecursiveCLDiversity{"s", .5 + 3*r.Float64(), 1 + r.IntN(3)},
		EqualTCloseness{"s", .1 + .5*r.Float64()},
		OrderedTCloseness{"s", .05 + .4*r.Float64()},
		HierarchicalTCloseness{"s", .05 + .5*r.Float64()},
		DeltaPresence{0, .4 + .6*r.Float64(), population},
		DeltaPresence{.3 * r.Float64(), .5 + .5*r.Float64(), population},
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+r.IntN(3)]
}

// scanned is what the plain way finds at one node.
type scanned struct {
	ok         bool
	suppressed int64
	score      float64
}

// scan forms the classes of a node row by row and asks the models' definitions.
func scan(t *Table, o Options, levels []int) scanned {
	codes := make([]uint32, len(t.attributes))
	name := func(table *Table, i int) string {
		table.Tuple(i, codes)
		text := ""
		for a, v := range codes {
			text += fmt.Sprint(t.attributes[a].Hierarchy.At(levels[a], v), " ")
		}
		return text
	}
	members, people := map[string][]int{}, map[Model]map[string]int64{}
	for i := range t.Len() {
		members[name(t, i)] = append(members[name(t, i)], i)
	}
	failed, ok := map[string]bool{}, true
	for _, m := range o.Models {
		of, population := m.needs()
		if population != nil {
			people[m] = map[string]int64{}
			for i := range population.Len() {
				people[m][name(population, i)] += int64(population.Count(i))
			}
		}
		for what, tuples := range members {
			g := group{people: people[m][what], values: map[uint32]int64{}, table: map[uint32]int64{}, tableRows: t.rows}
			for _, i := range tuples {
				g.rows += int64(t.Count(i))
			}
			if of != "" {
				g.sensitive = t.sensitive[0]
				for _, i := range tuples {
					t.Held(0, i, func(v uint32, rows int) { g.values[v] += int64(rows) })
				}
				for i := range t.Len() {
					t.Held(0, i, func(v uint32, rows int) { g.table[v] += int64(rows) })
				}
			}
			failed[what] = failed[what] || !m.holds(g)
		}
	}
	for _, m := range o.Models {
		if d, isPresence := m.(DeltaPresence); isPresence && d.Least > 0 {
			for what := range people[m] {
				ok = ok && members[what] != nil && !failed[what]
			}
		}
	}
	return measured(t, o, levels, members, failed, ok)
}

// measured works out the score by the metric's definition.
func measured(t *Table, o Options, levels []int, members map[string][]int, failed map[string]bool, ok bool) scanned {
	s := scanned{ok: ok}
	n := float64(t.rows)
	loss, hidden, there := make([]float64, len(levels)), make([]float64, len(levels)), make([]float64, len(levels))
	squares, classes, codes := 0.0, 0, make([]uint32, len(levels))
	with := func(a, level int, code uint32) (sum float64) {
		for i := range t.Len() {
			t.Tuple(i, codes)
			if t.attributes[a].Hierarchy.At(level, codes[a]) == code {
				sum += float64(t.Count(i))
			}
		}
		return sum
	}
	for what, tuples := range members {
		size := 0.0
		for _, i := range tuples {
			size += float64(t.Count(i))
			for a, l := range levels {
				t.Tuple(i, codes)
				v, h := codes[a], t.attributes[a].Hierarchy
				full := float64(max(1, h.Codes(0)-1))
				own := with(a, 0, v)
				there[a] += float64(t.Count(i)) * math.Log2(n/own)
				if failed[what] {
					loss[a] += float64(t.Count(i))
					hidden[a] += float64(t.Count(i)) * math.Log2(n/own)
				} else {
					loss[a] += float64(t.Count(i)) * float64(h.Leaves(l, h.At(l, v))-1) / full
					hidden[a] += float64(t.Count(i)) * math.Log2(with(a, l, h.At(l, v))/own)
				}
			}
		}
		if failed[what] {
			s.suppressed += int64(size)
		} else {
			squares, classes = squares+size*size, classes+1
		}
	}
	s.ok = s.ok && float64(s.suppressed) <= o.Suppression*n+1e-9 && classes > 0
	product, weights, bits, allBits, k := 1.0, 0.0, 0.0, 0.0, 1
	for a, at := range t.attributes {
		product *= math.Pow(1+loss[a]/n, at.Weight)
		weights += at.Weight
		bits += at.Weight * hidden[a]
		allBits += at.Weight * there[a]
	}
	for _, m := range o.Models {
		if m, isK := m.(KAnonymity); isK {
			k = max(k, m.K)
		}
	}
	switch o.Metric {
	case Loss:
		s.score = math.Pow(product, 1/weights) - 1
	case NonUniformEntropy:
		s.score = bits / max(allBits, 1e-9)
	case Discernibility:
		s.score = squares + float64(s.suppressed)*n
	case AverageClassSize:
		s.score = (n - float64(s.suppressed)) / float64(classes) / float64(k)
	}
	return s
}

// exhaust looks at every node. It returns the best score and the first levels that have it, up to rounding.
func exhaust(t *Table, o Options) (best scanned, levels []int, nodes int64) {
	at := make([]int, len(t.attributes))
	for a := range at {
		at[a] = t.attributes[a].Least
	}
	best.score = math.Inf(1)
	for {
		nodes++
		if s := scan(t, o, at); s.ok && s.score < best.score*(1-1e-11)-1e-12 {
			best, levels = s, slices.Clone(at)
		}
		a := len(at) - 1
		for ; a >= 0 && at[a] == t.attributes[a].Most; a-- {
			at[a] = t.attributes[a].Least
		}
		if a < 0 {
			return best, levels, nodes
		}
		at[a]++
	}
}

func TestSearchFindsWhatExhaustionFinds(t *testing.T) {
	rounds := 400
	if os.Getenv("SCRIM_LONG") == "1" {
		rounds = 2000
	}
	found, none := 0, 0
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		table, population := randomTable(t, r, seed%40 == 0)
		o := Options{Models: randomModels(r, population), Metric: Metric(r.IntN(4)), Workers: 1 + seed%3}
		if r.IntN(3) > 0 {
			o.Suppression = r.Float64() * .4
		}
		want, levels, nodes := exhaust(table, o)
		got, err := Search(t.Context(), table, o)
		if levels == nil {
			if none++; !errors.Is(err, ErrNone) {
				t.Fatalf("seed %d: %v: Search() error = %v, want ErrNone", seed, o.Models, err)
			}
			continue
		}
		found++
		if err != nil {
			t.Fatalf("seed %d: %v: Search() error = %v, but %v meet them", seed, o.Models, err, levels)
		}
		if math.Abs(got.Score-want.score) > 1e-6*max(1, want.score) || got.Nodes != nodes {
			t.Fatalf("seed %d: %v by %v: levels %v score %v of %d nodes, want %v score %v of %d", seed, o.Models, o.Metric, got.Levels, got.Score, got.Nodes, levels, want.score, nodes)
		}
		if o.Metric != NonUniformEntropy && (!slices.Equal(got.Levels, levels) || got.Suppressed != want.suppressed) {
			t.Fatalf("seed %d: %v by %v: levels %v, %d rows suppressed, want %v and %d", seed, o.Models, o.Metric, got.Levels, got.Suppressed, levels, want.suppressed)
		}
		if err := Verify(t.Context(), table, got, o); err != nil {
			t.Fatalf("seed %d: %v: %v", seed, o.Models, err)
		}
	}
	if found < rounds/4 || none < rounds/20 {
		t.Errorf("of %d tables %d had a recoding and %d had none: too few to say much", rounds, found, none)
	}
}

func TestSearchDoesNotDependOnWorkers(t *testing.T) {
	for seed := range 20 {
		r := rand.New(rand.NewPCG(uint64(seed), 8))
		table, population := randomTable(t, r, false)
		o := Options{Models: randomModels(r, population), Suppression: .2, Metric: Metric(seed % 4)}
		var first *Solution
		for workers := 1; workers <= 8; workers++ {
			o.Workers = workers
			got, err := Search(t.Context(), table, o)
			if err != nil && !errors.Is(err, ErrNone) {
				t.Fatal(err)
			}
			if workers == 1 {
				first = got
			} else if got != nil && (!slices.Equal(got.Levels, first.Levels) || got.Score != first.Score || !slices.Equal(got.class, first.class)) {
				t.Fatalf("seed %d: %d workers find %v with %v, one finds %v with %v", seed, workers, got.Levels, got.Score, first.Levels, first.Score)
			}
		}
	}
}

// The optimum and score that ARX finds for Adult.
func TestAdultOptimumIsThatOfARX(t *testing.T) {
	table, codings := adult(t)
	o := Options{Models: []Model{KAnonymity{5}}, Suppression: .05}
	s, err := Search(t.Context(), table, o)
	if err != nil {
		t.Fatal(err)
	}
	if table.Len() != 19502 || table.Rows() != 30162 {
		t.Errorf("%d distinct combinations in %d rows, want 19502 in 30162", table.Len(), table.Rows())
	}
	if want := []int{0, 3, 0, 0, 2, 1, 1, 2, 0}; !slices.Equal(s.Levels, want) || math.Abs(s.Score-.2419) > .00005 {
		t.Errorf("levels %v score %.5f, want %v and .2419", s.Levels, s.Score, want)
	}
	if err := Verify(t.Context(), table, s, o); err != nil {
		t.Error(err)
	}
	cells, codes := make([]Cell, 9), make([]uint32, 9)
	table.Tuple(0, codes)
	if _, ok := s.Recode(cells, codes); ok {
		for a, c := range codings {
			if text, ok := c.Append(nil, cells[a]); !ok || len(text) == 0 {
				t.Errorf("attribute %d of the first combination has no text", a)
			}
		}
	}
}

// Every one of the 12,960 nodes by the plain scan of rows.
func TestAdultExhaustively(t *testing.T) {
	if os.Getenv("SCRIM_LONG") != "1" {
		t.Skip("looks at every node of Adult row by row: SCRIM_LONG=1")
	}
	table, _ := adult(t)
	best, levels := math.Inf(1), []int(nil)
	at := make([]int, 9)
	codes, rows := make([]uint32, 9), map[[9]uint8]int{}
	tuples, losses := make([][9]uint32, table.Len()), make([][]float64, 9)
	for i := range tuples {
		table.Tuple(i, codes)
		copy(tuples[i][:], codes)
	}
	for node := range 12960 {
		rest := node
		for a := 8; a >= 0; a-- {
			n := table.attributes[a].Hierarchy.Levels()
			at[a], rest = rest%n, rest/n
			h := table.attributes[a].Hierarchy
			losses[a] = losses[a][:0]
			for c := range h.Codes(at[a]) {
				losses[a] = append(losses[a], float64(h.Leaves(at[a], uint32(c))-1)/float64(h.Codes(0)-1))
			}
		}
		clear(rows)
		for i, tuple := range tuples {
			var key [9]uint8
			for a, v := range tuple {
				key[a] = uint8(table.attributes[a].Hierarchy.At(at[a], v))
			}
			rows[key] += table.Count(i)
		}
		suppressed, product := 0, 1.0
		var sum [9]float64
		for key, n := range rows {
			if n < 5 {
				suppressed += n
			}
			for a, c := range key {
				if n < 5 {
					sum[a] += float64(n)
				} else {
					sum[a] += float64(n) * losses[a][c]
				}
			}
		}
		for _, s := range sum {
			product *= 1 + s/30162
		}
		if score := math.Pow(product, 1./9) - 1; suppressed <= 1508 && score < best {
			best, levels = score, slices.Clone(at)
		}
	}
	s, err := Search(t.Context(), table, Options{Models: []Model{KAnonymity{5}}, Suppression: .05})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Levels, levels) || math.Abs(s.Score-best) > 1e-9 {
		t.Errorf("the search finds %v with %v, exhaustion %v with %v", s.Levels, s.Score, levels, best)
	}
}

// Where some rows of a class meet a model by themselves, the class may; where a part may, the whole may. The search prunes by this.
func TestWhatAPartMeetsTheWholeMay(t *testing.T) {
	met := map[string]int{}
	for seed := range 4000 {
		r := rand.New(rand.NewPCG(uint64(seed), 10))
		values := 2 + r.IntN(6)
		// Two rows of the table are a part and the rest of its class; the third is other rows.
		classes := [][]int{make([]int, values), make([]int, values), make([]int, values)}
		for c := range classes {
			for v := range classes[c] {
				if r.IntN(3) > 0 {
					classes[c][v] = r.IntN(6)
				}
			}
			classes[c][r.IntN(values)]++
		}
		table := rowsOf(t, classes, grown(r, values, 2+r.IntN(3)))
		for _, m := range randomModels(r, nil) {
			if _, population := m.(KMap); population {
				continue
			}
			if _, population := m.(DeltaPresence); population {
				continue
			}
			c, err := m.prepare(table, 0)
			if err != nil {
				t.Fatal(err)
			}
			part, whole := &class{values: make([]counts, 1)}, &class{values: make([]counts, 1)}
			for v := range values {
				if n := classes[0][v]; n > 0 {
					part.add(uint32(v), n)
				}
				if n := classes[0][v] + classes[1][v]; n > 0 {
					whole.add(uint32(v), n)
				}
			}
			if c.meets(part) {
				met[fmt.Sprintf("%T", m)]++
				if !c.may(part) || !c.may(whole) {
					t.Fatalf("seed %d: %v: a part meets it, and yet the class may not", seed, m)
				}
			}
			if c.may(part) && !c.may(whole) {
				t.Fatalf("seed %d: %v: a part may meet it, and yet the class may not", seed, m)
			}
			if c.closed() && c.may(whole) != c.meets(whole) {
				t.Fatalf("seed %d: %v is closed, but its two questions differ", seed, m)
			}
		}
	}
	if len(met) != 7 {
		t.Errorf("only %v were met by a part", met)
	}
}

func (c *class) add(value uint32, rows int) {
	c.rows += int64(rows)
	c.values[0].values = append(c.values[0].values, value)
	c.values[0].rows = append(c.values[0].rows, uint32(rows))
}
