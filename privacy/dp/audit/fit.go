package audit

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// FitOptions say how a sampler is compared with its law.
type FitOptions struct {
	Samples  int     // answers to draw; 0 means 200,000
	Alarm    float64 // how often a right sampler may be called wrong; 0 means 1e-9
	Expected float64 // answers that each cell must be expected to hold; 0 means 25
	Workers  int     // goroutines that draw at once; 0 means one for each processor
}

func (o FitOptions) complete() (FitOptions, error) {
	o.Samples, o.Workers = or(o.Samples, 200_000), or(o.Workers, processors())
	if o.Alarm == 0 {
		o.Alarm = 1e-9
	}
	if o.Expected == 0 {
		o.Expected = 25
	}
	switch {
	case o.Samples < 100 || o.Samples > maxTrials:
		return o, &Error{Member: "samples", Rule: "must be at least 100 and at most 10⁸"}
	case o.Workers < 1 || o.Workers > 1024:
		return o, &Error{Member: "workers", Rule: "must be at least 1 and at most 1024"}
	case !(o.Expected >= 1 && o.Expected <= float64(o.Samples)):
		return o, &Error{Member: "expected", Rule: "must be at least 1 and at most the number of samples"}
	}
	return o, checkRate("alarm", o.Alarm)
}

func or(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

// Fitted is how well answers fit a law.
type Fitted struct {
	Samples int     `json:"samples"`
	Cells   int     `json:"cells"`
	G       float64 `json:"g"`        // 2n times the relative entropy between what was counted and the law
	PValue  float64 `json:"p_value"`  // a right sampler has one this small with at most this probability
	By      string  `json:"by"`       // which of the tests is the strictest: entropy, cell, tail, middle, end, pairs or repeats
	At      string  `json:"at"`       // which cell or tail
	Alarm   float64 `json:"alarm"`    // the rate of false alarms that was asked for
	ChiTail float64 `json:"chi_tail"` // G by the chi-square distribution, as statistics programs print it; it decides nothing
	Detects float64 `json:"detects"`  // least probability by which a tail may be off and be found out, nine times of ten
	Pass    bool    `json:"pass"`
}

// tests is how many tests of [Fit] are joined.
const tests = 6

// Fit draws answers and compares them with the law. Pass is false only if the p-value is below the rate of false alarms.
//
// The p-value holds for every n, by theorems and not by limits. It joins these tests by Bonferroni's inequality:
//
//   - entropy, on many cells and on few: the relative entropy D between the counts of k cells and the law. P[D ≥ d] ≤ e^(−nd)·(e·n·d/(k−1))^(k−1) for
//     d > (k−1)/n (Agrawal, "Finite-Sample Concentration of the Multinomial in Relative Entropy", 2020, arXiv 1904.02291).
//   - counts: that of each cell, of all below each cell, and of what lies between two cells as far from either end, is
//     binomial; its tails are exact.
//   - ends: among n answers one is as far out as the greatest with probability at most n times that of one answer.
//   - pairs: each answer with the one drawn after it, in classes of a quarter, by relative entropy on the products of the
//     law. It finds what single answers hide, answers that hang together.
//   - repeats: a row of answers that comes twice, so long that it never does by chance. It finds randomness that is used
//     twice, by two goroutines or after a restart.
//
// Errors are those of draw, of parameters ([Error]) and of ctx.
func Fit(ctx context.Context, law Law, draw func() Draw, options FitOptions) (Fitted, error) {
	o, err := options.complete()
	if err != nil {
		return Fitted{}, err
	}
	values, err := collect(ctx, draw, o.Samples, o.Workers)
	if err != nil {
		return Fitted{}, err
	}
	return FitSamples(law, values, o)
}

// FitSamples is [Fit] of answers that were drawn already, in the order in which they were drawn.
func FitSamples(law Law, values []int64, options FitOptions) (Fitted, error) {
	options.Samples = len(values)
	o, err := options.complete()
	if err != nil {
		return Fitted{}, err
	}
	n := len(values)
	cells := law.cells(n, o.Expected, 16)
	counts := count(cells, values)
	f := Fitted{Samples: n, Cells: len(cells), Alarm: o.Alarm, PValue: 1, By: "none"}
	f.G = entropyStatistic(cells, counts, n)
	f.ChiTail = chiTail(f.G, len(cells)-1)
	consider := func(p float64, by, at string) {
		if p = min(1, tests*p); p < f.PValue {
			f.PValue, f.By, f.At = p, by, at
		}
	}
	consider(entropyTail(f.G, len(cells)), "entropy", fmt.Sprintf("%d cells", len(cells)))
	few := law.cells(n, float64(n)/12, 1e9)
	consider(entropyTail(entropyStatistic(few, count(few, values), n), len(few)), "entropy", fmt.Sprintf("%d cells", len(few)))
	p, by, at := strictestCount(cells, counts, n)
	consider(p, by, at)
	least, greatest := slices.Min(values), slices.Max(values)
	consider(2*float64(n)*law.upper(greatest), "end", fmt.Sprintf("at least %d", greatest))
	consider(2*float64(n)*law.lower(least), "end", fmt.Sprintf("at most %d", least))
	if quarters := law.cells(n, float64(n)/4.01, 1e9); len(quarters) > 1 {
		g, pairs := pairStatistic(quarters, values)
		consider(entropyTail(g, pairs), "pairs", fmt.Sprintf("%d classes of pairs", pairs))
	}
	if length, p := repeatLength(law, n, o.Alarm/2/tests); length > 0 && repeats(values, length) {
		consider(p, "repeats", fmt.Sprintf("%d answers in a row came twice", length))
	}
	f.Pass = f.PValue >= o.Alarm
	f.Detects = detectable(n, o.Alarm/tests/float64(4*len(cells)))
	return f, nil
}

// count is how many answers fall into each cell.
func count(cells []cell, values []int64) []int {
	counts := make([]int, len(cells))
	for _, v := range values {
		counts[index(cells, v)]++
	}
	return counts
}

// entropyStatistic is G = 2·Σ counted·ln(counted/expected). A count where the law has none makes it infinite.
func entropyStatistic(cells []cell, counts []int, n int) float64 {
	g := 0.0
	for i, c := range counts {
		if c > 0 {
			g += deviance(float64(c), float64(n)*cells[i].mass)
		} else {
			g += float64(n) * cells[i].mass
		}
	}
	return 2 * g // deviances carry expected − counted, which sums to 0
}

// entropyTail bounds the probability that the statistic of k cells is g or more, for every n.
func entropyTail(g float64, k int) float64 {
	nd, dof := g/2, float64(k-1)
	if k < 2 || !(nd > dof) {
		return indicator(!math.IsNaN(nd))
	}
	if math.IsInf(nd, 1) {
		return 0
	}
	return math.Exp(-nd + dof*(1+math.Log(nd/dof)))
}

// strictestCount is the least probability among those of all cells and tails, each in both directions, times how many there
// are.
func strictestCount(cells []cell, counts []int, n int) (p float64, by, at string) {
	p = 1
	counted := 0
	test := func(k int, mass float64, kind, where string) {
		counted += 2
		mass = min(mass, 1)
		if one := min(atLeast(k, n, mass, 1-mass), atMost(k, n, mass, 1-mass)); one < p {
			p, by, at = one, kind, where
		}
	}
	all, mass := make([]int, len(cells)+1), make([]float64, len(cells)+1) // of the cells before
	for i, c := range cells {
		test(counts[i], c.mass, "cell", c.String())
		all[i+1], mass[i+1] = all[i]+counts[i], mass[i]+c.mass
		if i > 0 {
			test(all[i], mass[i], "tail", fmt.Sprintf("at most %d", c.first-1))
		}
	}
	for i := 1; i < len(cells)-i-1; i++ {
		j := len(cells) - i
		test(all[j]-all[i], mass[j]-mass[i], "middle", fmt.Sprintf("%d … %d", cells[i].first, cells[j-1].last))
	}
	return min(1, p*float64(counted)), by, at
}

func (c cell) String() string {
	switch {
	case c.first == c.last:
		return fmt.Sprint(c.first)
	case c.first == math.MinInt64:
		return fmt.Sprintf("at most %d", c.last)
	case c.last == math.MaxInt64:
		return fmt.Sprintf("at least %d", c.first)
	}
	return fmt.Sprintf("%d … %d", c.first, c.last)
}

// pairStatistic is the G of pairs that do not overlap, over the products of a few classes.
func pairStatistic(classes []cell, values []int64) (g float64, pairs int) {
	k := len(classes)
	products := make([]cell, 0, k*k)
	for _, a := range classes {
		for _, b := range classes {
			products = append(products, cell{mass: a.mass * b.mass})
		}
	}
	counts := make([]int, k*k)
	for i := 0; i+1 < len(values); i += 2 {
		counts[index(classes, values[i])*k+index(classes, values[i+1])]++
	}
	return entropyStatistic(products, counts, len(values)/2), k * k
}

// repeatLength is how long a row of answers must be so that among n it comes twice with probability at most p, and that
// probability. Of two rows that begin at i < j, reveal the answers of the second one by one: each equals its partner, which is
// known by then, with probability at most that of the law's likeliest value. There are fewer than n²/2 pairs. The length is 0
// if no row is long enough to tell.
func repeatLength(law Law, n int, alpha float64) (length int, p float64) {
	likeliest := law.likeliest
	if likeliest >= 1-1e-9 {
		return 0, 1
	}
	pairs := float64(n) * float64(n) / 2
	length = int(math.Ceil(math.Log(pairs/alpha)/-math.Log(likeliest))) + 1
	if length > n/4 {
		return 0, 1
	}
	return length, pairs * math.Pow(likeliest, float64(length))
}

// repeats is whether a row of that length comes twice. Of rows at multiples of the length all are remembered, so that it
// finds whatever is twice as long, wherever it lies.
func repeats(values []int64, length int) bool {
	const factor = 0x9e3779b97f4a7c15 // odd: no digit of the hash is lost
	var hash, lead uint64 = 0, 1
	for range length {
		lead *= factor
	}
	seen := make(map[uint64]int, len(values)/length+1)
	for end, v := range values {
		hash = hash*factor + uint64(v)
		if end >= length {
			hash -= lead * uint64(values[end-length])
		}
		begin := end + 1 - length
		if begin < 0 {
			continue
		}
		if at, ok := seen[hash]; ok && slices.Equal(values[at:at+length], values[begin:end+1]) {
			return true
		}
		if begin%length == 0 {
			seen[hash] = begin
		}
	}
	return false
}

// detectable is by how much the probability of a half may be off to be found nine times of ten at this rate: the
// normal distances of both errors together, at the greatest variance that a tail can have.
func detectable(n int, alpha float64) float64 {
	return (normalTail(alpha) + normalTail(0.1)) * 0.5 / math.Sqrt(float64(n))
}

// normalTail is the z beyond which a standard normal has probability p.
func normalTail(p float64) float64 { return math.Sqrt2 * math.Erfcinv(2*p) }

// chiTail is the probability that a chi-square of so many degrees is x or more: the upper incomplete gamma function
// Q(degrees/2, x/2), by its series below the mean and by Lentz's continued fraction above.
func chiTail(x float64, degrees int) float64 {
	a, y := float64(degrees)/2, x/2
	switch {
	case degrees < 1 || !(y > 0):
		return 1
	case math.IsInf(y, 1):
		return 0
	}
	g, _ := math.Lgamma(a)
	scale := math.Exp(a*math.Log(y) - y - g)
	if y < a+1 {
		term, sum := 1/a, 1/a
		for i := 1.0; i < 100_000; i++ {
			term *= y / (a + i)
			sum += term
			if term < sum*1e-16 {
				break
			}
		}
		return max(0, 1-scale*sum)
	}
	const tiny = 1e-300
	b := y + 1 - a
	c, d := 1/tiny, 1/b
	h := d
	for i := 1.0; i < 100_000; i++ {
		an := -i * (i - a)
		b += 2
		if d = an*d + b; math.Abs(d) < tiny {
			d = tiny
		}
		if c = b + an/c; math.Abs(c) < tiny {
			c = tiny
		}
		d = 1 / d
		step := d * c
		h *= step
		if math.Abs(step-1) < 1e-15 {
			break
		}
	}
	return scale * h
}
