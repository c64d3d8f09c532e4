// Package mcp is the gateway's MCP door: streamable HTTP, the HTTP and SSE of 2024-11-05, and stdio, in every version
// from 2024-11-05 to 2026-07-28.
//
// It reads framing and envelopes and leaves every decision to package gateway. What a client asks goes down the road to
// the server; what a server asks of its client (sampling, elicitation, roots, ping) goes down the road to the client,
// and the client's answer back. Methods that are not carried are refused with the protocol's own error. A notification
// that is not carried has no answer in the protocol: it goes no further, and that is on record. Only where
// configuration declares all traffic of a server public does a message pass that no table describes.
package mcp

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
)

// parties are who talks, by one configuration.
type parties struct {
	snap      *gateway.Snapshot
	agent     *gateway.Agent
	caller    identity.Caller
	authority *gateway.Authority
}

// exchange is a client and a server that talk through the gateway: one HTTP request's worth, or a whole stdio session.
// It may be used by one goroutine for each direction.
type exchange struct {
	g       *gateway.Gateway
	tools   *Tools
	session string                                                    // what tells this conversation from others between the two; may be empty
	after   string                                                    // the event from which the client goes on, by the server's id
	begun   string                                                    // a session that began with this exchange
	framed  string                                                    // the version that the framing named; stdio's has none
	stdio   bool                                                      // nobody waits for the answer to a request before sending the next
	renew   func(context.Context, *gateway.Snapshot) (parties, error) // who talks by another configuration; a refusal if they may not
	missing func(id string) *calling                                  // a call of this conversation that another exchange left; may be nil
	claim   func(*calling) error                                      // reserves the id of a call in the session; may be nil
	release func(*calling)                                            // gives it back; nil with claim
	settled func(version string)                                      // told when initialize was answered; may be nil
	claims  func(identity.Caller) (flow.Purpose, flow.Criticality)    // what holds for messages that nobody asked for; nil: what holds by default
	inbox   *inbox                                                    // what the server asks of the client; nil where no answer could be told apart from a stranger's
	memory  *memory
	partly  bool       // another gateway carries the messages, and asks about some of them
	stream  *streaming // set while the server's messages are events of one stream

	mu      sync.Mutex
	who     parties
	version string // settled by initialize, or named by the last message
	shaken  bool   // by initialize: no message may name another
	pending map[string]*calling
}

// calling is a call that the client waits for.
type calling struct {
	who       parties // by which it was decided
	flow      flow.Flow
	version   string
	method    string
	id        []byte
	key       string // of pending
	serial    uint64 // of its claim to the id
	tool      string
	prompt    string
	ref       string            // what a completion is for: prompt or template
	argument  string            // that it completes
	requested string            // a version that is not carried
	trace     string            // its traceparent; may be empty
	mentions  []gateway.Mention // identifiers that the server was given, for its words
	once      string            // the client's own id of the call
	reason    func(identity.Caller) (flow.Purpose, flow.Criticality)
	ticket    *gateway.Ticket
	asking    *gateway.Asking // the question to a dataset that it is; nil: none
	whom      *gateway.Named  // whom it names; nil: nobody
	silent    bool            // a notification, or an answer: nothing is told back
}

// maxPending bounds how many calls of one session may be unanswered at once.
const maxPending = 1024

// incoming is a message of the client as it arrived.
type incoming struct {
	body    []byte
	headers http.Header // what mirrors the message over HTTP; nil over stdio
	bare    bool        // of a result the structured part alone is wanted
	unsent  bool        // the caller sent no body: the message was made of its address
	reason  func(c identity.Caller, claimed, criticality string) (flow.Purpose, flow.Criticality)
}

// sent is what the caller proves to have sent.
func (in incoming) sent() []byte {
	if in.unsent {
		return nil
	}
	return in.body
}

// sent is a message that leaves for the server.
type sent struct {
	who    parties
	flow   flow.Flow
	passed *gateway.Passed // nil: a refusal in its place
}

// onward is a context for sending it.
func (s sent) onward(ctx context.Context, g *gateway.Gateway) (context.Context, error) {
	return g.Onward(gateway.WithAdmitted(ctx, s.passed), s.who.snap, s.who.authority, s.flow, s.passed)
}

// fromClient is what becomes of a client's message: bytes for the server, or an answer for the client.
type fromClient struct {
	forward []byte
	reply   []byte // nil where nothing is told
	status  int    // of a reply over HTTP
	call    *calling
	kind    wire.RPCKind
	mirrors map[string]string // headers that say of the forwarded message what the protocol wants said
	refusal error             // why there is nothing to forward; nil where there is, or where an answer was given again
	trace   string            // the traceparent beside it, as the server may see it
	sent    sent              // of forward
}

// now returns who talks by the configuration in force.
func (x *exchange) now(ctx context.Context) (parties, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.g.Snapshot()
	if s == x.who.snap {
		return x.who, nil
	}
	next, err := x.renew(ctx, s)
	if err != nil {
		return x.who, err
	}
	x.who = next
	return next, nil
}

// client takes one message of the client. What is refused is on record, and reply holds the protocol's words for it.
func (x *exchange) client(ctx context.Context, in incoming) fromClient {
	who, err := x.now(ctx)
	c := &calling{who: who, whom: new(gateway.Named), flow: flow.Flow{
		ID: gateway.NewFlowID(), From: who.caller.Party, To: who.agent.Party, Protocol: "mcp", Direction: flow.Request,
	}}
	if err != nil {
		x.peek(c, in.body)
		return x.refused(ctx, c, err)
	}
	who.authority.On(&c.flow)
	msg, err := x.read(ctx, c, in)
	if err == nil {
		err = x.proves(ctx, c, msg, in.sent()) // what it does not cover is refused alike, whether it is there or not
	}
	if err == nil {
		err = x.concealed(c, msg)
	}
	if err != nil {
		return x.refused(ctx, c, err)
	}
	if msg.rpc.Kind == wire.Success || msg.rpc.Kind == wire.Failure {
		return x.replied(ctx, c, msg)
	}
	if id := c.handle(msg); id != "" && msg.rpc.Kind == wire.Call {
		return x.redeem(ctx, c, msg, id)
	}
	if err := x.owned(ctx, c, msg); err != nil {
		return x.refused(ctx, c, err)
	}
	ids := gateway.IDs{Context: x.conversation(msg), Task: msg.task(), Message: c.once}
	if who.caller.Anonymous {
		ids, c.once = gateway.IDs{}, "" // strangers share nothing, so none of them has another's task or answer
	}
	if c.flow.Task.ID, err = x.g.TaskOf(ctx, x.between(c), ids); err != nil {
		return x.refused(ctx, c, err)
	}
	if c.flow.Task.ID == "" {
		c.flow.Task.ID = flow.TaskID(c.flow.ID) // a call and its answer are one task, if of no other
	}
	if msg.rpc.Kind == wire.Call {
		if err := x.wait(c); err != nil {
			return x.refused(ctx, c, err)
		}
	}
	answer, err := x.onceMore(ctx, c, msg)
	if err != nil {
		x.withdraw(c)
		return x.refused(ctx, c, err)
	}
	if answer != nil {
		x.withdraw(c)
		return x.again(ctx, c, answer)
	}
	if c.asking, err = x.asks(c, msg); err != nil {
		x.withdraw(c)
		return x.refused(ctx, c, err)
	}
	message := &gateway.Message{
		Asking: c.asking, Snapshot: who.snap, Query: c.query(c.flow), Undeclared: c.flow.Subject == "*", Table: msg.table, Body: msg.body, Doc: msg.doc, Owner: who.agent.Party.Agent, MapCalls: !x.partly, Partly: x.partly, Authority: who.authority, Use: msg.calls() && !free[c.method], Names: c.whom,
		Schemas: x.schemas(who, c, flow.Request), Meta: metaSchemas(who, flow.Request), At: x.requestPlaces(who, c, msg),
		NoteIn: gateway.NotePlace{Under: "params", Names: []string{"_meta", wire.MetaNote}},
	}
	x.inner(c, msg, in.bare, message)
	passed, err := x.g.Pass(ctx, message)
	if err != nil {
		x.withdraw(c)
		return x.denied(c, c.unlike(err))
	}
	out := fromClient{forward: passed.Body, kind: msg.rpc.Kind, trace: x.g.Traceparent(ctx, who.snap, c.flow, c.trace), sent: sent{who, c.flow, passed}}
	if in.headers != nil && c.version == wire.MCP20260728 {
		out.mirrors = x.tools.mirrors(who.agent.Party.Agent, passed.Body)
		if name := in.headers.Get(headerName); msg.table == wire.Passing() && visible(name) {
			out.mirrors[headerName] = name // of an extension that nobody here knows
		}
	}
	c.mentions = gateway.Reversed(passed.Mapped)
	if content, ok := c.asking.Known(); ok {
		x.withdraw(c)
		return x.known(ctx, c, content)
	}
	c.follow(x, passed.Body)
	if msg.rpc.Kind == wire.Call {
		out.call = c
	} else {
		c.ticket.End()
		x.cancelled(c, passed.Body)
		if c.method == "notifications/initialized" && x.inbox != nil {
			x.inbox.open()
		}
	}
	return out
}

// message is a client's message that was read.
type message struct {
	body  []byte
	doc   *json.Doc
	rpc   wire.RPC
	mcp   wire.MCP
	table *wire.Table
}

// peek reads the id of a message that is refused whatever it says.
func (x *exchange) peek(c *calling, body []byte) {
	var d json.Doc
	if d.Parse(body, nil, c.who.snap.Limits) != nil {
		return
	}
	if rpc, err := wire.ReadRPC(&d); err == nil {
		c.named(rpc)
	}
}

func (c *calling) named(rpc wire.RPC) {
	c.silent = rpc.Kind != wire.Call
	if !c.silent {
		c.id = append([]byte(nil), rpc.ID...)
	}
}

// read finds out what is asked and settles version, purpose and the names that go on record.
func (x *exchange) read(ctx context.Context, c *calling, in incoming) (*message, error) {
	m := &message{body: in.body, doc: new(json.Doc)}
	if err := m.doc.Parse(in.body, nil, c.who.snap.Limits); err != nil {
		return nil, err
	}
	var err error
	if m.rpc, err = wire.ReadRPC(m.doc); err != nil {
		c.id = append(c.id, m.rpc.ID...)
		return nil, gateway.Refuse(gateway.RuleMalformed, err, "The message is not a JSON-RPC 2.0 message: %v.", err)
	}
	c.named(m.rpc)
	if m.rpc.Kind == wire.Success || m.rpc.Kind == wire.Failure {
		return m, nil
	}
	if m.mcp, err = wire.ReadMCP(m.doc, m.rpc); err != nil && passing(c.who) != nil {
		m.mcp, err = wire.ReadMCPMeta(m.doc, m.rpc), nil
	}
	if err != nil {
		return nil, gateway.Refuse(gateway.RuleMalformed, err, "The message has not the form of its method.")
	}
	if err := x.settle(c, m); err != nil {
		return nil, err
	}
	var ok bool
	c.method, c.flow.Method, c.flow.Protocol = m.rpc.Method, m.rpc.Method, "mcp/"+c.version
	if m.table, ok = wire.For("mcp", c.version, m.rpc.Method, flow.Request, false); !ok {
		c.flow.Method = "" // a name that nobody knows may be a value
		if m.table = passing(c.who); m.table == nil {
			c.method = ""
			return nil, gateway.Refuse(gateway.RuleMethod, nil, "This method is not carried.")
		}
	}
	c.traced(ctx, x, m, in.headers)
	if in.headers != nil {
		if err := mirrored(in.headers, c.version, m); err != nil {
			return nil, err
		}
		if err := x.tools.mirrored(in.headers, c.who.agent.Party.Agent, c.version, m); err != nil {
			return nil, err
		}
	}
	if m.mcp.Name >= 0 && c.method == "tools/call" {
		if c.tool = m.doc.Text(m.mcp.Name); wire.IsName(c.tool) {
			c.flow.Subject = "*" // the record does not name what nothing declares
			if x.tools.known(c.who.snap, c.who.agent.Party.Agent, c.tool) {
				c.flow.Subject = c.tool
			}
		}
	}
	c.asksAbout(x, m)
	if m.mcp.FlowID >= 0 {
		c.once = m.doc.Text(m.mcp.FlowID)
	}
	claimed, criticality := gateway.Claimed(m.doc, m.mcp.Meta, wire.MetaNote)
	c.reason = func(caller identity.Caller) (flow.Purpose, flow.Criticality) {
		return in.reason(caller, claimed, criticality)
	}
	c.flow.Purpose, c.flow.Task.Criticality = c.reason(c.who.caller)
	x.g.Continue(c.who.snap, c.who.authority, &c.flow)
	return m, nil
}

// settle finds the version that a message is in: the framing's, else the one it names itself, else the session's, else
// the last that had no way to say it. Where two of them speak, they must say the same.
func (x *exchange) settle(c *calling, m *message) error {
	named := ""
	if m.mcp.ProtocolVersion >= 0 {
		named = m.doc.Text(m.mcp.ProtocolVersion)
	}
	if m.rpc.Method == "initialize" {
		if x.framed == wire.MCP20260728 { // which has no handshake
			c.version = x.framed
			return nil
		}
		return x.negotiate(c, m)
	}
	shaken := x.agreed()
	switch {
	case x.framed != "" && named != "" && named != x.framed:
		return gateway.Refuse(gateway.RuleHeader, nil, "The MCP-Protocol-Version header says something else than the message.")
	case x.framed != "" && shaken != "" && x.framed != shaken:
		return gateway.Refuse(gateway.RuleHeader, nil, "The MCP-Protocol-Version header says something else than the session.")
	case named != "" && shaken != "" && named != shaken:
		return gateway.Refuse(gateway.RuleVersion, nil, "The message names another version than the session's.")
	case shaken != "":
		c.version = shaken
		return nil
	case named != "":
		c.version = named
	case x.framed != "":
		c.version = x.framed
	case x.stdio:
		c.version = x.spoken()
	default:
		c.version = wire.MCP20250326 // the last that did not want it named
	}
	if len(wire.Methods("mcp", c.version)) == 0 {
		c.version, c.requested = "", c.version
		return notSpoken()
	}
	x.speak(c.version)
	return nil
}

// negotiate begins a session: in the version that the client asks for if it is carried, else in the newest of those
// that have sessions. The server may settle on another.
func (x *exchange) negotiate(c *calling, m *message) error {
	if x.agreed() != "" {
		return gateway.Refuse(gateway.RuleMalformed, nil, "The session has begun already.")
	}
	n := m.mcp.ProtocolVersion
	if n >= 0 && wire.MCPSessions(m.doc.Text(n)) {
		c.version = m.doc.Text(n)
		x.speak(c.version)
		return nil
	}
	c.version = wire.MCP20251125
	if n < 0 {
		x.speak(c.version)
		return nil
	}
	e := m.doc.Edit()
	e.ReplaceText(n, c.version)
	body, err := e.Apply(nil)
	if err != nil {
		return err
	}
	return x.reread(m, body, c)
}

func notSpoken() error {
	return gateway.Refuse(gateway.RuleVersion, nil, "This version of MCP is not carried; %s are.", strings.Join(wire.MCPVersions(), ", "))
}

// reread takes up the message with other bytes.
func (x *exchange) reread(m *message, body []byte, c *calling) error {
	m.body = body
	if err := m.doc.Parse(body, nil, c.who.snap.Limits); err != nil {
		return err
	}
	var err error
	if m.rpc, err = wire.ReadRPC(m.doc); err != nil {
		return err
	}
	m.mcp, err = wire.ReadMCP(m.doc, m.rpc)
	x.speak(c.version)
	return err
}

func (x *exchange) speak(version string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.version = version
}

// agree settles the version of the session.
func (x *exchange) agree(version string) {
	x.mu.Lock()
	x.version, x.shaken = version, true
	x.mu.Unlock()
	if x.settled != nil {
		x.settled(version)
	}
}

// agreed is the version of the session; "" before there is one.
func (x *exchange) agreed() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.shaken {
		return ""
	}
	return x.version
}

// spoken is the version of the session, or of the last message; "" before there was one.
func (x *exchange) spoken() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.version
}

// conversation is what calls of one piece of work have in common: the session, else the state that a server handed out
// with its questions and gets back with the answers, else the trace they belong to.
func (x *exchange) conversation(msg *message) string {
	if x.session != "" {
		return "session " + x.session
	}
	d, m := msg.doc, msg.mcp
	if msg.rpc.Params >= 0 {
		if state := textIn(d, msg.rpc.Params, "requestState"); state != "" {
			return "state " + state
		}
	}
	if m.Meta >= 0 {
		if n, ok := d.Member(m.Meta, "traceparent"); ok && d.Nodes[n].Kind == json.String {
			if t := d.Text(n); len(t) == 55 {
				return "trace " + t[3:35]
			}
		}
	}
	return ""
}

func (x *exchange) between(c *calling) gateway.Between {
	return gateway.Between{Caller: c.who.caller.Party, Agent: c.who.agent.Party.Agent}
}

// onceMore looks for the stored answer to a call that has an id of its client's.
func (x *exchange) onceMore(ctx context.Context, c *calling, m *message) (*gateway.Answer, error) {
	req := &gateway.Request{Between: x.between(c), Root: c.who.caller.TokenRoot, Method: c.method, Pins: x.g.Pins(c.who.snap, c.who.authority, c.flow)}
	if c.once != "" && m.rpc.Kind == wire.Call {
		req.ID, req.Params = c.once, m.doc.Raw(m.rpc.Params)
	}
	answer, ticket, err := x.g.Once(ctx, req)
	if ticket == nil {
		ticket = &gateway.Ticket{}
	}
	c.ticket = ticket
	return answer, err
}

// again gives a stored answer once more; one that was decided by other pins goes down the road again.
func (x *exchange) again(ctx context.Context, c *calling, a *gateway.Answer) fromClient {
	if a.Task != "" {
		c.flow.Task.ID = a.Task
	}
	f := back(c.who, c.flow)
	body := gateway.WithID(a.Body, c.id)
	if a.SameAs {
		if err := x.g.Replayed(ctx, c.who.snap, c.who.authority, f, a); err != nil {
			return x.refused(ctx, c, err)
		}
		return fromClient{reply: body, status: http.StatusOK}
	}
	m := x.answerMessage(c, c.who, f, body)
	m.Outcome, m.Again = flow.Replayed, true
	passed, err := x.g.Pass(ctx, m)
	if err != nil {
		return x.denied(c, err)
	}
	return fromClient{reply: passed.Body, status: http.StatusOK}
}

func (x *exchange) refused(ctx context.Context, c *calling, err error) fromClient {
	return x.denied(c, x.g.Refused(ctx, c.who.snap, c.flow, err))
}

// denied tells the client, unless the protocol has no answer to what it sent.
func (x *exchange) denied(c *calling, err error) fromClient {
	c.ticket.End()
	if c.silent {
		return fromClient{status: http.StatusAccepted}
	}
	d := denial(err)
	d.Requested = c.requested
	return fromClient{reply: d.MCP(c.version, c.method, c.id), status: d.MCPStatus(c.version, c.method), refusal: err}
}

// query asks policy about the tool by its name, whatever the record calls it.
func (c *calling) query(f flow.Flow) policy.Query {
	if f.Subject != "" {
		f.Subject = cmp.Or(c.tool, c.prompt)
	}
	return query(f)
}
