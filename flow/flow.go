// Package flow is the vocabulary of Scrim: who sends what, about whom, to whom, for what purpose and on which terms.
//
// The words are those of contextual integrity (Nissenbaum 2004): a flow has a sender, a recipient, a subject,
// a kind of information and terms of transmission. The package does no I/O, imports the standard library alone,
// and holds no value from any message: places and labels, never contents.
//
// Zero values are the strict ones. The zero [Level] is [Dropped], the zero [Tier] is [Restricted], the zero
// [Criticality] is [Low], the zero [Terms] forbids.
package flow

import (
	"fmt"
	"slices"
)

// AgentID names an agent, or an MCP server, within the configuration of one gateway.
type AgentID string

// DomainID names a data domain: the unit that owns data and runs a gateway.
type DomainID string

// Role names a role that an agent holds, as policies know it.
type Role string

// Purpose names why a flow happens, for example "billing". Purposes form a hierarchy after the W3C Data Privacy Vocabulary.
type Purpose string

// TaskID names the piece of work that a flow belongs to: an A2A task or context, or an MCP session.
type TaskID string

// ID names one flow. It says when the flow was decided, to the millisecond, and otherwise nothing.
type ID string

// TraceID names the trace that a flow belongs to, as the journal of one domain knows it. It is no trace id of the wire.
type TraceID string

// PolicyID names a policy, as its @id annotation or its file and position do.
type PolicyID string

// Party is one end of a flow.
type Party struct {
	Agent    AgentID  `json:"agent"`
	Domain   DomainID `json:"domain"`
	Roles    []Role   `json:"roles,omitempty"`
	Attested bool     `json:"attested,omitempty"` // evidence about the runtime was verified; absent means no
}

// HasRole reports whether the party holds the role.
func (p Party) HasRole(r Role) bool { return slices.Contains(p.Roles, r) }

// Criticality says how much hangs on a task. The zero value is [Low], at which least is revealed.
type Criticality uint8

// The criticalities, least revealing first.
const (
	Low Criticality = iota
	Routine
	Critical
)

var criticalityNames = [...]string{"low", "routine", "critical"}

// String returns the name that configuration uses.
func (c Criticality) String() string { return nameOf(criticalityNames[:], int(c)) }

// ParseCriticality reads a name as configuration writes it.
func ParseCriticality(s string) (Criticality, error) {
	i := slices.Index(criticalityNames[:], s)
	if i < 0 {
		return Low, fmt.Errorf("criticality is not one of low, routine, critical")
	}
	return Criticality(i), nil
}

// MarshalText implements [encoding.TextMarshaler].
func (c Criticality) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Criticality) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCriticality(string(b))
	return err
}

// Task is the piece of work that a flow serves.
type Task struct {
	ID          TaskID      `json:"id,omitempty"`
	Criticality Criticality `json:"criticality"`
}

// Direction says which way the content of a flow goes.
type Direction uint8

// The directions. A response's recipient is the one who asked.
const (
	Request Direction = iota
	Response
)

// String returns "request" or "response".
func (d Direction) String() string { return nameOf([]string{"request", "response"}, int(d)) }

// MarshalText implements [encoding.TextMarshaler].
func (d Direction) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Direction) UnmarshalText(b []byte) error {
	switch string(b) {
	case "request":
		*d = Request
	case "response":
		*d = Response
	default:
		return fmt.Errorf("direction is not request or response")
	}
	return nil
}

// Flow is one transmission: sender, recipient, purpose and place in a chain of hops.
// The subject and the kind of information are per [Leaf].
type Flow struct {
	ID        ID        `json:"id"`
	Parent    ID        `json:"parent,omitempty"` // for a response, the request's flow; for a hop, the one before
	Hop       int       `json:"hop"`              // 0 at the first gateway
	From      Party     `json:"from"`
	To        Party     `json:"to"`              // whose eyes the content is changed for
	Chain     []Party   `json:"chain,omitempty"` // below From: to whom a right was handed on, the last of whom called
	Purpose   Purpose   `json:"purpose"`
	Task      Task      `json:"task"`
	Protocol  string    `json:"protocol"`          // "a2a/1.0", "mcp/2026-07-28"
	Method    string    `json:"method,omitempty"`  // "SendMessage", "tools/call"
	Subject   string    `json:"subject,omitempty"` // the skill or tool, as configuration declares it
	Direction Direction `json:"direction"`
	Trace     TraceID   `json:"trace,omitempty"` // flows of one trace have it in common

	Capability *Capability `json:"capability,omitempty"` // by what right; nil: the sender's own
}

// Capability names the tokens by which a flow happened. It says nothing of what they allow.
type Capability struct {
	Issuer DomainID `json:"issuer"` // the domain that issued the root
	Tokens []string `json:"tokens"` // SHA-256 of each token's signing input in hexadecimal, root first
}

// CrossesDomain reports whether sender and recipient live in different domains.
func (f Flow) CrossesDomain() bool { return f.From.Domain != f.To.Domain }

func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("invalid(%d)", i)
	}
	return names[i]
}
