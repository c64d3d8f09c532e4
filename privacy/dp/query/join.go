package query

import (
	"fmt"
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
)

// join pairs two rowsets. If both are private, their rows have to meet on the unit: that equality is added whatever else is asked, and
// a join that asks for neither it nor a declared reference is refused, since the asker means something else.
func (b *binder) join(f *syntax.Join, l, r *rowset, where []syntax.Expr) (*rowset, error) {
	kind := relation.Inner
	on, using := f.On, f.Using
	switch f.Kind {
	case syntax.RightJoin:
		l, r, kind = r, l, relation.Left
	case syntax.LeftJoin:
		kind = relation.Left
	case syntax.FullJoin:
		return nil, b.refuse(f.Pos, ruleJoin, "use LEFT JOIN, or UNION ALL of two questions", "FULL JOIN is not taken")
	}
	if kind == relation.Left && !l.private() && r.private() {
		return nil, b.refuse(f.Pos, ruleJoin, "let the private table stand on the side whose rows are kept, or use JOIN",
			"rows of a public table without a partner would belong to no %s", b.d.Unit)
	}
	if err := b.aliases(f.Pos, l, r); err != nil {
		return nil, err
	}
	j := &joining{b: b, kind: kind, l: l, r: r, both: &rowset{sources: slices.Concat(l.sources, r.sources)}}
	// Names are looked up in both; expressions are told apart by the columns they read.
	j.both.rel = &relation.Join{Kind: kind, Left: l.rel, Right: r.rel}
	j.both.unit, j.both.window = l.unit, l.window
	if !l.private() {
		j.both.unit, j.both.window = r.unit, r.window
	}
	for _, name := range using {
		if err := j.using(f.Pos, name); err != nil {
			return nil, err
		}
	}
	if on != nil {
		for _, c := range conjuncts(on) {
			if err := j.condition(c); err != nil {
				return nil, err
			}
		}
	}
	return j.finish(f, where)
}

func (b *binder) aliases(at syntax.Pos, l, r *rowset) error {
	for _, s := range l.sources {
		for _, t := range r.sources {
			if s.alias != "" && alike(s.alias, t.alias) {
				return b.refuse(at, ruleTable, "give one of them another name: AS", "two tables of FROM are called %q", s.alias)
			}
		}
	}
	return nil
}

// conjuncts are the parts of a condition that AND joins.
func conjuncts(e syntax.Expr) []syntax.Expr {
	if e == nil {
		return nil
	}
	if x, ok := e.(*syntax.Binary); ok && x.Op == "and" {
		return append(conjuncts(x.L), conjuncts(x.R)...)
	}
	return []syntax.Expr{e}
}

// joining is a join that is being put together.
type joining struct {
	b      *binder
	kind   relation.JoinKind
	l, r   *rowset
	both   *rowset
	on     []relation.Equal
	after  []relation.Expr // conditions on the pairs
	right  []relation.Expr // conditions on the right side alone
	bits   uint64          // columns of the unit that the question equates
	refers bool            // it equates a declared reference
}

// using equates the columns that both sides call by one name, and hides one of them.
func (j *joining) using(at syntax.Pos, name string) error {
	find := func(r *rowset) (*column, error) {
		var found *column
		for i := range r.sources {
			for k := range r.sources[i].cols {
				if c := &r.sources[i].cols[k]; alike(c.name, name) && !c.hidden {
					if found != nil {
						return nil, j.b.refuse(at, ruleColumn, "use ON", "several columns are called %q", name)
					}
					found = c
				}
			}
		}
		if found == nil {
			return nil, j.b.refuse(at, ruleColumn, "use ON", "there is no column %q on both sides", name)
		}
		return found, nil
	}
	l, err := find(j.l)
	if err != nil {
		return err
	}
	r, err := find(j.r)
	if err != nil {
		return err
	}
	if err := j.equal(at, l.value, r.value); err != nil {
		return err
	}
	// The sources share their columns with both.
	r.hidden = true
	return nil
}

// side is which sides an expression reads: 1 the left, 2 the right, 3 both, 0 none.
func (j *joining) side(e relation.Expr) int {
	in := func(r *rowset, name string) bool {
		return slices.ContainsFunc(r.rel.Columns(), func(c relation.Column) bool { return c.Name == name })
	}
	out := 0
	for _, n := range relation.Refs(e) {
		if in(j.l, n) {
			out |= 1
		}
		if in(j.r, n) {
			out |= 2
		}
	}
	return out
}

// condition takes one conjunct of ON.
func (j *joining) condition(e syntax.Expr) error {
	sc := &scope{rows: j.both}
	if x, ok := e.(*syntax.Binary); ok && x.Op == "=" {
		l, err := j.b.expr(sc, x.L)
		if err != nil {
			return err
		}
		r, err := j.b.expr(sc, x.R)
		if err != nil {
			return err
		}
		if a, c := j.side(l.expr), j.side(r.expr); a == 1 && c == 2 {
			return j.equal(e.At(), l, r)
		} else if a == 2 && c == 1 {
			return j.equal(e.At(), r, l)
		}
	}
	v, err := j.b.condition(sc, e)
	if err != nil {
		return err
	}
	switch s := j.side(v.expr); {
	case j.kind == relation.Inner:
		j.after = append(j.after, v.expr)
	case s == 2 || s == 0:
		j.right = append(j.right, v.expr)
	default:
		return j.b.refuse(e.At(), ruleJoin, "equate columns of the two sides; test the left side in WHERE",
			"an outer join takes equalities between its sides and conditions on the side that may be missing")
	}
	return nil
}

// equal takes l = r, of the left and the right side.
func (j *joining) equal(at syntax.Pos, l, r value) error {
	if j.l.private() && j.r.private() {
		if l.unit != 0 && r.unit != 0 && (l.unit == r.unit || l.unit == allUnits || r.unit == allUnits) {
			j.bits |= j.l.bits(l) & j.r.bits(r)
		}
		j.refers = j.refers || j.b.reference(l.origin, r.origin) || j.b.reference(r.origin, l.origin)
		if l.unit == allUnits && r.unit == allUnits {
			return nil // finish adds it
		}
	}
	l, r, err := j.b.meet(at, l, r)
	if err != nil {
		return err
	}
	e := relation.Equal{}
	if e.Left, err = j.b.extend(at, j.l, l.expr); err != nil {
		return err
	}
	if e.Right, err = j.b.extend(at, j.r, r.expr); err != nil {
		return err
	}
	if !slices.Contains(j.on, e) {
		j.on = append(j.on, e)
	}
	return nil
}

// reference is whether from refers to to by declaration.
func (b *binder) reference(from, to *Column) bool {
	if from == nil || to == nil {
		return false
	}
	for i := range b.d.Tables {
		t := &b.d.Tables[i]
		if v := t.Via; v != nil && t.column(v.Column) == from && b.d.table(v.Table).column(v.To) == to {
			return true
		}
	}
	return false
}

// finish checks that the sides may meet, adds the unit, and makes the join.
func (j *joining) finish(f *syntax.Join, where []syntax.Expr) (*rowset, error) {
	b := j.b
	if f.Kind == syntax.CrossJoin {
		if err := j.asked(where); err != nil {
			return nil, err
		}
	}
	if j.l.private() && j.r.private() {
		if !j.refers && !j.l.covered(j.bits) {
			return nil, b.refuse(f.Pos, ruleJoin, b.joinHint(j.l, j.r),
				"rows of different %ss would meet: private tables are joined on the unit or a declared reference alone", b.d.Unit)
		}
		for i, n := range j.l.unit {
			if e := (relation.Equal{Left: n, Right: j.r.unit[i]}); !slices.Contains(j.on, e) {
				j.on = append(j.on, e)
			}
		}
	}
	if err := b.filter(f.Pos, j.r, j.right...); err != nil {
		return nil, err
	}
	rel, err := relation.NewJoin(j.kind, j.l.rel, j.r.rel, j.on...)
	if err != nil {
		return nil, b.wrap(f.Pos, err)
	}
	out := j.both
	out.rel, out.fan = rel, j.l.fan.with(j.r.fan, len(j.on) == 0)
	if err := b.fans(f.Pos, out.fan); err != nil {
		return nil, err
	}
	return out, b.filter(f.Pos, out, j.after...)
}

// asked looks for equalities in WHERE, where a comma join has them. Those with a public table are taken as what the sides meet on, which
// WHERE asks for again: so that not all rows of both are paired first.
func (j *joining) asked(where []syntax.Expr) error {
	sc := &scope{rows: j.both}
	for _, w := range where {
		x, ok := w.(*syntax.Binary)
		if !ok || x.Op != "=" {
			continue
		}
		l, err1 := j.b.expr(sc, x.L)
		r, err2 := j.b.expr(sc, x.R)
		if err1 != nil || err2 != nil {
			continue // of other tables of FROM, or wrong: then WHERE says so
		}
		if j.side(l.expr) == 2 {
			l, r = r, l
		}
		if j.side(l.expr) == 1 && j.side(r.expr) == 2 {
			if l.unit != 0 && r.unit != 0 && (l.unit == r.unit || l.unit == allUnits || r.unit == allUnits) {
				j.bits |= j.l.bits(l) & j.r.bits(r)
			}
			j.refers = j.refers || j.b.reference(l.origin, r.origin) || j.b.reference(r.origin, l.origin)
			if (!j.l.private() || !j.r.private()) && l.unit != allUnits && r.unit != allUnits {
				if err := j.equal(x.At(), l, r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// joinHint writes the condition that was missed, in the asker's names where the unit has any.
func (b *binder) joinHint(l, r *rowset) string {
	a, c := b.unitName(l), b.unitName(r)
	if a == "" || c == "" {
		return "join on the columns that name the " + b.d.Unit
	}
	return fmt.Sprintf("add %s = %s to ON", a, c)
}

func (b *binder) unitName(r *rowset) string {
	for _, s := range r.sources {
		for _, c := range s.cols {
			if c.unit == 1 {
				if s.alias == "" {
					return c.name
				}
				return s.alias + "." + c.name
			}
		}
	}
	return ""
}
