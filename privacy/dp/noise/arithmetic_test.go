package noise

import (
	"math"
	"math/big"
	"testing"
)

// edge values for 128-bit arithmetic; those of 2^62 and more are no parameters, but noise may be.
var edges = []uint64{1, 2, 3, 1 << 31, 1<<52 - 1, 1 << 61, 1<<62 - 1, 1 << 63, math.MaxUint64}

func TestQuotientsMatchBigIntegers(t *testing.T) {
	u := func(v uint64) *big.Int { return new(big.Int).SetUint64(v) }
	for _, k := range append([]uint64{0, 7, 40}, edges...) {
		for _, p := range edges[:7] {
			for _, q := range edges[:7] {
				product := new(big.Int).Mul(u(k), u(p))
				floor, rest := new(big.Int).QuoRem(product, u(q), new(big.Int))
				want := uint64(math.MaxUint64)
				if floor.IsUint64() {
					want = floor.Uint64()
				}
				hi := new(big.Int).Rsh(product, 64).Uint64()
				lo := new(big.Int).Sub(product, new(big.Int).Lsh(u(hi), 64)).Uint64()
				if got := quotient(hi, lo, q); got != want {
					t.Fatalf("%d·%d/%d = %d, want %d", k, p, q, got, want)
				}
				c, over := ceilProduct(k, p, q)
				if rest.Sign() != 0 {
					floor.Add(floor, one)
					rest.Sub(u(q), rest)
				}
				if c.rest != rest.Uint64() || over != (floor.Cmp(big.NewInt(math.MaxInt64)) >= 0) && !(over && floor.Cmp(big.NewInt(math.MaxInt64)) > 0) || !over && c.whole != floor.Uint64() {
					t.Fatalf("⌈%d·%d/%d⌉ = %v, %v, want %v and %v", k, p, q, c, over, floor, rest)
				}
			}
		}
	}
}

func TestAddSaturating(t *testing.T) {
	ends := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}
	for _, a := range ends {
		for _, b := range ends {
			want := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
			if want.Cmp(big.NewInt(math.MaxInt64)) > 0 {
				want.SetInt64(math.MaxInt64)
			} else if want.Cmp(big.NewInt(math.MinInt64)) < 0 {
				want.SetInt64(math.MinInt64)
			}
			if got := addSaturating(a, b); got != want.Int64() {
				t.Errorf("%d + %d = %d, want %d", a, b, got, want)
			}
		}
	}
	if magnitude(math.MinInt64) != 1<<63 || mirror(math.MinInt64) != math.MaxInt64 || mirror(0) != 1 || mirror(-math.MaxInt64+1) != math.MaxInt64 {
		t.Error("the least int64 has no mirror")
	}
}

// Where 64 bits of x decide the rounding, arbitrary precision agrees; where they do not, more bits choose between two neighbours, and both are chosen.
func TestRoundingAgreesWithArbitraryPrecision(t *testing.T) {
	s := NewSource()
	for _, sigma := range []Ratio{{1, 3}, {1, 1}, {22, 7}, {1_853_020_188_851_841, 1}, {1_350_851_717_672_992_089, 1025}} { // 3^32, 3^38/1025
		d := must(NewRoundedGaussian(sigma))
		unsure, up := 0, 0
		for i := range 3000 {
			k, x := s.Below(6), s.Uint64()
			if i >= 1000 { // aim at a place where the rounding changes: x ≈ ((2m+1)q/2p) − k
				span := d.round2(k)
				m := span + s.Below(3)
				at := new(big.Int).SetUint64(2*m + 1)
				at.Mul(at, new(big.Int).SetUint64(d.sigma.Den)).Lsh(at, 64).Quo(at, new(big.Int).SetUint64(2*d.sigma.Num))
				at.Sub(at, new(big.Int).Lsh(new(big.Int).SetUint64(k), 64))
				if !at.IsUint64() {
					continue
				}
				x = at.Uint64()
			}
			r, ok := d.round(k, x)
			slow := d.slowRound(s, k, fractionFrom(x))
			if ok && slow != r || slow != r && slow != r+1 {
				t.Fatalf("σ = %v, k = %d, x = %#x: %d (decided: %v) and %d", sigma, k, x, r, ok, slow)
			}
			if !ok {
				unsure++
				up += int(slow - r)
			}
		}
		if wide := sigma.Num > 1<<40; wide && (unsure == 0 || up == 0 || up == unsure) { // for 1/3 and 1 the places are dyadic, so nothing is open
			t.Errorf("σ = %v: %d undecided, %d rounded up", sigma, unsure, up)
		}
	}
}

// round2 is ⌊kσ⌋ + 1, near where rounding may change.
func (d RoundedGaussian) round2(k uint64) uint64 {
	c, _ := ceilProduct(k, d.sigma.Num, d.sigma.Den)
	return c.whole + 1
}

func TestSlowAcceptAgrees(t *testing.T) {
	s := NewSource()
	for range 2000 {
		k, x, u := s.Below(4), s.Uint64(), s.Uint64()
		fast, open := decide(u, expHalfSquare(k, x))
		if slow := slowAccept(s, k, fractionFrom(x), u); !open && slow != fast {
			t.Fatalf("k = %d, x = %#x, u = %#x: %v and %v", k, x, u, fast, slow)
		}
		// Aim into the band: there the two roads may differ, but the first word alone decides nothing wrongly outside it.
		u = expHalfSquare(k, x) + s.Below(4*slack) - 2*slack
		fast, open = decide(u, expHalfSquare(k, x))
		if slow := slowAccept(s, k, fractionFrom(x), u); !open && slow != fast {
			t.Fatalf("k = %d, x = %#x, u = %#x near the edge: %v and %v", k, x, u, fast, slow)
		}
		p := s.Uint64()>>3 | 1
		n := s.Below(p)
		exact := acceptRational(words(u), k, n, p)
		e := new(big.Int).SetUint64(k)
		e.Mul(e, new(big.Int).SetUint64(p)).Lsh(e, 1).Add(e, new(big.Int).SetUint64(n)).Mul(e, new(big.Int).SetUint64(n))
		div := new(big.Int).Mul(new(big.Int).SetUint64(p), new(big.Int).SetUint64(p))
		if slow := slowExp(s, u, e, div.Lsh(div, 1)); slow != exact {
			t.Fatalf("k = %d, x = %d/%d, u = %#x: %v and %v", k, n, p, u, exact, slow)
		}
	}
}
