package relation

import (
	"fmt"
	"slices"
)

// Limits of a tree, far above what questions need.
const (
	maxDepth = 400
	maxNodes = 200_000
	maxCells = 1 << 20 // bins of one column
)

// Check refuses a tree that the constructors would not have made, and bounds that are none. It looks at declared types alone, never
// at data. Engines call it before they run anything.
//
// It also holds what it can see of the invariant: what the unit's columns are computed of is among the keys of every fold below, and is
// read exactly (see [Field]).
func Check(q *Bounded) error {
	c := &checker{}
	if q == nil || q.In == nil {
		return fmt.Errorf("nothing to bound: %w", ErrShape)
	}
	if err := c.rel(q.In); err != nil {
		return err
	}
	cols := q.In.Columns()
	if len(q.Unit) == 0 {
		return fmt.Errorf("no unit: %w", ErrShape)
	}
	for _, names := range [][]string{q.Unit, q.Keys} {
		if err := distinct(cols, names); err != nil {
			return err
		}
	}
	if q.Rows < 1 || q.Rows > MaxSum || q.Groups < 0 {
		return fmt.Errorf("bounds of a unit's rows and groups: %w", ErrShape)
	}
	for _, s := range q.Sums {
		if err := s.check(cols); err != nil {
			return err
		}
	}
	for _, b := range q.Bins {
		if err := b.check(cols); err != nil {
			return err
		}
	}
	return c.unit(q.In, q.Unit)
}

func (s Sum) check(cols []Column) error {
	if s.Low > s.High || s.Low < -MaxSum || s.High > MaxSum {
		return fmt.Errorf("bounds of a sum: %w", ErrOverflow)
	}
	if s.Op > Share {
		return fmt.Errorf("a sum of that kind: %w", ErrShape)
	}
	if s.Op == Units && s.Col != "" {
		return fmt.Errorf("units of a column: %w", ErrShape)
	}
	if s.Op == Units || s.Op == Count && s.Col == "" {
		return nil
	}
	i := find(cols, s.Col)
	if i < 0 {
		return fmt.Errorf("column %q of a sum: %w", s.Col, ErrShape)
	}
	if s.Op != Count && cols[i].Type.Kind != Number {
		return fmt.Errorf("a sum of %v: %w", cols[i].Type.Kind, ErrKind)
	}
	return nil
}

func (b Bins) check(cols []Column) error {
	i := find(cols, b.Col)
	if i < 0 {
		return fmt.Errorf("column %q of bins: %w", b.Col, ErrShape)
	}
	if !cols[i].Type.Kind.ordered() {
		return fmt.Errorf("bins of %v: %w", cols[i].Type.Kind, ErrKind)
	}
	if b.Width < 1 || b.Count < 1 || b.Count > maxCells {
		return fmt.Errorf("width and number of bins: %w", ErrShape)
	}
	span, ok := mul(b.Width, int64(b.Count))
	if ok {
		_, ok = add(b.Low, span)
	}
	if !ok || b.Low < MinNumber {
		return fmt.Errorf("bins: %w", ErrOverflow)
	}
	return nil
}

// checker walks a tree. A shallow one stops at the relations below the first.
type checker struct {
	shallow bool
	depth   int
	nodes   int
}

func (c *checker) enter() error {
	c.depth++
	c.nodes++
	if c.depth > maxDepth || c.nodes > maxNodes {
		return fmt.Errorf("a tree that large: %w", ErrShape)
	}
	return nil
}

func (c *checker) leave() { c.depth-- }

func (c *checker) rel(r Rel) error {
	if c.shallow && c.nodes > 0 {
		if r == nil {
			return fmt.Errorf("no relation: %w", ErrShape)
		}
		return nil
	}
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	if missing(r) {
		return fmt.Errorf("no relation: %w", ErrShape)
	}
	if err := c.node(r); err != nil {
		return err
	}
	return names(r.Columns())
}

func (c *checker) node(r Rel) error {
	switch r := r.(type) {
	case *Scan:
		return r.check()
	case *Filter:
		if err := c.rel(r.In); err != nil {
			return err
		}
		if err := c.expr(r.Where, r.In.Columns()); err != nil {
			return err
		}
		return truth(r.Where)
	case *Project:
		if err := c.rel(r.In); err != nil {
			return err
		}
		cols := r.In.Columns()
		for _, n := range r.Cols {
			if err := c.expr(n.Expr, cols); err != nil {
				return err
			}
		}
		return nil
	case *Join:
		if err := c.rel(r.Left); err != nil {
			return err
		}
		if err := c.rel(r.Right); err != nil {
			return err
		}
		return r.check()
	case *Union:
		for _, a := range r.Arms {
			if err := c.rel(a); err != nil {
				return err
			}
		}
		return r.check()
	case *Fold:
		if err := c.rel(r.In); err != nil {
			return err
		}
		return r.check()
	}
	return fmt.Errorf("no relation: %w", ErrShape)
}

// names refuses columns whose names are not names, or not unique, or whose type is none.
func names(cols []Column) error {
	if len(cols) == 0 {
		return fmt.Errorf("a relation without columns: %w", ErrShape)
	}
	seen := make(map[string]bool, len(cols))
	for _, c := range cols {
		if !ValidName(c.Name) || seen[c.Name] {
			return fmt.Errorf("column name %q: %w", c.Name, ErrShape)
		}
		seen[c.Name] = true
		if err := c.Type.Check(); err != nil {
			return fmt.Errorf("column %q: %w", c.Name, err)
		}
	}
	return nil
}

// ValidName is whether s may name a column of a relation: a lower-case letter or underscore, then those and digits, 63 bytes at most.
func ValidName(s string) bool {
	for i := range len(s) {
		b := s[i]
		if (b < 'a' || b > 'z') && b != '_' && (b < '0' || b > '9' || i == 0) {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

func (s *Scan) check() error {
	if s.Table == "" {
		return fmt.Errorf("a table without a name: %w", ErrShape)
	}
	for _, f := range s.Fields {
		if f.Source == "" {
			return fmt.Errorf("column %q of no column of the table: %w", f.As, ErrShape)
		}
	}
	return nil
}

func (j *Join) check() error {
	if j.Kind > Left {
		return fmt.Errorf("a join of that kind: %w", ErrShape)
	}
	l, r := j.Left.Columns(), j.Right.Columns()
	for _, e := range j.On {
		a, b := find(l, e.Left), find(r, e.Right)
		if a < 0 || b < 0 {
			return fmt.Errorf("columns %q and %q of a join: %w", e.Left, e.Right, ErrShape)
		}
		if !l[a].Type.like(r[b].Type) {
			return fmt.Errorf("a join of %v with %v: %w", l[a].Type.Kind, r[b].Type.Kind, ErrKind)
		}
	}
	return nil
}

func (u *Union) check() error {
	if len(u.Arms) == 0 {
		return fmt.Errorf("a union of nothing: %w", ErrShape)
	}
	first := u.Arms[0].Columns()
	for _, a := range u.Arms[1:] {
		cols := a.Columns()
		if len(cols) != len(first) {
			return fmt.Errorf("arms with different columns: %w", ErrShape)
		}
		for _, c := range cols {
			i := find(first, c.Name)
			if i < 0 {
				return fmt.Errorf("arms with different columns: %w", ErrShape)
			}
			if !first[i].Type.like(c.Type) {
				return fmt.Errorf("column %q of arms: %w", c.Name, ErrKind)
			}
		}
	}
	return nil
}

func (f *Fold) check() error {
	cols := f.In.Columns()
	if len(f.Keys) == 0 {
		return fmt.Errorf("a fold without keys: %w", ErrShape)
	}
	if err := distinct(cols, f.Keys); err != nil {
		return err
	}
	for _, a := range f.Aggs {
		if err := a.check(cols); err != nil {
			return err
		}
	}
	return nil
}

func (a Agg) check(cols []Column) error {
	var t Type
	if a.Op != CountRows {
		i := find(cols, a.Col)
		if i < 0 {
			return fmt.Errorf("column %q of an aggregate: %w", a.Col, ErrShape)
		}
		t = cols[i].Type
	} else if a.Col != "" {
		return fmt.Errorf("rows of a column: %w", ErrShape)
	}
	ok := false
	switch a.Op {
	case CountRows, CountOf:
		// Without rows there is no group, but without values there is: 0 must be in.
		ok = a.Type.like(NumberType(0, 0, 0)) && a.Type.Min <= 0 && a.Type.Max >= 0
	case SumOf:
		ok = t.Kind == Number && a.Type.like(t)
	case MinOf, MaxOf:
		ok = t.Kind.ordered() && a.Type.like(t)
	case AvgOf:
		ok = t.Kind == Number && a.Type.Kind == Number && a.Type.Places >= t.Places
	}
	if !ok {
		return fmt.Errorf("aggregate %q over %v: %w", a.Name, t.Kind, ErrKind)
	}
	return nil
}

// distinct refuses names that are no columns or stand there twice.
func distinct(cols []Column, names []string) error {
	for i, n := range names {
		if find(cols, n) < 0 || slices.Contains(names[:i], n) {
			return fmt.Errorf("column %q: %w", n, ErrShape)
		}
	}
	return nil
}

// unit follows the columns that name the unit down to where they are read.
func (c *checker) unit(r Rel, names []string) error {
	switch r := r.(type) {
	case *Scan:
		for _, f := range r.Fields {
			if slices.Contains(names, f.As) && f.Type.Kind.ordered() && !f.Exact {
				return fmt.Errorf("column %q names units and is not read exactly: %w", f.As, ErrShape)
			}
		}
	case *Filter:
		return c.unit(r.In, names)
	case *Project:
		var below []string
		for _, n := range r.Cols {
			if slices.Contains(names, n.Name) {
				below = refs(n.Expr, below)
			}
		}
		return c.unit(r.In, below)
	case *Join:
		if err := c.unit(r.Left, own(r.Left, names)); err != nil {
			return err
		}
		return c.unit(r.Right, own(r.Right, names))
	case *Union:
		for _, a := range r.Arms {
			if err := c.unit(a, names); err != nil {
				return err
			}
		}
	case *Fold:
		for _, n := range names {
			if !slices.Contains(r.Keys, n) {
				return fmt.Errorf("a fold without the unit %q among its keys: %w", n, ErrShape)
			}
		}
		return c.unit(r.In, names)
	}
	return nil
}

// own are those of the names that are columns of r.
func own(r Rel, names []string) []string {
	var out []string
	for _, c := range r.Columns() {
		if slices.Contains(names, c.Name) {
			out = append(out, c.Name)
		}
	}
	return out
}
