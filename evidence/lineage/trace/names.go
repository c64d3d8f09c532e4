package trace

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/flow"
)

// RunID is the run that a flow is: a UUID (version 8, RFC 9562 section 5.8) made of the flow's id, so that both lead to each other.
func RunID(id flow.ID) string {
	b := sha256.Sum256([]byte("scrim release run\n" + string(id))) // since releases had runs first
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// Namespace is that of a domain's datasets and jobs.
func Namespace(d flow.DomainID) string { return "scrim://" + string(d) }

// Protocols whose flows are no messages.
const (
	protocolTable  = "scrim/table"
	protocolStream = "stream"
)

// hopParent begins the parent of a flow whose previous hop is on record in another domain (docs/spec/hops.md).
const hopParent = "hop:"

// what names the skill, tool or method of a flow.
func what(f *flow.Flow) string {
	switch {
	case f.Subject != "":
		return clean(f.Subject)
	case f.Method != "":
		return clean(f.Method)
	}
	return "message"
}

// longest bounds each part of a name.
const longest = 128

// clean makes a part of a name of what another domain may have chosen.
func clean(s string) string { return cut(s, longest) }

// longestField bounds the name of a column: an index of a database takes no more.
const longestField = 1024

func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(s, "_"))
}

// who names an agent within a domain.
func who(a flow.AgentID) string {
	if a == "" {
		return "domain"
	}
	return clean(string(a))
}

// at names an agent wherever it is: without its domain if that is the own one.
func (t *Tracer) at(p flow.Party) string {
	if p.Domain == t.opt.Domain || p.Domain == "" {
		return who(p.Agent)
	}
	return who(p.Agent) + "@" + clean(string(p.Domain))
}

// job is what a flow is a run of.
func (t *Tracer) job(f *flow.Flow) lineage.Name {
	n := lineage.Name{Namespace: Namespace(t.opt.Domain)}
	switch f.Protocol {
	case protocolTable:
		n.Name = "release/" + who(f.To.Agent)
	case protocolStream:
		n.Name = "streams/" + clean(f.Subject)
	default:
		n.Name = "flow/" + t.at(f.From) + "/" + t.at(f.To) + "/" + what(f) + "/" + f.Direction.String()
	}
	return n
}

// sent is what an agent sent, where no dataset is named; received is what it was given.
func sent(f *flow.Flow) lineage.Name {
	return lineage.Name{Namespace: Namespace(f.From.Domain), Name: "agents/" + who(f.From.Agent) + "/to/" + who(f.To.Agent) + "/" + what(f)}
}

func received(f *flow.Flow) lineage.Name {
	return lineage.Name{Namespace: Namespace(f.To.Domain), Name: "agents/" + who(f.To.Agent) + "/from/" + who(f.From.Agent) + "/" + what(f)}
}

// dataset is one of the own domain.
func (t *Tracer) dataset(name string) lineage.Name {
	return lineage.Name{Namespace: Namespace(t.opt.Domain), Name: clean(name)}
}

// published is what a stream of a dataset released.
func (t *Tracer) published(dataset, stream string) lineage.Name {
	return t.dataset("streams/" + dataset + "/" + stream)
}

// fieldOf makes the name of a column of a place in a message: without what the protocol wraps content in, and without the
// numbers of elements. What is in a text that is JSON is named as it is there.
func fieldOf(p flow.Path, message bool) string { return cut(wholeField(p, message), longestField) }

func wholeField(p flow.Path, message bool) string {
	s := string(p)
	if !message {
		return unescape(strings.TrimPrefix(s, "/"))
	}
	if i := strings.LastIndex(s, "#/"); i >= 0 {
		return join(strings.Split(s[i+2:], "/"))
	}
	parts := strings.Split(strings.TrimPrefix(s, "/"), "/")
	if len(parts) > 1 && (parts[0] == "params" || parts[0] == "result") {
		parts = parts[1:]
	}
	if len(parts) > 1 && (parts[0] == "structuredContent" || parts[0] == "arguments") {
		return join(parts[1:])
	}
	for i := 0; i+3 < len(parts); i++ {
		if parts[i] == "parts" && isNumber(parts[i+1]) && parts[i+2] == "data" {
			return join(parts[i+3:])
		}
	}
	return join(parts)
}

func join(parts []string) string {
	var words []string
	for _, p := range parts {
		if p != "" && !isNumber(p) {
			words = append(words, unescape(p))
		}
	}
	if len(words) == 0 {
		return "value"
	}
	return strings.Join(words, ".")
}

// unescape reads a part of a JSON Pointer (RFC 6901 section 4).
func unescape(s string) string { return strings.NewReplacer("~1", "/", "~0", "~").Replace(s) }

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
