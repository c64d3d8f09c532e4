package dialect

import "github.com/scrimhq/scrim/data/sql/relation"

// Dialect is how one engine writes what statements are made of. Arguments and results are expressions in its SQL; operands are whole
// expressions in parentheses, or names. All numbers, dates and times are integers of 64 bits (see [relation.Kind]).
//
// Everything must be total: for any operands whatever, no result is an error of the engine.
type Dialect interface {
	// Name is the dialect's, in small letters.
	Name() string
	// Identifier quotes a name so that nothing in it is syntax, or refuses it.
	Identifier(name string) (string, error)
	// Table quotes a table's name, whose parts are separated by dots.
	Table(name string) (string, error)
	// Number, Text, Truth and Null write constants. Text is UTF-8 without NUL.
	Number(v int64) string
	Text(s string) string
	Truth(v bool) string
	Null(k relation.Kind) string
	// Words is how many words of the seed a hash takes, 1 or 2; 0: it takes the seed itself, of 32 bytes, by one parameter.
	Words() int
	// Parameter is the placeholder of a parameter of a hash, 0 or 1; use counts the placeholders of the statement so far, from 1 on.
	Parameter(n, use int) string
	// ByNumber is whether placeholders name their argument, so that each is sent once.
	ByNumber() bool

	// Read converts a column of a table to the type of the field, as [relation.Field] says.
	Read(column string, native Native, f relation.Field) (string, error)

	// Quo and Rem divide towards zero; r may be zero, and the result NULL then.
	Quo(l, r string) string
	Rem(l, r string) string
	// Clamp brings x within bounds. NULL stays NULL, which x is only if nullable.
	Clamp(x string, low, high int64, nullable bool) string
	// Lesser is the lesser of two, Greater the greater, NULL where either is.
	Lesser(l, r string) string
	Greater(l, r string) string
	// Let is f of an expression that f uses more than once.
	Let(x string, f func(v string) string) string
	// Like matches a pattern by characters, and case counts.
	Like(x string, pattern []relation.LikePart) string
	// Letters changes ASCII letters, or counts characters.
	Letters(op relation.LettersOp, x string) string
	// Part is the Year, Quarter, Month or Day of a day's number; First is the first day of its Year, Quarter or Month.
	Part(of relation.DatePart, day string) string
	First(of relation.DatePart, day string) string

	// Sum is an aggregate: the sum of x, whose magnitude is at most most, clamped. Without values it is what 0 is clamped to.
	Sum(x string, most, low, high int64) string
	// Share is an aggregate: the sum while there are at most rows values, else trunc(sum · rows / number of values), clamped.
	Share(x string, most, rows, low, high int64) string
	// Average is an aggregate: trunc(sum · up / (number of values · down)), clamped; NULL without values. up and down are powers of ten of which one is 1.
	Average(x string, most, up, down, low, high int64) string
	// Least and Most are aggregates: MIN and MAX of a kind.
	Least(k relation.Kind, x string) string
	Most(k relation.Kind, x string) string
	// Hash is a number or text, ordered somehow, that is a keyed hash of a unit and a group, and of a cell and the number of a row in it if there are
	// any; seed are the placeholders.
	Hash(seed []string, unit, group, cell []Hashed) string
	// With is what stands between the name of a subquery and its text. keep: it is used more than once or joined; fence: its expressions are
	// better computed once.
	With(keep, fence bool) (before, after string)
	// Prologue is what a statement begins with, Epilogue what it ends with: for instance limits that a statement can set itself.
	Prologue() string
	Epilogue() string
}

// Hashed is a value that goes into a hash.
type Hashed struct {
	SQL      string
	Kind     relation.Kind
	Nullable bool
}

// Native is what a column is in its table.
type Native uint8

// What a column may be. An engine that knows only that types differ from row to row says Dynamic.
const (
	Dynamic   Native = iota
	Integer          // whole numbers of at most 64 bits
	Decimal          // exact numbers, of which some may be no number or infinite
	Float            // binary floating point
	Text             // text, or what casts to text without fail
	Truth            // boolean
	Date             // days
	Timestamp        // moments without zone, which are read as UTC
	Instant          // moments with zone
)

// Schema says what a column of a table is. An error means that there is no such column, or that it holds no single values.
type Schema func(table, column string) (Native, error)
