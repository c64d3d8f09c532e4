// Package interceptor is an MCP server of interceptors, by the draft SEP-2624: a client or gateway asks it about messages
// that it carries itself, and gets the message as the recipient's terms have it, or whether it may pass as it is.
//
// Two interceptors are offered: scrim/terms changes a message, scrim/check judges it. Both take the same road as messages
// that this gateway carries itself, so what they say is decided and on record. Who is the recipient, the invoker says in
// the context and configuration of an invocation; it is believed only for agents and servers that it may speak for.
package interceptor

import (
	stdjson "encoding/json"
	"net/http"
	"slices"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Extension is the name under which the capability is declared.
const Extension = "io.modelcontextprotocol/interceptors"

// Names of what is offered.
const (
	Terms = "scrim/terms" // mutation
	Check = "scrim/check" // validation
)

// Codes of JSON-RPC.
const (
	codeParse    = -32700
	codeRequest  = -32600
	codeMethod   = -32601
	codeParams   = -32602
	codeInternal = -32603
)

// events are the lifecycle events that are offered: methods of MCP whose messages have tables.
var events = []string{
	"tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list", "resources/templates/list", "resources/read",
	"resources/subscribe", "completion/complete",
}

// Server is the endpoint. It is safe for concurrent use.
type Server struct {
	Gateway *gateway.Gateway
	Checker *mcp.Checker
}

// call is one request to the server.
type call struct {
	s      *Server
	r      *http.Request
	snap   *gateway.Snapshot
	peer   *gateway.Peer
	from   flow.Party
	id     []byte
	method string
	params []byte // JSON; nil: there are none
}

// rpcError is a JSON-RPC error, with data that a machine can act on.
type rpcError struct {
	Code    int            `json:"code"`
	Message string         `json:"message"`
	Data    map[string]any `json:"data,omitempty"`
	status  int            // of HTTP; 0: 200
}

// ServeHTTP implements [http.Handler]: streamable HTTP without sessions or streams.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{s: s, r: r, snap: s.Gateway.Snapshot()}
	if c.peer = c.snap.Interceptor; c.peer == nil {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if !gateway.Local(r, c.snap) {
		c.refused(gateway.Refuse(gateway.RuleOrigin, nil, "This origin may not call here."))
		http.Error(w, "this origin may not call here", http.StatusForbidden)
		return
	}
	var err error
	if c.from, err = c.peer.Admit(r.Context(), c.s.Gateway, c.snap, r); err != nil {
		c.refused(err)
		w.Header().Set("WWW-Authenticate", gateway.Challenge(c.snap, r))
		answer(w, nil, nil, &rpcError{Code: -31401, Message: "a valid credential is needed", status: http.StatusUnauthorized})
		return
	}
	if err := c.s.Gateway.Admit(r.Context(), c.snap, c.from); err != nil {
		answer(w, nil, nil, &rpcError{Code: -31429, Message: c.refused(err).Text(), status: http.StatusTooManyRequests})
		return
	}
	body, err := gateway.ReadRequest(w, r, c.snap.Limits.Bytes, "application/json")
	if err == nil {
		err = c.read(body)
	}
	if err != nil {
		ref := c.refused(err)
		code, status := codeRequest, http.StatusBadRequest
		if ref.Rule == gateway.RuleTooBig {
			status = http.StatusRequestEntityTooLarge
		}
		answer(w, c.id, nil, &rpcError{Code: code, Message: ref.Text(), status: status})
		return
	}
	if c.id == nil {
		w.WriteHeader(http.StatusAccepted) // a notification: none of them has a meaning here
		return
	}
	result, failure := c.serve()
	answer(w, c.id, result, failure)
}

// refused puts on record what was refused before it had a recipient.
func (c *call) refused(err error) *gateway.Refusal {
	return c.s.Gateway.Refused(c.r.Context(), c.snap, flow.Flow{
		ID: gateway.NewFlowID(), From: c.from, To: flow.Party{Domain: c.snap.Domain}, Protocol: "mcp", Direction: flow.Request,
	}, err)
}

func (c *call) read(body []byte) error {
	d := new(json.Doc)
	if err := d.Parse(body, nil, c.snap.Limits); err != nil {
		return err
	}
	rpc, err := wire.ReadRPC(d)
	if err != nil || rpc.Kind != wire.Call && rpc.Kind != wire.Notification {
		c.id = append(c.id, rpc.ID...)
		return gateway.Refuse(gateway.RuleMalformed, err, "The message is not a JSON-RPC 2.0 request.")
	}
	c.id, c.method = rpc.ID, rpc.Method
	if rpc.Params >= 0 {
		c.params = d.Raw(rpc.Params)
	}
	return nil
}

func (c *call) serve() (any, *rpcError) {
	switch c.method {
	case "initialize":
		return c.initialize()
	case "server/discover":
		return c.discover(), nil
	case "ping":
		return struct{}{}, nil
	case "interceptors/list":
		return c.list()
	case "interceptor/invoke":
		return c.invoke()
	}
	return nil, &rpcError{Code: codeMethod, Message: "the method is not carried here"}
}

// raw is a result that is JSON already, whose bytes stay as they are.
type raw []byte

// answer writes a JSON-RPC answer.
func answer(w http.ResponseWriter, id []byte, result any, failure *rpcError) {
	if id == nil {
		id = []byte("null")
	}
	member, body := `,"result":`, []byte(nil)
	var err error
	if failure != nil {
		member = `,"error":`
		body, err = stdjson.Marshal(failure)
	} else if r, ok := result.(raw); ok {
		body = r
	} else {
		body, err = stdjson.Marshal(result)
	}
	if err != nil {
		http.Error(w, "the answer cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if failure != nil && failure.status != 0 {
		w.WriteHeader(failure.status)
	}
	out := append(append([]byte(`{"jsonrpc":"2.0","id":`), id...), member...)
	_, _ = w.Write(append(append(out, body...), '}')) // the caller may have gone; the record says what was decided
}

func capabilities() map[string]any {
	return map[string]any{"extensions": map[string]any{Extension: map[string]any{"supportedEvents": events}}}
}

var software = map[string]string{"name": "scrim", "version": "1"}

func (c *call) initialize() (any, *rpcError) {
	var params struct {
		Version string `json:"protocolVersion"`
	}
	if c.params != nil && stdjson.Unmarshal(c.params, &params) != nil {
		return nil, malformed("The params have not the form of the method.")
	}
	version := wire.MCP20251125
	if wire.MCPSessions(params.Version) {
		version = params.Version
	}
	return map[string]any{"protocolVersion": version, "capabilities": capabilities(), "serverInfo": software}, nil
}

func (c *call) discover() any {
	return map[string]any{
		"supportedVersions": wire.MCPVersions(), "capabilities": capabilities(), "serverInfo": software,
		"resultType": "complete", "ttlMs": 0, "cacheScope": "private",
	}
}

// descriptor is an interceptor as a list has it.
type descriptor struct {
	Name        string         `json:"name"`
	Version     string         `json:"version"`
	Description string         `json:"description"`
	Type        string         `json:"type"`
	Hooks       []hook         `json:"hooks"`
	FailOpen    bool           `json:"failOpen"`
	Priority    *int           `json:"priorityHint,omitempty"`
	Config      map[string]any `json:"configSchema"`
}

type hook struct {
	Events []string `json:"events"`
	Phase  string   `json:"phase"`
}

// Types of interceptors.
const (
	mutation   = "mutation"
	validation = "validation"
)

// types are those that are offered, by name.
var types = map[string]string{Terms: mutation, Check: validation}

func hooks() []hook { return []hook{{events, "request"}, {events, "response"}} }

// sanitizing is the place of the mutator among others, in the draft's range for sanitization: what comes after it sees no
// more than the recipient will.
const sanitizing = -100_000

func offered() []descriptor {
	priority := sanitizing
	text := func(words string) map[string]any { return map[string]any{"type": "string", "description": words} }
	schema := map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"server"},
		"properties": map[string]any{
			"server":      text("The server, by the name that this host knows it under."),
			"tool":        text("The tool that a result of tools/call is of."),
			"purpose":     text("The purpose that is claimed."),
			"criticality": text("The criticality that is claimed."),
			"version":     text("The version of MCP that the payload is in."),
		},
	}
	return []descriptor{
		{Terms, "1.0.0", "Changes a message to what its recipient's terms allow.", mutation, hooks(), false, &priority, schema},
		{Check, "1.0.0", "Says whether a message may pass to its recipient as it is.", validation, hooks(), false, nil, schema},
	}
}

func (c *call) list() (any, *rpcError) {
	var params struct {
		Event *string            `json:"event"`
		Meta  stdjson.RawMessage `json:"_meta"`
	}
	if c.params != nil && stdjson.Unmarshal(c.params, &params) != nil {
		return nil, malformed("The params have not the form of the method.")
	}
	out := struct {
		Interceptors []descriptor `json:"interceptors"`
	}{offered()}
	if params.Event != nil {
		if !wire.IsName(*params.Event) && !eventName(*params.Event) {
			return nil, malformed("The event is not a name; patterns are not matched here.")
		}
		if !slices.Contains(events, *params.Event) {
			out.Interceptors = []descriptor{}
		}
	}
	return out, nil
}

// eventName reports whether a text has the form of one event's name, such as tools/call.
func eventName(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '/' && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

func malformed(text string) *rpcError { return &rpcError{Code: codeParams, Message: text} }
