package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// exposed is what the exposure memory made of a message.
type exposed struct {
	look *exposure.Look
	was  map[int]flow.LeafTerms // by leaf: the terms that it would have had; the recipient is told of these alone
}

// meetExposure makes coarser what would single a person out together with what the recipient's domain holds already. It comes after
// everything that decides, and nothing that the recipient is told of terms depends on it.
func (c *changer) meetExposure() error {
	s, f := c.m.Snapshot, &c.m.Query.Flow
	if c.g.exposure == nil || s.Exposure == nil || f.To.Domain == s.Domain || c.m.Asking != nil && f.Direction == flow.Response {
		return nil // what is the domain's own, and noisy answers, which have a budget
	}
	var values []exposure.Value
	for i := range c.targets {
		t := &c.targets[i]
		if t.stand != nil || c.terms[i].Level == flow.Dropped || !s.Exposure.Concerns(c.leaves[i].Label) || c.leavesByHandle(i) {
			continue
		}
		v := exposure.Value{Leaf: i, Scalar: deidentify.Scalar{Kind: deidentify.String, Text: t.value}}
		switch t.kind {
		case wholeValue:
			v.Scalar = scalarAt(t.view.doc, t.node, t.value)
			v.Fits = func(to flow.Treatment) bool { return c.fits(i, to) }
		case memberName:
			v.Fits = func(flow.Treatment) bool { return false } // half a name is no name
		case textSpan:
		default:
			continue
		}
		if values == nil {
			values = make([]exposure.Value, 0, len(c.targets)-i)
		}
		values = append(values, v)
	}
	named, more := c.m.Named.all()
	if len(values) == 0 && (len(named) == 0 || !c.continues()) {
		return nil
	}
	to := exposure.To{Domain: f.To.Domain, Agent: f.To.Agent, Task: f.Task.ID, Named: named, Crowd: more}
	if to.Task == flow.TaskID(f.ID) {
		to.Task = "" // it is a task of its own
	}
	look, err := c.g.exposure.Begin(c.ctx, s.Exposure, to, c.batch, c.leaves, c.terms, values)
	if err != nil {
		if errors.Is(err, vault.ErrConflict) {
			return vault.ErrConflict
		}
		return refuse(RuleInternal, "", err, "The gateway could not read what was shown before, so the flow did not happen.")
	}
	c.exposed.look = look
	if look == nil {
		return nil
	}
	for _, i := range look.Coarsen() {
		if c.exposed.was == nil {
			c.exposed.was = map[int]flow.LeafTerms{}
		}
		c.exposed.was[i] = look.Before(i)
	}
	if n := len(c.exposed.was); c.g.hooks.Exposed != nil && (n > 0 || look.Over()) {
		c.g.hooks.Exposed(n, look.Over())
	}
	return nil
}

// continues reports whether more of the answer may come by another call, which knows the task alone: the task then remembers whom it is about.
func (c *changer) continues() bool {
	return c.ids.Task != "" || len(c.byHandle) > 0
}

// fits reports whether the place of a structured value takes it at a level.
func (c *changer) fits(i int, to flow.Treatment) bool {
	if to.Level == flow.Dropped {
		return true
	}
	t := &c.targets[i]
	class, _ := c.m.Snapshot.Taxonomy.Class(c.leaves[i].Label)
	out, err := deidentify.Apply(class, to, scalarAt(t.view.doc, t.node, t.value), c.m.Snapshot.Hierarchies)
	return err == nil && t.view.schema[t.node].Accepts(t.view.doc.Nodes[t.node].State, kindOf(out), out.Text)
}

// told are the terms of a leaf as far as the recipient is told: those that it would have without the exposure memory.
func (c *changer) told(i int) *flow.LeafTerms {
	if was, ok := c.exposed.was[i]; ok {
		return &was
	}
	return &c.terms[i]
}

// toldTerms are those of all leaves.
func (c *changer) toldTerms() []flow.LeafTerms {
	if len(c.exposed.was) == 0 {
		return c.terms
	}
	out := append([]flow.LeafTerms(nil), c.terms...)
	for i, t := range c.exposed.was {
		out[i] = t
	}
	return out
}

// coarser carries out a value that the exposure memory made coarser: at its level, else masked, else gone. It refuses what would have been refused
// anyway, and nothing else.
func (c *changer) coarser(i int, was flow.LeafTerms) error {
	t, terms := &c.targets[i], &c.terms[i]
	if was.Level != flow.Raw && !c.fits(i, was.Treatment) {
		terms.Treatment, terms.By = flow.Treatment{}, flow.BySchema
		return c.takeOut(t.view, t.node, "The level that the terms allow does not fit the recipient's schema, and the place is required.")
	}
	class, _ := c.m.Snapshot.Taxonomy.Class(c.leaves[i].Label)
	old := scalarAt(t.view.doc, t.node, t.value)
	for _, to := range []flow.Treatment{terms.Treatment, {Level: flow.Masked}} {
		if to.Level == flow.Dropped || !c.fits(i, to) {
			continue
		}
		out, err := deidentify.Apply(class, to, old, c.m.Snapshot.Hierarchies)
		if err != nil {
			break
		}
		terms.Treatment = to
		switch out.Kind {
		case deidentify.String:
			t.view.edits.ReplaceText(t.node, out.Text)
		case deidentify.Null:
			t.view.edits.Replace(t.node, []byte("null"))
		default:
			t.view.edits.Replace(t.node, []byte(out.Text))
		}
		return nil
	}
	c.leaveOut(i)
	return nil
}

// leaveOut takes a value out whatever its schema says of the place: the recipient may find fault with that, as with any data that is
// not there, but nobody is refused for what was shown before.
func (c *changer) leaveOut(i int) {
	c.terms[i].Treatment = flow.Treatment{}
	c.omit(c.targets[i].view, c.targets[i].node)
}

func (c *changer) omit(v *view, n int) {
	node := &v.doc.Nodes[n]
	if node.Parent < 0 || infoAt(v, int(node.Parent)) == nil && c.m.Table.Role(v.doc.Nodes[n].State) == wire.Data {
		v.edits.Replace(n, []byte("null")) // the protocol needs something there
		return
	}
	v.edits.Remove(n)
}

// keepExposure writes what the message shows, in the transaction of its record.
func (c *changer) keepExposure(tx store.Tx) error {
	if c.exposed.look == nil {
		return nil
	}
	return c.exposed.look.Commit(tx)
}

// keptExposure says that the record is durable.
func (c *changer) keptExposure() {
	if c.exposed.look != nil {
		c.exposed.look.Keep()
	}
}

func (g *Gateway) sweepExposure(ctx context.Context, now time.Time) error {
	if g.exposure == nil {
		return nil
	}
	return g.exposure.Sweep(ctx, now)
}
