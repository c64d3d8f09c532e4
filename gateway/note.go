package gateway

import (
	stdjson "encoding/json"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// maxNoted bounds how many changes a note lists one by one; what is beyond is counted with the restricted ones.
const maxNoted = 64

// note lists what the recipient is shown less of. Restricted labels are counted, not placed, and nothing in it varies
// with what the recipient already holds.
func (c *changer) note() flow.Note {
	n := flow.Note{Reference: c.m.Query.Flow.ID}
	hidden := func(i int) bool {
		class, _ := c.m.Snapshot.Taxonomy.Class(c.leaves[i].Label)
		return class.Tier == flow.Restricted
	}
	last := -1
	for i := range c.terms {
		t := &c.terms[i]
		if t.Level == flow.Raw || c.targets[i].stand != nil {
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
		n.Changes = append(n.Changes, ch)
		last = len(n.Changes) - 1
	}
	n.Restricted += len(c.dropped)
	if len(n.Changes) > 0 || n.Restricted > 0 {
		n.Ask = howToAsk
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
	raw, err := stdjson.Marshal(note)
	if err != nil {
		return // the note has no value that cannot be encoded
	}
	names := at.Names
	for len(names) > 1 {
		child, ok := top.doc.Member(obj, names[0])
		if !ok || top.doc.Nodes[child].Kind != json.Object {
			break
		}
		obj, names = child, names[1:]
	}
	if len(names) > 1 {
		if child, ok := top.doc.Member(obj, names[0]); ok { // there, but null
			top.edits.Remove(child)
		}
	}
	for i := len(names) - 1; i > 0; i-- {
		raw = append(json.AppendString([]byte("{"), names[i]), append([]byte(":"), append(raw, '}')...)...)
	}
	top.edits.Append(obj, names[0], raw)
}
