package flow

import (
	"fmt"
	"slices"
)

// Level says how much of a value shows through. The zero value is [Dropped].
//
// Each label belongs to one of two families, and within a family levels are totally ordered:
// identifiers raw > tokenized > masked > dropped, attributes raw > generalized > masked > dropped.
type Level uint8

// The levels.
const (
	Dropped     Level = iota // the member is removed, the text span becomes [removed]
	Masked                   // a typed placeholder or a part; numbers and booleans become null
	Tokenized                // identifiers: a stand-in that can be joined or opened only where policy allows
	Generalized              // attributes: a coarser value of the same kind
	Raw                      // as it was sent
)

var levelNames = [...]string{"dropped", "masked", "tokenized", "generalized", "raw"}

// String returns the name that policies and configuration use.
func (l Level) String() string { return nameOf(levelNames[:], int(l)) }

// ParseLevel reads a level's name.
func ParseLevel(s string) (Level, error) {
	i := slices.Index(levelNames[:], s)
	if i < 0 {
		return Dropped, fmt.Errorf("level is not one of dropped, masked, tokenized, generalized, raw")
	}
	return Level(i), nil
}

// MarshalText implements [encoding.TextMarshaler].
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (l *Level) UnmarshalText(b []byte) (err error) {
	*l, err = ParseLevel(string(b))
	return err
}

// rank places a level in its family's order; the two second-highest levels share a rank because they never meet in one family.
func (l Level) rank() int {
	switch l {
	case Raw:
		return 3
	case Tokenized, Generalized:
		return 2
	case Masked:
		return 1
	default:
		return 0
	}
}

// Reveals reports whether l shows strictly more than m. Levels of equal rank do not.
func (l Level) Reveals(m Level) bool { return l.rank() > m.rank() }

// Family is one of the two orders of levels. The zero value is [Identifier].
type Family uint8

// The families.
const (
	Identifier Family = iota // names, addresses, numbers of things
	Attribute                // dates, amounts, diagnoses, places
)

// String returns "identifier" or "attribute".
func (f Family) String() string { return nameOf([]string{"identifier", "attribute"}, int(f)) }

// MarshalText implements [encoding.TextMarshaler].
func (f Family) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (f *Family) UnmarshalText(b []byte) error {
	switch string(b) {
	case "identifier":
		*f = Identifier
	case "attribute":
		*f = Attribute
	default:
		return fmt.Errorf("family is not identifier or attribute")
	}
	return nil
}

// Levels returns the family's levels, most revealing first.
func (f Family) Levels() [4]Level {
	return [4]Level{Raw, f.Second(), Masked, Dropped}
}

// Second returns the family's level just below raw.
func (f Family) Second() Level {
	if f == Attribute {
		return Generalized
	}
	return Tokenized
}

// Has reports whether the level belongs to the family.
func (f Family) Has(l Level) bool { return l <= Raw && l != f.other() }

func (f Family) other() Level {
	if f == Attribute {
		return Tokenized
	}
	return Generalized
}

// Treatment is a level with its parameter: what will be done to a value. The zero value drops it.
type Treatment struct {
	Level Level `json:"level"`
	Param Param `json:"param,omitempty"`
}

// String returns the level, with the parameter in parentheses where there is one.
func (t Treatment) String() string {
	if t.Param == "" {
		return t.Level.String()
	}
	return t.Level.String() + "(" + string(t.Param) + ")"
}

// Meet returns the most revealing treatment that reveals no more than a and no more than b.
//
// It is associative, commutative and idempotent (TestMeetIsASemilattice). A level that is not of the
// family counts as masked, and so do parameters that have no meet of their own. Parameters must have been
// resolved against the label's class first ([Class.Resolve]): an absent one counts as the strictest.
func (f Family) Meet(a, b Treatment) Treatment {
	a, b = f.normal(a), f.normal(b)
	switch ra, rb := a.Level.rank(), b.Level.rank(); {
	case ra < rb:
		return a
	case rb < ra:
		return b
	}
	if a.Param == b.Param {
		return a
	}
	p, ok := meetParams(a.Level, a.Param, b.Param)
	if !ok {
		return Treatment{Level: Masked}
	}
	return Treatment{Level: a.Level, Param: p}
}

// Reveals reports whether a shows something that b does not: whether their meet differs from a.
func (f Family) Reveals(a, b Treatment) bool { return f.Meet(a, b) != f.normal(a) }

func (f Family) normal(t Treatment) Treatment {
	if !f.Has(t.Level) {
		return Treatment{Level: Masked}
	}
	if t.Param != "" && !t.Param.fits(f, t.Level) {
		t.Param = ""
		if t.Level == Generalized {
			return Treatment{Level: Masked}
		}
	}
	switch {
	case t.Level == Generalized && t.Param == "":
		return Treatment{Level: Masked}
	case t.Level == Tokenized && t.Param == "":
		t.Param = TokenSurrogate
	}
	return t
}

// TierCap is the most revealing level that a label of the tier may have at a task of the criticality, without an
// exception that names the label. What an attested recipient or a person's approval adds for restricted data at a
// critical task is for the caller to see to.
func TierCap(t Tier, c Criticality, f Family) Level {
	if c > Critical {
		c = Low
	}
	caps := [...][3]Level{
		Public:       {Raw, Raw, Raw},
		Internal:     {f.Second(), Raw, Raw},
		Confidential: {Masked, f.Second(), Raw},
		Restricted:   {Dropped, Masked, f.Second()},
	}
	if int(t) >= len(caps) {
		t = Restricted
	}
	return caps[t][c]
}
