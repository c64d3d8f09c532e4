package catalog

import (
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Merge returns a schema that declares what either does. Labels of foreign only raise those of own; where own gives
// none, the place stays [flow.Unlabelled]. Needs meet. Either may be nil. It returns [ErrTooLarge] where the two
// together exceed own's limit of states.
func Merge(own, foreign *Schema) (*Schema, error) {
	if own == nil || foreign == nil {
		if own == nil {
			own = foreign
		}
		return own, nil
	}
	opt := own.opt
	opt.MaxStates = max(opt.MaxStates, foreign.opt.MaxStates)
	roots := append(append([]*node(nil), own.roots...), foreign.roots...)
	return compile(own.name+" + "+foreign.name, roots, opt)
}

// Transparent returns a schema that declares the places that patterns match, and labels them [flow.PublicData].
// A pattern is a JSON Pointer in which "*" stands for any name or index, and "**" at its end for everything from
// there down: "/**" is the whole document, "/a/**" the member a with all it holds.
func Transparent(patterns ...string) (*Schema, error) {
	var ms Mistakes
	var roots []*node
	for _, p := range patterns {
		if err := checkPattern(p); err != "" {
			ms = append(ms, Mistake{File: "transparent", Place: p, Message: err})
			continue
		}
		roots = append(roots, patternNodes(p, strings.Split(p[1:], "/")))
	}
	if len(ms) > 0 {
		return nil, ms
	}
	opt := SchemaOptions{Taxonomy: flow.DefaultTaxonomy(), MaxDepth: 64, MaxStates: 20_000}
	s, err := compile("transparent", roots, opt)
	if err != nil {
		return nil, Mistakes{{File: "transparent", Message: err.Error()}}
	}
	return s, nil
}

func checkPattern(p string) string {
	if !strings.HasPrefix(p, "/") {
		return "a pattern begins with /"
	}
	segs := strings.Split(p[1:], "/")
	for i, seg := range segs {
		if seg == "**" && i != len(segs)-1 {
			return "** may stand at the end only"
		}
	}
	return ""
}

// patternNodes makes the subschemas of one pattern.
func patternNodes(place string, segs []string) *node {
	n := &node{place: place, checks: checks{maxLen: -1}}
	public := &node{place: place, label: flow.PublicData, checks: checks{maxLen: -1}}
	if len(segs) == 0 {
		return public
	}
	if segs[0] == "**" {
		public.additional, public.items = public, public
		return public
	}
	next := patternNodes(place, segs[1:])
	if segs[0] == "*" {
		n.additional, n.items, n.names = next, next, public
		return n
	}
	n.props = map[string]*node{unescapePointer(segs[0]): next}
	return n
}
