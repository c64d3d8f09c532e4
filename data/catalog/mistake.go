package catalog

import (
	"fmt"
	"strings"
)

// Mistake is one thing wrong in a schema or contract.
type Mistake struct {
	File    string
	Place   string // JSON Pointer
	Line    int    // from 1; 0 where only the place is known
	Column  int
	Message string
	Hint    string // what to do about it; may be empty
}

// String returns "file:line:column: /place: message (hint)", without what is not known.
func (m Mistake) String() string {
	var b strings.Builder
	b.WriteString(m.File)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", m.Line, m.Column)
	}
	b.WriteString(": ")
	if m.Place != "" {
		b.WriteString(m.Place + ": ")
	}
	b.WriteString(m.Message)
	if m.Hint != "" {
		b.WriteString(" (" + m.Hint + ")")
	}
	return b.String()
}

// Mistakes is every mistake found in one file. It is the error of [ParseSchema] and [ParseContract].
type Mistakes []Mistake

// Error returns one mistake a line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}
