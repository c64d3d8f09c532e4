package continual

import (
	"encoding/binary"
	"math/bits"
)

// wide is a signed integer of 128 bits in two's complement. Bounds that keep every use of it from overflowing stand where it is used.
type wide struct {
	hi int64
	lo uint64
}

func widen(x int64) wide { return wide{x >> 63, uint64(x)} }

func (a wide) add(b wide) wide {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(uint64(a.hi), uint64(b.hi), carry)
	return wide{int64(hi), lo}
}

func (a wide) neg() wide {
	lo, borrow := bits.Sub64(0, a.lo, 0)
	hi, _ := bits.Sub64(0, uint64(a.hi), borrow)
	return wide{int64(hi), lo}
}

func (a wide) sub(b wide) wide { return a.add(b.neg()) }

// mul returns the product, which always fits: of two's complement words, the unsigned product less what a negative one added.
func mul(x, y int64) wide {
	hi, lo := bits.Mul64(uint64(x), uint64(y))
	return wide{int64(hi) - (x>>63)&y - (y>>63)&x, lo}
}

// shl returns a·2ⁿ for n below 64, if that fits.
func (a wide) shl(n uint) wide {
	if n == 0 {
		return a
	}
	return wide{a.hi<<n | int64(a.lo>>(64-n)), a.lo << n}
}

// shr returns ⌊a/2ⁿ⌋ for n below 64.
func (a wide) shr(n uint) wide {
	if n == 0 {
		return a
	}
	return wide{a.hi >> n, a.lo>>n | uint64(a.hi)<<(64-n)}
}

// floorDiv returns ⌊a/d⌋ for d from 1 on.
func (a wide) floorDiv(d uint64) wide {
	if a.hi < 0 { // ⌊a/d⌋ = −⌈−a/d⌉ = −⌊(−a+d−1)/d⌋; −a is at most 2¹²⁷, and so no sum overflows as an unsigned number
		n := a.neg()
		lo, carry := bits.Add64(n.lo, d-1, 0)
		return divide(uint64(n.hi)+carry, lo, d).neg()
	}
	return divide(uint64(a.hi), a.lo, d)
}

func divide(hi, lo, d uint64) wide {
	q, r := bits.Div64(0, hi, d)
	l, _ := bits.Div64(r, lo, d)
	return wide{int64(q), l}
}

// narrow returns a as 64 bits, and whether it fits.
func (a wide) narrow() (int64, bool) { return int64(a.lo), a.hi == int64(a.lo)>>63 }

// saturate returns the nearest number of 64 bits.
func (a wide) saturate() int64 {
	if x, ok := a.narrow(); ok {
		return x
	}
	if a.hi < 0 {
		return -1 << 63
	}
	return 1<<63 - 1
}

func (a wide) append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, uint64(a.hi)), a.lo)
}

func readWide(b []byte) wide {
	return wide{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])}
}
