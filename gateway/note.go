package gateway

import (
	"bytes"
	stdjson "encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// maxNoted bounds how many changes a note lists one by one; what is beyond is counted with the restricted ones.
const maxNoted = 64

// note lists what the recipient is shown less of. Restricted labels are counted, not placed, and nothing in it varies
// with what the recipient already holds.
func (c *changer) note() flow.Note {
	n := flow.Note{Reference: c.m.Query.Flow.ID, Earlier: c.earlier}
	hidden := func(i int) bool {
		class, _ := c.m.Snapshot.Taxonomy.Class(c.leaves[i].Label)
		return class.Tier == flow.Restricted
	}
	last, room := -1, 0
	for i := range c.terms {
		if c.terms[i].Level != flow.Raw {
			room++
		}
	}
	for i := range c.terms {
		t := c.told(i)
		if t.Level == flow.Raw || c.targets[i].stand != nil || c.leavesByHandle(i) {
			continue
		}
		if hidden(i) || len(n.Changes) == maxNoted {
			n.Restricted++
			continue
		}
		ch := flow.Change{Path: c.leaves[i].Path, Label: c.leaves[i].Label, Level: t.Level, Param: t.Param, Policy: t.Policies, By: t.By, Reason: t.Reason}
		if last >= 0 && sameChange(n.Changes[last], ch) {
			continue // several spans of one text
		}
		if n.Changes == nil {
			n.Changes = make([]flow.Change, 0, min(room, maxNoted))
		}
		n.Changes = append(n.Changes, ch)
		last = len(n.Changes) - 1
	}
	for _, d := range c.dropped {
		if !c.goesByHandle(topNode(d.view, d.node)) {
			n.Restricted++
		}
	}
	if len(n.Changes) > 0 || n.Restricted > 0 {
		n.Ask = howToAsk
	}
	said := len(c.contracts) > 0
	if !said && c.m.Snapshot.Catalog.Governs() {
		_, said = c.m.Snapshot.Retained(c.leaves, c.toldTerms(), c.duties)
	}
	if said {
		retain := int64(c.duties.Retain / time.Second)
		n.Contract, n.Retain = c.contracts, &retain
	}
	return n
}

func sameChange(a, b flow.Change) bool {
	return a.Path == b.Path && a.Label == b.Label && a.Level == b.Level && a.Param == b.Param
}

// tell puts the note where the protocol keeps it, making the members down to it where they are missing.
func (c *changer) tell(top *view, note flow.Note) {
	at := c.m.NoteIn
	obj := -1
	for under := range strings.FieldsSeq(at.Under) {
		if obj = findPath(top, c.m.Table, under); obj >= 0 {
			break
		}
	}
	if obj < 0 || top.doc.Nodes[obj].Kind != json.Object || len(at.Names) == 0 {
		return
	}
	names := at.Names
	for len(names) > 1 {
		child, ok := top.doc.Member(obj, names[0])
		if !ok || top.doc.Nodes[child].Kind != json.Object {
			break
		}
		obj, names = child, names[1:]
	}
	raw := make([]byte, 0, 320+192*len(note.Changes))
	for _, name := range names[1:] {
		raw = append(json.AppendString(append(raw, '{'), name), ':')
	}
	raw, err := appendNote(raw, &note)
	if err != nil {
		return // the note has no value that cannot be encoded
	}
	for range names[1:] {
		raw = append(raw, '}')
	}
	if len(names) > 1 {
		if child, ok := top.doc.Member(obj, names[0]); ok { // there, but null
			top.edits.Remove(child)
		}
	}
	top.edits.Append(obj, names[0], raw)
}

// appendNote appends the JSON of a note. It is written by hand since most answers have one; what it says is what
// encoding/json says.
func appendNote(b []byte, n *flow.Note) ([]byte, error) {
	b = append(b, '{')
	for i := range n.Changes {
		if i == 0 {
			b = append(b, `"changes":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendChange(b, &n.Changes[i])
	}
	if len(n.Changes) > 0 {
		b = append(b, "],"...)
	}
	if n.Restricted != 0 {
		b = append(strconv.AppendInt(append(b, `"restricted":`...), int64(n.Restricted), 10), ',')
	}
	if n.Delayed {
		b = append(b, `"delayed":true,`...)
	}
	b = json.AppendString(append(b, `"reference":`...), string(n.Reference))
	if n.Ask != "" {
		b = json.AppendString(append(b, `,"ask":`...), n.Ask)
	}
	if len(n.Earlier) > 0 {
		earlier, err := stdjson.Marshal(n.Earlier)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"earlier":`...), earlier...)
	}
	for i, id := range n.Contract {
		if i == 0 {
			b = append(b, `,"contract":[`...)
		} else {
			b = append(b, ',')
		}
		b = json.AppendString(b, id)
	}
	if len(n.Contract) > 0 {
		b = append(b, ']')
	}
	if n.Retain != nil {
		b = strconv.AppendInt(append(b, `,"retain":`...), *n.Retain, 10)
	}
	return append(b, '}'), nil
}

func appendChange(b []byte, c *flow.Change) []byte {
	b = json.AppendString(append(b, `{"path":`...), string(c.Path))
	b = json.AppendString(append(b, `,"label":`...), string(c.Label))
	b = json.AppendString(append(b, `,"level":`...), c.Level.String())
	if c.Param != "" {
		b = json.AppendString(append(b, `,"param":`...), string(c.Param))
	}
	for i, id := range c.Policy {
		if i == 0 {
			b = append(b, `,"policy":[`...)
		} else {
			b = append(b, ',')
		}
		b = json.AppendString(b, string(id))
	}
	if len(c.Policy) > 0 {
		b = append(b, ']')
	}
	b = json.AppendString(append(b, `,"by":`...), c.By.String())
	if c.Reason != "" {
		b = json.AppendString(append(b, `,"reason":`...), c.Reason)
	}
	return append(b, '}')
}

// Limits of what is carried on of earlier notes. A note from outside is written by whoever sent it.
const (
	maxNoteBytes = 32 << 10
	maxEarlier   = 4
)

// takeNote takes a note of an earlier gateway out of its place, since what stands there is this gateway's word, and
// keeps what it says where it has the form of a note and nothing is found in its words.
func (c *collector) takeNote(v *view, n int) {
	v.edits.Remove(n)
	raw := v.doc.Raw(n)
	if len(raw) > maxNoteBytes {
		return
	}
	var note flow.Note
	dec := stdjson.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(&note) != nil || note.Reference == "" {
		return // what a sender says about itself, or something else
	}
	before := note.Earlier
	note.Earlier = nil
	for _, one := range append([]flow.Note{note}, before...) {
		if len(c.earlier) < maxEarlier && len(one.Earlier) == 0 && c.sound(&one) {
			c.earlier = append(c.earlier, one)
		}
	}
}

// sound reports whether every word of a note is one that a note may hold.
func (c *collector) sound(n *flow.Note) bool {
	if len(n.Changes) > maxNoted || !plainWord(string(n.Reference), 64) || !c.harmless(n.Ask) {
		return false
	}
	if len(n.Contract) > maxEarlier || slices.ContainsFunc(n.Contract, func(id string) bool { return !plainWord(id, 64) }) {
		return false
	}
	if len(n.Missing) > maxNoted || slices.ContainsFunc(n.Missing, func(id flow.AgentID) bool { return !plainWord(string(id), 64) || !c.harmless(string(id)) }) {
		return false
	}
	for i := range n.Changes {
		ch := &n.Changes[i]
		if !c.m.Snapshot.Taxonomy.Known(ch.Label) || len(ch.Policy) > 16 || !plainWord(string(ch.Path), 512) || !c.harmless(ch.Reason) {
			return false
		}
		if _, err := flow.ParseParam(ch.Level, string(ch.Param)); err != nil {
			return false
		}
		for _, id := range ch.Policy {
			if !plainWord(string(id), 128) {
				return false
			}
		}
		if !c.harmless(string(ch.Path)) {
			return false
		}
	}
	return true
}

// plainWord reports whether s is short and of the letters that places, ids and references are made of.
func plainWord(s string, most int) bool {
	return len(s) <= most && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.:#~*$@-") == ""
}

// harmless reports whether detection finds nothing in a short text.
func (c *collector) harmless(s string) bool {
	if len(s) > 512 {
		return false
	}
	found, err := c.detector().AppendForms(c.ctx, nil, s, nil)
	return err == nil && len(found) == 0
}

// Claimed reads the purpose and criticality that a sender names where the privacy note goes: in the member of an object,
// which may be absent (-1). They only choose among what the sender was granted.
func Claimed(d *json.Doc, object int, member string) (purpose, criticality string) {
	if object < 0 {
		return "", ""
	}
	ext, ok := d.Member(object, member)
	if !ok {
		return "", ""
	}
	if n, ok := d.Member(ext, "purpose"); ok {
		purpose = d.Text(n)
	}
	if n, ok := d.Member(ext, "criticality"); ok {
		criticality = d.Text(n)
	}
	return purpose, criticality
}
