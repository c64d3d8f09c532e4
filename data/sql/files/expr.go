package files

import (
	"fmt"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// step computes an expression for all rows of a batch.
type step func(w *worker, b *batch) vec

// compile makes a step of an expression over the columns.
func (x *exec) compile(e relation.Expr, cols []relation.Column) (step, error) {
	c := compiler{x: x, cols: cols}
	s := c.step(e)
	return s, c.err
}

// compiler remembers what it could not make a step of.
type compiler struct {
	x    *exec
	cols []relation.Column
	err  error
}

func (c *compiler) step(e relation.Expr) step {
	sub, x := c.step, c.x
	switch e := e.(type) {
	case *relation.Ref:
		for i, col := range c.cols {
			if col.Name == e.Name {
				return func(_ *worker, b *batch) vec { return b.cols[i] }
			}
		}
	case *relation.Const:
		return x.constant(e.Value)
	case *relation.Arith:
		return arith(e, sub(e.L), sub(e.R))
	case *relation.Scale:
		return unary(sub(e.X), e.At)
	case *relation.Clamp:
		lo, hi := e.As.Min, e.As.Max
		return unary(sub(e.X), func(v int64) int64 { return min(max(v, lo), hi) })
	case *relation.Compare:
		return compare(e, sub(e.L), sub(e.R))
	case *relation.Logic:
		of := make([]step, len(e.Of))
		for i := range of {
			of[i] = sub(e.Of[i])
		}
		return logic(e.Or, of)
	case *relation.Not:
		return unary(sub(e.X), func(v int64) int64 { return v ^ 1 })
	case *relation.IsNull:
		return isNull(sub(e.X))
	case *relation.In:
		of := make(map[int64]bool, len(e.Of))
		for _, v := range e.Of {
			of[x.word(v)] = true
		}
		return unary(sub(e.X), func(v int64) int64 { return truth(of[v]) })
	case *relation.Like:
		return unary(sub(e.X), func(v int64) int64 { return truth(e.Match(x.texts.text(v))) })
	case *relation.Case:
		return x.cases(e, sub)
	case *relation.Part:
		return unary(sub(e.X), e.At)
	case *relation.Trunc:
		return unary(sub(e.X), e.At)
	case *relation.Shift:
		lo, hi := e.As.Min, e.As.Max
		return pairwise(sub(e.X), sub(e.By), func(to, l, r []int64) {
			for i := range to {
				to[i] = min(max(l[i]+r[i], lo), hi)
			}
		})
	case *relation.Between:
		return pairwise(sub(e.L), sub(e.R), minus)
	case *relation.AsDate:
		return unary(sub(e.X), func(v int64) int64 { return floorDiv(v, dayMicros) })
	case *relation.AsTime:
		return unary(sub(e.X), func(v int64) int64 { return v * dayMicros })
	case *relation.Letters:
		if e.Op == relation.Length {
			return unary(sub(e.X), func(v int64) int64 { return e.Count(x.texts.text(v)) })
		}
		return unaryWith(sub(e.X), func(w *worker, v int64) int64 {
			w.bytes = append(w.bytes[:0], e.At(x.texts.text(v))...)
			return w.texts.number(w.bytes)
		})
	}
	c.err = fmt.Errorf("an expression: %w", relation.ErrShape)
	return nil
}

const dayMicros = 24 * 60 * 60 * 1_000_000

func floorDiv(v, d int64) int64 {
	q := v / d
	if v%d < 0 {
		q--
	}
	return q
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// word is a value that is no NULL as batches have it.
func (x *exec) word(v relation.Value) int64 {
	if v.Kind == relation.Text {
		return x.texts.number([]byte(v.Text))
	}
	return v.Int
}

func (x *exec) constant(v relation.Value) step {
	if v.Null {
		return func(w *worker, b *batch) vec {
			out := vec{w.ints.get(b.n), w.bools.get(b.n)}
			clear(out.v)
			for i := range out.null {
				out.null[i] = true
			}
			return out
		}
	}
	n := x.word(v)
	return func(w *worker, b *batch) vec {
		out := vec{v: w.ints.get(b.n)}
		for i := range out.v {
			out.v[i] = n
		}
		return out
	}
}

// unary computes f of every value that is no NULL.
func unary(of step, f func(int64) int64) step {
	return unaryWith(of, func(_ *worker, v int64) int64 { return f(v) })
}

func unaryWith(of step, f func(*worker, int64) int64) step {
	return func(w *worker, b *batch) vec {
		in := of(w, b)
		out := vec{w.ints.get(b.n), in.null}
		for i, v := range in.v {
			if in.null != nil && in.null[i] {
				out.v[i] = 0
				continue
			}
			out.v[i] = f(w, v)
		}
		return out
	}
}

// pairwise computes f of all pairs, also where one is NULL: what comes of those is not looked at.
func pairwise(l, r step, f func(to, l, r []int64)) step {
	return func(w *worker, b *batch) vec {
		a, c := l(w, b), r(w, b)
		out := vec{w.ints.get(b.n), w.either(a.null, c.null)}
		f(out.v, a.v, c.v)
		return out
	}
}

func minus(to, l, r []int64) {
	for i := range to {
		to[i] = l[i] - r[i]
	}
}

func arith(e *relation.Arith, l, r step) step {
	switch e.Op {
	case relation.Add:
		return pairwise(l, r, func(to, l, r []int64) {
			for i := range to {
				to[i] = l[i] + r[i]
			}
		})
	case relation.Sub:
		return pairwise(l, r, minus)
	case relation.Mul:
		return pairwise(l, r, func(to, l, r []int64) {
			for i := range to {
				to[i] = l[i] * r[i]
			}
		})
	case relation.Least:
		return pairwise(l, r, func(to, l, r []int64) {
			for i := range to {
				to[i] = min(l[i], r[i])
			}
		})
	case relation.Greatest:
		return pairwise(l, r, func(to, l, r []int64) {
			for i := range to {
				to[i] = max(l[i], r[i])
			}
		})
	}
	if e.Op == relation.Mod {
		return divide(l, r, func(a, b int64) int64 { return a % b })
	}
	lf, rf := e.Factors()
	return divide(l, r, func(a, b int64) int64 { return a * lf / (b * rf) })
}

// divide is NULL where the divisor is zero.
func divide(l, r step, f func(a, b int64) int64) step {
	return func(w *worker, b *batch) vec {
		a, c := l(w, b), r(w, b)
		out := vec{w.ints.get(b.n), w.falses(b.n)}
		for i := range out.v {
			if a.null != nil && a.null[i] || c.null != nil && c.null[i] || c.v[i] == 0 {
				out.v[i], out.null[i] = 0, true
				continue
			}
			out.v[i] = f(a.v[i], c.v[i])
		}
		return out
	}
}

func compare(e *relation.Compare, l, r step) step {
	test := func(f func(a, b int64) bool) step {
		return pairwise(l, r, func(to, l, r []int64) {
			for i := range to {
				to[i] = truth(f(l[i], r[i]))
			}
		})
	}
	switch e.Op {
	case relation.Eq:
		return test(func(a, b int64) bool { return a == b })
	case relation.Ne:
		return test(func(a, b int64) bool { return a != b })
	case relation.Lt:
		return test(func(a, b int64) bool { return a < b })
	case relation.Le:
		return test(func(a, b int64) bool { return a <= b })
	case relation.Gt:
		return test(func(a, b int64) bool { return a > b })
	}
	return test(func(a, b int64) bool { return a >= b })
}

// logic is Kleene's.
func logic(or bool, of []step) step {
	decides := truth(or)
	return func(w *worker, b *batch) vec {
		out := vec{w.ints.get(b.n), w.falses(b.n)}
		for i := range out.v {
			out.v[i] = 1 - decides
		}
		for _, s := range of {
			in := s(w, b)
			for i, v := range in.v {
				switch {
				case !out.null[i] && out.v[i] == decides:
				case in.null != nil && in.null[i]:
					out.null[i] = true
				case v == decides:
					out.v[i], out.null[i] = v, false
				}
			}
		}
		return out
	}
}

func isNull(of step) step {
	return func(w *worker, b *batch) vec {
		in := of(w, b)
		out := vec{v: w.ints.get(b.n)}
		if in.null == nil {
			clear(out.v)
			return out
		}
		for i, n := range in.null {
			out.v[i] = truth(n)
		}
		return out
	}
}

func (x *exec) cases(e *relation.Case, sub func(relation.Expr) step) step {
	ifs, thens := make([]step, len(e.Whens)), make([]step, len(e.Whens))
	for i, c := range e.Whens {
		ifs[i], thens[i] = sub(c.If), sub(c.Then)
	}
	otherwise := sub(e.Else)
	return func(w *worker, b *batch) vec {
		last := otherwise(w, b)
		out := vec{w.ints.get(b.n), w.falses(b.n)}
		copy(out.v, last.v)
		copy(out.null, last.null)
		taken := w.falses(b.n)
		for i := range ifs {
			is, then := ifs[i](w, b), thens[i](w, b)
			for j := range out.v {
				if taken[j] || is.v[j] != 1 || is.null != nil && is.null[j] {
					continue
				}
				taken[j] = true
				out.v[j], out.null[j] = then.v[j], then.null != nil && then.null[j]
			}
		}
		return out
	}
}
