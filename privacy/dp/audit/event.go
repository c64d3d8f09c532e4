package audit

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"strings"
)

// event is a set of answers that an attacker looks for.
type event interface {
	holds(v int64) bool
	text(show func(v int64) string) string
}

// ray is all answers that are at most, or at least, so much. [Absent] belongs to neither.
type ray struct {
	bound int64
	up    bool
}

func (e ray) holds(v int64) bool {
	if v == Absent {
		return false
	}
	if e.up {
		return v >= e.bound
	}
	return v <= e.bound
}

func (e ray) text(show func(int64) string) string {
	if e.up {
		return "answer ≥ " + show(e.bound)
	}
	return "answer ≤ " + show(e.bound)
}

type absence struct{ is bool }

func (e absence) holds(v int64) bool { return (v == Absent) == e.is }

func (e absence) text(func(int64) string) string {
	if e.is {
		return "no answer"
	}
	return "any answer"
}

// residue is all answers that leave a remainder in the set.
type residue struct {
	modulus int64
	rest    map[int64]bool
}

func remainder(v, modulus int64) int64 { return (v%modulus + modulus) % modulus }

func (e residue) holds(v int64) bool { return v != Absent && e.rest[remainder(v, e.modulus)] }

func (e residue) text(func(int64) string) string {
	var some []string
	for _, r := range slices.Sorted(maps.Keys(e.rest)) {
		if len(some) == 4 {
			some = append(some, "…")
			break
		}
		some = append(some, fmt.Sprint(r))
	}
	return fmt.Sprintf("answer mod %d in {%s}", e.modulus, strings.Join(some, ", "))
}

// union is some of the runs between bounds: run i is what is greater than bound i−1 and at most bound i.
type union struct {
	bounds []int64 // the greatest answer of each run but the last
	in     []bool  // one longer than bounds
}

func (e union) run(v int64) int {
	return sort.Search(len(e.bounds), func(i int) bool { return e.bounds[i] >= v })
}

func (e union) holds(v int64) bool { return v != Absent && e.in[e.run(v)] }

func (e union) text(show func(int64) string) string {
	var parts []string
	for i := 0; i < len(e.in); i++ {
		if !e.in[i] {
			continue
		}
		j := i
		for j+1 < len(e.in) && e.in[j+1] {
			j++
		}
		from, to := "…", "…"
		if i > 0 {
			from = show(e.bounds[i-1] + 1)
		}
		if j < len(e.bounds) {
			to = show(e.bounds[j])
		}
		if i = j; len(parts) == 4 {
			return "answer in [" + strings.Join(parts, "], [") + "], …"
		}
		parts = append(parts, from+" to "+to)
	}
	return "answer in [" + strings.Join(parts, "], [") + "]"
}

// hits is how many of the answers are in the event.
func hits(e event, values []int64) int {
	n := 0
	for _, v := range values {
		if e.holds(v) {
			n++
		}
	}
	return n
}

// found is an event with how often it was seen on the side where it is likelier, and on the other.
type found struct {
	event
	swapped bool // likelier on b than on a
	sets    bool // made of many parts
	score   float64
}

// tally is how often an answer was seen on either side.
type tally struct {
	v    int64
	x, y int
}

// chooser looks for the event that will give the highest bound. What it finds may be as much chance as it likes: the bound
// comes from answers that it has not seen.
type chooser struct {
	seen   []tally // by answer, without what is absent
	na, nb int     // answers on a and on b, with what is absent
	delta  float64
	z      float64
	best   map[string]found // by family, so that each has one to show
}

func newChooser(a, b []int64, delta, alpha float64) *chooser {
	c := &chooser{na: len(a), nb: len(b), delta: delta, z: normalTail(alpha), best: map[string]found{}}
	done := make(chan []int64)
	go func() { done <- slices.Sorted(slices.Values(b)) }()
	c.seen = merge(slices.Sorted(slices.Values(a)), <-done)
	return c
}

// merge counts sorted answers of both sides.
func merge(a, b []int64) []tally {
	var all []tally
	for len(a) > 0 || len(b) > 0 {
		t := tally{v: math.MaxInt64}
		if len(a) > 0 {
			t.v = a[0]
		}
		if len(b) > 0 {
			t.v = min(t.v, b[0])
		}
		for t.x < len(a) && a[t.x] == t.v {
			t.x++
		}
		for t.y < len(b) && b[t.y] == t.v {
			t.y++
		}
		a, b = a[t.x:], b[t.y:]
		if t.v != Absent {
			all = append(all, t)
		}
	}
	return all
}

// score is what share of the hits will surely be on the side where the event is likelier, by Wilson's interval; more is
// better. Hits that δ alone would explain do not count.
func (c *chooser) score(x, y int) float64 {
	n := float64(c.na+c.nb) / 2
	kx := float64(x) - n*c.delta - c.z*math.Sqrt(n*c.delta)
	if kx <= 0 {
		return 0
	}
	r := kx + float64(y)
	p, zz := kx/r, c.z*c.z/r
	return (p + zz/2 - math.Sqrt(zz*(p*(1-p)+zz/4))) / (1 + zz)
}

// consider scores an event that x answers on a and y on b are in.
func (c *chooser) consider(family string, x, y int, built func() event) {
	for _, swapped := range [2]bool{false, true} {
		one, other := x, y
		if swapped {
			one, other = y, x
		}
		if s := c.score(one, other); s > c.best[family].score {
			c.best[family] = found{event: built(), swapped: swapped, sets: family == "runs" || family == "residue", score: s}
		}
	}
}

// choose is the best event of each family, in an order that does not depend on chance.
func (c *chooser) choose() []found {
	x, y := c.rays()
	c.consider("absence", c.na-x, c.nb-y, func() event { return absence{true} })
	c.consider("presence", x, y, func() event { return absence{false} })
	c.runs()
	for _, m := range moduli {
		c.residues(m)
	}
	var all []found
	for _, family := range slices.Sorted(maps.Keys(c.best)) {
		all = append(all, c.best[family])
	}
	return all
}

// moduli find noise on a coarser grid than what it is added to: rounding, powers of two, cents.
var moduli = []int64{2, 3, 5, 10, 16, 100, 256, 1000, 4096, 1 << 16, 1 << 20}

// rays considers every threshold that was seen. It returns how many answers there are on either side.
func (c *chooser) rays() (x, y int) {
	a, b := 0, 0
	for _, t := range c.seen {
		a, b = a+t.x, b+t.y
	}
	for _, t := range c.seen {
		c.consider("up", a-x, b-y, func() event { return ray{t.v, true} })
		x, y = x+t.x, y+t.y
		c.consider("down", x, y, func() event { return ray{t.v, false} })
	}
	return x, y
}

// runs cuts the answers into runs, or into single values if they are few, and considers unions of those whose ratio is
// greatest: what the likelihood ratio would choose (Neyman and Pearson 1933).
func (c *chooser) runs() {
	bounds := c.cuts()
	if len(bounds) == 0 {
		return
	}
	x, y := make([]int, len(bounds)+1), make([]int, len(bounds)+1)
	run := 0
	for _, t := range c.seen {
		for run < len(bounds) && t.v > bounds[run] {
			run++
		}
		x[run] += t.x
		y[run] += t.y
	}
	c.ratios("runs", x, y, func(chosen []int) event {
		e := union{bounds: bounds, in: make([]bool, len(bounds)+1)}
		for _, i := range chosen {
			e.in[i] = true
		}
		return e
	})
}

// cuts are the bounds of runs: each distinct answer alone if there are few, otherwise equal shares.
func (c *chooser) cuts() []int64 {
	const single, shares = 256, 64
	var bounds []int64
	n, total := 0, 0
	for _, t := range c.seen {
		total += t.x + t.y
	}
	for _, t := range c.seen {
		before := n * shares / total
		n += t.x + t.y
		if len(c.seen) <= single || n*shares/total > before {
			bounds = append(bounds, t.v)
		}
	}
	return bounds[:max(0, len(bounds)-1)] // the last run is open
}

// residues considers remainders.
func (c *chooser) residues(modulus int64) {
	const most = 4096 // classes; more are no grid
	of := map[int64]*tally{}
	for _, t := range c.seen {
		r := remainder(t.v, modulus)
		one := of[r]
		if one == nil {
			if len(of) == most {
				return
			}
			one = &tally{}
			of[r] = one
		}
		one.x += t.x
		one.y += t.y
	}
	rest := slices.Sorted(maps.Keys(of))
	x, y := make([]int, len(rest)), make([]int, len(rest))
	for i, r := range rest {
		x[i], y[i] = of[r].x, of[r].y
	}
	c.ratios("residue", x, y, func(chosen []int) event {
		e := residue{modulus: modulus, rest: map[int64]bool{}}
		for _, i := range chosen {
			e.rest[rest[i]] = true
		}
		return e
	})
}

// ratios considers the classes of greatest ratio, one more at a time, from either end.
func (c *chooser) ratios(family string, x, y []int, built func(chosen []int) event) {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	ratio := func(i int) float64 { return (float64(x[i]) + 0.5) / (float64(y[i]) + 0.5) }
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(ratio(j), ratio(i)) })
	for range 2 {
		hitA, hitB := 0, 0
		for n, i := range order[:max(0, len(order)-1)] {
			hitA, hitB = hitA+x[i], hitB+y[i]
			c.consider(family, hitA, hitB, func() event { return built(order[:n+1]) })
		}
		slices.Reverse(order)
	}
}
