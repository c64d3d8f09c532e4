package a2a

import (
	"context"
	"errors"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/a2a/proto"
	"github.com/scrimhq/scrim/gateway/wire"
)

// extended makes the gateway's own of the extended card that an agent answers with, as it does with the card that
// everybody sees: its addresses, its signature, nothing that is not carried. It is for this caller, and nobody else is
// ever shown it.
func (c *call) extended(ctx context.Context, rep *reply) error {
	var d json.Doc
	if err := d.Parse(rep.whole, nil, c.snap.Limits); err != nil {
		return gateway.Refuse(gateway.RuleUpstream, err, "The agent's answer is not acceptable JSON.")
	}
	rpc, err := wire.ReadRPC(&d)
	if err != nil || rpc.Kind != wire.Success {
		return nil // an error goes the way of errors
	}
	raw := d.Raw(rpc.Result)
	if f, ok := c.front.(*grpcFront); ok {
		if raw, err = f.plain(raw, c.snap.Limits); err != nil {
			return gateway.Refuse(gateway.RuleUpstream, err, "The agent's extended card cannot be read.")
		}
	}
	parsed, err := card.Parse(raw, c.snap.Limits)
	if err != nil {
		return gateway.Refuse(gateway.RuleUpstream, err, "The agent's extended card cannot be read.")
	}
	interfaces := parsed.Interfaces()
	if known, err := c.h.Cards.get(ctx, c.agent, c.snap); err == nil {
		interfaces = known.interfaces // by these it is called
	}
	v := view{
		h: c.h, s: c.snap, agent: c.agent, caller: c.caller, authority: c.authority, old: c.version == wire.A2A03, header: c.r.Header, base: gateway.BaseURL(c.snap, c.r),
		got: fetchedCard{raw: raw, interfaces: interfaces, signature: check(ctx, c.agent, c.snap, parsed)},
	}
	if c.agent.Card.Signature == gateway.SignatureRequire && v.got.signature.State != verified {
		return gateway.Refuse(gateway.RuleUpstream, nil, "The agent's extended card has no signature that is believed.")
	}
	out, err := v.card(ctx)
	if err != nil {
		if r, ok := errors.AsType[*gateway.Refusal](err); ok {
			return r
		}
		return gateway.Refuse(gateway.RuleUpstream, err, "The agent's extended card cannot be shown.")
	}
	rep.whole, rep.frame = wire.AppendSuccess(make([]byte, 0, len(out)+48), c.upstreamID(), out), nil
	return nil
}

// plain is a card without what gRPC cannot say of it, so that the signature is over what arrives.
func (f *grpcFront) plain(raw []byte, lim json.Limits) ([]byte, error) {
	m, ok := proto.Find("GetExtendedAgentCard")
	if !ok {
		return nil, proto.ErrMessage
	}
	b, err := m.Answer(raw)
	if err != nil {
		return nil, err
	}
	plain, _, err := m.Result(b, lim)
	return plain, err
}
