package gateway

import (
	"slices"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
)

// observe reports what learn mode saw of a message.
func (g *Gateway) observe(c *changer) {
	if g.hooks.Watch == nil {
		return
	}
	o := Observation{Owner: c.m.Owner, Leaves: slices.Clone(c.leaves)}
	for _, d := range c.dropped {
		for n := d.node; n < int(d.view.doc.Nodes[d.node].Next); n++ {
			if k := d.view.doc.Nodes[n].Kind; k != json.Object && k != json.Array {
				o.Undeclared = append(o.Undeclared, c.guess(d.view, n))
			}
		}
	}
	g.hooks.Watch(c.m.Query.Flow, o)
}

// guess finds the label that an undeclared place seems to have: by the words around it, or by what is found in it.
func (c *changer) guess(v *view, n int) Guess {
	known := func(n int) bool {
		if v.info != nil && v.info[n] != nil && v.info[n].Named || v.parent == nil && c.m.Table.Rooted(v.doc.Nodes[n].State) {
			return true
		}
		_, ok := detect.HintLabel(string(v.doc.Key(n)))
		return ok
	}
	out := Guess{Path: v.doc.Pointer(n, known)}
	if v.parent != nil {
		out.Path = c.pointer(v.parent, v.node) + "#" + out.Path
	}
	if v.doc.Nodes[n].KeyStart >= 0 {
		out.Label, _ = detect.HintLabel(string(v.doc.Key(n)))
	}
	if v.doc.Nodes[n].Kind != json.String {
		return out
	}
	found, err := c.detector().Find(c.ctx, v.doc.Text(n), nil)
	if err != nil {
		return out // the context is done; nothing is lost but a guess
	}
	for _, f := range found {
		if l := c.m.Snapshot.Taxonomy.Stricter(out.Label, f.Label); f.Label != flow.Unlabelled && l != out.Label {
			out.Label, out.InText = l, true
		}
	}
	return out
}
