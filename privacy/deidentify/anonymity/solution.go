package anonymity

// Solution is a recoding of a table that meets its models. It is immutable and safe for concurrent use.
type Solution struct {
	Levels     []int   // one per attribute; nil for a local recoding
	Score      float64 // by the metric that was asked for
	Suppressed int64   // rows
	Classes    int     // that are released
	Utility    Utility
	Checked    int64 // nodes of the lattice that were looked at
	Nodes      int64 // nodes of the lattice

	table *Table
}

// Utility is what a recoding keeps, by every metric.
type Utility struct {
	Loss              float64   // see [Loss]; 0 best, 1 worst
	LossOf            []float64 // mean loss of a cell, by attribute
	NonUniformEntropy float64   // 0 best, 1 worst
	Discernibility    float64
	AverageClassSize  float64
}

// Cell is what becomes of one attribute of a row: a code of a level of its hierarchy, or a range of values.
type Cell struct {
	Level int    // of the hierarchy
	Code  uint32 // at that level; of a range, the first value
	Last  uint32 // of a range, the last value
	Range bool   // local recoding of an ordered attribute: the values from Code to Last, both of level 0
}

// Class returns the class of combination i of the table, from 0, or false if its rows are suppressed.
func (s *Solution) Class(i int) (class int, ok bool) { return 0, false }

// Size returns how many rows a class has.
func (s *Solution) Size(class int) int { return 0 }

// People returns how many members of the population a class has, where a model has one; otherwise 0.
func (s *Solution) People(class int) int64 { return 0 }

// Recode sets cells to what becomes of the values of one row, one per attribute. It reports false if the row is suppressed, and for
// values that the table does not have.
func (s *Solution) Recode(cells []Cell, values []uint32) (class int, ok bool) { return 0, false }
