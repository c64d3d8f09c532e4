package relation

import (
	"errors"
	"fmt"
	"math"
)

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

// String is the kind's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown kind"
}

var kindNames = [...]string{"number", "text", "truth", "date", "time"}

// Type is a kind of value with what bounds it. Every value may be NULL besides.
type Type struct {
	Kind     Kind
	Places   int   // of Number, 0 to 9
	Min, Max int64 // of Number, Date and Time, closed: Number in units of 10^−Places
}

// The outermost bounds: of numbers, of days (0001-01-01 to 9999-12-31), and of times on those days.
const (
	MinNumber, MaxNumber int64 = -math.MaxInt64, math.MaxInt64
	MinDate, MaxDate     int64 = -719162, 2932896
	MinTime, MaxTime     int64 = MinDate * dayMicros, (MaxDate+1)*dayMicros - 1
)

// MaxPlaces is how many decimal places a number has at most.
const MaxPlaces = 9

// MaxSum is where sums of a group saturate, and the most that a bound of a [Sum] may be.
const MaxSum int64 = 1<<62 - 1

const dayMicros = 24 * 60 * 60 * 1_000_000

// What the constructors refuse. Errors say which operation, and no constant.
var (
	ErrOverflow = errors.New("could leave the range of its kind")
	ErrKind     = errors.New("is not of that kind")
	ErrShape    = errors.New("is not put together so")
)

// NumberType, DateType and TimeType are types with bounds; TextType and TruthType have none.
func NumberType(places int, low, high int64) Type {
	return Type{Kind: Number, Places: places, Min: low, Max: high}
}

// DateType is the type of days from low to high.
func DateType(low, high int64) Type { return Type{Kind: Date, Min: low, Max: high} }

// TimeType is the type of microseconds from low to high.
func TimeType(low, high int64) Type { return Type{Kind: Time, Min: low, Max: high} }

// TextType and TruthType are the types of text and of truth values.
var (
	TextType  = Type{Kind: Text}
	TruthType = Type{Kind: Truth}
)

// Widest is the widest type of a kind; numbers have the given places.
func Widest(k Kind, places int) Type {
	switch k {
	case Number:
		return NumberType(places, MinNumber, MaxNumber)
	case Date:
		return DateType(MinDate, MaxDate)
	case Time:
		return TimeType(MinTime, MaxTime)
	}
	return Type{Kind: k}
}

// Check refuses a type whose bounds are no bounds of its kind.
func (t Type) Check() error {
	if t.Kind > Time {
		return fmt.Errorf("a type of %v: %w", t.Kind, ErrKind)
	}
	if t.Kind != Number && t.Places != 0 || t.Places < 0 || t.Places > MaxPlaces {
		return fmt.Errorf("decimal places of a %v: %w", t.Kind, ErrShape)
	}
	w := Widest(t.Kind, t.Places)
	if t.Min > t.Max || t.Min < w.Min || t.Max > w.Max {
		return fmt.Errorf("the bounds of a %v: %w", t.Kind, ErrOverflow)
	}
	return nil
}

// ordered says whether values of the kind have bounds and an order that all engines share.
func (k Kind) ordered() bool { return k == Number || k == Date || k == Time }

// like says whether values of both types may be compared and stand in one column.
func (t Type) like(u Type) bool { return t.Kind == u.Kind && t.Places == u.Places }

// covers says whether t holds every value of u.
func (t Type) covers(u Type) bool { return t.like(u) && t.Min <= u.Min && t.Max >= u.Max }

// hull is the least type that covers both, which are alike.
func hull(t, u Type) Type {
	t.Min, t.Max = min(t.Min, u.Min), max(t.Max, u.Max)
	return t
}

// clamp brings v within the bounds.
func (t Type) clamp(v int64) int64 { return min(max(v, t.Min), t.Max) }

// pow10 are the powers of ten that fit 64 bits.
var pow10 = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()
