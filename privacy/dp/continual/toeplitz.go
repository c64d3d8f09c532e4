package continual

import (
	"math"
	"math/big"
	"math/bits"
)

// squareRoot returns the first n coefficients of (1−x)^(−1/2), which are those of the square root of the matrix that sums (Bennett 1977;
// Fichtenberger, Henzinger, Upadhyay 2023, theorem 1): f₀ = 1, f_k = f_{k−1}·(2k−1)/(2k), in units of 2^−scale, each to the nearest.
//
// They are computed with 120 fractional bits: a step rounds down by less than 2⁻¹²⁰ and multiplies what was lost before by less than 1, so f_k is
// short by less than k·2⁻¹²⁰, which for k up to 2³⁰ is far below half a unit. Each step's result is at most the one before, and rounding to the
// nearest keeps that: the coefficients never increase, on which [sensitivity] relies.
func squareRoot(n int, scale uint) []int64 {
	c := make([]int64, n)
	f := wide{1 << 56, 0} // 1 in units of 2⁻¹²⁰
	for k := range c {
		if k > 0 {
			f = scaleBy(f, uint64(2*k-1), uint64(2*k))
		}
		c[k] = int64(f.add(wide{0, 1 << 63}.shl(56 - scale)).shr(63).shr(57 - scale).lo)
	}
	return c
}

// scaleBy returns ⌊f·m/d⌋ for m < d and f from 0 on.
func scaleBy(f wide, m, d uint64) wide {
	h1, l0 := bits.Mul64(f.lo, m)
	h2, l1 := bits.Mul64(uint64(f.hi), m)
	l1, carry := bits.Add64(l1, h1, 0)
	_, r := bits.Div64(0, h2+carry, d)
	hi, r := bits.Div64(r, l1, d)
	lo, _ := bits.Div64(r, l0, d)
	return wide{int64(hi), lo}
}

// sensitivity returns max ‖C·u‖² over all u that are 1 in at most times steps, at least apart from one to the next, and 0 elsewhere, for the lower
// triangular Toeplitz matrix C of horizon rows with the coefficients c: whole numbers, not negative, never increasing. It is exact.
//
// The maximum is at steps 1, 1+apart, 1+2·apart, … (Kalinin and Lampert 2024, theorem 2): ‖C·u‖² is a sum over pairs of steps i ≤ j of
// g(i,j) = Σ_{m ≤ horizon−j} c_m·c_{m+j−i}, no term of which is negative, and which falls as j grows at the same distance (fewer terms) and as the
// distance grows (smaller factors). The a-th step of any other pattern comes no earlier, and two of its steps are no nearer, than those here.
func sensitivity(c []int64, horizon, times, apart int) *big.Int {
	apart = min(apart, horizon)
	times = participations(horizon, times, apart)
	col := make([]wide, apart) // the running Σ_a c_{t−a·apart}, for each t modulo apart
	var sum [3]uint64          // of squares; below times²·horizon·2^(2·scale) ≤ 2^(60+30+80)
	at := func(t int) int64 {
		if t < len(c) {
			return c[t]
		}
		return 0
	}
	for t := range horizon {
		h := col[t%apart].add(widen(at(t)))
		if gone := t - times*apart; gone >= 0 {
			h = h.sub(widen(at(gone)))
		}
		col[t%apart] = h
		square(&sum, h)
		if t >= len(c)-1+(times-1)*apart {
			break // all later rows are zero
		}
	}
	n := new(big.Int)
	for i := 2; i >= 0; i-- {
		n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(sum[i]))
	}
	return n
}

// square adds h² for h from 0 to 2⁹⁵.
func square(sum *[3]uint64, h wide) {
	h1, l1 := bits.Mul64(h.lo, h.lo)
	h2, l2 := bits.Mul64(h.lo, uint64(h.hi)*2)
	var carry uint64
	sum[0], carry = bits.Add64(sum[0], l1, 0)
	sum[1], carry = bits.Add64(sum[1], h1, carry)
	sum[2] += carry
	sum[1], carry = bits.Add64(sum[1], l2, 0)
	sum[2] += carry + h2 + uint64(h.hi)*uint64(h.hi)
}

// participations is how many steps of a horizon one unit can be in.
func participations(horizon, times, apart int) int { return min(times, (horizon-1)/apart+1) }

// factor returns the first n coefficients of B = A·C⁻¹: b_t = 1 − Σ_{j≥1} c_j·b_{t−j}. With as many coefficients as rows, B is C, since C·C = A but for the
// rounding of the coefficients.
func factor(c []float64, n, horizon int) []float64 {
	b := make([]float64, n)
	if len(c) >= horizon {
		copy(b, c)
		return b
	}
	for t := range b {
		x := 1.0
		for j, w := range c[1:min(len(c), t+1)] {
			x -= w * b[t-1-j]
		}
		b[t] = x
	}
	return b
}

func floats(c []int64, scale uint) []float64 {
	f := make([]float64, len(c))
	for i, x := range c {
		f[i] = math.Ldexp(float64(x), -int(scale))
	}
	return f
}
