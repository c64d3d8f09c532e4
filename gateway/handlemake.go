package gateway

import (
	"encoding/binary"
	stdjson "encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/store"
)

// goingHandle is a reference that is made for a part.
type goingHandle struct {
	said          flow.Handle
	key           handleKey
	head, content []byte // sealed
	subjects      map[flow.SubjectRef]bool
}

// handleHead is what is kept of a part that went by reference, beside the part: who may redeem it, and why it was sent.
type handleHead struct {
	Flow       flow.Flow    `json:"flow"` // that the part was taken from; its To may redeem it
	Owner      flow.AgentID `json:"owner"`
	Asked      flow.Party   `json:"asked"` // who chose purpose and criticality
	Undeclared bool         `json:"undeclared,omitempty"`
	Media      string       `json:"media,omitempty"`
	Size       string       `json:"size,omitempty"`
	Foreign    bool         `json:"foreign,omitempty"` // the part is the address at which another gateway gives it
	Right      *keptRight   `json:"right,omitempty"`   // by which the flow happened; nil: none was shown
	Fill       string       `json:"fill,omitempty"`
}

// encodePart joins a part, byte for byte, with the values that its message named elsewhere: they are found in it as they were beside it.
func encodePart(part []byte, known []detect.Known) ([]byte, error) {
	raw, err := stdjson.Marshal(known)
	if err != nil {
		return nil, err
	}
	out := binary.AppendUvarint(make([]byte, 0, len(part)+len(raw)+8), uint64(len(raw)))
	return append(append(out, raw...), part...), nil
}

func decodePart(b []byte) (part []byte, known []detect.Known, err error) {
	r := inputsReader{rest: b}
	raw := r.bytes(r.number())
	if r.bad {
		return nil, nil, errors.New("kept part is cut off")
	}
	return r.rest, known, stdjson.Unmarshal(raw, &known)
}

// headClass is the size that every sealed head is filled up to, so that reading one takes as long as reading another.
const headClass = 2048

func (h *handleHead) encode() ([]byte, error) {
	b, err := stdjson.Marshal(h)
	if err != nil {
		return nil, err
	}
	const fill = `,"fill":""`
	if n := headClass - (len(b)+len(fill))%headClass; n < headClass {
		spaces := make([]byte, n)
		for i := range spaces {
			spaces[i] = ' '
		}
		h.Fill = string(spaces)
		defer func() { h.Fill = "" }()
		return stdjson.Marshal(h)
	}
	return b, nil
}

// errNothingShown is the refusal of a redemption that would show nothing.
var errNothingShown = refuse(RulePolicy, "", errors.New("nothing of it may be shown"), "%s", noHandleText)

// planHandles settles which parts go by reference. It comes before the terms are carried out: what may go by reference only and is in
// no part that can, does not go at all.
func (c *changer) planHandles() error {
	if c.m.redeeming {
		if len(c.byHandle) != 1 {
			return errNothingShown // another gateway gave something that is no part
		}
		for i := range c.byHandle {
			if p := &c.byHandle[i]; p.content < 0 || !c.shows(p) {
				return errNothingShown
			}
		}
		return nil
	}
	rule := c.byReference()
	for i := range c.byHandle {
		if err := c.planHandle(&c.byHandle[i], rule); err != nil {
			return err
		}
	}
	for i := range c.terms {
		t := &c.terms[i]
		if t.Handle <= 0 || t.Level == flow.Dropped || c.leavesByHandle(i) {
			continue
		}
		t.Treatment, t.By = flow.Treatment{}, flow.ByHandle
		t.Reason = "policy lets this be sent by reference only, and this place cannot be"
	}
	return nil
}

// leavesByHandle reports whether the part of a leaf goes by reference.
func (c *changer) leavesByHandle(i int) bool {
	t := &c.targets[i]
	return t.kind != declared && c.goesByHandle(topNode(t.view, t.node))
}

func (c *changer) goesByHandle(n int) bool {
	for j := range c.byHandle {
		if p := &c.byHandle[j]; p.goes != nil && n >= p.node && n < int(c.views[0].doc.Nodes[p.node].Next) {
			return true
		}
	}
	return false
}

func (c *changer) planHandle(p *handlePart, rule *ByReference) error {
	if p.foreign != nil {
		return c.planForeign(p)
	}
	if p.content < 0 || p.kept != nil || !c.stoodFor() {
		return nil
	}
	rules := c.m.Snapshot.Handles.complete()
	var asked time.Duration // by policy
	for i := range c.terms {
		if h := c.terms[i].Handle; h > 0 && c.terms[i].Level > flow.Dropped && c.lies(i, p.node) && (asked == 0 || h < asked) {
			asked = h
		}
	}
	size := len(c.views[0].doc.Raw(p.node))
	if asked == 0 && !p.mark && (rule == nil || !rule.takes(size, p.media)) || !c.ableAlone(p) || !c.shows(p) {
		return nil
	}
	switch ok, err := c.roomPlanned(size, rules); {
	case err != nil:
		return refuse(RuleInternal, "", err, "The gateway could not look for room for this part, so the flow did not happen.")
	case !ok && asked > 0:
		return refuse(RuleExhausted, c.pointer(c.views[0], p.node), nil, "Policy lets this part be sent by reference only, and there is no room for it; try again later.")
	case !ok:
		return nil
	}
	life := min(orDefault(asked, rules.Life), c.g.retention.Tasks) // the task's memory is what its words are found by
	if p.life > 0 {
		life = min(life, p.life)
	}
	uses := p.uses
	if uses == 0 || rules.Uses > 0 && rules.Uses < uses {
		uses = rules.Uses
	}
	p.goes = c.newHandle(p.media, uses, life)
	return nil
}

// newHandle draws a reference.
func (c *changer) newHandle(media string, uses int, life time.Duration) *goingHandle {
	id := newHandleID()
	g := &goingHandle{key: keyOfHandle(id)}
	g.said = flow.Handle{Ref: flow.HandleScheme + id, Media: media, Uses: uses, Expires: c.g.now().Add(life).Truncate(time.Second)}
	if url := c.handleURL(id); url != g.said.Ref {
		g.said.URL = url
	}
	return g
}

// stoodFor reports whether whoever chose the purpose will be known when the part is redeemed. A stranger has nothing to redeem with.
func (c *changer) stoodFor() bool {
	f, who := &c.m.Query.Flow, c.m.Snapshot.Identity
	if f.Direction == flow.Response {
		return !who.Stranger(f.To)
	}
	_, ok := who.Known(f.From)
	return ok
}

// shows reports whether the recipient would see anything of a part's content. What it would not see it is not told of either.
func (c *changer) shows(p *handlePart) bool {
	any := c.public
	for i := range c.targets {
		t, level := &c.targets[i], c.terms[i].Level
		if !c.lies(i, p.content) {
			if t.kind == filePart && c.lies(i, p.node) && level != flow.Raw && c.m.Table.Role(t.view.doc.Nodes[t.node].State) != wire.FileName {
				return false // its address takes the file along
			}
			continue
		}
		whole := t.kind == filePart || t.kind == wholeText && t.view.parent == nil
		if whole && level != flow.Raw {
			return false
		}
		any = any || level > flow.Dropped
	}
	return any
}

// handOver puts references in place of the parts that were planned, after their terms were carried out: what would have refused the flow
// did so. A part that the recipient would have seen unchanged is told the size of.
func (c *changer) handOver(top *view) error {
	for i := range c.byHandle {
		p := &c.byHandle[i]
		switch {
		case p.kept != nil:
			top.edits.Replace(p.node, c.appendReference(nil, *p.kept))
			continue
		case c.m.redeeming && !c.shows(p): // after all that was found out on the way
			return errNothingShown
		case p.goes == nil && p.foreign != nil: // no room for it, and nobody could redeem it there
			top.edits.Replace(p.node, c.withheldPart())
			continue
		case p.goes == nil:
			continue
		case p.foreign == nil && !c.shows(p):
			p.goes = nil
			c.holdBack(top, p)
			continue
		}
		if p.foreign == nil && !top.edits.Within(p.node) {
			p.goes.said.Size = sizeClass(len(top.doc.Raw(p.content)))
		}
		if err := c.sealHandle(top.doc, p); err != nil {
			return refuse(RuleInternal, c.pointer(top, p.node), err, "The gateway could not keep this part, so the flow did not happen.")
		}
		top.edits.Replace(p.node, c.appendReference(nil, p.goes.said))
		for j := range c.terms {
			if t := &c.terms[j]; c.lies(j, p.node) && t.Level > flow.Dropped {
				t.Treatment, t.By = flow.Treatment{}, flow.ByHandle
			}
		}
	}
	return nil
}

// holdBack takes out a part that was to go by reference, and of which nothing that could is left, if something else in it may not go in any
// other way.
func (c *changer) holdBack(top *view, p *handlePart) {
	held := false
	for i := range c.terms {
		held = held || c.lies(i, p.node) && c.terms[i].Handle > 0 && c.terms[i].Level > flow.Dropped
	}
	if !held {
		return
	}
	top.edits.Replace(p.node, c.withheldPart())
	for i := range c.terms {
		if t := &c.terms[i]; c.lies(i, p.node) && t.Level > flow.Dropped {
			t.Treatment, t.By = flow.Treatment{}, flow.ByHandle
		}
	}
}

// withheldPart is what stands in place of a part of which there is nothing.
func (c *changer) withheldPart() []byte {
	switch protocol := c.m.Query.Flow.Protocol; {
	case protocol == "a2a/"+wire.A2A03:
		return []byte(`{"kind":"text","text":"` + removedText + `"}`)
	case strings.HasPrefix(protocol, "a2a/"):
		return []byte(`{"text":"` + removedText + `"}`)
	}
	return []byte(`{"type":"text","text":"` + removedText + `"}`)
}

func (c *changer) sealHandle(d *json.Doc, p *handlePart) error {
	m, f := c.m, c.m.Query.Flow
	head := handleHead{Flow: f, Owner: m.Owner, Asked: f.From, Undeclared: m.Undeclared, Media: p.media, Size: p.goes.said.Size, Foreign: p.foreign != nil, Right: rightOf(m.Authority)}
	if f.Direction == flow.Response {
		head.Asked = f.To
	}
	plain, err := head.encode()
	if err != nil {
		return err
	}
	g := p.goes
	id := HandleID(g.said.Ref)
	if g.head, err = c.g.sealHandles.Seal(plain, []byte("head "+id)); err != nil {
		return err
	}
	part := d.Raw(p.node)
	if p.foreign != nil {
		part = []byte(p.foreign.URL)
	}
	if plain, err = encodePart(part, c.known); err != nil {
		return err
	}
	if g.content, err = c.g.sealHandles.Seal(plain, []byte("part "+id)); err != nil {
		return err
	}
	g.subjects = map[flow.SubjectRef]bool{}
	if p.foreign != nil {
		g.subjects[flow.SubjectRef{}] = true // who it is about is not known here
	}
	for i := range c.leaves {
		if c.lies(i, p.node) {
			g.subjects[c.leaves[i].Subject] = true
		}
	}
	return nil
}

// keepHandles writes the parts that go by reference in the transaction that records their message.
func (c *changer) keepHandles(tx store.Tx) error {
	f := &c.m.Query.Flow
	sender := c.g.handleSender(f.From)
	var room *handleRoom // asked for where there is something to keep
	for i := range c.byHandle {
		g := c.byHandle[i].goes
		if g == nil {
			continue
		}
		if room == nil {
			left, err := roomForHandles(tx, f, sender, c.m.Snapshot.Handles.complete())
			if err != nil {
				return err
			}
			room = &left
		}
		size := int64(len(g.head) + len(g.content))
		if !room.take(size) {
			return refuse(RuleExhausted, c.pointer(c.views[0], c.byHandle[i].node), nil, "There is no room for parts that are sent by reference; try again later.")
		}
		uses := g.said.Uses
		if uses == 0 {
			uses = -1
		}
		_, err := tx.Exec("INSERT INTO gateway_handles (id, task, sender, expires, uses, size, head, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			g.key[:], handleTask(f.Task.ID), sender[:], g.said.Expires.Unix(), uses, size, g.head, g.content)
		if err != nil {
			return err
		}
		for s := range g.subjects {
			if _, err := tx.Exec("INSERT INTO gateway_handle_subjects (handle, subject) VALUES (?, ?)", g.key[:], s[:]); err != nil {
				return err
			}
		}
	}
	return nil
}
