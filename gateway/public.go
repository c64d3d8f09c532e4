package gateway

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// Transparent is an explicit entry that labels places public. It is for conformance runs and benchmarks and for what
// really is public; it is never a default.
type Transparent struct {
	Agent flow.AgentID // whose messages, those to it and those from it; "*": every agent's
	Path  string       // a JSON Pointer into the message; "*" stands for any name or index, "**" at its end for the place and all below it
}

// Passes reports whether configuration declares all that goes to and comes from the agent public.
func (s *Snapshot) Passes(a flow.AgentID) bool {
	_, all := s.transparent(a)
	return all
}

// placePattern is a [Transparent.Path] taken apart.
type placePattern struct {
	segments []string
	below    bool // it ended with "**"
}

// transparent returns the patterns of what is public in messages to or from the agent; all is true where it is everything.
func (s *Snapshot) transparent(a flow.AgentID) (open []placePattern, all bool) {
	for _, t := range s.Transparent {
		if t.Agent != a && t.Agent != "*" {
			continue
		}
		p := placePattern{segments: strings.Split(strings.TrimPrefix(t.Path, "/"), "/")}
		if last := len(p.segments) - 1; p.segments[last] == "**" {
			p.segments, p.below = p.segments[:last], true
		}
		if p.below && len(p.segments) == 0 {
			return nil, true
		}
		open = append(open, p)
	}
	return open, false
}

// match says whether the pattern opens a place with all that it holds, opens its own value alone, or leads to places
// below it.
func (p placePattern) match(place []string) (all, alone, above bool) {
	for i := range min(len(p.segments), len(place)) {
		if p.segments[i] != "*" && p.segments[i] != place[i] {
			return false, false, false
		}
	}
	if len(place) < len(p.segments) {
		return false, false, true
	}
	return p.below, !p.below && len(place) == len(p.segments), false
}

// isPublic reports whether configuration opens a node with all that it holds. Places are those of the message itself:
// JSON within one of its texts has none of its own.
func (c *collector) isPublic(v *view, n int) bool {
	if c.public || len(c.open) == 0 || v.parent != nil {
		return c.public
	}
	node := &v.doc.Nodes[n]
	leaf := node.Kind != json.Object && node.Kind != json.Array
	place := segments(v.doc, n)
	return slices.ContainsFunc(c.open, func(p placePattern) bool {
		all, alone, _ := p.match(place)
		return all || alone && leaf
	})
}

// holdsPublic reports whether configuration opens places within a node, though not the node.
func (c *collector) holdsPublic(v *view, n int) bool {
	if len(c.open) == 0 || v.parent != nil {
		return false
	}
	place := segments(v.doc, n)
	return slices.ContainsFunc(c.open, func(p placePattern) bool {
		_, _, above := p.match(place)
		return above
	})
}

func segments(d *json.Doc, n int) []string {
	p := string(d.Pointer(n, nil))
	if p == "" {
		return nil
	}
	return strings.Split(p[1:], "/")
}
