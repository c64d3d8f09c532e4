// Package catalog knows what data is: which places of a message a schema declares, which label, need and subject
// each has, and what a data contract says of a dataset's columns.
//
// A [Schema] is a JSON Schema compiled to a table of states, so that a parser can carry its place along while it
// reads: the schema is a matcher in the sense of package json, and [Schema.Info] says what is known of a place.
// A place that no schema declares has an Info whose Declared is false, and so has everything within it.
//
// Keywords of ours, beside those of JSON Schema 2020-12:
//
//	x-scrim-label      "person/name"          the class of data; on an object or array it holds for everything
//	                                          declared within that has none of its own
//	x-scrim-need       "generalized(year)"    what the recipient's task needs: a level with its parameter, or an
//	                   {"level", "param"}     object; with several, their meet
//	x-scrim-droppable  true                   a request may be sent on without it; on an object this holds for its
//	                                          undeclared members too
//	x-scrim-signed     true                   a signature covers it: with all it holds it passes as it is or not at all
//	x-scrim-subject    "/patients/*/id"       who the value is about: see [Schema.Subject]
//	x-scrim-unit       "patient"              what kind of thing the subject is; holds within
//	x-scrim-field      "claims/diagnosis"     a contract's dataset and column, which give label and unit
//
// Several subschemas that hold for one place (allOf, anyOf, oneOf, $ref, own and foreign) are joined: what any of
// them declares is declared, and the strictest label holds.
//
// Errors name files and places, never values. All types are immutable once made, and safe for concurrent use.
package catalog
