package mcp

import (
	"context"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// admits is what an inner server is asked about a message of the client; nil where the server is another's.
func (x *exchange) admits(c *calling, m *message, bare bool) func(context.Context, []gateway.Entered, bool) (any, error) {
	inner := c.who.agent.Inner
	if inner == nil {
		return nil
	}
	return func(ctx context.Context, values []gateway.Entered, watched bool) (any, error) {
		e := &gateway.Entering{
			Gateway: x.g, Snapshot: c.who.snap, Authority: c.who.authority, Back: c.query(back(c.who, c.flow)), Version: c.version,
			Tool: c.tool, Bare: bare, Doc: m.doc, Arguments: -1, Values: values, Watched: watched,
		}
		if n, ok := memberAt(m.doc, "params", "arguments"); ok {
			e.Arguments = n
		}
		return inner.Admit(ctx, e)
	}
}

// shows asks an inner server whether anything is left of what a tool of its gives.
func shows(who parties, l listing, name string) func([]flow.Leaf, []flow.LeafTerms) bool {
	inner := who.agent.Inner
	if inner == nil || l.use != "tools/call" {
		return nil
	}
	return func(leaves []flow.Leaf, terms []flow.LeafTerms) bool { return inner.Shows(name, leaves, terms) }
}
