package relation

import "fmt"

// NewScan reads columns of a table.
func NewScan(table string, fields ...Field) (*Scan, error) {
	return checked(&Scan{table, fields})
}

// NewFilter keeps the rows for which where is true.
func NewFilter(in Rel, where Expr) (*Filter, error) { return checked(&Filter{in, where}) }

// NewProject computes each row anew.
func NewProject(in Rel, cols ...Named) (*Project, error) { return checked(&Project{in, cols}) }

// NewJoin pairs rows.
func NewJoin(kind JoinKind, left, right Rel, on ...Equal) (*Join, error) {
	return checked(&Join{kind, left, right, on})
}

// NewUnion is all rows of all arms.
func NewUnion(arms ...Rel) (*Union, error) { return checked(&Union{arms}) }

// NewFold has one row for each combination of keys.
func NewFold(in Rel, keys []string, aggs ...Agg) (*Fold, error) {
	return checked(&Fold{in, keys, aggs})
}

// checked is the node if it is sound by itself; what is below it was checked when it was made.
func checked[R Rel](r R) (R, error) {
	var none R
	if err := (&checker{shallow: true}).rel(r); err != nil {
		return none, err
	}
	return r, nil
}

// FoldType is the narrowest type that an aggregate of a fold can have over a column of type t: counts up to most rows, sums of so many
// values. It is what to give an [Agg] if nothing narrower is known; what would leave 64 bits is clamped to them.
func FoldType(op AggOp, t Type, most int64) (Type, error) {
	if most < 1 {
		return Type{}, fmt.Errorf("an aggregate of no rows: %w", ErrShape)
	}
	switch op {
	case CountRows, CountOf:
		return NumberType(0, 0, most), nil
	case MinOf, MaxOf, AvgOf:
		if op == AvgOf && t.Kind != Number || !t.Kind.ordered() {
			break
		}
		return t, nil
	case SumOf:
		if t.Kind != Number {
			break
		}
		lo, ok := mul(min(t.Min, 0), most)
		if !ok {
			lo = MinNumber
		}
		hi, ok := mul(max(t.Max, 0), most)
		if !ok {
			hi = MaxNumber
		}
		return NumberType(t.Places, lo, hi), nil
	}
	return Type{}, fmt.Errorf("an aggregate of %v: %w", t.Kind, ErrKind)
}

// Scans are the scans of a relation, in no order; a table that is read twice is there twice.
func Scans(r Rel) []*Scan {
	switch r := r.(type) {
	case *Scan:
		return []*Scan{r}
	case *Filter:
		return Scans(r.In)
	case *Project:
		return Scans(r.In)
	case *Join:
		return append(Scans(r.Left), Scans(r.Right)...)
	case *Union:
		var out []*Scan
		for _, a := range r.Arms {
			out = append(out, Scans(a)...)
		}
		return out
	case *Fold:
		return Scans(r.In)
	}
	return nil
}
