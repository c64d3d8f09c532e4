package policy

import (
	"fmt"
	"strings"
)

// Mistake is one thing wrong with a policy or with the entities it is loaded against.
type Mistake struct {
	File    string // empty: the configuration's entities
	Line    int    // from 1; 0: the whole file
	Column  int    // from 1, in characters
	Message string
	Hint    string // what to write instead, where that can be guessed
}

// String returns the mistake on one line, as compilers print theirs.
func (m Mistake) String() string {
	var b strings.Builder
	if m.File != "" {
		b.WriteString(m.File)
		if m.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", m.Line, m.Column)
		}
		b.WriteString(": ")
	}
	b.WriteString(m.Message)
	if m.Hint != "" {
		b.WriteString(" (" + m.Hint + ")")
	}
	return b.String()
}

// Mistakes is the error of [Load]: every mistake, ordered by place.
type Mistakes []Mistake

// Error returns the mistakes, one a line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}
