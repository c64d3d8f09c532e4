package gateway

import (
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
)

// withheldURI stands for an address that may not be shown where the protocol wants one.
const withheldURI = "urn:scrim:withheld"

// isLink reports whether the target is an address or a name in MCP beside which no text could stand: an entry of a list,
// a picture, a page, rather than a file that is part of a message.
func (c *changer) isLink(t *target) bool {
	v, n := t.view, t.node
	role := c.m.Table.Role(v.doc.Nodes[n].State)
	if v.parent != nil || role == wire.Bytes || !strings.HasPrefix(c.m.Query.Flow.Protocol, "mcp") {
		return false
	}
	parent := int(v.doc.Nodes[n].Parent)
	if parent < 0 {
		return false
	}
	if role == wire.FileName {
		return string(v.doc.Key(n)) == "name"
	}
	return v.doc.Nodes[parent].Kind == json.Array || !c.m.Table.Takes(v.doc.Nodes[parent].State, "text")
}

// link carries out the terms of such a place. There is no half of an address: in a request it cannot be left out, in a
// list a word stands in its place, and a picture goes with all others of its list.
func (c *changer) link(t *target, terms *flow.LeafTerms) error {
	v, n := t.view, t.node
	node := &v.doc.Nodes[n]
	list := -1
	if string(v.doc.Key(n)) == "src" {
		list = int(v.doc.Nodes[node.Parent].Parent)
	}
	switch {
	case list >= 0 && v.doc.Nodes[list].Kind == json.Array:
		if !c.gone[list] {
			if c.gone == nil {
				c.gone = map[int]bool{}
			}
			c.gone[list] = true
			v.edits.Remove(list)
		}
	case string(v.doc.Key(n)) == "websiteUrl":
		v.edits.Remove(n)
	case c.m.Table.Role(node.State) == wire.FileName && c.m.Query.Flow.Direction == flow.Request:
		v.edits.Remove(n)
	case c.m.Query.Flow.Direction == flow.Request || c.m.Table.Path(node.State) == "params/uri":
		return refuse(RulePolicy, c.pointer(v, n), nil, "%s", c.why(terms)) // what is asked for cannot be asked for in part
	case c.m.Table.Role(node.State) == wire.FileName:
		v.edits.ReplaceText(n, "[file]")
	default:
		v.edits.ReplaceText(n, withheldURI)
	}
	return nil
}
