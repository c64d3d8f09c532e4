package catalog

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// ErrTooLarge is returned by [Merge] where the schemas together have too many states. [ParseSchema] says so in a mistake.
var ErrTooLarge = errors.New("the schema is too large")

var errPatterns = errors.New("more than 6 patternProperties hold for one place")

const maxPatterns = 6 // a place has a state for each set of them that a name can match

// source is one subschema that holds for a place, with what it takes over from around it.
type source struct {
	node *node
	alt  bool // only one of several alternatives
	from inherited
}

// inherited is what an object or array says for everything declared within.
type inherited struct {
	label   flow.Label
	need    flow.Treatment
	hasNeed bool
	subject string // absolute pointers only
	unit    string
	field   *Field // the column that the place lies in
}

// spot is a place before it is compiled: what holds there, and how its parent came to it.
type spot struct {
	sources  []source
	named    bool
	required bool
	sibling  string // relative pointer to the unit column beside it
}

type compiler struct {
	tax    *flow.Taxonomy
	opt    SchemaOptions
	ids    map[*node]uint64
	froms  map[inherited]uint64
	known  map[string]json.State
	queue  []spot
	states []state
	work   int
	err    error
}

// compile makes the table of states: breadth first, one state for each distinct set of subschemas.
func compile(name string, roots []*node, opt SchemaOptions) (*Schema, error) {
	c := &compiler{tax: opt.Taxonomy, opt: opt, ids: map[*node]uint64{}, froms: map[inherited]uint64{}, known: map[string]json.State{}}
	c.states = []state{blank(undeclared, false), blank(undeclaredDroppable, true)}
	var first spot
	for _, r := range roots {
		first.sources = append(first.sources, source{node: r})
	}
	first.named = true
	if got := c.intern(first); got == undeclared { // the schema "false"
		c.states = append(c.states, blank(undeclared, false))
	}
	for i := 0; i < len(c.queue) && c.err == nil; i++ {
		c.fill(firstDeclared+json.State(i), c.queue[i])
	}
	if c.err != nil {
		return nil, c.err
	}
	return &Schema{name: name, tax: opt.Taxonomy, roots: roots, states: c.states, opt: opt}, nil
}

// blank is a state of which nothing is declared; self is where everything within it leads.
func blank(self json.State, droppable bool) state {
	return state{info: Info{Droppable: droppable}, byMask: []json.State{self}, items: self}
}

// intern returns the state of a spot, new or known.
func (c *compiler) intern(s spot) json.State {
	s.sources = slices.DeleteFunc(s.sources, func(src source) bool { return src.node.never })
	if len(s.sources) == 0 {
		return undeclared
	}
	key := c.key(s)
	if st, ok := c.known[key]; ok {
		return st
	}
	st := json.State(len(c.states))
	if len(c.states) > c.opt.MaxStates {
		c.err = ErrTooLarge
		return undeclared
	}
	c.known[key] = st
	c.states = append(c.states, state{})
	c.queue = append(c.queue, s)
	return st
}

func (c *compiler) key(s spot) string {
	rows := make([][3]uint64, len(s.sources))
	for i, src := range s.sources {
		alt := uint64(0)
		if src.alt {
			alt = 1
		}
		rows[i] = [3]uint64{number(c.ids, src.node), number(c.froms, src.from), alt}
	}
	slices.SortFunc(rows, func(a, b [3]uint64) int { return slices.Compare(a[:], b[:]) })
	rows = slices.Compact(rows)
	key := []byte{0, 0}
	if s.named {
		key[0] = 1
	}
	if s.required {
		key[1] = 1
	}
	for _, r := range rows {
		for _, v := range r {
			key = binary.AppendUvarint(key, v)
		}
	}
	return string(key) + "|" + s.sibling
}

// number gives each key a number of its own.
func number[K comparable](m map[K]uint64, k K) uint64 {
	n, ok := m[k]
	if !ok {
		n = uint64(len(m))
		m[k] = n
	}
	return n
}

// expand returns the sources with everything else that holds for the same place: $ref, allOf, and alternatives.
func (c *compiler) expand(sources []source) []source {
	type seen struct {
		node *node
		from inherited
	}
	at := map[seen]int{}
	var out []source
	var visit func(src source)
	visit = func(src source) {
		if src.node == nil || src.node.never {
			return
		}
		c.work++
		if c.work > 100*c.opt.MaxStates {
			c.err = ErrTooLarge
		}
		if c.err != nil {
			return
		}
		k := seen{src.node, src.from}
		if i, ok := at[k]; ok && (src.alt || !out[i].alt) {
			return
		} else if ok {
			out[i].alt = false
		} else {
			at[k] = len(out)
			out = append(out, src)
		}
		n, from := src.node, within(src)
		visit(source{n.ref, src.alt, from})
		for _, sub := range n.all {
			visit(source{sub, src.alt, from})
		}
		for _, group := range n.alts {
			for _, sub := range group {
				visit(source{sub, true, from})
			}
		}
		for _, sub := range n.some {
			visit(source{sub, true, from})
		}
	}
	for _, src := range sources {
		visit(src)
	}
	return out
}

// within is what holds for everything declared within the source.
func within(src source) inherited {
	n, in := src.node, src.from
	if n.label != "" {
		in.label = n.label
	}
	if n.need != nil {
		in.need, in.hasNeed = *n.need, true
	}
	if strings.HasPrefix(n.subject, "/") {
		in.subject = n.subject
	}
	if n.unit != "" {
		in.unit = n.unit
	}
	if n.field != nil {
		in.field = n.field
	}
	return in
}

// fill compiles one state.
func (c *compiler) fill(at json.State, s spot) {
	all := c.expand(s.sources)
	st := state{info: c.info(s, all)}
	for _, src := range s.sources {
		if src.alt {
			st.may = append(st.may, src.node)
		} else {
			st.must = append(st.must, src.node)
		}
	}
	rest := undeclared
	if st.info.Droppable {
		rest = undeclaredDroppable
	}
	c.members(&st, all, rest)
	c.elements(&st, all, rest)
	c.states[at] = st
}

// members compiles what lies within an object.
func (c *compiler) members(st *state, all []source, rest json.State) {
	names := map[string]bool{} // and whether required
	var patterns []patternNode
	for _, src := range all {
		for name := range src.node.props {
			names[name] = names[name] || false
		}
		for _, p := range src.node.patterns {
			if !slices.ContainsFunc(patterns, func(q patternNode) bool { return q.re.String() == p.re.String() }) {
				patterns = append(patterns, p)
			}
		}
	}
	for _, src := range all {
		for _, name := range src.node.required {
			if _, ok := names[name]; ok {
				names[name] = true
			}
		}
	}
	if len(patterns) > maxPatterns {
		c.err = errPatterns
		return
	}
	units := c.unitColumns(all)
	st.members = make(map[string]json.State, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		next := spot{sources: memberSources(all, &name, func(p patternNode) bool { return p.re.MatchString(name) }), named: true, required: names[name]}
		next.sibling = sibling(next.sources, units)
		st.members[name] = c.or(c.intern(next), rest)
		c.work++
	}
	for _, p := range patterns {
		st.patterns = append(st.patterns, p.re)
	}
	st.byMask = make([]json.State, 1<<len(patterns))
	for mask := range st.byMask {
		matches := func(p patternNode) bool {
			i := slices.IndexFunc(patterns, func(q patternNode) bool { return q.re.String() == p.re.String() })
			return mask&(1<<i) != 0
		}
		next := spot{sources: memberSources(all, nil, matches)}
		st.byMask[mask] = c.or(c.intern(next), rest)
	}
}

func (*compiler) or(st, rest json.State) json.State {
	if st == undeclared {
		return rest
	}
	return st
}

// memberSources returns what holds for the member called name; nil is a name that no properties list.
func memberSources(all []source, name *string, matches func(patternNode) bool) []source {
	var out []source
	for _, src := range all {
		n, from := src.node, within(src)
		found := false
		if name != nil && n.props[*name] != nil {
			out, found = append(out, source{n.props[*name], src.alt, from}), true
		}
		for _, p := range n.patterns {
			if matches(p) {
				out, found = append(out, source{p.node, src.alt, from}), true
			}
		}
		if !found && n.additional != nil {
			out = append(out, source{n.additional, src.alt, from})
		}
	}
	return out
}

// elements compiles what lies within an array.
func (c *compiler) elements(st *state, all []source, rest json.State) {
	longest := 0
	for _, src := range all {
		longest = max(longest, len(src.node.prefix))
	}
	for i := range longest + 1 {
		next := spot{named: true}
		for _, src := range all {
			sub := src.node.items
			if i < len(src.node.prefix) {
				sub = src.node.prefix[i]
			}
			if sub != nil {
				next.sources = append(next.sources, source{sub, src.alt, within(src)})
			}
		}
		got := c.or(c.intern(next), rest)
		if i < longest {
			st.prefix = append(st.prefix, got)
		} else {
			st.items = got
		}
	}
}

// unitColumns returns the member that holds the unit column, by dataset.
func (c *compiler) unitColumns(all []source) map[string]string {
	var units map[string]string
	for _, src := range all {
		for name, sub := range src.node.props {
			if f := fieldOf(sub); f != nil && f.IsUnit {
				if units == nil {
					units = map[string]string{}
				}
				if old, ok := units[f.Dataset]; !ok || name < old {
					units[f.Dataset] = name
				}
			}
		}
	}
	return units
}

// fieldOf returns the contract's field that a node names itself or through one $ref.
func fieldOf(n *node) *Field {
	if n.field == nil && n.ref != nil {
		return n.ref.field
	}
	return n.field
}

func sibling(sources []source, units map[string]string) string {
	for _, src := range sources {
		if f := fieldOf(src.node); f != nil && units[f.Dataset] != "" {
			return "../" + escapePointer(units[f.Dataset])
		}
	}
	return ""
}

func escapePointer(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
