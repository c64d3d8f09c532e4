package audit

import (
	"math"
	"sort"
)

// Law is the exact distribution of a mechanism that answers integers.
//
// Laws are computed here from closed forms and not by the package that samples, so that one mistake does not hide another.
// The relative error of their tails is below 1e-10, which answers could notice only if there were 10²⁰ of them.
type Law struct {
	lower     func(x int64) float64 // P[X ≤ x], with a small relative error where it is small
	upper     func(x int64) float64 // P[X ≥ x], likewise
	likeliest float64               // at least the probability of each single value
}

// symmetric is the law of a distribution that is symmetric about 0, by its tail P[X ≥ x] for x ≥ 1.
func symmetric(tail func(x float64) float64, likeliest float64) Law {
	upper := func(x int64) float64 {
		if x > 0 {
			return tail(float64(x))
		}
		return 1 - tail(1-float64(x))
	}
	return Law{
		upper: upper, likeliest: likeliest,
		lower: func(x int64) float64 {
			if x < 0 {
				return tail(-float64(x))
			}
			return 1 - tail(float64(x)+1)
		},
	}
}

// DiscreteLaplaceLaw is the law of P[X = x] ∝ e^(−|x|/scale) (Canonne, Kamath, Steinke 2020, section 5).
func DiscreteLaplaceLaw(scale float64) (Law, error) {
	if !(scale > 0 && scale <= 1e18) {
		return Law{}, &Error{Member: "scale", Rule: "must be more than 0 and at most 10¹⁸"}
	}
	gap := -math.Expm1(-1 / scale) // 1 − e^(−1/scale), which keeps its digits for wide scales
	return symmetric(func(x float64) float64 { return math.Exp(-x/scale) / (2 - gap) }, gap/(2-gap)), nil
}

// DiscreteGaussianLaw is the law of P[X = x] ∝ e^(−x²/(2·sigma2)) (Canonne, Kamath, Steinke 2020, section 1).
func DiscreteGaussianLaw(sigma2 float64) (Law, error) {
	if !(sigma2 > 0 && sigma2 <= 1e30) {
		return Law{}, &Error{Member: "sigma2", Rule: "must be more than 0 and at most 10³⁰"}
	}
	sigma := math.Sqrt(sigma2)
	if sigma > 1000 {
		// Euler and Maclaurin: Σ f(x), f(x+1), … = ∫ f + f(x)/2 − f′(x)/12 + …, and what is left out is below σ⁻⁴ of it,
		// times a power of x/σ; the sum of all is σ√(2π) to the last digit (Poisson).
		total := sigma * math.Sqrt(2*math.Pi)
		return symmetric(func(x float64) float64 {
			f := math.Exp(-x*x/(2*sigma2)) / total
			return math.Erfc(x/(sigma*math.Sqrt2))/2 + f/2 + f*x/(12*sigma2)
		}, 1/total), nil
	}
	n := int(math.Ceil(sigma*38)) + 2 // up to where a float64 ends
	tails := make([]float64, n+1)     // of 1 … n−1
	for x := n - 1; x >= 0; x-- {
		tails[x] = tails[x+1] + math.Exp(-float64(x)*float64(x)/(2*sigma2))
	}
	total := tails[0] + tails[1]
	return symmetric(func(x float64) float64 {
		if x >= float64(n) {
			return 0
		}
		return tails[int(x)] / total
	}, 1/total), nil
}

// RoundedGaussianLaw is the law of a continuous Gaussian of deviation sigma that is rounded to the nearest integer.
func RoundedGaussianLaw(sigma float64) (Law, error) {
	if !(sigma > 0 && sigma <= 1e15) {
		return Law{}, &Error{Member: "sigma", Rule: "must be more than 0 and at most 10¹⁵"}
	}
	return symmetric(func(x float64) float64 { return math.Erfc((x-0.5)/(sigma*math.Sqrt2)) / 2 },
		math.Erf(0.5/(sigma*math.Sqrt2))), nil
}

// GeometricLaw is the law of P[X = x] = (1 − e^(−rate))·e^(−rate·x) for x = 0, 1, 2 …
func GeometricLaw(rate float64) (Law, error) {
	if !(rate > 1e-18 && rate <= 700) {
		return Law{}, &Error{Member: "rate", Rule: "must be more than 10⁻¹⁸ and at most 700"}
	}
	return Law{
		upper:     func(x int64) float64 { return math.Exp(-rate * float64(max(x, 0))) },
		lower:     func(x int64) float64 { return -math.Expm1(-rate * (float64(max(x, -1)) + 1)) },
		likeliest: -math.Expm1(-rate),
	}, nil
}

// StaircaseLaw is the law of noise in steps of width, each as likely as the one before times e^(−epsilon), and within a step e^(−epsilon)
// after the first flat values (Geng, Viswanath 2016).
func StaircaseLaw(epsilon float64, width, flat int64) (Law, error) {
	if !(epsilon > 1e-12 && epsilon <= 700) {
		return Law{}, &Error{Member: "epsilon", Rule: "must be more than 10⁻¹² and at most 700"}
	}
	if width < 1 || width > 1<<52 || flat < 1 || flat > width {
		return Law{}, &Error{Member: "flat", Rule: "must be at least 1 and at most the width, which is at most 2⁵²"}
	}
	w, r := float64(width), float64(flat)
	decay := math.Exp(-epsilon)
	side := (r + (w-r)*decay) / -math.Expm1(-epsilon) // the weights of 0, 1, 2 …, that of 0 being 1
	return symmetric(func(x float64) float64 {
		k := math.Floor(x / w)
		j := x - k*w
		rest := max(r-j, 0) + (w-max(j, r))*decay
		return math.Exp(-k*epsilon) * (rest + decay*side) / (2*side - 1)
	}, 1/(2*side-1)), nil
}

// TableLaw is the law of from + i with probability proportional to weight i.
func TableLaw(from int64, weights []float64) (Law, error) {
	n := len(weights)
	if n == 0 || n > 1<<24 || from > math.MaxInt64-int64(n) {
		return Law{}, &Error{Member: "weights", Rule: "must be at least 1 and at most 2²⁴, for integers of 64 bits"}
	}
	below, above := make([]float64, n+1), make([]float64, n+1) // what comes before i, and from i on
	likeliest := 0.0
	for i, w := range weights {
		if !(w >= 0) {
			return Law{}, &Error{Member: "weights", Rule: "must be numbers that are at least 0"}
		}
		below[i+1] = below[i] + w
		likeliest = max(likeliest, w)
	}
	for i := n - 1; i >= 0; i-- {
		above[i] = above[i+1] + weights[i]
	}
	total := above[0]
	if !(total > 0) || math.IsInf(total, 0) {
		return Law{}, &Error{Member: "weights", Rule: "must have a sum above 0"}
	}
	at := func(x int64) int { // how many values of the table are less than x
		switch {
		case x <= from:
			return 0
		case x-from >= int64(n) || x-from < 0:
			return n
		}
		return int(x - from)
	}
	return Law{
		lower: func(x int64) float64 {
			if x == math.MaxInt64 {
				return 1
			}
			return below[at(x+1)] / total
		},
		upper:     func(x int64) float64 { return above[at(x)] / total },
		likeliest: likeliest / total,
	}, nil
}

// Moved is the law of X + by, for answers and moves far from the ends of 64 bits.
func (l Law) Moved(by int64) Law {
	return Law{
		lower:     func(x int64) float64 { return l.lower(less(x, by)) },
		upper:     func(x int64) float64 { return l.upper(less(x, by)) },
		likeliest: l.likeliest,
	}
}

// less is x − by, held within 64 bits.
func less(x, by int64) int64 {
	d := x - by
	switch {
	case by > 0 && d > x:
		return math.MinInt64
	case by < 0 && d < x:
		return math.MaxInt64
	}
	return d
}

// Probability is P[X = x].
func (l Law) Probability(x int64) float64 { return l.between(x, x) }

// between is P[first ≤ X ≤ last], by the tails that are small.
func (l Law) between(first, last int64) float64 {
	if first == math.MinInt64 {
		return l.lower(last)
	}
	if last == math.MaxInt64 {
		return l.upper(first)
	}
	if below := l.lower(last); below <= 0.5 {
		return max(0, below-l.lower(first-1))
	}
	if above := l.upper(first); above <= 0.5 {
		return max(0, above-l.upper(last+1))
	}
	return max(0, 1-l.lower(first-1)-l.upper(last+1))
}

// cell is a run of values that are counted together.
type cell struct {
	first, last int64 // inclusive; the outermost cells reach to the ends of int64
	mass        float64
}

// cells joins neighbouring values until each cell is expected to hold at least least of n answers, and at least a share of
// the tail in which it lies: 1/fine of it. What is joined depends on the law alone, never on the answers, as the bounds of
// [Fit] need.
func (l Law) cells(n int, least float64, fine float64) []cell {
	var all []cell
	first, below := int64(math.MinInt64), 0.0
	for {
		above := 1.0
		if first > math.MinInt64 {
			above = l.upper(first)
		}
		want := max(least/float64(n), min(below, above)/fine)
		last := l.reach(first, want)
		if last == math.MaxInt64 || l.upper(last+1) < want {
			return append(all, cell{first, math.MaxInt64, l.between(first, math.MaxInt64)})
		}
		all = append(all, cell{first, last, l.between(first, last)})
		below = l.lower(last)
		first = last + 1
	}
}

// reach is the least last with P[first ≤ X ≤ last] ≥ want, or math.MaxInt64.
func (l Law) reach(first int64, want float64) int64 {
	span := uint64(math.MaxInt64) - uint64(first) // two's complement: the true difference
	lo, hi := uint64(0), span
	for lo < hi {
		mid := lo + (hi-lo)/2
		if l.between(first, int64(uint64(first)+mid)) >= want {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return int64(uint64(first) + lo)
}

func index(cells []cell, v int64) int {
	return sort.Search(len(cells), func(i int) bool { return cells[i].last >= v })
}
