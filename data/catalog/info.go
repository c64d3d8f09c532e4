package catalog

import (
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// Info is what schemas say of one place. It belongs to the schema and must not be changed.
type Info struct {
	Declared  bool            // a schema declares the place; without it nothing below holds
	Named     bool            // the member's name is written in a schema, so it may be printed; elements count as named
	Label     flow.Label      // the strictest of those given, [flow.Unlabelled] if none; "" where not declared
	NameLabel flow.Label      // of an object: label of the names of its members that are not Named, such as keys by e-mail
	Need      *flow.Treatment // what the recipient's task needs; nil: what policy permits
	Droppable bool            // a request may be sent on without it
	Signed    bool            // a signature covers it: with all it holds it passes as it is or not at all
	Required  bool            // the object is not valid without the member
	Subject   string          // see [Schema.Subject]; "" if unknown
	Unit      string          // what kind of thing the subject is, "patient"; "" if unknown
	Field     string          // "dataset/column" of a contract that the place is, or lies in; "" if none
	Origin    flow.Origin     // [flow.Catalogued] where a schema of this domain declares the place, else [flow.Supplied]
	Types     Types           // what a value may be; 0: anything
}

// Types is a set of JSON types.
type Types uint8

// The types of JSON Schema. Integer is a number without a fraction.
const (
	NullType Types = 1 << iota
	BooleanType
	IntegerType
	NumberType
	StringType
	ArrayType
	ObjectType
)

var typeNames = []string{"null", "boolean", "integer", "number", "string", "array", "object"}

// String returns the names of the types, with "|" between them.
func (t Types) String() string {
	var names []string
	for i, name := range typeNames {
		if t&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// has reports whether a value of the kind can be of one of the types.
func (t Types) has(k json.Kind, integral bool) bool {
	switch k {
	case json.Null:
		return t&NullType != 0
	case json.True, json.False:
		return t&BooleanType != 0
	case json.Number:
		return t&NumberType != 0 || t&IntegerType != 0 && integral
	case json.String:
		return t&StringType != 0
	case json.Array:
		return t&ArrayType != 0
	case json.Object:
		return t&ObjectType != 0
	}
	return false
}
