package query

import (
	"cmp"
	"math/big"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// datum is a value of an answer. Of numbers num is set, exact; of all other kinds what [relation.Value] has.
type datum struct {
	relation.Value
	num  *big.Rat
	bars []Bar // of a histogram, which is no kind of its own and is shown as it is
}

var nothing = datum{Value: relation.Value{Null: true}}

func number(x *big.Rat) datum { return datum{num: x, Value: relation.Value{Kind: relation.Number}} }

func truth(yes bool) datum {
	v := relation.Value{Kind: relation.Truth}
	if yes {
		v.Int = 1
	}
	return datum{Value: v}
}

// isTrue is whether it is true, neither false nor NULL.
func (d datum) isTrue() bool { return !d.Null && d.Kind == relation.Truth && d.Int == 1 }

// datumOf is a key or a constant.
func datumOf(v relation.Value, places int) datum {
	if v.Null || v.Kind != relation.Number {
		return datum{Value: v}
	}
	return number(decimal(v.Int, places))
}

// decimal is v·10^−places.
func decimal(v int64, places int) *big.Rat {
	if places < 0 { // a number of coarser steps than ones
		return new(big.Rat).SetInt(new(big.Int).Mul(big.NewInt(v), pow10(-places)))
	}
	return new(big.Rat).SetFrac(big.NewInt(v), pow10(places))
}

func pow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(n, 0))), nil)
}

// Expressions over noisy numbers are bounded in size like their text; so that a few multiplications cannot make numbers of thousands of
// digits, magnitudes saturate at 10^30 and what is finer than 2^−256 is cut off.
const fineBits = 256

var mostMagnitude = new(big.Rat).SetInt(pow10(30))

func bounded(x *big.Rat) *big.Rat {
	if x == nil {
		return nil
	}
	if new(big.Rat).Abs(x).Cmp(mostMagnitude) > 0 {
		r := new(big.Rat).Set(mostMagnitude)
		if x.Sign() < 0 {
			r.Neg(r)
		}
		return r
	}
	if x.Denom().BitLen() > fineBits {
		n := new(big.Int).Lsh(x.Num(), fineBits)
		n.Quo(n, x.Denom())
		return new(big.Rat).SetFrac(n, new(big.Int).Lsh(big.NewInt(1), fineBits))
	}
	return x
}

// value computes an expression for one group.
func (g *releasedGroup) value(e Post) datum {
	switch e := e.(type) {
	case PostKey:
		return datumOf(g.keys[e.Key], g.of.plan.Keys[e.Key].Type.Places)
	case PostAggregate:
		return g.aggregate(e.Aggregate).value
	case PostConst:
		return datumOf(e.Value, e.Type.Places)
	case PostArith:
		return arithmetic(e.Op, g.value(e.L), g.value(e.R))
	case PostCompare:
		return compared(e.Op, g.value(e.L), g.value(e.R))
	case PostLogic:
		return g.logic(e)
	case PostNot:
		x := g.value(e.X)
		if x.Null {
			return nothing
		}
		return truth(!x.isTrue())
	case PostIsNull:
		return truth(g.value(e.X).Null)
	case PostCase:
		for _, w := range e.Whens {
			if g.value(w.If).isTrue() {
				return g.value(w.Then)
			}
		}
		if e.Else == nil {
			return nothing
		}
		return g.value(e.Else)
	case PostRound:
		x := g.value(e.X)
		if x.Null || x.num == nil {
			return nothing
		}
		return number(rounded(x.num, e.Places))
	}
	return nothing // there are no others: Check of the plan refuses them
}

// arithmetic is NULL where an operand is, and for division by zero.
func arithmetic(op relation.ArithOp, l, r datum) datum {
	if l.Null || r.Null || l.num == nil || r.num == nil {
		return nothing
	}
	x, y, z := l.num, r.num, new(big.Rat)
	switch op {
	case relation.Add:
		z.Add(x, y)
	case relation.Sub:
		z.Sub(x, y)
	case relation.Mul:
		z.Mul(x, y)
	case relation.Div:
		if y.Sign() == 0 {
			return nothing
		}
		z.Quo(x, y)
	case relation.Mod: // of the sign of x, as in SQL
		if y.Sign() == 0 {
			return nothing
		}
		q := new(big.Rat).Quo(x, y)
		whole := new(big.Rat).SetInt(new(big.Int).Quo(q.Num(), q.Denom()))
		z.Sub(x, whole.Mul(whole, y))
	case relation.Least:
		z = least(x, y)
	case relation.Greatest:
		z = greatest(x, y)
	default:
		return nothing
	}
	return number(bounded(z))
}

func compared(op relation.CompareOp, l, r datum) datum {
	if l.Null || r.Null {
		return nothing
	}
	c := order(l, r)
	switch op {
	case relation.Eq:
		return truth(c == 0)
	case relation.Ne:
		return truth(c != 0)
	case relation.Lt:
		return truth(c < 0)
	case relation.Le:
		return truth(c <= 0)
	case relation.Gt:
		return truth(c > 0)
	}
	return truth(c >= 0)
}

// order compares two values of one kind that are no NULL.
func order(l, r datum) int {
	switch {
	case l.num != nil && r.num != nil:
		return l.num.Cmp(r.num)
	case l.Kind == relation.Text:
		return strings.Compare(l.Text, r.Text)
	}
	return cmp.Compare(l.Int, r.Int)
}

// logic is AND or OR in three values.
func (g *releasedGroup) logic(e PostLogic) datum {
	unknown := false
	for _, x := range e.Of {
		v := g.value(x)
		switch {
		case v.Null:
			unknown = true
		case v.isTrue() == e.Or: // true decides OR, false decides AND
			return truth(e.Or)
		}
	}
	if unknown {
		return nothing
	}
	return truth(!e.Or)
}

// rounded is to the nearest, halves away from zero.
func rounded(x *big.Rat, places int) *big.Rat {
	places = min(max(places, -18), 18)
	scale := new(big.Rat).SetInt(pow10(max(places, -places)))
	if places < 0 {
		scale.Inv(scale)
	}
	y := new(big.Rat).Mul(x, scale)
	half := big.NewRat(1, 2)
	if y.Sign() < 0 {
		half.Neg(half)
	}
	y.Add(y, half)
	whole := new(big.Rat).SetInt(new(big.Int).Quo(y.Num(), y.Denom()))
	return whole.Quo(whole, scale)
}

// root is the square root of x ≥ 0, rounded down to 2^−64.
func root(x *big.Rat) *big.Rat {
	if x.Sign() <= 0 {
		return new(big.Rat)
	}
	n := new(big.Int).Lsh(x.Num(), 128)
	n.Quo(n, x.Denom()).Sqrt(n)
	return new(big.Rat).SetFrac(n, new(big.Int).Lsh(big.NewInt(1), 64))
}
