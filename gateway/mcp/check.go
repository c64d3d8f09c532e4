package mcp

import (
	"bytes"
	"context"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Checker decides single requests and results that another gateway carries and asks about. They take the same road as
// messages that this gateway carries itself: whatever comes back is decided and on record. It is safe for concurrent use
// and must not be copied.
type Checker struct {
	Gateway *gateway.Gateway
	Tools   *Tools // shared with the doors

	memory memory
}

// Carried is one message without its envelope: the params of a request, or a result.
type Carried struct {
	Who         func(*gateway.Snapshot) (identity.Caller, *gateway.Agent, error) // who talks, by a configuration
	Version     string                                                           // of the protocol; "": the newest that has the method
	Method      string
	Tool        string // that a result is of, where the method is tools/call
	Session     string // what tells the conversation from others between the two; may be empty
	Purpose     string // claimed
	Criticality string // claimed
	Payload     []byte // a JSON object; nil: there is none

	Headers map[string]string // of a request, those that repeat parts of it, by canonical name
}

// Asked is a request as it may go to the server.
type Asked struct {
	Payload []byte            // the same bytes where nothing was changed
	Headers map[string]string // that repeat parts of it, as they must be now; any other that did must go
}

// Request decides a request. The error is a [*gateway.Refusal] on record.
func (k *Checker) Request(ctx context.Context, in Carried) (*Asked, error) {
	x, who, err := k.exchange(&in)
	if err != nil {
		return nil, k.refused(ctx, who, in, flow.Request, err)
	}
	body, err := in.envelope("params", `,"method":`, in.Method, who.snap.Limits)
	if err != nil {
		return nil, k.refused(ctx, who, in, flow.Request, err)
	}
	if err := k.agree(who.agent.Party.Agent, in.Headers, body); err != nil {
		return nil, k.refused(ctx, who, in, flow.Request, err)
	}
	out := x.client(ctx, incoming{body: body, reason: in.reason})
	if out.call != nil {
		out.call.ticket.End() // its answer, if there is one, is asked about on its own
	}
	x.abandon()
	switch {
	case out.refusal != nil:
		return nil, out.refusal
	case out.forward == nil:
		return nil, k.refused(ctx, who, in, flow.Request, gateway.Refuse(gateway.RuleInternal, nil, "The gateway could not decide this flow, so it did not happen."))
	}
	payload, err := in.unwrap(out.forward, body, "params")
	if err != nil {
		return nil, err
	}
	return &Asked{payload, k.Tools.mirrors(who.agent.Party.Agent, out.forward)}, nil
}

// Mirrors reports whether a header repeats a part of a message, by its canonical name.
func Mirrors(header string) bool {
	return header == headerMethod || header == headerName || strings.HasPrefix(header, headerParam)
}

// agree holds headers to the message. One that no part of the message is known to be repeated in is not judged: it goes.
func (k *Checker) agree(server flow.AgentID, headers map[string]string, body []byte) error {
	if len(headers) == 0 {
		return nil
	}
	want := k.Tools.mirrors(server, body)
	for name, v := range headers {
		if w, known := want[name]; known && unmirror(v) != unmirror(w) {
			return gateway.Refuse(gateway.RuleHeader, nil, "A header says something else than the message.")
		}
	}
	return nil
}

// Response decides a result, as Request does params.
func (k *Checker) Response(ctx context.Context, in Carried) ([]byte, error) {
	x, who, err := k.exchange(&in)
	if err == nil && in.Payload == nil {
		err = gateway.Refuse(gateway.RuleMalformed, nil, "There is no result.")
	}
	if err != nil {
		return nil, k.refused(ctx, who, in, flow.Response, err)
	}
	if _, ok := wire.For("mcp", in.Version, in.Method, flow.Response, false); !ok && passing(who) == nil {
		return nil, k.refused(ctx, who, in, flow.Response, gateway.Refuse(gateway.RuleMethod, nil, "This method is not carried."))
	}
	body, err := in.envelope("result", "", "", who.snap.Limits)
	if err != nil {
		return nil, k.refused(ctx, who, in, flow.Response, err)
	}
	c := &calling{who: who, version: in.Version, method: in.Method, id: []byte("0"), ticket: &gateway.Ticket{}, flow: k.flow(who, in)}
	if in.Method == "tools/call" && wire.IsName(in.Tool) {
		c.tool, c.flow.Subject = in.Tool, "*"
		if k.Tools.known(who.snap, who.agent.Party.Agent, in.Tool) {
			c.flow.Subject = in.Tool
		}
	}
	c.reason = func(caller identity.Caller) (flow.Purpose, flow.Criticality) { return in.reason(caller, "", "") }
	if x.session != "" {
		if c.flow.Task.ID, err = k.Gateway.TaskOf(ctx, x.between(c), gateway.IDs{Context: "session " + x.session}); err != nil {
			return nil, k.refused(ctx, who, in, flow.Response, err)
		}
	}
	doc := new(json.Doc)
	if err := doc.Parse(body, nil, who.snap.Limits); err != nil {
		return nil, k.refused(ctx, who, in, flow.Response, err)
	}
	rpc, err := wire.ReadRPC(doc)
	if err != nil {
		return nil, k.refused(ctx, who, in, flow.Response, gateway.Refuse(gateway.RuleMalformed, err, "The result has not the form of the protocol."))
	}
	out, err := x.answer(ctx, who, c, doc, rpc, body)
	if err != nil {
		return nil, err
	}
	return in.unwrap(out, body, "result")
}

// exchange makes what the message takes the road in.
func (k *Checker) exchange(in *Carried) (*exchange, parties, error) {
	snap := k.Gateway.Snapshot()
	now := func(_ context.Context, s *gateway.Snapshot) (parties, error) {
		caller, agent, err := in.Who(s)
		if err != nil {
			return parties{snap: s}, err
		}
		return parties{snap: s, agent: agent, caller: caller}, nil
	}
	who, err := now(context.Background(), snap)
	if err != nil {
		return nil, who, err
	}
	if in.Version, err = in.version(); err != nil {
		return nil, who, err
	}
	return &exchange{
		g: k.Gateway, tools: k.Tools, partly: true, memory: &k.memory, session: in.Session, framed: in.Version, version: in.Version, who: who, renew: now,
	}, who, nil
}

// version is the one that the message is in: the one named beside it or in it, else the newest that has the method.
func (in *Carried) version() (string, error) {
	if in.Version != "" {
		if len(wire.Methods("mcp", in.Version)) == 0 {
			return "", notSpoken()
		}
		return in.Version, nil
	}
	d := new(json.Doc)
	if d.Parse(in.Payload, nil, json.Limits{}) == nil {
		if n, ok := memberAt(d, "_meta", "io.modelcontextprotocol/protocolVersion"); ok && len(wire.Methods("mcp", d.Text(n))) > 0 {
			return d.Text(n), nil
		}
	}
	for _, v := range wire.MCPVersions() {
		if _, ok := wire.For("mcp", v, in.Method, flow.Request, false); ok {
			return v, nil
		}
	}
	return wire.MCP20260728, nil
}

func (in *Carried) reason(caller identity.Caller, claimed, criticality string) (flow.Purpose, flow.Criticality) {
	if in.Purpose != "" {
		claimed = in.Purpose
	}
	if in.Criticality != "" {
		criticality = in.Criticality
	}
	return caller.Choose(claimed, criticality)
}

// envelope puts the payload where a message has it. The payload is one JSON object, so that nothing in it can speak for
// the envelope.
func (in *Carried) envelope(member, before, word string, limits json.Limits) ([]byte, error) {
	body := append([]byte(nil), `{"jsonrpc":"2.0","id":0`...)
	if before != "" {
		body = json.AppendString(append(body, before...), word)
	}
	if in.Payload != nil {
		d := new(json.Doc)
		if err := d.Parse(in.Payload, nil, limits); err != nil {
			return nil, err
		}
		if d.Nodes[0].Kind != json.Object {
			return nil, gateway.Refuse(gateway.RuleMalformed, nil, "The message is not a JSON object.")
		}
		body = append(append(append(append(body, `,"`...), member...), `":`...), in.Payload...)
	}
	return append(body, '}'), nil
}

// unwrap takes the payload out of a message again.
func (in *Carried) unwrap(out, body []byte, member string) ([]byte, error) {
	if bytes.Equal(out, body) {
		return in.Payload, nil
	}
	d := new(json.Doc)
	if err := d.Parse(out, nil, json.Limits{Bytes: len(out)}); err != nil {
		return nil, gateway.Refuse(gateway.RuleInternal, err, "The gateway could not decide this flow, so it did not happen.")
	}
	n, ok := d.Member(0, member)
	if !ok {
		return nil, gateway.Refuse(gateway.RuleInternal, nil, "The gateway could not decide this flow, so it did not happen.")
	}
	return append([]byte(nil), d.Raw(n)...), nil
}

func (k *Checker) flow(who parties, in Carried) flow.Flow {
	f := flow.Flow{From: who.caller.Party, Protocol: protocolName(in.Version), Direction: flow.Request}
	if who.agent != nil {
		f.To = who.agent.Party
	}
	if _, ok := wire.For("mcp", in.Version, in.Method, flow.Request, false); ok {
		f.Method = in.Method
	}
	return f
}

// refused puts on record what was refused before it took the road.
func (k *Checker) refused(ctx context.Context, who parties, in Carried, dir flow.Direction, err error) error {
	f := k.flow(who, in)
	if f.ID = gateway.NewFlowID(); dir == flow.Response {
		f.From, f.To, f.Direction = f.To, f.From, dir
	}
	return k.Gateway.Refused(ctx, who.snap, f, err)
}

// Told returns the JSON-RPC error object that a refusal is told in.
func Told(err error) []byte {
	raw := denial(err).MCP("", "", nil)
	d := new(json.Doc)
	if d.Parse(raw, nil, json.Limits{}) != nil {
		return nil
	}
	n, ok := d.Member(0, "error")
	if !ok {
		return nil
	}
	return append([]byte(nil), d.Raw(n)...)
}
