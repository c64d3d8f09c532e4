package noise

import (
	"math/big"
	"testing"
)

// ends are the fractions most likely to break fixed-point arithmetic.
var ends = []uint64{0, 1, 2, 1<<63 - 1, 1 << 63, 1<<64 - 2, 1<<64 - 1}

func TestExpNegStaysWithinItsProof(t *testing.T) {
	s := NewSource()
	worst := int64(0)
	for i := range 4000 {
		f := s.Uint64()
		if i < 48*len(ends) {
			f = ends[i/48]
		}
		whole := uint64(i % 48)
		n := new(big.Int).Lsh(new(big.Int).SetUint64(whole), 64)
		n.Add(n, new(big.Int).SetUint64(f))
		lo, hi := expNegBounds(n, new(big.Int).Lsh(one, 64), 64)
		e := new(big.Int).SetUint64(expNeg(whole, f))
		worst = max(worst, new(big.Int).Sub(e, lo).Int64(), new(big.Int).Sub(hi, e).Int64())
	}
	if worst >= 26 {
		t.Errorf("expNeg is off by up to %d units of 2^-64; its proof says less than 26", worst)
	}
}

func TestTables(t *testing.T) {
	check := func(name string, got []uint64, bounds func(j, prec uint) (lo, hi *big.Int)) {
		for j, v := range got {
			lo, hi := bounds(uint(j), 192)
			lo.Rsh(lo, 128)
			if hi.Rsh(hi, 128); lo.Cmp(hi) != 0 && j > 0 {
				t.Fatalf("%s[%d]: 192 bits do not decide it", name, j)
			}
			if j == 0 {
				lo.SetUint64(1<<64 - 1)
			}
			if lo.Uint64() != v || !lo.IsUint64() {
				t.Errorf("%s[%d] = %#x, want %#x", name, j, v, lo)
			}
		}
	}
	check("expWhole", expWhole[:], expTailBounds)
	check("halfNormalTail", halfNormalTail[:], normalTailBounds)
	f := new(big.Int).Lsh(one, 64)
	for n := range inverseFactorial {
		want := new(big.Int).Quo(f, new(big.Int).MulRange(1, int64(max(n, 1))))
		if n <= 1 {
			want.Sub(want, one)
		}
		if want.Uint64() != inverseFactorial[n] {
			t.Errorf("inverseFactorial[%d] = %#x, want %#x", n, inverseFactorial[n], want)
		}
	}
}

// A decision that 64 bits leave open must come out as the exact comparison of all bits would: here everything is left open.
func TestTheSlowRoadGivesTheSameLaw(t *testing.T) {
	s := NewSource()
	const n = 2000
	yes, ranks, normal := 0, 0, 0
	for range n {
		if slowExp(s, s.Uint64(), big.NewInt(7), big.NewInt(10)) {
			yes++
		}
		if slowRank(s, s.Uint64(), expTailBounds) >= 1 {
			ranks++
		}
		if slowRank(s, s.Uint64(), normalTailBounds) >= 1 {
			normal++
		}
	}
	for _, c := range []struct {
		name string
		got  int
		p    float64
	}{{"exp(-0.7)", yes, 0.4965853037914095}, {"V ≥ 1", ranks, 0.36787944117144233}, {"K ≥ 1", normal, 0.4296}} {
		if kl(c.got, n, c.p) > 22 { // exp(−22)·2 < 10^−9
			t.Errorf("%s: %d of %d", c.name, c.got, n)
		}
	}
	// Where the first word decides, both roads must agree.
	for range 1000 {
		u, d := s.Uint64(), s.Uint64()>>2|1
		x := s.Below(d)
		f := new(big.Int).Quo(new(big.Int).Lsh(new(big.Int).SetUint64(x), 64), new(big.Int).SetUint64(d)).Uint64()
		fast, open := decide(u, expNeg(0, f))
		if slow := slowExp(s, u, new(big.Int).SetUint64(x), new(big.Int).SetUint64(d)); !open && slow != fast {
			t.Fatalf("exp(-%d/%d) with first word %#x: %v and %v", x, d, u, fast, slow)
		}
	}
}

func TestOpenBandCoversTheEnds(t *testing.T) {
	for _, p := range []uint64{0, 1, slack - 1, slack, slack + 1, 1 << 63, 1<<64 - slack, 1<<64 - 1} {
		for _, d := range []int64{-slack - 1, -slack, -1, 0, 1, slack - 1, slack} {
			u := p + uint64(d)
			_, open := decide(u, p)
			if want := d >= -slack && d < slack; open != want {
				t.Errorf("decide(%#x, %#x): open = %v, want %v", u, p, open, want)
			}
		}
	}
}

// Where the first word equals an entry of the table, the next words decide between the two neighbours.
func TestRankIsOpenAtItsEntries(t *testing.T) {
	for j, v := range expWhole[1:] {
		low, high := rank(words(v, 0), expWhole[:], expTailBounds), rank(words(v, 1<<64-1), expWhole[:], expTailBounds)
		if low != uint64(j+1) && v != 0 || high != uint64(j) && v != 0 {
			t.Errorf("word %#x: ranks %d and %d, want %d and %d", v, low, high, j+1, j)
		}
		if v == 0 && low <= high {
			t.Errorf("word 0 goes on to rank %d or %d", low, high)
		}
		if v > 1 {
			if k := rank(words(v-1), expWhole[:], expTailBounds); k != uint64(j+1) {
				t.Errorf("word %#x: rank %d, want %d", v-1, k, j+1)
			}
			if k := rank(words(v+1), expWhole[:], expTailBounds); k != uint64(j) {
				t.Errorf("word %#x: rank %d, want %d", v+1, k, j)
			}
		}
	}
}
