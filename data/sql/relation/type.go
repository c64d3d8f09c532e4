package relation

// Kind is a kind of value.
type Kind uint8

// The kinds.
const (
	Number Kind = iota // a whole number of 10^−Places
	Text               // UTF-8, compared by its bytes
	Truth
	Date // days since 1970-01-01
	Time // microseconds since 1970-01-01T00:00:00Z
)

// Type is a kind of value with what bounds it. Every value may be NULL besides.
type Type struct {
	Kind     Kind
	Places   int   // of Number, 0 to 9
	Min, Max int64 // of Number, Date and Time, closed: Number in units of 10^−Places
}
