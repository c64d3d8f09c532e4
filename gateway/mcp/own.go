package mcp

import (
	"cmp"
	"net/http"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Own is the gateway's own MCP server: tools that it does by itself, apart from those of the servers behind it. It keeps no
// sessions, in any version. Mount it at [offer.Server] below the prefix of each face.
type Own struct {
	Gateway *gateway.Gateway
	Face    gateway.Face
	Tools   *offer.Registry
}

// ownCall is one message to the gateway's own server.
type ownCall struct {
	*Own
	w         http.ResponseWriter
	r         *http.Request
	snap      *gateway.Snapshot
	caller    identity.Caller
	authority *gateway.Authority
	flow      flow.Flow
	version   string
	doc       json.Doc
	rpc       wire.RPC
	answer    offer.Answer
}

// ServeHTTP implements [http.Handler].
func (h *Own) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(gateway.WithHops(r.Context(), r.Header))
	o := &ownCall{Own: h, w: w, r: r, snap: h.Gateway.Snapshot(), version: r.Header.Get(headerVersion)}
	o.flow = flow.Flow{ID: gateway.NewFlowID(), Protocol: protocolName(o.version), Direction: flow.Request}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if err := o.read(); err != nil {
		o.deny(err)
		return
	}
	if o.rpc.Kind != wire.Call {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	result, err := o.serve()
	if err != nil {
		o.deny(err)
		return
	}
	b := append([]byte(`{"jsonrpc":"2.0","id":`), o.rpc.ID...)
	b = append(append(append(b, `,"result":`...), result...), '}')
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, o.answer.Pad(b))
}

// read authenticates the caller and reads the message.
func (o *ownCall) read() error {
	ctx := o.r.Context()
	if !gateway.Local(o.r, o.snap) {
		return gateway.Refuse(gateway.RuleOrigin, nil, "This origin may not call here.")
	}
	caller, authority, err := o.Gateway.Identify(ctx, o.snap, o.r)
	if err != nil {
		return err
	}
	o.caller, o.authority, o.flow.From = caller, authority, caller.Party
	authority.On(&o.flow)
	o.flow.To = flow.Party{Domain: o.snap.Domain}
	if err := o.Gateway.Admit(ctx, o.snap, caller.Party); err != nil {
		return err
	}
	if o.Face == gateway.Outbound && caller.Party.Domain != o.snap.Domain {
		return gateway.Refuse(gateway.RuleFace, nil, "There is no such server at this address for this caller.")
	}
	body, err := gateway.ReadRequest(o.w, o.r, o.snap.Limits.Bytes, "application/json")
	if err != nil {
		return err
	}
	if err := o.doc.Parse(body, nil, o.snap.Limits); err != nil {
		return err
	}
	if o.rpc, err = wire.ReadRPC(&o.doc); err != nil {
		return gateway.Refuse(gateway.RuleMalformed, err, "The message is not a JSON-RPC 2.0 message: %v.", err)
	}
	o.flow.Purpose, o.flow.Task.Criticality = caller.ChooseFrom(o.r.Header)
	if err := o.readVersion(); err != nil {
		return err
	}
	return o.Gateway.Holds(ctx, o.snap, authority, body)
}

func (o *ownCall) readVersion() error {
	if n, ok := memberAt(&o.doc, "params", "_meta", "io.modelcontextprotocol/protocolVersion"); ok && o.version == "" && o.doc.Nodes[n].Kind == json.String {
		o.version = o.doc.Text(n)
	}
	if len(o.r.Header.Values(headerVersion)) > 1 || o.version != "" && len(wire.Methods("mcp", o.version)) == 0 {
		o.version = ""
		return notSpoken()
	}
	o.flow.Protocol = protocolName(o.version)
	wanted := o.version == wire.MCP20260728
	if err := agrees(o.r.Header, headerMethod, o.rpc.Method, wanted); err != nil {
		return err
	}
	name, named := memberAt(&o.doc, "params", "name")
	if o.rpc.Method != "tools/call" || !named || o.doc.Nodes[name].Kind != json.String {
		return nil
	}
	return agrees(o.r.Header, headerName, o.doc.Text(name), wanted)
}

func (o *ownCall) serve() ([]byte, error) {
	sessions := wire.MCPSessions(o.version) || o.version == ""
	switch method := o.rpc.Method; {
	case method == "initialize" && sessions:
		o.flow.Method = method
		return o.initialize(), nil
	case method == "ping" && sessions:
		return []byte("{}"), nil
	case method == "server/discover" && !sessions:
		return o.discover(), nil
	case method == "tools/list":
		return o.list(), nil
	case method == "tools/call":
		o.flow.Method = method
		return o.call()
	}
	return nil, gateway.Refuse(gateway.RuleMethod, nil, "This method is not carried.")
}

func (o *ownCall) initialize() []byte {
	version := wire.MCP20251125
	if n, ok := memberAt(&o.doc, "params", "protocolVersion"); ok && o.doc.Nodes[n].Kind == json.String && wire.MCPSessions(o.doc.Text(n)) {
		version = o.doc.Text(n)
	}
	out := newObject()
	out.text("protocolVersion", version)
	o.introduce(&out)
	return out.end()
}

func (o *ownCall) introduce(out *objectBuilder) {
	out.raw("capabilities", []byte(`{"tools":{}}`))
	info := newObject()
	info.text("name", string(offer.Server))
	info.text("version", "1")
	out.raw("serverInfo", info.end())
}

func (o *ownCall) discover() []byte {
	out := newObject()
	list := []byte{'['}
	for i, v := range wire.MCPVersions() {
		if i > 0 {
			list = append(list, ',')
		}
		list = json.AppendString(list, v)
	}
	out.raw("supportedVersions", append(list, ']'))
	o.introduce(&out)
	o.whole(&out)
	out.raw("ttlMs", []byte("0"))
	out.text("cacheScope", "private")
	return out.end()
}

// whole says, in the version that wants it said, that a result is all there is.
func (o *ownCall) whole(out *objectBuilder) {
	if o.version == wire.MCP20260728 {
		out.text("resultType", "complete")
	}
}

func (o *ownCall) list() []byte {
	list := []byte{'['}
	for i, t := range o.Tools.Tools() {
		if i > 0 {
			list = append(list, ',')
		}
		one := newObject()
		one.text("name", t.Name)
		one.text("title", t.Title)
		one.text("description", t.Description)
		one.raw("inputSchema", []byte(t.Input))
		if t.Output != "" {
			one.raw("outputSchema", []byte(t.Output))
		}
		if t.ReadOnly {
			one.raw("annotations", []byte(`{"readOnlyHint":true}`))
		}
		list = append(list, one.end()...)
	}
	out := newObject()
	out.raw("tools", append(list, ']'))
	o.whole(&out)
	if o.version == wire.MCP20260728 {
		out.raw("ttlMs", []byte("0"))
		out.text("cacheScope", "private")
	}
	return out.end()
}

// maxOwnID bounds a caller's own name of a call.
const maxOwnID = 512

func (o *ownCall) call() ([]byte, error) {
	n, ok := memberAt(&o.doc, "params", "name")
	if !ok || o.doc.Nodes[n].Kind != json.String {
		return nil, gateway.Refuse(gateway.RulePlace, nil, "The call names no tool.")
	}
	t := o.Tools.Named(o.doc.Text(n))
	if t == nil {
		return nil, gateway.Refuse(gateway.RuleFace, nil, "There is no such tool at this address for this caller.")
	}
	o.flow.Subject = t.Name
	arguments := []byte("{}")
	if n, ok := memberAt(&o.doc, "params", "arguments"); ok {
		if o.doc.Nodes[n].Kind != json.Object {
			return nil, gateway.Refuse(gateway.RulePlace, nil, "The arguments are not an object.")
		}
		arguments = o.doc.Raw(n)
	}
	id := ""
	if n, ok := memberAt(&o.doc, "params", "_meta", wire.MetaFlowID); ok {
		if o.doc.Nodes[n].Kind != json.String || len(o.doc.Raw(n)) > maxOwnID {
			return nil, gateway.Refuse(gateway.RulePlace, nil, "The id of the call is not a short text.")
		}
		id = o.doc.Text(n)
	}
	var err error
	o.answer, err = t.Call(o.r.Context(), &offer.Call{Snapshot: o.snap, Face: o.Face, Caller: o.caller, Authority: o.authority, Flow: o.flow, ID: id, Arguments: arguments})
	if err != nil {
		return nil, err
	}
	out := newObject()
	o.whole(&out)
	text := newObject()
	text.text("type", "text")
	text.text("text", string(o.answer.Body))
	out.raw("content", append(append([]byte{'['}, text.end()...), ']'))
	if o.version != wire.MCP20241105 && o.version != wire.MCP20250326 {
		out.raw("structuredContent", o.answer.Body)
	}
	return out.end(), nil
}

func (o *ownCall) deny(err error) {
	if o.rpc.Method != "tools/call" {
		o.flow.Method = "" // a stranger's text
	}
	d := denial(o.Gateway.Refused(o.r.Context(), o.snap, o.flow, err))
	if d.Reason == wire.Unauthenticated || d.Reason == wire.Unauthorized {
		o.w.Header().Set("WWW-Authenticate", cmp.Or(d.Challenge, gateway.Challenge(o.snap, o.r)))
	}
	writeJSON(o.w, d.MCPStatus(o.version, o.flow.Method), d.MCP(o.version, o.flow.Method, o.rpc.ID))
}
