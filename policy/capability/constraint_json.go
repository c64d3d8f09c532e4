package capability

import (
	"slices"
)

// readConstraint reads one constraint in the form of the draft's section 3.4. Kinds and members that are unknown are refused:
// they would be bounds that nobody keeps.
func readConstraint(v *value) (Constraint, bool) {
	var name string
	if !v.string("constraint_type", &name) {
		return Constraint{}, false
	}
	at := slices.Index(kindNames[:], name)
	if at < 0 {
		return Constraint{}, false
	}
	c := Constraint{Kind: Kind(at)}
	for i := range v.members {
		m := &v.members[i]
		if !c.readMember(m.name, &m.value) {
			return Constraint{}, false
		}
	}
	if c.Min.orphaned(v, "min") || c.Max.orphaned(v, "max") {
		return Constraint{}, false
	}
	return c, c.well()
}

func (c *Constraint) readMember(name string, v *value) bool {
	switch {
	case name == "constraint_type":
		return true
	case name == "optional":
		c.Optional = v.kind == isTrue
		return v.kind == isTrue || v.kind == isFalse
	case name == "value" && c.Kind == Exactly:
		s, ok := v.scalar()
		c.Values = []Scalar{s}
		return ok
	case name == "values" && c.Kind == Among:
		for i := range v.items {
			s, ok := v.items[i].scalar()
			if !ok {
				return false
			}
			c.Values = append(c.Values, s)
		}
		return v.kind == isArray
	case (name == "prefix" && c.Kind == StartsOn || name == "root" && c.Kind == UnderPath) && v.kind == isString:
		c.Text = v.text
		return true
	case c.Kind == InRange:
		return c.readEdge(name, v)
	}
	return false
}

func (c *Constraint) readEdge(name string, v *value) bool {
	edge := &c.Min
	if name == "max" || name == "max_inclusive" {
		edge = &c.Max
	}
	if *edge == nil {
		*edge = &Edge{}
	}
	switch name {
	case "min", "max":
		f, _, ok := canonicalNumber(v.text)
		(*edge).Value = f
		return ok && v.kind == isNumber
	case "min_inclusive", "max_inclusive":
		(*edge).Open = v.kind == isFalse
		return v.kind == isTrue || v.kind == isFalse
	}
	return false
}

// orphaned reports whether there is only the word on whether the edge is included, and no edge.
func (e *Edge) orphaned(v *value, name string) bool {
	_, ok := v.get(name)
	return e != nil && !ok
}

// raw writes the constraint in canonical form.
func (c *Constraint) raw() []byte {
	var o object
	o.text("constraint_type", c.Kind.String())
	if c.Optional {
		o.put("optional", []byte("true"))
	}
	switch c.Kind {
	case Exactly:
		o.put("value", c.Values[0].raw())
	case Among:
		list := []byte{'['}
		for i, s := range c.Values {
			if i > 0 {
				list = append(list, ',')
			}
			list = append(list, s.raw()...)
		}
		o.put("values", append(list, ']'))
	case InRange:
		c.Min.put(&o, "min")
		c.Max.put(&o, "max")
	case StartsOn:
		o.text("prefix", c.Text)
	case UnderPath:
		o.text("root", c.Text)
	}
	return o.bytes()
}

func (e *Edge) put(o *object, name string) {
	if e == nil {
		return
	}
	o.put(name, []byte(formatNumber(e.Value)))
	if e.Open {
		o.put(name+"_inclusive", []byte("false"))
	}
}
