// Package offer is what the gateway itself does for agents when they ask: tools of its own, such as telling on which terms data
// would pass.
//
// A [Tool] is found in two places: at the gateway's own MCP address, under its name, and, if it has a method, as a method of the A2A
// privacy extension at the address of the agent that it is about. The doors authenticate and read; a tool decides by the same policy
// as messages do and puts what it did on record itself. Which tools there are is a list handed to [New].
package offer

import (
	"context"
	"fmt"
	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
)

// Server is the name of the gateway's own MCP server on both faces. No agent and no group may have it.
const Server flow.AgentID = "scrim"

// Tool is one thing that the gateway does by itself.
type Tool struct {
	Name        string // in MCP, such as "scrim_terms"
	Method      string // of the A2A privacy extension, such as "scrim/terms"; "": there is none
	Title       string
	Description string // for models
	Input       string // JSON Schema of the arguments, an object
	Output      string // JSON Schema of the answer, an object
	ReadOnly    bool   // calling it changes nothing

	// Call answers. The answer is a JSON object; the error is a [*gateway.Refusal] that is not on record yet. What was done is on
	// record, and durable, when it returns.
	Call func(ctx context.Context, c *Call) (Answer, error)
}

// Answer is what a tool says.
type Answer struct {
	Body   []byte // a JSON object
	Padded bool   // its length must tell nothing: the doors fill it up to a size class
}

// Call is one call of a tool, by a caller that was authenticated and admitted.
type Call struct {
	Snapshot  *gateway.Snapshot // decides from beginning to end
	Face      gateway.Face
	Caller    identity.Caller
	Authority *gateway.Authority // by what right it asks: what may be told is bounded by it; nil: not
	Agent     flow.AgentID       // at whose address it was called; "" at the gateway's own
	Flow      flow.Flow          // ID, From, Protocol, Method, and what purpose and criticality the request's headers name
	ID        string             // the caller's own name of this call, by which it is known again if it is sent again; "": none
	Arguments []byte             // a JSON object, within the snapshot's limits and without duplicate keys
}

// Registry holds the tools. A nil one has none. It is safe for concurrent use.
type Registry struct {
	tools []Tool
}

// New returns a registry of the tools, in the order in which lists have them. It panics if two have one name or method, or one
// lacks what it needs: that is a mistake of the program.
func New(tools ...Tool) *Registry {
	seen := map[string]bool{"": true}
	for _, t := range tools {
		if seen[t.Name] || t.Method != "" && seen[t.Method] || t.Call == nil || t.Input == "" {
			panic(fmt.Sprintf("offer: tool %q is not complete, or there are two", t.Name))
		}
		seen[t.Name], seen[t.Method] = true, true
	}
	return &Registry{tools: slices.Clone(tools)}
}

// Tools returns all tools.
func (r *Registry) Tools() []Tool {
	if r == nil {
		return nil
	}
	return r.tools
}

// Named returns the tool of a name, nil if there is none.
func (r *Registry) Named(name string) *Tool {
	return r.find(func(t *Tool) bool { return t.Name == name })
}

// Method returns the tool behind a method of the privacy extension, nil if there is none.
func (r *Registry) Method(method string) *Tool {
	return r.find(func(t *Tool) bool { return method != "" && t.Method == method })
}

func (r *Registry) find(is func(*Tool) bool) *Tool {
	if r == nil {
		return nil
	}
	for i := range r.tools {
		if is(&r.tools[i]) {
			return &r.tools[i]
		}
	}
	return nil
}

// smallest is the size class of short answers.
const smallest = 2048

// Pad fills a JSON message up with white space to a power of two, so that its length tells little. What is not padded stays as it is.
func (a Answer) Pad(message []byte) []byte {
	if !a.Padded {
		return message
	}
	class := smallest
	for class < len(message) {
		class *= 2
	}
	for len(message) < class {
		message = append(message, ' ')
	}
	return message
}
