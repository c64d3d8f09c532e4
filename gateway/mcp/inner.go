package mcp

import (
	"context"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// inner has a message of the client put before an inner server; nothing is where the server is another's.
func (x *exchange) inner(c *calling, m *message, bare bool, to *gateway.Message) {
	inner := c.who.agent.Inner
	if inner == nil {
		return
	}
	e := &gateway.Entering{Gateway: x.g, Snapshot: c.who.snap, Authority: c.who.authority, Version: c.version, Tool: c.tool, Bare: bare, Doc: m.doc, Arguments: -1}
	if n, ok := memberAt(m.doc, "params", "arguments"); ok {
		e.Arguments = n
	}
	to.Unknown = func(ctx context.Context) (int, flow.Path, error) {
		e.Back = c.query(back(c.who, c.flow))
		return inner.Unknown(ctx, e)
	}
	to.Admit = func(ctx context.Context, values []gateway.Entered, watched bool) (any, error) {
		e.Back, e.Values, e.Watched = c.query(back(c.who, c.flow)), values, watched
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
