package continual

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// patterns calls see with every set of at most times steps of a horizon that are at least apart from one to the next.
func patterns(horizon, times, apart int, see func([]int)) {
	var steps []int
	var go1 func(from int)
	go1 = func(from int) {
		see(steps)
		if len(steps) == times {
			return
		}
		for i := from; i < horizon; i++ {
			steps = append(steps, i)
			go1(i + apart)
			steps = steps[:len(steps)-1]
		}
	}
	go1(0)
}

func TestTreeSensitivityIsTheGreatestOfAllPatterns(t *testing.T) {
	for horizon := 1; horizon <= 19; horizon++ {
		for times := 1; times <= 6; times++ {
			for apart := 1; apart <= 7; apart++ {
				want := 0
				patterns(horizon, times, apart, func(steps []int) {
					sum := 0
					for l := range levels(horizon) {
						for end := 1 << l; end <= horizon; end += 1 << l {
							n := 0
							for _, i := range steps {
								if i < end && i >= end-1<<l {
									n++
								}
							}
							sum += n * n
						}
					}
					want = max(want, sum)
				})
				if got, exact := treeSensitivity(horizon, times, apart); got != want || !exact {
					t.Fatalf("horizon %d, %d steps, %d apart: treeSensitivity() = %d, %v, want %d", horizon, times, apart, got, exact, want)
				}
			}
		}
	}
}

func TestSensitivityIsTheGreatestOfAllPatterns(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for horizon := 1; horizon <= 14; horizon++ {
		for times := 1; times <= 5; times++ {
			for apart := 1; apart <= 5; apart++ {
				c := squareRoot(1+r.IntN(horizon), 8)
				want := int64(0)
				patterns(horizon, times, apart, func(steps []int) {
					sum := int64(0)
					for t := range horizon {
						h := int64(0)
						for _, i := range steps {
							if t >= i && t-i < len(c) {
								h += c[t-i]
							}
						}
						sum += h * h
					}
					want = max(want, sum)
				})
				if got := sensitivity(c, horizon, times, apart); got.Cmp(big.NewInt(want)) != 0 {
					t.Fatalf("horizon %d, band %d, %d steps, %d apart: sensitivity() = %d, want %d", horizon, len(c), times, apart, got, want)
				}
			}
		}
	}
}

func TestWideAgreesWithBig(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	value := func(w wide) *big.Int {
		return new(big.Int).Add(new(big.Int).Lsh(big.NewInt(w.hi), 64), new(big.Int).SetUint64(w.lo))
	}
	draw := func() int64 { return int64(r.Uint64()) >> r.IntN(64) }
	for range 20000 {
		x, y := draw(), draw()
		a, b := wide{draw() >> 2, r.Uint64()}, wide{draw() >> 2, r.Uint64()}
		n, d := uint(r.IntN(64)), r.Uint64()>>r.IntN(64)|1
		ba, bb := value(a), value(b)
		for what, pair := range map[string][2]*big.Int{
			"add":      {value(a.add(b)), new(big.Int).Add(ba, bb)},
			"sub":      {value(a.sub(b)), new(big.Int).Sub(ba, bb)},
			"mul":      {value(mul(x, y)), new(big.Int).Mul(big.NewInt(x), big.NewInt(y))},
			"shl":      {value(widen(x).shl(n)), new(big.Int).Lsh(big.NewInt(x), n)},
			"shr":      {value(a.shr(n)), new(big.Int).Rsh(ba, n)},
			"floorDiv": {value(a.floorDiv(d)), new(big.Int).Div(ba, new(big.Int).SetUint64(d))}, // Euclidean, which for d > 0 rounds down
			"codec":    {value(readWide(a.append(nil))), ba},
		} {
			if pair[0].Cmp(pair[1]) != 0 {
				t.Fatalf("%s of %v, %v, %d, %d: got %v, want %v", what, a, b, n, d, pair[0], pair[1])
			}
		}
	}
}

func TestCoefficientsAreTheNearest(t *testing.T) {
	for _, scale := range []uint{12, 40} {
		f := big.NewRat(1, 1)
		last := int64(1) << scale
		for k, got := range squareRoot(2000, scale) {
			if k > 0 {
				f.Mul(f, big.NewRat(int64(2*k-1), int64(2*k)))
			}
			exact := new(big.Rat).Mul(f, new(big.Rat).SetInt64(1<<scale))
			if off := new(big.Rat).Sub(exact, new(big.Rat).SetInt64(got)); off.Abs(off).Cmp(big.NewRat(1, 2)) > 0 || got > last {
				t.Fatalf("scale %d: coefficient %d is %d after %d, want the nearest to %s", scale, k, got, last, exact.FloatString(3))
			}
			last = got
		}
	}
}
