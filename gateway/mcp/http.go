package mcp

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Handler serves one face of a gateway over MCP's streamable HTTP. Mount it at its prefix, "/mcp/" or "/out/mcp/".
type Handler struct {
	Gateway *gateway.Gateway
	Face    gateway.Face
	Prefix  string // of the paths it serves, with a slash at both ends
	Tools   *Tools // shared between handlers

	mu       sync.Mutex
	sessions map[string]flow.Party // who a session belongs to
}

// maxSessions bounds how many sessions are remembered; one that was forgotten belongs to whoever uses it next.
const maxSessions = 10_000

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, h.Prefix), "/")
	if rest != "" {
		http.NotFound(w, r)
		return
	}
	if !originOK(r, h.Gateway.Snapshot()) {
		http.Error(w, "this origin may not call here", http.StatusForbidden)
		return
	}
	x, err := h.enter(r, flow.AgentID(id))
	if err != nil {
		h.deny(w, r, err)
		return
	}
	switch r.Method {
	case http.MethodPost:
		h.post(w, r, x)
	case http.MethodGet:
		h.listen(w, r, x)
	case http.MethodDelete:
		h.end(w, r, x)
	default:
		w.Header().Set("Allow", "POST, GET, DELETE")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// originOK keeps web pages of other origins out: a browser could be made to call a gateway on loopback.
func originOK(r *http.Request, s *gateway.Snapshot) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	base, err := url.Parse(gateway.BaseURL(s, r))
	return err == nil && u.Host == base.Host && u.Scheme == base.Scheme
}

// enter authenticates the caller and finds the server.
func (h *Handler) enter(r *http.Request, id flow.AgentID) (*exchange, error) {
	ctx, s := r.Context(), h.Gateway.Snapshot()
	f := flow.Flow{ID: gateway.NewFlowID(), Protocol: "mcp/" + r.Header.Get("MCP-Protocol-Version"), Direction: flow.Request}
	if len(wire.Methods("mcp", r.Header.Get("MCP-Protocol-Version"))) == 0 {
		f.Protocol = "mcp"
	}
	caller, err := s.Identity.Authenticate(ctx, r)
	if err != nil {
		return nil, h.Gateway.Refused(ctx, s, f, gateway.Refuse(gateway.RuleIdentity, err, "The credential is not accepted, or there is none."))
	}
	f.From = caller.Party
	a, err := s.Reach(h.Face, caller.Party, id)
	if err == nil && a.MCP == nil {
		err = gateway.Refuse(gateway.RuleFace, nil, "There is no such server at this address for this caller.")
	}
	if err != nil {
		return nil, h.Gateway.Refused(ctx, s, f, err)
	}
	f.To = a.Party
	x := &exchange{g: h.Gateway, tools: h.Tools, agent: a, caller: caller, session: r.Header.Get("Mcp-Session-Id"), version: r.Header.Get("MCP-Protocol-Version")}
	if x.spoken() != "" && len(wire.Methods("mcp", x.spoken())) == 0 {
		return nil, h.Gateway.Refused(ctx, s, f, gateway.Refuse(gateway.RuleVersion, nil, "This version of MCP is not carried."))
	}
	if x.session != "" && !h.owns(x.session, caller.Party) {
		return nil, h.Gateway.Refused(ctx, s, f, gateway.Refuse(gateway.RuleFace, nil, "There is no such session for this caller."))
	}
	return x, nil
}

// owns binds a session to the first party that uses it: a session id is no credential.
func (h *Handler) owns(session string, p flow.Party) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if owner, ok := h.sessions[session]; ok {
		return owner.Agent == p.Agent && owner.Domain == p.Domain
	}
	if h.sessions == nil || len(h.sessions) >= maxSessions {
		h.sessions = map[string]flow.Party{}
	}
	h.sessions[session] = p
	return true
}

func (h *Handler) post(w http.ResponseWriter, r *http.Request, x *exchange) {
	ctx := r.Context()
	s := h.Gateway.Snapshot()
	body, err := gateway.ReadRequest(w, r, s.Limits.Bytes, "application/json")
	if err == nil {
		err = mirrored(r.Header, body, s.Limits)
	}
	if err != nil {
		f := flow.Flow{ID: gateway.NewFlowID(), From: x.caller.Party, To: x.agent.Party, Protocol: "mcp/" + x.spoken(), Direction: flow.Request}
		h.deny(w, r, h.Gateway.Refused(ctx, s, f, err))
		return
	}
	defer x.abandon()
	got := x.client(ctx, func(claimed, criticality string) (flow.Purpose, flow.Criticality) {
		if r.Header.Get(identity.HeaderPurpose) != "" || r.Header.Get(identity.HeaderCriticality) != "" {
			return x.caller.ChooseFrom(r.Header)
		}
		return x.caller.Choose(claimed, criticality)
	}, body)
	if got.forward == nil {
		writeJSON(w, got.status, got.reply)
		return
	}
	res, err := x.agent.MCP.Send(ctx, http.MethodPost, r.Header, x.headers(h.Face, got), got.forward)
	if err != nil {
		h.failed(w, r, x, got, err)
		return
	}
	defer res.Body.Close()
	if session := res.Header.Get("Mcp-Session-Id"); session != "" && visible(session) {
		if !h.owns(session, x.caller.Party) {
			h.failed(w, r, x, got, gateway.Refuse(gateway.RuleUpstream, nil, "The server gave out a session that belongs to another caller."))
			return
		}
		w.Header().Set("Mcp-Session-Id", session)
	}
	switch {
	case got.call == nil:
		w.WriteHeader(http.StatusAccepted)
	case gateway.IsStream(res):
		body := gateway.Idle(res.Body, s.Events.Idle)
		defer body.Close()
		h.stream(w, r, x, body, true)
	default:
		h.whole(w, r, x, got, res)
	}
}

// headers are those the upstream gets besides the protocol's own: mirrors of the body as it is now.
func (x *exchange) headers(face gateway.Face, got fromClient) map[string]string {
	extra := map[string]string{"Accept": "application/json, text/event-stream"}
	if got.call == nil {
		return extra
	}
	if x.spoken() == wire.MCP20260728 {
		extra["Mcp-Method"] = got.call.method
		if name := orElse(got.call.tool, got.uri); name != "" {
			extra["Mcp-Name"] = mirror(name)
		}
	}
	if face == gateway.Outbound {
		if got.call.flow.Purpose != "" {
			extra[identity.HeaderPurpose] = string(got.call.flow.Purpose)
		}
		extra[identity.HeaderCriticality] = got.call.flow.Task.Criticality.String()
	}
	return extra
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (h *Handler) whole(w http.ResponseWriter, r *http.Request, x *exchange, got fromClient, res *http.Response) {
	body, err := gateway.ReadJSON(res, h.Gateway.Snapshot().Limits.Bytes)
	if err != nil {
		h.failed(w, r, x, got, err)
		return
	}
	out := x.server(r.Context(), body)
	if !out.final {
		h.failed(w, r, x, got, gateway.Refuse(gateway.RuleUpstream, nil, "The server did not answer the request."))
		return
	}
	writeJSON(w, http.StatusOK, out.forward)
}

// failed answers a call that the server did not.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, x *exchange, got fromClient, err error) {
	c := got.call
	if c == nil {
		http.Error(w, "the server did not take the notification", http.StatusBadGateway)
		return
	}
	ref := h.Gateway.Refused(r.Context(), h.Gateway.Snapshot(), x.back(c.flow), err)
	d := denial(ref)
	writeJSON(w, d.MCPStatus(x.spoken(), c.method), d.MCP(x.spoken(), c.method, c.id))
}

// stream relays server-sent events, each passed and on record before it is sent.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, x *exchange, body io.Reader, answers bool) {
	ctx := r.Context()
	s := h.Gateway.Snapshot()
	f := x.back(flow.Flow{ID: gateway.NewFlowID(), Protocol: "mcp/" + x.spoken()})
	if err := h.Gateway.Mark(ctx, s, f, flow.Opened, 0, "", nil); err != nil {
		h.deny(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	_ = out.Flush()
	events := wire.NewEventReader(body, wire.EventLimits{Event: s.Events.EventBytes(), Line: s.Events.EventBytes()})
	n, reason := 0, ""
	for {
		ev, err := events.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				reason = "broken off"
			}
			break
		}
		b := ev.AppendPlain(nil, ev.Data)
		final := false
		if len(ev.Data) > 0 {
			got := x.server(ctx, ev.Data)
			if got.reply != nil {
				h.replyUpstream(ctx, r, x, got.reply)
			}
			if got.forward == nil {
				continue
			}
			if n++; n > s.Events.MostEvents() {
				reason = "too many events"
				break
			}
			b, final = ev.AppendPlain(nil, got.forward), got.final
		}
		if _, err := w.Write(b); err != nil {
			reason = "caller went away"
			break
		}
		_ = out.Flush()
		if final && answers {
			break
		}
	}
	if err := h.Gateway.Mark(context.WithoutCancel(ctx), s, f, flow.Closed, n, reason, nil); err != nil {
		h.Gateway.Fault(err)
	}
}

// replyUpstream answers a server's request on the client's behalf.
func (h *Handler) replyUpstream(ctx context.Context, r *http.Request, x *exchange, reply []byte) {
	res, err := x.agent.MCP.Send(ctx, http.MethodPost, r.Header, map[string]string{"Accept": "application/json, text/event-stream"}, reply)
	if err != nil {
		h.Gateway.Fault(err)
		return
	}
	res.Body.Close()
}

// listen relays the stream on which a stateful server sends what nobody asked for.
func (h *Handler) listen(w http.ResponseWriter, r *http.Request, x *exchange) {
	res, err := x.agent.MCP.Send(r.Context(), http.MethodGet, r.Header, map[string]string{"Accept": "text/event-stream"}, nil)
	if err != nil {
		http.Error(w, "the server did not answer", http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	if !gateway.IsStream(res) {
		status := http.StatusBadGateway
		if res.StatusCode == http.StatusMethodNotAllowed || res.StatusCode == http.StatusNotFound {
			status = res.StatusCode
		}
		http.Error(w, "the server offers no stream", status)
		return
	}
	h.stream(w, r, x, res.Body, false)
}

func (h *Handler) end(w http.ResponseWriter, r *http.Request, x *exchange) {
	res, err := x.agent.MCP.Send(r.Context(), http.MethodDelete, r.Header, nil, nil)
	if err != nil {
		http.Error(w, "the server did not answer", http.StatusBadGateway)
		return
	}
	res.Body.Close()
	h.mu.Lock()
	delete(h.sessions, x.session)
	h.mu.Unlock()
	w.WriteHeader(res.StatusCode)
}

// deny answers before a message was read.
func (h *Handler) deny(w http.ResponseWriter, _ *http.Request, err error) {
	d := denial(err)
	if d.Reason == wire.Unauthenticated {
		w.Header().Set("WWW-Authenticate", `Bearer realm="scrim"`)
	}
	writeJSON(w, d.MCPStatus("", ""), d.MCP("", "", nil))
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may have gone; the record says released
}

// mirrored holds the header mirrors of 2026-07-28 to the body: what intermediaries were shown must be what is asked.
func mirrored(h http.Header, body []byte, lim json.Limits) error {
	method, name := h.Get("Mcp-Method"), h.Get("Mcp-Name")
	if method == "" && name == "" {
		return nil
	}
	var d json.Doc
	if d.Parse(body, nil, lim) != nil {
		return nil // said better by the road itself
	}
	rpc, err := wire.ReadRPC(&d)
	if err != nil {
		return nil
	}
	if method != "" && method != rpc.Method {
		return gateway.Refuse(gateway.RulePlace, nil, "The Mcp-Method header says something else than the message.")
	}
	if name == "" {
		return nil
	}
	m, err := wire.ReadMCP(&d, rpc)
	if err != nil {
		return nil
	}
	want := ""
	switch {
	case m.Name >= 0:
		want = d.Text(m.Name)
	case m.URI >= 0:
		want = d.Text(m.URI)
	}
	if unmirror(name) != want {
		return gateway.Refuse(gateway.RulePlace, nil, "The Mcp-Name header says something else than the message.")
	}
	return nil
}

const mirrorPrefix, mirrorSuffix = "=?base64?", "?="

// mirror writes a value as a header can carry it.
func mirror(s string) string {
	if visible(s) && !strings.HasPrefix(s, mirrorPrefix) {
		return s
	}
	return mirrorPrefix + base64.StdEncoding.EncodeToString([]byte(s)) + mirrorSuffix
}

func unmirror(s string) string {
	inner, ok := strings.CutPrefix(s, mirrorPrefix)
	if !ok {
		return s
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(inner, mirrorSuffix))
	if err != nil {
		return s
	}
	return string(b)
}

func visible(s string) bool {
	return len(s) <= 512 && !strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' })
}
