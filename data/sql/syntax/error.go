package syntax

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error says why a text is no question, where, and what would be allowed. It quotes names and keywords of the text, never its
// constants.
type Error struct {
	Pos          Pos
	Line, Column int    // from 1, in characters
	Rule         string // stable, such as window-function
	Text         string
	Hint         string // the nearest allowed form; "": there is none

	cause error
}

// Unwrap returns [ErrSlow] or [ErrBroken] where a text was too much for the grammar.
func (e *Error) Unwrap() error { return e.cause }

// Error implements error.
func (e *Error) Error() string {
	s := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Place tells line and column of a place in a text, both from 1 and in characters.
func Place(text string, at Pos) (line, column int) {
	p := min(max(int(at), 0), len(text))
	before := text[:p]
	line = 1 + strings.Count(before, "\n")
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	return line, 1 + utf8.RuneCountInString(before)
}

// refusal makes an error of a place in text.
func refusal(text string, at Pos, rule, what, hint string) *Error {
	e := &Error{Pos: at, Rule: rule, Text: what, Hint: hint}
	e.Line, e.Column = Place(text, at)
	return e
}
