package noise

import (
	"math/big"
	"math/bits"
)

// inverseFactorial[n] is ⌊2^64/n!⌋, for n = 0 and 1 one less. TestTables recomputes the tables of this file.
var inverseFactorial = [21]uint64{
	1<<64 - 1, 1<<64 - 1, 0x8000000000000000, 0x2aaaaaaaaaaaaaaa, 0x0aaaaaaaaaaaaaaa, 0x0222222222222222, 0x005b05b05b05b05b,
	0x000d00d00d00d00d, 0x0001a01a01a01a01, 0x00002e3bc74aad8e, 0x0000049f93edde27, 0x0000006b99159fd5, 0x00000008f76c77fc,
	0x00000000b092309d, 0x000000000c9cba54, 0x0000000000d73f9f, 0x00000000000d73f9, 0x000000000000ca96, 0x0000000000000b41,
	0x0000000000000097, 0x0000000000000007,
}

// expWhole[n] is ⌊2^64·exp(−n)⌋, for n = 0 one less; the last is 0.
var expWhole = [46]uint64{
	1<<64 - 1, 0x5e2d58d8b3bcdf1a, 0x22a555477f03973f, 0x0cbed86667585764, 0x04b0556e084f3d1d, 0x01b993fe00d53761,
	0x00a2728f889ea6ae, 0x003bc2d73849531d, 0x0015fc21041027ac, 0x0008167912932a2c, 0x0002f9af36ac8f93, 0x000118354238f676,
	0x0000671530ed0ef2, 0x000025ec0a77303b, 0x00000df3637ed80b, 0x00000521d72889fb, 0x000001e355bbaee8, 0x000000b1cf18bad3,
	0x00000041698a31a6, 0x000000181056ff2c, 0x00000008da432af9, 0x0000000341b61a1b, 0x0000000132b48bf1, 0x0000000070d49f90,
	0x0000000029820f1f, 0x000000000f451bd2, 0x00000000059e14a9, 0x0000000002110a53, 0x0000000000c29f80, 0x000000000047990a,
	0x00000000001a56e0, 0x000000000009b090, 0x000000000003908c, 0x0000000000014fb5, 0x0000000000007b80, 0x0000000000002d6e,
	0x00000000000010b6, 0x0000000000000626, 0x0000000000000243, 0x00000000000000d5, 0x000000000000004e, 0x000000000000001c,
	0x000000000000000a, 0x0000000000000003, 0x0000000000000001, 0,
}

// halfNormalTail[j] is ⌊2^64·P(K ≥ j)⌋ for P(K = k) ∝ exp(−k²/2), k ≥ 0; for j = 0 one less; the last is 0.
var halfNormalTail = [11]uint64{
	1<<64 - 1, 0x6dfda4e6b7d318d4, 0x156e867ab85f106c, 0x01abea391625b451, 0x000cadcce66f73ee, 0x000023ce4710a6bd,
	0x000000255d28dcbb, 0x000000000e5df25b, 0x0000000000020893, 0x000000000000001b, 0,
}

// expNeg returns e with |e − 2^64·exp(−y)| < 26, for y = whole + frac/2^64.
//
// The alternating series of (1−exp(−f))/f = 1 − f/2! + f²/3! − … is summed from its twentieth term inwards; what is cut is below
// f^20/21! < 2^−65, half a unit. Each step t ← c − ⌊f·t/2^64⌋ is off by less than one unit from the table's floor, one from its own
// floor in the other direction, and f < 1 times what it had: with e₂₀ < 1 and eₙ < 1 + eₙ₊₁ the sum ends below 20 units, the cut included below 21.
// No step goes below zero, because 0 ≤ t ≤ c for the next c, which is at most half of this one. One more product and difference
// give exp(−f) with less than 23 units, and the last product adds its floor and the table's, each below one unit.
// It branches on whole alone, and only for exp(−y) < 2^−64.
func expNeg(whole, frac uint64) uint64 {
	if whole >= uint64(len(expWhole)) {
		return 0
	}
	var t uint64
	for n := len(inverseFactorial) - 1; n >= 1; n-- {
		m, _ := bits.Mul64(frac, t)
		t = inverseFactorial[n] - m
	}
	m, _ := bits.Mul64(frac, t)
	e, _ := bits.Mul64(1<<64-1-m, expWhole[whole])
	return e
}

// slack is the half width of the band around the 64 computed bits in which they decide nothing: above every error proven here.
const slack = 64

// decide compares 64 random bits u with a probability whose first 64 bits are p within slack. Where open, the caller extends.
func decide(u, p uint64) (yes, open bool) {
	// u lies in the band [p−slack, p+slack) if and only if u−p+slack < 2·slack. Near the ends of the range the band wraps around, which
	// opens a few more decisions than needed and closes none wrongly: for p < slack, every u < p+slack is open, and so is u ≥ 2^64+p−slack.
	return u < p, u-p+slack < 2*slack
}

// bernoulliExp is true with probability exp(−n/d), for n < d.
func bernoulliExp(s *Source, n, d uint64) bool {
	f, _ := bits.Div64(n, 0, d) // ⌊2^64·n/d⌋ fits because n < d; it moves exp by less than one unit
	u := s.Uint64()
	yes, open := decide(u, expNeg(0, f))
	if open {
		return slowExp(s, u, new(big.Int).SetUint64(n), new(big.Int).SetUint64(d))
	}
	return yes
}

// slowExp decides what bernoulliExp leaves open, in arbitrary precision, for any n ≥ 0.
func slowExp(s *Source, first uint64, n, d *big.Int) bool {
	return below(s, first, func(prec uint) (lo, hi *big.Int) { return expNegBounds(n, d, prec) })
}

// rank draws the integer K ≥ 0 with P(K ≥ j) = tail(j) by comparing one uniform number with every tail; table[j] is ⌊2^64·tail(j)⌋ and ends with 0.
//
// A uniform number that starts with the word u lies in [u, u+1)/2^64. It is below tail(j) if u < table[j], and not below if u > table[j].
// Where u equals an entry, the last one included, it is open; tails fall, so that can only be the first entry that is not above u.
func rank(s *Source, table []uint64, bounds func(j, prec uint) (lo, hi *big.Int)) uint64 {
	u := s.Uint64()
	var k uint64
	for _, t := range table[1:] { // tail(0) = 1 always holds
		_, less := bits.Sub64(u, t, 0)
		k += less
	}
	if u == table[k+1] { // u < 0 never holds, so k+1 is an index
		return slowRank(s, u, bounds)
	}
	return k
}

// slowRank draws as rank does, in arbitrary precision, after the first word.
func slowRank(s *Source, first uint64, bounds func(j, prec uint) (lo, hi *big.Int)) uint64 {
	u := fractionFrom(first)
	for j := uint(1); ; {
		lo, hi := bounds(j, 64*u.words)
		switch {
		case u.bits.Cmp(lo) < 0:
			j++
		case u.bits.Cmp(hi) >= 0:
			return uint64(j - 1)
		default:
			u.extend(s)
		}
	}
}

// expRank draws V ≥ 0 with P(V ≥ j) = exp(−j).
func expRank(s *Source) uint64 { return rank(s, expWhole[:], expTailBounds) }

func expTailBounds(j, prec uint) (lo, hi *big.Int) {
	return expNegBounds(new(big.Int).SetUint64(uint64(j)), one, prec)
}

// normalRank draws K ≥ 0 with P(K = k) ∝ exp(−k²/2).
func normalRank(s *Source) uint64 { return rank(s, halfNormalTail[:], normalTailBounds) }

// normalTailBounds bounds 2^prec·Σ_{i≥j} exp(−i²/2) / Σ_{i≥0} exp(−i²/2).
//
// Terms are added until i²/2 > w, beyond which each is less than 2^−1.44w and at most a quarter of the one before, so that their sum is below one unit.
func normalTailBounds(j, prec uint) (lo, hi *big.Int) {
	w := prec + 64
	loTail, hiTail, loAll, hiAll := new(big.Int), big.NewInt(1), new(big.Int), big.NewInt(1)
	for i := uint(0); i*i/2 <= w; i++ {
		l, h := expNegBounds(new(big.Int).SetUint64(uint64(i)*uint64(i)), big.NewInt(2), w)
		loAll.Add(loAll, l)
		hiAll.Add(hiAll, h)
		if i >= j {
			loTail.Add(loTail, l)
			hiTail.Add(hiTail, h)
		}
	}
	return ratioBounds(loTail, hiAll, hiTail, loAll, prec)
}

// bernoulliGap is true with probability exp(−gap/scale), in the same instructions for every gap that does not need extension.
//
// y = gap·Den/Num: the product has 128 bits; if its high half is at least Num, y is 2^64 or more and exp(−y) has no bit among the first 64.
func bernoulliGap(s *Source, gap uint64, scale Ratio) bool {
	hi, lo := bits.Mul64(gap, scale.Den)
	whole, frac := uint64(len(expWhole)), uint64(0)
	if hi < scale.Num {
		var rest uint64
		whole, rest = bits.Div64(hi, lo, scale.Num)
		frac, _ = bits.Div64(rest, 0, scale.Num)
	}
	u := s.Uint64()
	yes, open := decide(u, expNeg(whole, frac))
	if open {
		n := new(big.Int).SetUint64(gap)
		return slowExp(s, u, n.Mul(n, new(big.Int).SetUint64(scale.Den)), new(big.Int).SetUint64(scale.Num))
	}
	return yes
}
