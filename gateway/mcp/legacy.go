package mcp

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// The transport of 2024-11-05: a client opens one stream of events with GET, is told there where to POST, and gets every
// message of the server on that stream. A room joins such a client to the streamable HTTP that all else here speaks:
// what the client posts is handled as a request of its own, and what is answered becomes events. So every message takes
// the same road, and the room decides nothing.

// Bounds of rooms.
const (
	maxRooms     = 100 // of one caller
	maxRoomCalls = 64  // of one room at once
	heartbeat    = 15 * time.Second
	relisten     = time.Second // the shortest pause before a stream that ended is opened again
)

// rooms knows the open ones. The zero value is ready.
type rooms struct {
	mu    sync.Mutex
	open  map[string]*room
	count map[owner]int
}

func (rs *rooms) enter(r *room) (token string, ok bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.count[r.owner] >= maxRooms {
		return "", false
	}
	if rs.open == nil {
		rs.open, rs.count = map[string]*room{}, map[owner]int{}
	}
	token = rand.Text()
	rs.open[token] = r
	rs.count[r.owner]++
	return token, true
}

func (rs *rooms) leave(token string, r *room) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.open, token)
	if rs.count[r.owner]--; rs.count[r.owner] <= 0 {
		delete(rs.count, r.owner)
	}
}

// find returns the caller's room: a token is no credential.
func (rs *rooms) find(token string, server flow.AgentID, who owner) *room {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.open[token]; r != nil && r.server == server && r.owner == who {
		return r
	}
	return nil
}

// room is one client's open stream.
type room struct {
	h         *Handler
	server    flow.AgentID
	owner     owner
	authority *gateway.Authority // by which the stream was opened; nil: none
	ctx       context.Context    // ends with the stream
	under     sync.WaitGroup     // requests under way

	mu       sync.Mutex // guards the fields below, and writing to the stream
	w        http.ResponseWriter
	closed   bool
	session  string // of the server
	version  string // that initialize settled on
	calls    int
	listens  bool
	heard    time.Time // when something last went either way
	greeting []byte    // the raw id of initialize, while it is unanswered
}

// legacy serves the two addresses of the transport: the stream, and where messages are posted.
func (h *Handler) legacy(w http.ResponseWriter, r *http.Request, server flow.AgentID) {
	who, authority, err := h.visitor(r, server)
	if err != nil {
		s := h.Gateway.Snapshot()
		c := &calling{who: parties{snap: s}, flow: flow.Flow{ID: gateway.NewFlowID(), From: who, Protocol: "mcp", Direction: flow.Request}}
		h.deny(w, r, c, h.Gateway.Refused(r.Context(), s, c.flow, err))
		return
	}
	switch r.Method {
	case http.MethodGet:
		h.openRoom(w, r, &room{h: h, server: server, owner: ownerOf(who, authority), authority: authority, w: w})
	case http.MethodPost:
		in := h.rooms.find(r.URL.Query().Get("session"), server, ownerOf(who, authority))
		if in == nil {
			http.Error(w, "there is no such session", http.StatusNotFound)
			return
		}
		in.post(w, r)
	default:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// visitor finds out who calls, and that there is something here for them. What they may do there is found out by each
// of their messages, which have a proof of their own.
func (h *Handler) visitor(r *http.Request, server flow.AgentID) (flow.Party, *gateway.Authority, error) {
	who, authority, err := h.known(r, server)
	if err == nil && r.Method == http.MethodGet {
		err = h.Gateway.Holds(r.Context(), h.Gateway.Snapshot(), authority, nil)
	}
	return who, authority, err
}

func (h *Handler) known(r *http.Request, server flow.AgentID) (flow.Party, *gateway.Authority, error) {
	s := h.Gateway.Snapshot()
	if s.Fronts[server] == nil {
		_, c, err := h.enter(r, server)
		return c.flow.From, c.who.authority, err
	}
	if !gateway.Local(r, s) {
		return flow.Party{}, nil, gateway.Refuse(gateway.RuleOrigin, nil, "This origin may not call here.")
	}
	caller, authority, err := h.Gateway.Identify(r.Context(), s, r)
	if err != nil {
		return flow.Party{}, nil, err
	}
	return caller.Party, authority, h.Gateway.Admit(r.Context(), s, caller.Party)
}

// openRoom holds the client's stream open until it goes, or nothing was said for long.
func (h *Handler) openRoom(w http.ResponseWriter, r *http.Request, in *room) {
	s := h.Gateway.Snapshot()
	between := flow.Flow{From: flow.Party{Agent: in.owner.agent, Domain: in.owner.domain}}
	if a := s.Agents[in.server]; a != nil {
		between.To = a.Party
	}
	in.authority.On(&between)
	bound, stop := h.Gateway.While(r.Context(), in.authority, between)
	defer stop()
	if h.Gateway.Stream(bound, s) != nil {
		http.Error(w, "there are too many open streams", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithCancel(bound)
	defer cancel()
	in.ctx, in.heard = ctx, time.Now()
	token, ok := h.rooms.enter(in)
	if !ok {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "the caller has too many open streams", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	// A query alone is read against the address of the stream, whatever stands before the gateway.
	if in.say([]byte("event: endpoint\ndata: ?session="+token+"\n\n"), true) == nil {
		in.hold(ctx)
	}
	if over, ok := errors.AsType[*gateway.Refusal](context.Cause(bound)); ok { // what it was opened by is at its end
		f := flow.Flow{ID: gateway.NewFlowID(), From: flow.Party{Agent: in.owner.agent, Domain: in.owner.domain}, Protocol: "mcp", Direction: flow.Request}
		in.authority.On(&f)
		h.Gateway.Refused(r.Context(), h.Gateway.Snapshot(), f, over)
	}
	h.rooms.leave(token, in)
	in.mu.Lock()
	in.closed = true
	in.mu.Unlock()
	cancel()
	in.under.Wait() // what is under way writes to the stream
	in.hangUp(r)
}

func (in *room) hold(ctx context.Context) {
	idle := in.h.Gateway.Snapshot().Events.Idle
	if idle <= 0 {
		idle = 5 * time.Minute
	}
	tick := time.NewTicker(min(heartbeat, idle))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			in.mu.Lock()
			silent := in.calls == 0 && time.Since(in.heard) > idle
			in.mu.Unlock()
			if silent || in.say([]byte(": ping\n\n"), false) != nil {
				return
			}
		}
	}
}

// say writes to the stream.
func (in *room) say(b []byte, heard bool) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return errGone
	}
	if heard {
		in.heard = time.Now()
	}
	if _, err := in.w.Write(b); err != nil {
		return errGone
	}
	if err := http.NewResponseController(in.w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return errGone
	}
	return nil
}

// post takes one message of the client. A call is answered on the stream; anything else is done with when the POST is
// answered, so that what comes after it cannot overtake it.
func (in *room) post(w http.ResponseWriter, r *http.Request) {
	body, err := gateway.ReadRequest(w, r, in.h.Gateway.Snapshot().Limits.Bytes, "application/json")
	if err != nil {
		s := in.h.Gateway.Snapshot()
		c := &calling{who: parties{snap: s}, id: []byte("null"), flow: flow.Flow{ID: gateway.NewFlowID(), From: flow.Party{Agent: in.owner.agent, Domain: in.owner.domain}, Protocol: "mcp", Direction: flow.Request}}
		in.h.deny(w, r, c, in.h.Gateway.Refused(r.Context(), s, c.flow, err))
		return
	}
	var doc json.Doc
	rpc := wire.RPC{Kind: wire.Notification}
	if doc.Parse(body, nil, in.h.Gateway.Snapshot().Limits) == nil {
		rpc, err = wire.ReadRPC(&doc)
	}
	if err != nil || rpc.Kind != wire.Call {
		in.h.serve(w, in.request(r, http.MethodPost, body), in.server)
		if rpc.Method == "notifications/initialized" {
			in.listen(r)
		}
		return
	}
	if !in.begin(rpc) {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many calls are under way", http.StatusServiceUnavailable)
		return
	}
	req := in.request(r, http.MethodPost, body)
	go func() {
		defer in.done()
		out := &roomWriter{in: in, header: http.Header{}}
		in.h.serve(out, req, in.server)
		out.end()
	}()
	w.WriteHeader(http.StatusAccepted)
}

func (in *room) begin(rpc wire.RPC) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed || in.calls >= maxRoomCalls {
		return false
	}
	in.calls++
	in.heard = time.Now()
	in.under.Add(1)
	if rpc.Method == "initialize" && in.session == "" {
		in.greeting = append([]byte(nil), rpc.ID...)
	}
	return true
}

func (in *room) done() {
	in.mu.Lock()
	in.calls--
	in.mu.Unlock()
	in.under.Done()
}

// request is what the client would send over streamable HTTP. It lives as long as the stream.
func (in *room) request(r *http.Request, method string, body []byte) *http.Request {
	req := r.Clone(in.ctx)
	req.Method, req.Body, req.ContentLength = method, io.NopCloser(bytes.NewReader(body)), int64(len(body))
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, h := range []string{headerVersion, headerSession, headerEvent} {
		req.Header.Del(h)
	}
	if in.session != "" {
		req.Header.Set(headerSession, in.session)
	}
	if in.version != "" {
		req.Header.Set(headerVersion, in.version)
	}
	return req
}

// own is a request that the client does not make itself: it goes by the right by which the stream was opened.
func (in *room) own(ctx context.Context, r *http.Request, method string) *http.Request {
	return in.request(r, method, nil).WithContext(gateway.WithAuthority(ctx, in.authority))
}

// listen relays what the server sends unasked, on the client's one stream, and opens the server's again where it ended.
func (in *room) listen(r *http.Request) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed || in.listens || in.session == "" {
		return
	}
	in.listens = true
	in.under.Add(1)
	go func() {
		defer in.under.Done()
		for {
			out := &roomWriter{in: in, header: http.Header{}, unasked: true}
			began := time.Now()
			in.h.serve(out, in.own(in.ctx, r, http.MethodGet), in.server)
			if out.status != http.StatusOK {
				return // there is none
			}
			select {
			case <-in.ctx.Done():
				return
			case <-time.After(max(relisten, 10*relisten-time.Since(began))):
			}
		}
	}()
}

// hangUp ends the server's session with the client's stream.
func (in *room) hangUp(r *http.Request) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
	defer cancel()
	in.mu.Lock()
	session := in.session
	in.mu.Unlock()
	if session == "" {
		return
	}
	out := &roomWriter{in: in, header: http.Header{}, unasked: true}
	in.h.serve(out, in.own(ctx, r, http.MethodDelete), in.server)
}

// roomWriter makes events of the room's stream of what would answer a request over streamable HTTP.
type roomWriter struct {
	in      *room
	header  http.Header
	status  int
	body    []byte // of an answer that is no stream
	unasked bool   // nobody waits for an answer
}

// Header implements [http.ResponseWriter].
func (o *roomWriter) Header() http.Header { return o.header }

// WriteHeader implements [http.ResponseWriter].
func (o *roomWriter) WriteHeader(status int) {
	if o.status != 0 {
		return
	}
	o.status = status
	if session := o.header.Get(headerSession); session != "" {
		o.in.mu.Lock()
		if o.in.session == "" {
			o.in.session = session
		}
		o.in.mu.Unlock()
	}
}

// Write implements [http.ResponseWriter]. Of a stream it gets one event at a time.
func (o *roomWriter) Write(p []byte) (int, error) {
	if o.status == 0 {
		o.WriteHeader(http.StatusOK)
	}
	if o.header.Get("Content-Type") != "text/event-stream" {
		if !o.unasked {
			o.body = append(o.body, p...)
		}
		return len(p), nil
	}
	events := wire.NewEventReader(bytes.NewReader(p), wire.EventLimits{})
	for {
		ev, err := events.Next()
		if err != nil {
			return len(p), nil
		}
		if len(ev.Data) == 0 {
			continue
		}
		if err := o.tell(ev.Data); err != nil {
			return 0, err
		}
	}
}

// FlushError implements what [http.ResponseController] looks for; events are written at once.
func (o *roomWriter) FlushError() error { return nil }

// end writes what came as a whole. Where the answer is no message, the client would wait for ever, so the stream ends.
func (o *roomWriter) end() {
	if len(o.body) == 0 {
		return
	}
	if o.header.Get("Content-Type") == "application/json" {
		_ = o.tell(o.body) // the client may have gone
		return
	}
	o.in.mu.Lock()
	defer o.in.mu.Unlock()
	o.in.closed = true
}

func (o *roomWriter) tell(message []byte) error {
	o.in.settle(message)
	return o.in.say(wire.AppendEvent(nil, "", "message", message), true)
}

// settle notes the version that the answer to initialize names.
func (in *room) settle(message []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.greeting == nil {
		return
	}
	var d json.Doc
	if d.Parse(message, nil, json.Limits{}) != nil {
		return
	}
	id, ok := d.Member(0, "id")
	if !ok || !bytes.Equal(d.Raw(id), in.greeting) {
		return
	}
	in.greeting = nil
	if n, ok := under(&d, "result"); ok {
		if v := textIn(&d, n, "protocolVersion"); wire.MCPSessions(v) {
			in.version = v
		}
	}
}
