package catalog

import (
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

type node struct{}

// ParseSchema compiles a JSON Schema. Name appears in mistakes, usually the file's.
//
// The error is [Mistakes], all of them. A keyword that is not known is passed over, as JSON Schema has it, unless it
// begins with "x-scrim-".
func ParseSchema(name string, raw []byte, opt SchemaOptions) (*Schema, error) { return nil, nil }

// Merge returns a schema that declares what either does. Labels of foreign only raise those of own; where own gives
// none, the place stays [flow.Unlabelled]. Either may be nil.
func Merge(own, foreign *Schema) (*Schema, error) { return nil, nil }

// Transparent returns a schema that declares the places that patterns match, and labels them [flow.PublicData].
// A pattern is a JSON Pointer in which "*" stands for any name or index, and "**" at its end for everything below: "/**".
func Transparent(patterns ...string) (*Schema, error) { return nil, nil }

// Accepts reports whether the place could hold the value: text is the content of a string or the literal of a number,
// and does not matter for other kinds. Of arrays and objects only the type is checked.
func (s *Schema) Accepts(st json.State, k json.Kind, text string) bool { return false }

// Subject finds the value that says who value n of d is about, and reports whether there is one. Root is the node
// that the schema's own root describes; d must have been parsed with the schema, or with a matcher that leads to it,
// and st is n's state in the schema.
//
// The pointer of x-scrim-subject is either absolute, from the schema's root, where "*" stands for the element or
// member that n itself lies in, so that array items resolve within their own element; or begins with "../", each of
// which goes up one level from the value, so that "../id" is a sibling. Absolute pointers hold for everything
// declared within, relative ones for the value alone. Without x-scrim-subject a value with x-scrim-field is about
// the sibling that holds the unit column of the same dataset.
func (s *Schema) Subject(d *json.Doc, root, n int, st json.State) (int, bool) { return 0, false }

// Discriminators returns the top-level members that must have one given text, by name.
func (s *Schema) Discriminators() map[string]string { return nil }

// Matches reports whether value n of d is an object that has every top-level member that the schema requires, with
// the given text where there is only one. It needs no states in d.
func (s *Schema) Matches(d *json.Doc, n int) bool { return false }

// Select returns the first of the schemas that matches with most discriminators, or nil if none matches.
func Select(schemas []*Schema, d *json.Doc, n int) *Schema { return nil }

// ParseContract reads a data contract after the Open Data Contract Standard v3.1 (YAML). The error is [Mistakes].
func ParseContract(name string, raw []byte, tax *flow.Taxonomy) (*Contract, error) { return nil, nil }
