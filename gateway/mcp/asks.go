package mcp

import (
	"context"
	"crypto/sha256"
	"net/http"
	"sync"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// inbox holds what the server of one session asked of its client and the client has not answered. Ids of a server mean
// something in its own session alone, so each session has an inbox of its own. The zero value is ready and closed: before
// the client said that it is ready, a server may only ask for a sign of life.
type inbox struct {
	mu    sync.Mutex
	ready bool
	asked map[string]*asking
	bytes int // of the schemas that they bring along
}

// maxQuestions bounds how much a server may ask of one session before it is answered, maxAskedBytes how large the schemas
// are that all of it brings along. What is beyond declares nothing.
const (
	maxQuestions  = 128
	maxAskedBytes = 256 << 10
)

// asking is a request of the server to its client.
type asking struct {
	flow    flow.Flow
	version string
	method  string
	id      []byte // raw, as the server wrote it
	digest  [sha256.Size]byte
	table   *wire.Table   // of the client's answer
	places  []places      // what the request itself declares of its answer
	whom    gateway.Named // whom it names
}

func (b *inbox) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = true
}

// put keeps a request until it is answered. The same request again, as on a stream that is resumed, is no conflict;
// another under its id is, as long as the first waits.
func (b *inbox) put(key string, a *asking) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch old := b.asked[key]; {
	case !b.ready && a.method != "ping":
		return gateway.Refuse(gateway.RuleMethod, nil, "The session has not begun; nothing can be asked of its client yet.")
	case old != nil && old.digest != a.digest:
		return gateway.Refuse(gateway.RuleConflict, nil, "A request of this id is still unanswered.")
	case old == nil && len(b.asked) >= maxQuestions:
		return gateway.Refuse(gateway.RuleExhausted, nil, "More than %d requests are unanswered.", maxQuestions)
	}
	if b.asked == nil {
		b.asked = map[string]*asking{}
	}
	b.bytes -= b.asked[key].size()
	if b.bytes+a.size() > maxAskedBytes {
		a.places = nil
	}
	b.bytes += a.size()
	b.asked[key] = a
	return nil
}

func (a *asking) size() (n int) {
	if a == nil {
		return 0
	}
	for _, p := range a.places {
		n += len(p.schema)
	}
	return n
}

func (b *inbox) take(key string) *asking {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.asked[key]
	b.bytes -= a.size()
	delete(b.asked, key)
	return a
}

// passing is the table of a message that has none: one for traffic that is public from end to end, else nil.
func passing(who parties) *wire.Table {
	if who.snap.Passes(who.agent.Party.Agent) {
		return wire.Passing()
	}
	return nil
}

// ask takes a request of the server to its client. What is refused is on record, and the server gets the protocol's
// words for it on the client's behalf.
func (x *exchange) ask(ctx context.Context, who parties, f flow.Flow, doc *json.Doc, rpc wire.RPC, body []byte) fromServer {
	f.Parent, f.ID, f.Direction = f.ID, gateway.NewFlowID(), flow.Request
	if s := x.stream; s != nil && s.call != nil {
		f.Protocol = protocolName(s.call.version)
	}
	refused := func(err error) fromServer {
		return fromServer{reply: denial(x.g.Refused(ctx, who.snap, f, err)).MCP("", "", rpc.ID)}
	}
	version := x.spoken()
	if x.inbox == nil || !wire.MCPSessions(version) {
		return refused(gateway.Refuse(gateway.RuleMethod, nil, "Without a session nothing can be asked of the client."))
	}
	a := &asking{version: version, method: rpc.Method, id: append([]byte(nil), rpc.ID...), digest: sha256.Sum256(body)}
	table, ok := wire.For(wire.MCPClient, version, rpc.Method, flow.Request, false)
	if ok {
		f.Method = rpc.Method
		a.table, _ = wire.For(wire.MCPClient, version, rpc.Method, flow.Response, false)
	} else if table = passing(who); table != nil {
		a.table = table
	} else {
		return refused(gateway.Refuse(gateway.RuleMethod, nil, "This request of a server to its client is not carried."))
	}
	a.flow, a.places = f, asked(doc, rpc)
	key, err := x.keyThere(who, f, rpc.ID)
	if err == nil {
		err = x.inbox.put(key, a)
	}
	if err != nil {
		return refused(err)
	}
	passed, err := x.g.Pass(ctx, &gateway.Message{
		Snapshot: who.snap, Query: query(f), Table: table, Body: body, Owner: who.agent.Party.Agent, MapCalls: !x.partly, Partly: x.partly, Authority: who.authority, Serves: x.serves(), Names: &a.whom, Named: x.whom(),
		Schemas: own(who, rpc.Method, flow.Request), Meta: metaSchemas(who, flow.Response), At: x.described(who, "params", a.places),
		NoteIn: gateway.NotePlace{Under: "params", Names: []string{"_meta", wire.MetaNote}},
	})
	if err != nil {
		x.inbox.take(key)
		return fromServer{reply: denial(err).MCP("", "", rpc.ID)}
	}
	return fromServer{forward: passed.Body}
}

// replied takes the client's answer to a request of the server. An answer to what was never asked in this session is
// refused. Where the answer may not leave, the server is told so in its place.
func (x *exchange) replied(ctx context.Context, c *calling, m *message) fromClient {
	var a *asking
	if x.inbox != nil {
		a = x.inbox.take(callKey(m.doc, m.rpc.IDNode))
	}
	if a == nil {
		err := x.g.Refused(ctx, c.who.snap, c.flow, gateway.Refuse(gateway.RuleMalformed, nil, "The message answers a request that was not made."))
		if x.stdio {
			return fromClient{}
		}
		return fromClient{reply: denial(err).MCP("", "", nil), status: http.StatusBadRequest}
	}
	who, f := c.who, a.flow
	f.Parent, f.ID, f.Direction = a.flow.ID, gateway.NewFlowID(), flow.Response
	f.From, f.To = who.caller.Party, who.agent.Party
	f.Purpose, f.Task.Criticality = who.caller.Choose(string(a.flow.Purpose), a.flow.Task.Criticality.String())
	passed, err := x.g.Pass(ctx, &gateway.Message{
		Snapshot: who.snap, Query: query(f), Table: a.table, Body: m.body, Owner: who.agent.Party.Agent, MapCalls: !x.partly, Partly: x.partly, Authority: who.authority, Named: &a.whom,
		Schemas: own(who, a.method, flow.Response), Meta: metaSchemas(who, flow.Request), At: x.described(who, "result", a.places),
		NoteIn: gateway.NotePlace{Under: "result", Names: []string{"_meta", wire.MetaNote}},
	})
	if err != nil {
		return fromClient{forward: denial(err).MCP("", "", a.id), kind: wire.Failure, sent: sent{who, f, nil}}
	}
	return fromClient{forward: passed.Body, kind: m.rpc.Kind, sent: sent{who, f, passed}}
}

// own are the domain's schemas of what a method itself carries, listed under the method's name.
func own(who parties, method string, dir flow.Direction) []*catalog.Schema {
	return who.snap.Catalog.Schemas(catalog.Tool, who.agent.Party.Agent, method, dir)
}
