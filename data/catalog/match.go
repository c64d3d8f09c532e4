package catalog

import (
	"maps"
	"slices"

	"github.com/scrimhq/scrim/data/json"
)

// Discriminators returns the top-level members that must have one given text (const, or an enum of one), by name.
func (s *Schema) Discriminators() map[string]string {
	out := map[string]string{}
	s.topLevel(func(name string, n *node) {
		if v, ok := n.single(); ok && v.kind == json.String {
			out[name] = v.text
		}
	})
	return out
}

// Matches reports whether value n of d is an object that has every top-level member that the schema requires, with
// the given value where there is only one. It needs no states in d.
//
// The one who sends a document chooses by this which schema describes it. So a schema that labels a place less
// strictly than another bound to the same data must differ from it in a member that the sender cannot choose.
func (s *Schema) Matches(d *json.Doc, n int) bool {
	if d.Nodes[n].Kind != json.Object {
		return false
	}
	fits := true
	for root := range s.mandatory() {
		for _, name := range root.required {
			_, ok := d.Member(n, name)
			fits = fits && ok
		}
	}
	s.topLevel(func(name string, sub *node) {
		want, single := sub.single()
		if at, ok := d.Member(n, name); ok && single {
			text := string(d.Raw(at))
			if want.kind == json.String {
				text = d.Text(at)
			}
			fits = fits && want.equal(d.Nodes[at].Kind, text)
		}
	})
	return fits
}

// Select returns the schema that matches with most discriminators, the first of those that have as many, or nil if
// none matches.
func Select(schemas []*Schema, d *json.Doc, n int) *Schema {
	var best *Schema
	most := -1
	for _, s := range schemas {
		if s.Matches(d, n) && len(s.Discriminators()) > most {
			best, most = s, len(s.Discriminators())
		}
	}
	return best
}

// mandatory yields the subschemas that hold for the root, alternatives apart.
func (s *Schema) mandatory() map[*node]bool {
	out := map[*node]bool{}
	var visit func(n *node)
	visit = func(n *node) {
		if n == nil || out[n] {
			return
		}
		out[n] = true
		visit(n.ref)
		for _, sub := range n.all {
			visit(sub)
		}
	}
	for _, r := range s.roots {
		visit(r)
	}
	return out
}

func (s *Schema) topLevel(each func(name string, n *node)) {
	for root := range s.mandatory() {
		for _, name := range slices.Sorted(maps.Keys(root.props)) {
			each(name, root.props[name])
		}
	}
}

// single returns the only value that the node allows, if there is one.
func (n *node) single() (scalar, bool) {
	if n.checks.hasEnum && len(n.checks.enum) == 1 && n.checks.enum[0].kind < json.Array {
		return n.checks.enum[0], true
	}
	return scalar{}, false
}
