package continual

import (
	"math"
	"math/bits"
)

// The binary tree (Dwork, Naor, Pitassi, Rothblum 2010; Chan, Shi, Song 2011): over the steps 1 to horizon a node of level l is the sum of 2^l steps
// that end at a multiple of 2^l, and is released with noise of its own when its last step is there. The running sum of t steps is the sum of one
// node for each bit set in t.
//
// Honaker (2015) combines a node with what is known of its two children, "from below": with noise of variance 1 in each node the best estimate of
// a node of level l is (2^l·y + (2^l−1)·(left+right)) / (2^(l+1)−1), y the node itself, left and right the best estimates of its children; its variance
// is v_l = 2^l/(2^(l+1)−1), since 1/v_l = 1 + 1/(2·v_{l−1}). So E_l = (2^(l+1)−1)·estimate is a whole combination: E_l = 2^l·y + E_left + E_right,
// and because every level adds up to the same true sum, its noise is N_l = 2^l·z + N_left + N_right, where z is the node's own draw. Those N of the
// bits set in t are all that must be kept.

// levels is the number of levels whose nodes are completed within the horizon, which is also what one step enters at most.
func levels(horizon int) int { return bits.Len(uint(horizon)) }

// treeVariance is the variance of the noise in the running sum of t steps, in units of the variance of one draw; plain is without the combination.
func treeVariance(t int) (combined, plain float64) {
	for ; t > 0; t &= t - 1 {
		l := bits.TrailingZeros(uint(t))
		combined += math.Ldexp(1, l) / (math.Ldexp(2, l) - 1)
		plain++
	}
	return combined, plain
}

// treeCovariance is that of the noise in the running sums of s < t steps, combined, in units of the variance of one draw. Nodes of both count with
// their variance. The first node of t that s lacks, of level l, has the rest of s below it, and the noise of a node of level m in it with the weight
// (2^(m+1)−1)/(2^(l+1)−1) of that node's own estimate, so their covariance is 2^m/(2^(l+1)−1).
func treeCovariance(s, t int) (sum float64) {
	top := bits.Len(uint(s^t)) - 1
	for rest := s; rest > 0; rest &= rest - 1 {
		l := bits.TrailingZeros(uint(rest))
		below := max(l, top)
		sum += math.Ldexp(1, l) / (math.Ldexp(2, below) - 1)
	}
	return sum
}

// mostWork bounds the exact search of [treeSensitivity], in additions.
const mostWork = 1 << 28

// treeSensitivity returns the sum of n² over all nodes that are completed within the horizon, n being how many steps of a unit lie below the node, at
// most over all units that are in at most times steps, at least apart from one to the next: the square of how far in L2 one unit moves all nodes together.
// It is exact, unless exact is false: then it is an upper bound.
//
// The bound: at level l a node holds at most m = min(times, ⌈2^l/apart⌉) steps of the unit, and numbers up to m with a sum up to times have the
// greatest sum of squares with as many m as there can be and one rest. With apart a power of two the steps 1, 1+apart, 1+2·apart, … reach the bound on
// every level at once, as long as they lie within the horizon; otherwise it is searched for.
func treeSensitivity(horizon, times, apart int) (sum int, exact bool) {
	apart = min(apart, horizon)
	times = participations(horizon, times, apart)
	for l := range levels(horizon) {
		m := min(times, ((1<<l)-1)/apart+1)
		sum += times / m * m * m
		sum += times % m * (times % m)
	}
	if times == 1 || apart&(apart-1) == 0 && horizon&(horizon-1) == 0 {
		return sum, true
	}
	if work := levels(horizon) * times * times * apart * apart * apart; apart > 1<<10 || times > 1<<10 || work > mostWork {
		return sum, false
	}
	return searchTree(horizon, times, apart), true
}

// spread holds the greatest sum of squares within a run of steps, by how many of them are the unit's (from 0), and how many steps at least are free
// before the first and after the last (each from 0 to apart−1, where apart−1 stands for any more).
type spread struct {
	width int
	best  [][]int // [number][before·apart+after]; −1: cannot be
}

// searchTree goes over the complete trees that the horizon falls into, largest first, each made of two like halves.
func searchTree(horizon, times, apart int) int {
	step := spread{width: 1, best: [][]int{filled(apart*apart, -1), filled(apart*apart, -1)}}
	for before := range min(apart, 2) {
		for after := range min(apart, 2) {
			step.best[0][before*apart+after] = 0 // a free step is free before, and after
		}
	}
	step.best[1][0] = 1
	trees := []spread{step}
	for l := 1; l < levels(horizon); l++ {
		t := join(trees[l-1], trees[l-1], times, apart)
		for n := range t.best {
			for i, v := range t.best[n] {
				if v >= 0 {
					t.best[n][i] = v + n*n
				}
			}
		}
		trees = append(trees, t)
	}
	var all *spread
	for l := levels(horizon) - 1; l >= 0; l-- {
		if horizon>>l&1 == 0 {
			continue
		}
		t := trees[l]
		if all != nil {
			t = join(*all, t, times, apart)
		}
		all = &t
	}
	most := 0
	for _, b := range all.best {
		most = max(most, b[0])
	}
	return most
}

// join puts two runs one after the other.
func join(x, y spread, times, apart int) spread {
	width := x.width + y.width
	most := min(times, (width-1)/apart+1)
	j := spread{width: width, best: make([][]int, most+1)}
	for n := range j.best {
		j.best[n] = filled(apart*apart, -1)
	}
	for before := range min(width+1, apart) {
		for after := range min(width+1, apart) {
			j.best[0][before*apart+after] = 0
		}
	}
	for before := range apart {
		for after := range apart {
			at := before*apart + after
			for n := 1; n < min(len(x.best), most+1); n++ { // all of them in x, and all of y is free
				j.best[n][at] = max(j.best[n][at], x.best[n][before*apart+max(0, after-y.width)])
			}
			for n := 1; n < min(len(y.best), most+1); n++ {
				j.best[n][at] = max(j.best[n][at], y.best[n][max(0, before-x.width)*apart+after])
			}
		}
	}
	for n := 1; n < len(x.best); n++ {
		for m := 1; m < len(y.best) && n+m <= most; m++ {
			joinBoth(x.best[n], y.best[m], j.best[n+m], apart)
		}
	}
	return j
}

// joinBoth is join for runs that both hold steps of the unit: between its last in x and its first in y at least apart−1 steps are free.
func joinBoth(x, y, to []int, apart int) {
	for before := range apart {
		for r := range apart {
			v := x[before*apart+r]
			if v < 0 {
				continue
			}
			row := y[(apart-1-r)*apart:][:apart]
			for after, w := range row {
				if w >= 0 && v+w > to[before*apart+after] {
					to[before*apart+after] = v + w
				}
			}
		}
	}
}

func filled(n, with int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = with
	}
	return s
}
