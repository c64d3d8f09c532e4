package mcp

import (
	"cmp"
	"context"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Reserved names, which no tool has, for what a capability bounds like a tool and its arguments
// (docs/spec/capability-checks.md).
const (
	anyResource = ":resource" // its argument is uri
	anyPrompt   = ":prompt/"  // and the prompt's name, with the prompt's arguments
	unknownTask = ":task"     // of a tool that is not known any more
	otherMethod = ":method/"  // and the name of a method that nothing is known of
)

// free are the methods that use nothing, which every capability for the server covers. What lists hold is chosen by
// what the capability covers.
var free = map[string]bool{
	"initialize": true, "ping": true, "server/discover": true, "logging/setLevel": true, "tools/list": true, "prompts/list": true,
	"resources/list": true, "resources/templates/list": true, "tasks/list": true, "subscriptions/listen": true,
}

// listening bounds what the client wants to be told of like asking for it.
func (x *exchange) listening(c *calling, m *message, in *gateway.Invocation) {
	in.NoTool = true
	agent := c.who.agent.Party.Agent
	for _, uri := range m.wanted("resourceSubscriptions") {
		if args := argument("uri", uri); !c.who.authority.Covers(agent, anyResource, args) {
			in.NoTool, in.Tool, in.Arguments = false, anyResource, args
			return
		}
	}
	for _, id := range m.wanted("taskIds") {
		if in.Of = x.toolOf(c, id); !c.who.authority.Covers(agent, in.Of, nil) {
			return
		}
	}
}

// wanted are the texts of a list in what a client wants to be told of.
func (m *message) wanted(list string) (all []string) {
	n, ok := under(m.doc, "params", "notifications", list)
	if !ok || m.doc.Nodes[n].Kind != json.Array {
		return nil
	}
	for i := range m.doc.Children(n) {
		if m.doc.Nodes[i].Kind == json.String {
			all = append(all, m.doc.Text(i))
		}
	}
	return all
}

// serves is the name by which a client knows its task: that of its session.
func (x *exchange) serves() gateway.IDs {
	if x.stdio {
		return gateway.IDs{}
	}
	return gateway.IDs{Context: x.session}
}

// toolOf is what a capability calls the tool that a task is of.
func (x *exchange) toolOf(c *calling, task string) string {
	return cmp.Or(x.memory.toolOf(c.who, task), unknownTask)
}

// calls reports whether a message makes the server do something. One that lacks an id does so too where the server does not look.
func (m *message) calls() bool {
	return m.rpc.Kind == wire.Call || m.rpc.Kind == wire.Notification && !strings.HasPrefix(m.rpc.Method, "notifications/")
}

// proves holds a message of the client to its authority.
func (x *exchange) proves(ctx context.Context, c *calling, m *message, sent []byte) error {
	in := gateway.Invocation{Body: sent, Flow: c.flow}
	in.Task = flow.TaskID(x.serves().Context)
	if c.who.authority == nil {
		return x.g.Prove(ctx, c.who.snap, nil, in)
	}
	switch method := m.rpc.Method; {
	case method == "subscriptions/listen":
		x.listening(c, m, &in)
	case !m.calls(), free[method]:
		in.NoTool = true
	case method == "tools/call", method == "prompts/get":
		in.Tool, in.Arguments = toolName(listings[listOf[method]], m.nameUsed(listings[listOf[method]])), m.rawParam("arguments")
	case method == "resources/read", method == "resources/subscribe", method == "resources/unsubscribe":
		in.Tool, in.Arguments = anyResource, argument("uri", m.nameUsed(listings["resources/list"]))
	case method == "completion/complete":
		in.NoTool = true
		for _, t := range m.uses() { // a reference may seem to be of both kinds: each must be covered
			if in.Of = toolName(t.listing, t.name); !c.who.authority.Covers(c.who.agent.Party.Agent, in.Of, nil) {
				break
			}
		}
		if in.Of == "" {
			in.NoTool, in.Tool = false, otherMethod+method
		}
	case m.task() != "":
		in.NoTool, in.Of = true, x.toolOf(c, m.task())
	default:
		in.Tool = otherMethod + method
	}
	return x.g.Prove(ctx, c.who.snap, c.who.authority, in)
}

var listOf = map[string]string{"tools/call": "tools/list", "prompts/get": "prompts/list"}

// toolName is what a capability calls an entry of a list.
func toolName(l listing, name string) string {
	switch l.kind {
	case catalog.Tool:
		return name
	case catalog.Prompt:
		return anyPrompt + name
	}
	return anyResource
}

func argument(name, value string) []byte {
	b := append(json.AppendString([]byte{'{'}, name), ':')
	return append(json.AppendString(b, value), '}')
}

// rawParam is a member of the params as it is written; nil where it is absent.
func (m *message) rawParam(name string) []byte {
	if n, ok := memberAt(m.doc, "params", name); ok {
		return m.doc.Raw(n)
	}
	return nil
}

// covers reports whether the caller's capability covers an entry of a list at all. A resource is covered by its address;
// with what arguments a tool may be called is found out when it is.
func covers(who parties, l listing, name string) bool {
	if l.kind == catalog.Resource && l.naming == "uri" {
		return who.authority.Covers(who.agent.Party.Agent, anyResource, argument("uri", name))
	}
	return who.authority.Covers(who.agent.Party.Agent, toolName(l, name), nil)
}
