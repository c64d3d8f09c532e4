// Package a2a hangs the agent SDK into the A2A client of a2a-go: calls show the agent's capability, say why they are made,
// can be sent again, and tell what the gateway changed.
package a2a

import (
	"context"
	"net/http"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2aclient"
	"github.com/a2aproject/a2a-go/v2/a2aclient/agentcard"

	"github.com/scrimhq/scrim/agent"
	"github.com/scrimhq/scrim/flow"
)

// Options say why an agent calls, and who is told what the gateway changed. All may be left zero.
type Options struct {
	Purpose     flow.Purpose
	Criticality *flow.Criticality
	Note        func(flow.Note) // of each message that the gateway changed; may be called from several goroutines
}

// Dial reads the card of the agent at a base URL and returns a client that calls it through c, over JSON-RPC or HTTP+JSON.
func Dial(ctx context.Context, c *agent.Client, base string, opt Options) (*a2aclient.Client, error) {
	ctx = agent.WithPurpose(ctx, opt.Purpose, opt.Criticality)
	card, err := agentcard.NewResolver(c.HTTP()).Resolve(ctx, base)
	if err != nil {
		return nil, err
	}
	return a2aclient.NewFromCard(ctx, card, With(c, opt)...)
}

// With are the options by which a client of a2a-go calls through c.
func With(c *agent.Client, opt Options) []a2aclient.FactoryOption {
	return []a2aclient.FactoryOption{
		a2aclient.WithDefaultsDisabled(), // a binding that does not go through c would go without the capability
		a2aclient.WithJSONRPCTransport(c.HTTP()), a2aclient.WithRESTTransport(c.HTTP()),
		a2aclient.WithCallInterceptors(&Interceptor{Options: opt}),
	}
}

// Interceptor names messages, says in the headers of an [agent.Client] why they are sent, and reads privacy notes.
type Interceptor struct {
	Options Options
}

// Before implements [a2aclient.CallInterceptor].
func (i *Interceptor) Before(ctx context.Context, req *a2aclient.Request) (context.Context, any, error) {
	ctx = agent.WithPurpose(ctx, i.Options.Purpose, i.Options.Criticality)
	p, ok := req.Payload.(*sdk.SendMessageRequest)
	if !ok || p.Message == nil {
		return ctx, nil, nil
	}
	if p.Message.ID == "" {
		p.Message.ID = sdk.NewMessageID()
	}
	return agent.Repeatable(ctx), nil, nil
}

// After implements [a2aclient.CallInterceptor].
func (i *Interceptor) After(_ context.Context, res *a2aclient.Response) error {
	carrier, ok := res.Payload.(sdk.MetadataCarrier)
	if !ok || i.Options.Note == nil {
		return nil
	}
	if n, ok := agent.NoteOf(carrier.Meta()); ok {
		i.Options.Note(n)
	}
	return nil
}

var _ http.RoundTripper = (*agent.Client)(nil)
