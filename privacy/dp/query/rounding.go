package query

import (
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
	"slices"
)

func (b *binder) abs(at syntax.Pos, vs []value) (value, error) {
	x, err := b.numeric(at, "abs", vs[0])
	if err != nil {
		return value{}, err
	}
	minus, err := b.negative(at, x)
	if err != nil {
		return value{}, err
	}
	out, err := b.exactly(at, relation.Greatest, x, minus)
	if err != nil {
		return value{}, err
	}
	// Never negative, which the bounds alone do not tell.
	if t := out.typ(); t.Min < 0 {
		c, err := relation.NewClamp(out.expr, 0, t.Max)
		if err != nil {
			return value{}, b.wrap(at, err)
		}
		out.expr = c
	}
	out.low, out.high = true, x.bounded()
	return out, nil
}

func (b *binder) sign(at syntax.Pos, vs []value) (value, error) {
	x, err := b.numeric(at, "sign", vs[0])
	if err != nil {
		return value{}, err
	}
	var conds, branches []value
	for i, op := range []relation.CompareOp{relation.Gt, relation.Lt, relation.Eq} {
		zero, err := b.number(at, 0, 0)
		if err != nil {
			return value{}, err
		}
		c, err := b.compare(at, op, x, zero)
		if err != nil {
			return value{}, err
		}
		n, err := b.number(at, []int64{1, -1, 0}[i], 0)
		if err != nil {
			return value{}, err
		}
		conds, branches = append(conds, c), append(branches, n)
	}
	null := value{expr: relation.NewNull(relation.TextType), null: true, low: true, high: true, size: 1}
	out, err := b.choose(at, conds, append(branches, null))
	out.domain = slices.DeleteFunc(slices.Clone(out.domain), func(v relation.Value) bool { return v.Null })
	return out, err
}

// floor is the greatest whole number at or below x: a division rounds towards zero, so it is done above zero and moved back.
func (b *binder) floor(at syntax.Pos, vs []value) (value, error) {
	return b.down(at, "floor", vs[0], 1)
}

// down is the greatest multiple of step at or below x, as a whole number of steps times step.
func (b *binder) down(at syntax.Pos, name string, x value, step int64) (value, error) {
	x, err := b.numeric(at, name, x)
	if err != nil {
		return value{}, err
	}
	t := x.typ()
	if t.Places == 0 && step == 1 {
		return b.natural(x, 1), nil
	}
	by, err := relation.NewNumber(step, 0)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	unit := tens(t.Places)
	if step > relation.MaxNumber/unit {
		return value{}, b.refuse(at, ruleBounds, "", "the width of %s is too large", name)
	}
	// The least multiple of step, in steps: at or below the least value.
	first := (t.Min - floorMod(t.Min, step*unit)) / (step * unit)
	base := x.expr
	if first != 0 {
		away, err := relation.NewNumber(first*step*unit, t.Places)
		if err != nil {
			return value{}, b.wrap(at, err)
		}
		if base, err = arithmeticOf(relation.Sub, base, away); err != nil {
			return value{}, b.wrap(at, err)
		}
	}
	d, err := relation.NewDiv(base, by, 0)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	var whole relation.Expr = d
	for _, n := range []struct {
		op relation.ArithOp
		by int64
	}{{relation.Add, first}, {relation.Mul, step}} {
		if n.op == relation.Add && n.by == 0 || n.op == relation.Mul && n.by == 1 {
			continue
		}
		c, err := relation.NewNumber(n.by, 0)
		if err != nil {
			return value{}, b.wrap(at, err)
		}
		if whole, err = arithmeticOf(n.op, whole, c); err != nil {
			return value{}, b.wrap(at, err)
		}
	}
	out := b.made(whole, x)
	out.size += 4
	out.low, out.high = x.low, x.high
	return b.natural(out, step), nil
}

func arithmeticOf(op relation.ArithOp, l, r relation.Expr) (relation.Expr, error) {
	a, err := relation.NewArith(op, l, r)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func tens(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

func (b *binder) ceil(at syntax.Pos, vs []value) (value, error) {
	x, err := b.numeric(at, "ceil", vs[0])
	if err != nil {
		return value{}, err
	}
	if x.typ().Places == 0 {
		return b.natural(x, 1), nil
	}
	minus, err := b.negative(at, x)
	if err != nil {
		return value{}, err
	}
	down, err := b.down(at, "ceil", minus, 1)
	if err != nil {
		return value{}, err
	}
	return b.negative(at, down)
}

// round is to the nearest, halves away from zero.
func (b *binder) round(at syntax.Pos, vs []value) (value, error) {
	x, err := b.numeric(at, "round", vs[0])
	if err != nil {
		return value{}, err
	}
	places := int64(0)
	if len(vs) == 2 {
		c, ok := vs[1].constant()
		if !ok || c.Null || c.Kind != relation.Number || vs[1].typ().Places != 0 || c.Int < 0 {
			return value{}, b.refuse(at, ruleFunction, "bucket(x, width) takes coarser steps", "round takes a constant number of decimal places, from none")
		}
		places = c.Int
	}
	if places >= int64(x.typ().Places) {
		if places == 0 {
			x = b.natural(x, 1)
		}
		return x, nil
	}
	out, err := b.scaled(at, x, int(places))
	return b.natural(out, 1), err
}

// trunc rounds towards zero; of a date with a part it is DATE_TRUNC, which has its own name here.
func (b *binder) trunc(at syntax.Pos, vs []value) (value, error) {
	x, err := b.numeric(at, "trunc", vs[0])
	if err != nil {
		return value{}, err
	}
	one, err := relation.NewNumber(1, 0)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	d, err := relation.NewDiv(x.expr, one, 0)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	out := b.made(d, x)
	out.low, out.high = x.low, x.high
	return b.natural(out, 1), nil
}

// clamp brings x between two constants; NULL stays NULL.
func (b *binder) clamp(at syntax.Pos, vs []value) (value, error) {
	vs, err := b.unify(at, vs)
	if err != nil {
		return value{}, err
	}
	x := vs[0]
	lo, ok1 := vs[1].constant()
	hi, ok2 := vs[2].constant()
	if !ok1 || !ok2 || lo.Null || hi.Null || !ordered(x.kind()) || x.span || lo.Int > hi.Int {
		return value{}, b.refuse(at, ruleFunction, "", "clamp takes a number, date or time and two constants, the lower one first")
	}
	c, err := relation.NewClamp(x.expr, lo.Int, hi.Int)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	out := b.made(c, x)
	out.low, out.high = true, true
	return out, nil
}

// bucket is the greatest multiple of a constant width at or below x.
func (b *binder) bucket(at syntax.Pos, vs []value) (value, error) {
	w, ok := vs[1].constant()
	if !ok || w.Null || w.Kind != relation.Number || vs[1].typ().Places != 0 || w.Int < 1 {
		return value{}, b.refuse(at, ruleFunction, "", "the width of a bucket is a constant whole number, at least 1")
	}
	return b.down(at, "bucket", vs[0], w.Int)
}

// widthBucket is which of n equal buckets from low to high x lies in, from 1; 0 below, n+1 at high and above.
func (b *binder) widthBucket(at syntax.Pos, vs []value) (value, error) {
	for i := range vs {
		var err error
		if vs[i], err = b.numeric(at, "width_bucket", vs[i]); err != nil {
			return value{}, err
		}
	}
	nums, err := b.unify(at, vs[:3])
	if err != nil {
		return value{}, err
	}
	lo, ok1 := nums[1].constant()
	hi, ok2 := nums[2].constant()
	n, ok3 := vs[3].constant()
	if !ok1 || !ok2 || !ok3 || lo.Null || hi.Null || n.Null || lo.Int >= hi.Int || vs[3].typ().Places != 0 || n.Int < 1 || n.Int > int64(b.limits.MostCells) {
		return value{}, b.refuse(at, ruleFunction, "", "width_bucket takes a number, constant low < high, and a constant number of buckets")
	}
	// ⌊(x−low)·n / (high−low)⌋ + 1 of x clamped to between low and high, and 0 below low.
	c, err := relation.NewClamp(nums[0].expr, lo.Int, hi.Int)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	x := b.made(c, nums[0])
	x.low, x.high = true, true
	since, err := b.arith(at, "-", x, nums[1])
	if err != nil {
		return value{}, err
	}
	width, err := b.arith(at, "-", nums[2], nums[1])
	if err != nil {
		return value{}, err
	}
	times, err := b.arith(at, "*", since, vs[3])
	if err != nil {
		return value{}, err
	}
	d, err := relation.NewDiv(times.expr, width.expr, 0)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	one, err := b.number(at, 1, 0)
	if err != nil {
		return value{}, err
	}
	in, err := b.arith(at, "+", b.made(d, times, width), one)
	if err != nil {
		return value{}, err
	}
	below, err := b.compare(at, relation.Lt, nums[0], nums[1])
	if err != nil {
		return value{}, err
	}
	zero, err := b.number(at, 0, 0)
	if err != nil {
		return value{}, err
	}
	in.domain = nil
	out, err := b.choose(at, []value{below}, []value{zero, in})
	if err != nil {
		return value{}, err
	}
	out.domain = nil
	for k := range n.Int + 2 {
		out.domain = append(out.domain, relation.Value{Kind: relation.Number, Int: k})
	}
	out.total = true
	return out, nil
}

// div is the whole number of times that y goes into x, towards zero.
func (b *binder) div(at syntax.Pos, vs []value) (value, error) {
	x, err := b.numeric(at, "div", vs[0])
	if err != nil {
		return value{}, err
	}
	y, err := b.numeric(at, "div", vs[1])
	if err != nil {
		return value{}, err
	}
	q, err := relation.NewDiv(x.expr, y.expr, 0)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	return b.natural(b.quotient(q, x, y), 1), nil
}
