package flow_test

import (
	"testing"

	"github.com/scrimhq/scrim/flow"
)

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{0: "entries", 1: "entry", 2: "entries", -1: "entries"} {
		if got := flow.Plural(n, "entry", "entries"); got != want {
			t.Errorf("Plural(%d) = %q, want %q", n, got, want)
		}
	}
}
