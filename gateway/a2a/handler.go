// Package a2a is the gateway's A2A door: agent cards, calls and event streams, over JSON-RPC and HTTP+JSON.
//
// Whatever binding a call comes in by and whatever binding its agent speaks, on the road between it is a JSON-RPC
// envelope: see front and back. The package reads framing and envelopes and leaves every decision to package gateway.
// What it does not carry it refuses with the protocol's own errors; nothing passes unread.
package a2a

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
)

// Handler serves one face of a gateway over A2A. Mount it at its prefix, "/a2a/" or "/out/a2a/".
type Handler struct {
	Gateway *gateway.Gateway
	Face    gateway.Face
	Prefix  string          // of the paths it serves, with a slash at both ends
	Cards   *Cards          // shared between handlers
	Pushes  *Pushes         // shared between handlers; nil: push notifications are not carried
	Own     *offer.Registry // methods of the privacy extension that the gateway answers itself; nil: none
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	escaped, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), h.Prefix), "/")
	name, err := url.PathUnescape(escaped)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	id := flow.AgentID(name)
	r = r.WithContext(gateway.WithHops(r.Context(), r.Header))
	switch {
	case id == offer.Server && len(h.Own.Tools()) > 0 && (rest == wellKnown[1:] || rest == oldWellKnown[1:]) && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		h.ownCard(w, r, rest == oldWellKnown[1:])
	case (rest == wellKnown[1:] || rest == oldWellKnown[1:]) && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		h.card(w, r, id, rest == oldWellKnown[1:])
	case rest == "" && r.Method == http.MethodPost:
		h.call(w, r, id, &jsonrpcFront{w: w, r: r}).serve()
	case rest == "":
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	default:
		f, allowed := newRESTFront(w, r, rest)
		switch {
		case f != nil:
			h.call(w, r, id, f).serve()
		case allowed != "":
			w.Header().Set("Allow", allowed)
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		default:
			http.NotFound(w, r)
		}
	}
}

func (h *Handler) call(w http.ResponseWriter, r *http.Request, id flow.AgentID, f front) *call {
	return &call{h: h, w: w, r: r, front: f, snap: h.Gateway.Snapshot(), agentID: id, rep: new(reply)}
}

// call is one call on its way, by whatever binding it came.
type call struct {
	h         *Handler
	w         http.ResponseWriter
	r         *http.Request
	front     front
	version   string // of A2A
	snap      *gateway.Snapshot
	agentID   flow.AgentID
	agent     *gateway.Agent
	to        card.Interface // where the agent is called
	caller    identity.Caller
	authority *gateway.Authority
	doc       json.Doc
	rpc       wire.RPC
	a2a       wire.A2A
	trace     string            // the caller's traceparent; may be empty
	said      []gateway.Mention // identifiers that the agent was given, for its words
	flow      flow.Flow
	query     policy.Query
	body      []byte
	sent      []byte // what of the request its proof is about
	ticket    *gateway.Ticket
	req       gateway.Request
	rep       *reply          // what the agent answers
	active    string          // the extensions that the agent used, of those that the caller asked for
	pushed    *gateway.Push   // where the caller wants to be told, if the call says so
	anew      bool            // an earlier answer goes down the road once more
	asking    *gateway.Asking // the question to a dataset that it is; nil: none
	whom      gateway.Named   // whom the call names
	own       *offer.Tool     // what the gateway answers by itself; nil: the call is for the agent

	skillArguments []byte // of a message to the gateway's own agent
}

func (c *call) serve() {
	ctx := c.r.Context()
	c.flow.ID, c.flow.Protocol, c.flow.Direction = gateway.NewFlowID(), "a2a/"+wire.A2A10, flow.Request
	if err := c.read(ctx); err != nil {
		c.refuse(ctx, err)
		return
	}
	ctx, stop := c.while(ctx)
	defer stop()
	c.r = c.r.WithContext(ctx)
	if c.own != nil {
		c.serveOwn(ctx)
		return
	}
	answer, ticket, err := c.once(ctx)
	if err != nil {
		c.refuse(ctx, err)
		return
	}
	if answer != nil {
		c.again(ctx, answer)
		return
	}
	c.ticket = ticket
	defer ticket.End()
	if err := c.choose(ctx); err != nil {
		c.refuse(ctx, err)
		return
	}
	if err := c.takePush(ctx); err != nil {
		c.refuse(ctx, err)
		return
	}
	if c.asking, err = c.asksData(); err != nil {
		c.refuse(ctx, err)
		return
	}
	m := c.requestMessage()
	m.Asking = c.asking
	if c.pushed != nil {
		m.Commit = c.keepPush
	}
	passed, err := c.h.Gateway.Pass(ctx, m)
	if err != nil {
		c.deny(err)
		return
	}
	c.said = gateway.Reversed(passed.Mapped)
	if parts, ok := c.asking.Known(); ok {
		c.known(ctx, parts)
		return
	}
	c.forward(ctx, passed)
}

// while is [gateway.Gateway.While] of the call.
//
//go:noinline
func (c *call) while(ctx context.Context) (context.Context, context.CancelFunc) {
	return c.h.Gateway.While(ctx, c.authority, c.flow)
}

// read authenticates the caller, reads the body and finds out what is asked of whom. Whatever is known by then is in c.flow.
func (c *call) read(ctx context.Context) error {
	caller, authority, err := c.h.Gateway.Identify(ctx, c.snap, c.r)
	if err != nil {
		return err
	}
	c.caller, c.authority = caller, authority
	c.flow.From = caller.Party
	authority.On(&c.flow)
	if err := c.h.Gateway.Admit(ctx, c.snap, caller.Party); err != nil {
		return err
	}
	if err := c.front.address(c); err != nil {
		return err
	}
	if c.ownAgent() {
		return c.readOwn()
	}
	if c.agent, err = c.snap.Reach(c.h.Face, caller.Party, c.agentID); err != nil {
		return err
	}
	c.flow.To = c.agent.Party
	if c.agent.A2A == nil {
		return gateway.Refuse(gateway.RuleFace, nil, "There is no such agent at this address for this caller.")
	}
	if err := c.readVersion(); err != nil {
		return err
	}
	if err := c.readCall(); err != nil {
		return err
	}
	if c.ownMethod() {
		return nil
	}
	if c.table(flow.Request, false) == nil {
		return c.unknownMethod()
	}
	c.flow.Method = c.rpc.Method
	if c.a2a, err = c.dialect().read(&c.doc, c.rpc); err != nil {
		return gateway.Refuse(gateway.RulePlace, err, "The message has not the form of %s.", c.rpc.Method)
	}
	return c.why(ctx)
}

// serveOwn answers a call of what the gateway does by itself.
func (c *call) serveOwn(ctx context.Context) {
	answer := c.answerOwn
	if c.ownAgent() {
		answer = c.answerSkill
	}
	if err := answer(ctx); err != nil {
		c.refuse(ctx, err)
	}
}

// readCall reads the body as an envelope of JSON-RPC.
func (c *call) readCall() (err error) {
	if c.body, err = c.front.open(c); err != nil {
		return err
	}
	if err := c.doc.Parse(c.body, nil, c.snap.Limits); err != nil {
		return err
	}
	if c.rpc, err = wire.ReadRPC(&c.doc); errors.Is(err, wire.ErrParams) {
		return gateway.Refuse(gateway.RulePlace, err, "The params of the call are not an object.")
	} else if err != nil {
		return gateway.Refuse(gateway.RuleMalformed, err, "The message is not a JSON-RPC 2.0 call: %v.", err)
	}
	if c.rpc.Kind != wire.Call {
		return gateway.Refuse(gateway.RuleMalformed, nil, "The message is not a JSON-RPC 2.0 call.")
	}
	return nil
}

// unknownMethod refuses a method, and says so if it is one of another version than the caller names, or of none named.
func (c *call) unknownMethod() error {
	for _, v := range versions {
		if _, ok := wire.For("a2a", v, c.rpc.Method, flow.Request, false); ok && v != c.version {
			return gateway.Refuse(gateway.RuleVersion, nil, "This method is one of A2A %s; send A2A-Version: %s.", v, v)
		}
	}
	return gateway.Refuse(gateway.RuleMethod, nil, "This method is not carried.")
}

// readVersion settles the version of A2A that the call is made in. None means 0.3, and a patch number means nothing.
func (c *call) readVersion() error {
	named, inQuery := c.r.Header.Get("A2A-Version"), c.r.URL.Query().Get("A2A-Version")
	if named != "" && inQuery != "" && named != inQuery {
		return gateway.Refuse(gateway.RuleHeader, nil, "Header and address name different versions of A2A.")
	}
	named = cmp.Or(named, inQuery, "0.3")
	if parts := strings.SplitN(named, ".", 3); len(parts) == 3 {
		named = parts[0] + "." + parts[1]
	}
	if !c.front.speaks(named) {
		return gateway.Refuse(gateway.RuleVersion, nil, "This version of A2A is not carried in this binding; send A2A-Version: %s.", wire.A2A10)
	}
	c.version = named
	c.flow.Protocol = "a2a/" + named
	return nil
}

// why settles purpose, criticality and task: a message only chooses among what its caller was granted.
func (c *call) why(ctx context.Context) error {
	purpose, criticality := c.r.Header.Get(identity.HeaderPurpose), c.r.Header.Get(identity.HeaderCriticality)
	if purpose == "" && criticality == "" && c.a2a.Message != nil {
		purpose, criticality = gateway.Claimed(&c.doc, c.a2a.Message.Metadata, card.PrivacyExtension)
		c.flow.Purpose, c.flow.Task.Criticality = c.caller.Choose(purpose, criticality)
	} else {
		c.flow.Purpose, c.flow.Task.Criticality = c.caller.ChooseFrom(c.r.Header)
	}
	c.flow.Subject = c.agent.Skill
	came := gateway.TraceIn(c.r.Header)
	c.h.Gateway.Follow(ctx, c.snap, c.caller.Party.Domain, came)
	c.trace = c.h.Gateway.TraceFor(ctx, c.snap, c.authority, &c.flow, came)
	c.flow.Trace = c.h.Gateway.TraceOf(c.snap, c.caller.Party.Domain, c.trace)
	c.h.Gateway.Continue(c.snap, c.authority, &c.flow)
	if !c.caller.Anonymous { // strangers share nothing, so none of them has another's task
		task, err := c.h.Gateway.TaskOf(ctx, c.between(), c.ids())
		if err != nil {
			return err
		}
		c.flow.Task.ID = task
	}
	c.query = policy.Query{Flow: c.flow}
	return c.proves(ctx)
}

func (c *call) between() gateway.Between {
	return gateway.Between{Caller: c.caller.Party, Agent: c.agentID}
}

func (c *call) ids() (ids gateway.IDs) {
	text := func(n int) string {
		if n < 0 {
			return ""
		}
		return c.doc.Text(n)
	}
	if m := c.a2a.Message; m != nil {
		ids.Message, ids.Task, ids.Context = text(m.ID), text(m.TaskID), text(m.ContextID)
	}
	if ids.Task == "" {
		ids.Task = text(c.a2a.TaskID)
	}
	if ids.Context == "" {
		ids.Context = text(c.a2a.ContextID)
	}
	return ids
}

// once looks for an earlier answer to the same message; only what is sent has an id.
func (c *call) once(ctx context.Context) (*gateway.Answer, *gateway.Ticket, error) {
	c.req = gateway.Request{Between: c.between(), Root: c.caller.TokenRoot, Method: c.rpc.Method, Pins: c.h.Gateway.Pins(c.snap, c.authority, c.flow)}
	if c.a2a.Message != nil && c.rpc.Params >= 0 && !c.caller.Anonymous {
		c.req.ID, c.req.Params = c.ids().Message, c.doc.Raw(c.rpc.Params)
	}
	return c.h.Gateway.Once(ctx, &c.req)
}

func (c *call) table(dir flow.Direction, stream bool) *wire.Table {
	t, _ := wire.For("a2a", c.version, c.rpc.Method, dir, stream)
	return t
}

func (c *call) requestMessage() *gateway.Message {
	return &gateway.Message{
		Snapshot: c.snap, Query: c.query, Table: c.table(flow.Request, false), Body: c.body, Doc: &c.doc, Owner: c.agentID, CallID: c.upstreamID(), Authority: c.authority, Use: !c.asks(), Names: &c.whom,
		Schemas: schemas(c.snap, c.agent, flow.Request), Meta: metaSchemas(c.snap, c.agentID, flow.Request),
		NoteIn: gateway.NotePlace{Under: "params/message", Names: []string{"metadata", card.PrivacyExtension}},
	}
}

// responseFlow is the way back: the caller's eyes are what content is changed for.
func (c *call) responseFlow() flow.Flow {
	f := c.flow
	f.ID, f.Parent, f.Direction = gateway.NewFlowID(), c.flow.ID, flow.Response
	f.From, f.To = c.agent.Party, c.caller.Party
	return f
}

func (c *call) responseMessage(snap *gateway.Snapshot, body []byte, stream bool) *gateway.Message {
	return &gateway.Message{
		Snapshot: snap, Query: policy.Query{Flow: c.responseFlow()}, Table: c.table(flow.Response, stream), Body: body, Owner: c.agentID, Again: c.anew, CallID: c.callersID(), Mentions: c.said, Authority: c.authority, Named: &c.whom,
		Schemas: schemas(snap, c.agent, flow.Response), Meta: metaSchemas(snap, c.agentID, flow.Response),
		NoteIn: gateway.NotePlace{
			Under: c.dialect().noteIn,
			Names: []string{"metadata", card.PrivacyExtension},
		},
	}
}

func schemas(s *gateway.Snapshot, a *gateway.Agent, dir flow.Direction) []*catalog.Schema {
	all := s.Catalog.Schemas(catalog.Data, a.Party.Agent, "", dir)
	return append(s.Catalog.Schemas(catalog.Skill, a.Party.Agent, a.Skill, dir), all...)
}

func metaSchemas(s *gateway.Snapshot, a flow.AgentID, dir flow.Direction) []*catalog.Schema {
	return s.Catalog.Schemas(catalog.Data, a, "metadata", dir)
}

// renew takes up a configuration that was put in force while the agent was at work: the caller must still be who it
// was, and may still have to reach the agent; a purpose that was taken away no longer counts.
func (c *call) renew(ctx context.Context, snap *gateway.Snapshot) error {
	caller, authority, err := c.h.Gateway.Identify(gateway.WithAuthority(ctx, c.authority), snap, c.r)
	if err != nil || caller.Party.Agent != c.caller.Party.Agent || caller.Party.Domain != c.caller.Party.Domain {
		if r, ok := errors.AsType[*gateway.Refusal](err); ok && r.Rule == gateway.RuleCapability {
			return err
		}
		return gateway.Refuse(gateway.RuleIdentity, err, "The credential is not accepted any more.")
	}
	agent, err := snap.Reach(c.h.Face, caller.Party, c.agentID)
	if err != nil {
		return err
	}
	c.snap, c.caller, c.authority, c.agent = snap, caller, authority, agent
	c.flow.From, c.flow.To = caller.Party, agent.Party
	authority.On(&c.flow)
	c.flow.Purpose, c.flow.Task.Criticality = caller.Choose(string(c.flow.Purpose), c.flow.Task.Criticality.String())
	c.h.Gateway.Continue(snap, authority, &c.flow)
	return nil
}
