package anonymity

import (
	"io"
)

// Coding turns the text of one column into codes, and says what each level of its hierarchy writes.
//
// One kind is fixed when it is made ([ListedCoding]); the others learn a column's values as they come, until [Coding.Fix].
// Code and Missing are safe for concurrent use.
type Coding struct{}

// ListedCoding returns the coding of a table of text: a row is a value followed by what it becomes, level by level. All rows are
// equally long. Errors wrap [ErrHierarchy] and name the row.
func ListedCoding(rows [][]string) (*Coding, error) { return nil, ErrHierarchy }

// ReadListed reads the rows of [ListedCoding] from CSV, separated by comma or semicolon, without header.
func ReadListed(r io.Reader) (*Coding, error) { return nil, ErrHierarchy }

// PlainCoding learns any values and has two levels: the value itself and "*".
func PlainCoding() *Coding { return nil }

// Numbers says how numbers are put into intervals.
type Numbers struct {
	Widths   []string // of the intervals, level by level, decimal; each a multiple of the one before
	Origin   string   // where an interval begins; "": 0
	Bottom   string   // values below are one interval, at every level but the values' own; "": none
	Top      string   // values from here on are one interval; "": none
	Integers bool     // only integers are covered, and intervals are written [20-29]; otherwise [20,30)
}

// NumberCoding learns numbers. Its levels are the value, the intervals of each width, and "*".
func NumberCoding(n Numbers) (*Coding, error) { return nil, ErrHierarchy }

// Masks says how much of a code is hidden.
type Masks struct {
	Hidden []int // characters hidden at each level, ascending
	Left   bool  // hide from the left; otherwise from the right
	Digits bool  // only texts of ASCII digits are covered
	Length int   // only texts of so many characters are covered; 0: any
}

// MaskCoding learns texts of which levels hide ever more: 12345, 1234*, 123**, and "*". How long a text is remains visible
// below the last level.
func MaskCoding(m Masks) (*Coding, error) { return nil, ErrHierarchy }

// Step is how short a date becomes.
type Step uint8

// The steps of dates.
const (
	Day Step = iota + 1
	Month
	Quarter
	Year
	Decade
)

// DateCoding learns dates (2006-01-02, 2006-01 or 2006; of a time as RFC 3339 writes it, the date it is written with). Its levels
// are the value, the steps in ascending order, and "*".
func DateCoding(steps ...Step) (*Coding, error) { return nil, ErrHierarchy }

// Levels returns the number of levels, known before anything is learnt.
func (c *Coding) Levels() int { return 0 }

// Code returns the code of a value, and learns it if the coding does so. It returns [ErrUncovered] for a value that has no place;
// after Fix also for one that was not learnt. The error does not hold the value.
func (c *Coding) Code(text []byte) (uint32, error) { return 0, ErrUncovered }

// Missing returns the code of a null. A null stays a null at every level but the last. A listed coding covers it if it lists the
// empty text.
func (c *Coding) Missing() (uint32, error) { return 0, ErrUncovered }

// Fix ends learning: values get their final codes, in the order of numbers, dates, or bytes, whatever order they came in. From then
// on Code returns final codes, and [Coding.Attribute] says how those given before are to be read.
func (c *Coding) Fix() error { return ErrHierarchy }

// Attribute returns the quasi-identifier of a fixed coding.
func (c *Coding) Attribute(name string) Attribute { return Attribute{Name: name} }

// Sensitive returns the sensitive attribute of a fixed coding.
func (c *Coding) Sensitive(name string) Sensitive { return Sensitive{Name: name} }

// Append appends the text of a cell of a fixed coding. It reports false, and appends nothing, if the cell is a null.
func (c *Coding) Append(dst []byte, cell Cell) ([]byte, bool) { return dst, false }
