package continual

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

func epochOf(t testing.TB, p Params) *epoch {
	t.Helper()
	p, err := p.check()
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.epoch(0)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func params(m Method, horizon, band int, most int64) Params {
	return Params{Method: m, Keys: 1, Horizon: horizon, Rho: 500_000_000, Band: band, Contribution: Contribution{Steps: 1, Apart: 1, Keys: 1, Most: most}}
}

// run returns what a stream of these values releases when its draws are z, each used once.
func run(t *testing.T, e *epoch, x, z []int64) []int64 {
	t.Helper()
	s := newState(e, 1, []int64{0})
	used := 0
	var out []int64
	for _, v := range x {
		if err := s.advance([]int64{v}, func() int64 { used++; return z[used-1] }); err != nil {
			t.Fatal(err)
		}
		out = append(out, s.released[0])
	}
	if used != len(z) {
		t.Fatalf("%d draws for %d steps, want %d", used, len(x), len(z))
	}
	return out
}

func draws(r *rand.Rand, n int, sigma uint64) []int64 {
	z := make([]int64, n)
	for i := range z {
		z[i] = int64(r.NormFloat64() * float64(sigma))
	}
	return z
}

func shifted(x int64, scale uint) *big.Int { return new(big.Int).Lsh(big.NewInt(x), scale) }

// round is the whole number nearest to x units of 2^−scale.
func round(x *big.Int, scale uint) int64 {
	h := new(big.Int).Add(x, shifted(1, scale-1))
	return h.Rsh(h, scale).Int64()
}

// The proof's claim: what is released is a function of C·x + z, the Gaussian mechanism, and of nothing else of x. The function is written down here
// as the page has it, in arbitrary precision, and sees only that sum.
func TestReleasesAreAFunctionOfTheGaussianMechanism(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, band := range []int{1, 2, 7, 64, 100} {
		e := epochOf(t, params(SquareRoot, 100, band, 1+r.Int64N(1<<30)))
		x, z := make([]int64, 100), draws(r, 100, e.sigma)
		for i := range x {
			x[i] = int64(r.Uint64()) >> (8 + r.IntN(50))
		}
		y := make([]*big.Int, len(x)) // C·x + z
		for i := range y {
			y[i] = big.NewInt(z[i])
			for j := 0; j < min(i+1, len(e.c)); j++ {
				y[i].Add(y[i], new(big.Int).Mul(big.NewInt(e.c[j]), big.NewInt(x[i-j])))
			}
		}
		released := run(t, e, x, z)
		tilde, sum := make([]*big.Int, len(y)), new(big.Int)
		for i := range y {
			d := new(big.Int)
			for j := 1; j < min(i+1, len(e.c)); j++ {
				d.Add(d, new(big.Int).Mul(big.NewInt(e.c[j]), tilde[i-j]))
			}
			tilde[i] = new(big.Int).Sub(y[i], d.Rsh(d, e.scale))
			sum.Add(sum, tilde[i])
			if want := round(sum, e.scale); released[i] != want {
				t.Fatalf("band %d, step %d: released %d, want %d", band, i+1, released[i], want)
			}
		}
	}
}

func TestReleasesAreAFunctionOfTheNoisedNodes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const horizon = 77
	e := epochOf(t, params(Tree, horizon, 0, 1000))
	total := 0
	for l := range levels(horizon) {
		total += horizon >> l
	}
	x, z := make([]int64, horizon), draws(r, total, e.sigma)
	for i := range x {
		x[i] = int64(r.Uint64()) >> (8 + r.IntN(50))
	}
	released := run(t, e, x, z)

	noised := map[[2]int]*big.Int{} // by level and end: the true sum of the node and its noise, all that is seen below
	for used, end := 0, 1; end <= horizon; end++ {
		for l := 0; end%(1<<l) == 0; l++ {
			y := big.NewInt(z[used])
			used++
			for i := end - 1<<l; i < end; i++ {
				y.Add(y, shifted(x[i], e.scale))
			}
			noised[[2]int{l, end}] = y
		}
	}
	var estimate func(l, end int) *big.Rat // Honaker's weights as they are published, not as the program has them
	estimate = func(l, end int) *big.Rat {
		y := new(big.Rat).SetInt(noised[[2]int{l, end}])
		if l == 0 {
			return y
		}
		own := big.NewRat(1<<l, 1<<(l+1)-1)
		below := new(big.Rat).Add(estimate(l-1, end), estimate(l-1, end-1<<(l-1)))
		rest := new(big.Rat).Sub(big.NewRat(1, 1), own)
		return y.Add(y.Mul(y, own), below.Mul(below, rest))
	}
	for step := 1; step <= horizon; step++ {
		sum, end := new(big.Int), 0
		for l := levels(horizon) - 1; l >= 0; l-- {
			if step>>l&1 == 1 {
				end += 1 << l
				v := estimate(l, end)
				sum.Add(sum, new(big.Int).Div(v.Num(), v.Denom()))
			}
		}
		if want := round(sum, e.scale); released[step-1] != want {
			t.Fatalf("step %d: released %d, want %d", step, released[step-1], want)
		}
	}
}

// With real noise, the mean square of the error over n runs is the variance that is announced. Its ratio is a χ² of n degrees of freedom by n,
// which for n = 3000 leaves [0.85, 1.16] less than once in 10⁸, twelve times here: it cries wolf less than once in a million runs. Noise of
// 3/4 the size has the ratio 0.56.
func TestErrorsAreAsAnnounced(t *testing.T) {
	const horizon, n = 64, 3000
	steps := []int{1, 7, 31, 32, 63, 64}
	source := noise.NewSource()
	for _, p := range []Params{params(Tree, horizon, 0, 1000), params(SquareRoot, horizon, 12, 1000)} {
		e := epochOf(t, p)
		law, err := noise.NewRoundedGaussian(noise.Ratio{Num: e.sigma, Den: 1})
		if err != nil {
			t.Fatal(err)
		}
		square := map[int]float64{}
		for range n {
			s := newState(e, 1, []int64{0})
			for i := 1; i <= horizon; i++ {
				if err := s.advance([]int64{int64(i)}, func() int64 { return law.Sample(source) }); err != nil {
					t.Fatal(err)
				}
				d := float64(s.released[0] - int64(i*(i+1)/2))
				square[i] += d * d
			}
		}
		for _, i := range steps {
			sigma := math.Ldexp(float64(e.sigma), -int(e.scale))
			want := e.variance(0, i)
			if ratio := square[i] / n / (want * sigma * sigma); ratio < 0.85 || ratio > 1.16 {
				t.Errorf("%s, step %d: mean square of the error is %.3f of what was announced", p.Method, i, ratio)
			}
		}
	}
}

func TestSumsBeyond64BitsAreReleasedAsTheirEnd(t *testing.T) {
	for _, m := range []Method{Tree, SquareRoot} {
		band := 0
		if m == SquareRoot {
			band = 4
		}
		e := epochOf(t, params(m, 8, band, 1))
		s := newState(e, 1, []int64{0})
		for _, step := range []struct{ x, want int64 }{
			{math.MaxInt64, math.MaxInt64}, {math.MaxInt64, math.MaxInt64}, {math.MinInt64, math.MaxInt64 - 1}, {math.MinInt64, -2}, {math.MinInt64, math.MinInt64},
		} {
			if err := s.advance([]int64{step.x}, func() int64 { return 0 }); err != nil {
				t.Fatal(err)
			}
			if s.released[0] != step.want {
				t.Fatalf("%s: released %d, want %d", m, s.released[0], step.want)
			}
		}
	}
}

func TestNoiseThatLeaves64BitsFailsTheStep(t *testing.T) {
	e := epochOf(t, params(SquareRoot, 8, 4, 1))
	s := newState(e, 1, []int64{0})
	var err error
	for range 8 {
		sign := int64(math.MaxInt64)
		if s.t%2 == 1 {
			sign = -math.MaxInt64
		}
		if err = s.advance([]int64{0}, func() int64 { return sign }); err != nil {
			break
		}
	}
	if err == nil {
		t.Fatal("advance() error = nil, want one")
	}
}

// The variances that are announced are those of the program: each draw alone, of 2⁶⁰ units, tells its weight in every release, but for the
// rounding to whole numbers.
func TestVariancesAreThoseOfTheWeights(t *testing.T) {
	const horizon, big = 45, 1 << 60
	for _, p := range []Params{params(Tree, horizon, 0, 1), params(SquareRoot, horizon, 6, 1)} {
		e := epochOf(t, p)
		total := horizon
		if e.c == nil {
			total = 0
			for l := range levels(horizon) {
				total += horizon >> l
			}
		}
		var square [horizon + 1][horizon + 1]float64 // of the weights in the sum of steps s+1 to t
		for i := range total {
			z := make([]int64, total)
			z[i] = big
			weights := append([]int64{0}, run(t, e, make([]int64, horizon), z)...)
			for to := range weights {
				for from := range to {
					w := math.Ldexp(float64(weights[to]-weights[from]), mostScale) / big
					square[from][to] += w * w
				}
			}
		}
		for to := 1; to <= horizon; to++ {
			for from := range to {
				if got := e.variance(from, to); math.Abs(got-square[from][to]) > 1e-4 {
					t.Fatalf("%s, steps %d to %d: variance() = %v, want %v", p.Method, from+1, to, got, square[from][to])
				}
			}
		}
	}
}
