package facade

import (
	"context"
	"errors"
)

// Kind is what the values of a column are to callers.
type Kind uint8

// The kinds. Every value travels as text until it is written as JSON.
const (
	Text    Kind = iota // whatever has a text form
	Integer             // whole numbers of 64 bits
	Number              // decimal numbers, exact where the source has them so
	Truth               // true or false
	Date                // 2026-01-31
	Moment              // 2026-01-31T12:00:00Z
)

// Op is a comparison of a filter.
type Op uint8

// The comparisons. IsNull has one value, "true" or "false".
const (
	Equal Op = iota
	OneOf
	Less
	AtMost
	Greater
	AtLeast
	IsNull
)

var opNames = [...]string{"eq", "in", "lt", "le", "gt", "ge", "null"}

// Column is a column of a source.
type Column struct {
	Name string // in the source
	Kind Kind
}

// Condition holds for a row if its column compares so with the values.
type Condition struct {
	Column Column
	Op     Op
	Values []string
}

// Order is one step of the order of rows; rows without a value come last.
type Order struct {
	Column     Column
	Descending bool
	Given      bool // every row has a value
	Scattered  bool // by a keyed hash of Query.Scatter in place of the column
}

// Query is one reading of a table. Names come from configuration and contract, values alone from a caller.
type Query struct {
	Table   string
	Columns []Column
	Where   []Condition
	Order   []Order
	Scatter []Column // the key, where its own order must not show
	Secret  string   // of the hash
	After   []Cell   // the place in the order from which the page goes on; nil: from the beginning
	Limit   int      // rows
	Bytes   int      // of all values together
}

// Cell is one value.
type Cell struct {
	Text string
	raw  string // as the source compares it, for going on from here
	Null bool
	Odd  bool // the source holds something that is not of the column's kind, which is not shown
}

// Row is one row with its place in the order.
type Row struct {
	Cells []Cell
	At    []Cell
}

// Source is where tables lie. It is safe for concurrent use.
//
// Select returns at most Limit rows, and fewer where they are too large together. Its error holds neither a value nor
// the words of the source; it wraps [ErrSource].
type Source interface {
	Select(ctx context.Context, q *Query) (rows []Row, more bool, err error)
	Close() error
}

// ErrSource is wrapped by the errors of sources.
var ErrSource = errors.New("the source did not answer")

// ErrChanged says that a table or column is not there any more as the contract has it.
var ErrChanged = errors.New("a table or column of the source is not as the contract says")
