package a2a

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// jsonrpcFront is the JSON-RPC binding: its messages are the road's own.
type jsonrpcFront struct {
	w http.ResponseWriter
	r *http.Request
}

func (f *jsonrpcFront) speaks(version string) bool { return slices.Contains(versions, version) }

func (f *jsonrpcFront) address(*call) error { return nil }

func (f *jsonrpcFront) open(c *call) (body []byte, err error) {
	body, err = gateway.ReadRequest(f.w, f.r, c.snap.Limits.Bytes, "application/json", "application/a2a+json")
	c.sent = body
	return body, err
}

func (f *jsonrpcFront) whole(c *call, _ int, envelope []byte) {
	if f.listens(c) {
		f.begin(c)
		_ = f.event(&event{}, envelope)
		return
	}
	setHeader(f.w, c, "application/json")
	f.w.Header().Set("Content-Length", strconv.Itoa(len(envelope))) // else it goes in chunks, with more system calls
	f.w.WriteHeader(http.StatusOK)
	_, _ = f.w.Write(envelope) // the caller may have gone; the record says released
}

// listens reports whether the caller reads nothing but events.
func (f *jsonrpcFront) listens(c *call) bool {
	return streams(c) && f.r.Header.Get("Accept") == "text/event-stream"
}

func (f *jsonrpcFront) begin(c *call) {
	setHeader(f.w, c, "text/event-stream")
	f.w.WriteHeader(http.StatusOK)
}

func (f *jsonrpcFront) event(in *event, envelope []byte) error {
	return send(f.w, in.transcript(nil, envelope))
}

func (f *jsonrpcFront) deny(c *call, d wire.Denial) {
	status := d.A2AStatus()
	if status == http.StatusOK && f.listens(c) {
		f.begin(c)
		_ = f.event(&event{}, d.A2A(c.rpc.ID))
		return
	}
	setHeader(f.w, c, "application/json")
	if d.Reason == wire.Unauthenticated || d.Reason == wire.Unauthorized {
		f.w.Header().Set("WWW-Authenticate", cmp.Or(d.Challenge, gateway.Challenge(c.snap, c.r)))
	}
	f.w.WriteHeader(status)
	_, _ = f.w.Write(d.A2A(c.rpc.ID))
}

// streams reports whether the call's method answers with a stream.
func streams(c *call) bool { return c.table(flow.Response, true) != nil }

// setHeader says what follows.
func setHeader(w http.ResponseWriter, c *call, mediaType string) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	if strings.HasPrefix(mediaType, "text/event-stream") {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("A2A-Version", cmp.Or(c.version, wire.A2A10))
	if c.active != "" {
		h.Set(c.dialect().extensions, c.active)
	}
}

// send writes bytes that are on record and sees them off.
func send(w http.ResponseWriter, b []byte) error {
	if _, err := w.Write(b); err != nil {
		return gateway.Refuse(gateway.RuleUpstream, errors.New("caller went away"), "The caller went away.")
	}
	if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return gateway.Refuse(gateway.RuleUpstream, errors.New("caller went away"), "The caller went away.")
	}
	return nil
}

// jsonrpcBack calls agents over JSON-RPC.
type jsonrpcBack struct{}

func (jsonrpcBack) call(ctx context.Context, c *call, passed *gateway.Passed) (*reply, error) {
	body, err := withTenant(passed.Body, c.to.Tenant)
	if err != nil {
		return nil, err
	}
	res, err := c.agent.A2A.SendTo(ctx, http.MethodPost, c.to.URL, c.r.Header, c.headers(), body)
	if err != nil {
		return nil, err
	}
	rep := &reply{used: c.used(res.Header), body: res.Body}
	if gateway.IsStream(res) {
		body := gateway.Idle(res.Body, c.snap.Events.Idle)
		rep.body, rep.events = body, c.sse(body, func(data []byte) ([]byte, error) { return data, nil })
		return rep, nil
	}
	defer rep.close()
	types := []string{"application/json", "application/a2a+json"}
	if c.version == wire.A2A03 {
		types = append(types, "text/plain") // what the official SDK for Go calls its errors
	}
	if rep.whole, err = gateway.ReadAnswer(res, c.snap.Limits.Bytes, types...); err != nil {
		return nil, agentsFault(err)
	}
	rep.whole = c.answered(rep.whole)
	return rep, nil
}

// agentsFault says of an answer that cannot be read that it is the agent's.
func agentsFault(err error) error {
	if r, ok := errors.AsType[*gateway.Refusal](err); ok && r.Rule == gateway.RuleEncoding {
		return gateway.Refuse(gateway.RuleUpstream, err, "The agent's answer is in a form that is not read.")
	}
	return err
}

// answered adds the result to an answer that has none because its method gives nothing back: some servers leave it out.
func (c *call) answered(body []byte) []byte {
	if c.rpc.Method != c.dialect().delete {
		return body
	}
	var d json.Doc
	if d.Parse(body, nil, c.snap.Limits) != nil || d.Nodes[0].Kind != json.Object {
		return body
	}
	for _, name := range []string{"result", "error"} {
		if n, ok := d.Member(0, name); ok && d.Nodes[n].Kind != json.Null {
			return body
		}
	}
	return wire.AppendSuccess(nil, c.upstreamID(), noBody)
}

// sse reads a stream of server-sent events; wrap makes an envelope of an event's data.
func (c *call) sse(body io.Reader, wrap func(data []byte) ([]byte, error)) source {
	most := c.snap.Events.EventBytes()
	return &sseSource{c.r.Context(), wire.NewEventReader(body, wire.EventLimits{Event: most, Line: most}), wrap}
}

type sseSource struct {
	ctx  context.Context // of the call
	r    *wire.EventReader
	wrap func(data []byte) ([]byte, error)
}

func (s *sseSource) next() (*event, error) {
	ev, err := s.r.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case errors.Is(err, wire.ErrEventTooBig), errors.Is(err, wire.ErrLineTooLong):
		return nil, gateway.Refuse(gateway.RuleTooBig, err, "An event of the stream is over the limit.")
	case err != nil:
		return nil, gateway.BrokenOff(s.ctx, err)
	case ev.Incomplete && len(bytes.TrimSpace(ev.Raw)) > 0:
		return nil, gateway.Refuse(gateway.RuleUpstream, nil, "The agent broke off its stream.")
	case !ev.HasData || len(ev.Data) == 0: // heartbeat, priming event
		return &event{sse: ev}, nil
	}
	data, err := s.wrap(ev.Data)
	return &event{sse: ev, data: data}, err
}
