package change_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/policy/change"
)

func TestLinesThatDiffer(t *testing.T) {
	show := func(old, now string) string {
		var all []string
		for _, l := range change.Lines([]byte(old), []byte(now)) {
			all = append(all, fmt.Sprintf("%c%d%s", l.Sign, l.Number, l.Text))
		}
		return strings.Join(all, " ")
	}
	long := strings.Repeat("x\n", 3000)
	for _, c := range []struct{ old, now, want string }{
		{"a\nb\nc\n", "a\nb\nc\n", ""},
		{"a\nb\nc\n", "a\nc\n", "-2b"},
		{"a\nc\n", "a\nb\nc\n", "+2b"},
		{"a\nb\nc\nd\n", "a\nx\nc\ny\n", "-2b +2x -4d +4y"},
		{"", "a\n", "+1a"},
		{"a", "", "-1a"},
		{"a\n", "a", ""}, // the end of the last line is not a line
		{long + "a\n" + long, long + "b\n" + long, "-3001a +3001b"},
	} {
		if got := show(c.old, c.now); got != c.want {
			t.Errorf("lines of %.10q and %.10q = %q, want %q", c.old, c.now, got, c.want)
		}
	}
	// What is too long to be aligned is shown whole, so that nothing that differs is left out.
	a, b := "a\n"+strings.Repeat("x\ny\n", 2000)+"b\n", "c\n"+strings.Repeat("x\nz\n", 2000)+"d\n"
	if got := len(change.Lines([]byte(a), []byte(b))); got != 8004 {
		t.Errorf("%d lines, want all 8004", got)
	}
}
