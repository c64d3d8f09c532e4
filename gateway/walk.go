package gateway

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/privacy/detect"
)

// content walks structured content by the schema that fits it; without one nothing in it is declared. Members that
// the protocol itself declares within metadata are the protocol's.
func (c *collector) content(v *view, n int, role wire.Role) error {
	if role == wire.Metadata {
		return c.metadata(v, n, c.m.Meta)
	}
	if c.isPublic(v, n) {
		return nil
	}
	schemas := c.m.Schemas
	if at, ok := c.m.At[c.m.Table.Path(v.doc.Nodes[n].State)]; ok {
		schemas = at.Schemas
	}
	if c.m.Table.Holds(v.doc.Nodes[n].State) && v.doc.Nodes[n].Kind == json.Object {
		return c.metadata(v, n, schemas)
	}
	sc := catalog.Select(schemas, v.doc, n)
	if sc == nil {
		c.undeclared(v, n)
		return nil
	}
	return c.walk(v, sc, n, n, sc.Root(), c.pointer(v, n))
}

// metadata walks an object of which the protocol itself declares some members, and schemas others.
func (c *collector) metadata(v *view, n int, schemas []*catalog.Schema) error {
	d := v.doc
	if d.Nodes[n].Kind != json.Object {
		if d.Nodes[n].Kind != json.Null && !c.isPublic(v, n) {
			c.dropped = append(c.dropped, dropped{v, n})
		}
		return nil
	}
	sc := catalog.Select(schemas, d, n)
	if sc != nil {
		v.declare(n, sc, sc.Root())
	}
	for child := range d.Children(n) {
		st := d.Nodes[child].State
		switch {
		case c.m.Table.Rooted(st) && c.m.Table.Role(st) != wire.Metadata && c.m.Table.Role(st) != wire.Data:
			for at := child; at < int(d.Nodes[child].Next); {
				next, err := c.place(v, at)
				if err != nil {
					return err
				}
				at = next
			}
		case c.isPublic(v, child):
		case sc == nil && c.holdsPublic(v, child):
			c.undeclared(v, child)
		case sc == nil:
			c.dropped = append(c.dropped, dropped{v, child})
		default:
			next := sc.Member(sc.Root(), d.Key(child))
			if err := c.walk(v, sc, n, child, next, step(c.pointer(v, n), d, child, sc.Info(next))); err != nil {
				return err
			}
			c.name(v, child, sc.Info(sc.Root()), c.pointer(v, child))
		}
	}
	return nil
}

// undeclared content: an empty object carries nothing, the members of another are taken out one by one.
func (c *collector) undeclared(v *view, n int) {
	switch v.doc.Nodes[n].Kind {
	case json.Null:
	case json.Object, json.Array:
		for child := range v.doc.Children(n) {
			switch {
			case c.isPublic(v, child):
			case c.holdsPublic(v, child):
				c.undeclared(v, child)
			default:
				c.dropped = append(c.dropped, dropped{v, child})
			}
		}
	default:
		c.dropped = append(c.dropped, dropped{v, n})
	}
}

// declare notes what a schema says of a node; the node's state is the schema's from then on.
func (v *view) declare(n int, sc *catalog.Schema, st json.State) *catalog.Info {
	if n := len(v.doc.Nodes); len(v.info) != n {
		v.info = append(v.info[:0], make([]*catalog.Info, n)...)
		v.schema = append(v.schema[:0], make([]*catalog.Schema, n)...)
	}
	v.doc.Nodes[n].State, v.schema[n] = st, sc
	v.info[n] = sc.Info(st)
	return v.info[n]
}

// walk goes down a declared value at a path. Afterwards the nodes' states are the schema's.
func (c *collector) walk(v *view, sc *catalog.Schema, root, n int, st json.State, path flow.Path) error {
	if c.isPublic(v, n) {
		return nil
	}
	d := v.doc
	node := &d.Nodes[n]
	info := v.declare(n, sc, st)
	if !info.Declared {
		if c.holdsPublic(v, n) {
			c.undeclared(v, n)
			return nil
		}
		c.dropped = append(c.dropped, dropped{v, n})
		return nil
	}
	c.takeSigned(v, n, info)
	switch node.Kind {
	case json.Object, json.Array:
		for child := n + 1; child < int(node.Next); child = int(d.Nodes[child].Next) {
			next := st
			if node.Kind == json.Object {
				next = sc.Member(st, d.Key(child))
			} else {
				next = sc.Element(st, int(d.Nodes[child].Index))
			}
			below := step(path, d, child, sc.Info(next))
			if err := c.walk(v, sc, root, child, next, below); err != nil {
				return err
			}
			c.name(v, child, info, below)
		}
		return nil
	case json.Null:
		return nil
	}
	return c.scalar(v, sc, root, n, st, info, path)
}

// step is the path of a child: a member's name that no schema spells out may be a value, and is "*".
func step(parent flow.Path, d *json.Doc, child int, info *catalog.Info) flow.Path {
	switch {
	case d.Nodes[child].KeyStart < 0:
		return parent + "/" + flow.Path(strconv.Itoa(int(d.Nodes[child].Index)))
	case !info.Named:
		return parent + "/*"
	}
	key := d.Key(child)
	if bytes.ContainsAny(key, "~/") {
		return parent + "/" + flow.Path(pointerEscapes.Replace(string(key)))
	}
	return parent + "/" + flow.Path(key)
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// name looks at a member's name that no schema spells out: it can be a value, which the object's own label names.
func (c *collector) name(v *view, n int, object *catalog.Info, path flow.Path) {
	info := infoAt(v, n)
	if info == nil || info.Named || !info.Declared || v.doc.Nodes[n].KeyStart < 0 {
		return
	}
	label := object.NameLabel
	if label == "" {
		label = flow.Unlabelled
	}
	c.add(flow.Leaf{Path: path, Label: label, Origin: info.Origin}, target{view: v, node: n, kind: memberName, value: string(v.doc.Key(n))})
}

// scalar makes the leaf of one declared value. A value that is nothing but a stand-in is not labelled but perhaps opened.
func (c *collector) scalar(v *view, sc *catalog.Schema, root, n int, st json.State, info *catalog.Info, path flow.Path) error {
	leaf := flow.Leaf{Path: path, Label: info.Label, Field: info.Field, Origin: info.Origin, Need: info.Need}
	if s, ok := sc.Subject(v.doc, root, n, st); ok {
		leaf.Subject = c.subject(v, s, info.Unit)
		if c.m.Names != nil {
			c.subjects = append(c.subjects, subjectAt{v, s, info.Unit})
		}
	}
	if v.doc.Nodes[n].Kind != json.String {
		var looks flow.Label
		if v.doc.Nodes[n].Kind == json.Number {
			if raw := v.doc.Raw(n); len(raw) >= tellingDigits {
				if err := c.raise(&leaf, string(raw), nil); err != nil {
					return err
				}
				looks = c.looks
			}
			looks = c.prior(v, n, &leaf, string(v.doc.Raw(n)), looks)
			class, _ := c.m.Snapshot.Taxonomy.Class(leaf.Label)
			c.learnValue(string(v.doc.Raw(n)), leaf.Label, class)
		}
		c.add(leaf, target{view: v, node: n, kind: wholeValue, value: string(v.doc.Raw(n)), looks: looks})
		return nil
	}
	text := v.doc.Text(n)
	class, _ := c.m.Snapshot.Taxonomy.Class(info.Label)
	stand := wholeStandIn(text)
	if stand == nil && class.Family == flow.Identifier {
		var err error
		if stand, err = c.disguised(text, info.Label); err != nil {
			return err
		}
	}
	if stand != nil {
		c.add(leaf, target{view: v, node: n, kind: wholeValue, value: text, stand: stand})
		return nil
	}
	if proseLabel(class) {
		i := c.add(leaf, target{view: v, node: n, kind: wholeText})
		c.texts = append(c.texts, textAt{view: v, node: n, leaf: i})
		return nil
	}
	// What the value looks like comes before what it teaches: known under a mild label it would pass elsewhere, too.
	if err := c.raise(&leaf, text, nil); err != nil {
		return err
	}
	looks := c.prior(v, n, &leaf, text, c.looks)
	class, _ = c.m.Snapshot.Taxonomy.Class(leaf.Label)
	c.learnValue(text, leaf.Label, class)
	c.add(leaf, target{view: v, node: n, kind: wholeValue, value: text, looks: looks})
	return nil
}

// tellingDigits is how long a number is that can be a card's or a person's; shorter ones are counts and amounts.
const tellingDigits = 9

// subject returns the reference of the value at node s: a stand-in names nobody here.
func (c *collector) subject(v *view, s int, unit string) flow.SubjectRef {
	if last := &c.about; last.view == v && last.node == s && last.unit == unit {
		return last.ref // the columns of a row name one after the other
	}
	ref := c.subjectAt(v, s, unit)
	c.about.view, c.about.node, c.about.unit, c.about.ref = v, s, unit, ref
	return ref
}

func (c *collector) subjectAt(v *view, s int, unit string) flow.SubjectRef {
	node := &v.doc.Nodes[s]
	switch node.Kind {
	case json.String:
		if text := v.doc.Text(s); strings.TrimSpace(text) != "" {
			return c.g.vault.Subject(unit, text)
		}
	case json.Number:
		return c.g.vault.Subject(unit, string(v.doc.Raw(s)))
	}
	return flow.SubjectRef{}
}

// proseLabel reports whether values of the class are texts in which single spans are found and changed.
func proseLabel(c flow.Class) bool {
	return c.Label.Within("text") || c.Label == "health/note"
}

// learnValue notes a structured value, so that the same value is found in the prose beside it.
func (c *collector) learnValue(text string, l flow.Label, class flow.Class) {
	if len(text) > detect.MaxKnownBytes || class.Tier == flow.Public || l == flow.Unlabelled {
		return
	}
	long := 3
	if class.Family == flow.Attribute {
		long = 6
		if class.Kind == flow.Code || class.Kind == flow.Postal {
			long = 4
		}
		if class.Kind == flow.Text && !strings.ContainsAny(text, "0123456789") {
			return // "pending" in a note is not the status of the record
		}
	}
	if len(text) >= long {
		c.known = append(c.known, detect.Known{Text: text, Label: l})
	}
}
