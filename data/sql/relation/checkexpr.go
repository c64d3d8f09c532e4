package relation

import (
	"fmt"
	"reflect"
)

// children are the expressions that e is made of, in order; nil is none.
func children(e Expr) []Expr {
	switch e := e.(type) {
	case *Arith:
		return []Expr{e.L, e.R}
	case *Scale:
		return []Expr{e.X}
	case *Clamp:
		return []Expr{e.X}
	case *Compare:
		return []Expr{e.L, e.R}
	case *Logic:
		return e.Of
	case *Not:
		return []Expr{e.X}
	case *IsNull:
		return []Expr{e.X}
	case *In:
		return []Expr{e.X}
	case *Like:
		return []Expr{e.X}
	case *Case:
		out := make([]Expr, 0, 2*len(e.Whens)+1)
		for _, w := range e.Whens {
			out = append(out, w.If, w.Then)
		}
		return append(out, e.Else)
	case *Part:
		return []Expr{e.X}
	case *Trunc:
		return []Expr{e.X}
	case *Shift:
		return []Expr{e.X, e.By}
	case *Between:
		return []Expr{e.L, e.R}
	case *AsDate:
		return []Expr{e.X}
	case *AsTime:
		return []Expr{e.X}
	case *Letters:
		return []Expr{e.X}
	}
	return nil
}

// refs adds the names of the columns that e reads.
func refs(e Expr, to []string) []string {
	if r, ok := e.(*Ref); ok {
		return append(to, r.Name)
	}
	for _, x := range children(e) {
		to = refs(x, to)
	}
	return to
}

// Refs are the names of the columns that an expression reads, each as often as it does.
func Refs(e Expr) []string { return refs(e, nil) }

// missing is whether a node is none, or a pointer to none.
func missing(node any) bool {
	v := reflect.ValueOf(node)
	return v.Kind() != reflect.Pointer || v.IsNil()
}

// expr refuses what the constructors would not have made over these columns.
func (c *checker) expr(e Expr, cols []Column) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	if missing(e) {
		return fmt.Errorf("no expression: %w", ErrShape)
	}
	for _, x := range children(e) {
		if err := c.expr(x, cols); err != nil {
			return err
		}
	}
	if r, ok := e.(*Ref); ok {
		i := find(cols, r.Name)
		if i < 0 || !r.As.covers(cols[i].Type) {
			return fmt.Errorf("column %q: %w", r.Name, ErrShape)
		}
		return r.As.Check()
	}
	made, err := remake(e)
	if err != nil {
		return err
	}
	// A type may be wider than needed; what is above was computed from it.
	if t := e.Type(); !t.covers(made) {
		return fmt.Errorf("the type of an expression: %w", ErrShape)
	}
	return e.Type().Check()
}

// remake is the type that the constructor gives.
func remake(e Expr) (Type, error) {
	var made Expr
	var err error
	switch e := e.(type) {
	case *Const:
		if e.Value.Null {
			if e.Value.Kind != e.As.Kind {
				return Type{}, fmt.Errorf("NULL of another kind: %w", ErrKind)
			}
			return e.As, nil
		}
		made, err = NewConst(e.Value, e.As.Places)
	case *Arith:
		return arithType(e.Op, e.L.Type(), e.R.Type(), e.As.Places)
	case *Scale:
		return scaleType(e.X.Type(), e.As.Places)
	case *Clamp:
		t := e.X.Type()
		if !t.Kind.ordered() || !t.like(e.As) {
			return Type{}, fmt.Errorf("bounds of %v: %w", t.Kind, ErrKind)
		}
		return e.As, nil
	case *Compare:
		made, err = NewCompare(e.Op, e.L, e.R)
	case *Logic:
		if len(e.Of) < 2 {
			return Type{}, fmt.Errorf("logic of less than two: %w", ErrShape)
		}
		made, err = newLogic(e.Or, e.Of)
	case *Not:
		made, err = NewNot(e.X)
	case *IsNull:
		return TruthType, nil
	case *In:
		made, err = NewIn(e.X, e.Of...)
	case *Like:
		return TruthType, e.check()
	case *Case:
		return e.check()
	case *Part:
		made, err = NewPart(e.Of, e.X)
	case *Trunc:
		made, err = NewTrunc(e.To, e.X)
	case *Shift:
		t, err := shiftType(e.X, e.By)
		if err != nil || !t.like(e.As) {
			return Type{}, fmt.Errorf("moving a %v: %w", t.Kind, ErrShape)
		}
		return e.As, nil
	case *Between:
		return betweenType(e.L, e.R)
	case *AsDate:
		made, err = NewAsDate(e.X)
	case *AsTime:
		made, err = NewAsTime(e.X)
	case *Letters:
		made, err = NewLetters(e.Op, e.X)
	default:
		return Type{}, fmt.Errorf("no expression: %w", ErrShape)
	}
	if err != nil {
		return Type{}, err
	}
	return made.Type(), nil
}

func (e *Like) check() error {
	if k := e.X.Type().Kind; k != Text {
		return fmt.Errorf("a pattern for %v: %w", k, ErrKind)
	}
	for _, p := range e.Pattern {
		n := 0
		for _, is := range []bool{p.Text != "", p.One, p.Many} {
			if is {
				n++
			}
		}
		if n != 1 || !textual(p.Text) {
			return fmt.Errorf("a pattern: %w", ErrShape)
		}
	}
	return nil
}

func (e *Case) check() (Type, error) {
	if len(e.Whens) == 0 {
		return Type{}, fmt.Errorf("CASE without a branch: %w", ErrShape)
	}
	branches := []Expr{e.Else}
	for _, w := range e.Whens {
		if err := truth(w.If); err != nil {
			return Type{}, err
		}
		branches = append(branches, w.Then)
	}
	for _, b := range branches {
		if !b.Type().like(e.As) {
			return Type{}, fmt.Errorf("CASE with branches of different types: %w", ErrKind)
		}
	}
	return caseType(branches)
}
