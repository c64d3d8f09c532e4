package wire

import "github.com/scrimhq/scrim/data/json"

// check is a rule for values of fixed vocabulary.
type check struct {
	name  string
	words []string
	ok    func(d *json.Doc, n int) bool
}

// Allows reports whether node n is what its place may hold: for [Protocol] a value of the vocabulary, for ids and names
// one without white space, for content the right kind of JSON value. Null is allowed everywhere but in ids. It is false for
// [Refuse] unless the node is null, and true for what only policy can judge.
func (t *Table) Allows(s json.State, d *json.Doc, n int) bool { return false }
