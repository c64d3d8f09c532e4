package relation

// Rel is a relation: rows of named, typed columns in no order.
type Rel interface {
	Columns() []Column
}

// Column is one column of a relation. Names are unique in it, and chosen by whoever builds the tree: lower-case letters, digits
// and underscores, never the words of the question.
type Column struct {
	Name string
	Type Type
}

// Scan reads columns of a table of the source. It is the only leaf.
type Scan struct {
	Table  string // as the source knows it: "stays", "clinic.stays"; a file engine maps it to files
	Fields []Field
}

// Field is one column as it is read. What the source holds is converted to Type: what cannot be, NaN among it, is NULL; a number
// is rounded down to the type's places and clamped to its bounds; infinities are clamped too. Text is a number if it is decimal, with
// or without sign, fraction and exponent; Truth is read of true and false, t and f, 1 and 0; Date and Time of ISO 8601, UTC where no zone is
// named, and a time is a date by its day in UTC. Bytes that are no UTF-8 are NULL.
type Field struct {
	Source string // its name in the table
	As     string // its name in the relation
	Type   Type
	// Exact is for columns that name units or refer to rows: a number that the type cannot hold as it is, and a date or time
	// beyond the bounds, is NULL. Clamping would make one unit of several, and one unit would then move an answer by more than its bounds.
	Exact bool
}

// Filter keeps the rows for which Where is true.
type Filter struct {
	In    Rel
	Where Expr
}

// Project computes each row anew.
type Project struct {
	In   Rel
	Cols []Named
}

// Named is one computed column.
type Named struct {
	Name string
	Expr Expr
}

// JoinKind says what becomes of rows of the left side that have no partner.
type JoinKind uint8

// The kinds.
const (
	Inner JoinKind = iota
	Left           // they stay, with NULLs
)

// Join pairs rows that agree in every pair of columns; NULLs agree with nothing. The sides have no column name in common.
type Join struct {
	Kind        JoinKind
	Left, Right Rel
	On          []Equal // none: every pair, which is for small public tables alone
}

// Equal is a pair of columns of one kind.
type Equal struct{ Left, Right string }

// Union is the rows of all arms (UNION ALL), whose columns agree in name and kind; the bounds of the result are the hull.
type Union struct{ Arms []Rel }

// Fold has one row for each combination of keys, with exact aggregates of the rows that share it. The unit is always among the keys,
// so that it stays within one unit and reveals nothing.
type Fold struct {
	In   Rel
	Keys []string
	Aggs []Agg
}

// Agg is one exact aggregate over the rows of a fold. NULLs are passed over; without any value it is NULL, a count 0.
type Agg struct {
	Name string
	Op   AggOp
	Col  string // "": of CountRows alone
	Type Type   // what it is clamped to; sums are taken in as many bits as they need, and clamped then
}

// AggOp is what a fold computes.
type AggOp uint8

// The aggregates of a fold.
const (
	CountRows AggOp = iota
	CountOf
	SumOf
	MinOf
	MaxOf
	AvgOf // the sum divided by the count, rounded towards zero at the type's places
)

// Bounded is what an engine computes: for each group, sums to which no unit adds more than their bounds.
//
// Of the groups that a unit has rows in, the Groups ones with the least keyed hash of (unit, group) count, and no others; 0: there are
// no keys, or every group counts (which only the rest of the plan may decide is sound). The choice is a function of the unit's own
// rows. Engines may differ in the hash.
type Bounded struct {
	In     Rel
	Unit   []string // columns that name the unit together; rows where one is NULL belong to nobody and are left out
	Keys   []string // of the groups; none: all rows are one group, which exists even without rows
	Rows   int64    // m ≥ 1: how many rows of a unit count in one group; what more of them do is told at [SumOp] and [Bins]
	Groups int64
	Sums   []Sum
	Bins   []Bins
}

// Sum is one bounded sum. The partial of a unit in a group is clamped to [Low, High], and the sum of the partials over all units saturates at
// ±2^62−1.
type Sum struct {
	Op        SumOp
	Col       string // a number, or for Count anything; "" for Units, and for Count: rows
	Low, High int64
}

// SumOp is a unit's partial in a group. Let v be its values of the column that are no NULL, and n their number.
type SumOp uint8

// The partials.
const (
	Units SumOp = iota // 1
	Count              // min(n, Rows)
	Total              // Σv
	Share              // Σv if n ≤ Rows, else trunc(Σv · Rows / n): the unit's mean, with the weight of Rows rows
)

// Bins counts values of a column in Count cells of equal Width from Low on, in the column's own unit; values beyond the ends are
// counted in the first and last. Of a unit's values in a group that are no NULL the Rows ones with the least keyed hash of (unit, group,
// cell, number among those in the cell) count: a function of the unit's own rows again.
type Bins struct {
	Col   string
	Low   int64
	Width int64
	Count int
}

// Value is one value of a key.
type Value struct {
	Kind Kind
	Null bool
	Int  int64  // of Number: in the type's places; of Truth: 0 or 1; of Date and Time
	Text string // of Text
}

// Group is one row of a result.
type Group struct {
	Keys  []Value
	Units int64           // distinct units that count in it
	Sums  []int64         // as Bounded.Sums
	Bins  []map[int]int64 // as Bounded.Bins: cells that have any
}
