package query

import (
	"slices"
	"testing"

	"github.com/scrimhq/scrim/data/sql/syntax"
)

// TestFunctionsThatAreReadAreThoseThatAreBound: a name that one list has and the other has not would be refused as if it were misspelt.
func TestFunctionsThatAreReadAreThoseThatAreBound(t *testing.T) {
	bound := map[string]bool{}
	for name := range functionTable() {
		bound[name] = true
	}
	for name := range aggregates {
		bound[name] = true
	}
	read := syntax.Functions()
	for _, name := range read {
		if !bound[name] {
			t.Errorf("%s is read and not bound", name)
		}
	}
	for name := range bound {
		if !slices.Contains(read, name) {
			t.Errorf("%s is bound and not read", name)
		}
	}
}
