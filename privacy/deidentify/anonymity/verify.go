package anonymity

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
)

// group is a class as the definitions of the models speak of it.
type group struct {
	rows, people int64
	values       map[uint32]int64 // rows of the class by the model's sensitive value
	table        map[uint32]int64 // rows of the whole table, likewise
	tableRows    int64
	sensitive    Sensitive
}

// Verify checks a solution again: it recodes every combination as a release would, forms classes of what comes out, and looks at each
// with the models' definitions, by none of the code that the search uses. It also counts what is suppressed.
// Its errors wrap [ErrUnmet], and name the model and how many classes do not meet it.
func Verify(ctx context.Context, t *Table, s *Solution, o Options) error {
	if len(o.Models) == 0 {
		return fmt.Errorf("%w: there is no model to meet", ErrUnmet)
	}
	released, suppressed, err := recoded(ctx, t, s)
	if err != nil {
		return err
	}
	if allowed := o.Suppression*float64(t.rows) + 1e-9; !(float64(suppressed) <= allowed) {
		return fmt.Errorf("%w: %d rows are suppressed, at most %.0f may be", ErrUnmet, suppressed, math.Floor(allowed))
	}
	if suppressed != s.Suppressed || len(released) != s.Classes {
		return fmt.Errorf("%w: the solution says other numbers of classes and suppressed rows than come out", ErrUnmet)
	}
	for _, m := range o.Models {
		if err := verify(ctx, t, s, m, released); err != nil {
			return err
		}
	}
	return nil
}

// recoded returns the combinations of each released class, by what is released of them, and how many rows are suppressed.
func recoded(ctx context.Context, t *Table, s *Solution) (map[string][]int32, int64, error) {
	released, suppressed := map[string][]int32{}, int64(0)
	codes, cells := make([]uint32, len(t.attributes)), make([]Cell, len(t.attributes))
	var text []byte
	for i := range t.Len() {
		if i%4096 == 0 && ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		t.Tuple(i, codes)
		if _, ok := s.Recode(cells, codes); !ok {
			suppressed += int64(t.Count(i))
			continue
		}
		for a, c := range cells {
			if !c.holds(t.attributes[a].Hierarchy, codes[a]) {
				return nil, 0, fmt.Errorf("%w: attribute %s: a value becomes one that does not stand for it", ErrUnmet, t.attributes[a].Name)
			}
		}
		text = spell(text[:0], cells)
		released[string(text)] = append(released[string(text)], int32(i))
	}
	return released, suppressed, nil
}

// holds reports whether a cell stands for a value.
func (c Cell) holds(h *Hierarchy, value uint32) bool {
	if c.Range {
		return c.Code <= value && value <= c.Last
	}
	return c.Level >= 0 && c.Level < h.Levels() && h.At(c.Level, value) == c.Code
}

func spell(dst []byte, cells []Cell) []byte {
	for _, c := range cells {
		kind := byte(0)
		if c.Range {
			kind = 1
		}
		dst = append(dst, kind, byte(c.Level))
		dst = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, c.Code), c.Last)
	}
	return dst
}

func verify(ctx context.Context, t *Table, s *Solution, m Model, released map[string][]int32) error {
	name, population := m.needs()
	g := group{table: map[uint32]int64{}, tableRows: t.rows}
	of := slices.IndexFunc(t.sensitive, func(s Sensitive) bool { return s.Name == name })
	if name != "" {
		if of < 0 {
			return fmt.Errorf("%w: %s: the table has no such sensitive attribute", ErrUnmet, m)
		}
		g.sensitive = t.sensitive[of]
		for i := range t.Len() {
			t.Held(of, i, func(v uint32, rows int) { g.table[v] += int64(rows) })
		}
	}
	people, err := peopleOf(ctx, t, s, population, released)
	if err != nil {
		return err
	}
	failed := 0
	for what, members := range released {
		if err := ctx.Err(); err != nil {
			return err
		}
		g.rows, g.people, g.values = 0, people[what], map[uint32]int64{}
		delete(people, what)
		for _, i := range members {
			g.rows += int64(t.Count(int(i)))
			if of >= 0 {
				t.Held(of, int(i), func(v uint32, rows int) { g.values[v] += int64(rows) })
			}
		}
		if !m.holds(g) {
			failed++
		}
	}
	if d, ok := m.(DeltaPresence); ok && d.Least > 0 {
		failed += len(people) // people of whom no row is released
	}
	if failed > 0 {
		return fmt.Errorf("%w: %s: %d of %d classes", ErrUnmet, m, failed, len(released))
	}
	return nil
}

// peopleOf counts the population by what would be released of it. People that no released class stands for are under their own
// combination.
func peopleOf(ctx context.Context, t *Table, s *Solution, population *Table, released map[string][]int32) (map[string]int64, error) {
	if population == nil {
		return nil, nil
	}
	people := map[string]int64{}
	codes, cells := make([]uint32, len(t.attributes)), make([]Cell, len(t.attributes))
	var boxes [][]Cell
	if s.Levels == nil {
		for class := range s.Classes {
			box := make([]Cell, len(cells))
			s.box(box, class)
			boxes = append(boxes, box)
		}
	}
	var text []byte
	for i := range population.Len() {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		population.Tuple(i, codes)
		found := false
		if s.Levels != nil {
			for a, v := range codes {
				cells[a] = Cell{Level: s.Levels[a], Code: t.attributes[a].Hierarchy.At(s.Levels[a], v)}
			}
			text, found = spell(text[:0], cells), true
		}
		for _, box := range boxes {
			if text = spell(text[:0], box); inside(box, t, codes) {
				found = true
				break
			}
		}
		if !found {
			text = fmt.Appendf(text[:0], "nobody %d", i)
		}
		people[string(text)] += int64(population.Count(i))
	}
	return people, nil
}

func inside(box []Cell, t *Table, codes []uint32) bool {
	for a, c := range box {
		if !c.holds(t.attributes[a].Hierarchy, codes[a]) {
			return false
		}
	}
	return true
}

func (m KAnonymity) holds(g group) bool { return g.rows >= int64(m.K) }

func (m KMap) holds(g group) bool { return g.people >= int64(m.K) }

func (m DeltaPresence) holds(g group) bool {
	share := float64(g.rows) / float64(g.people)
	return g.rows <= g.people && share >= m.Least-slack && share <= m.Most+slack
}

func (m DistinctLDiversity) holds(g group) bool { return len(g.values) >= m.L }

func (m EntropyLDiversity) holds(g group) bool {
	sum := 0.0
	for _, v := range slices.Sorted(maps.Keys(g.values)) {
		share := float64(g.values[v]) / float64(g.rows)
		sum -= share * math.Log2(share)
	}
	return sum >= math.Log2(m.L)-1e-9
}

func (m RecursiveCLDiversity) holds(g group) bool {
	rows := slices.Sorted(maps.Values(g.values))
	slices.Reverse(rows)
	tail := int64(0)
	for i := m.L - 1; i < len(rows); i++ {
		tail += rows[i]
	}
	return float64(rows[0]) < m.C*float64(tail)
}

// excess is by how much the class's share of each value is above the table's.
func (g group) excess() []float64 {
	d := make([]float64, g.sensitive.Values)
	for v := range d {
		d[v] = float64(g.values[uint32(v)])/float64(g.rows) - float64(g.table[uint32(v)])/float64(g.tableRows)
	}
	return d
}

func (m EqualTCloseness) holds(g group) bool { return g.equalDistance() <= m.T+1e-9 }

func (g group) equalDistance() float64 {
	sum := 0.0
	for _, d := range g.excess() {
		sum += math.Abs(d)
	}
	return sum / 2
}

func (m OrderedTCloseness) holds(g group) bool { return g.orderedDistance() <= m.T+1e-9 }

func (g group) orderedDistance() float64 {
	sum, all := 0.0, 0.0
	for _, d := range g.excess() {
		sum += d
		all += math.Abs(sum)
	}
	return all / float64(max(1, g.sensitive.Values-1))
}

func (m HierarchicalTCloseness) holds(g group) bool { return g.treeDistance() <= m.T+1e-9 }

// treeDistance follows the paper's recursion from the root down.
func (g group) treeDistance() float64 {
	h, d := g.sensitive.Hierarchy, g.excess()
	height := h.Levels() - 1
	if h.Codes(height) > 1 {
		height++
	}
	if height == 0 {
		return 0
	}
	total := 0.0
	var extra func(level int, values []uint32) float64
	extra = func(level int, values []uint32) float64 {
		if level == 0 {
			return d[values[0]]
		}
		children := map[uint32][]uint32{}
		for _, v := range values {
			children[h.At(level-1, v)] = append(children[h.At(level-1, v)], v)
		}
		more, less := 0.0, 0.0
		for _, child := range slices.Sorted(maps.Keys(children)) {
			if e := extra(level-1, children[child]); e > 0 {
				more += e
			} else {
				less -= e
			}
		}
		total += float64(level) / float64(height) * min(more, less)
		return more - less
	}
	all := make([]uint32, len(d))
	for v := range all {
		all[v] = uint32(v)
	}
	extra(height, all)
	return total
}
