package mcp

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Handler serves one face of a gateway over MCP's streamable HTTP. Mount it at its prefix, "/mcp/" or "/out/mcp/".
// It is safe for concurrent use and must not be copied.
type Handler struct {
	Gateway *gateway.Gateway
	Face    gateway.Face
	Prefix  string // of the paths it serves, with a slash at both ends
	Tools   *Tools // shared between handlers

	sessions sessions
	memory   memory
	groups   groupSessions
	rooms    rooms
}

const accepted = "application/json, text/event-stream"

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(gateway.WithHops(r.Context(), r.Header))
	id, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, h.Prefix), "/")
	switch rest {
	case "":
		h.serve(w, r, flow.AgentID(id))
	case "sse":
		h.legacy(w, r, flow.AgentID(id))
	default:
		http.NotFound(w, r)
	}
}

// serve is the one address of streamable HTTP.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, id flow.AgentID) {
	if s := h.Gateway.Snapshot(); s.Fronts[id] != nil {
		h.group(w, r, s, s.Fronts[id])
		return
	}
	x, c, err := h.enter(r, id)
	if err != nil {
		h.refuse(w, r, c, err)
		return
	}
	ctx, stop := h.while(r.Context(), c)
	defer stop()
	r = r.WithContext(ctx)
	switch r.Method {
	case http.MethodPost:
		h.post(w, r, x, c)
	case http.MethodGet, http.MethodDelete:
		if err := h.proves(r.Context(), c); err != nil {
			h.refuse(w, r, c, err)
			return
		}
		if r.Method == http.MethodGet {
			h.listen(w, r, x, c)
		} else {
			h.end(w, r, x, c)
		}
	default:
		w.Header().Set("Allow", "POST, GET, DELETE")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// refuse puts on record why a call is refused, and tells the caller. Like the other functions of this file that are not to be inlined, it has a copy of
// the flow, which is hundreds of bytes, and which would stay on the stack of its caller for as long as a stream is open.
//
//go:noinline
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, c *calling, err error) {
	h.deny(w, r, c, h.Gateway.Refused(r.Context(), c.who.snap, c.flow, err))
}

// while is [gateway.Gateway.While] of a call.
//
//go:noinline
func (h *Handler) while(ctx context.Context, c *calling) (context.Context, context.CancelFunc) {
	return h.Gateway.While(ctx, c.who.authority, c.flow)
}

// proves reports whether the caller proves that it has its capability, where it calls no tool.
//
//go:noinline
func (h *Handler) proves(ctx context.Context, c *calling) error {
	return h.Gateway.Prove(ctx, c.who.snap, c.who.authority, gateway.Invocation{Flow: c.flow, NoTool: true})
}

// enter finds out who calls whom. Whatever is known when it is refused is in the calling.
func (h *Handler) enter(r *http.Request, server flow.AgentID) (*exchange, *calling, error) {
	ctx, s := r.Context(), h.Gateway.Snapshot()
	version, session := r.Header.Get(headerVersion), r.Header.Get(headerSession)
	c := &calling{who: parties{snap: s}, flow: flow.Flow{ID: gateway.NewFlowID(), Protocol: protocolName(version), Direction: flow.Request}}
	if !gateway.Local(r, s) {
		return nil, c, gateway.Refuse(gateway.RuleOrigin, nil, "This origin may not call here.")
	}
	x := &exchange{g: h.Gateway, tools: h.Tools, memory: &h.memory, session: session, framed: version, version: version}
	x.renew = func(ctx context.Context, s *gateway.Snapshot) (parties, error) {
		return h.parties(ctx, r, s, server, x.who)
	}
	x.claims = func(c identity.Caller) (flow.Purpose, flow.Criticality) { return c.ChooseFrom(r.Header) }
	var err error
	if x.who, err = x.renew(ctx, s); x.who.snap != nil {
		c.who, c.flow.From = x.who, x.who.caller.Party
		x.who.authority.On(&c.flow)
		if busy := h.Gateway.Admit(ctx, s, x.who.caller.Party); busy != nil {
			return nil, c, busy
		}
	}
	if err != nil {
		return nil, c, err
	}
	c.flow.To = x.who.agent.Party
	if version != "" && len(wire.Methods("mcp", version)) == 0 || len(r.Header.Values(headerVersion)) > 1 {
		c.requested = version
		return nil, c, notSpoken()
	}
	if session != "" && (!h.sessions.owns(server, session, x.who.owner()) || len(r.Header.Values(headerSession)) > 1) {
		return nil, c, gateway.Refuse(gateway.RuleFace, nil, "There is no such session for this caller; begin a new one.")
	}
	if session != "" {
		resumed := r.Header.Get(headerEvent) != ""
		if err := x.resume(r); err != nil {
			return nil, c, err
		}
		x.claim = func(c *calling) error { return h.sessions.claim(server, session, c) }
		x.release = func(c *calling) { h.sessions.release(server, session, c) }
		x.missing = func(key string) *calling { return h.sessions.unpark(server, session, key, resumed) }
		var agreed string
		if x.inbox, agreed = h.sessions.of(server, session); agreed != "" {
			x.version, x.shaken = agreed, true
		}
	}
	return x, c, nil
}

// parties authenticates the caller and finds the server, by one configuration. Where an earlier one had a caller, it
// must be the same.
func (h *Handler) parties(ctx context.Context, r *http.Request, s *gateway.Snapshot, server flow.AgentID, before parties) (parties, error) {
	caller, authority, err := h.Gateway.Identify(gateway.WithAuthority(ctx, before.authority), s, r)
	if err != nil {
		return parties{}, err
	}
	if before.snap != nil && ownerOf(caller.Party, authority) != ownerOf(before.caller.Party, before.authority) {
		return parties{}, gateway.Refuse(gateway.RuleIdentity, nil, "The credential is not accepted any more.")
	}
	agent, err := s.Reach(h.Face, caller.Party, server)
	if err == nil && agent.MCP == nil {
		err = gateway.Refuse(gateway.RuleFace, nil, "There is no such server at this address for this caller.")
	}
	return parties{snap: s, agent: agent, caller: caller, authority: authority}, err
}

func (h *Handler) post(w http.ResponseWriter, r *http.Request, x *exchange, c *calling) {
	ctx := r.Context()
	body, err := gateway.ReadRequest(w, r, c.who.snap.Limits.Bytes, "application/json")
	if err != nil {
		h.refuse(w, r, c, err)
		return
	}
	got := posted(ctx, r, x, body)
	if got.forward == nil {
		if d := denial(got.refusal); d.Challenge != "" {
			w.Header().Set("WWW-Authenticate", d.Challenge)
		}
		writeJSON(w, got.status, got.reply)
		return
	}
	defer x.abandon()
	sending, err := got.onward(ctx, h.Gateway)
	if err != nil {
		h.failed(w, r, x, got.call, err)
		return
	}
	if got.call != nil {
		var stop context.CancelFunc
		sending, stop = got.call.asking.Within(sending)
		defer stop()
	}
	res, err := x.who.agent.MCP.Send(sending, http.MethodPost, x.onward(), h.extra(got), got.forward)
	if err != nil {
		h.failed(w, r, x, got.call, err)
		return
	}
	defer res.Body.Close()
	if session := res.Header.Get(headerSession); session != "" {
		if !visible(session) || x.session != "" && session != x.session || !h.sessions.begin(x.who.agent.Party.Agent, session, x.who.owner()) {
			h.failed(w, r, x, got.call, gateway.Refuse(gateway.RuleUpstream, nil, "The server gave out a session that is not this caller's."))
			return
		}
		w.Header().Set(headerSession, session)
		x.begun = session
		x.settled = func(version string) { h.sessions.agree(x.who.agent.Party.Agent, session, version) }
		if x.inbox == nil { // the server may ask for a sign of life before it answers
			x.inbox, _ = h.sessions.of(x.who.agent.Party.Agent, session)
		}
	}
	switch {
	case res.StatusCode == http.StatusNotFound && x.session != "":
		h.gone(w, r, x, got.call)
	case got.call == nil:
		w.WriteHeader(http.StatusAccepted)
	case gateway.IsStream(res) && res.StatusCode == http.StatusOK:
		body := gateway.Idle(res.Body, c.who.snap.Events.Idle)
		defer body.Close()
		h.stream(w, r, x, body, got.call)
	default:
		h.whole(w, r, x, got.call, res)
	}
}

// posted is what becomes of a message that a client posted.
//
//go:noinline
func posted(ctx context.Context, r *http.Request, x *exchange, body []byte) *fromClient {
	got := x.client(ctx, incoming{body: body, headers: r.Header, reason: func(caller identity.Caller, claimed, criticality string) (flow.Purpose, flow.Criticality) {
		if r.Header.Get(identity.HeaderPurpose) != "" || r.Header.Get(identity.HeaderCriticality) != "" {
			return caller.ChooseFrom(r.Header)
		}
		return caller.Choose(claimed, criticality)
	}})
	return &got
}

// onward is [gateway.Gateway.Onward] of what is forwarded.
//
//go:noinline
func (f *fromClient) onward(ctx context.Context, g *gateway.Gateway) (context.Context, error) {
	return f.sent.onward(ctx, g)
}

// extra are the headers that the server gets besides the client's own.
func (h *Handler) extra(got *fromClient) map[string]string {
	extra := map[string]string{"Accept": accepted}
	for name, v := range got.mirrors {
		extra[name] = v
	}
	if got.trace != "" {
		extra[gateway.HeaderTrace] = got.trace
	}
	if h.Face == gateway.Outbound && got.call != nil {
		// The next domain believes only what it granted; it is told what we settled on.
		if got.call.flow.Purpose != "" {
			extra[identity.HeaderPurpose] = string(got.call.flow.Purpose)
		}
		extra[identity.HeaderCriticality] = got.call.flow.Task.Criticality.String()
	}
	return extra
}

func (h *Handler) whole(w http.ResponseWriter, r *http.Request, x *exchange, c *calling, res *http.Response) {
	defer x.done(c)
	body, err := gateway.ReadJSON(res, c.who.snap.Limits.Bytes)
	if err != nil {
		h.failed(w, r, x, c, err)
		return
	}
	out, err := x.server(r.Context(), body)
	switch {
	case err != nil:
		x.forget(c)
		d := denial(err)
		writeJSON(w, d.MCPStatus(c.version, c.method), d.MCP(c.version, c.method, c.id))
	case !out.final:
		h.failed(w, r, x, c, gateway.Refuse(gateway.RuleUpstream, nil, "The server did not answer the request."))
	default:
		status := http.StatusOK
		if out.failure && (res.StatusCode == http.StatusBadRequest || res.StatusCode == http.StatusNotFound) {
			status = res.StatusCode // what the version has for such an error
		}
		writeJSON(w, status, out.forward)
	}
}

// failed answers a call that the server did not.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, x *exchange, c *calling, err error) {
	if c == nil {
		h.Gateway.Fault(err)
		w.WriteHeader(http.StatusAccepted) // it is on record that the notification left
		return
	}
	x.forget(c)
	d := x.unanswered(r.Context(), c, err)
	writeJSON(w, d.MCPStatus(c.version, c.method), d.MCP(c.version, c.method, c.id))
}

// gone tells the client that the server forgot the session, in the way that makes clients begin a new one.
func (h *Handler) gone(w http.ResponseWriter, r *http.Request, x *exchange, c *calling) {
	h.sessions.end(x.who.agent.Party.Agent, x.session)
	if c != nil {
		x.forget(c)
		x.unanswered(r.Context(), c, gateway.Refuse(gateway.RuleUpstream, nil, "The server does not know the session any more."))
	}
	http.Error(w, "there is no such session", http.StatusNotFound)
}

// unreached puts on record that the server did not answer.
//
//go:noinline
func (h *Handler) unreached(ctx context.Context, c *calling, err error) {
	h.Gateway.Refused(ctx, c.who.snap, c.flow, err)
}

// listen relays the stream on which a stateful server sends what nobody asked for, and resumes one that broke off.
func (h *Handler) listen(w http.ResponseWriter, r *http.Request, x *exchange, c *calling) {
	res, err := x.alone(r.Context(), c, http.MethodGet, map[string]string{"Accept": "text/event-stream"})
	if err != nil {
		h.unreached(r.Context(), c, err)
		http.Error(w, "the server did not answer", http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	if !gateway.IsStream(res) || res.StatusCode != http.StatusOK {
		status := http.StatusBadGateway
		if res.StatusCode == http.StatusMethodNotAllowed || res.StatusCode == http.StatusNotFound {
			status = res.StatusCode
		}
		http.Error(w, "the server offers no stream", status)
		return
	}
	body := gateway.Idle(res.Body, c.who.snap.Events.Idle)
	defer body.Close()
	h.stream(w, r, x, body, nil)
}

// alone makes a request that has no message.
func (x *exchange) alone(ctx context.Context, c *calling, method string, extra map[string]string) (*http.Response, error) {
	ctx, err := sent{who: c.who, flow: c.flow}.onward(ctx, x.g)
	if err != nil {
		return nil, err
	}
	return c.who.agent.MCP.Send(ctx, method, x.onward(), extra, nil)
}

func (h *Handler) end(w http.ResponseWriter, r *http.Request, x *exchange, c *calling) {
	if x.session == "" {
		http.Error(w, "there is no session", http.StatusBadRequest)
		return
	}
	res, err := x.alone(r.Context(), c, http.MethodDelete, nil)
	if err != nil {
		h.unreached(r.Context(), c, err)
		http.Error(w, "the server did not answer", http.StatusBadGateway)
		return
	}
	res.Body.Close()
	switch {
	case res.StatusCode < 300, res.StatusCode == http.StatusNotFound:
		h.sessions.end(x.who.agent.Party.Agent, x.session)
		w.WriteHeader(http.StatusNoContent)
	case res.StatusCode == http.StatusMethodNotAllowed:
		w.WriteHeader(http.StatusMethodNotAllowed)
	default:
		http.Error(w, "the server did not end the session", http.StatusBadGateway)
	}
}

// deny answers what was refused before a message was read. A client can tell which of its calls is meant only by the
// id, so that is looked for in what it sent; without one the HTTP status must say it.
func (h *Handler) deny(w http.ResponseWriter, r *http.Request, c *calling, err error) {
	d := denial(err)
	d.Requested = c.requested
	if d.Reason == wire.Unauthenticated || d.Reason == wire.Unauthorized {
		w.Header().Set("WWW-Authenticate", cmp.Or(d.Challenge, gateway.Challenge(c.who.snap, r)))
	}
	status := d.MCPStatus("", "")
	switch {
	case d.Reason == wire.NotFound:
		status = http.StatusNotFound
	case d.Reason == wire.Forbidden:
		status = http.StatusForbidden
	case status == http.StatusOK:
		status = http.StatusBadRequest
	}
	if r.Method == http.MethodPost && c.id == nil {
		if body, err := gateway.ReadRequest(w, r, maxPeek, "application/json"); err == nil {
			peek := exchange{}
			peek.peek(c, body)
		}
	}
	writeJSON(w, status, d.MCP("", "", c.id))
}

// maxPeek bounds what is read of a message that is refused whatever it says.
const maxPeek = 64 << 10

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	if status == 0 {
		status = http.StatusOK
	}
	if len(body) > 0 {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may have gone; the record says released
}
