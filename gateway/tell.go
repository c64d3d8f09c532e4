package gateway

import (
	"context"

	"github.com/scrimhq/scrim/flow"
)

// Tell answers what costs a dataset nothing, such as what a stream released, by the same rights as a question: policy, capability and contracts
// admit it, it takes a use, and who asked and that it was answered is on record before it returns. A retry gets the same answer. P.Compute
// returns the answer; it must hold nothing but what was paid for before. The error is a [*Refusal] that is not on record yet.
func (g *Gateway) Tell(ctx context.Context, p *Posed) ([]byte, error) {
	bound, err := g.Permits(p)
	if err != nil {
		return nil, err
	}
	req := &Request{
		Between: Between{Caller: p.Flow.From, Agent: p.Flow.To.Agent}, ID: p.ID, Root: p.Root, Method: p.Flow.Subject, Params: p.Request, Pins: g.Pins(p.Snapshot, p.Authority, p.Flow),
	}
	known, ticket, err := g.Once(ctx, req)
	if err != nil {
		return nil, err
	}
	defer ticket.End()
	if known != nil && known.SameAs {
		return known.Body, g.Replayed(ctx, p.Snapshot, p.Authority, p.Flow, known)
	}
	body, err := p.Compute(ctx)
	if err != nil {
		return nil, err
	}
	m := p.message()
	m.Use = known == nil
	if err := g.recordPosed(ctx, &posing{g: g, p: p, bound: bound, ticket: ticket}, m, flow.Released, body); err != nil {
		return nil, err
	}
	return body, nil
}
