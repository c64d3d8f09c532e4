package relation

// Columns are the fields.
func (s *Scan) Columns() []Column {
	out := make([]Column, len(s.Fields))
	for i, f := range s.Fields {
		out[i] = Column{f.As, f.Type}
	}
	return out
}

// Columns are those of what is filtered.
func (f *Filter) Columns() []Column { return f.In.Columns() }

// Columns are what is computed.
func (p *Project) Columns() []Column {
	out := make([]Column, len(p.Cols))
	for i, c := range p.Cols {
		out[i] = Column{c.Name, c.Expr.Type()}
	}
	return out
}

// Columns are those of the left side, then those of the right.
func (j *Join) Columns() []Column {
	l, r := j.Left.Columns(), j.Right.Columns()
	return append(l[:len(l):len(l)], r...)
}

// Columns are those of the first arm, with bounds that cover all arms. Arms agree by name, whatever the order.
func (u *Union) Columns() []Column {
	if len(u.Arms) == 0 {
		return nil
	}
	out := append([]Column(nil), u.Arms[0].Columns()...)
	for _, a := range u.Arms[1:] {
		for _, c := range a.Columns() {
			if i := find(out, c.Name); i >= 0 {
				out[i].Type = hull(out[i].Type, c.Type)
			}
		}
	}
	return out
}

// Columns are the keys, then the aggregates.
func (f *Fold) Columns() []Column {
	in := f.In.Columns()
	out := make([]Column, 0, len(f.Keys)+len(f.Aggs))
	for _, k := range f.Keys {
		c := Column{Name: k}
		if i := find(in, k); i >= 0 {
			c = in[i]
		}
		out = append(out, c)
	}
	for _, a := range f.Aggs {
		out = append(out, Column{a.Name, a.Type})
	}
	return out
}

// find is the index of the column of that name, or −1.
func find(cols []Column, name string) int {
	for i, c := range cols {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// The types of expressions.

// Type is the column's.
func (e *Ref) Type() Type { return e.As }

// Type is the constant's.
func (e *Const) Type() Type { return e.As }

// Type has the bounds that the operands' bounds allow.
func (e *Arith) Type() Type { return e.As }

// Type has the bounds that the operand's bounds allow.
func (e *Scale) Type() Type { return e.As }

// Type is what the operand is clamped to.
func (e *Clamp) Type() Type { return e.As }

// Type is truth.
func (e *Compare) Type() Type { return TruthType }

// Type is truth.
func (e *Logic) Type() Type { return TruthType }

// Type is truth.
func (e *Not) Type() Type { return TruthType }

// Type is truth.
func (e *IsNull) Type() Type { return TruthType }

// Type is truth.
func (e *In) Type() Type { return TruthType }

// Type is truth.
func (e *Like) Type() Type { return TruthType }

// Type is the hull of the branches.
func (e *Case) Type() Type { return e.As }

// Type is a number without places.
func (e *Part) Type() Type {
	t := e.X.Type()
	switch e.Of {
	case Year:
		return NumberType(0, part(Year, t.Kind, t.Min), part(Year, t.Kind, t.Max))
	case Quarter:
		return NumberType(0, 1, 4)
	case Month:
		return NumberType(0, 1, 12)
	case Day:
		return NumberType(0, 1, 31)
	case DayOfWeek:
		return NumberType(0, 1, 7)
	case Hour:
		return NumberType(0, 0, 23)
	}
	return NumberType(0, 0, 59)
}

// Type is a date or time, as what is truncated.
func (e *Trunc) Type() Type {
	t := e.X.Type()
	t.Min, t.Max = trunc(e.To, t.Kind, t.Min), trunc(e.To, t.Kind, t.Max)
	return t
}

// Type is what the moment is clamped to.
func (e *Shift) Type() Type { return e.As }

// Type is a number without places.
func (e *Between) Type() Type { return e.As }

// Type is a date.
func (e *AsDate) Type() Type {
	t := e.X.Type()
	return DateType(floorDiv(t.Min, dayMicros), floorDiv(t.Max, dayMicros))
}

// Type is a time.
func (e *AsTime) Type() Type {
	t := e.X.Type()
	return TimeType(t.Min*dayMicros, t.Max*dayMicros)
}

// MaxLength is what the length of a text is clamped to.
const MaxLength = 1 << 30

// Type is text, or a number.
func (e *Letters) Type() Type {
	if e.Op == Length {
		return NumberType(0, 0, MaxLength)
	}
	return TextType
}
