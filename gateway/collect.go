package gateway

import (
	"context"
	"encoding/base64"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/vault"
)

// view is one JSON document of a message: the message itself, or JSON that stands in a text of it.
type view struct {
	doc    *json.Doc
	edits  *json.Edits
	info   []*catalog.Info // by node; nil outside structured content
	schema []*catalog.Schema
	parent *view
	node   int              // in parent's document: the string that holds this one
	form   *base64.Encoding // of that string, where it is a file; nil: it holds this document as it is
	signed []int            // nodes that a signature covers
}

// target is what a leaf's terms will be carried out on.
type target struct {
	view  *view
	node  int
	kind  targetKind
	value string     // what a stand-in would stand for
	doc   *document  // of a file that was read as a document: all leaves of it
	stand *standIn   // the value is nothing but a stand-in
	looks flow.Label // what an unlabelled value was found to be; "" if nothing
}

type targetKind uint8

const (
	wholeValue targetKind = iota // a scalar of structured content
	wholeText                    // the prose of a text outside its spans
	textSpan
	memberName
	filePart    // bytes, address or name of a file
	fetchedFile // address of a file whose content stands in for it
	declared    // what configuration declares public, all of it as one leaf
)

// collector lists the leaves of one message with their labels, in one walk.
type collector struct {
	g       *Gateway
	m       *Message
	ctx     context.Context
	views   []*view
	leaves  []flow.Leaf
	targets []target
	dropped []dropped // what no schema declares
	texts   []textAt  // prose, looked at once all structured values are known
	docs    []document
	known   []detect.Known
	set     *detect.KnownSet
	public  bool           // transparent: all of it
	open    []placePattern // transparent places
	ids     IDs
	task    *vault.Task
	batch   *vault.Batch
	idNodes []int // strings of the protocol that nothing is found in
	idNames []int // members whose names are such
	cross   passage
	said    []Mention // identifiers that were mapped
	outer   envelope
	looks   flow.Label       // of the value that was looked at last, where it has no label of its own
	looked  int              // targets that detection has seen
	found   []detect.Finding // memory for looking at short values
	earlier []flow.Note      // what gateways before this one said; their own notes are taken out

	about    namedLast   // whom the last value was about
	subjects []subjectAt // that a request names
	cameHome []opened    // of a request

	byHandle []handlePart // parts that may go by reference, or are references
	keptSeen int          // references that were looked up
}

// namedLast is a value that names a subject, with the subject's reference.
type namedLast struct {
	view *view
	node int
	unit string
	ref  flow.SubjectRef
}

type dropped struct {
	view *view
	node int
}

type textAt struct {
	view    *view
	node    int
	file    *fileText // the text is a file's, and stands here in base64; nil: it stands here as it is
	leaf    int       // index of the leaf that stands for the prose
	prose   string    // what of it is to be read as such
	parts   []part
	stream  *textStream // the text is still coming
	last    bool        // and ends with this piece
	nested  bool        // the text is JSON and was taken as such
	unread  bool        // a detector could not look at it, and it is to be taken out for that
	opaque  bool        // the text is meant to be JSON but cannot be read as such
	instead *string     // what stands here in place of the text: all of a text that came in pieces
}

// maxLeaves bounds what one message may have decided, and so how much of the journal it takes.
const maxLeaves = 20_000

func (c *collector) add(l flow.Leaf, t target) int {
	c.leaves = append(c.leaves, l)
	c.targets = append(c.targets, t)
	return len(c.leaves) - 1
}

// collect walks the message. Protocol places are verified, content becomes leaves.
func (c *collector) collect(v *view) error {
	c.open, c.public = c.m.Snapshot.transparent(c.m.Owner)
	c.known = append(c.known, c.m.known...)
	d := v.doc
	if c.public || len(c.open) > 0 { // public is a label like any other: policy has a word to say
		c.add(flow.Leaf{Path: "/**", Label: flow.PublicData, Origin: flow.Catalogued}, target{view: v, kind: declared})
	}
	if err := c.findParts(v); err != nil {
		return err
	}
	for n := 0; n < len(d.Nodes); {
		if c.keptPart(n) != nil {
			n = int(d.Nodes[n].Next)
			continue
		}
		next, err := c.place(v, n)
		if err != nil {
			return err
		}
		n = next
	}
	if err := c.knownSet(); err != nil {
		return err
	}
	if err := c.look(); err != nil {
		return err
	}
	if err := c.fetchFiles(); err != nil {
		return err
	}
	if err := c.readTexts(); err != nil {
		return err
	}
	if err := c.readDocuments(); err != nil {
		return err
	}
	if len(c.leaves) > maxLeaves {
		return refuse(RuleTooBig, "", nil, "The message has more than %d places and findings to decide.", maxLeaves)
	}
	if c.public {
		return nil
	}
	if err := c.lookAtIDs(v); err != nil {
		return err
	}
	return c.look() // what JSON in texts added
}

// place deals with one node of the protocol's own and returns the node to go on with.
func (c *collector) place(v *view, n int) (int, error) {
	d, t := v.doc, c.m.Table
	node := &d.Nodes[n]
	after := int(node.Next)
	role := t.Role(node.State)
	if t.AnyName(node.State) && role != wire.Uncarried && !c.public {
		if !t.AllowsName(d, n) {
			return 0, refuse(RulePlace, c.pointer(v, n), nil, "A name in this place of the protocol is not an identifier.")
		}
		c.idNames = append(c.idNames, n)
	}
	if role != wire.Structure && role != wire.Refuse && !role.Content() && c.public && role != wire.Note {
		c.takeID(role, d, n)
		return c.step(d, n, role), c.mapID(role, v, n)
	}
	switch role {
	case wire.Structure:
		if !t.Allows(node.State, d, n) {
			if c.public {
				return after, nil
			}
			return 0, c.misfit(v, n)
		}
		return n + 1, nil
	case wire.Unknown:
		switch {
		case c.isPublic(v, n):
		case c.holdsPublic(v, n):
			c.undeclared(v, n)
		default:
			c.dropped = append(c.dropped, dropped{v, n})
		}
		return after, nil
	case wire.Data, wire.Metadata:
		return after, c.content(v, n, role)
	case wire.Text, wire.Bytes, wire.FileURL, wire.FileName:
		switch {
		case node.Kind == json.Null, c.isPublic(v, n):
		case !t.Allows(node.State, d, n): // a number in a text's place would pass without a label
			return 0, c.misfit(v, n)
		case role == wire.Text:
			return after, c.textPlace(v, n)
		default:
			c.file(v, n, role)
		}
		return after, nil
	case wire.Note, wire.Uncarried:
		if v.edits.Remove(n); role == wire.Note {
			c.takeNote(v, n)
		}
		return after, nil
	case wire.Refuse:
		if node.Kind == json.Null {
			return after, nil
		}
		return 0, refuse(RulePlace, c.pointer(v, n), nil, "This place of the protocol is not carried yet.")
	case wire.Schema, wire.Software:
		if !t.Allows(node.State, d, n) {
			return 0, c.misfit(v, n)
		}
		return after, c.inside(v, n, role)
	case wire.Protocol, wire.MessageID, wire.TaskID, wire.ContextID, wire.OtherID, wire.CallID, wire.Tenant, wire.Name, wire.Trace, wire.Opaque, wire.Signed, wire.Card:
		if !t.Allows(node.State, d, n) {
			return 0, c.misfit(v, n)
		}
		c.takeID(role, d, n)
		return c.step(d, n, role), c.mapID(role, v, n)
	}
	return 0, refuse(RuleInternal, c.pointer(v, n), nil, "The gateway could not decide this flow, so it did not happen.")
}

// misfit refuses a place of the protocol for what it holds.
func (c *collector) misfit(v *view, n int) error {
	return refuse(RulePlace, c.pointer(v, n), nil, "A place of the protocol holds something else than the protocol has there.")
}

// step is the node after n: into it where its own children have places, past it where they share its role.
func (c *collector) step(d *json.Doc, n int, role wire.Role) int {
	switch role {
	case wire.Signed, wire.Card, wire.Opaque:
		return int(d.Nodes[n].Next)
	}
	return n + 1
}

func (c *collector) takeID(role wire.Role, d *json.Doc, n int) {
	if d.Nodes[n].Kind != json.String {
		return
	}
	switch role {
	case wire.MessageID, wire.TaskID, wire.ContextID, wire.OtherID, wire.CallID, wire.Tenant, wire.Opaque:
		c.idNodes = append(c.idNodes, n)
	}
	put := func(to *string) {
		if *to == "" {
			*to = d.Text(n)
		}
	}
	switch role {
	case wire.MessageID:
		put(&c.ids.Message)
	case wire.TaskID:
		put(&c.ids.Task)
	case wire.ContextID:
		put(&c.ids.Context)
	}
}

// pointer is a printable place: names that neither protocol nor schema declares are "*".
func (c *collector) pointer(v *view, n int) flow.Path {
	t := c.m.Table
	p := v.doc.Pointer(n, func(n int) bool {
		if info := infoAt(v, n); info != nil {
			return info.Named
		}
		st := v.doc.Nodes[n].State
		return v.parent == nil && t.Rooted(st) && !t.AnyName(st)
	})
	if v.parent != nil {
		return c.pointer(v.parent, v.node) + "#" + p
	}
	return p
}

// textPlace takes a text for prose, unless a schema says what it is the value of.
func (c *collector) textPlace(v *view, n int) error {
	st := v.doc.Nodes[n].State
	at, ok := c.m.At[c.m.Table.Path(st)]
	if !ok || at.Member == "" {
		c.prose(v, n, flow.FreeText)
		return nil
	}
	for _, sc := range at.Schemas {
		if next := sc.Member(sc.Root(), []byte(at.Member)); sc.Info(next).Declared {
			return c.walk(v, sc, n, n, next, c.pointer(v, n))
		}
	}
	c.prose(v, n, flow.FreeText)
	return nil
}

// prose puts a text aside; its leaf comes first so that leaves keep the order of the message.
func (c *collector) prose(v *view, n int, label flow.Label) { c.proseOf(v, n, label, nil) }

// proseOf is prose where the text is a file's; nil: it is the node's own.
func (c *collector) proseOf(v *view, n int, label flow.Label, file *fileText) {
	i := c.add(flow.Leaf{Path: c.pointer(v, n), Label: label, Origin: flow.Detected}, target{view: v, node: n, kind: wholeText})
	c.texts = append(c.texts, textAt{view: v, node: n, leaf: i, file: file})
}

// file makes one leaf of a file part: what cannot be looked into is opaque.
func (c *collector) file(v *view, n int, role wire.Role) {
	if role == wire.Bytes && c.readFile(v, n) {
		return
	}
	label := flow.OpaqueFile
	switch role {
	case wire.FileName:
		label = "file/name"
	case wire.FileURL:
		label = "technical/url"
	}
	leaf := c.add(flow.Leaf{Path: c.pointer(v, n), Label: label, Origin: flow.Supplied},
		target{view: v, node: n, kind: filePart, value: v.doc.Text(n)})
	if role == wire.Bytes {
		c.putAside(v, n, leaf)
	}
}

// inside looks at every string within a JSON Schema from outside, or within the name and version of a program. Models
// read a schema's descriptions, defaults and examples, so these are prose; what makes it work is left alone. A program's
// name passes if it is short and nothing is found in it.
func (c *collector) inside(v *view, n int, role wire.Role) error {
	d := v.doc
	switch d.Nodes[n].Kind {
	case json.Object, json.Null:
	case json.True, json.False:
		if role == wire.Schema {
			break // a schema may be yes or no
		}
		fallthrough
	default:
		if !c.public {
			return c.misfit(v, n)
		}
	}
	if c.public {
		return nil
	}
	for i := n; i < int(d.Nodes[n].Next); i++ {
		if i > n && d.Nodes[i].KeyStart >= 0 && !c.harmless(string(d.Key(i))) {
			return refuse(RulePlace, c.pointer(v, n), nil, "A name within this place holds a value that is protected.")
		}
		switch {
		case d.Nodes[i].Kind != json.String:
		case role == wire.Software && c.linked(v, n, i):
			c.file(v, i, wire.FileURL)
		case role == wire.Software:
			if text := d.Text(i); len(text) > 128 || !c.harmless(text) {
				v.edits.ReplaceText(i, "unknown")
			}
		case !c.works(d, n, i):
			c.prose(v, i, flow.FreeText)
		}
	}
	return nil
}

// linked reports whether a string within a program's description is the address of its picture or its page.
func (c *collector) linked(v *view, root, n int) bool {
	switch string(v.doc.Key(n)) {
	case "websiteUrl":
		return int(v.doc.Nodes[n].Parent) == root
	case "src":
		icon := int(v.doc.Nodes[n].Parent)
		return icon > root && string(v.doc.Key(int(v.doc.Nodes[icon].Parent))) == "icons"
	}
	return false
}

// works reports whether a string is part of a schema's own machinery: a type, a reference, the name of a required member.
func (c *collector) works(d *json.Doc, root, n int) bool {
	key := d.Key(n)
	if key == nil && int(d.Nodes[n].Parent) > root {
		key = d.Key(int(d.Nodes[n].Parent))
		return string(key) == "type" || string(key) == "required"
	}
	switch string(key) {
	case "type", "$ref", "$schema", "$id", "$anchor", "format", "contentEncoding", "contentMediaType", "x-mcp-header":
		return true
	}
	return false
}

func infoAt(v *view, n int) *catalog.Info {
	if len(v.info) == 0 {
		return nil
	}
	return v.info[n]
}
