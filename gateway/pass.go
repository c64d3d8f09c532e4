package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy/hop"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// maxTries is how often a message is changed anew when another message of its task was recorded in between.
const maxTries = 8

// Pass takes a message down the whole road and returns when it is on record and may leave. The error is a [*Refusal],
// already on record where that was possible at all. Pass is safe for concurrent use.
func (g *Gateway) Pass(ctx context.Context, m *Message) (*Passed, error) {
	if m.Outcome == flow.Segment {
		if err := entryOf(ctx).hold(ctx, len(m.Body)); err != nil {
			return nil, g.refusedOf(ctx, m, err)
		}
	}
	began := g.now()
	texts := m.Texts.copied()
	for try := 1; ; try++ {
		if try > 1 && texts != nil {
			*m.Texts = *texts.copied() // a text takes each chunk once
		}
		p, err := g.attempt(ctx, m, began)
		if errors.Is(err, vault.ErrConflict) && try < maxTries {
			continue
		}
		m.Asking.recorded(err)
		if err == nil {
			return p, nil
		}
		return nil, g.refusedOf(ctx, m, err)
	}
}

// refusedOf puts on record why a message may not leave. It is not to be inlined: its copies of the flow would lie on the stack below every flow.
//
//go:noinline
func (g *Gateway) refusedOf(ctx context.Context, m *Message, err error) *Refusal {
	return g.Refused(ctx, m.Snapshot, m.recorded(), err)
}

// attempt is pass, which a fault of our own must not take the process down with: not every caller has a guard above it.
func (g *Gateway) attempt(ctx context.Context, m *Message, began time.Time) (p *Passed, err error) {
	defer func() {
		if v := recover(); v != nil {
			p, err = nil, refuse(RuleInternal, "", store.PanicOf(v), "The gateway could not decide this flow, so it did not happen.")
		}
	}()
	return g.pass(ctx, m, began)
}

func (g *Gateway) pass(ctx context.Context, m *Message, began time.Time) (passed *Passed, failed error) {
	watch := g.stopwatch(ctx, &m.Query.Flow, StepDetect)
	defer func() { watch.end(failed) }()
	work := scratch.Get().(*workspace)
	defer work.put()
	c := &changer{collector: &collector{g: g, m: m, ctx: ctx, batch: g.vault.Begin(), leaves: work.leaves, targets: work.targets}, groups: &work.groups}
	defer func() { work.leaves, work.targets = c.leaves, c.targets }()
	defer c.batch.Discard()
	f := &m.Query.Flow
	m.Authority.On(f)
	m.Query.Capabilities = m.Authority.Names()
	if err := g.holdsNow(m); err != nil {
		return nil, err
	}
	if f.Task.ID == "" {
		f.Task.ID = flow.TaskID(f.ID)
	}
	if h := m.Authority.carried(); h != nil && f.Direction == flow.Response {
		f.Hop = h.Next()
	}
	if err := g.enter(ctx, m); err != nil {
		return nil, err
	}
	var err error
	if c.task, err = c.batch.Task(ctx, vault.TaskKey{Task: f.Task.ID}); err != nil {
		return nil, refuse(RuleInternal, "", err, "The gateway could not read the task's memory, so the flow did not happen.")
	}
	doc, err := m.parsed(&work.doc)
	if err != nil {
		return nil, err
	}
	m.Table.Place(doc)
	work.edits.Reset(doc)
	top := &view{doc: doc, edits: &work.edits, info: work.info[:0], schema: work.schema[:0]}
	defer func() { work.info, work.schema = top.info, top.schema }()
	c.views = append(c.views, top)
	c.cross = g.passage(m.Snapshot, f)
	if err := c.collect(top); err != nil {
		return nil, err
	}
	if m.Texts.full() {
		return nil, refuse(RuleTooBig, "", nil, "The stream has more than %d texts open at once.", maxTexts)
	}
	watch.next(StepPolicy)
	terms, err := c.decide()
	if err != nil {
		return nil, err
	}
	m.sentBy.meet(m.Snapshot.Taxonomy, c.leaves, terms.Leaves)
	c.terms, c.contracts, c.duties = terms.Leaves, terms.Contracts, terms.Duties
	if err := c.meetLooks(); err != nil {
		return nil, err
	}
	watch.next(StepChange)
	out := &Passed{Body: m.Body, IDs: c.ids}
	watched := m.watched()
	if watched {
		g.observe(c)
	} else {
		if err := c.planHandles(); err != nil {
			return nil, err
		}
		if err := c.meetExposure(); err != nil {
			return nil, err
		}
		if err := c.carryOut(); err != nil {
			return nil, err
		}
		c.names()
		if err := c.handOver(top); err != nil {
			return nil, err
		}
		c.remember()
		if err := c.finish(top, out); err != nil {
			return nil, err
		}
	}
	if m.Admit != nil {
		if out.Admitted, err = c.admit(watched); err != nil {
			return nil, err
		}
	}
	out.Mapped = c.said
	if m.Asking != nil && f.Direction == flow.Request {
		if err := m.Asking.reserve(ctx, m, out.Body); err != nil {
			return nil, err
		}
	}
	if f.To.Agent == m.Owner && m.Snapshot.toPeer(f) {
		if out.let, err = c.letThrough(terms.Duties); err != nil {
			return nil, err
		}
	}
	watch.next(StepRecord)
	if err := g.record(ctx, c, terms, out, began); err != nil {
		return nil, err
	}
	m.Texts.drop()
	entryOf(ctx).holds(m.Texts)
	return out, nil
}

// decide returns the terms of the message by policy, contracts and authority. It is not to be inlined, nor are those below, for the same reason as
// [Gateway.refusedOf].
//
//go:noinline
func (c *changer) decide() (flow.Terms, error) {
	m := c.m
	m.Query.Contracts = c.g.bound(&m.Query.Flow).Names(m.Snapshot.Domain)
	return c.g.Terms(m.Snapshot, m.Authority, m.Query, c.leaves)
}

// letThrough is what the next gateway is told that it may let through.
//
//go:noinline
func (c *changer) letThrough(duties flow.Duties) (hop.Limits, error) {
	return c.g.letThrough(c.m.Snapshot, c.m.Authority, c.m.Query.Flow, c.leaves, flow.Terms{Leaves: c.toldTerms(), Duties: duties})
}

// happened reports a message that is on record.
//
//go:noinline
func (c *changer) happened(ev *flow.Event) {
	c.g.did(Act{Event: *ev, Proven: true, Unknown: c.unknown})
}

// parsed returns the message's document, parsed into d where the adapter did not bring it.
func (m *Message) parsed(d *json.Doc) (*json.Doc, error) {
	if m.Doc != nil && len(m.Body) > 0 && len(m.Doc.Src) == len(m.Body) && &m.Doc.Src[0] == &m.Body[0] {
		return m.Doc, nil
	}
	return d, d.Parse(m.Body, nil, m.Snapshot.Limits)
}

// remember keeps the identifiers that structured content gave, so that they are found in later texts of the task and
// come home to who supplied them. A task whose memory is full goes on without.
func (c *changer) remember() {
	from := c.m.Query.Flow.From
	if from.Domain != c.m.Snapshot.Domain {
		for i := range c.leaves {
			t, label := &c.targets[i], c.leaves[i].Label
			class, _ := c.m.Snapshot.Taxonomy.Class(label)
			switch {
			case t.stand != nil:
				continue
			case class.Kind == flow.Date && class.Family == flow.Attribute && (t.kind == wholeValue || t.kind == textSpan):
				label = anyDate // an agent may say it back in another place
			case t.kind != wholeValue && t.kind != memberName || class.Family != flow.Identifier:
				continue
			}
			if err := c.task.Supply(label); err != nil {
				break // a memory that is full says of every label that it was supplied
			}
		}
	}
	for _, k := range c.known {
		if class, _ := c.m.Snapshot.Taxonomy.Class(k.Label); class.Family != flow.Identifier {
			continue
		}
		if err := c.task.Remember(k.Text, k.Label, from.Agent); err != nil {
			return
		}
	}
	c.rememberNames()
}

// anyDate stands for all dates that were supplied from outside.
const anyDate flow.Label = "time/supplied"

// sureName is how sure, in percent, the name of a person must be to be looked for in later messages of its task.
const sureName = 95

// rememberNames keeps full names of people that prose gave, so that a family name alone is found in what comes later.
func (c *changer) rememberNames() {
	for i := range c.targets {
		t, leaf := &c.targets[i], &c.leaves[i]
		if t.kind != textSpan || t.stand != nil || leaf.Label != "person/name" || leaf.Certainty() < sureName || !strings.Contains(t.value, " ") || len(t.value) > detect.MaxKnownBytes {
			continue
		}
		if err := c.task.Remember(t.value, leaf.Label, c.m.Query.Flow.From.Agent); err != nil {
			return
		}
	}
}

// workspace is memory that one message after another uses. Nothing of it may outlive the pass.
type workspace struct {
	doc     json.Doc
	edits   json.Edits
	leaves  []flow.Leaf
	targets []target
	info    []*catalog.Info
	schema  []*catalog.Schema
	groups  grouping
}

var scratch = sync.Pool{New: func() any { return new(workspace) }}

// put gives the memory back, emptied of all that came from the message, unless the message was a very large one.
func (w *workspace) put() {
	if cap(w.doc.Nodes) > 8192 || cap(w.leaves) > 8192 {
		return
	}
	w.doc.Src = nil
	clear(w.leaves[:cap(w.leaves)])
	clear(w.targets[:cap(w.targets)])
	clear(w.info[:cap(w.info)])
	clear(w.schema[:cap(w.schema)])
	w.groups.empty()
	w.leaves, w.targets = w.leaves[:0], w.targets[:0]
	w.edits.Reset(&w.doc)
	scratch.Put(w)
}

// finish tells the recipient and splices the changes in.
func (c *changer) finish(top *view, out *Passed) error {
	out.Note = c.note()
	if c.m.redeeming {
		c.m.said = out.Note
	}
	if len(out.Note.Changes) > 0 || out.Note.Restricted > 0 || len(out.Note.Earlier) > 0 || out.Note.Retain != nil {
		c.tell(top, out.Note)
	}
	c.keepPrivate(top)
	if c.outer.id != nil {
		top.edits.Replace(c.outer.node, c.outer.id)
	}
	if top.edits.Empty() {
		return nil
	}
	body, err := top.edits.Apply(make([]byte, 0, len(c.m.Body)+512+224*len(out.Note.Changes)))
	if err != nil {
		return refuse(RuleInternal, "", err, "The gateway could not change this message as its terms say, so the flow did not happen.")
	}
	out.Body, out.Changed = body, true
	return nil
}

// record writes the decision, what it charges and what the caller adds in one transaction, durable when it returns.
func (g *Gateway) record(ctx context.Context, c *changer, terms flow.Terms, out *Passed, began time.Time) error {
	m := c.m
	c.groups.group(c.leaves, c.terms)
	g.event(c, &terms, out, began)
	ev := &out.Event
	private, err := c.private(ctx, &ev.Flow, out.Body)
	if err != nil {
		return refuse(RuleRecord, "", err, "The decision could not be put on record, so the flow did not happen.")
	}
	kept := func() {}
	err = g.update(ctx, func(tx store.Tx) error {
		if !g.stillBound(m, c.contracts) {
			return vault.ErrConflict // a contract began or ended while the message was changed
		}
		if err := g.unheld(m); err != nil {
			return err
		}
		if err := c.batch.Flush(tx); err != nil {
			return err
		}
		if err := c.keepExposure(tx); err != nil {
			return err
		}
		if err := c.keepHandles(tx); err != nil {
			return err
		}
		var err error
		if kept, err = g.keepHop(tx, m); err != nil {
			return err
		}
		if m.Commit != nil {
			if err := m.Commit(tx, out.Body); err != nil {
				return err
			}
		}
		if err := g.charge(tx, m); err != nil {
			return err
		}
		out.Receipt, err = g.journal.Append(tx, *ev, private)
		return err
	})
	if err != nil {
		m.Authority.charged(m, false)
		if _, refused := errors.AsType[*Refusal](err); refused || errors.Is(err, vault.ErrConflict) {
			return err
		}
		return refuse(RuleRecord, "", err, "The decision could not be put on record, so the flow did not happen.")
	}
	c.batch.Keep()
	c.keptExposure()
	kept()
	m.Authority.charged(m, true)
	c.happened(ev)
	entryOf(ctx).passed(m.Snapshot, ev)
	recorded(ctx, out.Receipt, ev.Time)
	return nil
}

// event puts in out what the journal says of a message whose leaves are grouped.
func (g *Gateway) event(c *changer, terms *flow.Terms, out *Passed, began time.Time) {
	m, ev := c.m, &out.Event
	*ev = flow.Event{
		Time: g.now(), Flow: m.recorded(), Outcome: m.Outcome, PolicyHash: terms.PolicyHash, ConfigHash: m.Snapshot.ConfigHash,
		Contracts: c.contracts, Levels: c.groups.levels(), Bytes: len(out.Body), Segment: m.Segment, Took: g.now().Sub(began), Cost: m.Cost,
	}
	if m.Asking != nil {
		ev.Question = m.Asking.q.told()
	}
	if ev.Outcome == "" {
		ev.Outcome = flow.Released
	}
	if m.watched() {
		ev.Outcome = flow.Watched
	}
	if len(c.dropped) > 0 {
		ev.Levels = append(ev.Levels, flow.LevelCount{Label: flow.Unlabelled, Level: flow.Dropped, By: flow.BySchema, Count: len(c.dropped)})
	}
	ev.Policies = c.groups.policies()
	if n := m.LeftOut.Count; n > 0 {
		ev.Reason = fmt.Sprintf("entries left out of the list: %d", n)
		for _, id := range m.LeftOut.Policies {
			if !slices.Contains(ev.Policies, id) {
				ev.Policies = append(ev.Policies, id)
			}
		}
	}
	if len(terms.Shadow) == len(c.leaves) && len(c.leaves) > 0 {
		ev.Shadow = flow.CountLevels(c.leaves, terms.Shadow)
	}
	for i := range c.leaves {
		if c.leaves[i].Subject.Known() {
			ev.Subjects++
		} else {
			ev.NoSubject++
		}
	}
}

// findPath returns the first node of the protocol's own at a wire path, or -1.
func findPath(v *view, t *wire.Table, path string) int {
	for n := 0; n < len(v.doc.Nodes); {
		node := &v.doc.Nodes[n]
		if infoAt(v, n) != nil || !t.Rooted(node.State) { // what is in it is nothing of the protocol's either
			n = int(node.Next)
			continue
		}
		if t.Path(node.State) == path {
			return n
		}
		n++
	}
	return -1
}
