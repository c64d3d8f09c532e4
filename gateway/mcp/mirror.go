package mcp

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Headers of streamable HTTP.
const (
	headerVersion = "Mcp-Protocol-Version"
	headerSession = "Mcp-Session-Id"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"
	headerParam   = "Mcp-Param-" // before the name that a tool's schema gives an argument
	headerEvent   = "Last-Event-Id"
)

// mirrored holds the headers that repeat parts of a message to the message: what intermediaries were shown must be
// what is asked. Version 2026-07-28 wants them; before it they are optional, but no less held to the truth.
func mirrored(h http.Header, version string, m *message) error {
	wanted := version == wire.MCP20260728
	if err := agrees(h, headerMethod, m.rpc.Method, wanted); err != nil {
		return err
	}
	name, named := "", false
	switch m.rpc.Method {
	case "tools/call":
		if named = m.mcp.Name >= 0; named {
			name = m.doc.Text(m.mcp.Name)
		}
	case "prompts/get":
		if named = m.mcp.Name >= 0; named {
			name = m.doc.Text(m.mcp.Name)
		}
	case "resources/read":
		if named = m.mcp.URI >= 0; named {
			name = m.doc.Text(m.mcp.URI)
		}
	case "tasks/get", "tasks/update", "tasks/cancel":
		if m.rpc.Params >= 0 {
			name = textIn(m.doc, m.rpc.Params, "taskId")
			named = name != ""
		}
	default:
		if m.table == wire.Passing() {
			return nil // what its name is, nobody here knows
		}
	}
	return agrees(h, headerName, name, wanted && named)
}

func agrees(h http.Header, header, want string, wanted bool) error {
	switch values := h.Values(header); {
	case len(values) == 0 && !wanted:
		return nil
	case len(values) == 0:
		return gateway.Refuse(gateway.RuleHeader, nil, "The %s header is missing.", header)
	case len(values) > 1 || unmirror(values[0]) != want:
		return gateway.Refuse(gateway.RuleHeader, nil, "The %s header says something else than the message.", header)
	}
	return nil
}

const mirrorPrefix, mirrorSuffix = "=?base64?", "?="

// mirror writes a value as a header can carry it.
func mirror(s string) string {
	plain := s == strings.TrimSpace(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
	if plain && !strings.HasPrefix(s, mirrorPrefix) {
		return s
	}
	return mirrorPrefix + base64.StdEncoding.EncodeToString([]byte(s)) + mirrorSuffix
}

func unmirror(s string) string {
	inner, ok := strings.CutPrefix(s, mirrorPrefix)
	if !ok {
		return s
	}
	inner, ok = strings.CutSuffix(inner, mirrorSuffix)
	if !ok {
		return s
	}
	b, err := base64.StdEncoding.DecodeString(inner)
	if err != nil {
		return s
	}
	return string(b)
}

// visible reports whether s is a short token of printing ASCII.
func visible(s string) bool {
	return 0 < len(s) && len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' })
}

// onward are the client's headers that go to the server as they are. Those that repeat parts of a message are made
// anew from the message as it leaves.
func (x *exchange) onward() http.Header {
	out := http.Header{}
	if x.framed != "" {
		out.Set(headerVersion, x.framed)
	}
	if session := cmp.Or(x.session, x.begun); session != "" {
		out.Set(headerSession, session)
	}
	if x.after != "" {
		out.Set(headerEvent, x.after)
	}
	return out
}

// bound is an argument that a tool wants repeated in a header.
type bound struct {
	path   []string
	header string
}

// maxBound and maxBoundDepth bound what one tool may want repeated.
const maxBound, maxBoundDepth = 16, 8

// bindings reads which arguments an input schema wants in headers.
func bindings(d *json.Doc, schema int, path []string, out []bound) []bound {
	props, ok := d.Member(schema, "properties")
	if !ok || d.Nodes[props].Kind != json.Object || len(path) > maxBoundDepth {
		return out
	}
	for p := range d.Children(props) {
		if d.Nodes[p].Kind != json.Object {
			continue
		}
		at := append(append([]string(nil), path...), string(d.Key(p)))
		if n, ok := d.Member(p, "x-mcp-header"); ok && d.Nodes[n].Kind == json.String && len(out) < maxBound {
			if name := d.Text(n); token(name) {
				out = append(out, bound{at, headerParam + name})
			}
		}
		out = bindings(d, p, at, out)
	}
	return out
}

// token reports whether s can be part of a header's name.
func token(s string) bool {
	return 0 < len(s) && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') && r != '-' && r != '_'
	})
}

// value returns what a header says of an argument; false where the argument is absent or of a kind that has no header.
func (b bound) value(d *json.Doc, arguments int) (string, bool) {
	n := arguments
	for _, name := range b.path {
		if n < 0 || d.Nodes[n].Kind != json.Object {
			return "", false
		}
		var ok bool
		if n, ok = d.Member(n, name); !ok {
			return "", false
		}
	}
	switch d.Nodes[n].Kind {
	case json.String:
		return d.Text(n), true
	case json.True, json.False, json.Number:
		return string(d.Raw(n)), true
	}
	return "", false
}

// mirrored holds the headers that repeat arguments to the arguments.
func (t *Tools) mirrored(h http.Header, server flow.AgentID, version string, m *message) error {
	if version != wire.MCP20260728 || m.rpc.Method != "tools/call" || m.mcp.Name < 0 {
		return nil
	}
	for _, b := range t.bounds(server, m.doc.Text(m.mcp.Name)) {
		want, there := b.value(m.doc, m.mcp.Arguments)
		if err := agrees(h, b.header, want, there); err != nil {
			return gateway.Refuse(gateway.RuleHeader, nil, "A header of an argument says something else than the message.")
		}
	}
	return nil
}

// mirrors are the headers that version 2026-07-28 wants beside a message.
func (t *Tools) mirrors(server flow.AgentID, body []byte) map[string]string {
	var d json.Doc
	if d.Parse(body, nil, json.Limits{}) != nil {
		return nil
	}
	rpc, err := wire.ReadRPC(&d)
	if err != nil {
		return nil
	}
	out := map[string]string{headerMethod: rpc.Method}
	m, err := wire.ReadMCP(&d, rpc)
	if err != nil {
		return out
	}
	switch {
	case rpc.Method == "resources/read" && m.URI >= 0:
		out[headerName] = mirror(d.Text(m.URI))
	case rpc.Method == "prompts/get" && m.Name >= 0:
		out[headerName] = mirror(d.Text(m.Name))
	case rpc.Method == "tasks/get" || rpc.Method == "tasks/update" || rpc.Method == "tasks/cancel":
		if id := textIn(&d, max(rpc.Params, 0), "taskId"); id != "" {
			out[headerName] = mirror(id)
		}
	case rpc.Method == "tools/call" && m.Name >= 0:
		out[headerName] = mirror(d.Text(m.Name))
		for _, b := range t.bounds(server, d.Text(m.Name)) {
			if v, ok := b.value(&d, m.Arguments); ok && len(v) <= 4096 {
				out[b.header] = mirror(v)
			}
		}
	}
	return out
}
