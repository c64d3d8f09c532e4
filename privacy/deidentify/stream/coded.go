package stream

import (
	"fmt"

	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
)

// Coded returns the hierarchy of a coding, and fixes the coding: a stream learns no values. What was not listed or learnt by now has no
// place. Errors wrap [ErrOptions]: nothing was learnt, or the last level has more than one code.
func Coded(c *anonymity.Coding) (Hierarchy, error) {
	if err := c.Fix(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	h := coded{c.Attribute("").Hierarchy, c}
	if h.Codes(h.Levels()-1) != 1 {
		return nil, fmt.Errorf("%w: the last level of the hierarchy must be one code", ErrOptions)
	}
	return h, nil
}

type coded struct {
	*anonymity.Hierarchy
	coding *anonymity.Coding
}

func (c coded) Code(v Value) (uint32, bool) {
	if v.Null {
		code, err := c.coding.Missing()
		return code, err == nil
	}
	code, err := c.coding.Code([]byte(v.Text))
	return code, err == nil
}

func (c coded) Cell(level int, code uint32) Value {
	text, ok := c.coding.Append(nil, anonymity.Cell{Level: level, Code: code})
	return Value{Text: string(text), Null: !ok}
}
