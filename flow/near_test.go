package flow_test

import (
	"testing"

	"github.com/scrimhq/scrim/flow"
)

func TestNearest(t *testing.T) {
	words := []string{"purpose", "purposes", "policies", "agents"}
	for word, want := range map[string]string{
		"purpos": "purpose", "PURPOSE": "purpose", "policys": "policies", "agnets": "agents", "schema": "", "": "", "purposes": "purposes",
	} {
		if got, ok := flow.Nearest(word, words); got != want || ok != (want != "") {
			t.Errorf("Nearest(%q) = %q, %v, want %q", word, got, ok, want)
		}
	}
}
