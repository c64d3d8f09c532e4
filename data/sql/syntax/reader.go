package syntax

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"
)

// reader walks the grammar's tree. The first refusal stays; after it whatever is returned means nothing.
type reader struct {
	text  string
	err   *Error
	depth int
	nodes int
	last  Pos // the latest place that was read, for nodes that have none
}

// node is an object of the grammar's tree. Reading a field takes it away, and what is left at the end is refused: so nothing is
// passed over in silence.
type node struct {
	r      *reader
	kind   string
	at     Pos
	fields map[string]any
}

func (r *reader) refuse(at Pos, rule, what, hint string) {
	if r.err == nil {
		r.err = refusal(r.text, at, rule, what, hint)
	}
}

// enter counts a node; leave has to be called if it says true.
func (r *reader) enter(at Pos) bool {
	r.nodes++
	r.depth++
	if r.nodes > MaxNodes {
		r.refuse(at, "too-large", "the question has too many parts", "ask it in parts")
	}
	if r.depth > MaxDepth {
		r.refuse(at, "too-deep", "the question is nested too deeply", "name parts of it with WITH")
	}
	if r.err != nil {
		r.depth--
		return false
	}
	return true
}

func (r *reader) leave() { r.depth-- }

// object makes a node of a bare object; kind is for messages.
func (r *reader) object(v any, kind string) *node {
	m, ok := v.(map[string]any)
	if !ok {
		r.refuse(r.last, "grammar", "this form is not understood", shape)
		m = map[string]any{}
	}
	n := &node{r: r, kind: kind, fields: maps.Clone(m), at: r.last}
	if at, ok := n.fields["location"]; ok {
		delete(n.fields, "location")
		if i := r.integer(at); i >= 0 && i <= int64(len(r.text)) {
			n.at = Pos(i)
			r.last = n.at
		}
	}
	return n
}

// node makes a node of {"Kind": {…}}.
func (r *reader) node(v any) *node {
	m, ok := v.(map[string]any)
	if ok && len(m) == 1 {
		for kind, inner := range m {
			return r.object(inner, kind)
		}
	}
	r.refuse(r.last, "grammar", "this form is not understood", shape)
	return &node{r: r, at: r.last, fields: map[string]any{}}
}

func (r *reader) integer(v any) int64 {
	n, ok := v.(json.Number)
	if !ok {
		r.refuse(r.last, "grammar", "this form is not understood", shape)
		return 0
	}
	i, err := n.Int64()
	if err != nil {
		r.refuse(r.last, "grammar", "this form is not understood", shape)
	}
	return i
}

// take removes a field and returns it; nil: it is not there.
func (n *node) take(field string) any {
	v := n.fields[field]
	delete(n.fields, field)
	return v
}

func (n *node) list(field string) []any {
	v := n.take(field)
	if v == nil {
		return nil
	}
	l, ok := v.([]any)
	if !ok {
		n.r.refuse(n.at, "grammar", "this form is not understood", shape)
	}
	return l
}

func (n *node) str(field string) string {
	v := n.take(field)
	if v == nil {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		n.r.refuse(n.at, "grammar", "this form is not understood", shape)
	}
	return s
}

func (n *node) truth(field string) bool {
	v := n.take(field)
	if v == nil {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		n.r.refuse(n.at, "grammar", "this form is not understood", shape)
	}
	return b
}

func (n *node) int(field string) int64 {
	v := n.take(field)
	if v == nil {
		return 0
	}
	return n.r.integer(v)
}

// expect refuses unless a field says what is expected, or is missing.
func (n *node) expect(field string, want ...string) {
	if s := n.str(field); s != "" && !slices.Contains(want, s) {
		n.refuseField(field)
	}
}

// done refuses whatever was not read. Which of several is told does not depend on the order of a map.
func (n *node) done() {
	for _, field := range slices.Sorted(maps.Keys(n.fields)) {
		if inert(n.fields[field]) {
			continue
		}
		n.refuseField(field)
		return
	}
}

// inert is what says nothing: false.
func inert(v any) bool {
	b, ok := v.(bool)
	return ok && !b
}

func (n *node) refuseField(field string) {
	why, ok := refusedFields[n.kind+"."+field]
	if !ok {
		why, ok = refusedFields[field]
	}
	if !ok {
		why = because{"grammar", "this form is not answered", shape}
	}
	n.r.refuse(n.at, why.rule, why.text, why.hint)
}

func (n *node) refuseKind() {
	why, ok := refusedKinds[n.kind]
	if !ok {
		why = because{"grammar", "this form is not answered", shape}
	}
	n.r.refuse(n.at, why.rule, why.text, why.hint)
}

// names reads a list of String nodes.
func (n *node) names(field string) []string {
	var out []string
	for _, v := range n.list(field) {
		s := n.r.node(v)
		if s.kind != "String" {
			n.refuseField(field)
			return nil
		}
		out = append(out, s.str("sval"))
		s.done()
	}
	return out
}

// maxName is one less than what PostgreSQL cuts names at: one that was cut is not taken for another.
const maxName = 62

// name checks a name of the asker's: what it is compared with is declared, but it comes back in messages and answers.
func (r *reader) name(at Pos, s string) string {
	if len(s) > maxName {
		r.refuse(at, "name", "a name here is longer than 62 bytes", "use a shorter alias")
		return ""
	}
	if s == "" {
		r.refuse(at, "name", "a name here is empty", "")
	}
	for _, c := range s {
		if c == utf8.RuneError || c != ' ' && !unicode.IsPrint(c) || unicode.In(c, unicode.Co, unicode.Cf) {
			r.refuse(at, "name", "a name here holds a character that cannot be seen", "use letters, digits and underscores")
			return ""
		}
	}
	return s
}

// quote shows a name in a message: as it is if it is plain, otherwise so that no letter passes for another.
func quote(name string) string {
	if len(name) > maxName {
		name = name[:maxName]
	}
	return fmt.Sprintf("%+q", name)
}
