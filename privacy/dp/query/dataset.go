package query

import (
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/flow"
)

// Dataset is what its owner declares about a dataset: public, and independent of the data.
type Dataset struct {
	Name   string
	Unit   string        // what the privacy unit is called, such as patient
	Window time.Duration // of units that are bounded in time: a unit's row belongs to (unit, window)
	Origin time.Time     // where windows begin, as the budget's blocks do; zero: 1970-01-01
	Formal bool          // rows leave through the ledger alone; without it answers say "no formal claim"
	Tables []Table
	Limits Limits
}

// Limits are what questions get if they say nothing, and the most that they may ask for.
type Limits struct {
	Rows, MostRows     int64 // rows of a unit that count in one group; 0: one, and no more than questions get
	Groups, MostGroups int64 // groups that a unit counts in; likewise
	MostCells          int   // groups of public domains in one answer; 0: 10,000
}

// Table is one table of a dataset.
type Table struct {
	Name   string // in questions
	Source string // as the engine knows it
	Public bool   // it holds nothing about any unit
	// Unit names the columns that say whose a row is. With Via they are those of the table that the row refers to.
	Unit    []string
	Via     *Reference
	Time    string // the column that says when a row was; "": rows have no time
	Columns []Column
}

// Reference is a declared foreign key: Column of the table holds what To holds in another.
type Reference struct {
	Column    string
	Table, To string
}

// Column is one column of a table.
type Column struct {
	Name, Source string
	Type         relation.Type
	Bounded      bool             // the type's bounds were declared; numbers without are good for comparing alone, not for sums
	Values       []relation.Value // its public domain; nil: it has none
	Label        flow.Label
	NoKey        bool // it may not be a group of an answer: it names somebody
}
