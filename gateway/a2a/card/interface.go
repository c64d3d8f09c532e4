package card

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
)

// The bindings that A2A names.
const (
	JSONRPC  = "JSONRPC"
	HTTPJSON = "HTTP+JSON"
	GRPC     = "GRPC"
)

// Interface is one way to reach an agent.
type Interface struct {
	URL     string // as the card has it; for gRPC commonly host:port
	Tenant  string
	Binding string // such as [JSONRPC]
	Version string // of A2A, major and minor number: "1.0", "0.3"
}

// Interfaces returns the ways to reach the agent in the card's order: those of A2A 1.0's list, then those that the
// members of A2A 0.3 name. What names no address or no binding is left out, and so is what comes twice.
func (c *Card) Interfaces() []Interface {
	var all []Interface
	add := func(i Interface) {
		if i.URL != "" && i.Binding != "" && !slices.Contains(all, i) {
			all = append(all, i)
		}
	}
	d := c.Doc
	if c.interfaces >= 0 {
		for n := range d.Children(c.interfaces) {
			add(Interface{text(d, n, "url"), text(d, n, "tenant"), text(d, n, "protocolBinding"), minor(text(d, n, "protocolVersion"))})
		}
	}
	main := Interface{URL: text(d, 0, "url"), Binding: text(d, 0, "preferredTransport"), Version: "0.3"}
	if main.URL == "" {
		return all
	}
	if v := minor(text(d, 0, "protocolVersion")); v != "" {
		main.Version = v
	}
	if main.Binding == "" {
		main.Binding = JSONRPC
	}
	add(main)
	if list, ok := d.Member(0, "additionalInterfaces"); ok && d.Nodes[list].Kind == json.Array {
		for n := range d.Children(list) {
			add(Interface{URL: text(d, n, "url"), Binding: text(d, n, "transport"), Version: main.Version})
		}
	}
	return all
}

// minor cuts a version to its first two numbers: patches do not change what is spoken.
func minor(version string) string {
	major, rest, ok := strings.Cut(version, ".")
	if !ok {
		return version
	}
	m, _, _ := strings.Cut(rest, ".")
	return major + "." + m
}

// Required returns the extensions that the agent requires of its callers, but for the gateway's own.
func (c *Card) Required() (uris []string) {
	list, ok := c.Doc.Member(c.capabilities, "extensions")
	if !ok || c.Doc.Nodes[list].Kind != json.Array {
		return nil
	}
	for n := range c.Doc.Children(list) {
		if c.Doc.Nodes[n].Kind != json.Object {
			continue
		}
		uri := text(c.Doc, n, "uri")
		if at, ok := c.Doc.Member(n, "required"); ok && c.Doc.Nodes[at].Kind == json.True && uri != "" && uri != PrivacyExtension {
			uris = append(uris, uri)
		}
	}
	return uris
}
