package mcp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// relay carries one stream of server-sent events from the server to the client.
type relay struct {
	h       *Handler
	w       http.ResponseWriter
	r       *http.Request
	x       *exchange
	call    *calling // whose answer the stream brings; nil for what nobody asked for
	out     *http.ResponseController
	resumes bool // an event had an id: the client can take the stream up again
}

// stream relays server-sent events: an opened row before the first byte, each event passed and on record before it is
// sent, a closed row at the end. A call whose stream ends without an answer is answered with an error, unless the
// client can take the stream up again.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, x *exchange, body io.Reader, c *calling) {
	ctx := r.Context()
	s, snap := h.relayed(w, r, x, c)
	if err := s.mark(ctx, snap, flow.Opened, 0, ""); err != nil {
		if c == nil {
			http.Error(w, "the stream cannot be put on record", http.StatusServiceUnavailable)
			return
		}
		d := denial(err)
		writeJSON(w, d.MCPStatus(c.version, c.method), d.MCP(c.version, c.method, c.id))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_ = s.out.Flush()
	err := s.events(ctx, body)
	s.finish(ctx, err)
	reason := ""
	if err != nil {
		reason = "broken off"
	}
	if err := s.mark(context.WithoutCancel(ctx), snap, flow.Closed, x.stream.n, reason); err != nil {
		h.Gateway.Fault(err)
	}
}

// relayed makes the relay of a stream, and returns the configuration in force.
//
//go:noinline
func (h *Handler) relayed(w http.ResponseWriter, r *http.Request, x *exchange, c *calling) (*relay, *gateway.Snapshot) {
	who, _ := x.now(r.Context()) // each event looks again
	f := back(who, flow.Flow{ID: gateway.NewFlowID(), Protocol: protocolName(x.spoken())})
	if c != nil {
		f = back(who, c.flow)
	} else if of, err := x.outside(r.Context(), who); err == nil {
		f = of
	}
	x.stream = &streaming{flow: f, call: c}
	return &relay{h: h, w: w, r: r, x: x, call: c, out: http.NewResponseController(w)}, who.snap
}

// mark writes a row about the stream as a whole.
//
//go:noinline
func (s *relay) mark(ctx context.Context, snap *gateway.Snapshot, outcome flow.Outcome, segments int, reason string) error {
	return s.h.Gateway.Mark(ctx, snap, s.x.stream.flow, outcome, segments, reason, nil)
}

var errGone = errors.New("caller went away")

// events returns nil when the call was answered or the stream came to its end.
func (s *relay) events(ctx context.Context, body io.Reader) error {
	limits := s.x.who.snap.Events
	events := wire.NewEventReader(body, wire.EventLimits{Event: limits.EventBytes(), Line: limits.EventBytes()})
	for n := 0; ; n++ {
		ev, err := events.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, wire.ErrEventTooBig), errors.Is(err, wire.ErrLineTooLong):
			return gateway.Refuse(gateway.RuleTooBig, err, "An event of the stream is over the limit.")
		case err != nil, ev.Incomplete && len(bytes.TrimSpace(ev.Raw)) > 0:
			return gateway.BrokenOff(ctx, err)
		case n >= limits.MostEvents():
			return gateway.Refuse(gateway.RuleTooBig, nil, "The stream has more than %d events.", limits.MostEvents())
		}
		if len(ev.Data) == 0 { // heartbeat, priming event
			if err := s.send(ev, ev.Data); err != nil {
				return err
			}
			continue
		}
		got, err := s.x.server(ctx, ev.Data)
		if err != nil {
			return err
		}
		if got.reply != nil {
			s.replyUpstream(ctx, got.reply)
		}
		if got.forward == nil {
			continue
		}
		if err := s.send(ev, got.forward); err != nil {
			return err
		}
		if got.final && s.call != nil {
			if s.resumes && s.x.session != "" {
				s.h.sessions.sent(s.x.who.agent.Party.Agent, s.x.session, s.call)
			}
			s.call = nil
			return nil
		}
	}
}

func (s *relay) send(ev wire.Event, data []byte) error {
	out, resumes := s.x.event(ev, data)
	s.resumes = s.resumes || resumes
	return s.write(out)
}

func (s *relay) write(b []byte) error {
	if _, err := s.w.Write(b); err != nil {
		return errGone
	}
	if err := s.out.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return errGone
	}
	return nil
}

// finish sees to the call that the stream did not answer.
func (s *relay) finish(ctx context.Context, err error) {
	c := s.call
	if c == nil {
		if err != nil && !errors.Is(err, errGone) {
			s.recorded(ctx, err)
		}
		return
	}
	s.x.forget(c)
	ended := err == nil || errors.Is(err, errGone) || ctx.Err() != nil
	if ended && c.method != "subscriptions/listen" && s.resumes && s.x.session != "" &&
		s.h.sessions.park(s.x.who.agent.Party.Agent, s.x.session, c) {
		return // whoever gets the answer has the call now
	}
	defer c.ticket.End()
	if ended && c.method == "subscriptions/listen" {
		return // it lasts until either side has enough of it
	}
	if err == nil {
		err = gateway.Refuse(gateway.RuleUpstream, nil, "The server did not answer the request.")
	}
	if errors.Is(err, errGone) {
		err = gateway.Refuse(gateway.RuleUpstream, err, "The caller went away.")
	}
	if c.asking != nil {
		_, err = c.asking.Answered(nil, err)
	}
	ref := s.recorded(ctx, err)
	_ = s.write(wire.AppendEvent(nil, "", "", denial(ref).MCP(c.version, c.method, c.id))) // the caller may be what failed
}

// recorded puts an error on record, unless it is already.
func (s *relay) recorded(ctx context.Context, err error) error {
	if r, ok := errors.AsType[*gateway.Refusal](err); ok && r.Ref != "" {
		return err
	}
	return s.h.Gateway.Refused(ctx, s.x.who.snap, s.x.stream.flow, err)
}

// replyUpstream answers a server's request on the client's behalf.
func (s *relay) replyUpstream(ctx context.Context, reply []byte) {
	f := s.x.stream.flow
	f.From, f.To = f.To, f.From
	ctx, err := sent{who: s.x.who, flow: f}.onward(ctx, s.h.Gateway)
	if err != nil {
		s.h.Gateway.Fault(err)
		return
	}
	res, err := s.x.who.agent.MCP.Send(ctx, http.MethodPost, s.x.onward(), map[string]string{"Accept": accepted}, reply)
	if err != nil {
		s.h.Gateway.Fault(err)
		return
	}
	res.Body.Close()
}
