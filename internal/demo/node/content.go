package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/a2aproject/a2a-go/v2/a2a"
)

// ErrShape is returned by [Decode] for content of another shape than the target's.
var ErrShape = errors.New("structured content has another shape than expected")

// Decode turns what an SDK decoded into maps into a typed value. Members that the type does not know are ignored,
// and absent ones stay zero: a recipient reads what it was given.
func Decode(from, to any) error {
	raw, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("encoding structured content: %w", err)
	}
	if err := json.Unmarshal(raw, to); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return fmt.Errorf("%w at %s", ErrShape, wrong.Field)
		}
		return ErrShape // what the decoder says may hold a value
	}
	return nil
}

// Text joins the text parts, as chunks of one text are joined.
func Text(parts a2a.ContentParts) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text())
	}
	return b.String()
}

// Data returns the first structured part, or nil.
func Data(parts a2a.ContentParts) any {
	for _, p := range parts {
		if d := p.Data(); d != nil {
			return d
		}
	}
	return nil
}

// Artifact returns the task's artifact of the given name, or an empty one.
func Artifact(task *a2a.Task, name string) *a2a.Artifact {
	for _, a := range task.Artifacts {
		if a.Name == name {
			return a
		}
	}
	return &a2a.Artifact{Name: name}
}
