package relation

import (
	"strings"
	"unicode/utf8"
)

// Compute is the value of an expression for one row, whose cells are the columns cols. It is what all engines have to agree with.
func Compute(e Expr, cols []Column, row []Value) Value {
	c := computer{cols, row}
	return c.value(e)
}

type computer struct {
	cols []Column
	row  []Value
}

func unknown(k Kind) Value { return Value{Kind: k, Null: true} }

func whether(b bool) Value {
	if b {
		return Value{Kind: Truth, Int: 1}
	}
	return Value{Kind: Truth}
}

func (c computer) value(e Expr) Value {
	switch e := e.(type) {
	case *Ref:
		return c.row[find(c.cols, e.Name)]
	case *Const:
		return e.Value
	case *Logic:
		return c.logic(e)
	case *IsNull:
		return whether(c.value(e.X).Null)
	case *Case:
		for _, w := range e.Whens {
			if v := c.value(w.If); !v.Null && v.Int == 1 {
				return c.value(w.Then)
			}
		}
		return c.value(e.Else)
	}
	// All others are NULL if an operand is.
	args := children(e)
	vs := make([]Value, len(args))
	for i, a := range args {
		if vs[i] = c.value(a); vs[i].Null {
			return unknown(e.Type().Kind)
		}
	}
	return apply(e, vs)
}

// apply computes an expression of operands that are no NULL.
func apply(e Expr, vs []Value) Value {
	k := e.Type().Kind
	switch e := e.(type) {
	case *Arith:
		v, ok := arith(e, vs[0].Int, vs[1].Int)
		return Value{Kind: k, Null: !ok, Int: v}
	case *Scale:
		v, _ := scale(vs[0].Int, e.As.Places-e.X.Type().Places)
		return Value{Kind: k, Int: v}
	case *Clamp:
		return Value{Kind: k, Int: e.As.clamp(vs[0].Int)}
	case *Compare:
		return whether(compare(e.Op, vs[0], vs[1]))
	case *Not:
		return whether(vs[0].Int == 0)
	case *In:
		for _, v := range e.Of {
			if same(v, vs[0]) {
				return whether(true)
			}
		}
		return whether(false)
	case *Like:
		return whether(e.Match(vs[0].Text))
	case *Part:
		return Value{Kind: k, Int: part(e.Of, vs[0].Kind, vs[0].Int)}
	case *Trunc:
		return Value{Kind: k, Int: trunc(e.To, vs[0].Kind, vs[0].Int)}
	case *Shift:
		return Value{Kind: k, Int: e.As.clamp(vs[0].Int + vs[1].Int)}
	case *Between:
		return Value{Kind: k, Int: vs[0].Int - vs[1].Int}
	case *AsDate:
		return Value{Kind: k, Int: floorDiv(vs[0].Int, dayMicros)}
	case *AsTime:
		return Value{Kind: k, Int: vs[0].Int * dayMicros}
	case *Letters:
		return letters(e.Op, vs[0].Text)
	}
	return unknown(k)
}

// logic is Kleene's: false decides an AND, true an OR, whatever is unknown.
func (c computer) logic(e *Logic) Value {
	out := whether(!e.Or)
	for _, x := range e.Of {
		v := c.value(x)
		switch {
		case v.Null:
			out = unknown(Truth)
		case (v.Int == 1) == e.Or:
			return v
		}
	}
	return out
}

// arith computes within bounds that the constructors have followed. It is not ok where r is zero.
func arith(e *Arith, l, r int64) (int64, bool) {
	switch e.Op {
	case Add:
		return l + r, true
	case Sub:
		return l - r, true
	case Mul:
		return l * r, true
	case Least:
		return min(l, r), true
	case Greatest:
		return max(l, r), true
	}
	if r == 0 {
		return 0, false
	}
	if e.Op == Mod {
		return l % r, true
	}
	lf, rf := e.Factors()
	return l * lf / (r * rf), true
}

// At is the part of one date or time of the operand's kind.
func (e *Part) At(v int64) int64 { return part(e.Of, e.X.Type().Kind, v) }

// At is the beginning of the part that one date or time of the operand's kind lies in.
func (e *Trunc) At(v int64) int64 { return trunc(e.To, e.X.Type().Kind, v) }

// At is one number with the other places.
func (e *Scale) At(v int64) int64 {
	v, _ = scale(v, e.As.Places-e.X.Type().Places)
	return v
}

// Factors are what the operands of a division are multiplied with before they are divided.
func (e *Arith) Factors() (l, r int64) {
	if k := e.As.Places + e.R.Type().Places - e.L.Type().Places; k >= 0 {
		return pow10[k], 1
	} else {
		return 1, pow10[-k]
	}
}

// At is the function of one text; of Length it is not.
func (e *Letters) At(s string) string { return letters(e.Op, s).Text }

func same(a, b Value) bool { return a.Int == b.Int && a.Text == b.Text }

func compare(op CompareOp, l, r Value) bool {
	switch op {
	case Eq:
		return same(l, r)
	case Ne:
		return !same(l, r)
	case Lt:
		return l.Int < r.Int
	case Le:
		return l.Int <= r.Int
	case Gt:
		return l.Int > r.Int
	}
	return l.Int >= r.Int
}

func letters(op LettersOp, s string) Value {
	if op == Length {
		return Value{Kind: Number, Int: min(int64(utf8.RuneCountInString(s)), MaxLength)}
	}
	from, to, shift := 'A', 'Z', 'a'-'A'
	if op == Upper {
		from, to, shift = 'a', 'z', 'A'-'a'
	}
	return Value{Kind: Text, Text: strings.Map(func(r rune) rune {
		if r >= from && r <= to {
			return r + shift
		}
		return r
	}, s)}
}

// Match is whether text is of the pattern. It looks back to the last "any number of characters" alone, so that it takes at most
// len(pattern)·len(s) steps.
func (e *Like) Match(s string) bool {
	rest, parts := s, e.Pattern
	var backRest string
	var backParts []LikePart
	for len(parts) > 0 || rest != "" {
		if len(parts) > 0 {
			p := parts[0]
			switch {
			case p.Many:
				backRest, backParts = rest, parts
				parts = parts[1:]
				continue
			case p.One && rest != "":
				_, n := utf8.DecodeRuneInString(rest)
				rest, parts = rest[n:], parts[1:]
				continue
			case p.Text != "" && strings.HasPrefix(rest, p.Text):
				rest, parts = rest[len(p.Text):], parts[1:]
				continue
			}
		}
		if backParts == nil || backRest == "" {
			return false
		}
		_, n := utf8.DecodeRuneInString(backRest)
		backRest = backRest[n:]
		rest, parts = backRest, backParts[1:]
	}
	return true
}

// Count is the length of one text.
func (e *Letters) Count(s string) int64 { return letters(Length, s).Int }
