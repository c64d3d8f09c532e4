package gateway

import (
	"net/url"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/privacy/detect"
)

// detector is that of the snapshot which decides the message.
func (c *collector) detector() *detect.Engine {
	if d := c.m.Snapshot.Detector; d != nil {
		return d
	}
	return c.g.detector
}

// look runs detection over the structured values, names and addresses that were listed since it was last called. It
// comes after the walk, so that a value known from one place, or from an earlier message of the task, is found in every other.
func (c *collector) look() error {
	for ; c.looked < len(c.targets); c.looked++ {
		t, leaf := &c.targets[c.looked], &c.leaves[c.looked]
		switch {
		case t.stand != nil, t.kind == wholeText, t.kind == textSpan, t.kind == declared, leaf.Label == flow.OpaqueFile:
			continue
		case t.kind == wholeValue: // what it looks like was seen on the walk
			if c.set != nil && t.view.doc.Nodes[t.node].Kind == json.String {
				c.raiseKnown(leaf, t.value)
			}
			continue
		}
		if err := c.raise(leaf, t.value, c.set); err != nil {
			return err
		}
		if t.kind == filePart {
			if plain, err := url.PathUnescape(t.value); err == nil && plain != t.value {
				if err := c.raise(leaf, plain, c.set); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// raise gives a leaf the stricter of its label and what is found in its value.
func (c *collector) raise(leaf *flow.Leaf, value string, known *detect.KnownSet) error {
	found, err := c.detector().AppendForms(c.ctx, c.found[:0], value, known)
	c.found = found[:0]
	if err != nil {
		return refuse(RuleInternal, leaf.Path, err, "The gateway could not look at this place, so the flow did not happen.")
	}
	c.looks = ""
	for i := range found {
		if l := c.m.Snapshot.Taxonomy.Stricter(leaf.Label, found[i].Label); l != leaf.Label {
			leaf.Label, leaf.Origin = l, flow.Detected
		}
		c.looks = c.m.Snapshot.Taxonomy.Stricter(c.looks, found[i].Label)
	}
	if class, _ := c.m.Snapshot.Taxonomy.Class(c.looks); leaf.Label != flow.Unlabelled || class.Tier > flow.Confidential {
		c.looks = "" // a label says more than a look, and what is internal by its look is not worth a word
	}
	return nil
}

// meetLooks holds unlabelled values to the terms of what they look like, too: whoever lets the unlabelled be shown does not
// mean an e-mail address that happens to be there.
func (c *changer) meetLooks() error {
	for i := range c.targets {
		looks := c.targets[i].looks
		if looks == "" || c.leaves[i].Label != flow.Unlabelled {
			continue
		}
		leaf := c.leaves[i]
		leaf.Label, leaf.Origin = looks, flow.Detected
		terms, err := c.g.Terms(c.m.Snapshot, c.m.Authority, c.m.Query, []flow.Leaf{leaf})
		if err != nil {
			return err
		}
		c.m.sentBy.meet(c.m.Snapshot.Taxonomy, []flow.Leaf{leaf}, terms.Leaves)
		class, _ := c.m.Snapshot.Taxonomy.Class(looks)
		if class.Family.Reveals(c.terms[i].Treatment, terms.Leaves[0].Treatment) {
			handle := c.terms[i].Handle
			c.leaves[i], c.terms[i] = leaf, terms.Leaves[0]
			if h := c.terms[i].Handle; h == 0 || handle > 0 && handle < h {
				c.terms[i].Handle = handle
			}
		}
	}
	return nil
}

// raiseKnown gives a leaf the stricter of its label and those of the known values in its value.
func (c *collector) raiseKnown(leaf *flow.Leaf, value string) {
	c.set.Each(value, func(k detect.Known) {
		if l := c.m.Snapshot.Taxonomy.Stricter(leaf.Label, k.Label); l != leaf.Label {
			leaf.Label, leaf.Origin = l, flow.Detected
		}
	})
}

// inIDs are the findings for which an identifier of the protocol is refused, beside listed words: identifiers pass as they are, so they
// must not hold what is protected elsewhere. Numbers alone are left out, since ids are made of them.
var inIDs = []string{detect.Email, detect.SSN, detect.IBAN, detect.KnownValue}

// lookAtIDs refuses a message whose identifiers or cursors hold a protected value.
func (c *collector) lookAtIDs(v *view) error {
	for i := range len(c.idNodes) + len(c.idNames) {
		n, text := 0, ""
		if i < len(c.idNodes) {
			n = c.idNodes[i]
			text = v.doc.Text(n)
		} else {
			n = c.idNames[i-len(c.idNodes)]
			text = string(v.doc.Key(n))
		}
		if drawn(text) || i < len(c.idNodes) && c.mapped(v, n) && parseSealed(text) != nil {
			continue // random digits, or a cipher's bytes that are sealed again: a short number would be found in them now and then
		}
		found, err := c.detector().AppendForms(c.ctx, nil, text, c.set)
		if err != nil {
			return refuse(RuleInternal, c.pointer(v, n), err, "The gateway could not look at this place, so the flow did not happen.")
		}
		for i := range found {
			class, _ := c.m.Snapshot.Taxonomy.Class(found[i].Label)
			if class.Tier <= flow.Confidential && (found[i].Listed() || slices.Contains(inIDs, found[i].Type)) {
				return refuse(RulePlace, c.pointer(v, n), nil, "An identifier holds a value that is protected; identifiers must say nothing.")
			}
		}
	}
	return nil
}

// mapped reports whether an identifier is another one for the recipient.
func (c *collector) mapped(v *view, n int) bool {
	switch c.m.Table.Role(v.doc.Nodes[n].State) {
	case wire.MessageID, wire.TaskID, wire.ContextID, wire.OtherID:
		return c.cross.crosses()
	}
	return false
}

// drawn reports whether an identifier has a form in which they are drawn at random.
func drawn(id string) bool {
	var b [16]byte
	return parseUUID(id, &b) || parseHex(id, &b)
}

// jsonLike reports whether a text as a whole means to be JSON, well-formed or not. "[person 3] is well" does not.
func jsonLike(text string) bool {
	s := strings.TrimLeft(text, "\ufeff \t\r\n")
	if len(s) == 0 {
		return false
	}
	rest := strings.TrimLeft(s[1:], " \t\r\n")
	switch s[0] {
	case '{':
		return rest == "" || strings.IndexByte("\"'}", rest[0]) >= 0 || strings.Contains(rest, `":`)
	case '[':
		return rest == "" || strings.ContainsRune(`"{[]`, rune(rest[0])) || strings.Contains(rest, `":`)
	case '"':
		return strings.HasPrefix(rest, "{") || strings.HasPrefix(rest, "[") || strings.HasPrefix(rest, `\`)
	}
	return false
}

// nested parses a text that is JSON, such as the text twin of an MCP tool's structured content. Opaque means that the
// text is meant to be JSON but is not to be read here: several documents, duplicate names, too deep, quoted twice. As
// prose it would pass though nothing declares it, so it does not.
func (c *collector) nested(text string, in *view) (v *view, opaque bool) {
	like := jsonLike(text)
	trimmed := strings.TrimLeft(text, " \t\r\n")
	if !like && (trimmed == "" || trimmed[0] != '[' && trimmed[0] != '{') {
		return nil, false
	}
	d := new(json.Doc)
	if err := d.Parse([]byte(text), nil, c.m.Snapshot.Limits); err != nil {
		return nil, like
	}
	switch d.Nodes[0].Kind {
	case json.Object, json.Array:
	default:
		return nil, like // a string that holds JSON once more
	}
	if len(d.Nodes) < 2 {
		return nil, false // "[]" and "{}" say nothing
	}
	if depth(in) >= 4 {
		return nil, true
	}
	return &view{doc: d, edits: d.Edit(), info: make([]*catalog.Info, len(d.Nodes)), schema: make([]*catalog.Schema, len(d.Nodes))}, false
}
