// Package anonymity finds the recoding of a table's quasi-identifiers that meets privacy models and loses least.
//
// A table comes as codes, row by row, into a [Builder]; what is kept are distinct combinations and how often each occurs, so that
// memory grows with those and not with rows. A [Coding] turns the text of one column into codes and knows what each level of
// generalisation writes. [Search] finds the best global recoding, one level per attribute and the rows of classes that still fall
// short suppressed; [Mondrian] finds a local one. [Verify] checks either again, from what would be released and by another road.
//
// What each [Model] guarantees and what it does not is told at its type, and in docs/spec/privacy-models.md.
//
// Nothing here reads or prints a cell: errors name attributes, models and numbers of rows.
package anonymity

import "errors"

// Errors that callers act on.
var (
	// ErrNone is returned when no recoding meets the models within the suppression limit.
	ErrNone = errors.New("no generalisation meets the privacy models within the suppression limit")
	// ErrUncovered is returned for a value that a column's coding has no place for.
	ErrUncovered = errors.New("the column's hierarchy does not cover the value")
	// ErrTable is wrapped by errors about tables that do not fit their attributes, each other, or the models.
	ErrTable = errors.New("table does not fit")
	// ErrOptions is wrapped by errors about models and options that make no sense.
	ErrOptions = errors.New("options are not valid")
	// ErrHierarchy is wrapped by errors about hierarchies.
	ErrHierarchy = errors.New("hierarchy is not valid")
	// ErrLattice is wrapped when there are more combinations of levels than can be searched.
	ErrLattice = errors.New("too many combinations of levels")
	// ErrUnmet is wrapped by the errors of [Verify].
	ErrUnmet = errors.New("the recoded table does not meet its models")
)

// Attribute is one quasi-identifier.
type Attribute struct {
	Name      string
	Hierarchy *Hierarchy
	Least     int      // no level below it is tried
	Most      int      // no level above it is tried; 0: up to the hierarchy's last
	Weight    float64  // of its loss beside that of the others; 0: 1
	Ordered   bool     // the codes of level 0 are in the order of the values, and ranges of them make sense: for Mondrian
	From      []uint32 // what the builder was given → the hierarchy's value; nil: the same
}

// Sensitive is one attribute that the models of diversity and closeness protect.
type Sensitive struct {
	Name      string
	Values    int        // its codes are 0 … Values-1; for ordered distance in the order of the values
	Hierarchy *Hierarchy // for [HierarchicalTCloseness], else nil
	From      []uint32   // what the builder was given → the value; nil: the same
}
