// Package plan is a written plan for a whole table: what becomes of each column, which privacy models the result meets, how
// much may be lost for it, and how risky what remains may be. It is read strictly, compiled against the columns of a source,
// and carried out in one pass where values change by themselves, in two where a privacy model looks at the table as a whole.
//
// What a plan does not name is left out. Where a source does not fit the plan, a hierarchy does not cover a value, a model
// cannot be met or the measured risk is too high, nothing is published. Errors name files, lines, rows and columns, never
// what is in a cell. The format is described in docs/spec/anonymization-plans.md.
package plan

import (
	"github.com/scrimhq/scrim/flow"
)

// Plan is what is written. [Parse] reads one and finds every mistake that can be found without a source.
type Plan struct {
	Name        string         // the file's, as mistakes name it
	Taxonomy    *flow.Taxonomy // the labels there are; set before Compile, nil: flow.DefaultTaxonomy
	Columns     []Column
	Privacy     []Model
	Suppression Share      // of rows that may be suppressed
	Recoding    string     // "global" (one level a column for all rows) or "local" (Mondrian)
	Metric      string     // what the search makes least: "loss", "entropy", "discernibility", "class-size"
	Uncovered   string     // a value that a hierarchy does not cover: "error", or "suppress" its row
	Suppressed  string     // suppressed rows: "left-out", or "stars", which shows where they stood
	Subject     string     // the column that says whom a row is about, where somebody may have several rows; "": every row is somebody else
	Population  Population // whom the table is a sample of
	Risk        Risk       // measured above this, the result is not published
	Stream      Stream     // for records that come one by one

	places map[string]place
}

// Column is what becomes of one column.
type Column struct {
	Name      string
	Role      string     // "quasi": recoded by the models; "sensitive": protected by them; "": neither
	Technique string     // as [deidentify.Says] names it; of a quasi-identifier "", of a sensitive column "" is "keep"
	Label     flow.Label // the class of the values
	Subject   string     // of a technique that needs it: the column that says whom a row is about; "": the plan's

	// Of a quasi-identifier: what generalises it, at most one of them. None: the value or "*".
	Hierarchy string    // a CSV file without header: the value and what it becomes, level by level
	Intervals []Decimal // widths, each a multiple of the one before
	Prefix    []int     // characters of a code: how many it has, then how many stay
	Dates     []string  // steps: day, month, quarter, year, decade

	Origin      Decimal // of intervals: where one begins
	Bottom, Top Decimal // of intervals, and of top-bottom: where values end
	Least, Most int     // levels allowed; Most 0: up to the last
	Weight      Decimal // of the column's loss beside that of others; "": 1

	// Of techniques.
	Keep     int       // mask, prefix: characters that stay
	Value    *Scalar   // constant
	Locale   string    // realistic
	Days     int       // shift-date: at most so many, either way
	Width    Decimal   // bucket
	Edges    []Decimal // bucket
	Names    []string  // bucket: of the ranges between edges; top-bottom: of what lies below, and of what lies above
	Lower    bool      // bucket: show the lower edge, so that numbers stay numbers
	To       string    // round: a number; shorten-date: a step
	Steps    int       // generalize: how far up the hierarchy
	Bits     int       // network
	Alphabet string    // format-preserving
	Luhn     bool      // format-preserving: the last digit is a check digit
	Scale    int       // noise
	Shape    string    // noise: "laplace" or "gaussian"
	Unit     Decimal   // noise: the grid that results lie on
	Floor    Decimal   // noise: nothing comes out below
	Ceiling  Decimal   // noise: nor above
	Salt     string    // salted-hash
	Public   bool      // salted-hash: it is understood that whoever knows the salt can try every value
	Bytes    int       // one-way: of the code
}

// Model is one privacy model. The fields beside Model are its parameters; see package anonymity.
type Model struct {
	Model       string // "k-anonymity", "k-map", "l-diversity", "t-closeness", "delta-presence"
	K           int
	Column      string  // the sensitive column that is protected
	Kind        string  // of l-diversity: "distinct", "entropy", "recursive"
	L           Decimal // whole but for entropy
	C           Decimal // of recursive (c,l)-diversity
	T           Decimal
	Distance    string  // of t-closeness: "equal", "ordered", "hierarchical"
	Hierarchy   string  // of hierarchical distance
	Least, Most Decimal // of delta-presence
}

// Population is whom the table's rows are a sample of.
type Population struct {
	Size int64  // how many; 0: not known
	File string // a table with the same quasi-identifiers, a row a member; "": none
}

// Risk is how much risk may remain, as shares from 0 to 1. An empty field sets no limit.
type Risk struct {
	Threshold  Share // a row is at risk if the chance to identify it is above
	AtRisk     Share // share of rows at risk
	Highest    Share // the greatest chance of any row
	Average    Share // the mean chance: the marketer's
	Unique     Share // share of rows thought to be unique in the population
	Journalist Share // the greatest chance of any row against the population
}

// Stream says how records that come one by one are treated; see package stream. A plan has this or Privacy, not both.
type Stream struct {
	Model string // "z-anonymity" or "castle"; "": the plan is for tables

	Z        int    // z-anonymity: subjects that showed the same
	Window   string // z-anonymity: how long a showing counts
	Capacity int    // z-anonymity: combinations held at most; 0: the stream's default

	K        int    // castle: subjects of a class
	L        int    // castle: distinct values of Column in a class; 0: not asked for
	Column   string // castle: the sensitive column that l counts
	Delay    int    // castle: records held at most
	Within   string // castle: and so long at most; "": no limit of time
	Clusters int    // castle: β; 0: the stream's default
	Recent   int    // castle: µ; 0: the stream's default
	Reuse    int    // castle: generalisations kept for records that come too late; 0: none
}

// Decimal is a number as the plan writes it.
type Decimal string

// Share is a part of a whole from 0 to 1, exactly as written: "5%" or "0.05". Empty is none given.
type Share string

// Scalar is a text, number or truth of the plan.
type Scalar struct {
	Kind byte // 't', 'n' or 'b'
	Text string
}

// place is where something stands in a file. The zero place is the file as a whole.
type place struct{ line, column int }
