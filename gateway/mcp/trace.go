package mcp

import (
	"context"
	"net/http"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway"
)

// traced notes which trace a message belongs to: the one that it names in its _meta, else the one of its HTTP request.
// Both speak of one trace, so that a call over A2A and the calls of tools that it leads to are joined on record.
func (c *calling) traced(ctx context.Context, x *exchange, m *message, h http.Header) {
	c.trace = gateway.TraceIn(h)
	if m.mcp.Meta >= 0 {
		if n, ok := m.doc.Member(m.mcp.Meta, "traceparent"); ok && m.doc.Nodes[n].Kind == json.String {
			if named := gateway.TraceIn(http.Header{gateway.HeaderTrace: {m.doc.Text(n)}}); named != "" {
				c.trace = named
			}
		}
	}
	x.g.Follow(ctx, c.who.snap, c.who.caller.Party.Domain, c.trace)
	c.trace = x.g.TraceFor(ctx, c.who.snap, c.who.authority, &c.flow, c.trace)
	c.flow.Trace = x.g.TraceOf(c.who.snap, c.who.caller.Party.Domain, c.trace)
}
