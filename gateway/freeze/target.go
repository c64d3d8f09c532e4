package freeze

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
)

// Kind is what a freeze is about.
type Kind string

// The kinds.
const (
	Agent   Kind = "agent"   // an agent or MCP server
	Domain  Kind = "domain"  // all of its agents, and what it grants
	Dataset Kind = "dataset" // questions about it, and its streams
)

// Target is what is frozen.
type Target struct {
	Kind   Kind          `json:"kind"`
	Name   string        `json:"name"`
	Domain flow.DomainID `json:"domain,omitempty"` // of an agent; "": of whatever domain
}

// maxName and maxReason bound what is kept.
const (
	maxName   = 256
	maxReason = 500
)

// Errors of targets and reasons.
var (
	ErrTarget = errors.New("what is to be frozen is not agent:NAME, agent:NAME@DOMAIN, domain:NAME or dataset:NAME")
	ErrReason = fmt.Errorf("a reason is a text of at most %d bytes without control characters", maxReason)
)

// Parse reads a target as [Target.String] writes it.
func Parse(s string) (Target, error) {
	kind, name, ok := strings.Cut(s, ":")
	if !ok {
		return Target{}, ErrTarget
	}
	t := Target{Kind: Kind(kind), Name: name}
	if i := strings.LastIndexByte(name, '@'); t.Kind == Agent && i >= 0 {
		t.Name, t.Domain = name[:i], flow.DomainID(name[i+1:])
		if t.Domain == "" {
			return Target{}, ErrTarget
		}
	}
	return t, t.Check()
}

// Check returns an [ErrTarget] if nothing can be named so.
func (t Target) Check() error {
	switch t.Kind {
	case Agent:
	case Domain, Dataset:
		if t.Domain != "" {
			return ErrTarget
		}
	default:
		return ErrTarget
	}
	if t.Name == "" || !plain(t.Name, maxName) || !plain(string(t.Domain), maxName) || strings.Contains(string(t.Domain), "@") {
		return ErrTarget
	}
	return nil
}

// plain reports whether a text is short and can be printed on one line.
func plain(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) })
}

// String writes a target in one word.
func (t Target) String() string {
	s := string(t.Kind) + ":" + t.Name
	if t.Domain != "" {
		s += "@" + string(t.Domain)
	}
	return s
}

// holds is what is frozen at one moment. It is never changed.
type holds struct {
	agents, domains, datasets map[string]bool // agents by name, or by name@domain
}

func (h *holds) add(t Target) {
	switch t.Kind {
	case Agent:
		name := t.Name
		if t.Domain != "" {
			name += "@" + string(t.Domain)
		}
		h.agents[name] = true
	case Domain:
		h.domains[t.Name] = true
	case Dataset:
		h.datasets[t.Name] = true
	}
}

// party reports whether a party may neither send nor receive. What was derived for a part of an agent, such as "intake/billing", is
// the agent's.
func (h *holds) party(p flow.Party) bool {
	if h.domains[string(p.Domain)] && p.Domain != "" {
		return true
	}
	if len(h.agents) == 0 || p.Agent == "" {
		return false
	}
	for name := string(p.Agent); ; {
		if h.agents[name] || h.agents[name+"@"+string(p.Domain)] {
			return true
		}
		i := strings.LastIndexByte(name, '/')
		if i <= 0 {
			return false
		}
		name = name[:i]
	}
}

func (h *holds) flow(f *flow.Flow) bool {
	if h.party(f.From) || h.party(f.To) {
		return true
	}
	for _, p := range f.Chain {
		if h.party(p) {
			return true
		}
	}
	return f.Capability != nil && h.domains[string(f.Capability.Issuer)]
}
