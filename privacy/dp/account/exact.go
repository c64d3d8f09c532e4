package account

import (
	"math"
	"math/big"
	"strconv"
)

// ratOf returns the shortest decimal that reads as x: what was written, for literals of up to 15 digits. x is finite.
func ratOf(x float64) *big.Rat {
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(x, 'g', -1, 64))
	if !ok {
		panic("account: not a finite number")
	}
	return r
}

func ratInt(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

func mul(x *big.Rat, more ...*big.Rat) *big.Rat {
	r := new(big.Rat).Set(x)
	for _, y := range more {
		r.Mul(r, y)
	}
	return r
}

func quo(x, y *big.Rat) *big.Rat { return new(big.Rat).Quo(x, y) }

var (
	nano  = ratInt(1_000_000_000)
	femto = ratInt(1_000_000_000_000_000)
	half  = big.NewRat(1, 2)
)

// ceil returns x in units of 1/unit rounded up, or Infinite. x is not negative.
func ceil(x, unit *big.Rat) int64 {
	y := mul(x, unit)
	n := new(big.Int).Add(y.Num(), new(big.Int).Sub(y.Denom(), big.NewInt(1)))
	n.Quo(n, y.Denom())
	if !n.IsInt64() {
		return Infinite
	}
	return n.Int64()
}

// floorInt returns x rounded down, at most limit. x is not negative.
func floorInt(x *big.Rat, limit int64) int64 {
	n := new(big.Int).Quo(x.Num(), x.Denom())
	if !n.IsInt64() || n.Int64() > limit {
		return limit
	}
	return n.Int64()
}

// ceilNano returns x, which is known within a relative 1e-12, in nano units rounded up; what is not finite is Infinite.
func ceilNano(x float64) int64 {
	y := math.Ceil(x * 1e9 * (1 + 2e-12))
	if !(y < 1<<62) {
		return Infinite
	}
	return max(int64(y), 0)
}

// floorNano returns x, which is known within an absolute and relative 1e-12, in nano units rounded down, and 0 where that is not above it.
func floorNano(x float64) int64 {
	y := math.Floor((x - 2e-12*math.Abs(x) - 2e-12) * 1e9)
	switch {
	case !(y > 0):
		return 0
	case y >= 1<<62:
		return 1 << 62
	}
	return int64(y)
}

// up and down move x, which is known within a relative 1e-13, to the safe side.
func up(x float64) float64   { return x * (1 + 1e-12) }
func down(x float64) float64 { return x * (1 - 1e-12) }
