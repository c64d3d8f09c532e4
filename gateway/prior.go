package gateway

import (
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
	l, ok := detect.Prior(value, detect.MemberNames(v.doc, n, room[:0])...)
	if !ok {
		return looks
	}
	if class, known := c.m.Snapshot.Taxonomy.Class(l); !known || class.Tier > flow.Confidential {
		return looks
	}
	return c.m.Snapshot.Taxonomy.Stricter(looks, l)
}
