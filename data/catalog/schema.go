package catalog

import (
	"regexp"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// SchemaOptions says how a schema is read. The zero value reads one of ours against the default taxonomy.
type SchemaOptions struct {
	Taxonomy  *flow.Taxonomy // nil: [flow.DefaultTaxonomy]
	Foreign   bool           // from outside: it declares places, and its labels can only raise
	Contracts []*Contract    // what x-scrim-field refers to
	MaxDepth  int            // of nested subschemas; 0: 64
	MaxStates int            // of the compiled table; 0: 20,000
}

// Schema is a compiled JSON Schema. It implements [json.Matcher]; states of one schema mean nothing to another.
// It is immutable and safe for concurrent use.
type Schema struct {
	name   string
	tax    *flow.Taxonomy
	opt    SchemaOptions
	roots  []*node
	states []state // by json.State
}

// The states that every schema has.
const (
	undeclared          json.State = iota // nothing declares the place, nor anything within it
	undeclaredDroppable                   // the same, within an object whose extras may be dropped
	firstDeclared
)

// state is one row of the table.
type state struct {
	info     Info
	members  map[string]json.State
	patterns []*regexp.Regexp
	byMask   []json.State // by which of the patterns a name matches; [0]: none
	prefix   []json.State
	items    json.State
	must     []*node // all must accept a value
	may      []*node // and one of these, if there are any
}

// Root returns the state of the whole document.
func (s *Schema) Root() json.State { return firstDeclared }

// Member returns the state of an object's member. It does not allocate.
func (s *Schema) Member(parent json.State, key []byte) json.State {
	if int(parent) >= len(s.states) || parent < 0 {
		return undeclared
	}
	st := &s.states[parent]
	if next, ok := st.members[string(key)]; ok {
		return next
	}
	mask := 0
	for i, p := range st.patterns {
		if p.Match(key) {
			mask |= 1 << i
		}
	}
	return st.byMask[mask]
}

// Element returns the state of an array's element. It does not allocate.
func (s *Schema) Element(parent json.State, index int) json.State {
	if int(parent) >= len(s.states) || parent < 0 {
		return undeclared
	}
	st := &s.states[parent]
	if index >= 0 && index < len(st.prefix) {
		return st.prefix[index]
	}
	return st.items
}

// Info returns what is known of a place. It is never nil, and must not be changed.
func (s *Schema) Info(st json.State) *Info {
	if int(st) >= len(s.states) || st < 0 {
		return &s.states[undeclared].info
	}
	return &s.states[st].info
}

// Name returns the name that [ParseSchema] was given.
func (s *Schema) Name() string { return s.name }

// States returns how many states the schema has.
func (s *Schema) States() int { return len(s.states) }
