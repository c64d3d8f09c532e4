// Package mcp is the gateway's MCP door: streamable HTTP and stdio, versions 2026-07-28 and 2025-11-25, tools and resources.
//
// It reads framing and envelopes and leaves every decision to package gateway. Methods that are not carried are
// refused with the protocol's own error; requests of a server to its client (sampling, elicitation, roots) are
// answered with that error on the client's behalf.
package mcp

import (
	"context"
	"sync"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// exchange is a client and a server that talk through the gateway: one HTTP request's worth, or a whole stdio session.
// It may be used by one goroutine for each direction.
type exchange struct {
	g       *gateway.Gateway
	tools   *Tools
	agent   *gateway.Agent
	caller  identity.Caller
	session string // what tells this conversation from others between the two; may be empty

	mu      sync.Mutex
	version string
	pending map[string]*calling // by raw JSON-RPC id
}

// calling is a call that the client waits for.
type calling struct {
	flow   flow.Flow
	method string
	id     []byte
	tool   string
	ticket *gateway.Ticket
}

// fromClient is what becomes of a client's message: bytes for the server, or an answer for the client.
type fromClient struct {
	forward []byte
	reply   []byte
	status  int // of a reply over HTTP
	call    *calling
	uri     string // of a resources/read, as it is forwarded
}

// client takes one message of the client. An error is a [*gateway.Refusal] on record; reply holds the protocol's words for it.
func (x *exchange) client(ctx context.Context, purpose func(claimed, criticality string) (flow.Purpose, flow.Criticality), body []byte) fromClient {
	s := x.g.Snapshot()
	c := &calling{flow: flow.Flow{
		ID: gateway.NewFlowID(), From: x.caller.Party, To: x.agent.Party, Protocol: "mcp/" + x.spoken(), Direction: flow.Request,
	}}
	doc := new(json.Doc)
	refused := func(err error) fromClient { return x.refused(ctx, s, c, err) }
	if err := doc.Parse(body, nil, s.Limits); err != nil {
		return refused(err)
	}
	rpc, err := wire.ReadRPC(doc)
	if err != nil {
		return refused(gateway.Refuse(gateway.RuleMalformed, err, "The message is not a JSON-RPC 2.0 message: %v.", err))
	}
	c.method, c.id, c.flow.Method = rpc.Method, append([]byte(nil), rpc.ID...), rpc.Method
	if rpc.Kind != wire.Call && rpc.Kind != wire.Notification {
		return refused(gateway.Refuse(gateway.RuleMethod, nil, "Answers to a server's requests are not carried."))
	}
	x.settleVersion(doc, rpc)
	c.flow.Protocol = "mcp/" + x.spoken()
	table, ok := wire.For("mcp", x.spoken(), rpc.Method, flow.Request, false)
	if !ok {
		if len(wire.Methods("mcp", x.spoken())) == 0 {
			return refused(gateway.Refuse(gateway.RuleVersion, nil, "This version of MCP is not carried."))
		}
		return refused(gateway.Refuse(gateway.RuleMethod, nil, "This method is not carried."))
	}
	m, err := wire.ReadMCP(doc, rpc)
	if err != nil {
		return refused(gateway.Refuse(gateway.RuleMalformed, err, "The message has not the form of %s.", rpc.Method))
	}
	if m.Name >= 0 {
		c.tool = doc.Text(m.Name)
		c.flow.Subject = c.tool
	}
	claimed, criticality := claims(doc, m.Meta)
	c.flow.Purpose, c.flow.Task.Criticality = purpose(claimed, criticality)
	if c.flow.Task.ID, err = x.g.TaskOf(ctx, x.between(), gateway.IDs{Context: x.conversation(doc, m)}); err != nil {
		return refused(err)
	}
	if answer, err := x.once(ctx, s, c, doc, rpc, m); err != nil {
		return refused(err)
	} else if answer != nil {
		return x.again(ctx, s, c, answer)
	}
	passed, err := x.g.Pass(ctx, &gateway.Message{
		Snapshot: s, Query: policy.Query{Flow: c.flow}, Table: table, Body: body, Owner: x.agent.Party.Agent,
		Schemas: x.tools.schemas(s, x.agent.Party.Agent, c.tool, flow.Request), Meta: metaSchemas(s, x.agent.Party.Agent, flow.Request),
		NoteIn: gateway.NotePlace{Under: "params", Names: []string{"_meta", wire.MetaNote}},
	})
	if err != nil {
		c.ticket.End()
		return x.denied(c, err)
	}
	out := fromClient{forward: passed.Body, uri: uriOf(passed.Body)}
	if rpc.Kind == wire.Call {
		x.wait(c)
		out.call = c
	} else {
		c.ticket.End()
	}
	return out
}

func (x *exchange) wait(c *calling) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pending == nil {
		x.pending = map[string]*calling{}
	}
	x.pending[string(c.id)] = c
}

func (x *exchange) take(id []byte) *calling {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.pending[string(id)]
	delete(x.pending, string(id))
	return c
}

// abandon ends the calls that will not be answered any more.
func (x *exchange) abandon() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, c := range x.pending {
		c.ticket.End()
		delete(x.pending, id)
	}
}

// settleVersion takes the version that a message names, where none was settled by the transport.
func (x *exchange) settleVersion(doc *json.Doc, rpc wire.RPC) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if rpc.Method == "initialize" {
		x.version = wire.MCP20251125 // what else the client can do is for the server to say
		return
	}
	if x.version != "" {
		return
	}
	if m, err := wire.ReadMCP(doc, rpc); err == nil && m.ProtocolVersion >= 0 {
		x.version = doc.Text(m.ProtocolVersion)
	}
}

// spoken is the version settled on, or "".
func (x *exchange) spoken() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.version
}

// claims reads purpose and criticality from the privacy member of _meta.
func claims(d *json.Doc, meta int) (purpose, criticality string) {
	if meta < 0 {
		return "", ""
	}
	n, ok := d.Member(meta, wire.MetaNote)
	if !ok {
		return "", ""
	}
	if p, ok := d.Member(n, "purpose"); ok {
		purpose = d.Text(p)
	}
	if c, ok := d.Member(n, "criticality"); ok {
		criticality = d.Text(c)
	}
	return purpose, criticality
}

// conversation is what calls of one piece of work have in common: the session, else the trace they belong to.
func (x *exchange) conversation(d *json.Doc, m wire.MCP) string {
	if x.session != "" {
		return "session " + x.session
	}
	if m.Meta >= 0 {
		if n, ok := d.Member(m.Meta, "traceparent"); ok {
			if t := d.Text(n); len(t) == 55 {
				return "trace " + t[3:35]
			}
		}
	}
	return ""
}

func (x *exchange) between() gateway.Between {
	return gateway.Between{Caller: x.caller.Party, Agent: x.agent.Party.Agent}
}

func (x *exchange) once(ctx context.Context, s *gateway.Snapshot, c *calling, doc *json.Doc, rpc wire.RPC, m wire.MCP) (*gateway.Answer, error) {
	req := &gateway.Request{Between: x.between(), Root: x.caller.TokenRoot, Method: rpc.Method, Pins: x.g.Pins(s, c.flow)}
	if m.FlowID >= 0 && rpc.Kind == wire.Call {
		req.ID, req.Params = doc.Text(m.FlowID), doc.Raw(rpc.Params)
	}
	answer, ticket, err := x.g.Once(ctx, req)
	if ticket == nil {
		ticket = &gateway.Ticket{}
	}
	c.ticket = ticket
	return answer, err
}

// again gives a stored answer once more; one that was decided by other pins goes down the road again.
func (x *exchange) again(ctx context.Context, s *gateway.Snapshot, c *calling, a *gateway.Answer) fromClient {
	f := x.back(c.flow)
	body := gateway.WithID(a.Body, c.id)
	if a.SameAs {
		if err := x.g.Replayed(ctx, s, f, a); err != nil {
			return x.refused(ctx, s, c, err)
		}
		return fromClient{reply: body, status: 200}
	}
	m := x.answerMessage(s, c, f, body)
	m.Outcome = flow.Replayed
	passed, err := x.g.Pass(ctx, m)
	if err != nil {
		return x.denied(c, err)
	}
	return fromClient{reply: passed.Body, status: 200}
}

// back is the flow of the answer to a flow.
func (x *exchange) back(f flow.Flow) flow.Flow {
	f.Parent, f.ID, f.Direction = f.ID, gateway.NewFlowID(), flow.Response
	f.From, f.To = x.agent.Party, x.caller.Party
	return f
}

func (x *exchange) answerMessage(s *gateway.Snapshot, c *calling, f flow.Flow, body []byte) *gateway.Message {
	table, _ := wire.For("mcp", x.spoken(), c.method, flow.Response, false)
	return &gateway.Message{
		Snapshot: s, Query: policy.Query{Flow: f}, Table: table, Body: body, Owner: x.agent.Party.Agent,
		Schemas: x.tools.schemas(s, x.agent.Party.Agent, c.tool, flow.Response), Meta: metaSchemas(s, x.agent.Party.Agent, flow.Response),
		NoteIn: gateway.NotePlace{Under: "result", Names: []string{"_meta", wire.MetaNote}},
	}
}

// fromServer is what becomes of a server's message.
type fromServer struct {
	forward []byte // for the client
	reply   []byte // for the server, on the client's behalf
	final   bool   // it answered a call
}

// server takes one message of the server: an answer, a notification, or a request, which is refused on the client's behalf.
func (x *exchange) server(ctx context.Context, body []byte) fromServer {
	s := x.g.Snapshot()
	f := flow.Flow{
		ID: gateway.NewFlowID(), From: x.agent.Party, To: x.caller.Party, Protocol: "mcp/" + x.spoken(), Direction: flow.Response,
	}
	doc := new(json.Doc)
	if err := doc.Parse(body, nil, s.Limits); err != nil {
		x.g.Refused(ctx, s, f, gateway.Refuse(gateway.RuleUpstream, err, "The server's message is not acceptable JSON."))
		return fromServer{}
	}
	rpc, err := wire.ReadRPC(doc)
	if err != nil {
		x.g.Refused(ctx, s, f, gateway.Refuse(gateway.RuleUpstream, err, "The server's message is not a JSON-RPC 2.0 message."))
		return fromServer{}
	}
	f.Method = rpc.Method
	switch rpc.Kind {
	case wire.Call:
		r := x.g.Refused(ctx, s, f, gateway.Refuse(gateway.RuleMethod, nil, "Requests of a server to its client are not carried."))
		return fromServer{reply: denial(r).MCP(x.spoken(), rpc.Method, rpc.ID)}
	case wire.Notification:
		return x.notice(ctx, s, f, rpc, body)
	}
	c := x.take(rpc.ID)
	if c == nil {
		x.g.Refused(ctx, s, f, gateway.Refuse(gateway.RuleUpstream, nil, "The server answered a request that nobody waits for."))
		return fromServer{}
	}
	defer c.ticket.End()
	return fromServer{forward: x.answer(ctx, s, c, body), final: true}
}

func (x *exchange) notice(ctx context.Context, s *gateway.Snapshot, f flow.Flow, rpc wire.RPC, body []byte) fromServer {
	table, ok := wire.For("mcp", x.spoken(), rpc.Method, flow.Response, false)
	if !ok {
		x.g.Refused(ctx, s, f, gateway.Refuse(gateway.RuleMethod, nil, "This notification is not carried."))
		return fromServer{}
	}
	passed, err := x.g.Pass(ctx, &gateway.Message{
		Snapshot: s, Query: policy.Query{Flow: f}, Table: table, Body: body, Owner: x.agent.Party.Agent, Outcome: flow.Segment,
	})
	if err != nil {
		return fromServer{} // on record; a notification that cannot pass is left out
	}
	return fromServer{forward: passed.Body}
}

// answer passes the answer to a call and keeps it to be given again. It returns the protocol's words for a refusal.
func (x *exchange) answer(ctx context.Context, s *gateway.Snapshot, c *calling, body []byte) []byte {
	m := x.answerMessage(s, c, x.back(c.flow), body)
	m.Commit = func(tx store.Tx, out []byte) error {
		return c.ticket.Store(tx, &gateway.Answer{Status: 200, Body: out, Task: c.flow.Task.ID})
	}
	passed, err := x.g.Pass(ctx, m)
	if err != nil {
		return denial(err).MCP(x.spoken(), c.method, c.id)
	}
	if c.method == "tools/list" {
		x.tools.learn(x.agent.Party.Agent, body, s)
	}
	return passed.Body
}

func (x *exchange) refused(ctx context.Context, s *gateway.Snapshot, c *calling, err error) fromClient {
	c.ticket.End()
	return x.denied(c, x.g.Refused(ctx, s, c.flow, err))
}

func (x *exchange) denied(c *calling, err error) fromClient {
	d := denial(err)
	return fromClient{reply: d.MCP(x.spoken(), c.method, c.id), status: d.MCPStatus(x.spoken(), c.method)}
}

// uriOf reads the address of a resources/read as it goes to the server.
func uriOf(body []byte) string {
	var d json.Doc
	if d.Parse(body, nil, json.Limits{}) != nil {
		return ""
	}
	rpc, err := wire.ReadRPC(&d)
	if err != nil {
		return ""
	}
	m, err := wire.ReadMCP(&d, rpc)
	if err != nil || m.URI < 0 {
		return ""
	}
	return d.Text(m.URI)
}

func metaSchemas(s *gateway.Snapshot, a flow.AgentID, dir flow.Direction) []*catalog.Schema {
	return s.Catalog.Schemas(catalog.Data, a, "metadata", dir)
}

func denial(err error) wire.Denial {
	return gateway.Denial(err, wire.MethodNotFound, wire.MCP20260728, wire.MCP20251125)
}
