package stream

import (
	"fmt"
	"math"
)

// Attribute is a quasi-identifier of a [Castle]: numbers in a range, or values of a hierarchy.
type Attribute struct {
	Name      string
	Range     *Range    // either this
	Hierarchy Hierarchy // or this
	Weight    float64   // of its loss beside that of the others; 0: 1
}

// Range says which numbers an attribute has. They are published as "[30,45]", both ends included, or "30".
//
// All three are decimal numbers without exponent and with at most nine decimals; the range is a whole number of steps.
type Range struct {
	Least, Most string
	Step        string // ends are rounded to it, away from each other; "": 1. Within a step nobody is told apart
}

// Hierarchy says what each value of an attribute becomes at each level. Level 0 is the value itself, every level is a function of the
// one before, and the last level has one code. It does not change.
// [Coded] makes one of a coding.
type Hierarchy interface {
	Code(v Value) (uint32, bool)       // of level 0; false: it has no place
	Levels() int                       // at least 1
	Codes(level int) int               // they are 0 … Codes-1
	At(level int, value uint32) uint32 // the code that a code of level 0 becomes
	Leaves(level int, code uint32) int // how many codes of level 0 become this one
	Cell(level int, code uint32) Value // what is published
}

// span is what a cluster's records have in common in one attribute: from least to most, in steps of a range; or a level of a
// hierarchy and a value below the code that is meant.
type span struct {
	least, most int64
	level       int
	value       uint32
}

// dimension is an attribute ready for use: a range if tree is nil.
type dimension struct {
	name   string
	weight float64 // all of them sum to 1
	tree   Hierarchy

	decimals    int
	first, step int64 // of the range, in units of 10^-decimals
	steps       int64
}

func dimensions(attributes []Attribute) ([]dimension, error) {
	list := make([]string, len(attributes))
	for i, a := range attributes {
		list[i] = a.Name
	}
	if err := names(list); err != nil {
		return nil, err
	}
	dims, sum := make([]dimension, len(attributes)), 0.0
	for i, a := range attributes {
		d := dimension{name: a.Name, weight: a.Weight, tree: a.Hierarchy}
		if d.weight == 0 {
			d.weight = 1
		}
		if !(d.weight > 0 && d.weight <= 1e6) {
			return nil, fmt.Errorf("%w: attribute %q: weight must lie between 0 and 1000000", ErrOptions, a.Name)
		}
		if (a.Range == nil) == (a.Hierarchy == nil) {
			return nil, fmt.Errorf("%w: attribute %q needs either a range or a hierarchy", ErrOptions, a.Name)
		}
		if a.Range != nil {
			if err := d.within(*a.Range); err != nil {
				return nil, fmt.Errorf("%w: attribute %q: %w", ErrOptions, a.Name, err)
			}
		} else if n := d.tree.Levels(); n < 1 || d.tree.Codes(n-1) != 1 {
			return nil, fmt.Errorf("%w: attribute %q: the last level of the hierarchy must be one code", ErrOptions, a.Name)
		}
		dims[i], sum = d, sum+d.weight
	}
	for i := range dims {
		dims[i].weight /= sum
	}
	return dims, nil
}

// within reads a range.
func (d *dimension) within(r Range) error {
	if r.Step == "" {
		r.Step = "1"
	}
	d.decimals = max(decimalsOf(r.Least), decimalsOf(r.Most), decimalsOf(r.Step))
	if d.decimals > mostDecimals {
		return fmt.Errorf("more than %d decimals", mostDecimals)
	}
	var most int64
	for _, n := range []struct {
		name, text string
		to         *int64
	}{{"least", r.Least, &d.first}, {"most", r.Most, &most}, {"step", r.Step, &d.step}} {
		var exact, ok bool
		if *n.to, exact, ok = decimal(n.text, d.decimals); !ok || !exact {
			return fmt.Errorf("%s is not a number that fits", n.name)
		}
	}
	if d.step <= 0 || most <= d.first || (most-d.first)%d.step != 0 {
		return fmt.Errorf("from least to most must be a whole number of steps, at least one")
	}
	d.steps = (most - d.first) / d.step
	return nil
}

// point returns the span of one value, and false if it has no place.
func (d *dimension) point(v Value) (span, bool) {
	if d.tree != nil {
		code, ok := d.tree.Code(v)
		if !ok || int64(code) >= int64(d.tree.Codes(0)) {
			return span{}, false
		}
		return span{value: code}, true
	}
	if v.Null {
		return span{}, false
	}
	units, exact, ok := decimal(v.Text, d.decimals)
	if !ok || units < d.first || units-d.first > d.steps*d.step {
		return span{}, false
	}
	s := span{least: (units - d.first) / d.step}
	s.most = s.least
	if !exact || (units-d.first)%d.step != 0 {
		s.most++
	}
	return s, s.most <= d.steps
}

// join returns the least span that covers both.
func (d *dimension) join(a, b span) span {
	if d.tree == nil {
		return span{least: min(a.least, b.least), most: max(a.most, b.most)}
	}
	a.level = max(a.level, b.level)
	if a.value == b.value {
		return a
	}
	for top := d.tree.Levels() - 1; a.level < top && d.tree.At(a.level, a.value) != d.tree.At(a.level, b.value); {
		a.level++
	}
	return a
}

// covers reports whether all of b lies within a.
func (d *dimension) covers(a, b span) bool {
	if d.tree == nil {
		return a.least <= b.least && b.most <= a.most
	}
	return a.level >= b.level && d.tree.At(a.level, a.value) == d.tree.At(a.level, b.value)
}

// loss returns how much of the attribute is lost, 0 … its weight.
func (d *dimension) loss(s span) float64 {
	if d.tree == nil {
		return d.weight * float64(s.most-s.least) / float64(d.steps)
	}
	all := d.tree.Codes(0) - 1
	if s.level == 0 || all <= 0 {
		return 0
	}
	return d.weight * float64(d.tree.Leaves(s.level, d.tree.At(s.level, s.value))-1) / float64(all)
}

// compare orders spans so that what is close together is alike.
func (d *dimension) compare(a, b span) int {
	if d.tree == nil {
		if a.least+a.most != b.least+b.most {
			return sign(a.least+a.most < b.least+b.most)
		}
		return 0
	}
	if a.value == b.value {
		return 0
	}
	for level := d.tree.Levels() - 1; level >= 0; level-- {
		if x, y := d.tree.At(level, a.value), d.tree.At(level, b.value); x != y {
			return sign(x < y)
		}
	}
	return 0
}

func sign(less bool) int {
	if less {
		return -1
	}
	return 1
}

// cell returns what is published of a span.
func (d *dimension) cell(s span) Value {
	if d.tree != nil {
		return d.tree.Cell(s.level, d.tree.At(s.level, s.value))
	}
	if s.least == s.most {
		return Value{Text: string(appendDecimal(nil, d.first+s.least*d.step, d.decimals))}
	}
	b := appendDecimal([]byte{'['}, d.first+s.least*d.step, d.decimals)
	b = appendDecimal(append(b, ','), d.first+s.most*d.step, d.decimals)
	return Value{Text: string(append(b, ']'))}
}

// lossOf returns the loss of spans, 0 … 1.
func lossOf(dims []dimension, spans []span) float64 {
	sum := 0.0
	for i := range dims {
		sum += dims[i].loss(spans[i])
	}
	return sum
}

// lossWith returns the loss of what covers both, and +Inf beyond a limit.
func lossWith(dims []dimension, a, b []span, limit float64) float64 {
	sum := 0.0
	for i := range dims {
		if sum += dims[i].loss(dims[i].join(a[i], b[i])); sum > limit {
			return math.Inf(1)
		}
	}
	return sum
}

// widen makes spans cover others too.
func widen(dims []dimension, spans, by []span) {
	for i := range dims {
		spans[i] = dims[i].join(spans[i], by[i])
	}
}

func coversAll(dims []dimension, a, b []span) bool {
	for i := range dims {
		if !dims[i].covers(a[i], b[i]) {
			return false
		}
	}
	return true
}
