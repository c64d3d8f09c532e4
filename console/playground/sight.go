// Package playground is the page where people try what the rules do with a message: what each recipient would see, why, and what a changed policy would
// make of it.
//
// The same look stands behind "scrim check". A message is taken down the whole road of a flow with state of its own, so that no gateway's state is read or
// changed by it. What was pasted is in the answer to whoever pasted it and nowhere else: it is in no address, no session, no log and no error.
package playground

import (
	"encoding/json"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Kind is what a message is.
type Kind string

// The kinds. An A2A or MCP message is a whole JSON-RPC message; the others are wrapped in one.
const (
	Text Kind = "text"
	JSON Kind = "json"
	A2A  Kind = "a2a"
	MCP  Kind = "mcp"
)

// KindOf says what a content is, as far as it says so itself.
func KindOf(content []byte) Kind {
	trimmed := strings.TrimSpace(string(content))
	if trimmed == "" || trimmed[0] != '{' && trimmed[0] != '[' || !json.Valid([]byte(trimmed)) {
		return Text
	}
	var rpc struct {
		Version string `json:"jsonrpc"`
		Method  string `json:"method"`
		Result  map[string]json.RawMessage
	}
	if json.Unmarshal([]byte(trimmed), &rpc) != nil || rpc.Version != "2.0" {
		return JSON
	}
	_, direct := rpc.Result["content"]
	_, structured := rpc.Result["structuredContent"]
	if direct || structured || strings.Contains(rpc.Method, "/") && !strings.HasPrefix(rpc.Method, "message/") {
		return MCP
	}
	return A2A
}

// Place is a place of the message with what was decided about it.
type Place struct {
	Place    string          `json:"place"`
	Value    string          `json:"value,omitempty"` // what was found in a text, out of the message
	Label    flow.Label      `json:"label"`
	Origin   flow.Origin     `json:"origin"`
	Score    uint8           `json:"score,omitempty"` // of what was found in a text, in percent
	Level    flow.Level      `json:"level"`
	Shown    string          `json:"shown"` // the level with its parameter
	By       flow.Limit      `json:"by"`    // what narrowed it last
	Policies []flow.PolicyID `json:"policies,omitempty"`
	Reason   string          `json:"reason,omitempty"`

	Leaf flow.Leaf `json:"-"`
}

// Why is the policies and their reason, in one line.
func (p Place) Why() string {
	var ids []string
	for _, id := range p.Policies {
		ids = append(ids, string(id))
	}
	return strings.Trim(strings.Join(ids, ", ")+": "+p.Reason, ": ")
}

// Refused is why nothing would reach a recipient.
type Refused struct {
	Rule   string `json:"rule"`
	Public string `json:"public"` // what is wrong and what to do
	Place  string `json:"place,omitempty"`
	Said   string `json:"-"` // all of it, as the caller would be told
}

// Sight is what one recipient would see.
type Sight struct {
	To      flow.Party `json:"to"`
	Places  []Place    `json:"places"`
	Seen    string     `json:"seen,omitempty"`
	JSON    bool       `json:"json,omitempty"` // Seen is JSON, otherwise text
	Refused *Refused   `json:"refused,omitempty"`
}
