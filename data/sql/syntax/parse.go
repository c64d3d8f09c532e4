package syntax

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// What a question may have. They are far above what people and agents write, and far below what would keep a parser busy.
const (
	MaxBytes     = 16 << 10 // of text
	MaxDepth     = 200      // of nested expressions, queries and joins
	MaxNodes     = 4000
	maxOpen      = 100 // brackets that are open at once
	maxOperators = 600 // of signs and words that nest without brackets
	maxComments  = 20  // beginnings of comments, which nest
)

const shape = "ask one SELECT, such as SELECT key, count(*) FROM table WHERE … GROUP BY key"

// Parse reads a question. An error is an [*Error], or else [ErrBusy] or [ErrBroken], which are no fault of the text.
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
	return measureNesting(text)
}

// nestingWord counts words that nest without brackets; other signs are counted one by one.
var nestingWord = regexp.MustCompile(`(?i)\b(?:not|case|is|isnull|notnull|collate|at|and|or|join|union|intersect|except|escape|between|like|in)\b`)

// measureNesting refuses what would nest deeply in the grammar, whose stack is finite. It is no tokenizer: what it misses is caught by the
// limits of the module, more slowly.
func measureNesting(text string) error {
	open, signs, quoted := 0, len(nestingWord.FindAllStringIndex(text, maxOperators+1)), false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\'':
			quoted = !quoted
		case c == '(' || c == '[':
			if open++; open > maxOpen {
				return refusal(text, Pos(i), "too-deep", "too many brackets are open at once", "name parts of it with WITH")
			}
		case c == ')' || c == ']':
			open--
		case !quoted && strings.IndexByte("+-*/%^<>=~!@#&|?:", c) >= 0:
			signs++
		}
		if signs > maxOperators {
			return refusal(text, Pos(i), "too-deep", "the question has too many operators", "use IN (…) for several values, or ask it in parts")
		}
	}
	if strings.Count(text, "/*") > maxComments {
		return refusal(text, Pos(strings.Index(text, "/*")), "too-deep", "the question has too many comments", "leave comments out")
	}
	return nil
}
