package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Mistake is one thing wrong in a plan, or between it and a source.
type Mistake struct {
	File    string
	Line    int // from 1; 0 if the file as a whole is meant
	Column  int // from 1
	Message string
	Hint    string // what to do about it; may be empty
}

// String returns "file:line:column: message (hint)".
func (m Mistake) String() string {
	var b strings.Builder
	b.WriteString(m.File)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", m.Line, m.Column)
	}
	b.WriteString(": " + m.Message)
	if m.Hint != "" {
		b.WriteString(" (" + m.Hint + ")")
	}
	return b.String()
}

// Mistakes is everything wrong, ordered by place. It is the error of [Parse] and of [Plan.Compile].
type Mistakes []Mistake

// Error returns one mistake a line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}

func (ms Mistakes) sorted() Mistakes {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(ms)
}

// nearHint returns "did you mean …?" for the name nearest to got, or "" if none is near.
func nearHint(got string, names []string) string {
	if best, ok := flow.Nearest(got, names); ok {
		return "did you mean " + best + "?"
	}
	return ""
}
