package mcp

import (
	"context"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// streaming is an open stream of the server's messages.
type streaming struct {
	flow flow.Flow // of the way back; one for the whole stream
	call *calling  // whose answer it will bring; nil for what nobody asked for
	n    int       // events that were passed
}

// fromServer is what becomes of a server's message.
type fromServer struct {
	forward []byte // for the client
	reply   []byte // for the server, on the client's behalf
	final   bool   // it answered a call
	failure bool   // with an error
}

func query(f flow.Flow) policy.Query { return policy.Query{Flow: f} }

// back is the flow of the answer to a flow.
func back(who parties, f flow.Flow) flow.Flow {
	f.Parent, f.ID, f.Direction = f.ID, gateway.NewFlowID(), flow.Response
	f.From, f.To = who.agent.Party, who.caller.Party
	who.authority.On(&f)
	return f
}

func metaSchemas(who parties, dir flow.Direction) []*catalog.Schema {
	return who.snap.Catalog.Schemas(catalog.Data, who.agent.Party.Agent, "metadata", dir)
}

func denial(err error) wire.Denial {
	return gateway.Denial(err, wire.MethodNotFound, wire.MCPVersions()...)
}

func (x *exchange) answerMessage(c *calling, who parties, f flow.Flow, body []byte) *gateway.Message {
	table, ok := wire.For("mcp", c.version, c.method, flow.Response, false)
	if !ok {
		table = wire.Passing() // what was asked had no table either
	}
	return &gateway.Message{
		Snapshot: who.snap, Query: c.query(f), Undeclared: f.Subject == "*", Table: table, Body: body, Owner: who.agent.Party.Agent, MapCalls: !x.partly, Partly: x.partly, Mentions: c.mentions, Authority: who.authority, Serves: x.serves(), Named: c.whom,
		Schemas: x.schemas(who, c, flow.Response), Meta: metaSchemas(who, flow.Response), At: x.responsePlaces(who, c, body), Cached: "result", Chosen: strings.HasSuffix(c.method, "/list"),
		NoteIn: gateway.NotePlace{Under: "result", Names: []string{"_meta", wire.MetaNote}},
	}
}

// outside is the flow of what the server sends unasked: it belongs to the conversation's task, whose memory it may
// speak of.
func (x *exchange) outside(ctx context.Context, who parties) (flow.Flow, error) {
	f := flow.Flow{
		ID: gateway.NewFlowID(), From: who.agent.Party, To: who.caller.Party, Protocol: protocolName(x.spoken()), Direction: flow.Response,
	}
	who.authority.On(&f)
	if x.claims != nil {
		f.Purpose, f.Task.Criticality = x.claims(who.caller)
	} else {
		f.Purpose, f.Task.Criticality = who.caller.Choose("", "")
	}
	var err error
	if x.session != "" {
		between := gateway.Between{Caller: who.caller.Party, Agent: who.agent.Party.Agent}
		f.Task.ID, err = x.g.TaskOf(ctx, between, gateway.IDs{Context: "session " + x.session})
	}
	return f, err
}

func protocolName(version string) string {
	if len(wire.Methods("mcp", version)) == 0 {
		return "mcp"
	}
	return "mcp/" + version
}

// server takes one message of the server: an answer, a notification, or a request of its own. The error is a refusal on record after which nothing more of the server may pass.
func (x *exchange) server(ctx context.Context, body []byte) (fromServer, error) {
	who, denied := x.now(ctx)
	f, err := x.outside(ctx, who)
	if s := x.stream; s != nil {
		f, err = s.flow, nil
		f.From, f.To = who.agent.Party, who.caller.Party
		if s.call != nil {
			f.Purpose, f.Task.Criticality = s.call.reason(who.caller)
		} else if x.claims != nil {
			f.Purpose, f.Task.Criticality = x.claims(who.caller)
		}
	}
	if denied != nil {
		return fromServer{}, x.g.Refused(ctx, who.snap, f, denied)
	}
	if err != nil {
		return fromServer{}, x.g.Refused(ctx, who.snap, f, err)
	}
	refused := func(rule gateway.Rule, cause error, text string) *gateway.Refusal {
		return x.g.Refused(ctx, who.snap, f, gateway.Refuse(rule, cause, "%s", text))
	}
	doc := new(json.Doc)
	if err := doc.Parse(body, nil, who.snap.Limits); err != nil {
		refused(gateway.RuleUpstream, err, "The server's message is not acceptable JSON.")
		return fromServer{}, nil
	}
	rpc, err := wire.ReadRPC(doc)
	if err != nil {
		refused(gateway.RuleUpstream, err, "The server's message is not a JSON-RPC 2.0 message.")
		return fromServer{}, nil
	}
	switch rpc.Kind {
	case wire.Call:
		return x.ask(ctx, who, f, doc, rpc, body), nil
	case wire.Notification:
		return x.notice(ctx, who, f, rpc.Method, body), nil
	}
	c := x.take(callKey(doc, rpc.IDNode))
	if c == nil {
		refused(gateway.RuleUpstream, nil, "The server answered a request that nobody waits for.")
		return fromServer{}, nil
	}
	defer c.ticket.End()
	defer x.done(c)
	out, err := x.answer(ctx, who, c, doc, rpc, body)
	if err != nil {
		out = denial(err).MCP(c.version, c.method, c.id)
	}
	return fromServer{forward: out, final: true, failure: err == nil && rpc.Kind == wire.Failure}, nil
}

// whom returns those whom the call named that the stream answers; nil where there is no such call.
func (x *exchange) whom() *gateway.Named {
	if x.stream == nil || x.stream.call == nil {
		return nil
	}
	return x.stream.call.whom
}

// segment numbers a message of a stream.
func (x *exchange) segment(m *gateway.Message) {
	if x.stream != nil {
		x.stream.n++
		m.Outcome, m.Segment = flow.Segment, x.stream.n
	}
}

func (x *exchange) notice(ctx context.Context, who parties, f flow.Flow, method string, body []byte) fromServer {
	version := x.spoken()
	if s := x.stream; s != nil && s.call != nil {
		version = s.call.version
	}
	table, ok := wire.For("mcp", version, method, flow.Response, false)
	switch {
	case ok:
		f.Method = method
	default:
		if table = passing(who); table == nil {
			x.g.Refused(ctx, who.snap, f, gateway.Refuse(gateway.RuleMethod, nil, "This notification is not carried."))
			return fromServer{}
		}
	}
	m := &gateway.Message{Snapshot: who.snap, Query: query(f), Table: table, Body: body, Owner: who.agent.Party.Agent, MapCalls: !x.partly, Partly: x.partly, Authority: who.authority, Serves: x.serves(), At: x.noticePlaces(who, method, body)}
	m.Schemas, m.Meta = who.snap.Catalog.Schemas(catalog.Tool, who.agent.Party.Agent, method, flow.Response), metaSchemas(who, flow.Response)
	x.segment(m)
	m.Named = x.whom()
	passed, err := x.g.Pass(ctx, m)
	if err != nil {
		return fromServer{} // on record; a notification that cannot pass is left out
	}
	return fromServer{forward: passed.Body}
}

// answer passes the answer to a call and keeps it to be given again. The error is on record.
func (x *exchange) answer(ctx context.Context, who parties, c *calling, doc *json.Doc, rpc wire.RPC, body []byte) ([]byte, error) {
	f := back(who, c.flow)
	f.Purpose, f.Task.Criticality = c.reason(who.caller)
	if x.stream != nil {
		f.ID, f.Parent = x.stream.flow.ID, x.stream.flow.Parent
	}
	given := body
	settles, err := suits(c, doc, rpc)
	if err != nil {
		return nil, x.g.Refused(ctx, who.snap, f, err)
	}
	if err := x.unknownThere(ctx, who, c, f, doc, rpc); err != nil {
		return nil, err
	}
	if c.asking != nil {
		if body, err = x.answered(c, doc, rpc); err != nil {
			return nil, x.g.Refused(ctx, who.snap, f, err)
		}
		given, doc = body, nil
	}
	if c.method == "tools/list" && who.agent.Inner == nil { // an inner server's schemas are the catalog's, and its lists are each caller's own
		x.tools.learn(who.agent.Party.Agent, given, who.snap) // before the selection, which asks for what the server declares
	}
	body, leftOut, err := x.selected(who, c.method, body)
	if err == nil && c.method == "tasks/list" {
		body, leftOut, err = x.ownTasks(ctx, who, c, body)
	}
	if err != nil {
		return nil, x.g.Refused(ctx, who.snap, f, gateway.Refuse(gateway.RuleUpstream, err, "The server's answer has not the form of the protocol."))
	}
	if who.snap != c.who.snap { // the answer is one of the configuration that decides it
		asked := c.flow
		asked.Purpose, asked.Task.Criticality = f.Purpose, f.Task.Criticality
		c.ticket.By(x.g.Pins(who.snap, who.authority, asked))
	}
	m := x.answerMessage(c, who, f, body)
	m.LeftOut = leftOut
	m.Doc = doc
	x.segment(m)
	var named []func()
	m.Commit = func(tx store.Tx, out []byte) error {
		named = named[:0]
		for _, it := range x.given(who, x.between(c), given, out) {
			done, err := x.g.NameTask(tx, it.Between, it.IDs, c.flow.Task.ID)
			if err != nil {
				return err
			}
			named = append(named, done)
		}
		return c.ticket.Store(tx, &gateway.Answer{Status: 200, Body: out, Task: c.flow.Task.ID})
	}
	passed, err := x.g.Pass(ctx, m)
	if err = c.asking.Told(err); err != nil {
		return nil, x.g.Refused(ctx, who.snap, f, err)
	}
	for _, done := range named {
		done()
	}
	if settles != "" {
		c.version = settles
		x.agree(settles)
	}
	x.learn(who, c, given)
	return passed.Body, nil
}

// suits returns the version that an answer to initialize settles on. It may be an older one than was asked for, but one
// that is carried.
func suits(c *calling, doc *json.Doc, rpc wire.RPC) (string, error) {
	if c.method != "initialize" || rpc.Kind != wire.Success {
		return "", nil
	}
	if doc.Nodes[rpc.Result].Kind == json.Object {
		if n, ok := doc.Member(rpc.Result, "protocolVersion"); ok && doc.Nodes[n].Kind == json.String && wire.MCPSessions(doc.Text(n)) {
			return doc.Text(n), nil
		}
	}
	return "", gateway.Refuse(gateway.RuleUpstream, nil, "The server speaks a version of MCP that is not carried.")
}

// callKey is what a call and its answer have in common: an id, however it is spelled.
func callKey(d *json.Doc, id int) string {
	if id < 0 {
		return ""
	}
	if d.Nodes[id].Kind == json.String {
		return strconv.Quote(d.Text(id))
	}
	return string(d.Raw(id))
}

// keyThere is the key of a call by the id that whoever is to answer it will know.
func (x *exchange) keyThere(who parties, f flow.Flow, id []byte) (string, error) {
	raw, err := x.g.CallID(who.snap, f, id)
	if err != nil {
		return "", err
	}
	var d json.Doc
	if err := d.Parse(raw, nil, json.Limits{}); err != nil {
		return "", err
	}
	return callKey(&d, 0), nil
}

// wait notes that the client waits for an answer.
func (x *exchange) wait(c *calling) error {
	var err error
	if c.key, err = x.keyThere(c.who, c.flow, c.id); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	busy := x.pending[c.key] != nil
	for _, p := range x.pending {
		busy = busy || c.once != "" && p.once == c.once // to wait for it here would keep the client's next lines waiting
	}
	if busy {
		c.key = ""
		return gateway.Refuse(gateway.RuleConflict, nil, "A request of this id is still being carried out.")
	}
	if len(x.pending) >= maxPending {
		c.key = ""
		return gateway.Refuse(gateway.RuleExhausted, nil, "More than %d requests are unanswered.", maxPending)
	}
	if x.claim != nil {
		if err := x.claim(c); err != nil {
			c.key = ""
			return err
		}
	}
	if x.pending == nil {
		x.pending = map[string]*calling{}
	}
	x.pending[c.key] = c
	return nil
}

// withdraw takes a call back that was not forwarded.
func (x *exchange) withdraw(c *calling) {
	x.forget(c)
	x.done(c)
}

// done says that the server has nothing more to say to a call.
func (x *exchange) done(c *calling) {
	if x.release != nil {
		x.release(c)
	}
}

// forget waits for the answer no longer.
func (x *exchange) forget(c *calling) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if c.key != "" && x.pending[c.key] == c {
		delete(x.pending, c.key)
	}
}

func (x *exchange) take(key string) *calling {
	x.mu.Lock()
	c := x.pending[key]
	delete(x.pending, key)
	x.mu.Unlock()
	if c == nil && x.missing != nil {
		c = x.missing(key)
	}
	return c
}

// cancelled forgets the call that the client does not wait for any more: the server need not answer it.
func (x *exchange) cancelled(c *calling, body []byte) {
	if c.method != "notifications/cancelled" || !x.stdio {
		return
	}
	var d json.Doc
	if d.Parse(body, nil, json.Limits{}) != nil {
		return
	}
	params, ok := d.Member(0, "params")
	if !ok || d.Nodes[params].Kind != json.Object {
		return
	}
	if n, ok := d.Member(params, "requestId"); ok {
		if gone := x.take(callKey(&d, n)); gone != nil {
			gone.ticket.End()
		}
	}
}

// abandon ends the calls that will not be answered any more and returns them.
func (x *exchange) abandon() []*calling {
	x.mu.Lock()
	defer x.mu.Unlock()
	var left []*calling
	for key, c := range x.pending {
		c.ticket.End()
		left = append(left, c)
		delete(x.pending, key)
	}
	return left
}

// unanswered puts on record that a call got no answer, and returns the client's words for it.
func (x *exchange) unanswered(ctx context.Context, c *calling, err error) wire.Denial {
	if c.asking != nil {
		_, err = c.asking.Answered(nil, err)
	}
	c.ticket.End()
	return denial(x.g.Refused(ctx, c.who.snap, back(c.who, c.flow), err))
}
