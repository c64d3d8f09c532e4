package gateway

import (
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
)

// prior returns the stricter of what a value was found to be and what the names around it say, where nothing labels it. The
// names never make a value milder: they are one more thing that it looks like.
func (c *collector) prior(v *view, n int, leaf *flow.Leaf, value string, looks flow.Label) flow.Label {
	if leaf.Label != flow.Unlabelled {
		return looks
	}
	var room [5]string
	l, ok := detect.Prior(value, around(v.doc, n, room[:0])...)
	if !ok {
		return looks
	}
	if class, known := c.m.Snapshot.Taxonomy.Class(l); !known || class.Tier > flow.Confidential {
		return looks
	}
	return c.m.Snapshot.Taxonomy.Stricter(looks, l)
}

// pairName are the members that name what a sibling called one of pairValue holds.
var (
	pairName  = []string{"key", "name", "field", "label", "type", "attribute", "property", "system"}
	pairValue = map[string]bool{"value": true, "val": true, "v": true, "values": true, "text": true, "content": true}
)

// around appends the names around a value, nearest first: a sibling that names it ({"key": "email", "value": …}), its own, and
// those of the objects around it. An element of an array has an empty name.
func around(d *json.Doc, n int, names []string) []string {
	for at, steps := n, 0; at > 0 && steps < 3; at, steps = int(d.Nodes[at].Parent), steps+1 {
		if d.Nodes[at].KeyStart < 0 {
			names = append(names, "")
			continue
		}
		own := string(d.Key(at))
		if pairValue[strings.ToLower(own)] {
			if said := sibling(d, at); said != "" {
				names = append(names, said)
				continue
			}
		}
		names = append(names, own)
	}
	return names
}

// sibling returns what the object says that its value is.
func sibling(d *json.Doc, n int) string {
	parent := int(d.Nodes[n].Parent)
	if int(d.Nodes[parent].Next)-parent > 64 {
		return "" // a pair has few members
	}
	for child := range d.Children(parent) {
		if child == n || d.Nodes[child].Kind != json.String || d.Nodes[child].End-d.Nodes[child].Start > 66 {
			continue
		}
		key := string(d.Key(child))
		for _, name := range pairName {
			if strings.EqualFold(key, name) {
				if said := d.Text(child); hints(said) {
					return said
				}
			}
		}
	}
	return ""
}

func hints(name string) bool {
	_, ok := detect.HintLabel(name)
	return ok
}
