package capability

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
)

// Bounds on what one grant holds.
const (
	maxEntries = 256 // of each list or map
	maxName    = 200 // bytes of each name
	maxWord    = 63  // bytes of each word of an agent's or domain's name
	maxText    = 2048
	maxTime    = 253402300799 // 9999-12-31T23:59:59Z
	maxDelta   = 1_000_000_000_000
)

// isWord reports whether the text is a name as configuration writes those of agents and domains.
func isWord(s string) bool {
	if s == "" || len(s) > maxWord {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return true
}

func isAgent(s string) bool {
	if len(s) > maxName {
		return false
	}
	for word := range strings.SplitSeq(s, "/") {
		if !isWord(word) {
			return false
		}
	}
	return true
}

// isName reports whether the text can be shown to a person without surprises.
func isName(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func isRecipient(s string) bool {
	domain, agent, ok := strings.Cut(s, "/")
	return ok && isWord(domain) && (agent == "*" || isAgent(agent))
}

func isTool(s string) bool {
	agent, tool, ok := strings.Cut(s, "/")
	return ok && isWord(agent) && tool != "" && isName(s)
}

func isLabel(l flow.Label) bool {
	if l == everyLabel {
		return true
	}
	if len(l) > maxName {
		return false
	}
	for word := range strings.SplitSeq(string(l), "/") {
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// names reports whether a list is short enough and each entry fits.
func names[S ~string](list []S, fits func(string) bool) bool {
	return len(list) <= maxEntries && !slices.ContainsFunc(list, func(s S) bool { return !fits(string(s)) })
}

// malformed returns the first member of the grant that the profile does not allow to be written, or "".
func (g *Grant) malformed(root bool) string {
	switch {
	case !isAgent(g.Agent):
		return "agent"
	case !root && g.Names != nil, !names(g.Names, isName):
		return "names"
	case !names(g.Audience, isWord):
		return "audience"
	case !names(g.Recipients, isRecipient):
		return "recipients"
	case !names(g.Purposes, isName):
		return "purposes"
	case !names(g.Tasks, isName):
		return "tasks"
	case g.Criticality != nil && *g.Criticality > flow.Critical:
		return "criticality"
	case !wellLevels(g.Levels):
		return "levels"
	case !wellDatasets(g.Datasets):
		return "datasets"
	case !names(g.Techniques, isName):
		return "techniques"
	case g.Cost != nil && (g.Cost.EpsilonNano < 0 || g.Cost.DeltaPico < 0 || g.Cost.DeltaPico > maxDelta):
		return "cost"
	case g.Uses != nil && *g.Uses < 0:
		return "uses"
	case (g.Cost != nil || g.Uses != nil) != (g.Counted != ""), g.Counted != "" && !isWord(string(g.Counted)):
		return "counted"
	case !names(g.Via, isWord):
		return "via"
	case !wellTools(g.Tools):
		return "tools"
	case !wellTime(g.Expires):
		return "expires"
	case !g.NotBefore.IsZero() && !wellTime(g.NotBefore):
		return "not_before"
	case g.MaxDepth < 0 || g.MaxDepth > hardDepth:
		return "max_depth"
	}
	return ""
}

func wellTime(t time.Time) bool {
	return t.Nanosecond() == 0 && t.Unix() >= 0 && t.Unix() <= maxTime
}

func wellLevels(m map[flow.Label]flow.Level) bool {
	for l, level := range m {
		if !isLabel(l) || level > flow.Raw {
			return false
		}
	}
	return len(m) <= maxEntries
}

func wellDatasets(m map[string][]string) bool {
	for name, columns := range m {
		if !isName(name) || !names(columns, isName) {
			return false
		}
	}
	return len(m) <= maxEntries
}

func wellTools(m map[string]Arguments) bool {
	for name, args := range m {
		if !isTool(name) || len(args) > maxEntries {
			return false
		}
		for arg, c := range args {
			if arg == unnamed && (c.Kind != Wildcard || c.Optional) || len(arg) > maxName || !utf8.ValidString(arg) || !c.well() {
				return false
			}
		}
	}
	return len(m) <= maxEntries
}

// well reports whether the constraint has what its kind needs, and nothing else.
func (c *Constraint) well() bool {
	valued, edged, texted := c.Kind == Exactly || c.Kind == Among, c.Kind == InRange, c.Kind == StartsOn || c.Kind == UnderPath
	if c.Kind > UnderPath || !valued && c.Values != nil || !edged && (c.Min != nil || c.Max != nil) || !texted && c.Text != "" {
		return false
	}
	switch c.Kind {
	case Exactly, Among:
		return len(c.Values) > 0 && (c.Kind == Among || len(c.Values) == 1) && len(c.Values) <= maxEntries && !slices.ContainsFunc(c.Values, func(s Scalar) bool { return !s.well() })
	case InRange:
		return c.Min.well() && c.Max.well() && (c.Min == nil || c.Max == nil || c.Min.Value <= c.Max.Value)
	case StartsOn:
		return c.Text != "" && len(c.Text) <= maxText && utf8.ValidString(c.Text)
	case UnderPath:
		return len(c.Text) <= maxText && plainPath(c.Text)
	}
	return true
}

func (e *Edge) well() bool { return e == nil || !math.IsNaN(e.Value) && !math.IsInf(e.Value, 0) }

func (s Scalar) well() bool {
	switch s.kind {
	case isString:
		return len(s.text) <= maxText && utf8.ValidString(s.text)
	case isNumber:
		_, text, ok := canonicalNumber(s.text)
		return ok && text == s.text
	}
	return s.kind < isNumber
}
