package mcp

import (
	"context"
	"errors"
	"net/http"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Failure is the error that an inner server answered a request with, in words that took the road.
type Failure struct {
	Code int // of JSON-RPC
	Text string
}

// Error implements error. The text may hold data, so it is for the caller alone.
func (f *Failure) Error() string { return "the server answered with an error" }

const codeInvalid = -32602

// Invalid reports whether the request was at fault.
func (f *Failure) Invalid() bool { return f.Code == codeInvalid }

// Direct makes one request of an inner server for a caller who speaks plain HTTP. Who calls, by what right and why is
// read from the HTTP request as for MCP; its body has nothing in it. The request and its answer take the road and go on
// record like those of MCP. The answer is the result as MCP has it, with the structured part alone.
//
// The error is a [*gateway.Refusal] that is on record, or a [*Failure].
func (h *Handler) Direct(r *http.Request, server flow.AgentID, method string, params []byte) (result []byte, err error) {
	r = r.WithContext(gateway.WithHops(r.Context(), r.Header))
	r.Header = r.Header.Clone()
	for _, name := range []string{headerSession, headerEvent, headerMethod, headerName} {
		r.Header.Del(name)
	}
	r.Header.Set(headerVersion, wire.MCP20251125)
	x, c, err := h.enter(r, server)
	if err == nil && c.who.agent.Inner == nil {
		err = gateway.Refuse(gateway.RuleFace, nil, "There is no such server at this address for this caller.")
	}
	if err != nil {
		return nil, h.Gateway.Refused(r.Context(), c.who.snap, c.flow, err)
	}
	ctx, stop := h.Gateway.While(r.Context(), c.who.authority, c.flow)
	defer stop()
	body := append(json.AppendString([]byte(`{"jsonrpc":"2.0","id":1,"method":`), method), `,"params":`...)
	body = append(append(body, params...), '}')
	got := x.client(ctx, incoming{body: body, bare: true, unsent: true, reason: func(caller identity.Caller, _, _ string) (flow.Purpose, flow.Criticality) {
		return caller.ChooseFrom(r.Header)
	}})
	if got.forward == nil {
		return nil, got.refusal
	}
	defer x.abandon()
	call := got.call
	sending, err := got.sent.onward(ctx, h.Gateway)
	if err != nil {
		return nil, h.unmade(r, x, call, err)
	}
	res, err := x.who.agent.MCP.Send(sending, http.MethodPost, x.onward(), nil, got.forward)
	if err != nil {
		return nil, h.unmade(r, x, call, err)
	}
	defer res.Body.Close()
	answered, err := gateway.ReadJSON(res, c.who.snap.Limits.Bytes)
	if err != nil {
		return nil, h.unmade(r, x, call, err)
	}
	return x.result(ctx, call, answered)
}

// unmade puts on record that a request got no answer.
func (h *Handler) unmade(r *http.Request, x *exchange, c *calling, err error) error {
	x.forget(c)
	c.ticket.End()
	return h.Gateway.Refused(r.Context(), c.who.snap, back(c.who, c.flow), err)
}

// result takes an inner server's answer down the road and reads what is in it.
func (x *exchange) result(ctx context.Context, c *calling, body []byte) ([]byte, error) {
	who, err := x.now(ctx)
	x.forget(c)
	defer c.ticket.End()
	wrong := gateway.Refuse(gateway.RuleUpstream, nil, "The server's answer has not the form of the protocol.")
	if err != nil {
		return nil, x.g.Refused(ctx, who.snap, back(who, c.flow), err)
	}
	doc := json.Borrow()
	defer doc.Return()
	if err := doc.Parse(body, nil, who.snap.Limits); err != nil {
		return nil, x.g.Refused(ctx, who.snap, back(who, c.flow), wrong)
	}
	rpc, err := wire.ReadRPC(doc)
	if err != nil || rpc.Kind != wire.Success && rpc.Kind != wire.Failure {
		return nil, x.g.Refused(ctx, who.snap, back(who, c.flow), wrong)
	}
	out, err := x.answer(ctx, who, c, doc, rpc, body)
	if err != nil {
		return nil, err
	}
	told := json.Borrow()
	defer told.Return()
	if err := told.Parse(out, nil, json.Limits{Bytes: len(out) + 1}); err != nil {
		return nil, errors.New("an answer that was decided cannot be read")
	}
	if n, ok := told.Member(0, "result"); ok {
		return told.Raw(n), nil
	}
	f := &Failure{Code: -32603}
	if n, ok := memberAt(told, "error", "code"); ok && string(told.Raw(n)) == codeInvalidParams {
		f.Code = codeInvalid
	}
	if n, ok := memberAt(told, "error", "message"); ok && told.Nodes[n].Kind == json.String {
		f.Text = told.Text(n)
	}
	return nil, f
}
