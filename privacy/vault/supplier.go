package vault

import (
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Supplier returns who supplied a value that the task remembers, and whether it remembers it at all.
func (t *Task) Supplier(value flow.Secret) (flow.AgentID, bool) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	for key, k := range t.s.known {
		if value.Equal(key.Text) {
			return k.supplier, true
		}
	}
	return "", false
}

// supplied is kept in a task's memory for each kind of label that an outsider supplied values of. No text holds it.
const supplied = "\x00"

// Supply notes that somebody outside supplied structured values of the label in this task. It returns the errors of [Task.Remember].
func (t *Task) Supply(l flow.Label) error { return t.Remember(supplied, kindOf(l), "") }

// Supplies reports whether values of the label's kind were supplied from outside in this task, or its memory is too full to know.
// A value of this kind may then be a candidate that somebody says back: it gets no token, so that tokens are no oracle.
func (t *Task) Supplies(l flow.Label) bool {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	_, ok := t.s.known[KnownValue{supplied, kindOf(l)}]
	return ok || t.s.room(1, t.b.v.opt.TaskValues) != nil
}

// kindOf is the first two words of a label: "person/name" for given, family and full names alike.
func kindOf(l flow.Label) flow.Label {
	kind, rest, _ := strings.Cut(string(l), "/")
	if rest == "" {
		return l
	}
	second, _, _ := strings.Cut(rest, "/")
	return flow.Label(kind + "/" + second)
}
