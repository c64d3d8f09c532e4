package relation

// Expr is an expression over the columns of one row. Its constructors check kinds and bounds; one that was put together otherwise is
// refused by [Check]. SQL's logic of three values holds.
type Expr interface {
	Type() Type
}

// The expressions. Fields are exported for those who write them out; make them with the constructors.
type (
	// Ref is a column.
	Ref struct {
		Name string
		As   Type
	}
	// Const is a constant, NULL among them.
	Const struct {
		Value Value
		As    Type
	}
	// Arith is l op r in whole numbers: both have the same places for + and −, and those of * add up.
	Arith struct {
		Op   ArithOp
		L, R Expr
		As   Type
	}
	// Scale changes the places of a number: towards more exactly, towards fewer rounding to the nearest, halves away from zero.
	Scale struct {
		X  Expr
		As Type
	}
	// Clamp brings a number, date or time within the bounds of its type.
	Clamp struct {
		X  Expr
		As Type
	}
	// Compare is l op r of one kind; numbers have the same places. Of Text and Truth only Eq and Ne are made.
	Compare struct {
		Op   CompareOp
		L, R Expr
	}
	// Logic is AND or OR of at least two.
	Logic struct {
		Or bool
		Of []Expr
	}
	// Not negates.
	Not struct{ X Expr }
	// IsNull is true or false, never NULL.
	IsNull struct{ X Expr }
	// In is whether X equals one of the constants, none of which is NULL.
	In struct {
		X  Expr
		Of []Value
	}
	// Like matches Text against a pattern.
	Like struct {
		X       Expr
		Pattern []LikePart
	}
	// Case is the first Then whose When is true, else Else. All have one type; its bounds are the hull.
	Case struct {
		Whens []When
		Else  Expr
		As    Type
	}
	// Part is a part of a date or time, in UTC, as a number without places.
	Part struct {
		Of DatePart
		X  Expr
	}
	// Trunc is the beginning of the part that a date or time lies in; weeks begin on Monday.
	Trunc struct {
		To DatePart
		X  Expr
	}
	// Shift moves a date by days, or a time by microseconds, which is a number without places. What leaves the type's bounds is clamped.
	Shift struct {
		X, By Expr
		As    Type
	}
	// Between is how many days lie between two dates (l − r), or microseconds between two times.
	Between struct {
		L, R Expr
		As   Type
	}
	// AsDate is the day of a time in UTC; AsTime is the beginning of a day.
	AsDate struct{ X Expr }
	AsTime struct{ X Expr }
	// Letters is a function from text to text, or to its length in characters.
	Letters struct {
		Op LettersOp
		X  Expr
	}
)

// When is one branch of a [Case].
type When struct{ If, Then Expr }

// LikePart is a piece of a pattern: text as it is, any one character, or any number of them.
type LikePart struct {
	Text      string
	One, Many bool
}

// ArithOp is an operator of whole numbers.
type ArithOp uint8

// The operators. Div and Mod round towards zero and are NULL where r is zero; Div takes both with any places, and As says those of the
// result. Mod, Least and Greatest take the same places; Least and Greatest are NULL where either side is.
const (
	Add ArithOp = iota
	Sub
	Mul
	Div
	Mod
	Least
	Greatest
)

// CompareOp is a comparison.
type CompareOp uint8

// The comparisons.
const (
	Eq CompareOp = iota
	Ne
	Lt
	Le
	Gt
	Ge
)

// DatePart is a part of a date or time.
type DatePart uint8

// The parts. DayOfWeek is 1 (Monday) to 7.
const (
	Year DatePart = iota
	Quarter
	Month
	Week // for Trunc alone
	Day
	DayOfWeek // for Part alone
	Hour
	Minute
)

// LettersOp is a function of text.
type LettersOp uint8

// The functions: ASCII letters alone change their case, so that all engines agree.
const (
	Lower LettersOp = iota
	Upper
	Length
)
