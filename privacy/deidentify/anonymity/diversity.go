package anonymity

import (
	"fmt"
	"math"
	"slices"
)

// DistinctLDiversity asks that every class holds at least L different sensitive values (Machanavajjhala et al. 2007, section 3).
//
// It guarantees that who knows somebody's class cannot name the sensitive value. The values may be of very unequal frequency, and
// close in meaning: a class with one cold and ninety-nine cancers is 2-diverse.
type DistinctLDiversity struct {
	Of string // a sensitive attribute
	L  int
}

// EntropyLDiversity asks that the entropy of the sensitive values in every class is at least log L (Machanavajjhala et al. 2007,
// definition 4.1, of Shannon's entropy; the base of the logarithm is the same on both sides and does not matter).
//
// It guarantees that values of a class are spread as if there were L of the same frequency, or better. It cannot be met where a
// value is so frequent in the table that the entropy of the whole is less.
type EntropyLDiversity struct {
	Of string
	L  float64
}

// RecursiveCLDiversity asks in every class that the most frequent sensitive value occurs less than C times as often as all from the
// L-th most frequent on together (Machanavajjhala et al. 2007, definition 4.2).
//
// It guarantees that who rules out L-2 values of a class still cannot be nearly certain. It is blind to how close values are in
// meaning.
type RecursiveCLDiversity struct {
	Of string
	C  float64
	L  int
}

// String implements [Model].
func (m DistinctLDiversity) String() string {
	return fmt.Sprintf("distinct l-diversity of %s (l=%d)", m.Of, m.L)
}

func (m DistinctLDiversity) needs() (string, *Table) { return m.Of, nil }

func (m DistinctLDiversity) prepare(_ *Table, of int) (check, error) {
	if of < 0 || m.L < 1 {
		return nil, fmt.Errorf("%w: distinct l-diversity wants a sensitive attribute and l of at least 1", ErrOptions)
	}
	return distinct{of: of, l: m.L}, nil
}

type distinct struct{ of, l int }

func (d distinct) meets(c *class) bool { return len(c.values[d.of].values) >= d.l }
func (d distinct) may(c *class) bool   { return d.meets(c) }
func (d distinct) closed() bool        { return true }
func (d distinct) absent(*class) bool  { return true }

// String implements [Model].
func (m EntropyLDiversity) String() string {
	return fmt.Sprintf("entropy l-diversity of %s (l=%g)", m.Of, m.L)
}

func (m EntropyLDiversity) needs() (string, *Table) { return m.Of, nil }

func (m EntropyLDiversity) prepare(_ *Table, of int) (check, error) {
	if of < 0 || !(m.L >= 1) || math.IsInf(m.L, 0) {
		return nil, fmt.Errorf("%w: entropy l-diversity wants a sensitive attribute and l of at least 1", ErrOptions)
	}
	return entropy{of: of, log: math.Log(m.L), least: int(math.Ceil(m.L * (1 - slack)))}, nil
}

type entropy struct {
	of    int
	log   float64
	least int // values that it takes at least
}

func (e entropy) meets(c *class) bool {
	v := c.values[e.of]
	if len(v.rows) < e.least {
		return false
	}
	sum := 0.0
	for _, n := range v.rows {
		sum += float64(n) * math.Log(float64(n))
	}
	all := float64(c.rows)
	return math.Log(all)-sum/all >= e.log-slack
}

func (e entropy) may(c *class) bool  { return len(c.values[e.of].rows) >= e.least }
func (e entropy) closed() bool       { return false }
func (e entropy) absent(*class) bool { return true }

// String implements [Model].
func (m RecursiveCLDiversity) String() string {
	return fmt.Sprintf("recursive (c,l)-diversity of %s (c=%g, l=%d)", m.Of, m.C, m.L)
}

func (m RecursiveCLDiversity) needs() (string, *Table) { return m.Of, nil }

func (m RecursiveCLDiversity) prepare(_ *Table, of int) (check, error) {
	if of < 0 || m.L < 1 || !(m.C > 0) || math.IsInf(m.C, 0) {
		return nil, fmt.Errorf("%w: recursive (c,l)-diversity wants a sensitive attribute, c above 0 and l of at least 1", ErrOptions)
	}
	return recursive{of: of, c: m.C, l: m.L}, nil
}

type recursive struct {
	of int
	c  float64
	l  int
}

func (r recursive) meets(c *class) bool {
	rows := c.values[r.of].rows
	if len(rows) < r.l {
		return false
	}
	var room [64]uint32
	sorted := append(room[:0], rows...)
	slices.Sort(sorted)
	tail := uint64(0)
	for _, n := range sorted[:len(sorted)-r.l+1] {
		tail += uint64(n)
	}
	return float64(sorted[len(sorted)-1]) < r.c*float64(tail)
}

func (r recursive) may(c *class) bool  { return len(c.values[r.of].rows) >= r.l }
func (r recursive) closed() bool       { return false }
func (r recursive) absent(*class) bool { return true }
