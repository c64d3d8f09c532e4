// Package column says what a column of a table holds: from its name, its table's name, its declared type and a sample of its
// values it ranks labels of the taxonomy, each with a confidence and with counts of what spoke for it.
//
// Evidence names kinds of proof and counts values; it never holds a value or a part of one. Each value is looked at up to its
// first [MaxValue] bytes, so that a column takes time linear in its sample whatever is in it.
package column

import (
	"context"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
)

// Bounds of what is looked at. What goes beyond is not an error: it is left out.
const (
	MaxValue  = 1 << 10 // bytes of a value
	MaxValues = 10_000  // values of a column, taken evenly
	MaxName   = 128     // bytes of a column's, table's or type's name
)

// Column is what is known of a column. Only Name is needed; zero numbers mean that nobody counted.
type Column struct {
	Table, Name string
	Type        string   // as declared: "varchar(40)", "int8", "date"; any source's spelling
	Values      []string // a sample as text, without nulls
	Nulls       int64    // among the rows of the sample
	Distinct    int64    // of the whole column, as the source estimates it
	Rows        int64    // of the table
	Key         bool     // part of the primary key
	Unique      bool     // a constraint says so
	References  string   // the "table.column" that a foreign key names
}

// Guess is a label that a column may have.
type Guess struct {
	Label      flow.Label
	Confidence uint8 // in percent: of as many guesses with this confidence about so many are right
	Evidence   []Evidence
	// Unit, if not empty, says that the column names whom a row is about ("person", "household", "device"), so that rows with
	// the same value are of one privacy unit.
	Unit string
}

// Evidence is one kind of proof, and how much of it there is.
type Evidence struct {
	What        string // "name", "form email", "check luhn", "list family names", …
	Matched, Of int    // values that have it, of those that were looked at; 1 of 1 for what is said of the column as a whole
}

// Options of a [Classifier]. The zero value is the default.
type Options struct {
	// Taxonomy holds the labels that may be guessed: one that it does not know gives way to its nearest known parent. Nil: the default one.
	Taxonomy *flow.Taxonomy
	// Engine finds what has a form of its own in values, user's own rules too. Nil: the built-in one without rules.
	Engine *detect.Engine
}

// Classifier guesses labels. It is immutable and safe for concurrent use.
type Classifier struct {
	tax    *flow.Taxonomy
	engine *detect.Engine
}

// New returns a classifier. Its error is that of [detect.New].
func New(opt Options) (*Classifier, error) {
	c := &Classifier{tax: opt.Taxonomy, engine: opt.Engine}
	if c.tax == nil {
		c.tax = flow.DefaultTaxonomy()
	}
	if c.engine == nil {
		var err error
		if c.engine, err = detect.New(detect.Options{Taxonomy: c.tax, FormsOnly: true}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Classify returns what the column may hold, best first. None means that nothing personal was found, which is no claim that there
// is nothing; a guess of [flow.PublicData] is one. When ctx is done it returns what the name alone says.
func (c *Classifier) Classify(ctx context.Context, col Column) []Guess {
	return c.Table(ctx, []Column{col})[0]
}
