package offer

import (
	"bytes"
	stdjson "encoding/json"
	"regexp"
	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Asking is what an agent asks for terms about: what would show of data if it sent some to another agent, or received some from it.
// Text that it holds is a stranger's until it was found to name something.
type Asking struct {
	Agent       flow.AgentID   `json:"agent,omitempty"` // the other side; at that agent's own address it may be left out
	Direction   flow.Direction `json:"direction"`
	Purpose     string         `json:"purpose,omitempty"`
	Criticality string         `json:"criticality,omitempty"`
	Labels      []flow.Label   `json:"labels,omitempty"`
	Dataset     string         `json:"dataset,omitempty"`
	Columns     []string       `json:"columns,omitempty"`
	Tool        string         `json:"tool,omitempty"`
	Skill       string         `json:"skill,omitempty"`
	Protocol    string         `json:"protocol,omitempty"` // "a2a/1.0", "mcp/2026-07-28"; absent: that of the question
}

// The bounds of a question.
const (
	maxLabels  = 64
	maxColumns = 128
	maxName    = 128
)

var (
	labelForm  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*(/[a-z0-9]+(-[a-z0-9]+)*)*$`)
	askingForm = `{"type":"object","additionalProperties":false,"properties":{` +
		`"agent":{"type":"string","maxLength":128,"description":"The agent or server that you want to send to or receive from. At its own address it may be left out."},` +
		`"direction":{"enum":["request","response"],"description":"request: what you would send to it (default). response: what you would receive from it."},` +
		`"purpose":{"type":"string","maxLength":128,"description":"A purpose that you were granted; absent: your default."},` +
		`"criticality":{"enum":["low","routine","critical"]},` +
		`"labels":{"type":"array","maxItems":64,"items":{"type":"string","maxLength":128},"description":"Kinds of information, such as person/birth-date."},` +
		`"dataset":{"type":"string","maxLength":128},` +
		`"columns":{"type":"array","maxItems":128,"items":{"type":"string","maxLength":128},"description":"Of the dataset; absent: all."},` +
		`"tool":{"type":"string","maxLength":128,"description":"An MCP tool of the agent: the terms of what its schemas label."},` +
		`"skill":{"type":"string","maxLength":128,"description":"An A2A skill of the agent: the terms of what its schemas label."},` +
		`"protocol":{"type":"string","maxLength":32,"description":"The protocol that you would use, such as a2a/1.0; absent: that of this call."}}}`
)

// ParseAsking reads a question. The error is a [*gateway.Refusal] that repeats nothing of it.
func ParseAsking(raw []byte) (Asking, error) {
	var a Asking
	dec := stdjson.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil || dec.More() {
		return Asking{}, misasked("The question has not the form that the tool's schema gives.")
	}
	for _, s := range append([]string{string(a.Agent), a.Purpose, a.Criticality, a.Dataset, a.Tool, a.Skill, a.Protocol}, a.Columns...) {
		if len(s) > maxName {
			return Asking{}, misasked("A name in the question is longer than %d bytes.", maxName)
		}
	}
	switch {
	case len(a.Labels) > maxLabels:
		return Asking{}, misasked("The question is about more than %d labels.", maxLabels)
	case len(a.Columns) > maxColumns:
		return Asking{}, misasked("The question is about more than %d columns.", maxColumns)
	case len(a.Columns) > 0 && a.Dataset == "":
		return Asking{}, misasked("Columns belong to a dataset, and the question names none.")
	case a.Tool != "" && a.Skill != "":
		return Asking{}, misasked("The question names a tool and a skill; ask about one of them.")
	case a.Protocol != "" && !carried(a.Protocol):
		return Asking{}, misasked("The question names a protocol that is not carried.")
	}
	for _, l := range a.Labels {
		if len(l) > maxName || !labelForm.MatchString(string(l)) {
			return Asking{}, misasked("A label of the question is not a path of lower-case words.")
		}
	}
	return a, nil
}

func misasked(format string, args ...any) error {
	return gateway.Refuse(gateway.RulePlace, nil, format, args...)
}

func carried(protocol string) bool {
	if protocol == "a2a/"+wire.A2A10 || protocol == "a2a/"+wire.A2A03 {
		return true
	}
	return slices.ContainsFunc(wire.MCPVersions(), func(v string) bool { return protocol == "mcp/"+v })
}
