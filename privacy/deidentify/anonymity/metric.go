package anonymity

import (
	"math"
	"math/bits"
)

// Metric is what a recoding loses. The zero value is [Loss].
type Metric uint8

// The metrics. A suppressed row counts as if each of its cells had become "anything".
const (
	// Loss is the geometric mean over attributes of 1 + mean loss of a cell, less 1: 0 best, 1 worst. A cell loses the share of the
	// attribute's other values that its generalised value also stands for (Iyengar 2002), a suppressed one 1.
	Loss Metric = iota
	// NonUniformEntropy is the bits that the recoding hides, as a share of those that there are: 0 best, 1 worst. A cell hides
	// log2 of how many rows have its generalised value, less log2 of how many have its own (de Waal and Willenborg 1999; Gionis
	// and Tassa 2009).
	NonUniformEntropy
	// Discernibility is the sum over rows of how many rows theirs cannot be told from: those of its class, or, for a suppressed
	// one, all of the table (Bayardo and Agrawal 2005).
	Discernibility
	// AverageClassSize is the mean rows of a released class, divided by the k of k-anonymity (LeFevre, DeWitt and Ramakrishnan
	// 2006).
	AverageClassSize
)

// String implements [fmt.Stringer].
func (m Metric) String() string {
	switch m {
	case Loss:
		return "loss"
	case NonUniformEntropy:
		return "non-uniform entropy"
	case Discernibility:
		return "discernibility"
	case AverageClassSize:
		return "average class size"
	}
	return "unknown metric"
}

// costs is a metric that adds up cell by cell, in whole numbers, so that the order of adding does not matter.
//
// A cell of attribute a costs kept[a][level][code] less what its value is known by anyway, a suppressed one full[a] less the same.
type costs struct {
	metric Metric
	base   [][]int64   // by attribute and level: sum over all rows with none suppressed
	more   [][][]int64 // by attribute, level and code: what one row costs more if it is suppressed
	unit   []float64   // by attribute: a sum divided by it is the mean cell's loss, 0 to 1
	weight []float64
	total  float64 // of the weights
}

// newCosts returns the costs of Loss or NonUniformEntropy.
func newCosts(t *Table, m Metric) *costs {
	c := &costs{metric: m}
	var codes = make([]uint32, len(t.attributes))
	rows := make([][]int64, len(t.attributes)) // by value
	for a := range t.attributes {
		rows[a] = make([]int64, t.attributes[a].Hierarchy.Codes(0))
	}
	for i, n := range t.counts {
		t.pack.get(codes, t.keys[i*t.pack.words:])
		for a, v := range codes {
			rows[a][v] += int64(n)
		}
	}
	for a, at := range t.attributes {
		h := at.Hierarchy
		base, more := make([]int64, h.Levels()), make([][]int64, h.Levels())
		for l := range base {
			base[l], more[l] = levelCosts(h, l, rows[a], t.rows, m)
		}
		unit := float64(t.rows) * float64(max(1, h.Codes(0)-1))
		if m == NonUniformEntropy {
			known := int64(0)
			for _, n := range rows[a] {
				known += n * (logBits(t.rows) - logBits(n))
			}
			unit = float64(max(1, known))
		}
		c.base, c.more = append(c.base, base), append(c.more, more)
		c.unit, c.weight = append(c.unit, unit), append(c.weight, at.Weight)
		c.total += at.Weight
		if m == NonUniformEntropy {
			c.weight[a] *= unit // so that the share is of all bits, weighted
		}
	}
	if m == NonUniformEntropy {
		c.total = 0
		for _, w := range c.weight {
			c.total += w
		}
	}
	return c
}

func levelCosts(h *Hierarchy, l int, rows []int64, all int64, m Metric) (base int64, more []int64) {
	more = make([]int64, h.Codes(l))
	if m == NonUniformEntropy {
		many := make([]int64, h.Codes(l))
		for v, n := range rows {
			many[h.At(l, uint32(v))] += n
		}
		for c, n := range many {
			more[c] = logBits(all) - logBits(n)
		}
		for v, n := range rows {
			base += n * (logBits(many[h.At(l, uint32(v))]) - logBits(n))
		}
		return base, more
	}
	full := int64(max(1, h.Codes(0)-1))
	for c := range more {
		more[c] = full - int64(h.Leaves(l, uint32(c))-1)
	}
	for v, n := range rows {
		base += n * int64(h.Leaves(l, h.At(l, uint32(v)))-1)
	}
	return base, more
}

// logBits returns log2 n in units of 2⁻²⁴, 0 for 0.
func logBits(n int64) int64 {
	if n < 1 {
		return 0
	}
	return int64(math.Round(math.Log2(float64(n)) * (1 << 24)))
}

// value makes one number of the sums over all cells by attribute. Larger sums give no smaller number. It orders solutions; score
// makes it readable.
func (c *costs) value(sums []int64) float64 {
	if c.metric == NonUniformEntropy {
		v := 0.0
		for a, s := range sums {
			v += c.weight[a] * (float64(s) / c.unit[a])
		}
		return v
	}
	v := 1.0
	for a, s := range sums {
		f := 1 + float64(s)/c.unit[a]
		if c.weight[a] != 1 {
			f = math.Pow(f, c.weight[a])
		}
		v *= f
	}
	return v
}

func (c *costs) score(value float64) float64 {
	if c.metric == NonUniformEntropy {
		return value / c.total
	}
	return math.Pow(value, 1/c.total) - 1
}

// square adds n² to a sum that stops at the largest number.
func square(sum, n uint64) uint64 {
	hi, lo := bits.Mul64(n, n)
	sum, carry := bits.Add64(sum, lo, 0)
	if hi|carry != 0 {
		return math.MaxUint64
	}
	return sum
}
