package a2a

import (
	"context"
	"io"
	"slices"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/wire"
)

// front is the binding that a call came in by. What it hands to the road and gets from it are JSON-RPC envelopes; bytes
// that nothing changed leave as they came.
type front interface {
	// speaks reports whether the binding carries a version of A2A.
	speaks(version string) bool
	// address settles which agent is called, where the address of the call does not say it. The error is a refusal.
	address(c *call) error
	// open reads the call and returns it as an envelope. The error is a refusal.
	open(c *call) ([]byte, error)
	// whole sends an answer that is on record. Status is what the agent's binding calls an error, a status of HTTP or,
	// below 100, a code of gRPC; 0 if it has no word for it.
	whole(c *call, status int, envelope []byte)
	// begin sends what comes before the first event of a stream.
	begin(c *call)
	// event sends an event that is on record, or a heartbeat where the envelope is nil. In is where it came from.
	event(in *event, envelope []byte) error
	// deny sends a refusal in place of an answer.
	deny(c *call, d wire.Denial)
}

// back is a binding that an agent is called by.
type back interface {
	// call sends a request that is on record to where c is to go, and returns what comes back. The error is a refusal.
	call(ctx context.Context, c *call, passed *gateway.Passed) (*reply, error)
}

// reply is what an agent answers: one envelope, or a stream of them.
type reply struct {
	used   []string // extensions that the agent says it used
	status int      // what the binding calls an error
	whole  []byte   // nil: a stream
	frame  []byte   // the message of gRPC that whole was made of
	events source
	body   io.Closer
}

func (r *reply) close() {
	if r.body != nil {
		_ = r.body.Close()
	}
}

// source is a stream of events. Its end is [io.EOF]; any other error is a refusal.
type source interface {
	next() (*event, error)
}

// event is one event of a stream as an agent sent it.
type event struct {
	sse    wire.Event // its framing, if it came as a server-sent event
	data   []byte     // an envelope; nil for a heartbeat
	frame  []byte     // the message of gRPC that data was made of
	status int        // what the binding calls an error

	nameless bool // its id stays here: nothing in A2A asks for one, and it could say anything
}

// transcript appends the event as it is kept to be given again: a server-sent event whose data is the envelope.
func (e *event) transcript(dst, envelope []byte) []byte {
	switch {
	case e.sse.Raw != nil && e.nameless:
		return e.sse.AppendPlainAs(dst, envelope, "")
	case e.sse.Raw != nil:
		return e.sse.AppendPlain(dst, envelope)
	}
	return wire.AppendEvent(dst, "", "", envelope)
}

// backs are the bindings that agents are called by, and bindings their order for a call that came in by one of them: its
// own first, for what need not be said in other words stays as it is.
var backs = map[string]back{card.JSONRPC: jsonrpcBack{}, card.HTTPJSON: restBack{}, card.GRPC: grpcBack{}}

func (c *call) bindings() []string {
	if c.version == wire.A2A03 {
		return []string{card.JSONRPC} // the other bindings of 0.3 have messages of another form
	}
	switch c.front.(type) {
	case *restFront:
		return []string{card.HTTPJSON, card.JSONRPC, card.GRPC}
	case *grpcFront:
		return []string{card.GRPC, card.JSONRPC, card.HTTPJSON}
	default:
		return []string{card.JSONRPC, card.HTTPJSON, card.GRPC}
	}
}

// choose settles where the agent is called, and that the caller's tenant is none but the agent's.
func (c *call) choose(ctx context.Context) (err error) {
	asking, err := c.h.Gateway.Onward(ctx, c.snap, c.authority, c.flow, nil)
	if err != nil {
		return err
	}
	if c.to, err = c.h.Cards.Choose(asking, c.agent, c.snap, c.version, c.bindings()...); err != nil {
		return err
	}
	if err := c.opted(); err != nil {
		return err
	}
	n := c.member("tenant")
	if n < 0 || c.to.Tenant == "" {
		return nil
	}
	if c.doc.Text(n) != "" && c.doc.Text(n) != c.to.Tenant {
		return gateway.Refuse(gateway.RulePlace, nil, "The message names another tenant than the agent's card does.")
	}
	e := c.doc.Edit() // the way out puts it back: it is not the caller's word
	e.Remove(n)
	if c.body, err = e.Apply(nil); err != nil {
		return err
	}
	return c.reread()
}

// opted holds the caller to the extensions that the agent requires.
func (c *call) opted() error {
	if c.version != wire.A2A10 || c.rpc.Method == c.dialect().card {
		return nil // 0.3 has no word for it, and the card is where a caller finds out
	}
	asked := c.asked()
	for _, uri := range c.h.Cards.required(c.agent) {
		if !slices.Contains(asked, uri) {
			return gateway.Refuse(gateway.RuleExtension, nil, "The agent's card requires an extension that the call does not ask for in A2A-Extensions.")
		}
	}
	return nil
}

// member returns a text member of the call's params, or -1.
func (c *call) member(name string) int {
	if c.rpc.Params < 0 {
		return -1
	}
	if n, ok := c.doc.Member(c.rpc.Params, name); ok && c.doc.Nodes[n].Kind == json.String {
		return n
	}
	return -1
}

// reread parses the body again after an edit of it.
func (c *call) reread() (err error) {
	if err := c.doc.Parse(c.body, nil, c.snap.Limits); err != nil {
		return err
	}
	if c.rpc, err = wire.ReadRPC(&c.doc); err != nil {
		return err
	}
	c.a2a, err = c.dialect().read(&c.doc, c.rpc)
	return err
}

// withTenant puts the tenant of the agent's interface into an envelope that passed.
func withTenant(body []byte, tenant string) ([]byte, error) {
	if tenant == "" {
		return body, nil
	}
	var d json.Doc
	rpc, err := parsed(&d, body)
	if err != nil {
		return nil, err
	}
	e := d.Edit()
	raw := json.AppendString(nil, tenant)
	if rpc.Params < 0 {
		e.Append(0, "params", append(append([]byte(`{"tenant":`), raw...), '}'))
	} else {
		e.Append(rpc.Params, "tenant", raw)
	}
	return e.Apply(nil)
}

// parsed reads an envelope that was read before, or made here.
func parsed(d *json.Doc, envelope []byte) (wire.RPC, error) {
	if err := d.Parse(envelope, nil, wide(envelope)); err != nil {
		return wire.RPC{}, err
	}
	return wire.ReadRPC(d)
}

// wide are limits for what was read before and has grown a little.
func wide(b []byte) json.Limits {
	return json.Limits{Bytes: len(b), Depth: 1 << 16, Nodes: len(b) + 1, Number: len(b) + 1}
}
