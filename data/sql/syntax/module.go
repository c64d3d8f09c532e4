package syntax

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"

	"github.com/wasilibs/go-pgquery/parser"
)

// What is no fault of the text.
var (
	ErrBusy   = errors.New("too many questions are being read")
	ErrSlow   = errors.New("reading the question took too long")
	ErrBroken = errors.New("reading the question failed")
)

var one sync.Mutex

// grammar asks PostgreSQL's grammar for its tree.
func grammar(text string) (map[string]any, error) {
	one.Lock()
	out, err := parser.ParseToJSON(text)
	one.Unlock()
	if e, ok := errors.AsType[*parser.Error](err); ok {
		return nil, grammarError(text, e.Message, e.Cursorpos)
	}
	if err != nil {
		return nil, ErrBroken
	}
	d := json.NewDecoder(strings.NewReader(out))
	d.UseNumber()
	var tree map[string]any
	if err := d.Decode(&tree); err != nil {
		return nil, ErrBroken
	}
	return tree, nil
}
