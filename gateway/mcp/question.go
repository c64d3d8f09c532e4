package mcp

import (
	"context"
	"errors"
	"net/http"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/privacy/budget/answers"
	"github.com/scrimhq/scrim/store"
)

// asks readies a call of a tool that answers questions about a dataset. Such a call is answered at once and as a whole: a task's
// answer would come at a time of its own, and of what another gateway carries nobody here could keep the answer.
func (x *exchange) asks(c *calling, m *message) (*gateway.Asking, error) {
	if c.method != "tools/call" {
		return nil, nil
	}
	q := c.who.snap.Question(c.who.agent.Party.Agent, c.tool)
	if q == nil {
		return nil, nil
	}
	if _, task := m.doc.Member(m.rpc.Params, "task"); task || m.rpc.Kind != wire.Call {
		return nil, gateway.Refuse(gateway.RuleBudget, nil, "This tool answers questions about a dataset; call it without a task.")
	}
	if x.partly {
		return nil, gateway.Refuse(gateway.RuleBudget, nil, "This tool answers questions about a dataset; call it through the gateway that keeps its budget.")
	}
	return x.g.Asking(c.ticket, x.between(c), q, planOf), nil
}

// planOf is what a call asks: its tool and arguments, however they are written. What surrounds them is no part of it.
func planOf(body []byte) ([]byte, error) {
	var d json.Doc
	if err := d.Parse(body, nil, json.Limits{}); err != nil {
		return nil, err
	}
	params, ok := d.Member(0, "params")
	if !ok || d.Nodes[params].Kind != json.Object {
		return nil, answers.ErrForm
	}
	name, ok := d.Member(params, "name")
	if !ok {
		return nil, answers.ErrForm
	}
	text := append([]byte(`{"tool":`), d.Raw(name)...)
	if arguments, ok := d.Member(params, "arguments"); ok {
		text = append(append(text, `,"arguments":`...), d.Raw(arguments)...)
	}
	return answers.Canonical(append(text, '}'))
}

// contentOf is what of a tool's result is the answer to a question. Everything else, and every error, would tell of the server what
// nobody has paid for.
func contentOf(doc *json.Doc, rpc wire.RPC) ([]byte, error) {
	if rpc.Kind != wire.Success || doc.Nodes[rpc.Result].Kind != json.Object {
		return nil, errNoContent
	}
	if kind := textIn(doc, rpc.Result, "resultType"); kind != "" && kind != "complete" {
		return nil, errNoContent
	}
	if n, ok := doc.Member(rpc.Result, "isError"); ok && string(doc.Raw(n)) != "false" {
		return nil, errNoContent
	}
	out := newObject()
	content, ok := doc.Member(rpc.Result, "content")
	if !ok || doc.Nodes[content].Kind != json.Array {
		return nil, errNoContent
	}
	out.raw("content", doc.Raw(content))
	if n, ok := doc.Member(rpc.Result, "structuredContent"); ok {
		out.raw("structuredContent", doc.Raw(n))
	}
	return out.end(), nil
}

var errNoContent = errors.New("the tool gave no answer")

// answered takes the server's answer to a question, and returns the one that is given: by the same id, and the same for everybody who
// asks the same on the same version of the data.
func (x *exchange) answered(c *calling, doc *json.Doc, rpc wire.RPC) ([]byte, error) {
	id := append([]byte(nil), doc.Raw(rpc.IDNode)...)
	content, err := c.asking.Answered(contentOf(doc, rpc))
	if err != nil {
		return nil, err
	}
	return c.whole(id, content), nil
}

// whole is an answer around its content.
func (c *calling) whole(id, content []byte) []byte {
	if c.version == wire.MCP20260728 && len(content) > 1 {
		content = append([]byte(`{"resultType":"complete",`), content[1:]...)
	}
	return wire.AppendSuccess(nil, id, content)
}

// known answers a question whose answer is known already: it goes down the road as if the server had just given it.
func (x *exchange) known(ctx context.Context, c *calling, content []byte) fromClient {
	defer c.ticket.End()
	f := back(c.who, c.flow)
	id, err := x.g.CallID(c.who.snap, c.flow, c.id)
	if err != nil {
		return x.denied(c, x.g.Refused(ctx, c.who.snap, f, c.asking.Told(err)))
	}
	m := x.answerMessage(c, c.who, f, c.whole(id, content))
	m.Outcome = flow.Replayed
	m.Commit = func(tx store.Tx, out []byte) error {
		return c.ticket.Store(tx, &gateway.Answer{Status: http.StatusOK, Body: out, Task: c.flow.Task.ID})
	}
	passed, err := x.g.Pass(ctx, m)
	if err = c.asking.Told(err); err != nil {
		return x.denied(c, x.g.Refused(ctx, c.who.snap, f, err))
	}
	return fromClient{reply: passed.Body, status: http.StatusOK}
}
