// Package syntax reads questions in SQL: the grammar is PostgreSQL's, and what of it may be asked is a whitelist. What comes out is a
// tree of its own; nothing of the text goes further but names and constants.
package syntax

// Pos is a place in the text: bytes from its beginning.
type Pos int

// Query is a SELECT or several joined by UNION ALL, with what surrounds it.
type Query struct {
	Pos     Pos
	With    []CTE
	Select  *Select  // nil: Union
	Union   []*Query // the arms of UNION ALL
	OrderBy []Order
	Limit   *int64
}

// CTE is one WITH element.
type CTE struct {
	Pos     Pos
	Name    string
	Columns []string // renamed; nil: not
	Query   *Query
}

// Select is one SELECT.
type Select struct {
	Pos      Pos
	Distinct bool
	Items    []Item
	From     From // nil: none
	Where    Expr // nil: none
	GroupBy  []Expr
	Having   Expr // nil: none
}

// Item is one column of a SELECT list.
type Item struct {
	Pos  Pos
	Star bool   // * or, with Of, t.*
	Of   string // of a star
	Expr Expr
	As   string // "": none was given
}

// Order is one ORDER BY element.
type Order struct {
	Pos        Pos
	Expr       Expr // a name, a place in the list (Number), or an expression
	Desc       bool
	NullsFirst *bool
}

// From is *Table, *Sub or *Join.
type From interface{ from() }

// Table is a table or CTE.
type Table struct {
	Pos   Pos
	Name  string // schema.name if it was written so; as it was quoted, otherwise in lower case
	Alias string
}

// Sub is a subquery in FROM.
type Sub struct {
	Pos     Pos
	Query   *Query
	Alias   string
	Columns []string
}

// Join is a join. A comma is a Cross.
type Join struct {
	Pos         Pos
	Kind        JoinKind
	Left, Right From
	On          Expr     // nil: none
	Using       []string // nil: none
}

// JoinKind is a kind of join.
type JoinKind uint8

// The kinds.
const (
	InnerJoin JoinKind = iota
	LeftJoin
	RightJoin
	FullJoin
	CrossJoin
)

func (*Table) from() {}
func (*Sub) from()   {}
func (*Join) from()  {}

// Expr is an expression.
type Expr interface{ At() Pos }

// Node carries the place of an expression.
type Node struct{ Pos Pos }

// At implements [Expr].
func (n Node) At() Pos { return n.Pos }

// The expressions.
type (
	// Column is a name, with the table it is said to be of.
	Column struct {
		Node
		Table, Name string
	}
	// Number is a decimal literal with its sign folded in, written plainly: -?digits(.digits)?, at most 60 digits.
	Number struct {
		Node
		Text string
	}
	// Text is a string literal.
	Text struct {
		Node
		Value string
	}
	// Truth is TRUE or FALSE.
	Truth struct {
		Node
		Value bool
	}
	// Null is NULL.
	Null struct{ Node }
	// Interval is INTERVAL '…', as months, days and microseconds, each within 10,000 years.
	Interval struct {
		Node
		Months, Days, Micros int64
	}
	// Unary is NOT or −.
	Unary struct {
		Node
		Op string // "not", "-"
		X  Expr
	}
	// Binary is an operator: + - * / % = <> < <= > >= and or.
	Binary struct {
		Node
		Op   string
		L, R Expr
	}
	// Call is a function or aggregate, by its lower-case name, which is one of [Functions]. EXTRACT(part FROM x) has the part as Text.
	Call struct {
		Node
		Name     string
		Args     []Expr
		Star     bool // count(*)
		Distinct bool
		Filter   Expr   // FILTER (WHERE …); nil: none
		Within   []Expr // WITHIN GROUP (ORDER BY …); nil: none
	}
	// Case is CASE; with Of the simple form.
	Case struct {
		Node
		Of    Expr
		Whens []When
		Else  Expr // nil: NULL
	}
	// Cast is CAST, ::, or a typed literal such as DATE '…'; Type is PostgreSQL's name without modifiers: "date", "int8", "numeric", "text", "timestamp", "bool".
	Cast struct {
		Node
		X    Expr
		Type string
		Mod  []int64 // numeric(p, s)
	}
	// In is IN (…) over expressions.
	In struct {
		Node
		X   Expr
		Of  []Expr
		Not bool
	}
	// Between is BETWEEN.
	Between struct {
		Node
		X, Low, High Expr
		Not          bool
	}
	// Like is LIKE with its escape character; ILIKE is not taken.
	Like struct {
		Node
		X       Expr
		Pattern Expr
		Escape  string // "": backslash
		Not     bool
	}
	// IsNull is IS NULL; IS TRUE and the like come as Is.
	IsNull struct {
		Node
		X   Expr
		Not bool
	}
	// Is is IS TRUE, IS FALSE, IS DISTINCT FROM.
	Is struct {
		Node
		Op   string // "true", "false", "distinct"
		X, Y Expr
		Not  bool
	}
)

// When is one branch of a [Case].
type When struct{ If, Then Expr }
