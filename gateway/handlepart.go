package gateway

import (
	"bytes"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/wire"
)

// handlePart is a part of a message that may go by reference, or is one.
type handlePart struct {
	node    int
	content int // what the part carries: a text, data or bytes; -1: nothing that could go by reference
	media   string
	mark    bool          // its sender wants it to go by reference
	life    time.Duration // that its sender names; 0: none
	uses    int           // the same
	kept    *flow.Handle  // it is a reference of this gateway's to the same recipient
	foreign *flow.Handle  // it is one of another gateway

	goes *goingHandle // it goes by reference
}

// Of one message: how many parts may go by reference, and how many references are looked up.
const (
	maxHandleParts = 64
	maxKeptHandles = 64
)

// findParts lists the parts of the message that a reference could stand for. Where nothing could ask for one, there is nothing to find.
func (c *collector) findParts(v *view) error {
	c.byHandle = nil
	if c.m.watched() {
		return nil
	}
	mention := bytes.Contains(c.m.Body, []byte("handle")) || bytes.Contains(c.m.Body, []byte(flow.HandleScheme))
	if !mention && !c.m.redeeming && !c.m.Snapshot.Policy.Handles() && c.byReference() == nil {
		return nil
	}
	t, d := c.m.Table, v.doc
	for n := 0; n < len(d.Nodes) && len(c.byHandle) < maxHandleParts; n++ {
		node := &d.Nodes[n]
		if node.Kind != json.Object || node.KeyStart >= 0 || !t.Rooted(node.State) || !isPart(t, node.State, c.m.Query.Flow.Direction) {
			continue
		}
		p := c.partAt(d, n)
		if !c.m.redeeming {
			if err := c.keptAt(d, &p); err != nil {
				return err
			}
			c.foreignAt(d, &p)
		}
		if p.content >= 0 || p.kept != nil || p.foreign != nil {
			c.byHandle = append(c.byHandle, p)
		}
		n = int(node.Next) - 1
	}
	return nil
}

// byReference is what configuration says of the sender's parts, nil if nothing.
func (c *collector) byReference() *ByReference {
	from := c.m.Query.Flow.From
	a := c.m.Snapshot.Agents[from.Agent]
	if a == nil || a.Party.Domain != from.Domain || a.ByReference.Over <= 0 && len(a.ByReference.Media) == 0 {
		return nil
	}
	return &a.ByReference
}

// isPart reports whether a place is a part of a message or artifact of A2A, or a block of what an MCP tool answered.
func isPart(t *wire.Table, st json.State, dir flow.Direction) bool {
	path := t.Path(st)
	return strings.HasSuffix(path, "/parts/*") || dir == flow.Response && path == "result/content/*" && t.Takes(st, "uri")
}

// partAt reads a part.
func (c *collector) partAt(d *json.Doc, n int) handlePart {
	p := handlePart{node: n, content: -1}
	for child := range d.Children(n) {
		switch key := string(d.Key(child)); c.m.Table.Role(d.Nodes[child].State) {
		case wire.Text:
			if key == "text" {
				p.carries(child, "text/plain")
			}
		case wire.Data:
			p.carries(child, "application/json")
		case wire.Bytes:
			p.carries(child, c.mediaOf(d, child))
		case wire.Structure:
			if key == "file" || key == "resource" {
				c.within(d, child, &p)
			}
		case wire.Metadata:
			if key == "metadata" || key == "_meta" {
				p.read(d, child)
			}
		}
	}
	if p.content >= 0 && (c.m.Snapshot.Handles.Unmarked || !p.mark) {
		p.mark, p.life, p.uses = false, 0, 0
	}
	return p
}

// within reads a file in an object of its own.
func (c *collector) within(d *json.Doc, obj int, p *handlePart) {
	for child := range d.Children(obj) {
		switch c.m.Table.Role(d.Nodes[child].State) {
		case wire.Text, wire.Bytes:
			p.carries(child, c.mediaOf(d, child))
		}
	}
}

func (p *handlePart) carries(n int, media string) {
	if p.content != -1 {
		p.content, p.media = -2, "" // two contents: not for us to say which
		return
	}
	p.content, p.media = n, media
}

// read takes the sender's mark out of a part's metadata: true, or an object that may name a shorter life and fewer uses.
func (p *handlePart) read(d *json.Doc, metadata int) {
	for _, name := range []string{card.PrivacyExtension, wire.MetaNote} {
		ext, ok := d.Member(metadata, name)
		if !ok || d.Nodes[ext].Kind != json.Object {
			continue
		}
		n, ok := d.Member(ext, "handle")
		if !ok {
			continue
		}
		switch d.Nodes[n].Kind {
		case json.True:
			p.mark = true
		case json.Object:
			p.mark = true
			if s, ok := d.Member(n, "seconds"); ok {
				p.life = time.Duration(smallNumber(d, s)) * time.Second
			}
			if u, ok := d.Member(n, "uses"); ok {
				p.uses = smallNumber(d, u)
			}
		}
	}
}

// smallNumber reads a number from 1 to a million. Anything else is 1: whoever bounds something in a way that cannot be read means a bound.
func smallNumber(d *json.Doc, n int) int {
	raw := d.Raw(n)
	v := 0
	for _, ch := range raw {
		if ch < '0' || ch > '9' || len(raw) > 7 {
			return 1
		}
		v = 10*v + int(ch-'0')
	}
	return max(1, min(v, 1_000_000))
}

// keptAt looks whether a part is a reference that this gateway made for the same recipient: an answer that is given again, or goes down the
// road once more, has some. It passes as it was made, whatever else the part holds. A reference for anybody else is an address like any.
func (c *collector) keptAt(d *json.Doc, p *handlePart) error {
	uri := -1
	for _, name := range []string{"url", "uri", "text"} {
		if n, ok := d.Member(p.node, name); ok && d.Nodes[n].Kind == json.String {
			uri = n
			break
		}
	}
	if file, ok := d.Member(p.node, "file"); ok && uri < 0 && d.Nodes[file].Kind == json.Object {
		if n, ok := d.Member(file, "uri"); ok && d.Nodes[n].Kind == json.String {
			uri = n
		}
	}
	if uri < 0 || d.Nodes[uri].End-d.Nodes[uri].Start > 2048 {
		return nil
	}
	id := HandleID(d.Text(uri))
	if id == "" || c.keptSeen >= maxKeptHandles {
		return nil
	}
	c.keptSeen++
	head, expires, uses, err := c.g.handleHead(c.ctx, id)
	if err != nil {
		return refuse(RuleInternal, c.pointer(c.views[0], p.node), err, "The gateway could not look for a reference, so the flow did not happen.")
	}
	to := c.m.Query.Flow.To
	if head == nil || !expires.After(c.g.now()) || head.Flow.To.Agent != to.Agent || head.Flow.To.Domain != to.Domain || head.Flow.Task.ID != c.m.Query.Flow.Task.ID {
		return nil
	}
	h := flow.Handle{Ref: flow.HandleScheme + id, Media: head.Media, Size: head.Size, Expires: expires, Uses: max(0, uses)}
	if url := c.handleURL(id); url != h.Ref {
		h.URL = url
	}
	p.kept, p.content = &h, -1
	return nil
}

// keptPart returns the reference that begins at a node, nil where none does.
func (c *collector) keptPart(n int) *handlePart {
	for i := range c.byHandle {
		if p := &c.byHandle[i]; p.node == n && (p.kept != nil || p.foreign != nil) {
			return p
		}
	}
	return nil
}

// topNode is the node of the message itself in which a target lies.
func topNode(v *view, n int) int {
	for v.parent != nil {
		v, n = v.parent, v.node
	}
	return n
}

// lies reports whether the target of a leaf lies within a value of the message.
func (c *collector) lies(i, n int) bool {
	t := &c.targets[i]
	at := topNode(t.view, t.node)
	return at >= n && at < int(c.views[0].doc.Nodes[n].Next) && t.kind != declared
}

// ableAlone reports whether a part can be looked at by itself as it is in its message: all of it is there, and nothing in it goes on in another.
func (c *collector) ableAlone(p *handlePart) bool {
	d := c.views[0].doc
	for at := p.node; at > 0; at = int(d.Nodes[at].Parent) {
		if string(d.Key(at)) != "artifact" || c.m.Table.Path(d.Nodes[at].State) == "" {
			continue
		}
		update := int(d.Nodes[at].Parent)
		if more, ok := d.Member(update, "append"); ok && d.Nodes[more].Kind == json.True {
			return false
		}
		last, ok := d.Member(update, "lastChunk")
		return ok && d.Nodes[last].Kind == json.True
	}
	for i := range c.texts {
		at := &c.texts[i]
		if !c.lies(at.leaf, p.node) {
			continue
		}
		for j := range at.parts {
			if at.parts[j].cross != nil {
				return false
			}
		}
	}
	return true
}
