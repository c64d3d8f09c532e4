// Package mcp hangs the agent SDK into the MCP client of the Go SDK: calls show the agent's capability, say why they are
// made, can be sent again, and tell what the gateway changed.
package mcp

import (
	"context"
	"crypto/rand"
	"maps"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/agent"
	"github.com/scrimhq/scrim/flow"
)

// Options say why an agent calls, and who is told what the gateway changed. All may be left zero.
type Options struct {
	Purpose     flow.Purpose
	Criticality *flow.Criticality
	Note        func(flow.Note) // of each answer that the gateway changed; may be called from several goroutines
}

// Transport reaches the server at an endpoint through c, over streamable HTTP.
func Transport(c *agent.Client, endpoint string) *sdk.StreamableClientTransport {
	return &sdk.StreamableClientTransport{Endpoint: endpoint, HTTPClient: c.HTTP()}
}

// Dial connects a client to the server at an endpoint through c.
func Dial(ctx context.Context, c *agent.Client, endpoint string, client *sdk.Client, opt Options) (*sdk.ClientSession, error) {
	client.AddSendingMiddleware(Middleware(opt))
	ctx = agent.WithPurpose(ctx, opt.Purpose, opt.Criticality)
	return client.Connect(ctx, Transport(c, endpoint), nil)
}

// named are the methods whose calls get a name, so that they can be sent again: those that ask something of a server and
// may do something there.
var named = map[string]bool{"tools/call": true, "prompts/get": true, "resources/read": true, "completion/complete": true}

// Middleware names calls, says in the headers of an [agent.Client] why they are made, and reads privacy notes.
func Middleware(opt Options) sdk.Middleware {
	return func(next sdk.MethodHandler) sdk.MethodHandler {
		return func(ctx context.Context, method string, req sdk.Request) (sdk.Result, error) {
			ctx = agent.WithPurpose(ctx, opt.Purpose, opt.Criticality)
			if params := req.GetParams(); named[method] && params != nil {
				meta := maps.Clone(params.GetMeta())
				if meta == nil {
					meta = map[string]any{}
				}
				if _, ok := meta[agent.MetaFlowID]; !ok {
					meta[agent.MetaFlowID] = rand.Text()
				}
				params.SetMeta(meta)
				ctx = agent.Repeatable(ctx)
			}
			res, err := next(ctx, method, req)
			if err == nil && res != nil && opt.Note != nil {
				if n, ok := agent.NoteOf(res.GetMeta()); ok {
					opt.Note(n)
				}
			}
			return res, err
		}
	}
}
