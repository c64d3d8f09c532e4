package mcp

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
)

// fronted is one request to a group: several servers at one address. It stands before the door of a single server and
// passes through it once for each server that has a part in the request, so that each part is a flow of its own, decided
// and on record like any other. The group itself decides nothing and keeps no content.
type fronted struct {
	h         *Handler
	w         http.ResponseWriter
	r         *http.Request
	snap      *gateway.Snapshot
	group     *gateway.Group
	caller    identity.Caller
	authority *gateway.Authority // of the whole request; its parts come by it
	members   []flow.AgentID     // that the caller finds on this face
	session   *groupSession      // nil: none
	flow      flow.Flow          // of what is refused before it has a server
	doc       *json.Doc
	body      []byte
	rpc       wire.RPC
	version   string
}

// group serves a request to a group.
func (h *Handler) group(w http.ResponseWriter, r *http.Request, s *gateway.Snapshot, g *gateway.Group) {
	f := &fronted{h: h, w: w, r: r, snap: s, group: g, version: r.Header.Get(headerVersion)}
	f.flow = flow.Flow{
		ID: gateway.NewFlowID(), Protocol: protocolName(f.version), Direction: flow.Request,
		To: flow.Party{Agent: g.ID, Domain: s.Domain},
	}
	if err := f.enter(r.Context()); err != nil {
		f.deny(err)
		return
	}
	switch r.Method {
	case http.MethodPost:
		f.post()
	case http.MethodGet, http.MethodDelete:
		if err := f.h.Gateway.Holds(r.Context(), s, f.authority, nil); err != nil {
			f.deny(err)
			return
		}
		if r.Method == http.MethodGet {
			f.listen()
		} else {
			f.end()
		}
	default:
		w.Header().Set("Allow", "POST, GET, DELETE")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// enter finds out who calls and which servers they find here.
func (f *fronted) enter(ctx context.Context) error {
	if !gateway.Local(f.r, f.snap) {
		return gateway.Refuse(gateway.RuleOrigin, nil, "This origin may not call here.")
	}
	var err error
	if f.caller, f.authority, err = f.h.Gateway.Identify(ctx, f.snap, f.r); err != nil {
		return err
	}
	f.flow.From = f.caller.Party
	f.authority.On(&f.flow)
	if err := f.h.Gateway.Admit(ctx, f.snap, f.caller.Party); err != nil {
		return err
	}
	for _, id := range f.group.Servers {
		if a, err := f.snap.Reach(f.h.Face, f.caller.Party, id); err == nil && a.MCP != nil {
			f.members = append(f.members, id)
		}
	}
	if len(f.members) == 0 {
		return gateway.Refuse(gateway.RuleFace, nil, "There is no such server at this address for this caller.")
	}
	id := f.r.Header.Get(headerSession)
	if id == "" {
		return nil
	}
	f.session = f.h.groups.find(id, f.group.ID, ownerOf(f.caller.Party, f.authority))
	if f.session == nil || len(f.r.Header.Values(headerSession)) > 1 {
		return gateway.Refuse(gateway.RuleFace, nil, "There is no such session for this caller; begin a new one.")
	}
	return nil
}

// deny refuses a request that no server has a part in.
func (f *fronted) deny(err error) {
	ref := f.h.Gateway.Refused(f.r.Context(), f.snap, f.flow, err)
	if f.doc == nil {
		f.h.deny(f.w, f.r, &calling{who: parties{snap: f.snap}, flow: f.flow}, ref)
		return
	}
	if f.rpc.Kind != wire.Call {
		f.w.WriteHeader(http.StatusAccepted)
		return
	}
	d := denial(ref)
	writeJSON(f.w, d.MCPStatus(f.version, f.rpc.Method), d.MCP(f.version, f.rpc.Method, f.rpc.ID))
}

// post takes one message of the client to the servers that it is for.
func (f *fronted) post() {
	body, err := gateway.ReadRequest(f.w, f.r, f.snap.Limits.Bytes, "application/json")
	if err == nil {
		err = f.read(body)
	}
	if err == nil {
		err = f.h.Gateway.Holds(f.r.Context(), f.snap, f.authority, body)
	}
	if err != nil {
		f.deny(err)
		return
	}
	switch f.rpc.Kind {
	case wire.Call:
		f.call()
	case wire.Notification:
		f.notify()
	default:
		server, body, ok := replied(f.doc, f.rpc, f.members)
		if !ok {
			f.deny(gateway.Refuse(gateway.RuleMethod, nil, "This answers no request of a server."))
			return
		}
		f.one(server, "", body)
	}
}

func (f *fronted) read(body []byte) error {
	doc := new(json.Doc)
	if err := doc.Parse(body, nil, f.snap.Limits); err != nil {
		return err
	}
	rpc, err := wire.ReadRPC(doc)
	if err != nil {
		return gateway.Refuse(gateway.RuleMalformed, err, "The message is not a JSON-RPC 2.0 message: %v.", err)
	}
	f.doc, f.body, f.rpc = doc, body, rpc
	if n, ok := memberAt(doc, "params", "_meta", "io.modelcontextprotocol/protocolVersion"); ok && f.version == "" && doc.Nodes[n].Kind == json.String {
		f.version = doc.Text(n)
	}
	if len(f.version) > 0 && len(wire.Methods("mcp", f.version)) == 0 {
		return gateway.Refuse(gateway.RuleVersion, nil, "This version of MCP is not carried.")
	}
	for _, v := range []struct{ header, want string }{{headerMethod, rpc.Method}, {headerName, f.name()}} {
		if f.r.Header.Get(v.header) != "" || f.version == wire.MCP20260728 && v.header == headerMethod {
			if err := agrees(f.r.Header, v.header, v.want, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// name is what the message names, as a header would mirror it.
func (f *fronted) name() string {
	name := ""
	for _, p := range routes[f.rpc.Method] {
		if name == "" {
			p.each(f.doc, func(n int) { name = f.doc.Text(n) })
		}
	}
	return name
}

func (f *fronted) call() {
	switch method := f.rpc.Method; {
	case method == "initialize":
		f.initialize()
	case method == "server/discover":
		f.discover()
	case method == "ping":
		writeJSON(f.w, http.StatusOK, f.result([]byte("{}"))) // nothing of anybody's is in it
	case method == "logging/setLevel":
		f.all()
	case listMember(method) != "":
		f.list(listMember(method))
	case method == "subscriptions/listen":
		f.subscribe()
	case routes[method] != nil:
		server, name, body, ok := routed(f.doc, method, f.members)
		if !ok {
			f.deny(noSuch())
			return
		}
		done := f.session.under(callKey(f.doc, f.rpc.IDNode), server)
		defer done()
		f.one(server, name, body)
	default:
		f.deny(gateway.Refuse(gateway.RuleMethod, nil, "This method is not carried."))
	}
}

// notify tells the servers that a notification concerns: all of a session that begins or of roots that changed, one of
// its own request. What cannot be told to belong to one goes to none.
func (f *fronted) notify() {
	parts := f.same(nil)
	switch f.rpc.Method {
	case "notifications/initialized", "notifications/roots/list_changed":
		parts = f.same(f.joined(f.members))
	case "notifications/cancelled":
		if server, ok := f.cancels(); ok {
			parts = f.same([]flow.AgentID{server})
		}
	case "notifications/progress":
		if n, ok := memberAt(f.doc, "params", "progressToken"); ok {
			if server, body, ok := returned(f.doc, n, f.joined(f.members)); ok {
				parts = []part{{server: server, body: body}}
			}
		}
	}
	if len(parts) == 0 {
		f.deny(gateway.Refuse(gateway.RuleFace, nil, "This notification belongs to no request of a server."))
		return
	}
	f.ask(f.r.Context(), parts)
	f.w.WriteHeader(http.StatusAccepted)
}

func (f *fronted) cancels() (flow.AgentID, bool) {
	if f.rpc.Params < 0 {
		return "", false
	}
	n, ok := f.doc.Member(f.rpc.Params, "requestId")
	if !ok {
		return "", false
	}
	server, ok := f.session.carries(callKey(f.doc, n))
	return server, ok && slices.Contains(f.members, server)
}

// joined are those of the members that the session has begun with; all where there is no session.
func (f *fronted) joined(members []flow.AgentID) []flow.AgentID {
	if f.session == nil {
		return members
	}
	return slices.DeleteFunc(slices.Clone(members), func(id flow.AgentID) bool {
		_, ok := f.session.members[id]
		return !ok
	})
}

// end ends the sessions of all servers, and the group's own.
func (f *fronted) end() {
	if f.session == nil {
		http.Error(f.w, "there is no session", http.StatusBadRequest)
		return
	}
	var asked []part
	for _, id := range f.joined(f.members) {
		if f.session.members[id] != "" {
			asked = append(asked, part{server: id})
		}
	}
	f.ask(f.r.Context(), asked)
	f.h.groups.end(f.session)
	f.w.WriteHeader(http.StatusNoContent)
}

// result is an answer of the group's own to the call.
func (f *fronted) result(raw []byte) []byte {
	b := append([]byte(`{"jsonrpc":"2.0","id":`), f.rpc.ID...)
	return append(append(append(b, `,"result":`...), raw...), '}')
}

// isStream reports whether a response is a stream of events.
func isStream(h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "text/event-stream")
}
