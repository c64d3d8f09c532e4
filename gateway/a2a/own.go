package a2a

import (
	"context"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway/offer"
)

// ownMethod finds a method of the privacy extension, which the gateway answers by itself. Agents never see one.
func (c *call) ownMethod() bool {
	if _, jsonrpc := c.front.(*jsonrpcFront); !jsonrpc {
		return false
	}
	c.own = c.h.Own.Method(c.rpc.Method)
	return c.own != nil
}

// answerOwn answers a method of the privacy extension.
func (c *call) answerOwn(ctx context.Context) error {
	c.flow.Method, c.flow.Subject = c.own.Method, c.agent.Skill
	c.flow.Purpose, c.flow.Task.Criticality = c.caller.ChooseFrom(c.r.Header)
	if err := c.h.Gateway.Holds(ctx, c.snap, c.authority, c.sent); err != nil {
		return err
	}
	arguments := []byte("{}")
	if c.rpc.Params >= 0 && c.doc.Nodes[c.rpc.Params].Kind == json.Object {
		arguments = c.doc.Raw(c.rpc.Params)
	}
	answer, err := c.own.Call(ctx, &offer.Call{
		Snapshot: c.snap, Face: c.h.Face, Caller: c.caller, Authority: c.authority, Agent: c.agentID, Flow: c.flow, Arguments: arguments,
	})
	if err != nil {
		return err
	}
	b := append([]byte(`{"jsonrpc":"2.0","id":`), c.rpc.ID...)
	c.front.whole(c, 0, answer.Pad(append(append(append(b, `,"result":`...), answer.Body...), '}')))
	return nil
}
