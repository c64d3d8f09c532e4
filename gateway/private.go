package gateway

import (
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// keepPrivate takes a result's permission to be shared and kept away, unless nothing in it depends on who is asking:
// what one caller is shown, be it unchanged, is not what another may see, nor what the same one may see tomorrow.
func (c *changer) keepPrivate(top *view) {
	if c.m.Cached == "" {
		return
	}
	at := findPath(top, c.m.Table, c.m.Cached)
	if at < 0 || top.doc.Nodes[at].Kind != json.Object {
		return
	}
	scope, ok := top.doc.Member(at, "cacheScope")
	if !ok || top.edits.Empty() && c.forEverybody() {
		return
	}
	if top.doc.Nodes[scope].Kind != json.String || top.doc.Text(scope) != "private" {
		top.edits.ReplaceText(scope, "private")
	}
	if ttl, ok := top.doc.Member(at, "ttlMs"); ok && string(top.doc.Raw(ttl)) != "0" {
		top.edits.Replace(ttl, []byte("0"))
	}
}

// forEverybody reports whether all that the message says is public. One that says nothing, such as an empty list, may
// say something to others.
func (c *changer) forEverybody() bool {
	if len(c.leaves) == 0 || c.m.Chosen && !c.public {
		return false
	}
	for i := range c.leaves {
		if class, _ := c.m.Snapshot.Taxonomy.Class(c.leaves[i].Label); class.Tier != flow.Public {
			return false
		}
	}
	return true
}
