package syntax

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// The grammar's messages quote what they stumble on, which may be a constant: only words and signs are passed on.
var (
	nearWord = regexp.MustCompile(`^syntax error at or near "([A-Za-z_][A-Za-z0-9_]{0,61}|[(),;.*+<>=:\[\]-]{1,2})"$`)
	// messages are the grammar's, by how they begin, and what is said instead.
	messages = [][2]string{
		{"syntax error at end of input", "the question ends too early"},
		{"unterminated quoted string", "a text constant has no closing quote"},
		{"unterminated quoted identifier", "a quoted name has no closing quote"},
		{"unterminated dollar-quoted string", "a text constant has no closing mark"},
		{"unterminated /* comment", "a comment has no end"},
		{"zero-length delimited identifier", "a quoted name is empty"},
		{"trailing junk after", "a number runs into a name"},
		{"invalid Unicode escape", "an escape in a text constant is not valid"},
	}
)

// grammarError is the refusal for a message of the grammar; cursor counts characters from 1, and 0 is nowhere.
func grammarError(text, message string, cursor int) *Error {
	at := Pos(0)
	if cursor > 0 {
		at = Pos(byteOffset(text, cursor-1))
	}
	if m := nearWord.FindStringSubmatch(message); m != nil {
		return refusal(text, at, "syntax", "this is not SQL from "+quote(m[1])+" on", shape)
	}
	for _, m := range messages {
		if strings.HasPrefix(message, m[0]) {
			return refusal(text, at, "syntax", m[1], shape)
		}
	}
	return refusal(text, at, "syntax", "this is not SQL from here on", shape)
}

// byteOffset is where the nth character of text begins.
func byteOffset(text string, n int) int {
	at := 0
	for ; n > 0 && at < len(text); n-- {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return at
}
