package a2a

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/privacy/budget/answers"
	"github.com/scrimhq/scrim/store"
)

// asksData readies a message whose skill answers questions about a dataset. It is answered at once and as a whole: a stream or a
// task would answer at times of its own.
func (c *call) asksData() (*gateway.Asking, error) {
	if !sends[c.rpc.Method] {
		return nil, nil
	}
	q := c.snap.SkillQuestion(c.agentID, c.agent.Skill)
	if q == nil {
		return nil, nil
	}
	if c.rpc.Method == c.dialect().stream {
		return nil, gateway.Refuse(gateway.RuleBudget, nil, "This agent answers questions about a dataset; send the message without a stream.")
	}
	if c.pushed != nil {
		return nil, gateway.Refuse(gateway.RuleBudget, nil, "This agent answers questions about a dataset; send the message without a push notification config.")
	}
	return c.h.Gateway.Asking(c.ticket, c.between(), q, c.planOf), nil
}

// planOf is what a message asks: its params without what names this one message and says why it is sent.
func (c *call) planOf(body []byte) ([]byte, error) {
	var d json.Doc
	if err := d.Parse(body, nil, json.Limits{}); err != nil {
		return nil, err
	}
	rpc, err := wire.ReadRPC(&d)
	if err != nil || rpc.Params < 0 {
		return nil, answers.ErrForm
	}
	a, err := c.dialect().read(&d, rpc)
	if err != nil || a.Message == nil {
		return nil, answers.ErrForm
	}
	text := append([]byte(`{"a2a":"`), c.version...)
	text = append(text, `","message":`...)
	if text, err = without(text, &d, a.Message.Node, "messageId"); err != nil {
		return nil, err
	}
	text = append(text, `,"params":`...)
	if text, err = without(text, &d, rpc.Params, "message"); err != nil {
		return nil, err
	}
	return answers.Canonical(append(text, '}'))
}

// without appends an object without a member of it, and without what the gateway's own extension says in its metadata.
func without(b []byte, d *json.Doc, object int, member string) ([]byte, error) {
	if d.Nodes[object].Kind != json.Object {
		return nil, answers.ErrForm
	}
	b = append(b, '{')
	first := true
	for n := range d.Children(object) {
		name, raw := string(d.Key(n)), d.Raw(n)
		if name == member {
			continue
		}
		if name == "metadata" && d.Nodes[n].Kind == json.Object {
			var err error
			if raw, err = without(nil, d, n, card.PrivacyExtension); err != nil {
				return nil, err
			}
			if string(raw) == "{}" {
				continue
			}
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(json.AppendString(b, name), ':'), raw...)
	}
	return append(b, '}'), nil
}

// partsOf is what of an agent's answer is the answer to a question: the parts of its message, or of the artifacts of a task that it
// completed. Everything else, and every error, would tell of the agent what nobody has paid for.
func (c *call) partsOf(doc *json.Doc) ([]byte, error) {
	rpc, err := wire.ReadRPC(doc)
	if err != nil || rpc.Kind != wire.Success {
		return nil, errNoParts
	}
	a, err := c.dialect().read(doc, rpc)
	if err != nil {
		return nil, errNoParts
	}
	var parts []wire.Part
	switch {
	case a.Kind == wire.MessagePayload && a.Message != nil:
		parts = a.Message.Parts
	case a.Kind == wire.TaskPayload && len(a.Tasks) == 1 && strings.EqualFold(strings.TrimPrefix(a.Tasks[0].State, "TASK_STATE_"), "completed"):
		for _, artifact := range a.Tasks[0].Artifacts {
			parts = slices.Concat(parts, artifact.Parts)
		}
		if len(parts) == 0 && a.Tasks[0].Message != nil {
			parts = a.Tasks[0].Message.Parts
		}
	}
	if len(parts) == 0 {
		return nil, errNoParts
	}
	out := []byte{'['}
	for i, p := range parts {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, doc.Raw(p.Node)...)
	}
	return append(out, ']'), nil
}

var errNoParts = errors.New("the agent gave no answer")

// messageOf is an answer of the agent around its parts.
func (c *call) messageOf(parts []byte) []byte {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	message := append([]byte(`{"messageId":"`), hex.EncodeToString(id[:])...)
	if c.version == wire.A2A03 {
		message = append(append(append(message, `","kind":"message","role":"agent","parts":`...), parts...), '}')
		return wire.AppendSuccess(nil, c.upstreamID(), message)
	}
	message = append(append(append(message, `","role":"ROLE_AGENT","parts":`...), parts...), '}')
	return wire.AppendSuccess(nil, c.upstreamID(), append(append([]byte(`{"message":`), message...), '}'))
}

// toQuestion takes the agent's answer to a question, and puts the one in its place that is given.
func (c *call) toQuestion(doc *json.Doc, rep *reply) error {
	parts, err := c.asking.Answered(c.partsOf(doc))
	if err != nil {
		return err
	}
	rep.status, rep.whole, rep.frame, rep.used = 0, c.messageOf(parts), nil, nil
	c.active = ""
	return doc.Parse(rep.whole, nil, c.snap.Limits)
}

// failed is the refusal of a call that the agent did not answer.
func (c *call) failed(err error) error {
	if c.asking != nil {
		_, err = c.asking.Answered(nil, err)
	}
	return err
}

// known answers a question whose answer is known already: it goes down the road as if the agent had just given it.
func (c *call) known(ctx context.Context, parts []byte) {
	rep := &reply{whole: c.messageOf(parts)}
	c.rep = rep
	m := c.responseMessage(c.snap, rep.whole, false)
	m.Outcome = flow.Replayed
	m.Commit = func(tx store.Tx, out []byte) error {
		return c.ticket.Store(tx, &gateway.Answer{Status: rep.status, Body: out, Task: c.flow.Task.ID})
	}
	passed, err := c.h.Gateway.Pass(ctx, m)
	if err = c.asking.Told(err); err != nil {
		c.refuseAnswer(ctx, err)
		return
	}
	c.front.whole(c, rep.status, passed.Body)
}
