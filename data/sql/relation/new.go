package relation

import (
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// NewRef is the column of that name in a relation.
func NewRef(r Rel, name string) (*Ref, error) {
	cols := r.Columns()
	i := find(cols, name)
	if i < 0 {
		return nil, fmt.Errorf("column %q: %w", name, ErrShape)
	}
	return &Ref{name, cols[i].Type}, nil
}

// NewNumber is a constant of that many places.
func NewNumber(v int64, places int) (*Const, error) {
	return NewConst(Value{Kind: Number, Int: v}, places)
}

// NewText is a constant.
func NewText(s string) (*Const, error) { return NewConst(Value{Kind: Text, Text: s}, 0) }

// NewTruth is a constant.
func NewTruth(v bool) *Const {
	c := &Const{Value: Value{Kind: Truth}, As: TruthType}
	if v {
		c.Value.Int = 1
	}
	return c
}

// NewConst is a constant; a number has the given places. For NULL see [NewNull].
func NewConst(v Value, places int) (*Const, error) {
	t := Type{Kind: v.Kind, Places: places}
	if v.Kind.ordered() {
		t.Min, t.Max = v.Int, v.Int
	}
	if err := t.Check(); err != nil {
		return nil, fmt.Errorf("a constant: %w", err)
	}
	if v.Null || v.Kind == Truth && v.Int&^1 != 0 || v.Kind == Text && !textual(v.Text) {
		return nil, fmt.Errorf("a constant %v: %w", v.Kind, ErrShape)
	}
	return &Const{v, t}, nil
}

// NewNull is NULL of a type. In a branch of [NewCase] it takes the type of the others.
func NewNull(t Type) *Const { return &Const{Value{Kind: t.Kind, Null: true}, t} }

// textual is whether every source can hold the text: UTF-8 without NUL.
func textual(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// NewArith is l op r. Both are numbers, of the same places unless they are multiplied (see [Align]); for Div see [NewDiv].
func NewArith(op ArithOp, l, r Expr) (*Arith, error) {
	if op == Div {
		return nil, fmt.Errorf("a division without places: %w", ErrShape)
	}
	t, err := arithType(op, l.Type(), r.Type(), 0)
	if err != nil {
		return nil, err
	}
	return &Arith{op, l, r, t}, nil
}

// NewDiv is l divided by r at that many places, rounded towards zero; NULL where r is zero.
func NewDiv(l, r Expr, places int) (*Arith, error) {
	t, err := arithType(Div, l.Type(), r.Type(), places)
	if err != nil {
		return nil, err
	}
	return &Arith{Div, l, r, t}, nil
}

// arithType follows the bounds: each operator is monotone in each operand (on either side of zero for a divisor), so that the extremes
// lie at the corners.
func arithType(op ArithOp, l, r Type, places int) (Type, error) {
	name := "arithmetic"
	if int(op) < len(arithNames) {
		name = arithNames[op]
	}
	if l.Kind != Number || r.Kind != Number || op > Greatest {
		return Type{}, fmt.Errorf("%s of %v and %v: %w", name, l.Kind, r.Kind, ErrKind)
	}
	if op != Mul && op != Div && l.Places != r.Places {
		return Type{}, fmt.Errorf("%s of numbers with different places: %w", name, ErrShape)
	}
	t := Type{Kind: Number, Places: l.Places}
	ok := true
	switch op {
	case Add:
		t.Min, t.Max, ok = corners(add, []int64{l.Min, l.Max}, []int64{r.Min, r.Max})
	case Sub:
		t.Min, t.Max, ok = corners(sub, []int64{l.Min, l.Max}, []int64{r.Min, r.Max})
	case Mul:
		t.Places += r.Places
		t.Min, t.Max, ok = corners(mul, []int64{l.Min, l.Max}, []int64{r.Min, r.Max})
	case Div:
		t.Places = places
		t.Min, t.Max, ok = divBounds(l, r, places)
	case Mod:
		// The result has the sign of l, is no further from zero than l, and less far than the divisor that is furthest from it.
		far := max(r.Max, -r.Min, 1) - 1
		t.Min, t.Max = max(min(l.Min, 0), -far), min(max(l.Max, 0), far)
	case Least:
		t.Min, t.Max = min(l.Min, r.Min), min(l.Max, r.Max)
	case Greatest:
		t.Min, t.Max = max(l.Min, r.Min), max(l.Max, r.Max)
	}
	if !ok || t.Check() != nil {
		return Type{}, fmt.Errorf("%s: %w", name, ErrOverflow)
	}
	return t, nil
}

var arithNames = [...]string{"a sum", "a difference", "a product", "a quotient", "a remainder", "the least", "the greatest"}

// divBounds are the bounds of l/r at that many places. ok also says that what is computed on the way fits.
func divBounds(l, r Type, places int) (lo, hi int64, ok bool) {
	k := places + r.Places - l.Places
	if places < 0 || places > MaxPlaces || k >= len(pow10) || -k >= len(pow10) {
		return 0, 0, false
	}
	up, down := int64(1), int64(1)
	if k >= 0 {
		up = pow10[k]
	} else {
		down = pow10[-k]
	}
	nlo, nhi, ok := corners(mul, []int64{l.Min, l.Max}, []int64{up})
	dlo, dhi, ok2 := corners(mul, []int64{r.Min, r.Max}, []int64{down})
	if !ok || !ok2 {
		return 0, 0, false
	}
	var ds []int64 // the divisors furthest from and nearest to zero, on either side
	for _, d := range []int64{dlo, dhi, -down, down} {
		if d != 0 && dlo <= d && d <= dhi {
			ds = append(ds, d)
		}
	}
	if len(ds) == 0 {
		return 0, 0, true // always NULL
	}
	return corners(func(n, d int64) (int64, bool) { return n / d, true }, []int64{nlo, nhi}, ds)
}

// corners are the least and greatest of f at all pairs, if all exist.
func corners(f func(a, b int64) (int64, bool), as, bs []int64) (lo, hi int64, ok bool) {
	lo, hi = MaxNumber, MinNumber
	for _, a := range as {
		for _, b := range bs {
			v, ok := f(a, b)
			if !ok {
				return 0, 0, false
			}
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return lo, hi, true
}

func add(a, b int64) (int64, bool) {
	c := a + b
	return c, (c > a) == (b > 0) && c >= MinNumber
}

func sub(a, b int64) (int64, bool) { return add(a, -b) }

func mul(a, b int64) (int64, bool) {
	h, l := bits.Mul64(magnitude(a), magnitude(b))
	if h != 0 || l > uint64(MaxNumber) {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(l), true
	}
	return int64(l), true
}

func magnitude(a int64) uint64 {
	if a < 0 {
		return uint64(-a)
	}
	return uint64(a)
}

// NewScale gives a number other places.
func NewScale(x Expr, places int) (*Scale, error) {
	t, err := scaleType(x.Type(), places)
	if err != nil {
		return nil, err
	}
	return &Scale{x, t}, nil
}

func scaleType(t Type, places int) (Type, error) {
	if t.Kind != Number || places < 0 || places > MaxPlaces {
		return Type{}, fmt.Errorf("decimal places of a %v: %w", t.Kind, ErrKind)
	}
	u := Type{Kind: Number, Places: places}
	var ok1, ok2 bool
	u.Min, ok1 = scale(t.Min, places-t.Places)
	u.Max, ok2 = scale(t.Max, places-t.Places)
	if !ok1 || !ok2 {
		return Type{}, fmt.Errorf("more decimal places: %w", ErrOverflow)
	}
	return u, nil
}

// scale multiplies by 10^k, rounding to the nearest, halves away from zero.
func scale(v int64, k int) (int64, bool) {
	if k >= 0 {
		return mul(v, pow10[k])
	}
	d := pow10[-k]
	q, r := v/d, v%d
	switch {
	case r >= d-r:
		q++
	case -r >= d+r:
		q--
	}
	return q, true
}

// Align gives two numbers the same places, the more of both; whatever else they are is left as it is.
func Align(l, r Expr) (Expr, Expr, error) {
	a, b := l.Type(), r.Type()
	if a.Kind != Number || b.Kind != Number || a.Places == b.Places {
		return l, r, nil
	}
	if a.Places < b.Places {
		s, err := NewScale(l, b.Places)
		if err != nil {
			return nil, nil, err
		}
		return s, r, nil
	}
	s, err := NewScale(r, a.Places)
	if err != nil {
		return nil, nil, err
	}
	return l, s, nil
}

// NewClamp brings x within bounds, which are in x's places.
func NewClamp(x Expr, low, high int64) (*Clamp, error) {
	t := x.Type()
	if !t.Kind.ordered() {
		return nil, fmt.Errorf("bounds of %v: %w", t.Kind, ErrKind)
	}
	t.Min, t.Max = low, high
	if err := t.Check(); err != nil {
		return nil, err
	}
	// What x cannot be the result cannot be either.
	u := x.Type()
	t.Min, t.Max = t.clamp(u.Min), t.clamp(u.Max)
	return &Clamp{x, t}, nil
}
