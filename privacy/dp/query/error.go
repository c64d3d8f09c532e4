package query

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
)

// Error is why a question is not taken. It depends on the question and on what the dataset's owner declared, never on data. It may quote
// names and keywords of the question, and no constant of it.
type Error struct {
	Line, Column int    // from 1, in characters; 0: it is about the question as a whole
	Rule         string // which rule, such as "join": stable
	Text         string // what is wrong
	Hint         string // the nearest form that is taken; "": there is none

	several bool // a subquery aggregates over units: outside of it only noisy numbers can be used
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	}
	b.WriteString(e.Text)
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	fmt.Fprintf(&b, " (rule %s)", e.Rule)
	return b.String()
}

// The rules that questions are refused by.
const (
	ruleDataset   = "dataset"   // the declaration lacks something
	ruleTable     = "table"     // no such table
	ruleColumn    = "column"    // no such column, or several
	ruleUnit      = "unit"      // rows of several units would meet in one
	ruleJoin      = "join"      // likewise, in a join
	ruleUnion     = "union"     // arms that do not agree
	ruleBounds    = "bounds"    // no bounds were declared, or they are too wide
	ruleType      = "type"      // kinds that do not go together
	ruleLiteral   = "literal"   // a constant that is none of its kind
	ruleFunction  = "function"  // no such function, or not with these arguments
	ruleAggregate = "aggregate" // an aggregate where there can be none
	ruleKey       = "key"       // a group that would name somebody
	ruleGroup     = "group"     // neither a group nor an aggregate
	ruleCells     = "cells"     // too many groups
	ruleLimit     = "limit"     // beyond what the owner allows
	ruleTime      = "time"      // no time to limit rows by
	ruleShape     = "shape"     // a form that is not taken
	ruleSize      = "size"      // too large
)

// refuse is an error at a place.
func (b *binder) refuse(at syntax.Pos, rule, hint, format string, args ...any) error {
	e := &Error{Rule: rule, Text: fmt.Sprintf(format, args...), Hint: hint}
	if at >= 0 && int(at) <= len(b.text) {
		e.Line, e.Column = syntax.Place(b.text, at)
	}
	return e
}

// wrap says what a constructor of the relation refused: its errors name no constant.
func (b *binder) wrap(at syntax.Pos, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, relation.ErrOverflow):
		return b.refuse(at, ruleBounds, "declare bounds of its columns, or narrow them first: clamp(x, low, high)",
			"by the declared bounds this could leave the range of 64-bit numbers (%v)", err)
	case errors.Is(err, relation.ErrKind):
		return b.refuse(at, ruleType, "", "kinds that do not go together: %v", err)
	}
	return b.refuse(at, ruleShape, "", "this cannot be computed: %v", err)
}

// refusal is an error of a dataset's declaration.
func refusal(hint, format string, args ...any) error {
	return &Error{Rule: ruleDataset, Text: fmt.Sprintf(format, args...), Hint: hint}
}
