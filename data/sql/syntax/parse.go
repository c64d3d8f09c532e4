package syntax

import (
	"strings"
	"unicode/utf8"
)

// What a question may have. They are far above what people and agents write, and far below what would keep a parser busy.
const (
	MaxBytes = 16 << 10 // of text
	MaxDepth = 200      // of nested expressions, queries and joins
	MaxNodes = 4000
	maxOpen  = 100 // brackets that are open at once
)

const shape = "ask one SELECT, such as SELECT key, count(*) FROM table WHERE … GROUP BY key"

// Parse reads a question. An error is an [*Error], or [ErrBusy], [ErrSlow] or [ErrBroken].
//
// Whatever is not on the whitelist is refused: a field of the grammar's tree that no line here reads is an error of its own. It is safe for
// concurrent use.
func Parse(text string) (*Query, error) {
	if err := measure(text); err != nil {
		return nil, err
	}
	tree, err := grammar(text)
	if err != nil {
		return nil, err
	}
	r := &reader{text: text}
	q := r.statements(tree)
	if r.err != nil {
		return nil, r.err
	}
	return q, nil
}

// measure refuses what the grammar is not even asked about.
func measure(text string) error {
	if len(text) > MaxBytes {
		return refusal(text, MaxBytes, "too-long", "the question is longer than 16 KiB", "ask it in parts")
	}
	if !utf8.ValidString(text) {
		at := 0
		for i, c := range text {
			if _, n := utf8.DecodeRuneInString(text[i:]); c == utf8.RuneError && n == 1 {
				at = i
				break
			}
		}
		return refusal(text, Pos(at), "encoding", "the question is not UTF-8", "")
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return refusal(text, Pos(i), "encoding", "the question holds a NUL character", "")
	}
	open := 0
	for i := range len(text) {
		switch text[i] {
		case '(', '[':
			if open++; open > maxOpen {
				return refusal(text, Pos(i), "too-deep", "too many brackets are open at once", "name parts of it with WITH")
			}
		case ')', ']':
			open--
		}
	}
	return nil
}
